//! What is printed once a node takes clients in: where it is, and a line to paste for each way in.

use std::io;
use std::net::IpAddr;
use std::path::{self, Path};

use stentor_server::account::bootstrap::Bootstrap;
use stentor_server::config::{Listen, Scheme};
use stentor_server::tls::Served;

use super::start::Started;
use crate::cli::Common;
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
        Bootstrap::Settled => {}
        Bootstrap::Shown(password) => rows
            .push(row("Account", &format!("admin, password {} (it is shown only now)", password.reveal()))),
        Bootstrap::Written(path) => {
            rows.push(row("Account", &format!("admin, password in {}", absolute(path))));
        }
    }
    output.rows(&rows)?;
    let user = if started.admin == Bootstrap::Settled { "NAME" } else { "admin" };
    output.text("\n")?;
    output.rows(&ways_in(&started.listening, served.as_deref(), user, &same_store(common)))?;
    output.text("\n")
}

/// One line for each way in.
fn ways_in(listening: &[Listen], served: Option<&Served>, user: &str, flags: &str) -> Vec<Vec<String>> {
    let mut rows = vec![
        row("New account", &format!("stentor account add NAME{flags}")),
        row("Invitation", &format!("stentor invite{flags}")),
    ];
    let of_scheme = |scheme: Scheme| listening.iter().find(|listen| listen.scheme == scheme);
    if let (Some(listen), Some(served)) = (of_scheme(Scheme::Ircs), served) {
        let (host, port) = (host(listen.address.ip(), &served.names), listen.address.port());
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
        let (host, port) = (host(listen.address.ip(), &[]), listen.address.port());
        rows.push(row(WEECHAT, &weechat(&host, port, "-notls", user)));
        rows.push(row(WEECHAT_OLD, &weechat(&host, port, "-nossl", user)));
        rows.push(row("irssi", &irssi(&host, port, "-notls", user)));
    }
    rows
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

/// How a client on this machine, or near it, names the node so that the certificate is for that name.
fn host(address: IpAddr, names: &[String]) -> String {
    let address = address.to_canonical();
    let shown = address.to_string();
    let local = address.is_unspecified() || address.is_loopback();
    let has = |name: &str| names.iter().any(|known| known == name);
    if local && (names.is_empty() || has("localhost")) {
        return "localhost".to_owned();
    }
    if names.is_empty() || has(&shown) {
        return shown;
    }
    let names = || names.iter().filter(|name| !name.starts_with("*."));
    let named = names().find(|name| name.parse::<IpAddr>().is_err()).or_else(|| names().next());
    named.cloned().unwrap_or(shown)
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

    fn named(address: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        host(address.parse().unwrap(), &names)
    }

    #[test]
    fn the_host_is_one_that_the_certificate_is_for() {
        let own = ["127.0.0.1", "::1", "box", "localhost"];
        assert_eq!(named("::", &own), "localhost");
        assert_eq!(named("127.0.0.1", &own), "localhost");
        assert_eq!(named("::", &["*.example.org", "192.0.2.7", "irc.example.org"]), "irc.example.org");
        assert_eq!(named("192.0.2.7", &["192.0.2.7", "irc.example.org"]), "192.0.2.7");
        assert_eq!(named("192.0.2.8", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(named("127.0.0.1", &[]), "localhost");
        assert_eq!(named("192.0.2.8", &[]), "192.0.2.8");
    }

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
