//! Accounts in a real embedded store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stentor_server::account::login::LoginError;
use stentor_server::account::{
    AccountError, Accounts, COST_MIN, Fingerprint, Listed, Password, PasswordError, PasswordHash, Rules,
};
use stentor_server::store::{Partition, Peek, Range, Store, StoreError};
use tokio::task::JoinSet;

use crate::kit::{accounts, accounts_of_cost, rules, store};

fn password(text: &str) -> Password {
    Password::new(text).expect("it is a password")
}

async fn peek(store: &Arc<dyn Store>, folded: &str, fields: &[&str]) -> Peek {
    store.peek_one(&Partition::account(folded), fields).await.expect("the store answers")
}

fn names(listed: &[Listed]) -> Vec<String> {
    listed
        .iter()
        .map(|listed| match listed {
            Listed::Present(account) => account.name.clone(),
            Listed::Removed { folded, .. } => format!("({folded})"),
        })
        .collect()
}

#[tokio::test]
async fn an_account_is_logged_in_to_with_its_password_alone() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let made = accounts.add("Alice", &password("right")).await.unwrap();
    assert_eq!((made.name.as_str(), made.folded.as_str()), ("Alice", "alice"));

    assert_eq!(accounts.verify("aLICE", "right").await, Ok(made.clone()));
    assert_eq!(accounts.find("ALICE").await, Ok(Some(made)));
    for (name, text) in [
        ("Alice", "wrong"),
        ("Alice", ""),
        ("Alice", "right\0"),
        ("bob", "right"),
        ("", "right"),
        ("no nick!", "right"),
    ] {
        assert_eq!(accounts.verify(name, text).await, Err(LoginError::Wrong), "{name} {text:?}");
    }
    assert_eq!(accounts.verify("Alice", &"x".repeat(100)).await, Err(LoginError::Wrong));
}

#[tokio::test]
async fn the_hash_is_in_no_entry_and_no_snapshot() {
    let (_directory, store) = store();
    accounts(&store).add("alice", &password("secret")).await.unwrap();
    let partition = Partition::account("alice");
    let snapshot = store.snapshot(&partition).await.unwrap().unwrap();
    let page = store.read(&partition, snapshot.epoch, Range::Latest, 10).await.unwrap();
    let seen = format!("{snapshot:?} {page:?}");
    assert!(!seen.contains("$2b$") && !seen.contains("secret"), "{seen}");
    let hash = peek(&store, "alice", &["~hash"]).await.fields.remove(0).unwrap();
    assert_eq!(PasswordHash::parse(&hash).map(|hash| hash.cost()), Ok(COST_MIN));
}

#[tokio::test]
async fn bad_names_and_passwords_are_refused_with_a_reason() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    for (name, why) in
        [("", "empty"), ("9lives", "begin"), ("a b", "contain"), ("a234567890123456x", "at most 16 bytes")]
    {
        let error = accounts.add(name, &password("x")).await.unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
    assert_eq!(Password::new(""), Err(PasswordError::Empty));
    assert_eq!(accounts.list().await, Ok(Vec::new()));
}

#[tokio::test]
async fn of_racing_additions_one_makes_the_account() {
    let (_directory, store) = store();
    let mut racers = JoinSet::new();
    for i in 0..20 {
        let accounts = accounts(&store);
        racers.spawn(async move { accounts.add("alice", &password(&format!("pw{i}"))).await.map(|_| i) });
    }
    let results = racers.join_all().await;
    let winners: Vec<i32> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    let [winner] = winners[..] else { panic!("{results:?}") };
    assert!(results.iter().flat_map(Result::as_ref).count() == 1);
    assert!(
        results
            .into_iter()
            .filter_map(Result::err)
            .all(|error| error == AccountError::Exists("alice".into()))
    );
    assert!(accounts(&store).verify("alice", &format!("pw{winner}")).await.is_ok());
    assert_eq!(names(&accounts(&store).list().await.unwrap()), ["alice"]);
}

#[tokio::test]
async fn a_new_password_ends_what_guards_on_the_revision() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let before = accounts.add("alice", &password("old")).await.unwrap();
    accounts.passwd("Alice", &password("new")).await.unwrap();
    assert_eq!(accounts.verify("alice", "old").await, Err(LoginError::Wrong));
    let after = accounts.verify("alice", "new").await.unwrap();
    assert_ne!(before.revision, after.revision);
    assert_eq!((before.epoch, before.name), (after.epoch, after.name));
    let unknown = accounts.passwd("bob", &password("new")).await;
    assert_eq!(unknown, Err(AccountError::Unknown("bob".into())));
}

