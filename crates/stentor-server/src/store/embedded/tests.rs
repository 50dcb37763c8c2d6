//! The conformance suite on this store, and what is this store's own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use async_trait::async_trait;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::{self, Harness};
use crate::store::{By, Change, Entry, Event, Failure, Guard, Life, Outcome, Size};

/// Stores in directories of their own, with room for `limit` partitions in memory.
struct Fresh {
    directories: Mutex<Vec<TempDir>>,
    limit: usize,
}

#[async_trait]
impl Harness for Fresh {
    async fn open(&self) -> Vec<Arc<dyn Store>> {
        let directory = tempfile::tempdir().expect("a directory");
        let store =
            EmbeddedStore::open_keeping(directory.path(), OpenMode::Create, Durability::Normal, self.limit);
        self.directories.lock().expect("no test panicked here").push(directory);
        vec![store.expect("it opens")]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    conformance::run_all(&Fresh { directories: Mutex::default(), limit: PARTITIONS }).await;
}

/// Nearly every commit reads its partition from the file again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_with_next_to_no_memory() {
    conformance::run_all(&Fresh { directories: Mutex::default(), limit: 4 }).await;
}

fn open(directory: &TempDir) -> Arc<EmbeddedStore> {
    EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal).expect("it opens")
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A commit of `a@1` that only guards nothing and says `text`.
fn says(partition: &Partition, life: Life, number: u64, text: &str) -> Commit {
    Commit {
        partition: partition.clone(),
        life,
        guards: Vec::new(),
        changes: Vec::new(),
        lines: vec![format!(":a!u@h PRIVMSG #x :{text}")],
        by: By { writer: Writer::new("a", 1), number },
        deadline: StoreTime(u64::MAX),
    }
}

fn with(mut commit: Commit, changes: Vec<Change>) -> Commit {
    commit.changes = changes;
    commit
}

fn set(name: &str, value: &str) -> Change {
    Change::Set(name.into(), value.into())
}

fn member(id: &str, value: &str) -> Change {
    Change::SetMember(id.into(), value.into())
}

async fn commit(store: &EmbeddedStore, commit: Commit) -> Arc<Entry> {
    match store.commit(commit).await {
        Ok(Outcome::Committed(entry)) => entry,
        other => panic!("it ended as {other:?}"),
    }
}

async fn log(store: &EmbeddedStore, partition: &Partition, epoch: Epoch) -> Vec<Arc<Entry>> {
    store.read(partition, epoch, Range::Latest, usize::MAX).await.expect("a log").entries
}

/// Direct access, as `sqlite3` has it.
fn sql(store: &EmbeddedStore, statements: &str) {
    let connection = Connection::open(store.path()).expect("it opens");
    connection.execute_batch(statements).expect("the statements are right");
}

const EPOCH: Epoch = Epoch(7);

#[tokio::test]
async fn reopening_keeps_fields_and_logs_and_forgets_who_was_there() {
    let directory = directory();
    let room = Partition::channel("#x");
    let gone = [Partition::nick("a"), Partition::index(&Writer::new("a", 1)), Partition::guest("7f")];
    let store = open(&directory);
    let begin = says(&room, Life::Begin(EPOCH), 1, "one");
    commit(&store, with(begin, vec![set("topic", "t"), set("~key", "k"), member("7f", "token")])).await;
    for (number, partition) in (10..).zip(&gone) {
        commit(&store, says(partition, Life::Begin(EPOCH), number, "here")).await;
    }
    commit(&store, says(&room, Life::Within(EPOCH), 20, "two")).await;
    let before = store.snapshot(&room).await.expect("it answers").expect("it exists");
    let logged = log(&store, &room, EPOCH).await;
    store.close().await;

    let store = open(&directory);
    let after = store.snapshot(&room).await.expect("it answers").expect("it exists");
    assert_eq!(before.members.len(), 1);
    assert_eq!(after, Snapshot { members: Vec::new(), ..before });
    assert_eq!(store.peek_one(&room, &["~key"]).await.expect("a peek").fields, [Some("k".into())]);
    assert_eq!(log(&store, &room, EPOCH).await, logged);
    for partition in &gone {
        assert_eq!(store.snapshot(partition).await, Ok(None), "{partition}");
    }
    // A process that has just begun numbers its commits from the start; the chain goes on.
    let mut next = says(&room, Life::Within(EPOCH), 1, "three");
    next.guards = vec![Guard::Size(Size::Exactly(0))];
    let next = commit(&store, next).await;
    assert_eq!(next.previous.as_ref(), Some(&after.last));
}

