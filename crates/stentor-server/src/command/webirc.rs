//! WEBIRC: a gateway names the address of the user whom it connects for, by the specification of IRCv3.

use std::net::IpAddr;

use stentor_proto::message::Message;

use crate::account::login::LoginError;
use crate::error::Error;
use crate::operator::watch;
use crate::reply::Reply;
use crate::session::Session;

/// `WEBIRC <password> <gateway> <host> <address> [:<options>]`. The host is not used: what others see is made from the
/// address, as for everybody.
pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let node = session.node.clone();
    let config = node.config();
    let gateway = session.address;
    if !config.webirc.trusted.iter().any(|trusted| trusted.contains(gateway)) {
        return Err(closed("your address is no gateway's"));
    }
    let is_first = session.registering.as_ref().is_some_and(|said| {
        !said.relayed && said.nick.is_none() && said.user.is_none() && said.pass.is_none()
    });
    if !is_first || session.account.is_some() || session.sasl.is_some() {
        return Err(closed("it comes first, and once"));
    }
    let profile = session.client.profile();
    let known = profile.certificate.as_ref().is_some_and(|one| config.webirc.certificates.contains(one));
    if !known {
        let given = message.param(0).unwrap_or_default();
        let judged = match &config.webirc.password {
            Some(hash) => node.login.shared_password("webirc", given, hash, gateway).await,
            None => Err(LoginError::Wrong),
        };
        if let Err(error) = judged {
            tracing::warn!(%gateway, %error, "a gateway (WEBIRC) was turned away");
            return Err(match error {
                LoginError::Wrong => closed("the password is another one"),
                other => closed(&other.to_string()),
            });
        }
    }
    let Some(address) = message.param(3).and_then(|text| text.parse::<IpAddr>().ok()) else {
        return Err(closed("the fourth parameter is no address"));
    };
    let address = address.to_canonical();
    let Some(admission) = node.admissions.admit(address, &config.limits) else {
        return Err(Error::Close("Too many connections from your address".to_owned()));
    };
    // It speaks of the way to the gateway; the one from there is to be safe, too. A value means nothing, and `tls` is how
    // older gateways say it.
    let is_secure = |option: &str| matches!(option.split('=').next(), Some("secure" | "tls"));
    let says_so = message.param(4).is_some_and(|options| options.split(' ').any(is_secure));
    let secure = says_so && (profile.secure || gateway.is_loopback());
    session.address = address;
    session.client.set_address(address);
    session.moved = Some(admission);
    if let Some(registering) = session.registering.as_mut() {
        registering.relayed = true;
    }
    session.client.update(|profile| {
        profile.host = node.cloak(address);
        profile.secure = secure;
        // They are the gateway's.
        profile.names_host = false;
        profile.certificate = None;
    });
    // A ban that comes from now on finds the client at this address.
    watch::check_address(session, reply)
}

fn closed(why: &str) -> Error {
    Error::Close(format!("WEBIRC was refused: {why}"))
}
