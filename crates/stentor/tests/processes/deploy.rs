//! What the files in `deploy/` promise beside what they run: rights that are given up, and what has to fit together.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use stentor_server::config::Config;

use crate::compose::Compose;
use crate::node::Node;

/// What `deploy/Dockerfile` says, as far as others depend on it.
#[derive(Debug)]
pub(crate) struct Image {
    /// What each stage begins from.
    pub(crate) stages: Vec<String>,
    /// All instructions of the last stage, each as its word and the rest.
    pub(crate) last: Vec<(String, String)>,
    pub(crate) user: String,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) health_check: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Image {
    pub(crate) fn load() -> Self {
        let text = file("deploy/Dockerfile").replace("\\\n", "");
        let instructions: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line} is no instruction")))
            .collect();
        let stages =
            instructions.iter().filter(|(word, _)| *word == "FROM").map(|(_, rest)| (*rest).to_owned());
        let last = instructions.iter().rposition(|(word, _)| *word == "FROM").expect("a stage");
        let last: Vec<(String, String)> = instructions[last..]
            .iter()
            .map(|(word, rest)| ((*word).to_owned(), (*rest).to_owned()))
            .collect();
        let only = |wanted: &str| {
            let mut found = last.iter().filter(|(word, _)| word == wanted).map(|(_, rest)| rest.clone());
            let one = found.next().unwrap_or_else(|| panic!("there is no {wanted}"));
            assert!(found.next().is_none(), "{wanted} is there twice");
            one
        };
        let list = |text: &str| serde_saphyr::from_str::<Vec<String>>(text).expect("a list of words");
        let (_, check) = only("HEALTHCHECK")
            .split_once(" CMD ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a command");
        let environment = last.iter().filter(|(word, _)| word == "ENV").map(|(_, rest)| {
            let (name, value) = rest.split_once('=').expect("a name and a value");
            (name.to_owned(), value.to_owned())
        });
        Self {
            stages: stages.collect(),
            user: only("USER"),
            entrypoint: list(&only("ENTRYPOINT")),
            health_check: list(&check),
            environment: environment.collect(),
            last,
        }
    }
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn each_container_gives_up_what_it_does_not_need() {
    let compose = Compose::load();
    let image = Image::load();
    for (name, service) in &compose.services {
        assert!(service.read_only, "{name}");
        assert_eq!(service.user, image.user, "{name}: all see volumes of the same owner");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        assert_eq!(service.tmpfs, ["/tmp"], "{name}");
        for (volume, _) in service.mounts() {
            assert!(compose.volumes.contains_key(volume), "{name}: {volume}");
        }
        let one_shot = name == "setup";
        assert_eq!(service.restart, if one_shot { "no" } else { "unless-stopped" }, "{name}");
        assert_eq!(service.network_mode.as_deref(), one_shot.then_some("none"), "{name}");
        assert_eq!(service.stop_grace_period.is_none(), one_shot, "{name}");
        assert_eq!(service.volumes.len(), if one_shot { 3 } else { 1 }, "{name} sees what is its own");
    }
    let ports: Vec<&[String]> = compose.services.values().map(|service| service.ports.as_slice()).collect();
    let expected: [&[&str]; 4] = [&["8001:8001"], &[], &["8002:8002"], &[]];
    assert_eq!(ports, expected, "what listens to others: one, setup, two, valkey");
}

#[test]
fn valkey_speaks_tls_alone_asks_for_a_password_and_keeps_what_it_has_taken() {
    let compose = Compose::load();
    let valkey = &compose.services["valkey"];
    let words = valkey.command.join(" ");
    for part in ["--port 0 --tls-port 6379", "--appendonly yes", "--maxmemory-policy noeviction"] {
        assert!(words.contains(part), "{part} is missing in {words}");
    }
    assert!(!words.contains("requirepass") && valkey.environment.is_empty(), "secrets are in files");
    let check = valkey.healthcheck.as_ref().expect("there is one");
    let times = [&check.interval, &check.timeout, &check.start_period].map(String::as_str);
    assert_eq!((times, check.retries), (["5s", "5s", "60s"], 3));
}

