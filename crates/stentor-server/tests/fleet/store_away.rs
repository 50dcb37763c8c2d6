//! The store away and back: clients stay, nothing that was acknowledged is lost, and nobody is told that others left.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Pair;
use stentor_testing::{Said, TestClient, command};

/// Short enough to outlast, and with a margin that lets a busy node find its own sessions again before another takes them
/// away.
const SHORT: &[(&str, &str)] = &[("fleet.lease", "'4s'"), ("fleet.margin", "'2s'")];

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_restarted_finds_its_clients_again() {
    let mut pair = Pair::start(SHORT).await;
    let (mut ann, mut bob) = room_of_two(&pair).await;
    pair.redis().kill();
    ann.send("PRIVMSG #room :into the void").await;
    let answer = ann.expect(|line| line.contains("PRIVMSG") && line.contains("store")).await;
    assert!(answer.contains("NOTICE"), "{answer}");
    pair.redis().restart();
    talk_again(&mut ann, &mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_paused_for_longer_than_a_lease_finds_its_clients_again() {
    let mut pair = Pair::start(SHORT).await;
    let (mut ann, mut bob) = room_of_two(&pair).await;
    pause_for_longer_than_a_lease(&mut pair, &mut ann).await;
    talk_again(&mut ann, &mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connected_before_a_lease_was_lost_can_log_in_after_it() {
    let mut pair = Pair::start(SHORT).await;
    let (mut ann, mut bob) = room_of_two(&pair).await;
    let mut early = pair.one.connect().await;
    early.send("CAP LS 302").await;
    early.expect(|line| line.contains(" CAP ")).await;
    pause_for_longer_than_a_lease(&mut pair, &mut ann).await;
    talk_again(&mut ann, &mut bob).await;
    log_in(&mut early).await;
    early.expect(|line| line.contains(" 001 early ")).await;
    early.nick = "early".to_owned();
    names_still_stand(&mut early, &mut bob).await;
}

async fn log_in(early: &mut TestClient) {
    for line in ["NICK early", "USER early 0 * :Early", "CAP END"] {
        early.send(line).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_waits_for_a_lease_that_the_node_is_about_to_get() {
    let mut pair = Pair::start(SHORT).await;
    let (mut ann, mut bob) = room_of_two(&pair).await;
    let mut early = pair.one.connect().await;
    early.send("CAP LS 302").await;
    early.expect(|line| line.contains(" CAP ")).await;
    outlast_a_lease(&mut pair, &mut ann).await;
    log_in(&mut early).await;
    pair.redis().resume();
    early.expect(|line| line.contains(" 001 early ")).await;
    talk_again(&mut ann, &mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_account_while_the_store_is_away_does_not_go_on_without_an_inbox() {
    let mut pair = Pair::start(SHORT).await;
    pair.one.account("ann", "secret").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    ann.ask("NICK guest").await;
    pair.redis().kill();
    ann.send("PRIVMSG NickServ :LOGOUT").await;
    let closed = ann.expect_closed().await;
    assert!(closed.last().is_some_and(|line| line.text().contains("store cannot be reached")), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_a_ping_while_a_command_waits_for_the_store_is_not_timed_out() {
    let mut pair = Pair::start(&[("limits.ping_interval", "'1s'"), ("limits.ping_timeout", "'2s'")]).await;
    let mut ann = pair.one.client("ann").await;
    ann.ask("JOIN #room").await;
    pair.redis().pause();
    ann.send("PRIVMSG #room :into the void").await;
    // That takes longer than both: the node asks, and closes whoever is silent.
    let answer = loop {
        let line = ann.expect(|line| line.starts_with("PING ") || line.contains(" NOTICE ann ")).await;
        let Some(token) = line.strip_prefix("PING ") else { break line };
        ann.send(&format!("PONG {token}")).await;
    };
    assert!(answer.contains("may or may not have been done"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_closed_in_the_middle_of_a_command_does_no_more_of_it() {
    let mut pair = Pair::start(&[]).await;
    let rooms = "#one,#two,#three,#four";
    let mut bob = pair.two.client("bob").await;
    bob.ask(&format!("JOIN {rooms}")).await;
    let mut ann = pair.one.client("ann").await;
    pair.redis().pause();
    // The PONG shows that the node has read the command, which waits for the store.
    ann.send_bytes(b"PING x\r\n").await;
    ann.expect(|line| line.contains(" PONG ")).await;
    ann.send(&format!("JOIN {rooms}")).await;
    let client = pair.one.node.clients.all().into_iter().find(|client| client.profile().nick == "ann");
    let client = client.expect("she is here");
    let before = client.last_heard();
    loop {
        let more = client.heard_more();
        if client.last_heard() > before {
            break;
        }
        more.await;
    }
    client.queue.close("Killed");
    pair.redis().resume();
    ann.expect_closed().await;
    let joins = command(&bob.drain_until_pong().await, "JOIN").len();
    assert!(joins <= 1, "{joins} rooms were entered");
}

async fn pause_for_longer_than_a_lease(pair: &mut Pair, client: &mut TestClient) {
    outlast_a_lease(pair, client).await;
    pair.redis().resume();
}

/// Pauses the store. `client` shows that its node works meanwhile.
async fn outlast_a_lease(pair: &mut Pair, client: &mut TestClient) {
    pair.redis().pause();
    let fleet = &pair.one.node.fleet;
    let gone_until = fleet.now().plus(fleet.lease() + Duration::from_secs(1));
    // The node's estimate of the store's time says when the pause has outlasted the lease.
    while fleet.now() < gone_until {
        tokio::task::yield_now().await;
        client.send("PING x").await;
        client.expect(|line| line.contains(" PONG ")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_while_the_store_is_away_is_answered_with_a_failure() {
    let mut pair = Pair::start(SHORT).await;
    pair.one.account("ann", "secret").await;
    let mut client = pair.one.connect().await;
    client.send("CAP REQ :sasl").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    pair.redis().kill();
    client.send(&format!("AUTHENTICATE {}", STANDARD.encode("\0ann\0secret"))).await;
    let answer = client.expect(|line| line.contains(" 904 ") || line.contains("FAIL")).await;
    assert!(answer.contains(" 904 ") && answer.contains("store cannot be reached"), "{answer}");
}

async fn room_of_two(pair: &Pair) -> (TestClient, TestClient) {
    let mut ann = pair.one.client("ann").await;
    let mut bob = pair.two.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    (ann, bob)
}

/// Each still holds its name and gets private messages: no sweep took what was moved to a new incarnation.
async fn names_still_stand(ann: &mut TestClient, bob: &mut TestClient) {
    for ann_asks in [true, false] {
        let (asker, other) = if ann_asks { (&mut *ann, &mut *bob) } else { (&mut *bob, &mut *ann) };
        let answer = ask_until_done(asker, &format!("WHOIS {}", other.nick)).await;
        assert!(answer.iter().any(|said| said.command == "311"), "{answer:?}");
        let answer = ask_until_done(asker, &format!("PRIVMSG {} :still here?", other.nick)).await;
        assert!(answer.is_empty(), "{answer:?}");
        other.expect(|line| line.ends_with(":still here?")).await;
    }
}

/// The answer once the store does not refuse any more: a node has several connections to it, and they come back one by one.
async fn ask_until_done(client: &mut TestClient, line: &str) -> Vec<Said> {
    loop {
        let answer = client.ask(line).await;
        if answer.iter().all(|said| said.command != "NOTICE") {
            return answer;
        }
    }
}

/// The two talk again as soon as the store is back for their nodes, and neither saw the other go.
async fn talk_again(ann: &mut TestClient, bob: &mut TestClient) {
    say_until_heard(ann, bob).await;
    say_until_heard(bob, ann).await;
    names_still_stand(ann, bob).await;
}

/// Says something again and again until the server does not refuse it, and awaits it on the other side.
async fn say_until_heard(speaker: &mut TestClient, hearer: &mut TestClient) {
    for number in 0.. {
        let text = format!("{} is back, {number}", speaker.nick);
        let answer = speaker.ask(&format!("PRIVMSG #room :{text}")).await;
        assert!(
            answer.iter().all(|said| !matches!(said.command.as_str(), "QUIT" | "PART" | "ERROR")),
            "{answer:?}"
        );
        if answer.iter().any(|said| said.command == "NOTICE") {
            continue;
        }
        let heard = hearer.expect(|line| {
            assert!(!line.contains(" QUIT ") && !line.contains(" PART "), "{line}");
            line.ends_with(&text)
        });
        heard.await;
        return;
    }
}
