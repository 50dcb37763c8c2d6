//! Logins through the gate that slows failures, in a real embedded store.

use std::net::IpAddr;
use std::sync::Arc;

use stentor_server::account::Password;
use stentor_server::account::login::{LoginError, LoginGate};
use stentor_server::account::throttle::ThrottleSettings;
use stentor_server::store::{Event, Partition, Sink, Store};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

fn gate(store: &Arc<dyn Store>) -> Arc<LoginGate> {
    Arc::new(LoginGate::new(crate::kit::accounts(store), ThrottleSettings::default(), "secret"))
}

async fn gate_with_alice(store: &Arc<dyn Store>) -> Arc<LoginGate> {
    let gate = gate(store);
    let password = Password::new("right").expect("it is a password");
    gate.accounts().add("alice", &password).await.expect("the store takes it");
    gate
}

#[derive(Debug)]
struct Transients(mpsc::Sender<Arc<str>>);

impl Sink for Transients {
    fn deliver(&self, event: Event) {
        if let Event::Transient(_, text) = event {
            self.0.try_send(text).expect("the test reads what it causes");
        }
    }
}

#[tokio::test]
async fn failures_slow_the_pair_and_not_the_owner() {
    let (_directory, store) = crate::kit::store();
    let gate = gate_with_alice(&store).await;
    for _ in 0..4 {
        assert_eq!(gate.login("Alice", "wrong", HERE).await, Err(LoginError::Wrong));
    }
    assert!(matches!(gate.login("alice", "right", HERE).await, Err(LoginError::Slowed(_))));
    assert!(gate.login("alice", "right", ELSEWHERE).await.is_ok());
    assert_eq!(gate.login("bob", "wrong", HERE).await, Err(LoginError::Wrong));
}

#[tokio::test]
async fn a_login_forgives_the_failures_before_it() {
    let (_directory, store) = crate::kit::store();
    let gate = gate_with_alice(&store).await;
    for _ in 0..5 {
        for _ in 0..3 {
            assert_eq!(gate.login("alice", "wrong", HERE).await, Err(LoginError::Wrong));
        }
        assert!(gate.login("alice", "right", HERE).await.is_ok());
    }
}

#[tokio::test]
async fn guesses_that_come_together_do_not_all_get_through() {
    let (_directory, store) = crate::kit::store();
    let gate = gate_with_alice(&store).await;
    let mut guesses = JoinSet::new();
    for i in 0..100 {
        let gate = Arc::clone(&gate);
        guesses.spawn(async move { gate.login("alice", &format!("guess {i}"), HERE).await });
    }
    let results = guesses.join_all().await;
    let heard = results.iter().filter(|result| **result == Err(LoginError::Wrong)).count();
    assert_eq!(heard, 4, "the three that are free, and the one that closes the account to this address");
}

#[tokio::test]
async fn a_hundred_right_logins_are_not_slowed() {
    let (_directory, store) = crate::kit::store();
    let gate = gate_with_alice(&store).await;
    let mut logins = JoinSet::new();
    for _ in 0..100 {
        let gate = Arc::clone(&gate);
        logins.spawn(async move { gate.login("alice", "right", HERE).await });
    }
    assert!(logins.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn failures_on_one_node_slow_the_pair_on_the_others() {
    let (_directory, store) = crate::kit::store();
    let (sender, mut heard) = mpsc::channel(16);
    store.attach(Arc::new(Transients(sender)));
    store.watch(&Partition::fleet()).await.unwrap();
    let here = gate_with_alice(&store).await;
    let there = gate(&store);
    for _ in 0..4 {
        assert_eq!(here.login("alice", "wrong", HERE).await, Err(LoginError::Wrong));
        let text = heard.recv().await.unwrap();
        assert!(!text.contains("alice") && !text.contains("127.0.0.1"), "{text}");
        assert!(here.hear(&text), "its own failures are not counted twice");
        assert!(there.hear(&text));
    }
    assert!(matches!(there.login("alice", "right", HERE).await, Err(LoginError::Slowed(_))));
    assert!(there.login("alice", "right", ELSEWHERE).await.is_ok());
}

#[tokio::test]
async fn only_texts_about_failures_are_taken() {
    let (_directory, store) = crate::kit::store();
    let gate = gate(&store);
    for text in ["", "login-failed", "login-failed a@1", "login-failed a@1 0 0", "something else entirely"] {
        assert!(!gate.hear(text), "{text}");
    }
    assert!(gate.hear("login-failed a@1 not-a-pair"));
}
