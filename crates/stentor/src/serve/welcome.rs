//! What is printed once a node takes clients in: where it is, and a line to paste for each way in.

use std::io;
use std::path::{self, Path};

use stentor_server::account::bootstrap::Bootstrap;
use stentor_server::config::{Config, Listen, Scheme};
use stentor_server::tls::Served;

use super::start::Started;
use crate::cli::Common;
use crate::dial::{Dial, near};
use crate::output::Output;

pub(super) fn print(started: &Started, common: &Common) -> io::Result<()> {
    let output = Output::new();
    let config = started.node.config();
    let served = started.certificates.as_ref().map(|certificates| certificates.current());
    let mut rows = vec![row("Node", &started.name)];
    for (index, listen) in started.listening.iter().enumerate() {
        rows.push(row(if index == 0 { "Listening" } else { "" }, &listen.to_string()));
    }
    rows.push(row("Data", &absolute(&config.data.dir)));
    rows.push(row("Store", &started.node.hub.store().describe()));
    if let Some(served) = &served {
        let names = served.names.join(", ");
        rows.push(row("Certificate", &format!("{names}; until {}", served.expires.date())));
        rows.push(row("SHA-256", &served.fingerprint_colons()));
        if let Some(file) = &served.authority_file {
            rows.push(row("Authority", &format!("{}, which clients are to trust", absolute(file))));
        }
    }
    match &started.admin {
        Bootstrap::Settled => rows.push(row(
            "Accounts",
            &format!(
                "those that this store has; `stentor account passwd admin{}` gives admin a new password",
                same_store(common)
            ),
        )),
        Bootstrap::Shown(password) => rows
            .push(row("Account", &format!("admin, password {} (it is shown only now)", password.reveal()))),
        Bootstrap::Written(path) => {
            rows.push(row("Account", &format!("admin, password in {}", absolute(path))));
        }
    }
    output.rows(&rows)?;
    let user = if started.admin == Bootstrap::Settled { "NAME" } else { "admin" };
    output.text("\n")?;
    let mut rows: Vec<_> = chat(started, &config, served.as_deref(), user).into_iter().collect();
    rows.extend(ways_in(&started.listening, served.as_deref(), user, &same_store(common)));
    output.rows(&rows)?;
    output.text("\n")
}

/// The client that everybody has who has the program.
fn chat(started: &Started, config: &Config, served: Option<&Served>, user: &str) -> Option<Vec<String>> {
    let mut chats = started.listening.iter().filter(|listen| listen.scheme.is_irc());
    let listen = chats.clone().find(|listen| listen.scheme.is_encrypted()).or_else(|| chats.next())?;
    let served = served.filter(|_| listen.scheme.is_encrypted());
    let (scheme, port) = (listen.scheme, listen.address.port());
    let host = near(listen.address.ip(), served.map(|served| served.names.as_slice()).unwrap_or_default());
    let trust = match served.and_then(|served| served.authority_file.as_ref()) {
        // For localhost, the client looks for the authority in the data directory.
        Some(file) if host == "localhost" && file.starts_with(&config.data.dir) => {
            let elsewhere = config.given().any(|(key, ..)| key == "data.dir");
            elsewhere.then(|| format!(" --data {}", quoted(&absolute(&config.data.dir))))
        }
        Some(file) => Some(format!(" --ca {}", quoted(&absolute(file)))),
        None => None,
    };
    let dial = Dial { scheme, host, port, note: None };
    Some(row("Chat", &format!("{} --user {user}{}", dial.command(), trust.unwrap_or_default())))
}

