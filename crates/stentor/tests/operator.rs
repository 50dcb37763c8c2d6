//! The commands for operators, run as the real binary on a real store, with and without a node that has it open.

use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::SystemTime;
use std::{env, fs};

use stentor_server::account::{Accounts, COST_MIN, Hasher, Rules};
use stentor_server::admin::{
    AdminContext, AdminListener, NodeInfo, ReachSource, StoreStatus, serve, socket_path,
};
use stentor_server::commit_identity::Committer;
use stentor_server::config::{Config, KeyType};
use stentor_server::invite::Invites;
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_server::store::{Store, Writer};
use stentor_server::tls::{self, Certificates};
use stentor_testing::redis::RedisServer;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A data directory with a store in it.
struct Data {
    directory: TempDir,
}

/// A node's side of the socket, in this process.
struct Node {
    runtime: Runtime,
    store: Arc<EmbeddedStore>,
    accounts: Arc<Accounts>,
    invites: Arc<Invites>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Data {
    fn new() -> Self {
        let data = Self { directory: tempfile::tempdir().expect("a directory can be made") };
        drop(data.open());
        data
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn open(&self) -> Arc<EmbeddedStore> {
        EmbeddedStore::open(self.path(), OpenMode::Create, Durability::Normal).expect("the store opens")
    }

    fn serve(&self) -> Node {
        self.serve_as(None)
    }

    fn serve_as(&self, reach: Option<ReachSource>) -> Node {
        let runtime = Runtime::new().expect("a runtime can be made");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let store = self.open();
        let committer = Committer::standalone(store.clone());
        let hasher = Arc::new(Hasher::new(COST_MIN, NonZeroUsize::MIN, 10));
        let rules = Rules { name_max: 32, roles: ["helper".to_owned()].into(), accounts_max: None };
        let accounts = Arc::new(Accounts::new(committer.clone(), hasher, rules));
        let invites = Arc::new(Invites::new(committer));
        let status = Arc::new(StoreStatus(store.clone()));
        let context = AdminContext::new(accounts.clone(), invites.clone(), status, reach);
        let entered = runtime.enter();
        let listener = AdminListener::bind(&socket_path(self.path())).expect("the socket opens");
        serve(listener, context, &tasks, stop.clone());
        drop(entered);
        Node { runtime, store, accounts, invites, tasks, stop }
    }

    /// Runs the binary on this directory, with `input` on standard input.
    fn run(&self, arguments: &str, input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STENTOR_")) {
            command.env_remove(name);
        }
        command
            .args(arguments.split(' '))
            .arg("--data")
            .arg(self.path())
            .env("STENTOR_ACCOUNTS__BCRYPT_COST", "4")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it has a standard input");
        // Who is refused at once reads nothing.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the binary ends")
    }

    /// The same, which has to succeed; what it printed.
    fn done(&self, arguments: &str, input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments}: {output:?}");
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }

    /// The same, which has to fail with this exit code; what it printed.
    fn refused(&self, code: i32, arguments: &str, input: &str) -> String {
        let output = self.run(arguments, input);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments}: {output:?}");
        let text = String::from_utf8(output.stderr).expect("it prints UTF-8");
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

impl Node {
    fn may_log_in(&self, name: &str, password: &str) -> bool {
        self.runtime.block_on(self.accounts.verify(name, password)).is_ok()
    }

    fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.runtime.block_on(async {
            self.tasks.wait().await;
            self.store.close().await;
        });
    }
}

