//! Invitations in a real embedded store.

use std::time::Duration;

use stentor_server::account::{AccountError, Password};
use stentor_server::invite::{InviteError, RegisterError, Spent};
use stentor_server::store::Partition;
use tokio::task::JoinSet;

use crate::kit::{accounts, invites, store};

const DAY: Option<Duration> = Some(Duration::from_secs(86_400));

#[tokio::test]
async fn a_code_is_stored_nowhere_and_can_be_spent() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let (code, invite) = invites.create(1, DAY, "operator").await.unwrap();
    assert_eq!(code.reveal().len(), 26);
    assert!(!format!("{code:?}").contains(code.reveal()));
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert!(!format!("{fleet:?}").contains(code.reveal()));
    assert_eq!(invites.list().await, Ok(vec![invite]));

    let typed = format!(" {} ", code.reveal().to_uppercase());
    let _spent: Spent = invites.spend(&typed).await.unwrap();
    assert_eq!(invites.spend(code.reveal()).await.err(), Some(InviteError::Unknown));
    assert_eq!(invites.list().await.unwrap()[0].uses_left, 0);
}

#[tokio::test]
async fn what_is_no_code_opens_nothing() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let guess = "a".repeat(26);
    for text in ["", "x", &guess, "a b", "invite:"] {
        assert_eq!(invites.spend(text).await.err(), Some(InviteError::Unknown), "{text}");
        assert_eq!(invites.revoke(text).await, Err(InviteError::Unknown), "{text}");
    }
    assert_eq!(invites.list().await, Ok(Vec::new()));
}

#[tokio::test]
async fn however_many_try_an_invitation_has_no_more_uses_than_it_was_made_with() {
    let (_directory, store) = store();
    let (code, _) = invites(&store).create(3, DAY, "operator").await.unwrap();
    let mut guests = JoinSet::new();
    for _ in 0..12 {
        let (node, code) = (invites(&store), code.clone());
        guests.spawn(async move { node.spend(code.reveal()).await });
    }
    let results = guests.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert!(
        results.iter().filter_map(|result| result.as_ref().err()).all(|error| *error == InviteError::Unknown)
    );
}

#[tokio::test]
async fn a_use_that_made_no_account_is_given_back() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let (code, _) = invites.create(1, DAY, "operator").await.unwrap();
    let spent = invites.spend(code.reveal()).await.unwrap();
    invites.unspend(spent).await.unwrap();
    let spent = invites.spend(code.reveal()).await.unwrap();
    invites.revoke(code.reveal()).await.unwrap();
    invites.unspend(spent).await.unwrap();
    assert_eq!(invites.spend(code.reveal()).await.err(), Some(InviteError::Unknown), "revoked stays revoked");
}

#[tokio::test]
async fn an_invitation_is_revoked_by_its_code_or_its_id() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let (by_code, first) = invites.create(1, DAY, "operator").await.unwrap();
    let (by_id, second) = invites.create(1, DAY, "operator").await.unwrap();
    assert_eq!(invites.revoke(by_code.reveal()).await, Ok(first));
    assert_eq!(invites.revoke(&second.id[..6]).await, Ok(second.clone()));
    assert_eq!(invites.revoke(&second.id).await, Err(InviteError::Unknown));
    for code in [by_code, by_id] {
        assert_eq!(invites.spend(code.reveal()).await.err(), Some(InviteError::Unknown));
    }
}

#[tokio::test]
async fn an_expired_invitation_is_neither_spent_nor_listed_nor_kept() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let (code, _) = invites.create(1, Some(Duration::ZERO), "operator").await.unwrap();
    assert_eq!(invites.spend(code.reveal()).await.err(), Some(InviteError::Unknown));
    assert_eq!(invites.list().await, Ok(Vec::new()));
    invites.create(1, DAY, "operator").await.unwrap();
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert_eq!(fleet.fields.len(), 1);
}

#[tokio::test]
async fn invitations_are_limited_in_uses_and_number() {
    let (_directory, store) = store();
    let invites = invites(&store);
    for uses in [0, 1_000_001] {
        assert_eq!(invites.create(uses, DAY, "operator").await.err(), Some(InviteError::Uses(uses)));
    }
    let (first, _) = invites.create(1, DAY, "operator").await.unwrap();
    for _ in 1..1000 {
        invites.create(1, DAY, "operator").await.unwrap();
    }
    assert_eq!(invites.create(1, DAY, "operator").await.err(), Some(InviteError::Full));
    let _spent: Spent = invites.spend(first.reveal()).await.unwrap();
    assert!(invites.create(1, DAY, "operator").await.is_ok(), "one that is used up makes room");
}

#[tokio::test]
async fn an_invitation_can_last_for_ever() {
    let (_directory, store) = store();
    let invites = invites(&store);
    let (code, invite) = invites.create(1, None, "operator").await.unwrap();
    assert_eq!(invite.expires, None);
    assert_eq!(invites.list().await, Ok(vec![invite]));
    let _spent: Spent = invites.spend(code.reveal()).await.unwrap();
}

#[tokio::test]
async fn who_has_a_code_gets_an_account_and_a_taken_name_costs_no_use() {
    let (_directory, store) = store();
    let (accounts, invites) = (accounts(&store), invites(&store));
    let (code, _) = invites.create(1, DAY, "operator").await.unwrap();
    let password = Password::new("secret").unwrap();
    accounts.add("taken", &password).await.unwrap();

    let taken = invites.register(&accounts, code.reveal(), "Taken", &password).await;
    assert_eq!(taken, Err(RegisterError::Account(AccountError::Exists("taken".into()))));
    let account = invites.register(&accounts, code.reveal(), "alice", &password).await.unwrap();
    assert_eq!(accounts.verify("alice", "secret").await, Ok(account));
    let again = invites.register(&accounts, code.reveal(), "bob", &password).await;
    assert_eq!(again, Err(RegisterError::Invite(InviteError::Unknown)));
    assert_eq!(accounts.find("bob").await, Ok(None));
}
