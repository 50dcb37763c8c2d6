//! RENAME (draft/channel-rename).

use stentor_server::history::janitor::Janitor;
use stentor_server::hub::Decision;
use stentor_server::store::{Change, Life, Partition};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};
use tokio::time::Instant;

const RENAME: &str = "draft/channel-rename";

/// What `f/names` says: the names that are looked for elsewhere than in their own places.
async fn noted(server: &TestServer) -> Vec<String> {
    let snapshot = server.node.hub.store().snapshot(&Partition::names()).await.expect("it is read");
    let fields = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
    let mut names: Vec<String> = fields.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

/// The janitor's turn at what no directory lists.
async fn tidy(server: &TestServer) {
    let mut janitor = Janitor::new(server.node.clone());
    janitor.visit_bucket(0, Instant::now()).await.expect("the store is open");
}

/// Makes the room's last renaming one of long ago.
async fn forget_the_pause(server: &TestServer, client: &mut TestClient, place: &str) {
    let room = Partition::channel(place);
    let epoch = server.node.hub.store().peek_one(&room, &[]).await.expect("it is read").epoch;
    let draft = Decision { changes: vec![Change::Unset("renamed".to_owned())], ..Decision::default() };
    let life = Life::Within(epoch.expect("the room exists"));
    let written = server.node.hub.write_blind::<()>(&server.node.tenure(), &room, life, draft).await;
    assert!(matches!(written, Ok(Some(_))), "{written:?}");
    client.drain_until_pong().await;
}

fn fail<'a>(lines: &'a [Said], code: &str) -> &'a Said {
    let fail = numeric(lines, "FAIL");
    assert_eq!(fail.params[..2], ["RENAME", code], "{fail:?}");
    fail
}

/// The members that RPL_NAMREPLY lists, sorted.
fn names(lines: &[Said]) -> Vec<&str> {
    let mut names: Vec<&str> = numeric(lines, "353").text().split(' ').collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn members_keep_all_but_the_name() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME, "message-tags", "labeled-response", "batch"]).await;
    let mut bob = server.client_with("bob", &[RENAME]).await;
    ann.ask("JOIN #Boaring").await;
    bob.ask("JOIN #boaring").await;
    ann.ask("TOPIC #boaring :pigs").await;
    ann.ask("MODE #boaring +v bob").await;
    bob.drain_until_pong().await;
    let own = ann.ask("@label=L RENAME #boaring #Boring :Typo fix").await;
    assert_eq!(own.len(), 1, "{own:#?}");
    assert_eq!(own[0].params, ["#Boaring", "#Boring", "Typo fix"]);
    assert_eq!(own[0].tag("label").as_deref(), Some("L"));
    let told = bob.drain_until_pong().await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].source.starts_with("ann!") && told[0].command == "RENAME");
    assert_eq!(told[0].params, ["#Boaring", "#Boring", "Typo fix"]);
    assert_eq!(numeric(&bob.ask("TOPIC #boring").await, "332").params, ["bob", "#Boring", "pigs"]);
    assert_eq!(names(&bob.ask("NAMES #boring").await), ["+bob", "@ann"]);
    assert!(numeric(&bob.ask("WHOIS bob").await, "319").text().contains("+#Boring"));
    numeric(&bob.ask("PRIVMSG #boaring :anybody?").await, "403");
    bob.ask("PRIVMSG #BORING :hello").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").params, ["#Boring", "hello"]);
    numeric(&bob.ask("PART #boaring").await, "403");
    assert_eq!(numeric(&bob.ask("PART #boring").await, "PART").param(0), "#Boring");
    assert_eq!(numeric(&bob.ask("JOIN #boring").await, "JOIN").param(0), "#Boring");
}

