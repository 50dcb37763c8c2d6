//! The committer: numbers, retries, and what becomes of answers that are lost.

use std::sync::Arc;
use std::time::Duration;

use stentor_server::account::{Accounts, COST_MIN, Hasher, Password};
use stentor_server::commit_identity::{Committer, Draft, FromNow, Numbers, WriteError};
use stentor_server::store::{Change, Epoch, Life, Outcome, Partition, Range, StoreError, Writer};
use stentor_testing::{BadLine, Fault};
use tokio::task::JoinSet;

use crate::kit::{rules, store};

fn draft(epoch: Epoch) -> Draft {
    let change = Change::Set("key".into(), "value".into());
    Draft { changes: vec![change], ..Draft::new(Partition::account("alice"), Life::Begin(epoch)) }
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_for_under_the_same_number() {
    for faults in [
        &[Fault::Lost][..],
        &[Fault::AnswerLost],
        &[Fault::Lost, Fault::AnswerLost],
        &[Fault::AnswerLost, Fault::AnswerLost],
    ] {
        let (_directory, store) = store();
        let line = BadLine::to(&store, faults);
        let epoch = Epoch(7);
        let outcome = Committer::standalone(line.clone()).commit(draft(epoch)).await;
        let Ok(Outcome::Committed(entry)) = outcome else { panic!("{faults:?}: {outcome:?}") };
        assert_eq!((entry.epoch, entry.by.number), (epoch, 1));
        assert_eq!(line.attempts(), faults.len() + 1);
        let page = store.read(&Partition::account("alice"), epoch, Range::Latest, 10).await.unwrap();
        assert_eq!(page.entries.len(), 1, "{faults:?}");
    }
}

#[tokio::test]
async fn what_never_arrives_is_given_up() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[]);
    line.fail(&Partition::account("alice"), Fault::Lost, 100);
    let outcome = Committer::standalone(line.clone()).commit(draft(Epoch(7))).await;
    assert!(matches!(outcome, Err(StoreError::Unknown(_))));
    assert_eq!(line.attempts(), 5);
}

#[tokio::test]
async fn a_line_that_is_gone_when_it_is_asked_again_tells_nothing_about_the_first_attempt() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::AnswerLost, Fault::Away]);
    let outcome = Committer::standalone(line.clone()).commit(draft(Epoch(7))).await;
    let Ok(Outcome::Committed(entry)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((entry.by.number, line.attempts()), (1, 3));

    let draft = || Draft::new(Partition::account("bob"), Life::Begin(Epoch(7)));
    line.fail(&Partition::account("bob"), Fault::AnswerLost, 1);
    line.fail(&Partition::account("bob"), Fault::Away, 100);
    let outcome = Committer::standalone(line.clone()).commit(draft()).await;
    assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{outcome:?}");
    line.mend();
    line.fail(&Partition::account("cat"), Fault::Away, 1);
    let draft = Draft { partition: Partition::account("cat"), ..draft() };
    let outcome = Committer::standalone(line.clone()).commit(draft).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_number_that_was_overtaken_is_replaced() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::Lost]);
    let (numbers, deadline) = (Arc::new(Numbers::default()), Arc::new(FromNow(Duration::from_secs(30))));
    let writer = Writer::new("node", 1);
    let slow = Committer::new(line, writer.clone(), Arc::clone(&numbers), deadline.clone());
    let quick = Committer::new(store.clone(), writer, numbers, deadline);
    let epoch = quick.upsert(&Partition::fleet(), Vec::new()).await.unwrap();
    let set = |key: &str| Draft {
        changes: vec![Change::Set(key.into(), String::new())],
        ..Draft::new(Partition::fleet(), Life::Within(epoch))
    };
    // The slow commit draws its number first and is lost; the quick one then uses a higher number there.
    let (slow, quick) = tokio::join!(biased; slow.commit(set("slow")), quick.commit(set("quick")));
    let (Ok(Outcome::Committed(slow)), Ok(Outcome::Committed(quick))) = (&slow, &quick) else {
        panic!("{slow:?} {quick:?}");
    };
    assert_eq!((quick.by.number, slow.by.number), (3, 4));
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert_eq!(fleet.fields.len(), 2);
}

#[tokio::test]
async fn commits_of_one_writer_are_handed_over_in_the_order_of_their_numbers() {
    let (_directory, store) = store();
    let node = Committer::standalone(store);
    let partition = Partition::fleet();
    let epoch = node.upsert(&partition, Vec::new()).await.unwrap();
    let mut tasks = JoinSet::new();
    for i in 0..200 {
        let node = node.clone();
        let change = Change::Set(format!("key{i}"), String::new());
        let draft = Draft { changes: vec![change], ..Draft::new(partition.clone(), Life::Within(epoch)) };
        tasks.spawn(async move { node.commit(draft).await });
    }
    for outcome in tasks.join_all().await {
        assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_partition_that_many_create_at_once_holds_what_all_of_them_set() {
    let (_directory, store) = store();
    let mut tasks = JoinSet::new();
    for i in 0..16 {
        let node = Committer::standalone(store.clone());
        let change = Change::Set(format!("key{i}"), String::new());
        tasks.spawn(async move { node.upsert(&Partition::fleet(), vec![change]).await });
    }
    let epochs: Vec<Epoch> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert_eq!(fleet.fields.len(), 16);
    assert!(epochs.iter().all(|epoch| *epoch == fleet.epoch));
}

#[tokio::test]
async fn after_its_deadline_a_writer_is_fenced() {
    let (_directory, store) = store();
    let (numbers, deadline) = (Arc::new(Numbers::default()), Arc::new(FromNow(Duration::ZERO)));
    let node = Committer::new(store.clone(), Writer::new("late", 1), numbers, deadline);
    assert_eq!(node.attempt(draft(Epoch(7))).await, Err(WriteError::Fenced));
    assert_eq!(store.snapshot(&Partition::account("alice")).await, Ok(None));
}

#[tokio::test]
async fn an_account_whose_answers_are_lost_is_made_once() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::AnswerLost, Fault::Lost, Fault::AnswerLost]);
    let hasher = Arc::new(Hasher::new(COST_MIN, std::num::NonZeroUsize::MIN, 10));
    let accounts = Accounts::new(Committer::standalone(line), hasher, rules());
    let account = accounts.add("alice", &Password::new("right").unwrap()).await.unwrap();
    assert_eq!(accounts.verify("alice", "right").await, Ok(account.clone()));
    let page = store.read(&Partition::account("alice"), account.epoch, Range::Latest, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
}
