//! CAP: negotiates capabilities.

use std::collections::BTreeSet;

use stentor_proto::capability::{Capability, CapabilitySet};
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::client::Client;
use crate::config::{Accounts, Config, Registration, Sts};
use crate::error::Error;
use crate::metadata;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let subcommand = message.param(0).unwrap_or_default().to_ascii_uppercase();
    match subcommand.as_str() {
        "LS" => {
            let version = message.param(1).and_then(|version| version.parse().ok()).unwrap_or(301_u32);
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = true;
            }
            if version >= 302 {
                let before = session.client.capabilities();
                let mut after = before;
                after.insert(Capability::CapNotify);
                session.client.change_capabilities(before, after);
                session.client.note_values();
            }
            let config = session.node.config();
            let mut all: Vec<String> = offered(&config).map(|one| show(one, version >= 302)).collect();
            if version >= 302 {
                all.extend(sts(session));
            }
            list(session, reply, "LS", &all, version >= 302);
        }
        "LIST" => {
            let names: Vec<String> =
                session.client.capabilities().iter().map(|one| one.name().to_owned()).collect();
            list(session, reply, "LIST", &names, session.client.knows_values());
        }
        "REQ" => {
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = true;
            }
            request(session, message.param(1).unwrap_or_default(), reply);
        }
        "END" => {
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = false;
                return super::register::advance(session, reply).await;
            }
        }
        _ => {
            let params = [message.param(0).unwrap_or("*")];
            return Err(Error::numeric(Numeric::ERR_INVALIDCAPCMD, &params, "Invalid CAP command"));
        }
    }
    Ok(())
}

/// What a server with these settings offers, each with its value; the value is empty where there is none.
fn offered(config: &Config) -> impl Iterator<Item = (Capability, String)> {
    let closed = config.accounts.registration == Registration::Closed;
    let has_metadata = config.limits.metadata_keys > 0;
    let is_offered = move |capability: &Capability| match capability {
        Capability::AccountRegistration => !closed,
        Capability::Metadata | Capability::MetadataDraft2 => has_metadata,
        _ => true,
    };
    Capability::ALL.into_iter().filter(is_offered).map(|capability| (capability, value(config, capability)))
}

fn value(config: &Config, capability: Capability) -> String {
    match capability {
        Capability::Sasl => super::authenticate::mechanisms(&config.accounts).to_owned(),
        Capability::AccountRegistration => making_accounts(&config.accounts).to_owned(),
        Capability::Metadata | Capability::MetadataDraft2 => {
            let limits = &config.limits;
            format!(
                "before-connect,max-subs={},max-keys={},max-key-bytes={},max-value-bytes={}",
                limits.metadata_subscriptions,
                limits.metadata_keys,
                metadata::KEY_LENGTH,
                limits.metadata_value
            )
        }
        Capability::Multiline => {
            let limits = &config.limits;
            format!("max-bytes={},max-lines={}", limits.multiline_length, limits.multiline_lines)
        }
        _ => String::new(),
    }
}

fn show((capability, value): (Capability, String), with_value: bool) -> String {
    let name = capability.name();
    if with_value && !value.is_empty() { format!("{name}={value}") } else { name.to_owned() }
}

/// Tells a client what other settings change in what is offered: CAP DEL, after which it has that no more, and CAP NEW.
pub fn tell_changes(client: &Client, before: &Config, now: &Config) {
    let (old, new): (Vec<_>, Vec<_>) = (offered(before).collect(), offered(now).collect());
    let is_gone = |capability: &Capability| new.iter().all(|(other, _)| other != capability);
    let gone: CapabilitySet = old.iter().map(|(capability, _)| *capability).filter(is_gone).collect();
    let with_values = client.knows_values();
    let gone_names: Vec<String> = gone.iter().map(|capability| capability.name().to_owned()).collect();
    let come = new.into_iter().filter(|one| {
        let known = old.iter().find(|(capability, _)| *capability == one.0);
        known.is_none_or(|known| with_values && known != one)
    });
    let come: Vec<String> = come.map(|one| show(one, with_values)).collect();
    if client.has(Capability::CapNotify) {
        for (subcommand, names) in [("DEL", gone_names), ("NEW", come)] {
            lines(client, subcommand, &names).iter().for_each(|line| client.queue.push_line(line));
        }
    }
    client.withdraw_capabilities(gone);
}

