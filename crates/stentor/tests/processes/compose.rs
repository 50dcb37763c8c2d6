//! `deploy/compose.yaml`, run as it is written, but as bare processes.
//!
//! What a container engine would do is replaced here, and nothing else: see [`Stack::translate`] for names, ports and
//! paths, and [`PROGRAMS`] for programs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use stentor_server::tls;
use stentor_testing::port;
use tempfile::TempDir;

use crate::chat::{Chat, Trust};
use crate::deploy::Image;
use crate::node::Node;

/// A whole file. Keys that are not known here are refused, so that nothing in it goes untested.
#[derive(Debug, Deserialize)]
pub(crate) struct Compose {
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) volumes: BTreeMap<String, Option<()>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) image: String,
    pub(crate) build: Option<Build>,
    pub(crate) pull_policy: Option<String>,
    pub(crate) user: String,
    pub(crate) read_only: bool,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) security_opt: Vec<String>,
    pub(crate) tmpfs: Vec<String>,
    pub(crate) network_mode: Option<String>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) volumes: Vec<String>,
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    #[serde(default)]
    pub(crate) depends_on: BTreeMap<String, Dependency>,
    pub(crate) healthcheck: Option<HealthCheck>,
    pub(crate) restart: String,
    pub(crate) stop_grace_period: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    pub(crate) context: String,
    pub(crate) dockerfile: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    pub(crate) condition: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthCheck {
    pub(crate) test: Vec<String>,
    pub(crate) interval: String,
    pub(crate) timeout: String,
    pub(crate) start_period: String,
    pub(crate) retries: u32,
}

impl Compose {
    pub(crate) fn load() -> Self {
        let text =
            fs::read_to_string(crate::deploy::root().join("deploy/compose.yaml")).expect("it is there");
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("compose.yaml: {error}"))
    }
}

impl Service {
    /// Volumes, with where the service sees them.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.volumes.iter().map(|mount| mount.split_once(':').expect("a volume and a path"))
    }
}

/// The services as processes.
struct Stack {
    compose: Compose,
    image: Image,
    directory: TempDir,
    ports: Vec<(&'static str, &'static str, u16)>,
    variables: BTreeMap<&'static str, &'static str>,
}

