//! What the tests of accounts, invitations and the admin socket share.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use stentor_server::account::{Accounts, COST_MIN, Hasher, Rules};
use stentor_server::commit_identity::Committer;
use stentor_server::invite::Invites;
use stentor_server::store::Store;
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};

/// A new embedded store in a directory of its own, which goes away with the first value.
pub(crate) fn store() -> (tempfile::TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    (directory, store)
}

/// The store in `directory`.
pub(crate) fn open(directory: &Path) -> Arc<dyn Store> {
    EmbeddedStore::open(directory, OpenMode::Create, Durability::Normal).expect("the store opens")
}

/// Accounts with the cheapest hashes and the role `helper`, written by a node of their own.
pub(crate) fn accounts(store: &Arc<dyn Store>) -> Arc<Accounts> {
    accounts_of_cost(store, COST_MIN)
}

/// The same with hashes of this cost.
pub(crate) fn accounts_of_cost(store: &Arc<dyn Store>, cost: u32) -> Arc<Accounts> {
    let hasher = Hasher::new(cost, NonZeroUsize::MIN, 1000);
    Arc::new(Accounts::new(Committer::standalone(Arc::clone(store)), Arc::new(hasher), rules()))
}

/// What [`accounts`] allows.
pub(crate) fn rules() -> Rules {
    Rules { name_max: 16, roles: BTreeSet::from(["helper".to_owned()]), accounts_max: None }
}

/// Invitations, written by a node of their own.
pub(crate) fn invites(store: &Arc<dyn Store>) -> Arc<Invites> {
    Arc::new(Invites::new(Committer::standalone(Arc::clone(store))))
}
