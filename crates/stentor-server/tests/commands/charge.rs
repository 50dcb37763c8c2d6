//! What commands cost that name many targets at once.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stentor_testing::TestServer;

/// How long a client that may send twenty lines a second, and none ahead, waits for its PONG after this line.
async fn wait_after(line: &str) -> Duration {
    let settings = [("limits.lines_per_second", "20"), ("limits.burst", "1")];
    let server = TestServer::start_with(&settings).await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    let asked = Instant::now();
    ann.ask(line).await;
    asked.elapsed()
}

fn names(prefix: &str, count: usize, separator: char) -> String {
    let mut list = format!("{prefix}0");
    for n in 1..count {
        let _ = write!(list, "{separator}{prefix}{n}");
    }
    list
}

#[tokio::test]
async fn one_line_with_many_targets_costs_what_many_lines_do() {
    for (line, lines) in [
        (format!("JOIN {}", names("#x", 12, ',')), 12),
        (format!("PART {}", names("#x", 12, ',')), 12),
        (format!("KICK #room {}", names("x", 12, ',')), 12),
        (format!("MONITOR + {}", names("x", 21, ',')), 2 + 5),
        (format!("ISON {}", names("x", 21, ' ')), 2 + 5),
        (format!("USERHOST {}", names("x", 5, ' ')), 2),
    ] {
        let waited = wait_after(&line).await;
        assert!(waited >= Duration::from_millis(50) * lines, "{line}: {waited:?}");
    }
}
