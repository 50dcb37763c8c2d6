//! What is checked before a server is trusted with anything, at the start and after every outage.

use std::collections::HashMap;

use super::connect::ConnectError;
use super::keys;
use super::link::Link;
use super::resp::Value;
use super::script::{Call, Script};
use super::settings::Address;
use crate::store::StoreError;

/// What an operator wants to know about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// `Redis 7.0.15`.
    pub(super) product: String,
    /// What survives a crash of the server, in the server's words.
    pub(super) durability: String,
    /// What is allowed but should not be so.
    pub(super) warnings: Vec<String>,
}

/// Checks version, role, eviction, rights and format, and looks at persistence.
pub(super) async fn inspect(link: &Link, address: &Address, create: bool) -> Result<Facts, ConnectError> {
    let asker = Asker { link, address };
    let info = asker.ask(Call::plain(&["INFO"])).await?;
    let info = info.text().ok_or_else(|| asker.strange("INFO"))?;
    let info: HashMap<&str, &str> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let product = judge(&info).map_err(|error| asker.place(error))?;
    asker.try_rights().await?;
    asker.check_format(create).await?;
    let (durability, warnings) = asker.durability(&info).await?;
    Ok(Facts { product, durability, warnings })
}

/// What INFO says against this server; otherwise what it is called.
fn judge(info: &HashMap<&str, &str>) -> Result<String, ConnectError> {
    let get = |name: &str| info.get(name).copied().unwrap_or_default();
    let version = get("redis_version");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let product = match get("valkey_version") {
        "" => format!("Redis {version}"),
        valkey => format!("Valkey {valkey}"),
    };
    if major.is_none_or(|major| major < 7) {
        return Err(ConnectError::Refused(format!("it is {product}; 7 or newer is needed")));
    }
    if get("cluster_enabled") == "1" {
        return Err(ConnectError::Refused("it is a cluster's node, which is not supported yet".to_owned()));
    }
    let policy = get("maxmemory_policy");
    if policy != "noeviction" {
        return Err(ConnectError::Refused(format!(
            "its maxmemory-policy is {policy:?}, so it may delete data when memory is short; set noeviction"
        )));
    }
    // These pass: a server is promoted, or has read its file.
    if get("role") == "slave" {
        return Err(ConnectError::Unreachable("it is a replica; the master is needed".to_owned()));
    }
    if get("loading") == "1" {
        return Err(ConnectError::Unreachable("it is still loading its data".to_owned()));
    }
    Ok(product)
}

/// Asks one server, and names it in every error.
struct Asker<'a> {
    link: &'a Link,
    address: &'a Address,
}