#[tokio::test]
async fn ids_go_on_where_the_clock_went_back_between_two_processes() {
    let directory = directory();
    let room = Partition::channel("#x");
    let store = open(&directory);
    let first = commit(&store, says(&room, Life::Begin(EPOCH), 1, "from the future")).await;
    sql(&store, "UPDATE entries SET ms = ms + 1000000000");
    store.close().await;
    let store = open(&directory);
    let next = commit(&store, says(&room, Life::Within(EPOCH), 1, "now")).await;
    assert_eq!((next.id.ms, next.id.seq), (first.id.ms + 1_000_000_000, first.id.seq + 1));
}

const CHILD: &str = "STENTOR_TEST_STORE";

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let store =
        EmbeddedStore::open(Path::new(&path), OpenMode::Create, Durability::Normal).expect("it opens");
    let room = Partition::channel("#x");
    commit(&store, says(&room, Life::Begin(EPOCH), 1, "begin")).await;
    for number in (2..).step_by(10) {
        let commits = (number..number + 10).map(|n| says(&room, Life::Within(EPOCH), n, &n.to_string()));
        let waiting: Vec<_> = commits.map(|commit| store.commit(commit)).collect();
        for (number, future) in (number..).zip(waiting) {
            let outcome = future.await.expect("it is stored");
            println!("\nacknowledged {number} {}", outcome.id().expect("it is committed"));
        }
    }
}

#[tokio::test]
async fn acknowledged_commits_survive_a_killed_process() {
    let directory = directory();
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "store::embedded::tests::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut acknowledged = Vec::new();
    for line in lines.map_while(Result::ok) {
        if let Some(told) = line.strip_prefix("acknowledged ") {
            acknowledged.push(told.to_owned());
        }
        if acknowledged.len() == 500 {
            child.kill().expect("it is killed");
        }
    }
    child.wait().expect("it has ended");
    assert!(acknowledged.len() >= 500, "the child ended by itself");

    let store = EmbeddedStore::open(directory.path(), OpenMode::Existing, Durability::Normal)
        .expect("its lock is gone");
    let log = log(&store, &Partition::channel("#x"), EPOCH).await;
    let logged: Vec<String> = log.iter().map(|entry| format!("{} {}", entry.by.number, entry.id)).collect();
    for told in &acknowledged {
        assert_eq!(logged.iter().filter(|line| *line == told).count(), 1, "{told}");
    }
    assert!(log.windows(2).all(|pair| pair[1].previous == Some(pair[0].link())), "the chain is whole");
}

#[tokio::test]
async fn a_dropped_store_finishes_what_was_handed_over() {
    let directory = directory();
    let room = Partition::channel("#x");
    let store = open(&directory);
    drop(store.commit(says(&room, Life::Begin(EPOCH), 1, "begin")));
    drop(store.commit(says(&room, Life::Within(EPOCH), 2, "said")));
    drop(store);
    assert_eq!(log(&open(&directory), &room, EPOCH).await.len(), 2);
}

fn refused(path: &Path, mode: OpenMode) -> (OpenError, String) {
    let error = EmbeddedStore::open(path, mode, Durability::Normal).expect_err("it does not open");
    let text = error.to_string();
    assert!(text.contains(path.to_str().expect("a name in UTF-8")), "{text}");
    (error, text)
}

#[tokio::test]
async fn a_directory_has_one_user_at_a_time() {
    let directory = directory();
    let store = open(&directory);
    let (error, text) = refused(directory.path(), OpenMode::Existing);
    assert!(matches!(error, OpenError::Locked { pid, .. } if pid == Some(std::process::id())), "{text}");
    assert!(text.contains("in use by another process"), "{text}");
    store.close().await;
    open(&directory).close().await;
}

#[test]
fn a_lock_is_free_at_once_though_a_process_that_is_being_started_still_has_a_copy_of_it() {
    let directory = directory();
    let lock = DirectoryLock::take(directory.path()).expect("it is free");
    let inherited = lock.file.try_clone().expect("a descriptor can be copied");
    drop(lock);
    DirectoryLock::take(directory.path()).expect("it is free again");
    drop(inherited);
}

#[test]
fn nothing_is_made_where_a_store_must_exist() {
    let directory = directory();
    let missing = directory.path().join("missing");
    for path in [directory.path(), &missing] {
        let (error, text) = refused(path, OpenMode::Existing);
        assert!(matches!(error, OpenError::NotFound(_)), "{text}");
    }
    assert_eq!(directory.path().read_dir().expect("a listing").count(), 0);
}

