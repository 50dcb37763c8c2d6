//! The admin socket: a real one, before a real embedded store.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use stentor_server::account::{Fingerprint, Password};
use stentor_server::admin::{
    AccountRequest, AccountRow, AdminClient, AdminContext, AdminError, AdminListener, AdminRequest,
    AdminResponse, Fault, Hidden, InviteRequest, StoreStatus, serve, socket_path,
};
use stentor_server::store::Store;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kit::{accounts, invites, store};

/// A socket that is served.
struct Node {
    directory: TempDir,
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Node {
    fn start() -> Self {
        let (directory, store) = store();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let status = Arc::new(StoreStatus(store.clone()));
        let context = AdminContext::new(accounts(&store), invites(&store), status, None);
        let listener = AdminListener::bind(&socket_path(directory.path())).expect("the socket opens");
        serve(listener, context, &tasks, stop.clone());
        Self { directory, store, tasks, stop }
    }

    fn path(&self) -> PathBuf {
        socket_path(self.directory.path())
    }

    async fn client(&self) -> AdminClient {
        AdminClient::connect(&self.path()).await.expect("the node listens")
    }

    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn add(name: &str) -> AdminRequest {
    let password = Some(Password::new("secret").expect("it is a password"));
    AccountRequest::Add { name: name.into(), password }.into()
}

async fn rows(client: &mut AdminClient) -> Vec<AccountRow> {
    let (mut rows, mut bucket) = (Vec::new(), Some(0));
    while let Some(number) = bucket {
        let request = AccountRequest::List { bucket: number }.into();
        let Ok(AdminResponse::Accounts { accounts, next }) = client.ask(&request).await else {
            panic!("no list of bucket {number}");
        };
        rows.extend(accounts);
        bucket = next;
    }
    rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn message(response: Result<AdminResponse, AdminError>) -> (Fault, String) {
    match response {
        Ok(AdminResponse::Failed { fault, message }) => (fault, message),
        other => panic!("{other:?} is no failure"),
    }
}

#[tokio::test]
async fn an_operator_manages_accounts_over_the_socket() {
    let node = Node::start();
    let mut client = node.client().await;
    let name = || "alice".to_owned();
    assert_eq!(client.ask(&add("Alice")).await.unwrap(), AdminResponse::Done);
    for request in [
        AccountRequest::Grant { name: name(), role: "helper".into() },
        AccountRequest::Grant { name: name(), role: "admin".into() },
        AccountRequest::Revoke { name: name(), role: "admin".into() },
        AccountRequest::Lock { name: name() },
    ] {
        assert_eq!(client.ask(&request.into()).await.unwrap(), AdminResponse::Done);
    }
    let listed = rows(&mut client).await;
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "Alice"));
    assert_eq!(listed[0].roles, ["helper"]);
    assert!(listed[0].locked.is_some() && listed[0].created > 0 && listed[0].removed.is_none());

    let passwd = AccountRequest::Passwd { name: name(), password: None };
    let Ok(AdminResponse::Password { password }) = client.ask(&passwd.into()).await else {
        panic!("no random password");
    };
    client.ask(&AccountRequest::Unlock { name: name() }.into()).await.unwrap();
    assert!(accounts(&node.store).verify("alice", password.reveal()).await.is_ok());

    client.ask(&AccountRequest::Remove { name: name() }.into()).await.unwrap();
    assert!(rows(&mut client).await[0].removed.is_some());
    let (fault, why) = message(client.ask(&add("alice")).await);
    assert!(fault == Fault::Request && why.contains("reserved"), "{why}");
}

#[tokio::test]
async fn an_operator_imports_accounts_over_the_socket() {
    let node = Node::start();
    let mut client = node.client().await;
    let hash = bcrypt::hash("secret", 4).unwrap();
    let lines: String = (0..500).map(|i| format!("user{i:03}:{hash}\n")).collect();
    let import = |text: String| AccountRequest::Import { text: Hidden(text) }.into();
    let done = client.ask(&import(lines.clone())).await.unwrap();
    assert_eq!(done, AdminResponse::Imported { added: 500, unchanged: 0, failed: vec![] });
    assert_eq!(rows(&mut client).await.len(), 500);
    let Ok(AdminResponse::Imported { added: 0, failed, .. }) = client.ask(&import(lines + "bad\n")).await
    else {
        panic!("a bad line was imported");
    };
    assert_eq!(failed.iter().map(|line| line.number).collect::<Vec<_>>(), [501]);
}

#[tokio::test]
async fn an_operator_manages_invitations_over_the_socket() {
    let node = Node::start();
    let mut client = node.client().await;
    let create = InviteRequest::Create { uses: 2, lifetime: Some(3_600_000) }.into();
    let Ok(AdminResponse::Invited { code, invite }) = client.ask(&create).await else {
        panic!("no invitation");
    };
    assert_eq!((invite.uses_left, invite.expires), (2, Some(invite.created + 3_600_000)));
    let Ok(AdminResponse::Invites { invites: listed, now }) = client.ask(&InviteRequest::List.into()).await
    else {
        panic!("no list");
    };
    assert!(listed == [invite.clone()] && invite.expires > Some(now));
    let revoke = || InviteRequest::Revoke { code: code.clone() }.into();
    assert_eq!(client.ask(&revoke()).await.unwrap(), AdminResponse::Revoked { invite });
    assert_eq!(message(client.ask(&revoke()).await).0, Fault::Request);
}

#[tokio::test]
async fn status_names_the_store() {
    let node = Node::start();
    let Ok(AdminResponse::Status(status)) = node.client().await.ask(&AdminRequest::Status).await else {
        panic!("no status");
    };
    assert_eq!(status.store, node.store.describe());
    assert!(status.nodes.is_empty() && status.warnings.is_empty());
}

#[tokio::test]
async fn more_operators_than_places_are_all_answered() {
    let node = Node::start();
    let mut operators = JoinSet::new();
    for i in 0..40 {
        let path = node.path();
        operators.spawn(async move {
            let mut client = AdminClient::connect(&path).await.unwrap();
            client.ask(&add(&format!("user{i}"))).await.unwrap()
        });
    }
    assert!(operators.join_all().await.iter().all(|answer| *answer == AdminResponse::Done));
}

#[tokio::test]
async fn the_socket_is_its_owners_and_goes_with_the_node() {
    let node = Node::start();
    assert_eq!(fs::metadata(node.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let mut idle = node.client().await;
    node.stop().await;
    assert!(!node.path().exists());
    assert!(matches!(idle.ask(&AdminRequest::Status).await, Err(AdminError::Io(..))));
    assert!(matches!(AdminClient::connect(&node.path()).await, Err(AdminError::NoNode(_))));
}

#[tokio::test]
async fn the_socket_of_a_dead_process_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(AdminClient::connect(&path).await, Err(AdminError::NoNode(_))));
    let listener = AdminListener::bind(&path).unwrap();
    assert!(matches!(AdminListener::bind(&path), Err(AdminError::InUse(_))));
    assert_eq!(listener.path(), path);
}

#[tokio::test]
async fn a_socket_that_took_the_name_over_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let old = AdminListener::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let new = AdminListener::bind(&path).unwrap();
    drop(old);
    assert!(path.exists());
    drop(new);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    fs::write(&path, "precious").unwrap();
    assert!(matches!(AdminListener::bind(&path), Err(AdminError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("x".repeat(120));
    fs::create_dir(&deep).unwrap();
    let error = AdminListener::bind(&socket_path(&deep)).unwrap_err();
    assert!(matches!(error, AdminError::TooLong(_)));
    assert!(error.to_string().contains("shorter path"), "{error}");
    assert!(matches!(AdminClient::connect(&socket_path(&deep)).await, Err(AdminError::TooLong(_))));
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = AdminListener::bind(&socket_path(&directory.path().join("missing"))).unwrap_err();
    assert!(matches!(error, AdminError::Io(..)) && error.to_string().contains("missing"), "{error}");
}

/// Sends bytes and returns all that comes back until the node closes.
async fn exchange(node: &Node, bytes: Vec<u8>) -> String {
    let path = node.path();
    let talk = move || {
        let mut stream = UnixStream::connect(path).expect("the node listens");
        // The node may close in the middle of a line that is too long.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).expect("the node writes JSON")
    };
    tokio::task::spawn_blocking(talk).await.expect("it does not panic")
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_next_one_heard() {
    let node = Node::start();
    let answers =
        exchange(&node, b"\n{}\n\xff\xfe\n{\"about\":\"weather\"}\n{\"about\":\"status\"}\nhalf".to_vec())
            .await;
    let answers: Vec<AdminResponse> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 5);
    for answer in &answers[..4] {
        assert!(matches!(answer, AdminResponse::Failed { fault: Fault::Request, .. }), "{answer:?}");
    }
    assert!(matches!(answers[4], AdminResponse::Status(_)));
}

#[tokio::test]
async fn a_password_in_a_bad_request_is_not_repeated() {
    let node = Node::start();
    let request = r#"{"about":"account","do":"add","name":["hunter2"],"password":"hunter2"}"#;
    let answer = exchange(&node, format!("{request}\n").into_bytes()).await;
    assert!(answer.contains("failed") && !answer.contains("hunter2"), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_too_long_ends_the_connection() {
    let node = Node::start();
    exchange(&node, vec![b'a'; 9 * 1024 * 1024]).await;
    assert!(node.client().await.ask(&AdminRequest::Status).await.is_ok());
    let mut client = node.client().await;
    let text = Hidden("x".repeat(9 * 1024 * 1024));
    let error = client.ask(&AccountRequest::Import { text }.into()).await.unwrap_err();
    assert!(error.to_string().contains("too much for one request"), "{error}");
}

#[tokio::test]
async fn certificates_are_added_listed_and_removed() {
    let node = Node::start();
    let mut client = node.client().await;
    let name = || "alice".to_owned();
    let fingerprint: Fingerprint = "0f".repeat(32).parse().expect("it is one");
    let add = AccountRequest::CertAdd { name: name(), fingerprint: fingerprint.clone() };
    let remove = AccountRequest::CertRemove { name: name(), fingerprint: fingerprint.clone() };
    let nobody = client.ask(&add.clone().into()).await.expect("it answers");
    assert!(matches!(nobody, AdminResponse::Failed { fault: Fault::Request, .. }), "{nobody:?}");
    let password = Some(Password::new("right").expect("it is a password"));
    client.ask(&AccountRequest::Add { name: name(), password }.into()).await.expect("it answers");
    for (request, expected) in [
        (&add, AdminResponse::Done),
        (&add, AdminResponse::Unchanged),
        (
            &AccountRequest::CertList { name: name() },
            AdminResponse::Certificates { fingerprints: vec![fingerprint.clone()] },
        ),
        (&remove, AdminResponse::Done),
        (&remove, AdminResponse::Unchanged),
    ] {
        assert_eq!(client.ask(&request.clone().into()).await.expect("it answers"), expected);
    }
    node.stop().await;
}
