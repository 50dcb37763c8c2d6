//! Why a command was not done, and whose fault that is.

use stentor_proto::numeric::Numeric;

use crate::commit_identity::WriteError;
use crate::hub::Refusal;
use crate::reply::Reply;
use crate::store::StoreError;

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The client's: a numeric with its parameters and text.
    Numeric(Numeric, Vec<String>, String),
    /// The client's, where the specification has a standard reply for it.
    Fail {
        /// The command.
        command: &'static str,
        /// The machine-readable code.
        code: &'static str,
        /// What it is about.
        context: Vec<String>,
        /// For people.
        text: String,
    },
    /// Nothing to do and nothing to say.
    Silent,
    /// The store's. The client may try again.
    Store(StoreError),
    /// Others changed the same thing again and again; nothing was stored.
    Contended,
    /// This node has lost its lease: the session is over.
    Fenced,
    /// The connection is to end, with these words.
    Close(String),
}

impl Error {
    /// A numeric about these parameters.
    #[must_use]
    pub fn numeric(numeric: Numeric, params: &[&str], text: &str) -> Self {
        Self::Numeric(numeric, params.iter().map(|param| (*param).to_owned()).collect(), text.to_owned())
    }

    /// A standard reply.
    #[must_use]
    pub fn fail(command: &'static str, code: &'static str, context: &[&str], text: &str) -> Self {
        let context = context.iter().map(|param| (*param).to_owned()).collect();
        Self::Fail { command, code, context, text: text.to_owned() }
    }

    /// Whether it may have been done all the same.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unknown(_)))
    }

    /// Tells the client. The caller ends the connection where the error asks for that.
    pub fn send(&self, command: &str, reply: &mut Reply) {
        self.send_about(command, &[], reply);
    }

    /// The same, with the command's parameters: some specifications have a code of their own for what is the server's fault,
    /// and tell what it is about.
    pub fn send_about(&self, command: &str, params: &[&str], reply: &mut Reply) {
        match self {
            Self::Numeric(numeric, params, text) => {
                let params: Vec<&str> = params.iter().map(String::as_str).collect();
                reply.numeric(*numeric, &params, text);
            }
            Self::Fail { command, code, context, text } => {
                let context: Vec<&str> = context.iter().map(String::as_str).collect();
                reply.standard("FAIL", command, code, &context, text);
            }
            other => {
                let Some((code, text)) = other.fault(command) else { return };
                let (code, about) = own_code(command).unwrap_or((code, 0));
                reply.standard("FAIL", command, code, params.get(..about).unwrap_or(params), text);
            }
        }
    }

    /// The code and the sentence of what is the server's fault.
    fn fault(&self, command: &str) -> Option<(&'static str, &'static str)> {
        let fault = match self {
            Self::Store(StoreError::Unknown(_)) => (
                "OUTCOME_UNKNOWN",
                "The store did not answer in time: this may or may not have been done. Look before you try again.",
            ),
            Self::Store(StoreError::Unavailable(_)) => (
                "TEMPORARILY_UNAVAILABLE",
                "The store cannot be reached, and nothing was stored. Please try again in a moment.",
            ),
            Self::Contended => (
                "TEMPORARILY_UNAVAILABLE",
                "Too many others changed the same thing just now, and nothing was stored. Please try again.",
            ),
            Self::Fenced => (
                "TEMPORARILY_UNAVAILABLE",
                "The store was away, and nothing was stored. Please try again in a moment.",
            ),
            Self::Store(error) => {
                tracing::error!(%error, command, "the store refused a command");
                ("INTERNAL_ERROR", "That failed, and nothing was stored.")
            }
            Self::Numeric(..) | Self::Fail { .. } | Self::Silent | Self::Close(_) => return None,
        };
        Some(fault)
    }
}

/// What a command's specification calls a failure that is the server's, whatever became of it, and how many of the command's
/// parameters tell what it is about.
fn own_code(command: &str) -> Option<(&'static str, usize)> {
    match command {
        "CHATHISTORY" => Some(("MESSAGE_ERROR", 2)),
        "MARKREAD" => Some(("INTERNAL_ERROR", 1)),
        "SETNAME" => Some(("CANNOT_CHANGE_REALNAME", 0)),
        _ => None,
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => Self::Store(error),
            WriteError::Fenced => Self::Fenced,
            WriteError::Contended => Self::Contended,
        }
    }
}

impl From<Refusal<Self>> for Error {
    fn from(refusal: Refusal<Self>) -> Self {
        match refusal {
            Refusal::Rule(error) => error,
            Refusal::Store(error) => Self::Store(error),
            Refusal::Contended => Self::Contended,
            Refusal::Fenced => Self::Fenced,
        }
    }
}
