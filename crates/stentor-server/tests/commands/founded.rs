//! How many channels one account may found.

use stentor_server::hub::Decision;
use stentor_server::store::{Change, Life, Partition};

use stentor_testing::{Said, TestServer, command, numeric};

async fn server() -> TestServer {
    let server = TestServer::start_with(&[("channels.max_founded", "2")]).await;
    server.account("ann", "secret").await;
    server
}

/// What the account's partition says of channels that it founded.
async fn noted(server: &TestServer) -> Vec<String> {
    let snapshot = server.node.hub.store().snapshot(&Partition::account("ann")).await.expect("it is read");
    let fields = snapshot.expect("the account exists").fields.into_iter();
    let mut names: Vec<String> =
        fields.filter_map(|(name, _)| name.strip_prefix("founded:").map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

fn joined(lines: &[Said]) -> bool {
    !command(lines, "JOIN").is_empty()
}

#[tokio::test]
async fn channels_that_outlive_their_members_are_limited_for_each_account() {
    let server = server().await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut guest = server.client("guest").await;
    assert!(joined(&guest.ask("JOIN #a,#b,#c").await), "guests' channels end with them");
    assert!(joined(&ann.ask("JOIN #One,#two").await));
    assert_eq!(noted(&server).await, ["#one", "#two"]);
    let refused = ann.ask("JOIN #Three").await;
    assert_eq!(numeric(&refused, "405").param(1), "#Three");
    assert!(!joined(&refused));
    assert!(joined(&ann.ask("JOIN #a").await), "it is another's");
    guest.ask("PART #b").await;

    // What a founder leaves by going away is still the founder's.
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = server.login("ann", "secret", &[]).await;
    numeric(&ann.ask("JOIN #three").await, "405");
    ann.ask("JOIN #one").await;
    ann.ask("PART #one").await;
    assert_eq!(noted(&server).await, ["#two"]);
    assert!(joined(&ann.ask("JOIN #three").await));
    assert_eq!(noted(&server).await, ["#three", "#two"]);
}

#[tokio::test]
async fn channels_that_are_gone_do_not_count() {
    let server = server().await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #one").await;
    // As after a node that ended between the note and the channel, or between the channel's end and the note's.
    let account = server.node.accounts.find("ann").await.expect("it is read").expect("it exists");
    let (new, old) = (server.node.fleet.now().0, 1);
    for (name, at) in [("founded:#old", old), ("founded:#new", new)] {
        let changes = vec![Change::Set(name.to_owned(), format!("{} {at} ann", account.epoch))];
        let decision = Decision { changes, ..Decision::default() };
        let (tenure, life) = (server.node.tenure(), Life::Within(account.epoch));
        let written =
            server.node.hub.write_blind::<()>(&tenure, &Partition::account("ann"), life, decision).await;
        assert!(matches!(written, Ok(Some(_))), "{written:?}");
    }
    // The new one may be about to exist, so only the old one makes room, which is not enough.
    numeric(&ann.ask("JOIN #two").await, "405");
    assert_eq!(noted(&server).await, ["#new", "#one"]);
    ann.ask("PART #one").await;
    assert!(joined(&ann.ask("JOIN #two").await));
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let server = TestServer::start_with(&[("channels.max_founded", "0")]).await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    assert!(joined(&ann.ask("JOIN #one").await));
    assert!(noted(&server).await.is_empty());
}

#[tokio::test]
async fn a_founder_who_leaves_a_room_that_was_cared_for_finds_it_again() {
    let server = server().await;
    server.account("bob", "secret").await;
    let set = [
        "TOPIC #room :precious",
        "MODE #room +b *!*@bad",
        "MODE #room +I *!*@good",
        "MODE #room +k key",
        "MODE #room +m",
        "MODE #room -n",
        "METADATA #room SET url :https://chat.example",
        "CHANSERV ACCESS #room ADD bob op",
        "CHANSERV TRANSFER #room bob",
        "CHANSERV REGISTER #room",
    ];
    let mut ann = server.login("ann", "secret", &["draft/metadata-3"]).await;
    for line in set {
        ann.ask("JOIN #room").await;
        ann.ask(line).await;
        ann.ask("PART #room").await;
        assert_eq!(noted(&server).await, ["#room"], "{line}");
        let dropped = ann.ask("CHANSERV DROP #room").await;
        let code = dropped.last().and_then(|line| line.text().rsplit(' ').next().map(str::to_owned));
        ann.ask(&format!("CHANSERV DROP #room {}", code.expect("it says what to say"))).await;
        assert!(noted(&server).await.is_empty(), "{line}: it was given up");
    }
    ann.ask("JOIN #room").await;
    ann.ask("PRIVMSG #room :nothing was set here").await;
    ann.ask("JOIN 0").await;
    assert!(noted(&server).await.is_empty(), "what is as new leaves nothing behind");
}