#[tokio::test]
async fn who_does_not_know_renaming_leaves_one_room_and_joins_the_other() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["labeled-response", "batch", "extended-join"]).await;
    let mut bob = server.client_with("bob", &["multi-prefix"]).await;
    ann.ask("JOIN #foo").await;
    ann.ask("TOPIC #foo :a topic").await;
    bob.ask("JOIN #foo").await;
    ann.ask("MODE #foo +ov bob bob").await;
    bob.drain_until_pong().await;
    let own = ann.ask("@label=L RENAME #foo #bar").await;
    let commands: Vec<&str> = own.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["BATCH", "PART", "JOIN", "332", "333", "353", "366", "BATCH"], "{own:#?}");
    let batch = own[0].param(0).strip_prefix('+').map(str::to_owned);
    assert!(own[1..7].iter().all(|line| line.tag("batch") == batch), "{own:#?}");
    assert_eq!(own[1].params, ["#foo"]);
    assert_eq!(own[2].params, ["#bar", "*", "The real ann"]);
    let told = bob.drain_until_pong().await;
    let commands: Vec<&str> = told.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["PART", "JOIN", "332", "333", "353", "366"], "{told:#?}");
    assert!(told[..2].iter().all(|line| line.source.starts_with("bob!")), "{told:#?}");
    assert_eq!((told[1].param(0), told[2].param(1)), ("#bar", "#bar"));
    assert_eq!(names(&told), ["@+bob", "@ann"]);
    bob.ask("PRIVMSG #bar :here").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").params, ["#bar", "here"]);
}

#[tokio::test]
async fn who_does_not_know_renaming_is_told_their_marker_of_the_room_that_they_join() {
    const READ: &str = "timestamp=2019-06-01T12:00:00.123Z";
    let server = TestServer::start().await;
    server.account("bob", "secret").await;
    let mut ann = server.client_with("ann", &["draft/read-marker", "labeled-response", "batch"]).await;
    let mut bob = server.login("bob", "secret", &["draft/read-marker", "draft/metadata-3", "batch"]).await;
    let mut cat = server.client_with("cat", &["draft/read-marker", "draft/no-implicit-names"]).await;
    for client in [&mut ann, &mut bob, &mut cat] {
        client.ask("JOIN #foo").await;
    }
    bob.ask(&format!("MARKREAD #foo {READ}")).await;
    bob.ask("METADATA * SUB url").await;
    ann.drain_until_pong().await;
    let own = ann.ask("@label=L RENAME #foo #bar").await;
    let commands: Vec<&str> = own.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["BATCH", "PART", "JOIN", "MARKREAD", "353", "366", "BATCH"], "{own:#?}");
    assert_eq!((own[3].tag("batch"), own[3].param(1)), (own[2].tag("batch"), "*"), "{own:#?}");
    let told = bob.drain_until_pong().await;
    let commands: Vec<&str> = told.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["PART", "JOIN", "MARKREAD", "353", "366", "774"], "{told:#?}");
    assert_eq!(
        (told[2].source.as_str(), &told[2].params[..]),
        (server.name(), &["#bar".to_owned(), READ.to_owned()][..])
    );
    assert_eq!(told[5].param(1), "#bar");
    assert_eq!(numeric(&cat.drain_until_pong().await, "MARKREAD").params, ["#bar", "*"]);
}

#[tokio::test]
async fn another_spelling_is_told_to_those_alone_who_know_renaming() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["labeled-response", "batch"]).await;
    let mut bob = server.client_with("bob", &[RENAME]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    let own = ann.ask("@label=L RENAME #room #Room").await;
    assert_eq!((own.len(), own[0].command.as_str()), (1, "ACK"), "{own:#?}");
    assert_eq!(bob.expect_numeric("RENAME").await.params, ["#room", "#Room", ""]);
    assert_eq!(numeric(&ann.ask("TOPIC #room").await, "331").param(1), "#Room");
    assert!(noted(&server).await.is_empty());
}

