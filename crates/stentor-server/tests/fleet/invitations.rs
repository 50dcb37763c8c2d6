//! Invitations: as many uses as they were made with, whichever nodes they are brought to.

use tokio::task::JoinSet;

use super::Pair;
use stentor_testing::{Said, TestServer};

const INVITE: &[(&str, &str)] = &[("accounts.required", "true"), ("accounts.registration", "'invite'")];

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_race_for_a_last_use_on_two_nodes_one_gets_an_account() {
    let pair = Pair::start(INVITE).await;
    for round in 0..10 {
        let (code, _) = pair.one.node.invites.create(1, None, "operator").await.expect("it is made");
        let mut racers = JoinSet::new();
        for (server, name) in [(&pair.one, "ann"), (&pair.two, "bob")] {
            racers.spawn(race(server, format!("{name}{round}"), code.reveal().to_owned()).await);
        }
        let mut outcomes = racers.join_all().await;
        outcomes.sort();
        assert_eq!(outcomes, ["INVALID_INVITATION", "SUCCESS"], "round {round}");
        let accounts = pair.two.node.accounts.count().await.expect("the store answers");
        assert_eq!(accounts, round + 1);
    }
}

/// A client that is ready to make an account, and then does.
async fn race(
    server: &TestServer,
    name: String,
    code: String,
) -> impl Future<Output = String> + Send + 'static {
    let mut client = server.connect().await;
    client.send("CAP REQ :standard-replies").await;
    client.send(&format!("PASS invite:{code}")).await;
    client.send(&format!("NICK {name}")).await;
    client.drain_until_pong().await;
    async move {
        client.send("REGISTER * * secret").await;
        let answers = |line: &str| matches!(Said::new(line).command.as_str(), "REGISTER" | "FAIL");
        let answer = Said::new(client.expect(answers).await);
        let index = usize::from(answer.command == "FAIL");
        answer.param(index).to_owned()
    }
}