/// One line for each other way in.
fn ways_in(listening: &[Listen], served: Option<&Served>, user: &str, flags: &str) -> Vec<Vec<String>> {
    let mut rows = vec![
        row("Invitation", &format!("stentor invite{flags}")),
        row("New account", &format!("stentor account add NAME{flags}")),
    ];
    let of_scheme = |scheme: Scheme| listening.iter().find(|listen| listen.scheme == scheme);
    if let (Some(listen), Some(served)) = (of_scheme(Scheme::Ircs), served) {
        let (host, port) = (near(listen.address.ip(), &served.names), listen.address.port());
        // Versions of WeeChat differ in what they call TLS.
        for (client, tls) in [(WEECHAT, "tls"), (WEECHAT_OLD, "ssl")] {
            let pin = served
                .authority_file
                .as_ref()
                .map(|_| format!(" -{tls}_fingerprint={}", served.fingerprint()));
            let options = format!("-{tls}{}", pin.unwrap_or_default());
            rows.push(row(client, &weechat(&host, port, &options, user)));
        }
        let trust = served.authority_file.as_ref().map(|file| format!(" -tls_cafile {}", absolute(file)));
        let options = format!("-tls -tls_verify{}", trust.unwrap_or_default());
        rows.push(row("irssi", &irssi(&host, port, &options, user)));
    } else if let Some(listen) = of_scheme(Scheme::Irc) {
        let (host, port) = (near(listen.address.ip(), &[]), listen.address.port());
        rows.push(row(WEECHAT, &weechat(&host, port, "-notls", user)));
        rows.push(row(WEECHAT_OLD, &weechat(&host, port, "-nossl", user)));
        rows.push(row("irssi", &irssi(&host, port, "-notls", user)));
    }
    if let Some(listen) = of_scheme(Scheme::Wss).or_else(|| of_scheme(Scheme::Ws)) {
        let names = served.filter(|_| listen.scheme.is_encrypted()).map(|served| served.names.as_slice());
        let (host, port) = (near(listen.address.ip(), names.unwrap_or_default()), listen.address.port());
        rows.push(row("WebSocket", &format!("{}://{}:{port}/", listen.scheme.as_str(), bracketed(&host))));
    }
    rows
}

/// A host as it stands in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// WeeChat connects to servers that it knows; a line with two commands takes `/eval`.
fn weechat(host: &str, port: u16, options: &str, user: &str) -> String {
    format!(
        "/eval -s /server add stentor {host}/{port} {options} -sasl_username={user} -sasl_password=PASSWORD; /connect \
         stentor"
    )
}

fn irssi(host: &str, port: u16, options: &str, user: &str) -> String {
    format!("/connect {options} {host} {port} {user}:PASSWORD {user}")
}

/// The flags that lead other commands to the same store.
fn same_store(common: &Common) -> String {
    let mut flags = String::new();
    if let Some(config) = &common.config {
        flags.push_str(&format!(" --config {}", quoted(&absolute(config))));
    }
    if let Some(data) = &common.data {
        flags.push_str(&format!(" --data {}", quoted(&absolute(data))));
    }
    if let Some(redis) = &common.redis {
        // The password in it, if any, is not repeated.
        let place = redis.split_once("://").zip(redis.rsplit_once('@'));
        let shown = place.map_or(redis.clone(), |((scheme, _), (_, place))| format!("{scheme}://…@{place}"));
        flags.push_str(&format!(" --redis {}", quoted(&shown)));
    }
    flags
}

/// A path that holds in other directories, too: what is printed is pasted elsewhere.
fn absolute(path: &Path) -> String {
    path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:@[]~+,=%…".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn row(what: &str, text: &str) -> Vec<String> {
    vec![what.to_owned(), text.to_owned()]
}

const WEECHAT: &str = "WeeChat 4.x";
const WEECHAT_OLD: &str = "WeeChat 3.x";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("/var/lib/stentor"), "/var/lib/stentor");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let common = Common {
            config: None,
            data: Some("/d".into()),
            redis: Some("rediss://u:hunter2@redis.example:7000".to_owned()),
        };
        assert_eq!(same_store(&common), " --data /d --redis rediss://…@redis.example:7000");
    }
}