/// What an operator does with accounts, whoever has the store open.
fn manages_accounts(data: &Data) {
    let added = data.done("account add Alice --password-stdin", "first\n");
    let (first, second) = added.split_once('\n').expect("two lines");
    assert!(first == "Alice was added" && second.contains("stentor chat ircs://"), "{added}");
    assert!(second.contains(" --user Alice"), "{added}");
    assert!(data.refused(1, "account add alice --password-stdin", "x\n").contains("Alice exists already"));
    assert!(data.done("account passwd alice --password-stdin", "second\r\n").contains("new password"));
    assert!(data.done("account grant alice admin", "").contains("has the role admin"));
    assert!(data.refused(1, "account grant alice boss", "").contains("there is no role boss"));
    for command in ["lock", "remove"] {
        let why = data.refused(1, &format!("account {command} alice"), "");
        assert!(
            why.contains("only account with the role admin") && why.contains("account grant NAME admin"),
            "{why}"
        );
    }
    data.done("account add deputy --password-stdin", "third\n");
    data.done("account grant deputy admin", "");
    assert!(data.done("account lock alice", "").contains("is locked"));
    assert_eq!(data.done("account lock alice", ""), "alice was locked already\n");
    assert!(data.refused(1, "account remove deputy", "").contains("only account"), "alice is locked");
    let listed = data.done("account list", "");
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("NAME    CREATED"), "{listed}");
    assert!(lines[1].starts_with("Alice   20") && lines[1].contains("  locked 20"), "{listed}");
    assert!(lines[1].ends_with("  admin"), "{listed}");
    assert!(data.done("account unlock alice", "").contains("may log in again"));
    assert_eq!(data.done("account unlock alice", ""), "alice was not locked\n");
    data.done("account grant alice admin --remove", "");
    assert!(data.done("account list", "").contains("  active"));

    let hash = bcrypt::hash("imported", COST_MIN).expect("the cost is legal");
    let import = format!("bob:{hash}\ncarol:{hash}\n");
    assert_eq!(data.done("account import", &import), "2 accounts were imported\n");
    let again = data.done("account import -", &import);
    assert_eq!(again, "nothing was imported; 2 were there already\n");
    let bad = data.refused(1, "account import", &format!("dave:{hash}\nerin:plain\n"));
    assert!(bad.contains("nothing was imported") && bad.contains("line 2: the hash is not bcrypt"), "{bad}");

    data.done("account remove carol", "");
    assert!(data.refused(1, "account add Carol --password-stdin", "x\n").contains("stay reserved"));
    assert!(data.done("account list", "").contains("removed 20"));
}

#[test]
fn an_operator_manages_accounts_of_a_running_node() {
    let data = Data::new();
    let node = data.serve();
    manages_accounts(&data);
    assert!(node.may_log_in("alice", "second") && !node.may_log_in("alice", "first"));
    assert!(node.may_log_in("bob", "imported"));
    node.stop();
}

#[test]
fn an_operator_manages_accounts_while_no_node_runs() {
    let data = Data::new();
    manages_accounts(&data);
    let node = data.serve();
    assert!(node.may_log_in("alice", "second") && node.may_log_in("bob", "imported"));
    node.stop();
}

/// What an operator does about bans, and what the audit log tells of it, whoever has the store open.
fn manages_bans(data: &Data) {
    data.done("account add mallory --password-stdin", "first\n");
    assert_eq!(data.done("ban add 192.0.2.7/24 --duration 7d --reason spam", ""), "192.0.2.0/24 is banned\n");
    assert_eq!(data.done("ban add spam*!*@*", ""), "spam*!*@* is banned\n");
    assert_eq!(data.done("ban add Mallory", ""), "mallory is banned\n");
    for (target, why) in [
        ("*!*@*", "--force"),
        ("10.0.0.0/8", "--force"),
        ("127.0.0.1", "never kept out"),
        ("nobody", "there is no account nobody"),
    ] {
        let told = data.refused(1, &format!("ban add {target}"), "");
        assert!(told.contains(why), "{told}");
    }
    let listed = data.done("ban list", "");
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() == 4 && lines[0].starts_with("TARGET") && lines[0].ends_with("REASON"), "{listed}");
    assert!(
        lines.iter().any(|line| line.starts_with("192.0.2.0/24  20") && line.ends_with("  console  spam"))
    );
    assert_eq!(data.done("ban remove mallory", ""), "mallory is not banned any more\n");
    assert!(data.refused(1, "ban remove mallory", "").contains("no ban on mallory"));
    data.refused(2, "ban add 192.0.2.0/99", "");
    assert!(data.refused(1, "account grant nobody admin", "").contains("nobody"));
    assert!(data.refused(1, "account grant mallory nosuch", "").contains("nosuch"));

    let log = data.done("audit", "");
    let deeds: Vec<&str> =
        log.lines().map(|line| line.split_once(") ").expect("it has an author").1).collect();
    assert_eq!(
        deeds,
        [
            "account-add mallory",
            "ban 192.0.2.0/24: for 1w: spam",
            "ban spam*!*@*: for ever",
            "ban mallory: for ever",
            "unban mallory",
        ]
    );
    assert!(
        log.lines().all(|line| line.starts_with("20") && line.contains("Z console (console on operator) "))
    );
    assert_eq!(data.done("audit --limit 1", "").lines().count(), 1);
}

