//! The real binary: what it prints, and the exit codes that `stentor --help` documents.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use stentor_server::config::SYSTEM_FILE;
use stentor_server::tls::authority::Facts;
use tempfile::TempDir;

/// Runs the binary without any setting of this machine.
fn stentor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("STENTOR_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    for name in ours {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Asserts a failure with an exit code, and returns what was told.
fn refused(code: i32, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = stentor(arguments, variables);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    assert!(!stderr(&output).contains("panicked"), "{output:?}");
    assert!(!stderr(&output).contains('\x1b'), "there is no terminal: {output:?}");
    stderr(&output).to_owned()
}

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("the directory can be written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_defaults_that_are_printed_pass_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let output = stentor(&["config", "default"], &[]);
    assert!(output.status.success());
    assert!(stdout(&output).contains("\nbcrypt_cost = 12\n"));
    let path = file(&directory, "stentor.toml", stdout(&output));
    let output = stentor(&["config", "check", &path], &[]);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).starts_with(&format!("{path}: correct, ")));
    assert!(stderr(&output).is_empty());
}

#[test]
fn a_wrong_configuration_is_told_in_full_with_exit_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "stentor.toml", "[accounts]\nbcrypt_cost = 3\nrequird = true\n");
    let told = refused(3, &["config", "check", &path], &[]);
    assert!(
        told.contains(&format!("{path}:2: `accounts.bcrypt_cost = 3`; allowed: a whole number from 4 to 31")),
        "{told}"
    );
    assert!(told.contains(&format!(
        "{path}:3: unknown key `accounts.requird = true`; did you mean `accounts.required`?"
    )));

    let broken = file(&directory, "broken.toml", "[accounts\n");
    assert!(refused(3, &["config", "check", &broken], &[]).contains("broken.toml:1: not valid TOML"));
    assert!(
        refused(3, &["config", "check", "/nonexistent/stentor.toml"], &[])
            .contains("cannot read the configuration")
    );
    assert!(refused(3, &["serve", "--config", &path], &[]).contains("bcrypt_cost"));
    assert!(refused(3, &["account", "list", "--config", "/nonexistent"], &[]).contains("/nonexistent"));
}

#[test]
fn a_check_without_a_file_says_what_was_checked() {
    let output = stentor(&["config", "check"], &[]);
    let expected = if Path::new(SYSTEM_FILE).exists() {
        format!("{SYSTEM_FILE} and the environment")
    } else {
        format!("the environment (there is no {SYSTEM_FILE};")
    };
    assert!(stdout(&output).starts_with(&expected), "{output:?}");
}

#[test]
fn variables_are_checked_as_files_are() {
    let told = refused(3, &["serve"], &[("STENTOR_ACCOUNTS__BCRYPT_COST", "99")]);
    assert!(told.contains("environment variable STENTOR_ACCOUNTS__BCRYPT_COST"), "{told}");
    let told = refused(3, &["serve"], &[("STENTOR_ACOUNTS__BCRYPT_COST", "9")]);
    assert!(told.contains("did you mean `STENTOR_ACCOUNTS__BCRYPT_COST`?"), "{told}");
}

#[test]
fn a_wrong_command_line_has_exit_code_2() {
    assert!(refused(2, &["sevre"], &[]).contains("serve"));
    assert!(refused(2, &["serve", "--tls-cert", "x"], &[]).contains("--tls-key"));
    assert!(
        refused(2, &["serve", "--listen", "irc://example.org"], &[])
            .contains("`example.org` is not an IP address")
    );
    assert!(refused(2, &["serve", "--listen", "irc://0.0.0.0:6667"], &[]).contains("listen_insecure"));
    assert!(refused(2, &["cert", "make", "--out", "/nonexistent/x", "--name", "a b"], &[]).contains("`a b`"));
    let told = refused(2, &["status", "--redis", "redis://:hunter2@redis.example"], &[]);
    assert!(told.contains("`redis.insecure = true`") && !told.contains("hunter2"), "{told}");
}

