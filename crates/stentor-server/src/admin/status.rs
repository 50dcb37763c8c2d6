//! The state of the network: nodes, versions, leases, users and warnings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::store::{Lease, Leases, Store, StoreError};

/// The state of the network.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The store's kind, version, durability and address.
    pub store: String,
    /// The nodes that have not given up their leases, by name.
    pub nodes: Vec<NodeStatus>,
    /// What an operator should look at, as sentences.
    pub warnings: Vec<String>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// For how many more milliseconds its lease runs; 0 where it is over.
    pub lease: u64,
    /// What it tells about itself.
    pub info: NodeInfo,
}

/// What a node tells the others with its lease, as a JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeInfo {
    /// The program's version.
    pub version: String,
    /// How many users it serves.
    pub users: u64,
    /// How many of them are operators.
    pub operators: u64,
    /// How many users are not found by those who share no channel with them.
    pub invisible: u64,
    /// How many channels it counts; what all nodes count is what there are.
    pub channels: u64,
    /// The settings that should be the same on all nodes.
    pub settings: BTreeMap<String, String>,
}

/// Where `status` gets its facts.
#[async_trait]
pub trait StatusSource: Send + Sync + fmt::Debug + 'static {
    /// The state of the network now.
    ///
    /// # Errors
    /// What the store says.
    async fn status(&self) -> Result<Status, StoreError>;
}

/// The facts that the store holds: what a program knows that is no node.
#[derive(Clone, Debug)]
pub struct StoreStatus(
    /// The store.
    pub Arc<dyn Store>,
);

#[async_trait]
impl StatusSource for StoreStatus {
    async fn status(&self) -> Result<Status, StoreError> {
        Ok(Status::of(self.0.describe(), &self.0.leases().await?))
    }
}

impl NodeInfo {
    /// The text for the lease.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be written as JSON")
    }

    /// Reads the text of a lease. What another version wrote is read as far as it is understood.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl Status {
    /// What the leases of a store tell.
    #[must_use]
    pub fn of(store: String, leases: &Leases) -> Self {
        let mut nodes: Vec<NodeStatus> = leases.leases.iter().map(|lease| node(lease, leases)).collect();
        nodes.sort_unstable_by(|a, b| (&a.name, b.lease).cmp(&(&b.name, a.lease)));
        let warnings = warnings(&nodes);
        Self { store, nodes, warnings }
    }

    /// How many users all live nodes serve.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.nodes.iter().filter(|node| node.lease > 0).map(|node| node.info.users).sum()
    }
}

fn node(lease: &Lease, all: &Leases) -> NodeStatus {
    NodeStatus {
        name: lease.writer.node().to_owned(),
        lease: lease.expires.0.saturating_sub(all.now.0),
        info: NodeInfo::from_text(&lease.info),
    }
}

fn warnings(nodes: &[NodeStatus]) -> Vec<String> {
    let mut warnings = Vec::new();
    for dead in nodes.iter().filter(|node| node.lease == 0) {
        warnings.push(format!("the lease of {} is over, and its users are not cleared away yet", dead.name));
    }
    let live: Vec<&NodeStatus> = nodes.iter().filter(|node| node.lease > 0).collect();
    let versions: BTreeSet<&str> = live.iter().map(|node| node.info.version.as_str()).collect();
    if versions.len() > 1 {
        warnings.push(format!("the nodes run different versions: {}", join(versions)));
    }
    let keys: BTreeSet<&str> =
        live.iter().flat_map(|node| node.info.settings.keys().map(String::as_str)).collect();
    for key in keys {
        let values: BTreeSet<&str> =
            live.iter().filter_map(|node| node.info.settings.get(key).map(String::as_str)).collect();
        if values.len() > 1 {
            warnings.push(format!("the nodes differ in {key}: {}", join(values)));
        }
    }
    warnings
}

fn join(texts: BTreeSet<&str>) -> String {
    let texts: Vec<&str> =
        texts.into_iter().map(|text| if text.is_empty() { "(unknown)" } else { text }).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreTime, Writer};

    fn lease(name: &str, expires: u64, info: &NodeInfo) -> Lease {
        Lease { writer: Writer::new(name, 7), expires: StoreTime(expires), info: info.to_text() }
    }

    fn info(version: &str, users: u64, cost: &str) -> NodeInfo {
        let settings = BTreeMap::from([("accounts.bcrypt_cost".to_owned(), cost.to_owned())]);
        NodeInfo { version: version.into(), users, settings, ..NodeInfo::default() }
    }

    #[test]
    fn status_tells_of_nodes_that_are_gone_or_differ() {
        let leases = Leases {
            now: StoreTime(1000),
            up_since: StoreTime(0),
            leases: vec![
                lease("b", 5000, &info("0.2.0", 3, "12")),
                lease("a", 4000, &info("0.1.0", 4, "10")),
                lease("c", 900, &info("0.1.0", 50, "12")),
            ],
        };
        let status = Status::of("here".into(), &leases);
        let nodes: Vec<(&str, u64)> =
            status.nodes.iter().map(|node| (node.name.as_str(), node.lease)).collect();
        assert_eq!(nodes, [("a", 3000), ("b", 4000), ("c", 0)]);
        assert_eq!(status.users(), 7);
        assert_eq!(
            status.warnings,
            [
                "the lease of c is over, and its users are not cleared away yet",
                "the nodes run different versions: 0.1.0, 0.2.0",
                "the nodes differ in accounts.bcrypt_cost: 10, 12",
            ]
        );
    }

    #[test]
    fn a_lease_of_another_version_is_read_as_far_as_it_is_understood() {
        let info = NodeInfo::from_text(r#"{"version":"9.0.0","later":[1],"users":2}"#);
        assert_eq!((info.version.as_str(), info.users), ("9.0.0", 2));
        assert_eq!(NodeInfo::from_text("nothing of ours"), NodeInfo::default());
    }
}
