//! Connections: deadlines, rates, and what arrives that is no proper line.

use std::time::{Duration, Instant};

use stentor_testing::{Said, TestServer, command, numeric};

#[tokio::test]
async fn who_does_not_register_in_time_is_closed_and_nobody_else() {
    let server = TestServer::start_with(&[("limits.registration_timeout", "'6s'")]).await;
    let mut ann = server.client("ann").await;
    let mut nobody = server.connect().await;
    nobody.send("NICK nobody").await;
    let last = nobody.expect_closed().await;
    assert_eq!(numeric(&last, "ERROR").text(), "Registration timed out");
    ann.drain_until_pong().await;
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_does_not_is_closed() {
    let settings = [("limits.ping_interval", "'500ms'"), ("limits.ping_timeout", "'5s'")];
    let server = TestServer::start_with(&settings).await;
    let mut ann = server.client("ann").await;
    for _ in 0..3 {
        let ping = ann.expect_numeric("PING").await;
        ann.send(&format!("PONG :{}", ping.text())).await;
    }
    let last = ann.expect_closed().await;
    assert_eq!(command(&last, "PING").len(), 1);
    assert!(numeric(&last, "ERROR").text().starts_with("Ping timeout: "), "{last:?}");
}

#[tokio::test]
async fn a_burst_passes_and_the_rest_comes_slowly_and_whole() {
    let settings = [("limits.lines_per_second", "4"), ("limits.burst", "20")];
    let server = TestServer::start_with(&settings).await;
    let start = Instant::now();
    // This takes six of the twenty: NICK costs two.
    let mut ann = server.client("ann").await;
    let welcomed = start.elapsed();
    let lines: String = (0..20).map(|number| format!("PING {number}\r\n")).collect();
    ann.send_bytes(lines.as_bytes()).await;
    let mut arrived = Vec::new();
    for number in 0..20 {
        let pong = ann.next().await;
        assert_eq!(Said::new(pong).text(), number.to_string());
        arrived.push(start.elapsed());
    }
    // Without a burst the last of them would come after five seconds; with no limit after it, at once.
    assert!(arrived[13] - welcomed < Duration::from_secs(3), "{welcomed:?}, {arrived:?}");
    assert!(arrived[19] >= Duration::from_millis(1500), "{arrived:?}");
}

#[tokio::test]
async fn what_is_no_proper_line_is_refused_and_the_next_one_read() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["standard-replies"]).await;
    let mut bob = server.client("bob").await;
    let cases: [(&[u8], [&str; 2]); 5] = [
        (b"PRIVMSG bob :a\0b\r\n", ["*", "INVALID_MESSAGE"]),
        (b"PRIVMSG bob :a\rQUIT\r\n", ["*", "INVALID_MESSAGE"]),
        (b"PRIVMSG bob :\xff\xfe\r\n", ["PRIVMSG", "INVALID_UTF8"]),
        (b"privmsg bob :caf\xe9\r\n", ["PRIVMSG", "INVALID_UTF8"]),
        (b"\xff bob :caf\xe9\r\n", ["*", "INVALID_UTF8"]),
    ];
    for (bytes, failure) in cases {
        ann.send_bytes(bytes).await;
        assert_eq!(numeric(&ann.drain_until_pong().await, "FAIL").params[..2], failure);
    }
    ann.send_bytes(b"\r\n\n \r\n").await;
    assert!(ann.drain_until_pong().await.is_empty());
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn the_longest_line_passes_and_a_longer_one_does_not() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    // 510 bytes and the line end; the text is cut for its readers, whose line has a source.
    let longest = format!("{:b<510}", "PRIVMSG bob :");
    assert!(ann.ask(&longest).await.is_empty());
    numeric(&bob.drain_until_pong().await, "PRIVMSG");
    numeric(&ann.ask(&format!("{longest}b")).await, "417");
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn a_line_without_an_end_is_one_line_too_long() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    for _ in 0..100 {
        ann.send_bytes(&[b'x'; 1000]).await;
    }
    ann.send_bytes(b"\r\n").await;
    let lines = ann.drain_until_pong().await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    numeric(&lines, "417");
}

#[tokio::test]
async fn what_was_sent_right_before_the_end_is_still_done() {
    let server = TestServer::start().await;
    let mut bob = server.client("bob").await;
    let mut ann = server.client("ann").await;
    bob.ask("JOIN #room").await;
    ann.ask("JOIN #room").await;
    bob.drain_until_pong().await;
    let lines: String = (0..20).map(|number| format!("PRIVMSG #room :{number}\r\n")).collect();
    ann.send_bytes(lines.as_bytes()).await;
    drop(ann);
    let seen = bob.collect_until("QUIT").await;
    let texts: Vec<&str> = command(&seen, "PRIVMSG").iter().map(|line| line.text()).collect();
    assert_eq!(texts, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_cut_off_and_hurts_nobody_else() {
    const BOUND: usize = 64 << 10;
    let server = TestServer::start_with(&[("limits.send_queue", "'64KiB'")]).await;
    let mut speaker = server.client("speaker").await;
    let mut reader = server.client("reader").await;
    let mut slow = server.client("slow").await;
    for client in [&mut speaker, &mut reader, &mut slow] {
        client.ask("JOIN #room").await;
    }
    speaker.drain_until_pong().await;
    reader.drain_until_pong().await;
    let queue = server.node.clients.by_nick("slow").expect("it is here");
    let (mut said, mut heard, mut quit) = (0, 0, None);
    while queue.queue.closed().is_none() {
        for _ in 0..100 {
            speaker.send(&format!("PRIVMSG #room :{said} {}", "x".repeat(400))).await;
            said += 1;
        }
        speaker.drain_until_pong().await;
        assert!(queue.queue.bytes() <= BOUND);
        for line in reader.drain_until_pong().await {
            match line.command.as_str() {
                "PRIVMSG" => {
                    assert!(line.text().starts_with(&format!("{heard} ")), "{line:?}");
                    heard += 1;
                }
                "QUIT" => quit = Some(line),
                _ => panic!("{line:?}"),
            }
        }
        assert_eq!(heard, said);
    }
    let quit = match quit {
        Some(quit) => quit,
        None => reader.expect_numeric("QUIT").await,
    };
    assert!(quit.source.starts_with("slow!"), "{quit:?}");
    assert_eq!(quit.text(), "SendQ exceeded");
}

#[tokio::test]
async fn who_never_held_anything_ends_without_a_write() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let before = line.attempts();
    let mut nobody = server.connect().await;
    nobody.send("CAP LS 302").await;
    nobody.quit().await;
    assert_eq!(line.attempts(), before);
}