#[tokio::test]
async fn a_locked_account_says_so_to_its_owner_alone() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let before = accounts.add("alice", &password("right")).await.unwrap();
    assert_eq!(accounts.lock("alice").await, Ok(true));
    let locked = accounts.find("alice").await.unwrap().unwrap();
    assert_ne!(before.revision, locked.revision);
    assert!(locked.locked.is_some());
    assert_eq!(accounts.lock("alice").await, Ok(false));
    assert_eq!(accounts.find("alice").await, Ok(Some(locked)));

    assert_eq!(accounts.verify("alice", "wrong").await, Err(LoginError::Wrong));
    assert_eq!(accounts.verify("alice", "right").await, Err(LoginError::Locked));
    assert_eq!(accounts.unlock("alice").await, Ok(true));
    assert_eq!(accounts.unlock("alice").await, Ok(false));
    assert!(accounts.verify("alice", "right").await.is_ok());
}

#[tokio::test]
async fn a_removed_account_leaves_its_reserved_name_and_nothing_else() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let account = accounts.add("Alice", &password("right")).await.unwrap();
    accounts.grant("alice", "helper").await.unwrap();
    accounts.remove("alice").await.unwrap();

    let partition = Partition::account("alice");
    let gone = store.read(&partition, account.epoch, Range::Latest, 10).await;
    assert_eq!(gone, Err(StoreError::Gone));
    let left = store.snapshot(&partition).await.unwrap().unwrap();
    let fields: Vec<&str> = left.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["removed"]);
    assert_eq!(peek(&store, "alice", &["~hash"]).await.fields, [None]);

    assert_eq!(accounts.verify("alice", "right").await, Err(LoginError::Wrong));
    assert_eq!(accounts.find("alice").await, Ok(None));
    assert_eq!(accounts.remove("alice").await, Err(AccountError::Unknown("alice".into())));
    let again = accounts.add("ALICE", &password("right")).await;
    assert_eq!(again, Err(AccountError::Reserved("ALICE".into())));
    assert_eq!(names(&accounts.list().await.unwrap()), ["(alice)"]);
}

#[tokio::test]
async fn the_certificates_of_a_removed_account_are_named_nowhere() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    accounts.add("alice", &password("right")).await.unwrap();
    let fingerprints = [Fingerprint::of(b"one"), Fingerprint::of(b"two")];
    let named = async || {
        let mut named = 0;
        for field in fingerprints.iter().map(|fingerprint| format!("k/{fingerprint}")) {
            let entry = store.peek_one(&Partition::directory_of(&field), &[&field]).await.unwrap();
            named += entry.fields.iter().flatten().count();
        }
        named
    };
    for fingerprint in &fingerprints {
        assert_eq!(accounts.add_certificate("alice", fingerprint).await, Ok(true));
    }
    assert_eq!(named().await, 2);
    accounts.remove("alice").await.unwrap();
    assert_eq!(named().await, 0);
}

#[tokio::test]
async fn roles_are_granted_and_taken_and_none_is_lost_in_a_race() {
    let (_directory, store) = store();
    let known: BTreeSet<String> = (0..8).map(|i| format!("role{i}")).collect();
    let accounts = accounts(&store);
    accounts.set_rules(Rules { roles: known.clone(), ..rules() });
    let before = accounts.add("alice", &password("right")).await.unwrap();
    let mut racers = JoinSet::new();
    for role in known.clone() {
        let accounts = Arc::clone(&accounts);
        racers.spawn(async move { accounts.grant("alice", &role).await });
    }
    assert!(racers.join_all().await.iter().all(Result::is_ok));
    let account = accounts.find("alice").await.unwrap().unwrap();
    assert_eq!(BTreeSet::from_iter(account.roles.clone()), known);
    assert_eq!(account.revision, before.revision, "sessions go on");

    accounts.grant("alice", "admin").await.unwrap();
    for role in known {
        accounts.revoke("alice", &role).await.unwrap();
    }
    accounts.revoke("alice", "never-there").await.unwrap();
    let account = accounts.find("alice").await.unwrap().unwrap();
    assert!(account.has_role("admin") && account.roles.len() == 1);
    accounts.revoke("alice", "admin").await.unwrap();
    assert!(accounts.find("alice").await.unwrap().unwrap().roles.is_empty());

    let error = accounts.grant("alice", "boss").await.unwrap_err().to_string();
    assert!(error.contains("no role boss") && error.contains("admin, role0"), "{error}");
}