#[tokio::test]
async fn another_spelling_waits_for_no_minute_and_begins_none() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME]).await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #old").await;
    numeric(&ann.ask("RENAME #old #new").await, "RENAME");
    assert_eq!(numeric(&ann.ask("RENAME #new #New").await, "RENAME").params, ["#new", "#New", ""]);
    assert_eq!(numeric(&ann.ask("RENAME #New #NEW").await, "RENAME").params, ["#New", "#NEW", ""]);
    assert!(fail(&ann.ask("RENAME #NEW #other").await, "CANNOT_RENAME").text().contains("a moment ago"));
    // Who looks for the old name is still led here.
    assert_eq!(numeric(&bob.ask("JOIN #old").await, "JOIN").param(0), "#NEW");
    forget_the_pause(&server, &mut ann, "#old").await;
    numeric(&ann.ask("RENAME #NEW #new").await, "RENAME");
    numeric(&ann.ask("RENAME #new #other").await, "RENAME");
}

#[tokio::test]
async fn a_large_room_changes_its_capitals() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME]).await;
    ann.ask("JOIN #large").await;
    let room = Partition::channel("#large");
    let snapshot = server.node.hub.store().snapshot(&room).await.expect("it is read").expect("it is there");
    let (_, member) = snapshot.members.first().expect("ann is in it");
    let others =
        (0..1000).map(|n| Change::SetMember(format!("u{n}"), member.replace(" ann ", &format!(" u{n} "))));
    let draft = Decision { changes: others.collect(), ..Decision::default() };
    let life = Life::Within(snapshot.epoch);
    let written = server.node.hub.write_blind::<()>(&server.node.tenure(), &room, life, draft).await;
    assert!(matches!(written, Ok(Some(_))), "{written:?}");
    ann.drain_until_pong().await;
    assert!(fail(&ann.ask("RENAME #large #other").await, "CANNOT_RENAME").text().contains("1000 members"));
    numeric(&ann.ask("RENAME #large #Large").await, "RENAME");
}

#[tokio::test]
async fn the_old_name_is_free_and_history_goes_with_the_room() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME, "message-tags", "batch", "draft/chathistory"]).await;
    ann.ask("JOIN #old").await;
    ann.ask("PRIVMSG #old :one").await;
    ann.ask("PRIVMSG @#old :two").await;
    ann.ask("RENAME #old #new").await;
    ann.ask("PRIVMSG #new :three").await;
    let page = ann.ask("CHATHISTORY LATEST #new * 9").await;
    let said: Vec<_> = command(&page, "PRIVMSG").iter().map(|line| line.params.clone()).collect();
    assert_eq!(said, [["#new", "one"], ["@#new", "two"], ["#new", "three"]]);
    let first = command(&page, "PRIVMSG")[0].tag("msgid").expect("it has an id");
    let after = ann.ask(&format!("CHATHISTORY AFTER #new msgid={first} 9")).await;
    assert_eq!(command(&after, "PRIVMSG").len(), 2);

    let mut bob = server.client_with("bob", &["batch", "draft/chathistory"]).await;
    // Whoever is in the renamed room may use its old name again; nobody else does by mistake.
    bob.ask("JOIN #new").await;
    assert_eq!(numeric(&bob.ask("JOIN #old").await, "353").text(), "@bob");
    bob.ask("PART #new").await;
    ann.drain_until_pong().await;
    assert!(command(&bob.ask("CHATHISTORY LATEST #old * 9").await, "PRIVMSG").is_empty());
    bob.ask("PRIVMSG #old :ours").await;
    assert!(ann.drain_until_pong().await.is_empty(), "ann is in the other room");
    let list = bob.ask("LIST").await;
    let mut listed: Vec<&str> = command(&list, "322").iter().map(|line| line.param(1)).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["#new", "#old"]);
    assert_eq!(command(&bob.ask("LIST #new").await, "322").len(), 1);
    assert_eq!(command(&bob.ask("LIST #old,#new").await, "322").len(), 2);
    assert!(command(&bob.ask("LIST #new*").await, "322")[0].param(1) == "#new");
    // Each ends by itself.
    bob.ask("PART #old").await;
    ann.ask("PART #new").await;
    assert!(command(&bob.ask("LIST").await, "322").is_empty());
    assert_eq!(noted(&server).await, ["#new", "#old"]);
    tidy(&server).await;
    assert!(noted(&server).await.is_empty(), "rooms that are gone leave nothing behind");
    assert_eq!(numeric(&bob.ask("JOIN #new").await, "353").text(), "@bob");
}

