//! What it costs nodes to hear of all rooms over one global channel and to filter locally, against one sharded channel for
//! each room that a node needs; on a real `redis-server`:
//! `cargo run --release --example sharded_channels -- [nodes] [messages]`.
//!
//! Each room has members on one node. Only what the two ways differ in is measured: publishing, delivery, and finding out
//! whether a message is for this node.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use stentor_testing::RedisServer;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        arguments.next().map_or(default, |text| text.parse().expect("how many nodes, and how many messages"))
    };
    let (nodes, messages) = (number(8), number(200_000));
    println!("{messages} messages of {} bytes in {ROOMS} rooms, {nodes} nodes", body(0).len());
    for way in [Way::Global, Way::Sharded] {
        let redis = RedisServer::start();
        let before = redis_cpu(&redis);
        let (taken, heard) = run(way, &redis, nodes, messages);
        let cpu: Duration = heard.iter().map(|node| node.cpu).sum();
        let bytes: usize = heard.iter().map(|node| node.bytes).sum();
        println!(
            "{way:?}: {:.0} messages/s; each node received {} MiB and used {:?} of CPU; Redis used {:?}",
            messages as f64 / taken.as_secs_f64(),
            (bytes / nodes) >> 20,
            cpu / u32::try_from(nodes).expect("a few nodes"),
            redis_cpu(&redis).saturating_sub(before)
        );
    }
}

/// How messages find the nodes that need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Everything to everybody.
    Global,
    /// Each room on a channel of its own.
    Sharded,
}

/// What one node spent.
struct Heard {
    bytes: usize,
    cpu: Duration,
}

/// Publishes everything and waits until all nodes have what they need.
fn run(way: Way, redis: &RedisServer, nodes: usize, messages: usize) -> (Duration, Vec<Heard>) {
    let ready = Barrier::new(nodes + 1);
    thread::scope(|scope| {
        let listening: Vec<_> = (0..nodes)
            .map(|node| {
                let ready = &ready;
                scope.spawn(move || listen(way, redis, node, nodes, messages, ready))
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        publish(way, redis, messages);
        let heard = listening.into_iter().map(|node| node.join().expect("a node hears everything")).collect();
        (start.elapsed(), heard)
    })
}

fn listen(
    way: Way,
    redis: &RedisServer,
    node: usize,
    nodes: usize,
    messages: usize,
    ready: &Barrier,
) -> Heard {
    let own: HashSet<String> = (0..ROOMS).filter(|room| room % nodes == node).map(room_name).collect();
    let mut stream = BufReader::new(connect(redis));
    let (command, channels): (_, Vec<&str>) = match way {
        Way::Global => ("SUBSCRIBE", vec![GLOBAL]),
        Way::Sharded => ("SSUBSCRIBE", own.iter().map(String::as_str).collect()),
    };
    for channel in &channels {
        let call = [command.as_bytes(), channel.as_bytes()];
        stream.get_mut().write_all(&encode(&call)).expect("Redis takes it");
        let (mut kind, mut rest) = (Vec::new(), Vec::new());
        read_push(&mut stream, &mut kind, &mut rest);
    }
    ready.wait();
    let before = thread_cpu();
    let wanted = (0..messages).filter(|number| number % ROOMS % nodes == node).count();
    let (mut found, mut bytes) = (0, 0);
    let (mut channel, mut body) = (Vec::new(), Vec::new());
    while found < wanted {
        bytes += read_push(&mut stream, &mut channel, &mut body);
        let room = body.split(|byte| *byte == b' ').next().unwrap_or_default();
        // Either way the node looks up its copy of the room.
        found += usize::from(std::str::from_utf8(room).is_ok_and(|room| own.contains(room)));
    }
    Heard { bytes, cpu: thread_cpu().saturating_sub(before) }
}

fn publish(way: Way, redis: &RedisServer, messages: usize) {
    let mut stream = BufReader::new(connect(redis));
    let numbers: Vec<usize> = (0..messages).collect();
    let mut reply = String::new();
    for batch in numbers.chunks(BATCH) {
        let mut calls = Vec::new();
        for number in batch {
            let (name, body) = (room_name(number % ROOMS), body(number % ROOMS));
            let (command, channel) = match way {
                Way::Global => ("PUBLISH", GLOBAL),
                Way::Sharded => ("SPUBLISH", name.as_str()),
            };
            calls.extend(encode(&[command.as_bytes(), channel.as_bytes(), body.as_bytes()]));
        }
        stream.get_mut().write_all(&calls).expect("Redis takes it");
        for _ in batch {
            reply.clear();
            stream.read_line(&mut reply).expect("Redis answers");
            assert!(reply.starts_with(':'), "{reply}");
        }
    }
}

fn connect(redis: &RedisServer) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", redis.port())).expect("Redis listens");
    stream.set_nodelay(true).expect("TCP has this option");
    stream
}

fn encode(call: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", call.len()).into_bytes();
    for word in call {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Reads one push of three parts: its kind, the channel, and the body or a number. Returns its size.
fn read_push(stream: &mut impl BufRead, channel: &mut Vec<u8>, body: &mut Vec<u8>) -> usize {
    let mut line = String::new();
    let mut size = stream.read_line(&mut line).expect("Redis sends");
    assert_eq!(line, "*3\r\n");
    let mut kind = Vec::new();
    for part in [&mut kind, channel, body] {
        line.clear();
        size += stream.read_line(&mut line).expect("Redis sends");
        part.clear();
        if let Some(length) = line.strip_prefix('$') {
            let length: usize = length.trim_end().parse().expect("Redis sends lengths");
            part.resize(length + 2, 0);
            stream.read_exact(part).expect("Redis sends");
            part.truncate(length);
            size += length + 2;
        }
    }
    size
}

fn room_name(room: usize) -> String {
    format!("{{c/#room{room}}}:p")
}

fn body(room: usize) -> String {
    let line =
        "@account=alice :alice!~alice@user/alice PRIVMSG #room :The quick brown fox jumps over the lazy dog";
    format!("{} {line:<180}", room_name(room))
}

/// How long this thread has run (Linux alone tells).
fn thread_cpu() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

fn redis_cpu(redis: &RedisServer) -> Duration {
    let told = redis.cli(&["INFO", "cpu"]);
    let of = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let seconds = of("used_cpu_sys:").unwrap_or_default() + of("used_cpu_user:").unwrap_or_default();
    Duration::from_secs_f64(seconds)
}

const GLOBAL: &str = "global_chat_events";
const ROOMS: usize = 64;
/// How many messages are on their way to Redis at once.
const BATCH: usize = 500;
