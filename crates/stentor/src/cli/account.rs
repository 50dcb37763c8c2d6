//! `stentor account`, as it is read.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stentor_server::account::Fingerprint as CertificateFingerprint;
use stentor_server::account::certificate::NoFingerprint;

use super::Common;

/// Manage accounts.
///
/// A node may run meanwhile; what you change takes effect at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  stentor account add alice
  stentor account add bot --password-stdin < password-file
  stentor account passwd admin
  stentor account import < htpasswd-file
  stentor account cert alice list
  stentor account grant alice admin")]
pub(crate) struct AccountArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: AccountCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account; asks for the password
    Add {
        /// The account's name, which is also its nick
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// List accounts, with their roles, and whether they are locked
    List,
    /// Change a password, and end the account's sessions; recovers `admin`, too
    Passwd {
        /// The account's name
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Remove an account, and end its sessions; its name stays reserved
    Remove {
        /// The account's name
        name: String,
    },
    /// Keep an account out, and end its sessions
    Lock {
        /// The account's name
        name: String,
    },
    /// Let a locked account in again
    Unlock {
        /// The account's name
        name: String,
    },
    /// Make accounts from lines of `name:hash`, as `htpasswd -B` writes them
    Import {
        /// The file with the lines; `-`: standard input, which is the default
        file: Option<PathBuf>,
    },
    /// Add, remove or list the client certificates that log in to an account
    Cert {
        /// The account's name
        name: String,
        #[command(subcommand)]
        command: AccountCertCommand,
    },
    /// Grant a role, such as `admin`
    Grant {
        /// The account's name
        name: String,
        /// A role of the configuration, or `admin`
        role: String,
        /// Take the role back instead
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCertCommand {
    /// Let a certificate log in
    Add {
        /// Its SHA-256 fingerprint, as `openssl x509 -noout -fingerprint -sha256` shows it
        #[arg(value_parser = certificate_fingerprint)]
        fingerprint: CertificateFingerprint,
    },
    /// Let a certificate log in no more, and end the account's sessions
    Remove {
        /// Its SHA-256 fingerprint
        #[arg(value_parser = certificate_fingerprint)]
        fingerprint: CertificateFingerprint,
    },
    /// List the certificates' fingerprints
    List,
}

/// Where a password comes from. Never from the command line, which others can see.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PasswordFrom {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

fn certificate_fingerprint(text: &str) -> Result<CertificateFingerprint, String> {
    text.parse().map_err(|error: NoFingerprint| error.to_string())
}
