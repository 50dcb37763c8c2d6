//! `stentor serve`, as the real process.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use stentor_server::config::KeyType;
use stentor_server::tls;
use stentor_testing::RedisServer;
use stentor_testing::redis::RedisOptions;

use crate::chat::{Chat, Trust};
use crate::node::{Node, PATIENCE, refused};

/// A client over TLS that trusts the node's authority alone, and logs in as the first account.
fn log_in_as_admin(node: &Node, data: &Path, password: &str) -> Chat {
    let mut client = Chat::connect(node, &Trust::of(data));
    for line in [&format!("PASS admin:{password}"), "NICK admin", "USER admin 0 * :admin"] {
        client.send(line);
    }
    client.line_with(" 001 admin ");
    client
}

fn connect(node: &Node, scheme: &str) -> TcpStream {
    let stream = TcpStream::connect(node.address(scheme)).expect("it is listened on");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time above zero");
    stream
}

/// The next line with this in it.
fn line_with(client: &mut impl BufRead, wanted: &str) -> String {
    loop {
        let mut line = String::new();
        let read = client.read_line(&mut line).expect("a line comes in time");
        assert!(read > 0, "the connection ended before a line with {wanted:?} came");
        if line.contains(wanted) {
            return line;
        }
    }
}

/// A node that takes guests, and so long to close them.
fn guests_welcome(data: &Path, drain: &str) -> Node {
    let config = data.join("stentor.toml");
    fs::write(&config, format!("accounts.required = false\ndrain.time = '{drain}'\n")).expect("a file");
    Node::start(data, &["irc://127.0.0.1:0"], &["--config", config.to_str().expect("UTF-8")])
}

/// A hundred guests in one channel.
fn a_hundred_clients(node: &Node) -> Vec<BufReader<TcpStream>> {
    let mut clients: Vec<_> = (0..100).map(|_| BufReader::new(connect(node, "irc"))).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        let login = format!("NICK n{index}\r\nUSER n 0 * :n\r\nJOIN #all\r\n");
        client.get_mut().write_all(login.as_bytes()).expect("it takes a login");
    }
    for client in &mut clients {
        line_with(client, " 366 ");
    }
    clients
}

/// The status of `/ready`, and what it says.
fn ready(node: &Node) -> String {
    let mut stream = connect(node, "http");
    stream
        .write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers end");
    format!("{} {}", head.split(' ').nth(1).unwrap_or_default(), body.trim_end())
}

#[test]
fn the_first_start_prints_how_to_get_in_and_the_admin_can() {
    let data = tempfile::tempdir().unwrap();
    let mut node = Node::start(data.path(), &["ircs://127.0.0.1:0"], &[]);
    let told = node.welcome();
    assert!(!told.contains('\x1b'), "there is no terminal: {told}");
    let address = node.address("ircs");
    let port = address.rsplit(':').next().unwrap();
    let hostless = format!("ircs://127.0.0.1:{port}");
    let leaf = CertificateDer::from_pem_file(data.path().join("tls/cert.pem")).unwrap();
    for part in [
        hostless.as_str(),
        data.path().to_str().unwrap(),
        &tls::fingerprint_sha256_colons(&leaf),
        &format!(
            "/server add stentor localhost/{port} -ssl -ssl_fingerprint={}",
            tls::fingerprint_sha256(&leaf)
        ),
        &format!(
            "/connect -tls -tls_verify -tls_cafile {}/tls/ca.pem localhost {port}",
            data.path().display()
        ),
        &format!("stentor chat ircs://localhost:{port} --user admin --data {}\n", data.path().display()),
        "stentor account add NAME --data ",
        "stentor invite --data ",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }

    let file = data.path().join("admin-password");
    assert!(told.contains(file.to_str().unwrap()) && node.log().contains(file.to_str().unwrap()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&file).unwrap().trim_end().to_owned();
    assert!(!told.contains(&password) && !node.log().contains(&password));

    let mut client = log_in_as_admin(&node, data.path(), &password);
    node.signal("TERM");
    client.line_with("ERROR :");
    assert_eq!(node.wait(), Some(0), "{}", node.log());
    assert!(!data.path().join("stentor.sock").exists(), "the socket is gone");

    let again = Node::start(data.path(), &["irc://127.0.0.1:0"], &[]);
    assert!(!again.welcome().contains("admin-password"), "there is an admin already");
}

#[test]
fn with_a_certificate_of_cert_make_the_lines_to_paste_say_what_to_trust() {
    let data = tempfile::tempdir().unwrap();
    let out = data.path().join("shared");
    let made =
        tls::make(&out, &["localhost".to_owned()], KeyType::EcdsaP256, SystemTime::now().into()).unwrap();
    let (chain, key) = (made.places.chain.to_str().unwrap(), made.places.key.to_str().unwrap());
    let flags = ["--tls-cert", chain, "--tls-key", key];
    let node = Node::start(&data.path().join("data"), &["ircs://127.0.0.1:0"], &flags);
    let told = node.welcome();
    let fingerprint = tls::fingerprint_sha256(&made.leaf);
    for part in [
        format!("-tls -tls_fingerprint={fingerprint}"),
        format!("-ssl -ssl_fingerprint={fingerprint}"),
        format!("-tls_cafile {}", made.places.authority.display()),
        "WeeChat 4.x ".to_owned(),
        "WeeChat 3.x ".to_owned(),
    ] {
        assert!(told.contains(&part), "{part} is missing in:\n{told}");
    }
}

#[test]
fn a_port_in_use_has_exit_code_5() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let data = tempfile::tempdir().unwrap();
    let told = refused(5, data.path(), &[&format!("irc://127.0.0.1:{port}")], &[]);
    assert!(
        told.contains(&format!("cannot listen on irc://127.0.0.1:{port}: port {port} is in use")),
        "{told}"
    );
}

