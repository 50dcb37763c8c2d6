//! The first account of a store, in a real embedded store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use stentor_server::account::AccountError;
use stentor_server::account::bootstrap::{Bootstrap, BootstrapError, PASSWORD_FILE, PasswordTo, bootstrap};
use tokio::task::JoinSet;

use crate::kit::{accounts, store};

#[tokio::test]
async fn admin_is_made_once_with_every_privilege() {
    let (_directory, store) = store();
    let accounts = accounts(&store);
    let Ok(Bootstrap::Shown(password)) = bootstrap(&accounts, PasswordTo::Terminal).await else {
        panic!("admin was not made");
    };
    assert!(password.reveal().len() >= 20);
    let admin = accounts.verify("admin", password.reveal()).await.unwrap();
    assert!(admin.has_role("admin"));
    assert_eq!(bootstrap(&accounts, PasswordTo::Terminal).await.unwrap(), Bootstrap::Settled);

    assert_eq!(accounts.remove("admin").await, Err(AccountError::LastAdmin("admin".into())));
    accounts.add("alice", &password).await.unwrap();
    accounts.grant("alice", "admin").await.unwrap();
    accounts.remove("admin").await.unwrap();
    assert_eq!(bootstrap(&accounts, PasswordTo::Terminal).await.unwrap(), Bootstrap::Settled);
}

#[tokio::test]
async fn without_a_terminal_the_password_goes_to_a_file_of_its_owner() {
    let (directory, store) = store();
    let accounts = accounts(&store);
    let file = directory.path().join(PASSWORD_FILE);
    fs::write(&file, "left over").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let made = bootstrap(&accounts, PasswordTo::Directory(directory.path())).await.unwrap();
    assert_eq!(made, Bootstrap::Written(file.clone()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&file).unwrap();
    assert!(accounts.verify("admin", password.trim_end()).await.is_ok());
}

#[tokio::test]
async fn of_nodes_that_start_at_once_one_makes_admin() {
    let (_directory, store) = store();
    let mut nodes = JoinSet::new();
    for _ in 0..10 {
        let accounts = accounts(&store);
        let data = tempfile::tempdir().unwrap();
        nodes.spawn(async move {
            let made = bootstrap(&accounts, PasswordTo::Directory(data.path())).await.unwrap();
            (made, data.path().join(PASSWORD_FILE).exists())
        });
    }
    let results = nodes.join_all().await;
    let made = |result: &&(Bootstrap, bool)| matches!(result, (Bootstrap::Written(_), true));
    let settled = |result: &&(Bootstrap, bool)| matches!(result, (Bootstrap::Settled, false));
    assert_eq!((results.iter().filter(made).count(), results.iter().filter(settled).count()), (1, 9));
}

#[tokio::test]
async fn where_the_password_cannot_be_written_admin_is_not_made() {
    let (directory, store) = store();
    let accounts = accounts(&store);
    let missing = directory.path().join("missing");
    let result = bootstrap(&accounts, PasswordTo::Directory(&missing)).await;
    assert!(matches!(result, Err(BootstrapError::File(..))));
    assert_eq!(accounts.find("admin").await, Ok(None));
}