#[tokio::test]
async fn all_accounts_are_listed_and_limited() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    accounts.set_rules(Rules { accounts_max: Some(100), ..rules() });
    for i in 0..100 {
        accounts.add(&format!("User{i:02}"), &password("x")).await.unwrap();
    }
    let listed = names(&accounts.list().await.unwrap());
    let expected: Vec<String> = (0..100).map(|i| format!("User{i:02}")).collect();
    assert_eq!(listed, expected);
    assert_eq!(accounts.add("late", &password("x")).await, Err(AccountError::Full(100)));
    assert_eq!(accounts.count().await, Ok(100));
}

fn hash(text: &str) -> String {
    bcrypt::hash(text, COST_MIN).expect("the cost is legal")
}

#[tokio::test]
async fn what_htpasswd_wrote_is_imported() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let text = format!(
        "# from the old server\n\nAlice:{}\r\nbob:{}\n",
        hash("alices").replacen("$2b$", "$2y$", 1),
        hash("bobs").replacen("$2b$", "$2a$", 1)
    );
    let report = accounts.import(&text).await.unwrap();
    assert_eq!((report.added, report.failed), (vec!["Alice".to_owned(), "bob".to_owned()], vec![]));
    assert!(accounts.verify("alice", "alices").await.is_ok());
    assert!(accounts.verify("bob", "bobs").await.is_ok());
    assert_eq!(accounts.verify("bob", "alices").await, Err(LoginError::Wrong));

    let again = accounts.import(&text).await.unwrap();
    assert_eq!((again.added.len(), again.unchanged.len(), again.failed.len()), (0, 2, 0));
}

#[tokio::test]
async fn one_bad_line_stops_an_import_before_it_begins() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    accounts.add("taken", &password("x")).await.unwrap();
    accounts.add("gone", &password("x")).await.unwrap();
    accounts.remove("gone").await.unwrap();
    let good = hash("x");
    let text = format!(
        "fine:{good}\nnothing\n4bad:{good}\nmd5:$apr1$abcdefgh$0123456789012345678901\nTaken:{good}\nFINE:{good}\n\
         dear:{}\ngone:{good}\n",
        good.replacen("$04$", "$20$", 1)
    );
    let report = accounts.import(&text).await.unwrap();
    assert_eq!(report.added, Vec::<String>::new());
    let bad: Vec<(usize, &str)> = report.failed.iter().map(|line| (line.number, line.why.as_str())).collect();
    let expected = [
        (2, "name:hash"),
        (3, "begin"),
        (4, "not bcrypt"),
        (5, "exists already"),
        (6, "in line 1 already"),
        (7, "cost 20"),
        (8, "reserved"),
    ];
    assert_eq!(bad.len(), expected.len(), "{bad:?}");
    for ((number, why), (expected_number, part)) in bad.into_iter().zip(expected) {
        assert!(number == expected_number && why.contains(part), "line {number}: {why}");
    }
    assert_eq!(names(&accounts.list().await.unwrap()), ["(gone)", "taken"]);
}

#[tokio::test]
async fn a_login_renews_a_hash_of_a_lower_cost() {
    let (_directory, store) = store();
    let accounts = accounts_of_cost(&store, COST_MIN);
    let before = accounts.add("alice", &password("right")).await.unwrap();
    accounts.hasher().set_cost(COST_MIN + 1);
    assert_eq!(accounts.verify("alice", "wrong").await, Err(LoginError::Wrong));
    assert_eq!(accounts.verify("alice", "right").await, Ok(before.clone()));
    let hash = peek(&store, "alice", &["~hash"]).await.fields.remove(0).unwrap();
    assert_eq!(PasswordHash::parse(&hash).map(|hash| hash.cost()), Ok(COST_MIN + 1));
    assert_eq!(accounts.verify("alice", "right").await, Ok(before), "sessions go on");
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    let (_directory, store) = store();
    let accounts = accounts_of_cost(&store, 9);
    accounts.add("alice", &password("right")).await.unwrap();
    let known = fastest(&accounts, "alice").await;
    let unknown = fastest(&accounts, "nobody").await;
    // Without the work it would be a thousand times as fast; a busy machine makes a difference too, but not of that kind.
    assert!(unknown > known / 20 && known > unknown / 20, "{known:?} against {unknown:?}");
}

async fn fastest(accounts: &Accounts, name: &str) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        assert_eq!(accounts.verify(name, "wrong").await, Err(LoginError::Wrong));
        fastest = fastest.min(begin.elapsed());
    }
    fastest
}