#[tokio::test]
async fn who_was_not_there_is_led_from_the_old_name_to_the_new_one() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME]).await;
    ann.ask("JOIN #old").await;
    ann.ask("RENAME #old #new").await;
    let mut bob = server.client_with("bob", &[RENAME]).await;
    let told = bob.ask("JOIN #Old").await;
    assert_eq!(numeric(&told, "FAIL").params[..4], ["JOIN", "CHANNEL_RENAMED", "#Old", "#new"]);
    assert!(command(&told, "JOIN").is_empty());
    let mut eve = server.client("eve").await;
    let told = eve.ask("JOIN #old").await;
    assert_eq!(numeric(&told, "470").params[1..3], ["#old", "#new"]);
    assert_eq!(numeric(&told, "JOIN").param(0), "#new");
    // A secret room is not betrayed.
    ann.ask("MODE #new +s").await;
    assert_eq!(numeric(&bob.ask("JOIN #old").await, "353").text(), "@bob");
}

#[tokio::test]
async fn a_room_may_have_its_first_name_back_and_names_that_others_had() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &[RENAME]).await;
    let mut bob = server.client_with("bob", &[RENAME]).await;
    ann.ask("JOIN #a").await;
    bob.ask("JOIN #a").await;
    ann.ask("RENAME #a #b").await;
    bob.ask("JOIN #a").await;
    bob.ask("PART #b").await;
    // Two rooms change names, by way of a third.
    bob.ask("RENAME #a #c").await;
    forget_the_pause(&server, &mut ann, "#a").await;
    assert_eq!(numeric(&ann.ask("RENAME #b #a").await, "RENAME").params, ["#b", "#a", ""]);
    assert_eq!(numeric(&bob.ask("PRIVMSG #b :x").await, "403").param(1), "#b");
    let mut eve = server.client("eve").await;
    assert_eq!(numeric(&eve.ask("JOIN #a").await, "353").text().split(' ').count(), 2);
    assert_eq!(numeric(&eve.ask("JOIN #b").await, "353").text(), "@eve");
    assert_eq!(numeric(&eve.ask("JOIN #c").await, "353").text().split(' ').count(), 2);
    tidy(&server).await;
    assert!(noted(&server).await.contains(&"#c".to_owned()), "bob's room is not in the place of its name");
    eve.ask("PRIVMSG #a :to ann").await;
    eve.ask("PRIVMSG #c :to bob").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").params, ["#a", "to ann"]);
    assert_eq!(numeric(&bob.drain_until_pong().await, "PRIVMSG").params, ["#c", "to bob"]);
}

#[tokio::test]
async fn who_may_not_rename_is_told_why() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    server.account("bob", "secret").await;
    let mut ann = server.login("ann", "secret", &[RENAME]).await;
    let mut bob = server.login("bob", "secret", &[RENAME]).await;
    ann.ask("JOIN #room,#taken").await;
    numeric(&bob.ask("RENAME #room #other").await, "442");
    numeric(&bob.ask("RENAME #nowhere #other").await, "403");
    numeric(&bob.ask("RENAME #room").await, "461");
    bob.ask("JOIN #room").await;
    numeric(&bob.ask("RENAME #room #other").await, "482");
    ann.ask("MODE #room +o bob").await;
    numeric(&bob.ask("RENAME #room #other").await, "482");
    let taken = ann.ask("RENAME #room #Taken").await;
    assert_eq!(fail(&taken, "CHANNEL_NAME_IN_USE").params[2..4], ["#room", "#Taken"]);
    for bad in ["room", "#a,b", "#with\u{200b}invisible", &format!("#{}", "x".repeat(64))] {
        fail(&ann.ask(&format!("RENAME #room {bad}")).await, "CANNOT_RENAME");
    }
    let same = ann.ask("RENAME #room #room").await;
    assert_eq!(fail(&same, "CANNOT_RENAME").text(), "It has that name");
    numeric(&ann.ask("RENAME #room #other").await, "RENAME");
    let again = ann.ask("RENAME #other #third").await;
    assert!(fail(&again, "CANNOT_RENAME").text().contains("wait a minute"), "{again:#?}");
    // A refusal leaves no claim behind.
    let mut eve = server.client("eve").await;
    assert_eq!(numeric(&eve.ask("JOIN #third").await, "353").text(), "@eve");
}