impl Stack {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let compose = Compose::load();
        for volume in compose.volumes.keys() {
            fs::create_dir_all(directory.path().join("volumes").join(volume))
                .expect("a directory can be made");
        }
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).expect("a directory can be made");
        symlink(env!("CARGO_BIN_EXE_stentor"), programs.join("stentor")).expect("a link can be made");
        for (name, here) in PROGRAMS {
            symlink(which(here), programs.join(name)).expect("a link can be made");
        }
        let ports = PORTS.iter().map(|(service, port)| (*service, *port, port::to_come_back_to())).collect();
        Self { compose, image: Image::load(), directory, ports, variables: BTreeMap::new() }
    }

    /// Whether a service runs the image of `deploy/Dockerfile`.
    fn is_ours(&self, service: &str) -> bool {
        self.service(service).image == "stentor"
    }

    fn service(&self, name: &str) -> &Service {
        self.compose.services.get(name).unwrap_or_else(|| panic!("there is no service {name}"))
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.directory.path().join("volumes").join(name)
    }

    fn port(&self, service: &str, port: &str) -> u16 {
        let found = self.ports.iter().find(|known| (known.0, known.1) == (service, port));
        found.unwrap_or_else(|| panic!("{service} has no port {port}")).2
    }

    /// A word of a service, as it holds outside a container:
    /// variables of compose.yaml are filled in, the name of a service is loopback, each port is a free one, a path in a
    /// volume is one in the test's directory.
    fn translate(&self, service: &str, text: &str) -> String {
        let mut text = self.interpolate(text);
        for name in self.compose.services.keys() {
            for (before, after) in [("://", ":"), ("--name ", " "), ("-h ", " ")] {
                text = text.replace(&format!("{before}{name}{after}"), &format!("{before}127.0.0.1{after}"));
            }
        }
        text = text.replace("0.0.0.0", "127.0.0.1");
        text = self.with_free_ports(service, &text);
        for (volume, path) in self.service(service).mounts() {
            text = text.replace(path, &self.volume(volume).display().to_string());
        }
        text
    }

    /// `${NAME:-default}`, and `$$` for `$`.
    fn interpolate(&self, text: &str) -> String {
        let (mut done, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            done.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                done.push('$');
                after
            } else {
                let inside = after.strip_prefix('{').and_then(|after| after.split_once('}'));
                let (variable, after) = inside.unwrap_or_else(|| panic!("a lonely $ in {text}"));
                let (name, default) = variable.split_once(":-").expect("each variable has a default");
                done.push_str(self.variables.get(name).copied().unwrap_or(default));
                after
            };
        }
        done + rest
    }

    /// Replaces whole numbers that are ports: the service's own, or else another's.
    fn with_free_ports(&self, service: &str, text: &str) -> String {
        let mut done = String::new();
        for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
            let number = part.trim_end_matches(|c: char| !c.is_ascii_digit());
            let known = |own: bool| {
                self.ports.iter().find(|(owner, port, _)| *port == number && (*owner == service || !own))
            };
            match known(true).or_else(|| known(false)) {
                Some((.., free)) => done.push_str(&format!("{free}{}", &part[number.len()..])),
                None => done.push_str(part),
            }
        }
        done
    }

    /// A command in the surroundings of a service: nothing but what the image and compose.yaml set.
    fn command(&self, service: &str, words: &[String]) -> Command {
        let mut words = words.iter().map(|word| self.translate(service, word));
        let mut command = Command::new(words.next().expect("a command has a name"));
        let programs = self.directory.path().join("bin");
        command.args(words).env_clear().env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        let of_image = self.is_ours(service).then_some(&self.image.environment).into_iter().flatten();
        for (name, value) in of_image.chain(&self.service(service).environment) {
            command.env(name, self.translate(service, value));
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// What the service's container would run.
    fn main_command(&self, name: &str) -> Command {
        let service = self.service(name);
        let of_image = self.is_ours(name).then(|| self.image.entrypoint.clone());
        let mut words = service.entrypoint.clone().or(of_image).unwrap_or_default();
        words.extend(service.command.iter().cloned());
        self.command(name, &words)
    }

    /// Runs a one-shot service to its end.
    fn finish(&self, name: &str) {
        let output = self.main_command(name).output().expect("it starts");
        assert!(output.status.success(), "{name}: {output:?}");
    }

    /// `docker compose exec -T SERVICE COMMAND`.
    fn exec(&self, service: &str, command: &str, input: &str) -> Output {
        let file = self.directory.path().join("input");
        fs::write(&file, input).expect("a file can be written");
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let input = fs::File::open(&file).expect("it was written");
        self.command(service, &words).stdin(input).output().expect("it starts")
    }

    /// Runs the health check of a service, once.
    fn is_healthy(&self, name: &str) -> bool {
        let words = match self.service(name).healthcheck.as_ref().map(|check| check.test.as_slice()) {
            None => {
                assert!(self.is_ours(name), "{name} has no health check");
                self.image.health_check.clone()
            }
            Some([kind, script]) if kind == "CMD-SHELL" => {
                vec!["sh".to_owned(), "-c".to_owned(), script.clone()]
            }
            Some(other) => panic!("{other:?} is not understood"),
        };
        let output = self.command(name, &words).output().expect("it starts");
        output.status.success()
    }

    fn start(&self, name: &str) -> Node {
        for (needed, dependency) in &self.service(name).depends_on {
            let expected = match self.service(needed).restart.as_str() {
                "no" => "service_completed_successfully",
                _ => "service_healthy",
            };
            assert_eq!(dependency.condition, expected, "{name} needs {needed}");
        }
        assert!(!self.is_healthy(name), "{name} is healthy before it runs");
        Node::spawn(self.main_command(name))
    }

    fn chat(&self, service: &str, port: &str, account: &str) -> Chat {
        let address = format!("127.0.0.1:{}", self.port(service, port));
        let mut chat = Chat::connect_to(&address, &Trust::of(&self.volume(service)));
        chat.start_login(account, "server-time");
        chat.line_with(" 001 ");
        chat.drain();
        chat
    }
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("there is no {program}"))
}