impl Asker<'_> {
    async fn ask(&self, call: Call) -> Result<Value, ConnectError> {
        self.link.call(call).await.map_err(|error| self.place(of_store(error)))
    }

    /// Runs all commands of all scripts on keys that nobody uses, one kind of partition after the other.
    async fn try_rights(&self) -> Result<(), ConnectError> {
        for kind in keys::KINDS {
            let probe =
                Call::script(Script::Probe, &keys::probe_keys(kind)).args(&[&keys::probe_channel(kind)]);
            self.ask(probe).await.map_err(|error| match error {
                ConnectError::Refused(why) => ConnectError::Refused(format!("{why} (a right is missing)")),
                other => other,
            })?;
        }
        Ok(())
    }

    /// Writes the format's version into a new store, and refuses one that is newer than this program.
    async fn check_format(&self, create: bool) -> Result<(), ConnectError> {
        if create {
            self.ask(Call::plain(&["SET", keys::FORMAT, &FORMAT_VERSION.to_string(), "NX"])).await?;
        }
        let refused = |why: String| Err(self.place(ConnectError::Refused(why)));
        let found = match self.ask(Call::plain(&["GET", keys::FORMAT])).await? {
            Value::Nil => return refused("it holds no store; `stentor serve` makes one".to_owned()),
            value => value.text().unwrap_or_default(),
        };
        match found.parse::<u32>() {
            Ok(version) if version <= FORMAT_VERSION => Ok(()),
            Ok(version) => refused(format!(
                "its data has format {version}, and this program knows formats up to {FORMAT_VERSION}"
            )),
            Err(_) => refused(format!("its key {} holds {found:?}, which is no version", keys::FORMAT)),
        }
    }

    /// What survives a crash. Only CONFIG knows it in full, and that may be forbidden.
    async fn durability(&self, info: &HashMap<&str, &str>) -> Result<(String, Vec<String>), ConnectError> {
        if info.get("aof_enabled") == Some(&"1") {
            let fsync = self.config("appendfsync").await?;
            let warnings = if fsync.as_deref() == Some("no") {
                vec!["appendfsync is \"no\": a crash of its machine may lose what was acknowledged; set everysec or always"
                    .to_owned()]
            } else {
                Vec::new()
            };
            return Ok((format!("appendonly {}", fsync.as_deref().unwrap_or("on")), warnings));
        }
        let save = self.config("save").await?;
        let (durability, lost) = match save.as_deref() {
            Some("") => ("no persistence", "everything"),
            _ => ("snapshots only", "minutes of what was acknowledged"),
        };
        let warning = format!("appendonly is off: a crash of the store loses {lost}; set appendonly yes");
        Ok((durability.to_owned(), vec![warning]))
    }

    async fn config(&self, name: &str) -> Result<Option<String>, ConnectError> {
        match self.link.call(Call::plain(&["CONFIG", "GET", name])).await {
            Ok(Value::Array(pair)) => Ok(pair.get(1).and_then(Value::text)),
            Ok(_) | Err(StoreError::Refused(_)) => Ok(None),
            Err(error) => Err(self.place(of_store(error))),
        }
    }

    fn strange(&self, what: &str) -> ConnectError {
        self.place(ConnectError::Refused(format!("{what} was answered strangely")))
    }

    fn place(&self, error: ConnectError) -> ConnectError {
        let place = |why: String| {
            if why.starts_with(&self.address.to_string()) { why } else { format!("{}: {why}", self.address) }
        };
        match error {
            ConnectError::Unreachable(why) => ConnectError::Unreachable(place(why)),
            ConnectError::Refused(why) => ConnectError::Refused(place(why)),
        }
    }
}

/// What a command's failure means for the whole store.
pub(super) fn of_store(error: StoreError) -> ConnectError {
    match error {
        StoreError::Refused(why) => ConnectError::Refused(why),
        StoreError::Unavailable(why) | StoreError::Unknown(why) => ConnectError::Unreachable(why),
        StoreError::Gone => ConnectError::Unreachable(error.to_string()),
    }
}

/// The format that this program writes.
const FORMAT_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(changes: &[(&'static str, &'static str)]) -> Result<String, ConnectError> {
        let good = [("redis_version", "7.2.4"), ("maxmemory_policy", "noeviction"), ("role", "master")];
        judge(&good.into_iter().chain(changes.iter().copied()).collect())
    }

    #[test]
    fn an_old_or_evicting_server_is_refused_for_good() {
        assert_eq!(judged(&[]), Ok("Redis 7.2.4".to_owned()));
        assert_eq!(judged(&[("valkey_version", "8.1.0")]), Ok("Valkey 8.1.0".to_owned()));
        for bad in [
            ("redis_version", "6.2.14"),
            ("redis_version", "?"),
            ("maxmemory_policy", "allkeys-lru"),
            ("maxmemory_policy", ""),
            ("cluster_enabled", "1"),
        ] {
            assert!(matches!(judged(&[bad]), Err(ConnectError::Refused(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_replica_may_yet_become_a_master() {
        for passing in [("role", "slave"), ("loading", "1")] {
            assert!(matches!(judged(&[passing]), Err(ConnectError::Unreachable(_))), "{passing:?}");
        }
    }
}
