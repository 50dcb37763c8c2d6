//! Accounts and invitations of a fleet: two nodes on one real Redis.

use std::sync::Arc;
use std::time::Duration;

use stentor_server::account::bootstrap::{Bootstrap, PasswordTo, bootstrap};
use stentor_server::account::login::LoginError;
use stentor_server::account::{AccountError, Password};
use stentor_server::invite::InviteError;
use stentor_server::store::Store;
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::redis::RedisServer;
use tokio::task::JoinSet;

use crate::kit::{accounts, invites};

async fn nodes(server: &RedisServer) -> [Arc<dyn Store>; 2] {
    let connect = || RedisStore::connect(RedisSettings::new(&server.url()));
    [connect().await.expect("Redis answers"), connect().await.expect("Redis answers")]
}

#[tokio::test]
async fn what_one_node_does_to_an_account_the_other_sees() {
    let server = RedisServer::start();
    let [here, there] = nodes(&server).await;
    let password = Password::new("right").unwrap();
    let (one, other) = (accounts(&here), accounts(&there));
    one.add("Alice", &password).await.unwrap();
    let before = other.verify("alice", "right").await.unwrap();
    assert_eq!(other.add("ALICE", &password).await, Err(AccountError::Exists("Alice".into())));
    other.grant("alice", "helper").await.unwrap();
    one.passwd("alice", &Password::new("new").unwrap()).await.unwrap();
    let after = other.verify("alice", "new").await.unwrap();
    assert!(after.has_role("helper") && after.revision != before.revision);
    assert_eq!(other.list().await, one.list().await);
    one.remove("alice").await.unwrap();
    assert_eq!(other.verify("alice", "new").await, Err(LoginError::Wrong));
    assert_eq!(other.add("alice", &password).await, Err(AccountError::Reserved("alice".into())));
    here.close().await;
    there.close().await;
}

#[tokio::test]
async fn racing_nodes_make_one_account_one_admin_and_spend_an_invitation_once() {
    let server = RedisServer::start();
    let stores = nodes(&server).await;
    let (code, _) = invites(&stores[0]).create(2, Some(Duration::from_secs(60)), "operator").await.unwrap();
    let mut racers = JoinSet::new();
    for i in 0..10 {
        let (accounts, invites) = (accounts(&stores[i % 2]), invites(&stores[i % 2]));
        let code = code.clone();
        racers.spawn(async move {
            let made = accounts.add("alice", &Password::new("right").expect("it is a password")).await;
            let admin = bootstrap(&accounts, PasswordTo::Terminal).await.expect("Redis answers");
            (made, admin, invites.spend(code.reveal()).await.map(drop))
        });
    }
    let results = racers.join_all().await;
    let made = results.iter().filter(|(made, ..)| made.is_ok()).count();
    let admins = results.iter().filter(|(_, admin, _)| *admin != Bootstrap::Settled).count();
    let spent = results.iter().filter(|(.., spent)| spent.is_ok()).count();
    assert_eq!((made, admins, spent), (1, 1, 2), "{results:?}");
    assert!(results.iter().all(|(.., spent)| matches!(spent, Ok(()) | Err(InviteError::Unknown))));
    for store in stores {
        store.close().await;
    }
}