#[test]
fn an_operator_manages_bans_of_a_running_node() {
    let data = Data::new();
    let node = data.serve();
    manages_bans(&data);
    node.stop();
}

#[test]
fn an_operator_manages_bans_while_no_node_runs() {
    manages_bans(&Data::new());
}

#[test]
fn a_script_gets_an_invitation_code_alone_where_it_asks() {
    let data = Data::new();
    let node = data.serve();
    let code = data.done("invite --uses 2 --expires 0 --code-only", "");
    assert!(code.len() == 27 && code.ends_with('\n'), "{code}");
    let listed = data.done("invite list", "");
    assert!(
        listed.contains("never") && listed.contains("operator") && !listed.contains(code.trim()),
        "{listed}"
    );
    for _ in 0..2 {
        drop(node.runtime.block_on(node.invites.spend(code.trim())).expect("it has two uses"));
    }
    assert_eq!(data.done("invite list", "").lines().count(), 1, "it is used up");
    assert_eq!(data.done("invite list --all", "").lines().count(), 2);
    let revoked = data.done(&format!("invite revoke {}", code.trim()), "");
    assert!(revoked.contains("was revoked"), "{revoked}");
    assert!(data.refused(1, &format!("invite revoke {}", code.trim()), "").contains("no such invitation"));
    node.stop();
    assert_eq!(data.done("invite list", "").lines().count(), 1);
}

#[test]
fn a_backup_of_a_running_node_is_a_store_that_can_be_put_back() {
    let (data, other) = (Data::new(), tempfile::tempdir().expect("a directory can be made"));
    let copy = other.path().join("copy.db");
    let node = data.serve();
    data.done("account add alice --password-stdin", "wonderland\n");
    data.done(&format!("store backup {}", copy.display()), "");
    data.done("account add bob --password-stdin", "builder99\n");
    node.stop();
    let mode = fs::metadata(&copy).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let told = data.refused(4, &format!("store backup {}", copy.display()), "");
    assert!(told.contains("copy.db") && told.contains("exists"), "{told}");
    let told = data.refused(4, &format!("store restore {}", copy.display()), "");
    assert!(told.contains("there is a store already"), "{told}");

    let home = Data { directory: tempfile::tempdir().expect("a directory can be made") };
    home.done(&format!("store restore {}", copy.display()), "");
    let listed = home.done("account list", "");
    assert!(listed.contains("alice") && !listed.contains("bob"), "{listed}");
    let node = home.serve();
    assert!(node.may_log_in("alice", "wonderland"));
    node.stop();
}

