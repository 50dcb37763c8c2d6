//! What a copy that may lack entries does not pass on.

use super::*;
use crate::client::Profile;
use crate::following::record::{Mode, Subscriber, subscriber_field};
use crate::send_queue::SendQueue;
use crate::store::{Body, Epoch, StoreTime, Writer};
use crate::tenure::Tenure;

fn by(number: u64) -> By {
    By { writer: Writer::new("node", 1), number }
}

fn link(ms: u64) -> Link {
    Link { id: EntryId { ms, seq: 0 }, by: by(ms) }
}

/// Bob's feed, which Ann follows on this node.
fn followed() -> (Replica, Arc<Client>) {
    let replica = Replica::new(Partition::feed("bob"));
    let subscriber =
        Subscriber { mode: Mode::All, epoch: Epoch(1), since: EntryId::default(), name: "Ann".to_owned() };
    let snapshot = Snapshot {
        epoch: Epoch(2),
        last: link(5),
        fields: vec![(subscriber_field("ann"), subscriber.to_string())],
        members: Vec::new(),
    };
    replica.adopt(Some(snapshot), 0, &Told::default());
    let tenure = Arc::new(Tenure::new(Writer::new("node", 1), StoreTime(1)));
    let profile = Profile {
        nick: "Ann".into(),
        account: Some("Ann".into()),
        account_epoch: Some(Epoch(1)),
        ..Profile::default()
    };
    let client = Arc::new(Client::new(
        "1".into(),
        "node".into(),
        [127, 0, 0, 1].into(),
        tenure,
        SendQueue::new(1 << 20),
        profile,
    ));
    replica.add_local(client.clone());
    (replica, client)
}

/// Whether what is published on the feed now reaches the client.
fn is_heard(replica: &Replica, client: &Client) -> bool {
    let line = "@stentor.chat/room=#room :bob!b@h PUBLISH :hello";
    replica.transient(line, Some("2"), &Told::default());
    let mut out = Vec::new();
    client.queue.take(&mut out, usize::MAX);
    !out.is_empty()
}

#[test]
fn a_subscription_of_an_earlier_owner_of_the_name_is_not_heard() {
    let (replica, client) = followed();
    assert!(is_heard(&replica, &client));
    client.update(|profile| profile.account_epoch = Some(Epoch(7)));
    assert!(!is_heard(&replica, &client));
}

fn ends_it(previous: u64, ms: u64) -> Arc<Entry> {
    let changes = vec![Change::Unset(subscriber_field("ann"))];
    Arc::new(Entry {
        id: link(ms).id,
        epoch: Epoch(2),
        by: by(ms),
        previous: Some(link(previous)),
        ends: false,
        body: Body { changes, lines: Vec::new() },
    })
}

#[test]
fn what_may_have_been_missed_may_be_the_end_of_a_subscription() {
    let (replica, client) = followed();
    assert!(is_heard(&replica, &client));
    replica.note_lost();
    let losses = replica.losses();
    assert!(!is_heard(&replica, &client));
    replica.note_lost();
    replica.made_good(losses);
    assert!(!is_heard(&replica, &client), "it was lost again meanwhile");
    replica.made_good(replica.losses());
    assert!(is_heard(&replica, &client));
}

#[test]
fn an_early_entry_keeps_a_feed_silent_until_its_predecessor_is_there() {
    let (replica, client) = followed();
    assert_eq!(replica.offer(&ends_it(6, 7), &Told::default()), Offered::Early);
    assert!(!is_heard(&replica, &client));
}

#[test]
fn an_end_is_one_from_its_place_on() {
    let (replica, client) = followed();
    assert_eq!(replica.offer(&ends_it(5, 6), &Told::default()), Offered::Applied);
    assert!(!is_heard(&replica, &client));
}
