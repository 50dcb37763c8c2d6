//! How a command fails, and with which exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use stentor_client::failure::Failure as ChatFailure;
use stentor_client::line::clean::clean_lines;
use stentor_client::link::ConnectError;
use stentor_server::config::{ConfigError, Origin};
use stentor_server::listener::ListenError;
use stentor_server::tls::TlsError;

/// Why a command failed. The kind decides the exit code, which `stentor --help` documents, and
/// `stentor chat --help` for the last three.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be done: 1.
    Failed(String),
    /// It was asked for in a wrong way: 2, as clap has it.
    Usage(String),
    /// The configuration is not right: 3.
    Configuration(String),
    /// The store cannot be used: 4.
    Store(String),
    /// A listener cannot be opened: 5.
    Listener(String),
    /// `chat` was not let in: 3.
    LoginRefused(String),
    /// `chat` cannot reach the server: 4.
    Unreachable(String),
    /// `chat` does not trust the server: 5.
    Certificate(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Configuration(_) | Self::LoginRefused(_) => 3,
            Self::Store(_) | Self::Unreachable(_) => 4,
            Self::Listener(_) | Self::Certificate(_) => 5,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text)
            | Self::Usage(text)
            | Self::Configuration(text)
            | Self::Store(text)
            | Self::Listener(text)
            | Self::LoginRefused(text)
            | Self::Unreachable(text)
            | Self::Certificate(text) => f.write_str(text),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let by_flags = error.problems.iter().all(|problem| matches!(problem.origin, Origin::Flag(_)));
        if by_flags { Self::Usage(error.to_string()) } else { Self::Configuration(error.to_string()) }
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Name(_) => Self::Usage(error.to_string()),
            TlsError::Write(..) | TlsError::Exists(_) | TlsError::Unavailable(_) => {
                Self::Failed(error.to_string())
            }
            TlsError::Read(..)
            | TlsError::Content(..)
            | TlsError::Mismatch { .. }
            | TlsError::HalfAuthority { .. } => Self::Configuration(error.to_string()),
        }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        Self::Listener(error.to_string())
    }
}

impl From<ChatFailure> for Failure {
    fn from(failure: ChatFailure) -> Self {
        // It may quote the server, which must not steer the terminal.
        let text = clean_lines(&failure.to_string());
        match failure {
            ChatFailure::Failed(_) => Self::Failed(text),
            ChatFailure::LoginRefused(_) => Self::LoginRefused(text),
            ChatFailure::Connect(ConnectError::Unreachable(_)) => Self::Unreachable(text),
            ChatFailure::Connect(ConnectError::Certificate(_) | ConnectError::Trust(_)) => {
                Self::Certificate(text)
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        let said = "banned:\x1b]0;mine\x07 \u{9b}2J\nsecond\r line".to_owned();
        let failures = [
            ChatFailure::Failed(said.clone()),
            ChatFailure::LoginRefused(said.clone()),
            ChatFailure::Connect(ConnectError::Unreachable(said)),
        ];
        for failure in failures {
            let text = Failure::from(failure).to_string();
            assert!(!text.chars().any(|one| one.is_control() && one != '\n'), "{text:?}");
            assert!(text.contains("banned:") && text.contains("\nsecond"), "{text:?}");
        }
    }
}
