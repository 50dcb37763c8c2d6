//! The command line, as it is read.

mod account;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use stentor_client::link::ServerUrl;
use stentor_client::trust::Fingerprint;
use stentor_server::config::units::parse_time;
use stentor_server::config::{Listen, Scheme};
use stentor_server::operator::ban::Target;

pub(crate) use account::{AccountArgs, AccountCertCommand, AccountCommand, PasswordFrom};

use crate::dial::HostPort;

/// A secure chat server that runs as one process or as a fleet.
#[derive(Debug, Parser)]
#[command(name = "stentor", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node
    Serve(Serve),
    /// Chat in the terminal
    Chat(Chat),
    /// Manage accounts
    Account(AccountArgs),
    /// Invite somebody to make an account
    Invite(InviteArgs),
    /// Keep addresses, masks and accounts out of the network
    Ban(BanArgs),
    /// Show what operators did
    Audit(AuditArgs),
    /// Show nodes, versions, leases, users and warnings
    Status(StatusArgs),
    /// Copy the embedded store, or put a copy back
    Store(StoreArgs),
    /// Ask whether a node takes clients in
    Ready(ReadyArgs),
    /// Make certificates
    Cert(CertArgs),
    /// Print or check the configuration
    Config(ConfigArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Print the script with which a shell completes `stentor`
    Completions(CompletionsArgs),
    /// Print every setting, number and limit of this version
    Reference(ReferenceArgs),
}

/// What all commands that use a store have in common.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The configuration [default: /etc/stentor/stentor.toml, where present]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Store")]
    pub(crate) config: Option<PathBuf>,
    /// The node's directory [default: /var/lib/stentor for root, else ~/.local/share/stentor]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Store")]
    pub(crate) data: Option<PathBuf>,
    /// The Redis that a fleet shares, redis:// or rediss:// [default: the embedded store]
    #[arg(long, value_name = "URL", global = true, help_heading = "Store")]
    pub(crate) redis: Option<String>,
}

/// Run a node.
///
/// Without --redis it keeps everything in its own directory. With it, it is one of a fleet; start as many as you like.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor serve
  stentor serve --listen ircs://[::]:6697 --listen http://127.0.0.1:8080
  stentor serve --listen ircs://[::]:6697 --listen wss://[::]:8097
  stentor serve --redis rediss://redis.example --name node-1

SIGHUP reads the configuration and the certificates again.
SIGTERM and Ctrl-C close all clients, then stop; a second one stops at once.")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) common: Common,
    // Not a doc comment: rustdoc takes the brackets of the address for a link.
    #[arg(
        long,
        value_name = "URL",
        help = "Where to accept connections: ircs:// (TLS), irc:// (plaintext), wss:// (WebSocket over TLS), ws:// \
                (WebSocket in plaintext), http:// (/live and /ready); may be repeated [default: ircs://[::]:6697]"
    )]
    pub(crate) listen: Vec<String>,
    /// What the node is called in its fleet [default: host and port of the first listener]
    #[arg(long, value_name = "NODE")]
    pub(crate) name: Option<String>,
    /// Your own certificate, PEM [default: one that the node makes]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Chat in the terminal.
///
/// On a terminal it fills the screen. On a pipe, and with --plain, it works in lines.
#[derive(Args, Debug)]
#[command(after_help = CHAT_HELP)]
pub(crate) struct Chat {
    // Not a doc comment: rustdoc takes the brackets of the address for a link.
    #[arg(
        value_name = "URL",
        default_value = "ircs://localhost:6697",
        help = "The server, and a room to join: ircs://HOST[:PORT][/ROOM]; irc:// is for this machine alone"
    )]
    pub(crate) server: ServerUrl,
    /// Who you are; asked for where it is missing
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Where your password is, on the first line; asked for where it is missing
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Make the account first
    #[arg(long)]
    pub(crate) register: bool,
    /// The invitation to make it with
    #[arg(long, value_name = "CODE", requires = "register")]
    pub(crate) invite: Option<String>,
    /// Work in lines on a terminal, too
    #[arg(long)]
    pub(crate) plain: bool,
    /// Take the mouse: the wheel scrolls, a click goes to a place; F2 does the same later
    #[arg(long, conflicts_with = "plain", help_heading = "Screen")]
    pub(crate) mouse: bool,
    /// Ring the terminal's bell where somebody names you or writes to you
    #[arg(long, conflicts_with = "plain", help_heading = "Screen")]
    pub(crate) bell: bool,
    /// Trust this authority alone, or this very certificate; PEM
    #[arg(long, value_name = "FILE", help_heading = "Trust", conflicts_with = "fingerprint")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust the certificate with this SHA-256 fingerprint alone, or what an authority with it vouches for; it is kept
    #[arg(long, value_name = "HEX", help_heading = "Trust")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Trust the authority of the node with this directory [default: that of a node of yours, for names of this machine]
    #[arg(long, value_name = "DIR", help_heading = "Trust")]
    pub(crate) data: Option<PathBuf>,
    /// Speak irc:// to another machine, although everybody on the way can read all of it
    #[arg(long, help_heading = "Trust")]
    pub(crate) allow_plaintext: bool,
}

