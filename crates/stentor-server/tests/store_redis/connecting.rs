//! Which servers the store works with, and how it says what is wrong with the others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use stentor_proto::secret::Secret;
use stentor_server::store::redis::{ACL_RULES, ConnectError, RedisSettings, RedisStore};
use stentor_server::store::{Life, Partition, Range, Store, StoreTime, Writer};
use stentor_testing::{Authority, RedisOptions, RedisServer};

use crate::support::{EPOCH, PATIENCE, Recorder, begin, commit, committed};

/// Why there is no store: for good, or for now.
async fn refused(settings: RedisSettings) -> String {
    match RedisStore::connect(settings).await {
        Err(ConnectError::Refused(why)) => why,
        other => panic!("it should be refused for good: {other:?}"),
    }
}

/// What has patience with a busy machine.
fn patient(url: &str) -> RedisSettings {
    RedisSettings { command_timeout: PATIENCE, ..RedisSettings::new(url) }
}

async fn unreachable(settings: RedisSettings) -> String {
    match RedisStore::connect(settings).await {
        Err(ConnectError::Unreachable(why)) => why,
        other => panic!("it should be worth another attempt: {other:?}"),
    }
}

/// The authority's certificate, PEM.
fn pem(authority: &Authority) -> Option<String> {
    Some(read(&authority.certificate()))
}

/// A certificate by the authority, and its key, PEM.
fn issued(authority: &Authority, file: &str) -> Option<(String, Secret)> {
    let (chain, key) = authority.issue(file);
    Some((read(&chain), Secret::new(read(&key))))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the authority wrote it")
}

/// Commits, and hears about it.
async fn works(store: &dyn Store) {
    let events = Recorder::of(store);
    let room = Partition::channel(&format!("#{}", stentor_server::random::text(9)));
    store.watch(&room).await.expect("it can be watched");
    begin(store, &room).await;
    // More than a socket's or TLS's buffers take at once.
    let long = committed(store, commit(&room, Life::Within(EPOCH), 2, &"long ".repeat(500_000))).await;
    events.until_entry(0, &long).await;
    let page = store.read(&room, EPOCH, Range::Latest, 1).await.expect("it is read");
    assert_eq!(page.entries, [long]);
    let entry = committed(store, commit(&room, Life::End(EPOCH), 3, "bye")).await;
    events.until_entry(0, &entry).await;
    store.close().await;
}

#[tokio::test]
async fn tls_with_an_authority_of_its_own_and_a_client_certificate() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = RedisOptions::new().tls(&ours, true).start();
    let good = RedisSettings {
        ca: pem(&ours),
        client_certificate: issued(&ours, "client"),
        ..patient(&server.url())
    };
    let store = RedisStore::connect(good.clone()).await.unwrap();
    assert!(store.describe().contains(&format!(" at rediss://127.0.0.1:{}/0", server.port())));
    works(store.as_ref()).await;
    let by_name = format!("rediss://localhost:{}", server.port());
    works(RedisStore::connect(RedisSettings { url: by_name, ..good.clone() }).await.unwrap().as_ref()).await;

    let why = refused(RedisSettings { ca: pem(&other), ..good.clone() }).await;
    assert!(why.contains("certificate"), "{why}");
    let why = refused(RedisSettings { ca: None, ..good.clone() }).await;
    assert!(why.contains("certificate"), "{why}");
    let why = refused(RedisSettings { client_certificate: None, ..good.clone() }).await;
    assert!(why.contains("ertificate"), "{why}");
    let why = refused(RedisSettings { client_certificate: issued(&other, "c"), ..good.clone() }).await;
    assert!(why.contains("ertificate") || why.contains("alert"), "{why}");
    let why = refused(RedisSettings { ca: Some("no certificate".to_owned()), ..good.clone() }).await;
    assert!(why.contains("authorities to trust"), "{why}");
    let plain = format!("redis://127.0.0.1:{}", server.port());
    unreachable(RedisSettings { url: plain, ..good }).await;
}