#[test]
fn help_and_version_are_there() {
    let output = stentor(&["--version"], &[]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), format!("stentor {}\n", env!("CARGO_PKG_VERSION")));
    let output = stentor(&["--help"], &[]);
    for word in
        ["serve", "account", "invite", "status", "ready", "cert", "config", "Exit codes", "  5  a listener"]
    {
        assert!(stdout(&output).contains(word), "{word}");
    }
}

#[test]
fn own_certificates_are_checked_with_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for out in ["a", "b"] {
        let output = stentor(&["cert", "make", "--out", &at(out), "--name", "localhost"], &[]);
        assert!(output.status.success(), "{output:?}");
    }
    let text =
        |cert: &str, key: &str| format!("[tls]\ncert_file = {:?}\nkey_file = {:?}\n", at(cert), at(key));
    let good = file(&directory, "good.toml", &text("a/cert.pem", "a/key.pem"));
    assert!(stentor(&["config", "check", &good], &[]).status.success());
    let mixed = file(&directory, "mixed.toml", &text("a/cert.pem", "b/key.pem"));
    assert!(refused(3, &["config", "check", &mixed], &[]).contains("does not belong to"));
    let missing = file(&directory, "missing.toml", &text("a/cert.pem", "c/key.pem"));
    assert!(refused(3, &["config", "check", &missing], &[]).contains("cannot read"));
}

#[test]
fn cert_make_makes_four_files_and_overwrites_none() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("tls");
    let arguments = [
        "cert",
        "make",
        "--out",
        out.to_str().unwrap(),
        "--name",
        "irc.example.org",
        "192.0.2.7",
        "--key",
        "rsa-2048",
    ];
    let output = stentor(&arguments, &[]);
    assert!(output.status.success(), "{output:?}");
    let told = stdout(&output);
    assert!(told.contains("for 192.0.2.7, irc.example.org, until 20") && told.contains("SHA-256"), "{told}");
    assert!(told.contains("cert_file = ") && !told.contains('\x1b'));
    for name in ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    assert_private(&out.join("ca-key.pem"));
    assert_private(&out.join("key.pem"));
    assert!(refused(1, &arguments, &[]).contains("ca.pem exists already"));
    let key = out.join("key.pem");
    let told = refused(1, &["cert", "make", "--out", key.to_str().unwrap(), "--name", "a"], &[]);
    assert!(told.contains("key.pem: it is not a directory"), "{told}");
    assert!(
        refused(1, &["cert", "make", "--out", "/proc/nowhere", "--name", "a"], &[]).contains("cannot write")
    );
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        fs::metadata(path).expect("the file is there").permissions().mode() & 0o777,
        0o600,
        "{}",
        path.display()
    );
}

#[cfg(not(unix))]
fn assert_private(_path: &Path) {}

#[test]
fn ready_says_why_it_cannot_ask() {
    assert!(refused(2, &["ready"], &[]).contains("no http:// listener is configured"));
    assert!(refused(2, &["ready", "ircs://127.0.0.1"], &[]).contains("http://"));
    // Nobody listens on port 1.
    assert!(refused(1, &["ready", "http://127.0.0.1:1"], &[]).contains("http://127.0.0.1:1/ready: "));
    let listen = [("STENTOR_LISTEN", "ircs://127.0.0.1:6697,http://127.0.0.1:1")];
    assert!(refused(1, &["ready"], &listen).contains("http://127.0.0.1:1/ready: "));
}

#[test]
fn a_certificate_lasts_as_long_as_it_is_asked_to_but_not_longer_than_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("tls").display().to_string();
    let output = stentor(&["cert", "make", "--out", &out, "--name", "valkey", "--days", "3650"], &[]);
    assert!(output.status.success(), "{output:?}");
    let leaf = CertificateDer::from_pem_file(directory.path().join("tls/cert.pem")).unwrap();
    let left = SystemTime::from(Facts::of(&leaf).unwrap().expires).duration_since(SystemTime::now()).unwrap();
    assert_eq!(left.as_secs() / (24 * 60 * 60), 3649);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stentor"))
        .args(["config", "default"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
