//! Sweeps: what a dead node held is given up, however much it was.

use std::time::Duration;

use stentor_server::commit_identity::{Committer, Draft, begin_or_within};
use stentor_server::hub::Member;
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_server::store::{Change, Life, Partition, Store, Writer};

use super::Pair;

/// Long enough for nodes that are busy: only the lease of one that is not there runs out.
const LEASES: &[(&str, &str)] = &[("fleet.lease", "'3s'"), ("fleet.margin", "'500ms'")];

/// A commit has room for fewer guards than a large room has members.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_thousands_is_swept_whole() {
    let mut pair = Pair::start(LEASES).await;
    let mut ann = pair.one.client("ann").await;
    ann.ask("JOIN #room").await;
    let dead = Writer::new("dead.example", 1);
    let store = RedisStore::connect(RedisSettings::new(&pair.redis().url())).await.expect("Redis is there");
    let committer = Committer::standalone(store.clone());
    let index = Partition::index(&dead);
    let (life, _) = begin_or_within(None);
    write(&committer, Draft::new(index.clone(), life)).await;
    for part in 0..MEMBERS / AT_ONCE {
        let ids = part * AT_ONCE..(part + 1) * AT_ONCE;
        let named = ids.clone().flat_map(|id| {
            let room = Change::SetMember(format!("ghost{id}/#room"), String::new());
            [room, Change::SetMember(format!("ghost{id}"), format!("ghost{id} *"))]
        });
        set(&committer, &index, named.collect()).await;
        let members = ids.map(|id| Change::SetMember(format!("ghost{id}"), ghost(id, &dead).to_value()));
        set(&committer, &Partition::channel("#room"), members.collect()).await;
    }
    // From here on the lease of a node that is not there runs out.
    store.hold_lease(&dead, Duration::from_millis(500), "{}").await.expect("it is taken");
    let mut quits = std::collections::BTreeSet::new();
    while quits.len() < MEMBERS {
        let quit = ann.expect_numeric("QUIT").await;
        assert!(quits.insert(quit.source.clone()), "{} quit twice", quit.source);
    }
    let names = ann.ask("NAMES #room").await;
    assert_eq!(names[0].text(), "@ann");
}

/// A node may die while one of its sessions changes from an account to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_held_two_accounts_gives_up_both() {
    let mut pair = Pair::start(LEASES).await;
    for name in ["ann", "bob"] {
        pair.one.account(name, "secret").await;
    }
    let dead = Writer::new("dead.example", 1);
    let store = RedisStore::connect(RedisSettings::new(&pair.redis().url())).await.expect("Redis is there");
    let committer = Committer::standalone(store.clone());
    let index = Partition::index(&dead);
    write(&committer, Draft::new(index.clone(), begin_or_within(None).0)).await;
    set(&committer, &index, vec![Change::SetMember("ghost".to_owned(), "* bob,ann".to_owned())]).await;
    let accounts = ["ann", "bob"].map(Partition::account);
    for account in &accounts {
        let claim = Change::Set("session".to_owned(), format!("ghost {dead}"));
        set(&committer, account, vec![claim]).await;
    }
    store.hold_lease(&dead, Duration::from_millis(500), "{}").await.expect("it is taken");
    loop {
        let peeks = store.peek(&accounts, &["session"]).await.expect("Redis is there");
        if peeks.iter().all(|peek| peek.fields == [None]) {
            break;
        }
        tokio::task::yield_now().await;
    }
}

fn ghost(id: usize, writer: &Writer) -> Member {
    let (user, host) = ("ghost".to_owned(), "nowhere".to_owned());
    Member { writer: writer.to_string(), nick: format!("ghost{id}"), user, host, ..Member::default() }
}

async fn set(committer: &Committer, partition: &Partition, changes: Vec<Change>) {
    let epoch = committer.epoch_of(partition).await.expect("Redis is there").expect("it exists");
    write(committer, Draft { changes, ..Draft::new(partition.clone(), Life::Within(epoch)) }).await;
}

async fn write(committer: &Committer, draft: Draft) {
    assert!(committer.attempt(draft).await.expect("Redis is there"), "somebody came in between");
}

const MEMBERS: usize = 2000;
/// How many members one commit sets.
const AT_ONCE: usize = 200;