#[tokio::test]
async fn tls_to_a_plaintext_port_is_refused() {
    let server = RedisServer::start();
    let authority = Authority::new();
    let url = server.url().replace("redis:", "rediss:");
    let settings = RedisSettings {
        ca: pem(&authority),
        connect_timeout: Duration::from_secs(1),
        ..RedisSettings::new(&url)
    };
    let why = RedisStore::connect(settings).await.expect_err("there is no TLS").to_string();
    assert!(why.contains("begins with redis://"), "{why}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_for_good_and_not_shown() {
    let server = RedisOptions::new().password("correct-horse").start();
    let with = |password: &str| RedisSettings {
        password: Some(Secret::new(password.to_owned())),
        ..patient(&server.url())
    };
    works(RedisStore::connect(with("correct-horse")).await.unwrap().as_ref()).await;
    let why = refused(with("wrong-horse")).await;
    assert!(why.contains("WRONGPASS") && !why.contains("wrong-horse"), "{why}");
    let why = refused(RedisSettings::new(&server.url())).await;
    assert!(why.contains("NOAUTH") && why.contains("`redis.password_file`"), "{why}");
    let in_url = server.url().replace("//", "//:correct-horse@");
    let store = RedisStore::connect(RedisSettings::new(&in_url)).await.unwrap();
    assert!(!format!("{store:?} {}", store.describe()).contains("horse"));
    store.close().await;
}

#[tokio::test]
async fn a_user_with_the_documented_rights_is_enough_and_with_fewer_is_refused() {
    let lacking = |what: &str| {
        assert!(ACL_RULES.contains(what), "{what}");
        format!("on >secret {}", ACL_RULES.replace(what, ""))
    };
    let server = RedisOptions::new()
        .user("stentor", &format!("on >secret {ACL_RULES}"))
        .user("nochannels", &lacking("&{*"))
        .user("nokeys", &lacking("~{*"))
        .user("onlychannels", &lacking("~{*").replace("on ", "on ~{c/* "))
        .user("notrim", &lacking("+xtrim"))
        .user("nosubscribe", &lacking("+ssubscribe"))
        .user("noscripts", &lacking("+evalsha"))
        .start();
    let by = |name: &str| RedisSettings {
        username: Some(name.to_owned()),
        password: Some(Secret::new("secret".to_owned())),
        ..patient(&server.url())
    };
    let store = RedisStore::connect(by("stentor")).await.unwrap();
    // CONFIG is not among the rights, so how often the file is synced is not known.
    assert!(store.describe().ends_with("/0, appendonly on"), "{}", store.describe());
    let writer = Writer::new("a", 1);
    store.hold_lease(&writer, Duration::from_secs(9), "").await.unwrap();
    assert_eq!(store.leases().await.unwrap().leases.len(), 1);
    assert_eq!(store.claim_sweep(&writer, &writer, Duration::ZERO, Duration::ZERO).await, Ok(false));
    store.release_lease(&writer).await.unwrap();
    let room = Partition::channel("#rights");
    let begun = begin(store.as_ref(), &room).await;
    store.peek_one(&room, &["topic"]).await.unwrap();
    store.read(&room, EPOCH, Range::Before(begun.id), 9).await.unwrap();
    store.trim(&room, StoreTime(begun.id.ms), 0).await.unwrap();
    store.publish(&room, "x").await.unwrap();
    works(store.as_ref()).await;
    for lacking in ["nochannels", "nokeys", "onlychannels", "notrim", "nosubscribe", "noscripts"] {
        let why = refused(by(lacking)).await;
        assert!(why.contains("NOPERM") || why.contains("The user"), "{lacking}: {why}");
    }
}

#[tokio::test]
async fn a_server_that_may_evict_is_refused() {
    let server = RedisOptions::new().conf("maxmemory-policy allkeys-lru").start();
    let why = refused(RedisSettings::new(&server.url())).await;
    assert!(why.contains("noeviction") && why.contains(&server.url()), "{why}");
}

#[tokio::test]
async fn data_of_a_newer_format_is_refused() {
    let server = RedisServer::start();
    RedisStore::connect(RedisSettings::new(&server.url())).await.unwrap().close().await;
    assert_eq!(server.cli(&["GET", "{f/}:format"]), "1");
    let _ = server.cli(&["SET", "{f/}:format", "2"]);
    let why = refused(RedisSettings::new(&server.url())).await;
    assert!(why.contains("format 2"), "{why}");
}

#[tokio::test]
async fn only_who_may_create_a_store_does() {
    let server = RedisServer::start();
    let careful = RedisSettings { create: false, ..RedisSettings::new(&server.url()) };
    let why = refused(careful.clone()).await;
    assert!(why.contains("no store"), "{why}");
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    RedisStore::connect(RedisSettings::new(&server.url())).await.unwrap().close().await;
    RedisStore::connect(careful).await.unwrap().close().await;
}

#[tokio::test]
async fn what_may_pass_is_worth_another_attempt() {
    let mut server = RedisServer::start();
    let settings = RedisSettings::new(&server.url());
    let _ = server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let why = unreachable(settings.clone()).await;
    assert!(why.contains("replica"), "{why}");
    server.pause();
    let hasty = RedisSettings { connect_timeout: Duration::from_millis(300), ..settings.clone() };
    let why = unreachable(hasty).await;
    assert!(why.contains("in time"), "{why}");
    server.kill();
    unreachable(settings).await;
    unreachable(RedisSettings::new("redis://no-such-host.invalid")).await;
    assert!(matches!(
        RedisStore::connect(RedisSettings::new("http://x")).await,
        Err(ConnectError::Refused(_))
    ));
}

#[tokio::test]
async fn an_operator_is_told_what_survives() {
    for (lines, durability, warned) in [
        ("appendfsync everysec", "appendonly everysec", false),
        ("appendfsync always", "appendonly always", false),
        ("appendfsync no", "appendonly no", true),
        ("appendonly no", "no persistence", true),
        ("appendonly no\nsave 3600 1", "snapshots only", true),
    ] {
        let server = RedisOptions::new().conf(lines).start();
        let store = RedisStore::connect(RedisSettings::new(&server.url())).await.unwrap();
        let expected = format!(" at {}/0, {durability}", server.url());
        let told = store.describe();
        assert!(told.starts_with("Redis 7.") || told.starts_with("Valkey "), "{told}");
        assert!(told.ends_with(&expected), "{told}");
        assert_eq!(!store.warnings().is_empty(), warned, "{:?}", store.warnings());
        store.close().await;
    }
}