fn done(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn what_compose_yaml_says_runs_and_people_on_both_nodes_chat() {
    let stack = Stack::new();
    stack.finish("setup");
    let valkey = stack.start("valkey");
    valkey.out_line("Ready to accept connections");
    assert!(stack.is_healthy("valkey"));
    let (mut one, mut two) = (stack.start("one"), stack.start("two"));
    for (name, node) in [("one", &one), ("two", &two)] {
        node.welcome();
        assert!(stack.is_healthy(name), "{}", node.log());
    }

    let passwd = stack.exec("one", "stentor account passwd admin --password-stdin", "secret\n");
    assert!(done(&passwd).contains("new password"));
    let added = stack.exec("two", "stentor account add alice --password-stdin", "secret\n");
    let port_two = stack.port("two", "8002");
    let way_in = format!("stentor chat ircs://localhost:{port_two} --user alice --fingerprint ");
    assert!(done(&added).contains(&way_in), "{added:?}");
    let mut admin = stack.chat("one", "8001", "admin");
    let mut alice = stack.chat("two", "8002", "alice");
    for chat in [&mut admin, &mut alice] {
        chat.send("JOIN #lobby");
        chat.drain();
    }
    admin.send("PRIVMSG #lobby :Hello from 8001");
    assert!(alice.line_with("PRIVMSG").ends_with("PRIVMSG #lobby :Hello from 8001"));
    alice.send("PRIVMSG #lobby :Hello from 8002");
    assert!(admin.line_with("PRIVMSG").ends_with("PRIVMSG #lobby :Hello from 8002"));

    let invited = stack.exec("one", "stentor invite", "");
    let line = done(&invited).lines().next().expect("a line");
    let expected =
        format!("stentor chat ircs://localhost:{} --register --invite ", stack.port("one", "8001"));
    let chain = tls::files::read_chain(&stack.volume("two").join("tls/cert.pem")).expect("it was made");
    let pin = format!(" --fingerprint {}", tls::fingerprint_sha256(&chain[0]));
    assert!(line.starts_with(&expected) && line.ends_with(&pin), "{line}");

    // As after kill -9 and `restart: unless-stopped`: what was taken is there, and clients have stayed.
    drop(valkey);
    one.log_line("clients stay, and what needs the store is refused");
    assert!(!stack.is_healthy("one"));
    let valkey = stack.start("valkey");
    valkey.out_line("Ready to accept connections");
    two.log_line("the store is back");
    assert!(done(&stack.exec("two", "stentor account list", "")).contains("alice"));
    // A node's connections to the store come back one by one; until then it says that nothing was stored.
    alice.send("PRIVMSG admin :still here");
    while alice.drain().iter().any(|line| line.contains(" NOTICE ")) {
        alice.send("PRIVMSG admin :still here");
    }
    assert!(admin.line_with("PRIVMSG").ends_with("PRIVMSG admin :still here"));
    for node in [&mut one, &mut two] {
        node.signal("TERM");
        assert_eq!(node.wait(), Some(0), "{}", node.log());
    }
    assert!(!stack.is_healthy("one"));
}

#[test]
fn the_one_shot_service_makes_what_is_missing_and_keeps_what_is_there() {
    let mut stack = Stack::new();
    stack.finish("setup");
    let files = ["valkey/tls/cert.pem", "valkey/password", "one/tls/ca.pem", "two/tls/key.pem", "two/names"];
    let contents = |stack: &Stack| files.map(|file| read(&stack.volume("").join(file)));
    let first = contents(&stack);
    stack.finish("setup");
    assert_eq!(contents(&stack), first);
    assert_eq!(read(&stack.volume("one").join("valkey-password")), first[1]);
    assert_eq!(read(&stack.volume("two").join("tls/ca.pem")), first[2]);
    assert!(first[1].trim_end().len() >= 32 && !format!("{:?}", stack.compose).contains(first[1].trim_end()));

    // As if it had been ended between the two nodes.
    fs::rename(stack.volume("two").join("tls"), stack.volume("two").join("tls.new")).expect("it was made");
    fs::remove_file(stack.volume("valkey").join("tls/cert.pem")).expect("it was made");
    stack.finish("setup");
    let authority = read(&stack.volume("one").join("tls/ca.pem"));
    assert_ne!(authority, first[2]);
    assert_eq!(authority, read(&stack.volume("two").join("tls/ca.pem")));
    let of_valkey = read(&stack.volume("valkey").join("tls/ca.pem"));
    assert_eq!(of_valkey, read(&stack.volume("two").join("valkey-ca.pem")));

    stack.variables.insert("CHAT_NAMES", "chat.example.org,localhost");
    stack.finish("setup");
    let chain = tls::files::read_chain(&stack.volume("two").join("tls/cert.pem")).expect("it was made");
    let facts = tls::authority::Facts::of(&chain[0]).expect("it is one");
    assert_eq!(facts.names.into_iter().collect::<Vec<_>>(), ["chat.example.org", "localhost"]);
    assert_eq!(read(&stack.volume("valkey").join("password")), first[1]);
}

/// Each port in compose.yaml, and whose it is.
const PORTS: &[(&str, &str)] =
    &[("valkey", "6379"), ("one", "8001"), ("one", "8080"), ("two", "8002"), ("two", "8080")];

/// Programs of images, and what stands for them on a machine with Debian's packages.
const PROGRAMS: &[(&str, &str)] = &[("valkey-server", "redis-server"), ("valkey-cli", "redis-cli")];