#[test]
fn a_data_directory_that_is_in_use_or_no_directory_has_exit_code_4() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path(), &["irc://127.0.0.1:0"], &[]);
    let told = refused(4, data.path(), &["irc://127.0.0.1:0"], &[]);
    let expected = format!("{} is in use by another process (pid {})", data.path().display(), node.id());
    assert!(told.contains(&expected), "{told}");

    let redis = RedisServer::start();
    let told = refused(4, data.path(), &["irc://127.0.0.1:0"], &["--redis", &redis.url()]);
    assert!(told.contains(&expected), "with Redis, too: {told}");

    let file = data.path().join("file");
    fs::write(&file, "").unwrap();
    let told = refused(4, &file, &["irc://127.0.0.1:0"], &[]);
    assert!(told.contains(&format!("{} cannot be used: it is not a directory", file.display())), "{told}");
    let told = refused(4, &file.join("data"), &["irc://127.0.0.1:0"], &[]);
    assert!(told.contains(&format!("{} cannot be used: ", file.join("data").display())), "{told}");
}

#[test]
fn a_second_signal_stops_at_once() {
    let redis = RedisServer::start();
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("stentor.toml");
    fs::write(&config, "accounts.required = false\ndrain.time = '5m'\n").unwrap();
    let flags = ["--redis", &redis.url(), "--config", config.to_str().unwrap()];
    let mut node = Node::start(data.path(), &["irc://127.0.0.1:0"], &flags);
    let mut client = BufReader::new(connect(&node, "irc"));
    client.get_mut().write_all(b"NICK nick\r\nUSER x 0 * :x\r\nJOIN #room\r\n").unwrap();
    line_with(&mut client, " 366 ");
    // What the client holds cannot be given up, so the node is not done when the next signal comes.
    redis.pause();
    node.signal("INT");
    node.log_line("a second signal stops at once");
    node.signal("INT");
    assert_eq!(node.wait(), Some(130), "{}", node.log());
    node.log_line("stopping at once");
}

#[test]
fn a_hundred_busy_clients_are_closed_in_time() {
    let data = tempfile::tempdir().unwrap();
    // Long enough that whoever is still there after it, which is logged, has hung and was not slow.
    let mut node = guests_welcome(data.path(), "60s");
    let mut clients = a_hundred_clients(&node);
    for client in &mut clients {
        client.get_mut().write_all("PRIVMSG #all :busy\r\n".repeat(25).as_bytes()).unwrap();
    }
    node.signal("INT");
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| line_with(client, "ERROR :"));
        }
    });
    assert_eq!(node.wait(), Some(0), "{}", node.log());
    assert!(!node.log().contains("WARN"), "{}", node.log());
}

