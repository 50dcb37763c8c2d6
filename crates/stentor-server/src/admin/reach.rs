//! How clients reach a node: what an invitation tells.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::config::{Config, Listen};
use crate::tls::{Certificates, Served};

/// How clients reach a node.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// Where it listens, such as `ircs://[::]:6697`; a running node tells the ports that the system chose.
    pub listening: Vec<String>,
    /// The names that its certificate is for; none where that is not known, or there is none.
    pub names: Vec<String>,
    /// The certificate's SHA-256, 64 hexadecimal digits in small letters, where clients do not know its authority by
    /// themselves.
    pub fingerprint: Option<String>,
    /// Whether clients know the certificate's authority by themselves.
    pub is_public: bool,
    /// The store that the node shares, as [`store_name`] has it; none for one of its own.
    pub store: Option<String>,
}

/// Where a running node gets the facts.
#[derive(Clone, Debug)]
pub struct ReachSource {
    /// Its listeners, with the ports that the system chose.
    pub listening: Vec<Listen>,
    /// Its certificates; none where nothing speaks TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// As [`Reach::store`].
    pub store: Option<String>,
}

impl ReachSource {
    /// The facts as they are now.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let served = self.certificates.as_ref().map(|certificates| certificates.current());
        Reach::of(&self.listening, served.as_deref(), self.store.clone())
    }
}

impl Reach {
    /// What settings and a data directory tell where no node answers. `data` is `None` where the directory is not known to
    /// be that of such a node. Reads files.
    #[must_use]
    pub fn configured(config: &Config, data: Option<&Path>, now: OffsetDateTime) -> Self {
        let served = match (data, &config.tls.files) {
            (None, None) => None,
            (data, _) => Certificates::look(&config.tls, data.unwrap_or(&config.data.dir), now),
        };
        let mut reach = Self::of(&config.listen, served.as_ref(), store_name(config));
        if served.is_none() && (config.tls.names_given || config.redis.is_none()) {
            reach.names.clone_from(&config.tls.names);
        }
        reach
    }

    fn of(listening: &[Listen], served: Option<&Served>, store: Option<String>) -> Self {
        let own = served.filter(|served| served.authority.is_some());
        Self {
            listening: listening.iter().map(ToString::to_string).collect(),
            names: served.map(|served| served.names.clone()).unwrap_or_default(),
            fingerprint: own.map(Served::fingerprint),
            is_public: served.is_some() && own.is_none(),
            store,
        }
    }
}

/// The store that a fleet shares, without its login; none for one of the node's own.
#[must_use]
pub fn store_name(config: &Config) -> Option<String> {
    config.redis.as_ref().map(|redis| redis.url.to_string())
}