#[test]
fn an_invitation_is_a_line_to_paste_that_leads_to_the_running_node() {
    let data = Data::new();
    let names = ["irc.example.org".to_owned(), "localhost".to_owned()];
    let made =
        tls::make(&data.path().join("tls"), &names, KeyType::EcdsaP256, SystemTime::now().into()).unwrap();
    let fingerprint = tls::fingerprint_sha256(&made.leaf);
    // Nobody runs: what the files tell.
    let told = data.run("invite --uses 2", "");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains(&tls::fingerprint_sha256_colons(&made.leaf)), "{told}");

    let settings = Config::from_text("tls.names = ['irc.example.org', 'localhost']").unwrap().tls;
    let certificates = Certificates::open(&settings, data.path(), SystemTime::now().into()).unwrap();
    let listening = vec!["ircs://0.0.0.0:7001".parse().unwrap()];
    let reach = ReachSource { listening, certificates: Some(certificates), store: None };
    let node = data.serve_as(Some(reach));
    let told = data.done("invite --uses 2 --expires 1h", "");
    let line = told.lines().next().unwrap();
    let rest = line.strip_prefix("stentor chat ircs://irc.example.org:7001 --register --invite ").unwrap();
    let (code, pin) = rest.split_once(' ').unwrap();
    assert_eq!(pin, format!("--fingerprint {fingerprint}"));
    assert!(told.contains("It makes 2 accounts, and is good until 20"), "{told}");
    assert!(told.contains(&format!("  invite:{code}:PASSWORD\n")), "{told}");
    drop(node.runtime.block_on(node.invites.spend(code)).expect("the code is good"));

    let output = data.run("invite --host other.example.net:443", "");
    let (told, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(told.starts_with("stentor chat ircs://other.example.net:443 "), "{told}");
    assert!(warned.contains("the certificate is not for other.example.net"), "{warned}");
    node.stop();
}

#[test]
fn what_is_no_backup_is_not_put_back() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let home = Data { directory: tempfile::tempdir().expect("a directory can be made") };
    let text = directory.path().join("text");
    fs::write(&text, "this is no database at all, and much longer than a header would be".repeat(20))
        .expect("a file can be written");
    let told = home.refused(4, &format!("store restore {}", text.display()), "");
    assert!(told.contains("no usable store"), "{told}");
    let missing = directory.path().join("missing");
    let told = home.refused(4, &format!("store restore {}", missing.display()), "");
    assert!(told.contains("there is no store at"), "{told}");
    let told = home.refused(4, &format!("store backup {}", missing.display()), "");
    assert!(told.contains("stentor.db") && !missing.exists(), "{told}");
    assert!(!home.path().join("stentor.db").exists());
}

#[test]
fn status_shows_the_nodes_that_hold_leases() {
    let data = Data::new();
    assert!(data.done("status", "").contains("no node is running"));
    let node = data.serve();
    let info = NodeInfo { version: "1.2.3".to_owned(), users: 7, ..NodeInfo::default() };
    let lease = std::time::Duration::from_secs(60);
    node.runtime.block_on(node.store.hold_lease(&Writer::new("here", 1), lease, &info.to_text())).unwrap();
    let status = data.done("status", "");
    assert!(status.contains("Users  7\n"), "{status}");
    let row = status.lines().find(|line| line.starts_with("here")).unwrap();
    assert!(row.contains("1.2.3") && row.contains(" s  ") && row.ends_with('7'), "{status}");
    node.stop();
}

#[test]
fn where_there_is_no_store_the_path_is_named_and_none_is_made() {
    let data = Data { directory: tempfile::tempdir().unwrap() };
    for command in ["account list", "invite", "status"] {
        let text = data.refused(4, command, "");
        assert!(text.contains(data.path().to_str().unwrap()) && text.contains("stentor serve"), "{text}");
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);

    let file = data.path().join("file");
    fs::write(&file, "").unwrap();
    let variable = [("STENTOR_DATA__DIR", file.to_str().unwrap())];
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    let output = command.args(["account", "list"]).envs(variable).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(4) && text.contains("it is not a directory"), "{text}");
}

#[test]
fn a_store_that_is_open_elsewhere_without_a_socket_is_said_to_be_locked() {
    let data = Data::new();
    let store = data.open();
    let text = data.refused(4, "account list", "");
    assert!(text.contains(data.path().to_str().unwrap()) && text.contains("socket"), "{text}");
    drop(store);
    data.done("account list", "");
}