#[tokio::test]
async fn a_renamed_room_is_there_after_a_restart_with_all_that_its_founder_set() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[RENAME]).await;
    ann.ask("JOIN #old").await;
    ann.ask("TOPIC #old :kept").await;
    ann.ask("MODE #old +bi *!*@bad").await;
    ann.ask("PRIVMSG #old :before").await;
    ann.ask("RENAME #old #new").await;
    let server = server.restart(&[]).await;
    let mut ann = server.login("ann", "secret", &["batch", "draft/chathistory"]).await;
    let lines = ann.ask("JOIN #new").await;
    assert_eq!(numeric(&lines, "332").text(), "kept");
    assert_eq!(numeric(&lines, "353").text(), "~ann");
    assert!(numeric(&ann.ask("MODE #new").await, "324").param(2).contains('i'));
    numeric(&ann.ask("MODE #new +b").await, "367");
    let page = ann.ask("CHATHISTORY LATEST #new * 9").await;
    assert_eq!(numeric(&page, "PRIVMSG").params, ["#new", "before"]);
    assert_eq!(numeric(&ann.ask("JOIN #old").await, "353").text(), "~ann");
}

#[tokio::test]
async fn a_name_that_is_claimed_keeps_others_out_until_the_claim_is_withdrawn() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    // As of a node that ended in the middle.
    let (rooms, tenure) = (&server.node.rooms, server.node.tenure());
    let claim = rooms.claim(&tenure, &Partition::channel("#room"), "#room", "#next").await;
    let claim = claim.expect("the name is free");
    fail(&ann.ask("RENAME #room #next").await, "CHANNEL_NAME_IN_USE");
    assert!(command(&ann.ask("JOIN #next").await, "JOIN").is_empty(), "a room is about to have that name");
    ann.ask("PRIVMSG #room :it has its old name").await;
    numeric(&ann.ask("PRIVMSG #next :x").await, "403");
    rooms.withdraw(claim).await;
    assert!(!command(&ann.ask("JOIN #next").await, "JOIN").is_empty());
}

/// Gives the room in `place` the name, as the last step of a renaming does.
async fn rename_by_hand(server: &TestServer, place: &str, name: &str) {
    let room = Partition::channel(place);
    let epoch = server.node.hub.store().peek_one(&room, &[]).await.expect("it is read").epoch;
    let set = |field: &str, value: &str| Change::Set(field.to_owned(), value.to_owned());
    let decision = Decision { changes: vec![set("name", name), set("rules", "new")], ..Decision::default() };
    let life = Life::Within(epoch.expect("the room exists"));
    let written = server.node.hub.write_blind::<()>(&server.node.tenure(), &room, life, decision).await;
    assert!(matches!(written, Ok(Some(_))), "{written:?}");
}

#[tokio::test]
async fn a_member_who_joins_the_name_that_the_room_is_just_getting_leaves_no_ghost() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client_with("bob", &[RENAME]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    let (rooms, tenure, room) = (&server.node.rooms, server.node.tenure(), Partition::channel("#room"));
    let claim = rooms.claim(&tenure, &room, "#room", "#next").await.expect("the name is free");
    let finish = async {
        // Once bob has listed the room that he takes for a new one.
        let (store, key) = (server.node.hub.store(), "c/#next");
        let listed = || async {
            let peek = store.peek_one(&Partition::directory_of(key), &[key]).await.expect("it is read");
            peek.fields.into_iter().any(|field| field.is_some())
        };
        while !listed().await {
            tokio::task::yield_now().await;
        }
        rename_by_hand(&server, "#room", "#next").await;
        rooms.settle(claim).await;
    };
    let (answer, ()) = tokio::join!(bob.ask("JOIN #next"), finish);
    assert!(command(&answer, "JOIN").is_empty(), "he was there before: {answer:#?}");
    assert!(numeric(&bob.ask("WHOIS bob").await, "319").text().contains("#next"));
    bob.quit().await;
    assert_eq!(names(&ann.ask("NAMES #next").await), ["@ann"]);
    let held = server.node.hub.hold(&room).await.expect("it is read");
    assert_eq!((held.locals(), held.with_state(|state| state.members.len())), (1, 1));
}

