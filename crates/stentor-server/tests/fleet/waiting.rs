//! Private messages that wait for an account, whichever node its next login is on.

use super::Pair;
use stentor_testing::{Said, TestClient, TestServer, numeric};

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_is_delivered_on_one_node_and_not_again_on_the_other() {
    let pair = Pair::start(&[]).await;
    pair.one.account("carl", "secret").await;
    let mut ann = pair.two.client("ann").await;
    ann.ask("PRIVMSG carl :one").await;
    ann.ask("PRIVMSG carl :two").await;
    let (mut carl, lines) = login(&pair.one).await;
    assert_eq!(texts(&lines), ["one", "two"]);
    carl.ask(&format!("PONG {}", numeric(&lines, "PING").text())).await;
    ann.ask("PRIVMSG carl :three").await;
    assert_eq!(carl.expect_numeric("PRIVMSG").await.text(), "three");
    carl.send("QUIT").await;
    carl.expect_closed().await;
    ann.ask("PRIVMSG carl :four").await;
    let (_carl, lines) = login(&pair.two).await;
    assert_eq!(texts(&lines), ["four"]);
}

/// Nothing is lost and nothing comes twice or out of order, though messages come in all the while.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_in_the_middle_of_a_conversation_misses_nothing() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.two.client("ann").await;
    for round in 0..ROUNDS {
        let name = format!("carl{round}");
        pair.one.account(&name, "secret").await;
        // Enough waits for the log's reading to take a while.
        for number in 0..BEFORE {
            ann.ask(&format!("PRIVMSG {name} :{number}")).await;
        }
        let speaking = async {
            for number in BEFORE..COUNT {
                ann.ask(&format!("PRIVMSG {name} :{number}")).await;
            }
        };
        let hearing = async {
            let mut carl = pair.one.connect().await;
            let lines = carl.register(&name, Some("secret"), &[]).await;
            let mut heard: Vec<String> = texts(&lines).into_iter().map(str::to_owned).collect();
            while heard.len() < COUNT {
                heard.push(carl.expect_numeric("PRIVMSG").await.text().to_owned());
            }
            heard
        };
        let ((), heard) = tokio::join!(speaking, hearing);
        let wanted: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
        assert_eq!(heard, wanted, "round {round}");
    }
}

async fn login(server: &TestServer) -> (TestClient, Vec<Said>) {
    let mut carl = server.connect().await;
    let lines = carl.register("carl", Some("secret"), &[]).await;
    (carl, lines)
}

fn texts(lines: &[Said]) -> Vec<&str> {
    lines.iter().filter(|line| line.command == "PRIVMSG").map(Said::text).collect()
}

const ROUNDS: usize = 20;
const BEFORE: usize = 20;
const COUNT: usize = 60;