#[test]
fn the_socket_of_a_node_that_died_is_no_hindrance() {
    let data = Data::new();
    drop(std::os::unix::net::UnixListener::bind(socket_path(data.path())).unwrap());
    data.done("account list", "");
    let node = data.serve();
    let mode = fs::metadata(socket_path(data.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    data.done("account list", "");
    node.stop();
}

#[test]
fn the_file_with_the_first_password_goes_when_the_password_does() {
    let data = Data::new();
    let file = data.path().join("admin-password");
    data.done("account add admin --password-stdin", "first\n");
    data.done("account add alice --password-stdin", "first\n");
    fs::write(&file, "first\n").unwrap();
    data.done("account passwd alice --password-stdin", "second\n");
    assert!(file.exists());
    let told = data.done("account passwd Admin --password-stdin", "second\n");
    assert!(told.contains(&format!("{} held the old password, and was removed", file.display())), "{told}");
    assert!(!file.exists());

    let server = RedisServer::start();
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(RedisStore::connect(RedisSettings::new(&server.url()))).unwrap();
    runtime.block_on(store.close());
    let with = |command: &str| format!("account {command} admin --password-stdin --redis {}", server.url());
    assert!(data.run(&with("add"), "second\n").status.success());
    fs::write(&file, "first\n").unwrap();
    assert!(data.run(&with("passwd"), "third\n").status.success());
    assert!(file.exists(), "it is another store's");
    fs::write(&file, "third\n").unwrap();
    assert!(data.run(&with("passwd"), "fourth\n").status.success());
    assert!(!file.exists());
}

#[test]
fn a_bad_password_is_refused_before_anything_happens() {
    let data = Data::new();
    for (input, why) in [
        ("\n", "empty"),
        (&*format!("{}\n", "x".repeat(1025)), "1025 bytes long; at most 1024"),
        ("a\0b\n", "NUL"),
    ] {
        let text = data.refused(1, "account add alice --password-stdin", input);
        assert!(text.contains(why), "{text}");
    }
    assert!(data.refused(2, "account add alice", "secret\n").contains("--password-stdin"));
    assert!(data.refused(1, "account add #alice", "").contains("an account is called like a nickname"));
    assert_eq!(data.done("account list", "").lines().count(), 1);
}

#[test]
fn with_redis_an_operator_works_on_the_fleets_store_and_makes_none() {
    let server = RedisServer::start();
    let data = Data { directory: tempfile::tempdir().unwrap() };
    let with = |command: &str| format!("{command} --redis {}", server.url());
    data.refused(4, &with("account list"), "");

    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(RedisStore::connect(RedisSettings::new(&server.url()))).unwrap();
    runtime.block_on(store.close());
    data.run(&with("account add alice --password-stdin"), "secret\n");
    let listed = String::from_utf8(data.run(&with("account list"), "").stdout).unwrap();
    assert!(listed.lines().count() == 2 && listed.contains("alice"), "{listed}");
    let code = data.run(&with("invite --code-only"), "");
    assert!(code.status.success() && code.stdout.len() == 27, "{code:?}");
    let told = String::from_utf8(data.run(&with("invite --host irc.example.org"), "").stdout).unwrap();
    assert!(told.starts_with("stentor chat ircs://irc.example.org:6697 --register --invite "), "{told}");
    assert!(told.contains("Add --fingerprint HEX"), "{told}");
    // The node that answers in the directory has another store.
    let other = Data::new();
    let listening = vec!["ircs://192.0.2.7:7001".parse().unwrap()];
    let node = other.serve_as(Some(ReachSource { listening, certificates: None, store: None }));
    assert!(other.done("invite", "").starts_with("stentor chat ircs://192.0.2.7:7001 --register "));
    let told = String::from_utf8(other.run(&with("invite"), "").stdout).unwrap();
    assert!(told.starts_with("stentor chat ircs://HOST:6697 --register --invite "), "{told}");
    node.stop();
    let status = String::from_utf8(data.run(&with("status"), "").stdout).unwrap();
    assert!(status.to_lowercase().contains("redis") && status.contains("no node is running"), "{status}");
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}