/// As many lines as it takes to name these; none for none.
fn lines<T: AsRef<str>>(client: &Client, subcommand: &str, names: &[T]) -> Vec<String> {
    let nick = client.profile().nick.clone();
    let line = Line::new("CAP").source(&client.server).param(nick).param(subcommand);
    let length = line.clone().trailing("").build().len();
    let names = names.iter().map(AsRef::as_ref);
    stentor_proto::text::pack(length, names, ' ').map(|names| line.clone().trailing(names).build()).collect()
}

/// Where accounts are required, the account's name is the nick.
fn making_accounts(accounts: &Accounts) -> &'static str {
    match (accounts.registration_before_connect, accounts.required) {
        (true, true) => "before-connect",
        (true, false) => "before-connect,custom-account-name",
        (false, _) => "custom-account-name",
    }
}

/// The policy of coming by TLS alone. It is told and never requested: whoever asks for it is refused. Who has not said which
/// host they look for has none that they could remember it for.
fn sts(session: &Session) -> Option<String> {
    let Sts { duration, port, preload } = session.node.config().tls.sts?;
    let profile = session.client.profile();
    if !profile.secure {
        return Some(format!("sts=port={port}"));
    }
    if !profile.names_host {
        return None;
    }
    let preload = if preload { ",preload" } else { "" };
    Some(format!("sts=duration={},port={port}{preload}", duration.as_secs()))
}

fn list(session: &Session, reply: &mut Reply, subcommand: &str, names: &[String], may_split: bool) {
    let nick = session.client.profile().nick.clone();
    let start = |more: bool| {
        let line = Line::new("CAP").source(reply.server()).param(&nick).param(subcommand);
        if more { line.param("*") } else { line }
    };
    let length = start(true).trailing("").build().len();
    let mut pieces: Vec<String> = if may_split {
        stentor_proto::text::pack(length, names, ' ').collect()
    } else {
        // One line is all that such a client reads: what is a draft, or one server's own, comes last, and is left out first.
        let (own, common): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains('/'));
        stentor_proto::text::pack(length, common.into_iter().chain(own), ' ').take(1).collect()
    };
    let last = pieces.pop().unwrap_or_default();
    let mut lines: Vec<String> = pieces.iter().map(|piece| start(true).trailing(piece).build()).collect();
    lines.push(start(false).trailing(last).build());
    for line in lines {
        reply.line(line);
    }
}

fn request(session: &Session, wanted: &str, reply: &mut Reply) {
    let before = session.client.capabilities();
    let mut capabilities: CapabilitySet = before;
    let (config, is_302) = (session.node.config(), session.client.knows_values());
    let mut known = true;
    for name in wanted.split(' ').filter(|name| !name.is_empty()) {
        let (name, add) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
        match Capability::from_name(name) {
            // Who speaks version 302 hears of changes, whatever else it asks for.
            Some(Capability::CapNotify) if !add && is_302 => known = false,
            Some(capability) if !add => capabilities.remove(capability),
            Some(capability) if offered(&config).any(|(one, _)| one == capability) => {
                capabilities.insert(capability);
            }
            _ => known = false,
        }
    }
    // Nothing that is asked for is answered, too.
    let mut names: Vec<&str> = wanted.split(' ').filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        names.push("");
    }
    for line in lines(&session.client, if known { "ACK" } else { "NAK" }, &names) {
        reply.line(line);
    }
    if known {
        let was_aware = metadata::is_aware(&session.client);
        session.client.change_capabilities(before, capabilities);
        if was_aware && !metadata::is_aware(&session.client) {
            session.client.set_metadata_keys(BTreeSet::new());
        }
    }
}
