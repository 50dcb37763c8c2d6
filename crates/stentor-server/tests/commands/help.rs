//! HELP and HELPOP.

use stentor_server::command::TABLE;

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn the_index_names_every_command() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    for name in ["HELP", "HELPOP"] {
        let lines = ann.ask(name).await;
        assert_eq!(lines.first().map(|line| line.command.as_str()), Some("704"));
        assert_eq!(lines.last().map(|line| line.command.as_str()), Some("706"));
        let texts: Vec<&str> = command(&lines, "705").iter().map(|line| line.text()).collect();
        for row in TABLE {
            let named = |text: &&str| text.split(' ').next() == Some(row.name);
            assert!(texts.iter().any(named), "{} is missing in {texts:?}", row.name);
        }
    }
}

#[tokio::test]
async fn one_command_is_explained_whatever_its_case() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("HELP privmsg").await;
    let commands: Vec<&str> = lines.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["704", "705", "706"]);
    assert!(lines.iter().all(|line| line.param(1) == "PRIVMSG"));
    let lines = ann.ask("HELP uban").await;
    assert!(command(&lines, "705").iter().any(|line| line.text().contains("a number alone is in minutes")));
    assert_eq!(numeric(&ann.ask("HELP nonsense").await, "524").param(1), "nonsense");
}

#[test]
fn rows_are_in_order_and_explained() {
    assert!(TABLE.is_sorted_by(|left, right| left.name < right.name));
    for row in TABLE {
        assert!(row.help.0.starts_with(row.name), "{}", row.name);
        assert!(row.help.1.ends_with('.'), "{}", row.name);
    }
}