#[test]
fn sighup_takes_what_it_can_and_keeps_the_rest() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("stentor.toml");
    let write = |text: &str| fs::write(&config, text).unwrap();
    write("motd = 'the first'\n");
    let listen = ["ircs://127.0.0.1:0", "irc://127.0.0.1:0"];
    let flags = ["--config", config.to_str().unwrap()];
    let node = Node::start(data.path(), &listen, &flags);
    let motd = || {
        let mut client = BufReader::new(connect(&node, "irc"));
        let password = fs::read_to_string(data.path().join("admin-password")).unwrap();
        let login = format!("PASS admin:{}\r\nNICK admin\r\nUSER admin 0 * :admin\r\n", password.trim_end());
        client.get_mut().write_all(login.as_bytes()).unwrap();
        let line = line_with(&mut client, " 372 ");
        client.get_mut().write_all(b"QUIT\r\n").unwrap();
        line_with(&mut client, "ERROR :");
        line
    };
    assert!(motd().contains("the first"));

    write(
        "motd = 'the second'\nnetwork.name = 'Other'\ntls.names = ['localhost', 'other.example']\nlog.level = 'debug'\n",
    );
    node.signal("HUP");
    node.log_line("changed: log.level, motd, tls.names");
    node.log_line("changed, but not before a restart: network.name");
    node.log_line("new certificate");
    assert!(motd().contains("the second"));
    let pem = data.path().join("tls/cert.pem");
    let leaf = CertificateDer::from_pem_file(&pem).unwrap();
    assert!(node.log().contains(&tls::fingerprint_sha256(&leaf)));

    write("motd = 'the third'\nmodt = 'oops'\n");
    node.signal("HUP");
    node.log_line("the settings stay as they were");
    assert!(node.log().contains("unknown key `modt"), "{}", node.log());
    assert!(motd().contains("the second"));

    write("motd = 'the second'\ntls.names = ['localhost', 'other.example']\nlog.level = 'debug'\n");
    node.signal("HUP");
    node.log_line("no setting has changed");
}

#[test]
fn the_first_account_becomes_an_operator_and_has_the_configuration_read_again() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("stentor.toml");
    fs::write(&config, "motd = 'the first'\n").unwrap();
    let node = Node::start(data.path(), &["ircs://127.0.0.1:0"], &["--config", config.to_str().unwrap()]);
    let password = fs::read_to_string(data.path().join("admin-password")).unwrap().trim_end().to_owned();
    let mut admin = log_in_as_admin(&node, data.path(), &password);
    admin.send("REHASH");
    admin.line_with(" 481 admin ");
    admin.send(&format!("OPER admin {password}"));
    admin.line_with(" 381 admin ");
    fs::write(&config, "motd = 'the second'\n").unwrap();
    admin.send("REHASH");
    admin.line_with(" 382 admin ");
    admin.line_with("REHASH: the configuration was read again; changed: motd");
    admin.send("MOTD");
    admin.line_with("the second");
    fs::write(&config, "motd = 'the third'\nmodt = 'oops'\n").unwrap();
    admin.send("REHASH");
    admin.line_with("REHASH: the configuration is wrong, so the settings stay as they were");
    fs::write(&config, "motd = 'the second'\nnetwork.name = 'Other'\n").unwrap();
    admin.send("REHASH");
    admin.line_with("REHASH: changed, but not before a restart: network.name");
    let log = node.log();
    assert!(log.contains("an operator acts") && log.contains("rehash") && !log.contains(&password), "{log}");
}

#[test]
fn guessing_at_a_password_is_logged_once_and_without_the_guesses() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path(), &["irc://127.0.0.1:0"], &[]);
    let guess = |account: &str| {
        let mut client = BufReader::new(connect(&node, "irc"));
        let login = format!("PASS {account}:hunter2\r\nNICK x\r\nUSER x 0 * :x\r\n");
        client.get_mut().write_all(login.as_bytes()).unwrap();
        line_with(&mut client, "ERROR :");
    };
    for account in ["admin", "hunter3"] {
        for _ in 0..6 {
            guess(account);
        }
    }
    node.log_line("too many failed logins to no account");
    let log = node.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("too many failed logins:")).collect();
    assert!(told.len() == 1 && told[0].contains("admin") && told[0].contains("127.0.0.1"), "{log}");
    assert!(!log.contains("hunter"), "{log}");
}

#[test]
fn who_is_not_let_in_reads_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path(), &["irc://127.0.0.1:0"], &[]);
    let told = |login: &str, numeric: &str| {
        let mut client = BufReader::new(connect(&node, "irc"));
        client.get_mut().write_all(format!("{login}\r\nUSER x 0 * :x\r\n").as_bytes()).unwrap();
        line_with(&mut client, numeric)
    };
    let text = told("NICK x", " 464 ");
    for way in ["SASL", "PASS account:password", "PASS invite:CODE:password"] {
        assert!(text.contains(way), "{text}");
    }
    let text = told("PASS invite:used-up:secret\r\nNICK admin", " 464 ");
    assert!(text.contains("your server password is admin:PASSWORD"), "{text}");
    drop(node);

    let node = guests_welcome(data.path(), "0s");
    let mut client = BufReader::new(connect(&node, "irc"));
    client.get_mut().write_all(b"NICK admin\r\nUSER x 0 * :x\r\n").unwrap();
    let text = line_with(&mut client, " 433 ");
    assert!(text.contains("belongs to an account"), "{text}");
}