/// Invite somebody to make an account.
///
/// Without a subcommand, makes a code, and prints a line for whoever is invited to paste, and how to do the same with any
/// IRC client.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  stentor invite
  stentor invite --uses 20 --expires 24h
  stentor invite --host irc.example.org:6697
  stentor invite list
  stentor invite revoke CODE"
)]
pub(crate) struct InviteArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many accounts may be made with the code
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: u32,
    /// How long the code is good for, such as 12h or 7d; 0: for ever
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time)]
    pub(crate) expires: Duration,
    /// Where whoever is invited connects [default: what the node's listeners and its certificate tell]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) host: Option<HostPort>,
    /// Print the code alone, for scripts
    #[arg(long, conflicts_with = "host")]
    pub(crate) code_only: bool,
    #[command(subcommand)]
    pub(crate) command: Option<InviteCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// List the invitations that can still be used, by their ids
    List {
        /// Those that are used up, too, until they expire
        #[arg(long)]
        all: bool,
    },
    /// Make a code useless
    Revoke {
        /// The code, or its id in `stentor invite list`
        code: String,
    },
}

/// Keep addresses, masks and accounts out of the network.
///
/// Every node acts on it within a second, and closes whoever is here.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor ban add 192.0.2.0/24 --duration 7d --reason spam
  stentor ban add 'spammer*!*@*'
  stentor ban add mallory
  stentor ban list
  stentor ban remove mallory

An address or range is compared with real addresses, a mask with nick!user@host, a single word with accounts.")]
pub(crate) struct BanArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: BanCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BanCommand {
    /// Keep somebody out
    Add {
        /// An address, a range, a mask or an account
        #[arg(value_parser = target)]
        target: Target,
        /// How long, such as 12h or 7d; 0: for ever
        #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
        duration: Duration,
        /// What those read whom it keeps out
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Also where it hits many, or an administrator
        #[arg(long)]
        force: bool,
    },
    /// Let somebody in again
    Remove {
        /// The ban, as `list` shows it
        #[arg(value_parser = target)]
        target: Target,
    },
    /// List who is kept out
    List,
}

/// Show what operators did.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor audit
  stentor audit --limit 500
  stentor audit --follow")]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many of the newest entries to show
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) limit: u16,
    /// Go on with what is added, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Show nodes, versions, leases, users and warnings.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Copy the embedded store, or put a copy back.
///
/// A fleet's store is backed up with the tools of Redis.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor store backup stentor-monday.db
  stentor store restore stentor-monday.db --data /var/lib/stentor")]
pub(crate) struct StoreArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy the store into a new file; a node may run meanwhile
    Backup {
        /// The file to make; it holds password hashes and messages, and only you can read it
        file: PathBuf,
    },
    /// Put a copy where `serve` looks for its store, where there is none yet
    Restore {
        /// A file that `store backup` has made
        file: PathBuf,
    },
}

/// Ask whether a node takes clients in.
///
/// Asks its /ready over HTTP: exit code 0 if it does, 1 if it does not, or does not answer.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor ready
  stentor ready http://127.0.0.1:8080")]
pub(crate) struct ReadyArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The node's http:// listener, with an IP address [default: the first one of the configuration]
    #[arg(value_name = "URL", value_parser = http)]
    pub(crate) url: Option<Listen>,
}

/// Make certificates.
#[derive(Args, Debug)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    pub(crate) command: CertCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make an authority, and a certificate by it, for a few names
    ///
    /// The authority can vouch for these names alone. Nothing is overwritten.
    #[command(after_help = "\
Example:
  stentor cert make --out tls --name irc.example.org --name 192.0.2.7")]
    Make {
        /// The directory for the files; it is made where it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A host name or IP address; several may follow
        #[arg(long = "name", value_name = "HOST", required = true, num_args = 1..)]
        names: Vec<String>,
        /// The kind of key
        #[arg(long, value_enum, default_value_t = CertKey::EcdsaP256)]
        key: CertKey,
        /// For how many days the certificate is good; the authority is good for ten years
        #[arg(long, value_name = "NUMBER", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
}

/// A kind of key, as `tls.key` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CertKey {
    #[value(name = "ecdsa-p256")]
    EcdsaP256,
    #[value(name = "rsa-2048")]
    Rsa2048,
}

/// Print or check the configuration.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor config default > stentor.toml
  stentor config check stentor.toml

Every key can also be set by a variable: accounts.bcrypt_cost is STENTOR_ACCOUNTS__BCRYPT_COST.")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every key with its meaning and its default
    Default,
    /// Check a file, and name everything that is wrong with it
    Check {
        /// The file [default: /etc/stentor/stentor.toml and the environment, as `serve` reads them]
        file: Option<PathBuf>,
    },
}

fn http(text: &str) -> Result<Listen, String> {
    let listen: Listen = text.parse()?;
    if listen.scheme == Scheme::Http {
        Ok(listen)
    } else {
        Err("it does not begin with `http://`".to_owned())
    }
}

