//! The welcome: 001 to 005, LUSERS and the message of the day.

use stentor_proto::ban;
use stentor_proto::capability::Capability;
use stentor_proto::isupport::Isupport;
use stentor_proto::mode::ModeClass;
use stentor_proto::numeric::Numeric;

use crate::config::Config;
use crate::modes;
use crate::reply::Reply;
use crate::session::Session;

/// Welcomes a client that has registered.
pub(super) fn send(session: &Session, reply: &mut Reply) {
    let node = &session.node;
    let config = node.config();
    let profile = session.client.profile();
    let network = &config.network_name;
    reply.numeric(
        Numeric::RPL_WELCOME,
        &[],
        &format!("Welcome to the {network} Network {}", profile.source()),
    );
    let host = format!("Your host is {}, running version {VERSION}", node.server_name);
    reply.numeric(Numeric::RPL_YOURHOST, &[], &host);
    let started = node.started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let started = crate::hub::clock::server_time(u64::try_from(started.as_millis()).unwrap_or_default());
    reply.numeric(Numeric::RPL_CREATED, &[], &format!("This server was started at {started}"));
    let [user, channel, with_param] = modes::myinfo();
    reply.bare(Numeric::RPL_MYINFO, &[&node.server_name, VERSION, &user, &channel, &with_param]);
    send_isupport(session, reply);
    super::lusers::send(session, reply);
    crate::metadata::sync::welcome(session, reply);
    super::motd::send(session, reply);
    if !profile.modes.is_empty() {
        let modes = format!("+{}", profile.modes);
        reply.own(&profile.line("MODE").param(&profile.nick).param(modes));
    }
}

/// Tells what this server supports, as a batch where the client asked for that.
pub(super) fn send_isupport(session: &Session, reply: &mut Reply) {
    let batched = session.client.has(Capability::ExtendedIsupport);
    let batch = if batched { reply.open("draft/isupport", &[]) } else { None };
    for line in isupport(&session.node.config()).lines(ISUPPORT_BYTES) {
        let tokens: Vec<&str> = line.split(' ').collect();
        reply.numeric_in(&batch, Numeric::RPL_ISUPPORT, &tokens, "are supported by this server");
    }
    reply.close(batch);
}

/// The tokens of reply 005 under a configuration.
pub fn isupport(config: &Config) -> Isupport {
    let limits = &config.limits;
    let lists = modes::letters(ModeClass::List);
    let mut tokens = Isupport::new()
        .set("ACCOUNTEXTBAN", ban::ACCOUNT)
        .set("AWAYLEN", limits.away_length)
        .set("BOT", modes::BOT)
        .set("CASEMAPPING", "ascii")
        .set(
            "CHANLIMIT",
            format!("#:{}", config.channels.max_per_user.get().map_or(String::new(), |max| max.to_string())),
        )
        .set("CHANMODES", modes::chanmodes())
        .set("CHANNELLEN", limits.channel_length)
        .set("CHANTYPES", "#")
        .set("CHATHISTORY", config.history.page)
        .set("ELIST", "CMNTU")
        .flag("EXCEPTS")
        .set("EXTBAN", format!(",{}", ban::LETTERS))
        .set("HOSTLEN", HOST_BYTES)
        .flag("INVEX")
        .set("KICKLEN", limits.kick_length)
        .flag("KNOCK")
        .set("MAXLIST", format!("{lists}:{}", config.channels.list_max.or_max()))
        .set("MODES", super::mode::MODES)
        .set("MSGREFTYPES", "msgid,timestamp")
        .set("NAMELEN", limits.realname_length)
        .set("NETWORK", &config.network_name)
        .set("NICKLEN", limits.nick_length)
        .set("PREFIX", modes::prefixes())
        .flag("SAFELIST")
        .set("STATUSMSG", modes::signs())
        .set("TOPICLEN", limits.topic_length)
        .set("USERLEN", limits.user_length)
        .set("USERMODES", modes::usermodes())
        .flag("UTF8ONLY")
        .flag("WHOX");
    tokens = match limits.monitor.get() {
        Some(limit) => tokens.set("MONITOR", limit),
        None => tokens.flag("MONITOR"),
    };
    if config.accounts.required {
        tokens = tokens.flag("draft/ACCOUNTREQUIRED");
    }
    if !config.denied_tags.is_empty() {
        tokens = tokens.set("CLIENTTAGDENY", config.denied_tags.join(","));
    }
    if let Some(icon) = &config.network_icon {
        tokens = tokens.set("draft/ICON", icon);
    }
    if let Some(targets) = limits.targets.get() {
        let names = super::names::TARGETS;
        let max = format!(
            "JOIN:,KICK:,NAMES:{names},NOTICE:{targets},PART:,PRIVMSG:{targets},SUBSCRIBE:,TAGMSG:{targets},UNSUBSCRIBE:"
        );
        tokens = tokens.set("TARGMAX", max);
    }
    tokens
}

/// The program's name and version.
pub(super) const VERSION: &str = concat!("stentor-", env!("CARGO_PKG_VERSION"));
/// What a cloaked host has at the most; no host is longer.
const HOST_BYTES: usize = 63;
/// What the tokens of one line may take, beside the line's other parts.
const ISUPPORT_BYTES: usize = 380;