#[test]
fn the_image_is_built_in_two_stages_and_fits_what_runs_it() {
    let image = Image::load();
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert_eq!(image.stages, [format!("rust:{version}-trixie AS builder"), "debian:trixie-slim".to_owned()]);
    let user: u32 =
        image.user.split(':').next().unwrap_or_default().parse().expect("a number, which all engines know");
    assert_ne!(user, 0);
    assert_eq!(image.entrypoint, ["stentor"]);
    assert_eq!(image.health_check, ["stentor", "ready"]);
    assert!(image.last.contains(&("CMD".to_owned(), "[\"serve\"]".to_owned())));

    let owned = image.last.iter().find(|(word, rest)| word == "RUN" && rest.starts_with("install -d"));
    let owned: Vec<&str> = owned.expect("directories are made").1.split(' ').collect();
    let compose = Compose::load();
    for service in compose.services.values().filter(|service| service.image == "stentor") {
        match (&service.build, service.pull_policy.as_deref()) {
            (Some(build), Some("build")) => {
                assert_eq!((build.context.as_str(), build.dockerfile.as_str()), ("..", "deploy/Dockerfile"));
            }
            (None, Some("never")) => {}
            other => panic!("an image of this name could come from elsewhere: {other:?}"),
        }
        for (_, path) in service.mounts() {
            assert!(owned.contains(&path), "a volume on {path} would be root's");
        }
    }
    let (group, made) = (owned.iter().filter(|word| **word == user.to_string()).count(), owned.len());
    assert!(group == 2 && made > 4, "{owned:?}");

    // What the build needs is what the context has.
    let kept: Vec<String> = file(".dockerignore").lines().map(str::to_owned).collect();
    for needed in ["*", "!Cargo.toml", "!Cargo.lock", "!crates"] {
        assert!(kept.iter().any(|line| line == needed), "{needed}");
    }
}

/// The settings of a unit file, with all values of each.
fn unit() -> BTreeMap<String, Vec<String>> {
    let mut settings = BTreeMap::<String, Vec<String>>::new();
    for line in file("deploy/stentor.service").lines() {
        if line.is_empty() || line.starts_with('#') || line.starts_with('[') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line} is no setting"));
        settings.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    settings
}

#[test]
fn the_systemd_unit_gives_up_what_a_node_does_not_need() {
    let unit = unit();
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("StateDirectory", "stentor"),
        ("StateDirectoryMode", "0700"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("NoNewPrivileges", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallFilter", "@system-service"),
        ("LimitNOFILE", "65536"),
        ("Restart", "on-failure"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("WantedBy", "multi-user.target"),
    ] {
        assert_eq!(unit.get(key).and_then(|values| values.first()).map(String::as_str), Some(value), "{key}");
    }
    let stop = unit["TimeoutStopSec"][0].strip_suffix('s').and_then(|text| text.parse().ok());
    let drain = Config::from_text("").expect("the defaults are right").drain_time.as_secs();
    assert!(stop.is_some_and(|stop: u64| stop >= drain + 10), "the node has to be done before it is killed");
}

#[test]
fn what_the_systemd_unit_starts_runs_reloads_and_stops() {
    let unit = unit();
    let data = tempfile::tempdir().unwrap();
    let start = unit["ExecStart"][0].replace("${STATE_DIRECTORY}", data.path().to_str().expect("UTF-8"));
    let mut words = start.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/stentor"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    // The port of the default may be in use here.
    command.args(words).args(["--listen", "ircs://127.0.0.1:0"]).env_clear();
    let mut node = Node::spawn(command);
    assert!(node.welcome().contains(data.path().to_str().unwrap()));
    node.signal("HUP");
    node.log_line("the configuration was read again");
    node.signal("TERM");
    assert_eq!(node.wait(), Some(0), "{}", node.log());
}