#[tokio::test]
async fn what_is_made_is_private() {
    let directory = directory();
    let path = directory.path().join("a/b");
    let store = EmbeddedStore::open(&path, OpenMode::Create, Durability::Full).expect("it opens");
    commit(&store, says(&Partition::fleet(), Life::Begin(EPOCH), 1, "begin")).await;
    let mode = |path: &Path| path.metadata().expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<PathBuf> =
        path.read_dir().expect("a listing").map(|file| file.expect("a file").path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert!(store.describe().contains("synchronous FULL"));
}

#[test]
fn what_cannot_be_used_says_so() {
    let directory = directory();
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("it is written");
    for path in [&file, &file.join("below")] {
        let (error, text) = refused(path, OpenMode::Create);
        assert!(matches!(error, OpenError::NotWritable { .. }), "{text}");
    }
    let folder = directory.path().join("stentor.db");
    std::fs::create_dir(&folder).expect("it is made");
    let (error, text) = refused(directory.path(), OpenMode::Create);
    assert!(matches!(error, OpenError::NotWritable { path, .. } if path == folder), "{text}");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let directory = directory();
    let store = open(&directory);
    store.close().await;
    sql(&store, "PRAGMA user_version = 99");
    for _ in 0..2 {
        let (error, text) = refused(directory.path(), OpenMode::Create);
        assert!(matches!(error, OpenError::NewerFormat { found: 99, known: 1, .. }), "{text}");
        assert!(text.contains("newer version of Stentor (format 99; this one knows up to 1)"), "{text}");
    }
}

#[test]
fn what_is_no_store_is_refused() {
    let directory = directory();
    let path = directory.path().join("stentor.db");
    std::fs::write(&path, "Not a database, and long enough to be seen as something else. ".repeat(100))
        .expect("it is written");
    let (error, text) = refused(directory.path(), OpenMode::Create);
    assert!(matches!(error, OpenError::Damaged { .. }), "{text}");

    std::fs::remove_file(&path).expect("it is there");
    Connection::open(&path).expect("it opens").execute_batch("CREATE TABLE other (a)").expect("it is made");
    let (error, text) = refused(directory.path(), OpenMode::Create);
    assert!(matches!(error, OpenError::Damaged { .. }), "{text}");
}

#[tokio::test]
async fn a_damaged_partition_stops_nobody_else() {
    let directory = directory();
    let (broken, whole) = (Partition::channel("#broken"), Partition::channel("#whole"));
    let store = open(&directory);
    commit(&store, says(&broken, Life::Begin(EPOCH), 1, "begin")).await;
    sql(&store, "UPDATE partitions SET epoch = 'x'");
    store.close().await;
    let store = open(&directory);
    let together = [
        store.commit(says(&broken, Life::Within(EPOCH), 1, "hi")),
        store.commit(says(&whole, Life::Begin(EPOCH), 2, "begin")),
    ];
    let [broken_one, whole_one] = together;
    assert!(matches!(broken_one.await, Err(StoreError::Refused(why)) if why.contains("damaged")));
    assert!(matches!(whole_one.await, Ok(Outcome::Committed(_))));
    assert!(matches!(store.snapshot(&broken).await, Err(StoreError::Refused(_))));
}

/// Records events; the first one waits until it is let go.
#[derive(Debug)]
struct Gate {
    events: Mutex<Vec<Event>>,
    entered: SyncSender<()>,
    leave: Mutex<Receiver<()>>,
}

impl Gate {
    /// The gate, and where it tells that an event has come and is told to let it go.
    fn new() -> (Arc<Self>, Receiver<()>, SyncSender<()>) {
        let (entered, has_entered) = sync_channel(1);
        let (let_go, leave) = sync_channel(1);
        (Arc::new(Self { events: Mutex::default(), entered, leave: Mutex::new(leave) }), has_entered, let_go)
    }

    fn count(&self) -> usize {
        self.events.lock().expect("no panic here").len()
    }
}

impl Sink for Gate {
    fn deliver(&self, event: Event) {
        let mut events = self.events.lock().expect("no panic here");
        events.push(event);
        if events.len() == 1 {
            drop(events);
            let _told = self.entered.try_send(());
            let _gone = self.leave.lock().expect("no panic here").recv();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let directory = directory();
    let (room, watched) = (Partition::channel("#x"), Partition::channel("#watched"));
    let store = open(&directory);
    let (gate, entered, let_go) = Gate::new();
    store.attach(gate);
    store.watch(&watched).await.expect("it can be watched");
    let first = store.commit(says(&watched, Life::Begin(EPOCH), 1, "begin"));
    tokio::task::spawn_blocking(move || entered.recv())
        .await
        .expect("it ran")
        .expect("the writer is held up");

    let begin = store.commit(says(&room, Life::Begin(EPOCH), 2, "begin"));
    let waiting: Vec<_> =
        (3..).take(QUEUE).map(|n| store.commit(says(&room, Life::Within(EPOCH), n, "hi"))).collect();
    let mut waiting = waiting.into_iter();
    let refused = waiting.next_back().expect("there are some").await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");

    let_go.send(()).expect("it waits");
    for future in [first, begin].into_iter().chain(waiting) {
        assert!(matches!(future.await, Ok(Outcome::Committed(_))));
    }
    assert_eq!(log(&store, &room, EPOCH).await.len(), QUEUE);
}

/// Commits are handed over while the writer is held up, so that they make one batch. One of them cannot be written.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_batch_leaves_no_trace() {
    let directory = directory();
    let (room, nick, watched) =
        (Partition::channel("#x"), Partition::nick("a"), Partition::channel("#watched"));
    let store = open(&directory);
    commit(
        &store,
        with(says(&room, Life::Begin(EPOCH), 1, "begin"), vec![set("topic", "old"), member("7f", "m")]),
    )
    .await;
    sql(
        &store,
        "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.body LIKE '%poison%'
         BEGIN SELECT RAISE(ABORT, 'no space'); END",
    );
    let before = store.snapshot(&room).await;
    let (gate, entered, let_go) = Gate::new();
    store.attach(gate.clone());
    for partition in [&room, &nick, &watched] {
        store.watch(partition).await.expect("it can be watched");
    }
    let first = store.commit(says(&watched, Life::Begin(EPOCH), 1, "begin"));
    tokio::task::spawn_blocking(move || entered.recv())
        .await
        .expect("it ran")
        .expect("the writer is held up");

    let good = with(says(&room, Life::Within(EPOCH), 2, "hi"), vec![set("topic", "new"), member("80", "n")]);
    let claim = says(&nick, Life::Begin(EPOCH), 3, "claim");
    let poison = says(&room, Life::Within(EPOCH), 4, "poison");
    let late = says(&room, Life::Within(EPOCH), 5, "late");
    let batch: Vec<_> = [&good, &claim, &poison, &late].map(|commit| store.commit(commit.clone())).into();
    let_go.send(()).expect("it waits");
    assert!(matches!(first.await, Ok(Outcome::Committed(_))));
    for future in batch {
        let refused = future.await;
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("no space")),
            "{refused:?}"
        );
    }
    assert_eq!(gate.count(), 1, "nothing of it was delivered");
    assert_eq!(store.snapshot(&room).await, before);
    assert_eq!(store.snapshot(&nick).await, Ok(None));
    assert_eq!(log(&store, &room, EPOCH).await.len(), 1);

    // Space returns, and the same commits run under their own numbers.
    sql(&store, "DROP TRIGGER full");
    for commit in [good, claim, poison, late] {
        let outcome = store.commit(commit).await;
        assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
    }
    assert_eq!(gate.count(), 5);
    let (lived, logged) = (store.snapshot(&room).await, log(&store, &room, EPOCH).await);
    store.close().await;
    let store = open(&directory);
    let read = store.snapshot(&room).await.expect("it answers").expect("it exists");
    let lived = lived.expect("it answers").expect("it exists");
    assert_eq!(read, Snapshot { members: Vec::new(), ..lived });
    assert_eq!(log(&store, &room, EPOCH).await, logged);
}