#[test]
fn a_client_that_is_cut_off_for_its_slowness_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("stentor.toml");
    let motd = "x\\n".repeat(5000);
    fs::write(
        &config,
        format!("motd = \"{motd}\"\n[accounts]\nrequired = false\n[limits]\nsend_queue = '16KiB'\n"),
    )
    .unwrap();
    let node = Node::start(data.path(), &["irc://127.0.0.1:0"], &["--config", config.to_str().unwrap()]);
    let mut client = BufReader::new(connect(&node, "irc"));
    client.get_mut().write_all(b"NICK slowpoke\r\nUSER x 0 * :x\r\n").unwrap();
    line_with(&mut client, "ERROR :SendQ exceeded");
    node.log_line("was cut off: SendQ exceeded");
    assert_eq!(node.log().matches("slowpoke").count(), 1, "{}", node.log());
}

#[test]
fn a_node_that_takes_in_nobody_says_so() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(data.path(), &["http://127.0.0.1:0"], &[]);
    node.log_line("nobody can chat here");
}

#[test]
fn too_few_descriptors_are_waited_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start_limited(data.path(), &["irc://127.0.0.1:0"], "ulimit -n 48");
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(&node, "irc")).collect();
    node.log_line("takes no connection; trying again");
    drop(crowd);
    let mut client = BufReader::new(connect(&node, "irc"));
    client.get_mut().write_all(b"CAP LS 302\r\n").unwrap();
    line_with(&mut client, " CAP ");
    let told = node.log().matches("takes no connection").count();
    assert!(told < 10, "it does not fill the log: {told} lines");
}

#[test]
fn a_store_that_is_not_there_yet_is_awaited() {
    let mut redis = RedisServer::start();
    redis.kill();
    let data = tempfile::tempdir().unwrap();
    let url = redis.url();
    let listen = ["irc://127.0.0.1:0", "http://127.0.0.1:0"];
    let node = Node::start_without_welcome(data.path(), &listen, &["--redis", &url, "--name", "node-1"]);
    node.log_line("nobody is taken in until it answers");
    node.log_line("listening on http://");
    assert!(ready(&node).starts_with("503 the store cannot be reached"), "{}", ready(&node));
    assert!(!node.log().contains("listening on irc://"), "nobody is taken in");
    redis.restart();
    assert!(node.welcome().contains("node-1"));
    assert_eq!(ready(&node), "200 ready");
    let mut client = BufReader::new(connect(&node, "irc"));
    client.get_mut().write_all(b"CAP LS 302\r\n").unwrap();
    line_with(&mut client, " CAP ");
    redis.kill();
    node.log_line("clients stay, and what needs the store is refused");
    let log = node.log();
    let away = log.lines().find(|line| line.contains("the store is away")).unwrap_or_default();
    assert_eq!(log.matches("the store is away").count(), 1, "{log}");
    assert!(!away.contains("not available") && !away.contains("cannot be reached"), "{away}");
    assert!(ready(&node).starts_with("503 "), "{}", ready(&node));
}

#[test]
fn a_wait_for_the_store_ends_with_a_signal() {
    let mut redis = RedisServer::start();
    redis.kill();
    let data = tempfile::tempdir().unwrap();
    let flags = ["--redis", &redis.url()];
    let mut node = Node::start_without_welcome(data.path(), &["irc://127.0.0.1:0"], &flags);
    node.log_line("nobody is taken in until it answers");
    node.signal("TERM");
    assert_eq!(node.wait(), Some(0), "{}", node.log());
}

#[test]
fn a_store_that_refuses_has_exit_code_4() {
    let redis = RedisOptions::new().password("right").start();
    let data = tempfile::tempdir().unwrap();
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port());
    let told = refused(4, data.path(), &["irc://127.0.0.1:0"], &["--redis", &url]);
    assert!(told.contains("WRONGPASS") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_node_that_is_told_to_stop_leaves_its_name_and_its_users_names_free() {
    let redis = RedisServer::start();
    let (data, url) = (tempfile::tempdir().unwrap(), redis.url());
    let flags = ["--redis", &url, "--name", "node-1"];
    for _ in 0..2 {
        let mut node = Node::start(data.path(), &["ircs://127.0.0.1:0"], &flags);
        assert!(!node.log().contains("another process runs under this node's name"), "{}", node.log());
        let password = fs::read_to_string(data.path().join("admin-password")).unwrap();
        let mut client = log_in_as_admin(&node, data.path(), password.trim_end());
        client.send("JOIN #x");
        client.line_with(" 366 admin #x ");
        node.signal("TERM");
        client.line_with("ERROR :");
        assert_eq!(node.wait(), Some(0), "{}", node.log());
    }
}