#[tokio::test]
async fn what_was_said_under_the_old_name_can_be_marked_taken_back_and_read_in_all_its_lines() {
    let capabilities = [
        RENAME,
        "message-tags",
        "batch",
        "echo-message",
        "draft/multiline",
        "draft/chathistory",
        "draft/message-redaction",
        "draft/read-marker",
    ];
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &capabilities).await;
    ann.ask("JOIN #old").await;
    let echo = ann.ask("PRIVMSG #old :a slip").await;
    let slip = numeric(&echo, "PRIVMSG").tag("msgid").expect("it has an id");
    ann.send("BATCH +1 draft/multiline #old").await;
    ann.send("@batch=1 PRIVMSG #old :first").await;
    ann.send("@batch=1 PRIVMSG #old :second").await;
    ann.ask("BATCH -1").await;
    let marked = ann.ask("MARKREAD #old timestamp=2019-01-01T00:00:00.000Z").await;
    assert_eq!(numeric(&marked, "MARKREAD").param(1), "timestamp=2019-01-01T00:00:00.000Z");
    ann.ask("RENAME #old #new").await;
    let asked = ann.ask("MARKREAD #new").await;
    assert_eq!(numeric(&asked, "MARKREAD").params, ["#new", "timestamp=2019-01-01T00:00:00.000Z"]);
    assert_eq!(numeric(&ann.ask("MARKREAD #old").await, "MARKREAD").params, ["#old", "*"]);
    let taken = ann.ask(&format!("REDACT #new {slip}")).await;
    assert_eq!(numeric(&taken, "REDACT").params[..2], ["#new".to_owned(), slip]);
    let page = ann.ask("CHATHISTORY LATEST #new * 9").await;
    let said: Vec<_> = command(&page, "PRIVMSG").iter().map(|line| line.params.clone()).collect();
    assert_eq!(said, [["#new", "first"], ["#new", "second"]]);
    let batch = page.iter().find(|line| line.params.iter().any(|param| param == "draft/multiline"));
    assert_eq!(batch.expect("it is one message").param(2), "#new");
}

#[tokio::test]
async fn a_follower_in_a_renamed_room_hears_what_is_said_there_once() {
    let server = TestServer::start().await;
    for name in ["ann", "bob", "cat"] {
        server.account(name, "secret").await;
    }
    let mut ann = server.login("ann", "secret", &[RENAME]).await;
    let mut bob = server.login("bob", "secret", &[RENAME]).await;
    let mut cat = server.login("cat", "secret", &[RENAME]).await;
    ann.ask("JOIN #old").await;
    bob.ask("JOIN #old").await;
    bob.ask("SUBSCRIBE ann").await;
    cat.ask("SUBSCRIBE ann").await;
    ann.ask("RENAME #old #new").await;
    ann.ask("PRIVMSG #new :to the room").await;
    ann.ask("PUBLISH :a post").await;
    let texts = |lines: &[Said]| {
        let heard = lines.iter().filter(|line| line.source.starts_with("ann!"));
        let said = heard.filter(|line| ["PRIVMSG", "NOTICE"].contains(&line.command.as_str()));
        said.map(|line| line.text().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&bob.drain_until_pong().await), ["to the room", "[Sub] a post"]);
    assert_eq!(texts(&cat.drain_until_pong().await), ["[Sub] to the room", "[Sub] a post"]);
}