#[tokio::test]
async fn a_long_log_is_trimmed_slice_by_slice() {
    let directory = directory();
    let room = Partition::channel("#x");
    let store = open(&directory);
    commit(&store, says(&room, Life::Begin(EPOCH), 1, "begin")).await;
    let all: Vec<_> = (2..=1700).map(|n| store.commit(says(&room, Life::Within(EPOCH), n, "hi"))).collect();
    for future in all {
        future.await.expect("it is stored");
    }
    store.trim(&room, StoreTime(0), 3).await.expect("it is trimmed");
    let left = log(&store, &room, EPOCH).await;
    assert_eq!(left.iter().map(|entry| entry.by.number).collect::<Vec<_>>(), [1698, 1699, 1700]);
    store.trim(&room, StoreTime(0), 0).await.expect("it is trimmed");
    store.close().await;
    let store = open(&directory);
    let next = commit(&store, says(&room, Life::Within(EPOCH), 1, "next")).await;
    assert_eq!(next.previous, left.last().map(|entry| entry.link()), "the last link outlives its entry");
}

#[tokio::test]
async fn a_volatile_log_keeps_its_newest_entries() {
    let directory = directory();
    let index = Partition::index(&Writer::new("a", 1));
    let store = open(&directory);
    commit(&store, says(&index, Life::Begin(EPOCH), 1, "begin")).await;
    for n in 2..=1200 {
        commit(&store, says(&index, Life::Within(EPOCH), n, "hi")).await;
    }
    let page = store.read(&index, EPOCH, Range::Latest, usize::MAX).await.expect("a log");
    assert_eq!((page.entries.len(), page.trimmed), (1000, true));
    let late = store.commit(says(&index, Life::Within(EPOCH), 1, "begin")).await;
    assert!(matches!(late, Ok(Outcome::Conflict { failure: Failure::Superseded, .. })), "{late:?}");
}
