//! Every key of the configuration, once: its name, what it accepts, its default, and what it means.
//!
//! The reader of files, the reader of the environment, the printed defaults and the reload all go by this table.

use std::time::Duration;

use super::key::Reload::{Live, Restart};
use super::key::{
    A_FILE, DAY, HOUR, Key, Kind, MINUTE, NO_LIMIT, SECOND, TENTH, limit, number, optional, row, text, time,
    time_or,
};
use super::kind::Kind::{Choice, Flag};
use super::rules::{
    address_range, bcrypt_hash, certificate_name, channel_modes, denied_tag, file, fingerprint, icon,
    listener, message_of_the_day, network_name, node_name, origin, redis_url, server_name, user_modes,
    user_name,
};

/// All keys with fixed names, in the order in which they are printed: those of the top level first, then table by table.
pub static KEYS: &[Key] = &[
    row(
        "listen",
        Kind::List {
            allowed: "a list of URLs such as \"ircs://[::]:6697\" (TLS), \"irc://127.0.0.1:6667\" (plaintext), \
                      \"wss://[::]:8097\" (WebSocket over TLS), \"ws://127.0.0.1:8067\" (WebSocket in plaintext) and \
                      \"http://127.0.0.1:8080\" (/live and /ready), with IP addresses",
            check: listener,
            optional: false,
        },
        r#"["ircs://[::]:6697"]"#,
        Restart,
        "Where to accept connections. Port 0 lets the system choose; the chosen address is printed. Plaintext is accepted \
         on loopback addresses alone, unless `listen_insecure` is set.",
    ),
    row(
        "listen_insecure",
        Flag,
        "false",
        Restart,
        "Allow plaintext listeners on addresses that others can reach. Passwords and messages are then readable on the \
         way; meant for a proxy that ends TLS in front of the node.",
    ),
    row(
        "motd",
        optional("text of up to 16 KiB, or empty", message_of_the_day),
        r#""""#,
        Live,
        "The message of the day, shown to everybody who connects. One line of text is one line of the message.",
    ),
    row(
        "motd_file",
        optional(A_FILE, file),
        r#""""#,
        Live,
        "A file to read the message of the day from, instead of `motd`.",
    ),
    row(
        "network.name",
        text("1 to 32 letters, digits, `.`, `_` or `-`", network_name),
        r#""Stentor""#,
        Restart,
        "What the network is called. All nodes of a fleet have the same.",
    ),
    row(
        "network.server",
        optional("1 to 63 letters, digits, `.`, `_` or `-`, with a `.` among them, or empty", server_name),
        r#""""#,
        Restart,
        "What clients are told that their server is called. Empty: each node tells its own name. With a name, the whole \
         fleet looks like one server: clients do not learn which node they, or others, are on. All nodes of a fleet have \
         the same.",
    ),
    row(
        "network.icon",
        optional("an `https://` URL of up to 300 bytes without spaces, or empty", icon),
        r#""""#,
        Restart,
        "A picture that clients may show for the network: the token `draft/ICON` of reply 005. All nodes of a fleet have \
         the same.",
    ),
    row(
        "network.password",
        optional("a bcrypt hash, as `htpasswd -nB ''` writes it after the colon, or empty", bcrypt_hash),
        r#""""#,
        Live,
        "The hash of a password without colons that whoever connects gives with PASS. Whoever logs in to an account, or \
         brings an invitation, needs none. Empty: there is no such password.",
    ),
    row(
        "network.password_file",
        optional(A_FILE, file),
        r#""""#,
        Live,
        "A file whose first line is that hash, instead of `network.password`.",
    ),
    row(
        "node.name",
        optional("1 to 63 letters, digits, `.`, `:`, `_`, `-`, `[` or `]`, or empty", node_name),
        r#""""#,
        Restart,
        "What this node is called. No two nodes of a fleet share a name. Empty: host and port of the first listener.",
    ),
    row(
        "data.dir",
        optional("the path of a directory, or empty", file),
        r#""""#,
        Restart,
        "Where the node keeps its files: the embedded store, certificates, the control socket. Empty: /var/lib/stentor \
         for root, else the platform's directory for data of the user, such as ~/.local/share/stentor.",
    ),
    row(
        "redis.url",
        optional(
            "\"redis://HOST:PORT\", \"rediss://HOST:PORT\" (TLS), with /NUMBER for a database, or empty",
            redis_url,
        ),
        r#""""#,
        Restart,
        "The Redis or Valkey that the nodes of a fleet share. Empty: the embedded store in `data.dir`, for a node on its \
         own.",
    ),
    row(
        "redis.username",
        optional("a name without spaces, or empty", user_name),
        r#""""#,
        Restart,
        "The ACL user to log in as. Empty: the one in the URL, else the default user.",
    ),
    row(
        "redis.password_file",
        optional(A_FILE, file),
        r#""""#,
        Restart,
        "A file whose first line is the password for Redis. Better than a password in the URL, which others may see.",
    ),
    row(
        "redis.ca_file",
        optional(A_FILE, file),
        r#""""#,
        Restart,
        "Certificates (PEM) that may have signed the certificate of Redis. Empty: those that the system trusts.",
    ),
    row(
        "redis.cert_file",
        optional(A_FILE, file),
        r#""""#,
        Restart,
        "This node's own certificate (PEM) for Redis.",
    ),
    row(
        "redis.key_file",
        optional(A_FILE, file),
        r#""""#,
        Restart,
        "The private key (PEM) of `redis.cert_file`.",
    ),
    row(
        "redis.insecure",
        Flag,
        "false",
        Restart,
        "Allow plain `redis://` to other hosts. What passes is then readable on the way.",
    ),
    row(
        "store.durability",
        Choice(&["normal", "full"]),
        r#""normal""#,
        Restart,
        "What the embedded store promises for what it has acknowledged. `normal`: it survives the end of the process; a \
         power cut may cost the last moments. `full`: it survives a power cut too, and each commit waits for the disk.",
    ),
    row(
        "tls.cert_file",
        optional(A_FILE, file),
        r#""""#,
        Live,
        "Your own certificate (PEM), followed by those between it and the authority. Empty: the node makes an authority \
         and a certificate of its own in DATA/tls at its first start, and renews the certificate itself.",
    ),
    row("tls.key_file", optional(A_FILE, file), r#""""#, Live, "The private key (PEM) of `tls.cert_file`."),
    row(
        "tls.key",
        Choice(&["ecdsa-p256", "rsa-2048"]),
        r#""ecdsa-p256""#,
        Live,
        "The kind of key that the node makes for its own certificates.",
    ),
    row(
        "tls.names",
        Kind::List {
            allowed: "a list of host names (`*.` may stand in front) and IP addresses",
            check: certificate_name,
            optional: true,
        },
        "[]",
        Live,
        "The names that the node's own certificate is for, and the only ones that its authority can vouch for. Empty: \
         localhost, the host's name, 127.0.0.1 and ::1. New names make a new authority, which clients must be told.",
    ),
    row(
        "tls.handshake_timeout",
        time(TENTH, HOUR),
        r#""10s""#,
        Live,
        "How long a client may take for the TLS handshake.",
    ),
    row(
        "tls.sts",
        time_or("no policy is offered", SECOND, Duration::from_hours(24 * 365 * 2)),
        r#""0""#,
        Live,
        "For how long clients that know the capability `sts` connect to this server by TLS alone. Only for a certificate \
         that clients trust by themselves: they will not connect to any other. To withdraw a policy, set this to `1s` for \
         as long as it was before.",
    ),
    row(
        "tls.sts_port",
        Kind::Number { least: 1, most: 65535, zero: Some("that of the first `ircs://` listener") },
        "0",
        Live,
        "The port to which such clients go that came in plaintext.",
    ),
    row("tls.sts_preload", Flag, "false", Live, "Whether makers of clients may build the policy in."),
    row(
        "proxy.trusted",
        Kind::List {
            allowed: "a list of IP addresses and ranges such as \"10.0.0.0/8\"",
            check: address_range,
            optional: true,
        },
        "[]",
        Live,
        "Proxies whose PROXY header (version 1 or 2) is believed. Every connection from them must begin with one. On \
         WebSocket listeners it may have the HTTP header `X-Forwarded-For` instead, whose last address that is no proxy's \
         is the client's.",
    ),
    row(
        "websocket.origins",
        Kind::List {
            allowed: "a list of origins such as \"https://chat.example.org\", \"null\" or \"*\"",
            check: origin,
            optional: true,
        },
        "[]",
        Live,
        "Web pages that may connect by WebSocket, besides those that come from the node's own host and port. `*` \
         stands for every page. Programs other than browsers name no page, and are not concerned. On a `ws://` listener \
         the host must be an address, localhost or one of `tls.names` to count as the node's own; behind a proxy that ends \
         TLS, list the origin here.",
    ),
    row(
        "webirc.trusted",
        Kind::List {
            allowed: "a list of IP addresses and ranges such as \"10.0.0.0/8\"",
            check: address_range,
            optional: true,
        },
        "[]",
        Live,
        "Where gateways connect from that may name their users' addresses with WEBIRC. Each also gives `webirc.password`, \
         or one of `webirc.certificates`.",
    ),
    row(
        "webirc.password",
        optional("a bcrypt hash, as `htpasswd -nB ''` writes it after the colon, or empty", bcrypt_hash),
        r#""""#,
        Live,
        "The hash of the password that gateways give with WEBIRC.",
    ),
    row(
        "webirc.certificates",
        Kind::List { allowed: "a list of SHA-256 fingerprints", check: fingerprint, optional: true },
        "[]",
        Live,
        "Client certificates by which gateways are known without a password.",
    ),
    row(
        "accounts.required",
        Flag,
        "true",
        Live,
        "Whether nobody enters without an account. If not, guests may, under nicks that no account has.",
    ),
    row(
        "accounts.registration",
        Choice(&["closed", "invite", "open"]),
        r#""invite""#,
        Live,
        "Who may make an account: nobody but the operator, whoever has an invitation, or everybody.",
    ),
    row(
        "accounts.registration_before_connect",
        Flag,
        "true",
        Live,
        "Whether REGISTER may make an account before its client is welcomed. Where `accounts.required` is set it always \
         may: nobody is welcomed without an account.",
    ),
    row(
        "accounts.bcrypt_cost",
        number(4, 31),
        "12",
        Live,
        "What a password costs to check; each step doubles it. 12 is about a quarter of a second. Older hashes keep \
         theirs.",
    ),
    row(
        "accounts.scram_iterations",
        Kind::Number { least: 4096, most: 10_000_000, zero: Some("SCRAM-SHA-256 is not offered") },
        "600000",
        Live,
        "How often a client hashes its password for SCRAM-SHA-256, and so does whoever guesses at what was stolen from the \
         store. The default keeps that about as dear as bcrypt does. Older verifiers keep theirs until their owner logs in \
         by PLAIN or has a new password.",
    ),
    row(
        "accounts.password_min",
        number(1, 128),
        "6",
        Live,
        "How many characters a password has at least that users choose themselves, with REGISTER or NickServ.",
    ),
    row(
        "accounts.duplicate_login",
        Choice(&["reject", "replace"]),
        r#""reject""#,
        Live,
        "What becomes of a login to an account that is in use. `reject`: it is refused, unless the session that is there \
         does not answer within `accounts.probe`. `replace`: the session that is there is closed.",
    ),
    row(
        "accounts.probe",
        time(TENTH, MINUTE),
        r#""3s""#,
        Live,
        "How long a session that is in the way of a new login has to show that it is alive.",
    ),
    row("accounts.max", limit(100_000_000), "100000", Live, "How many accounts there may be."),
    row(
        "fleet.lease",
        time(Duration::from_millis(500), HOUR),
        r#""10s""#,
        Restart,
        "How long a node that has fallen silent keeps its users. A node renews its lease every third of this.",
    ),
    row(
        "fleet.margin",
        time(Duration::ZERO, MINUTE),
        r#""1s""#,
        Restart,
        "How long after the end of a node's lease the others wait before they clean up after it.",
    ),
    row(
        "history.max_age",
        time_or("kept for ever", SECOND, Duration::from_hours(24 * 36_500)),
        r#""30d""#,
        Live,
        "How long messages are kept.",
    ),
    row(
        "history.max_count",
        limit(1_000_000_000),
        "100000",
        Live,
        "How many messages of one channel or user are kept.",
    ),
    row(
        "history.page",
        number(1, 10_000),
        "500",
        Restart,
        "How many messages a client gets for one CHATHISTORY.",
    ),
    row(
        "history.redact_window",
        time_or("no limit", SECOND, Duration::from_hours(24 * 36_500)),
        r#""0""#,
        Live,
        "How long people may take back what they said, with REDACT. Channel operators may always take back what was said in \
         their channel.",
    ),
    row("channels.max_per_user", limit(100_000), "100", Restart, "How many channels one user may be in."),
    row(
        "channels.max_founded",
        limit(100_000),
        "100",
        Live,
        "How many channels one account may have founded. A channel that an account founds outlives its members, until \
         its founder leaves it as the last one or nothing has happened there for `history.max_age`.",
    ),
    row(
        "channels.default_modes",
        Kind::Text {
            allowed: "letters of modes without a parameter (see docs/modes.md), or empty",
            check: channel_modes,
            optional: true,
        },
        r#""nt""#,
        Live,
        "The modes of a new channel.",
    ),
    row(
        "channels.list_max",
        limit(100_000),
        "100",
        Restart,
        "How many masks the three lists of a channel (bans, exceptions, invitations) may hold together.",
    ),
    row("channels.access_max", limit(100_000), "100", Live, "How many standing rights one channel may give."),
    row("channels.max_members", limit(100_000_000), "0", Live, "How many users one channel may have."),
    row(
        "users.default_modes",
        Kind::Text {
            allowed: "letters of modes of users that anybody may set (see docs/modes.md), or empty",
            check: user_modes,
            optional: true,
        },
        r#""""#,
        Live,
        "The modes of whoever connects, such as `i`. Everybody may change their own.",
    ),
    row(
        "messages.denied_tags",
        Kind::List {
            allowed: "a list of names of client-only tags without `+`; `*` as the first means all, and then `-` in front of a \
                      name excepts it",
            check: denied_tag,
            optional: true,
        },
        "[]",
        Restart,
        "Client-only tags that are taken off messages, such as `typing`. Clients read it in the token CLIENTTAGDENY.",
    ),
    row(
        "metadata.max_keys",
        number(0, 100),
        "20",
        Restart,
        "How many keys the metadata of one person or room may have. 0: there is no metadata (`draft/metadata-2` and `-3`).",
    ),
    row("metadata.max_value", number(1, 390), "280", Restart, "The longest value in metadata, in bytes."),
    row(
        "metadata.max_subscriptions",
        number(1, 1000),
        "50",
        Restart,
        "How many keys of metadata one client may hear of.",
    ),
    row("limits.nick_length", number(1, 64), "32", Restart, "The longest nick and account name, in bytes."),
    row(
        "limits.user_length",
        number(1, 32),
        "18",
        Restart,
        "The longest user name (before the `@`), in bytes.",
    ),
    row(
        "limits.channel_length",
        number(2, 200),
        "64",
        Restart,
        "The longest channel name, in bytes with its `#`.",
    ),
    row("limits.topic_length", number(1, 390), "390", Restart, "The longest topic, in bytes."),
    row("limits.away_length", number(1, 390), "200", Restart, "The longest away message, in bytes."),
    row("limits.realname_length", number(1, 390), "150", Restart, "The longest real name, in bytes."),
    row("limits.kick_length", number(1, 390), "250", Restart, "The longest reason of a KICK, in bytes."),
    row(
        "limits.multiline_length",
        number(512, 32_768),
        "4096",
        Restart,
        "How long a message of several lines may be, in bytes.",
    ),
    row(
        "limits.multiline_lines",
        number(2, 1_000_000),
        "32",
        Restart,
        "How many lines one message may have. Each counts against `limits.lines_per_second`.",
    ),
    row(
        "limits.targets",
        limit(1000),
        "4",
        Restart,
        "How many targets one PRIVMSG, NOTICE or TAGMSG may have.",
    ),
    row("limits.monitor", limit(1_000_000), "100", Restart, "How many nicks one client may MONITOR."),
    row("limits.subscriptions", limit(10_000), "200", Live, "How many people one account may follow."),
    row(
        "limits.subscribers",
        limit(1_000_000),
        "10000",
        Live,
        "How many people may follow one account, and how many it may refuse.",
    ),
    row(
        "limits.whox",
        limit(10_000_000),
        "1000",
        Live,
        "How many users one WHO may list that asks for a mask. A channel's members are always listed in full.",
    ),
    row(
        "limits.whowas",
        number(0, 1_000_000),
        "1000",
        Live,
        "How many former holders of nicks a node remembers for WHOWAS. What a node remembers is gone when it stops.",
    ),
    row(
        "limits.send_queue",
        Kind::Size { least: 16 << 10, most: 1 << 40, zero: Some(NO_LIMIT) },
        r#""1MiB""#,
        Live,
        "How much may wait for a client that reads slowly, in bytes. Past it the client is cut off. A \
         reload changes it for new connections.",
    ),
    row(
        "limits.lines_per_second",
        limit(1_000_000),
        "5",
        Live,
        "How many lines a second a client may send for long. Costly commands count as several. A reload changes \
         it for new connections.",
    ),
    row(
        "limits.burst",
        number(1, 1_000_000),
        "30",
        Live,
        "How many lines a client may send at once after a silence. A reload changes it for new connections.",
    ),
    row(
        "limits.connections_per_address",
        limit(1_000_000),
        "1000",
        Live,
        "How many connections one address may have in all (IPv6: one /64). Loopback is exempt.",
    ),
    row(
        "limits.unregistered_per_address",
        limit(1_000_000),
        "16",
        Live,
        "How many connections one address may have that have not logged in (IPv6: one /64). Loopback is exempt.",
    ),
    row(
        "limits.registration_timeout",
        time_or(NO_LIMIT, TENTH, DAY),
        r#""30s""#,
        Live,
        "How long a client may take from its connection to the end of its registration. A reload changes it for new \
         connections.",
    ),
    row(
        "limits.ping_interval",
        time_or("never", TENTH, DAY),
        r#""90s""#,
        Live,
        "How long a client may be silent before it is sent a PING. A reload changes it for new connections.",
    ),
    row(
        "limits.ping_timeout",
        time(TENTH, DAY),
        r#""60s""#,
        Live,
        "How long a client may take to answer that PING. A reload changes it for new connections.",
    ),
    row(
        "limits.login_failures",
        limit(1_000_000),
        "3",
        Live,
        "How many wrong passwords for one account cost an address nothing. After each further one that account is closed \
         to that address, for a second at first, then twice as long each time, up to five minutes.",
    ),
    row(
        "limits.bcrypt_threads",
        Kind::Number { least: 1, most: 1024, zero: Some("half of the processor's cores, at least one") },
        "0",
        Restart,
        "How many passwords may be checked at the same time. The others wait in line, and nobody else does.",
    ),
    row(
        "drain.time",
        time_or("at once", TENTH, HOUR),
        r#""10s""#,
        Live,
        "How long a node that is told to stop takes to close its clients. A second signal ends it at once.",
    ),
    row(
        "audit.max_age",
        time_or("for ever", DAY, DAY.saturating_mul(36_500)),
        r#""365d""#,
        Live,
        "How long the audit log keeps what operators did. At most 100,000 entries are kept in any case.",
    ),
    row(
        "log.level",
        Choice(&["error", "warn", "info", "debug", "trace"]),
        r#""info""#,
        Live,
        "What is written to the log, on standard error. What users say, and passwords, never are.",
    ),
];