/// Write the manual pages.
///
/// Without --out, prints the page of `stentor` itself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor man | man -l -
  stentor man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The directory for the pages of all commands; it is made where it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `stentor reference`.
#[derive(Args, Debug)]
pub(crate) struct ReferenceArgs {
    /// The modes of channels, members and users instead
    #[arg(long)]
    pub(crate) modes: bool,
}

/// Print the script with which a shell completes `stentor`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(stentor completions bash)
  stentor completions bash > ~/.local/share/bash-completion/completions/stentor
  stentor completions zsh > ~/.zfunc/_stentor
  stentor completions fish > ~/.config/fish/completions/stentor.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "allowed: a time such as 12h, 7d or 1h30m, or 0".to_owned())
}

const CHAT_HELP: &str = "\
Examples:
  stentor chat
  stentor chat ircs://chat.example/lobby --user alice
  stentor chat ircs://chat.example --register --invite CODE
  printf '/join lobby\\ndone\\n' | stentor chat --user bot --password-file FILE

Text goes to the room or person that you joined or wrote to last. A line that
begins with / is a command, and /help lists them. //text says /text.

On a pipe, and with --plain, it works in lines. Standard output has what people
say and do, and what the server answers:
  [#room] nick: text       said in a room; -nick- text: by a program
  [#room] * nick joined    what happens there; * nick waves: /me waves
  [PM] nick: text          said to you alone; you -> nick: text: said by you
  [Sub] nick: text         from somebody whom you follow
  * text                   answers and news
Your own lines are shown once, when the server has them. Standard error has what
concerns the connection, and what did not work.

When the input ends, everything in it is delivered before the program ends; what
could not be is named. To listen only, keep the input open:
  sleep infinity | stentor chat --user bot --password-file FILE

A server for which no authority vouches is asked about on a terminal, and its
fingerprint kept in ~/.config/stentor/known_servers. A lost connection is made
again, and what was missed is fetched. A password is never an argument, because
others can see those.

Exit codes:
  0  ended as asked, and everything was delivered
  1  something could not be done
  2  the command line is wrong
  3  the server did not let you in
  4  the server cannot be reached, or goes away before the login
  5  the server's certificate is not trusted";

fn target(text: &str) -> Result<Target, String> {
    text.parse()
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it could not be done; `ready`: the node takes no clients in
  2  the command line is wrong
  3  the configuration is wrong, or a file that it names
  4  the store cannot be used: it is not there, is locked, or refuses the password
  5  a listener cannot be opened: the port is in use, or not allowed
  130, 143  `serve` was told twice to stop (SIGINT, SIGTERM), and stopped at once
`stentor chat --help` has its own.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_words_of_the_command_line_are_understood() {
        for line in [
            "serve --config f --data d --listen irc://127.0.0.1:0 --listen ircs://[::]:0 --redis redis://h --name n",
            "serve --tls-cert c --tls-key k",
            "chat",
            "chat ircs://[::1]:1/room --user u --password-file f --ca c --data d --plain --register --invite code",
            "chat irc://h --allow-plaintext",
            "account add alice --password-stdin --data d",
            "account --data d list",
            "account passwd alice --password-stdin",
            "account remove alice",
            "account lock alice",
            "account unlock alice",
            "account import --redis redis://h",
            "account import file",
            "account cert alice list",
            "account cert alice add 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
            "account cert alice remove 0011223344556677889900112233445566778899001122334455667788990011 --data d",
            "account grant alice admin",
            "invite --uses 3 --expires 7d",
            "invite --data d",
            "invite --host irc.example.org:443",
            "invite --code-only",
            "invite list --data d",
            "invite list --all",
            "invite revoke CODE",
            "ban add 192.0.2.0/24 --duration 7d --reason spam --force",
            "ban add spam*!*@* --redis redis://h",
            "ban remove mallory",
            "ban list --data d",
            "audit --limit 5 --follow",
            "status --redis redis://h",
            "store backup f --data d",
            "store restore f",
            "ready",
            "ready http://127.0.0.1:8080 --config f",
            "cert make --out d --name a b --name c --key rsa-2048 --days 3650",
            "config default",
            "config check f",
            "man --out d",
            "completions zsh",
        ] {
            let words = ["stentor"].into_iter().chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "run",
            "serve --tls-cert c",
            "serve now",
            "invite --uses 0",
            "invite --expires soon",
            "invite --host ircs://a",
            "invite --host a --code-only",
            "ready ircs://127.0.0.1",
            "ready http://example.org:80",
            "cert make --out d --name a --days 0",
            "ban add 192.0.2.0/99",
            "ban add a --duration soon",
            "audit --limit 5000",
            "cert make --out d",
            "account add",
            "chat http://localhost",
            "chat --fingerprint 12:34",
            "chat --invite code",
            "chat --password secret",
            "account cert alice add 00:11",
            "account cert alice",
            "config",
            "completions",
            "completions csh",
        ] {
            let words = ["stentor"].into_iter().chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
