use super::*;

fn problems(text: &str) -> String {
    Config::from_text(text).expect_err("the text is wrong").to_string()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut settings = Settings::default();
    let pairs: Vec<(OsString, OsString)> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    settings.add_environment(&pairs);
    check(settings)
}

#[test]
fn the_printed_defaults_are_the_defaults() {
    let text = Config::default_text();
    let printed = Config::from_text(&text).unwrap();
    let unset = Config::from_text("").unwrap();
    assert_eq!(printed.changes(&unset), Changes::default());
    assert_eq!(printed.given().count(), KEYS.len(), "every key is printed");
    assert_eq!(unset.given().count(), 0);
    for key in KEYS {
        assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.name);
    }
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = Config::from_text("").unwrap();
    assert_eq!(config.network_name, "Stentor");
    assert_eq!(config.node_name, None);
    assert_eq!(config.listen, ["ircs://[::]:6697".parse().unwrap()]);
    assert!(config.redis.is_none() && config.accounts.required);
    assert_eq!(config.accounts.registration, Registration::Invite);
    assert_eq!(config.accounts.bcrypt_cost, 12);
    assert_eq!(config.accounts.duplicate_login, DuplicateLogin::Reject);
    assert_eq!(config.accounts.probe, Duration::from_secs(3));
    assert_eq!(config.fleet.lease, Duration::from_secs(10));
    assert_eq!(config.history.max_age, Some(Duration::from_hours(24 * 30)));
    assert_eq!(config.limits.send_queue, Limit::new(1 << 20));
    assert_eq!(config.channels.max_members, Limit::NONE);
    assert_eq!(config.tls.key, KeyType::EcdsaP256);
    assert!(
        ["localhost", "127.0.0.1", "::1"].iter().all(|name| config.tls.names.iter().any(|own| own == name))
    );
    assert!(config.warnings.is_empty() && config.motd.is_empty());
}

#[test]
fn every_choice_has_its_variants() {
    for key in KEYS {
        let Kind::Choice(words) = key.kind else { continue };
        for word in words {
            Config::from_text(&format!("{} = \"{word}\"", key.name)).unwrap();
        }
    }
}

#[test]
fn a_bad_value_is_told_with_line_key_value_and_what_is_allowed() {
    let told = problems("[accounts]\nrequired = true\nbcrypt_cost = 40\n");
    assert_eq!(told, "configuration:3: `accounts.bcrypt_cost = 40`; allowed: a whole number from 4 to 31",);
    let told = problems("accounts.probe = \"3 seconds\"");
    assert!(told.contains("\"3 seconds\"") && told.contains("\"100ms\" to \"1m\""), "{told}");
    let told = problems("listen = [\"irc://example.org:1\"]");
    assert!(told.contains("`example.org` is not an IP address"), "{told}");
    let told = problems("accounts.registration = \"maybe\"");
    assert!(told.contains("allowed: \"closed\", \"invite\", \"open\""), "{told}");
    let told = problems("accounts = 3");
    assert!(told.contains("unknown key `accounts = 3`"), "{told}");
    let told = problems("listen = 7\n[listen_insecure]\nx = 1");
    assert!(told.contains("`listen = 7`") && told.contains(":2: `listen_insecure"), "{told}");
}

#[test]
fn all_problems_are_told_at_once() {
    let told = problems("accounts.bcrypt_cost = 1\naccounts.required = 1\nnonsense = 1\n");
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn near_misses_are_recognised() {
    for (wrong, meant) in [
        ("acounts.required = true", "`accounts.required`"),
        ("accounts.requierd = true", "`accounts.required`"),
        ("bcrypt_cost = 4", "`accounts.bcrypt_cost`"),
        ("redis.password = \"x\"", "`redis.password_file`"),
        ("server.bcrypt_cost = 4", "`accounts.bcrypt_cost`"),
    ] {
        let told = problems(wrong);
        assert!(told.contains(&format!("did you mean {meant}?")), "{wrong}: {told}");
    }
    let told = problems("accounts.colour = \"red\"");
    assert!(told.contains("`accounts.colour = \"red\"`; allowed there: required, registration"), "{told}");
    assert!(problems("zzz = 1").contains("`stentor config default`"));
}

#[test]
fn no_message_contains_a_password() {
    let pem = "-----BEGIN hunter2";
    for wrong in [
        "redis.password = \"hunter2\"".to_owned(),
        "redis.url = \"redis://:hunter2@redis.example:1\"".to_owned(),
        "redis.url = \"http://:hunter2@host\"".to_owned(),
        "redis.url = \"redis://:hunter2@host:x\"".to_owned(),
        "redis.url = \"redis://:hunter2@host\n".to_owned(),
        "redis_url = \"redis://:hunter2@host\"".to_owned(),
        "[server]\npassword = \"hunter2\"".to_owned(),
        "[[listen]]\npassword = \"hunter2\"".to_owned(),
        format!("redis.secret = \"{pem}\""),
    ] {
        let told = problems(&wrong);
        assert!(!told.contains("hunter2"), "{told}");
    }
    let config = Config::from_text("redis.url = \"rediss://:hunter2@redis.example\"").unwrap();
    assert!(!format!("{:?}", config.given().collect::<Vec<_>>()).contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    let told = from_environment(&[("STENTOR_REDIS__PASWORD", "hunter2")]).unwrap_err().to_string();
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stentor.toml");
    std::fs::write(&file, "[accounts]\nbcrypt_cost = 5\nprobe = \"1s\"\n[node]\nname = \"file\"\n").unwrap();
    let sources = Sources {
        file: Some(file),
        environment: vec![
            ("STENTOR_ACCOUNTS__BCRYPT_COST".into(), "6".into()),
            ("STENTOR_NODE__NAME".into(), "environment".into()),
            ("STENTOR_LISTEN".into(), "irc://127.0.0.1:0, ircs://[::]:0".into()),
            ("UNRELATED".into(), "1".into()),
        ],
        flags: vec![Flag { name: "--name", key: "node.name", values: vec!["flag".to_owned()] }],
    };
    let config = sources.load().unwrap();
    assert_eq!(config.accounts.bcrypt_cost, 6);
    assert_eq!(config.accounts.probe, Duration::from_secs(1));
    assert_eq!(config.node_name.as_deref(), Some("flag"));
    assert_eq!(config.listen.len(), 2);
}

#[test]
fn variables_set_any_kind_and_unknown_ones_are_refused() {
    let config = from_environment(&[
        ("STENTOR_ACCOUNTS__REQUIRED", "false"),
        ("STENTOR_LIMITS__SEND_QUEUE", "64KiB"),
        ("STENTOR_TLS__NAMES", "[\"irc.example.org\", \"192.0.2.1\"]"),
        ("STENTOR_PROXY__TRUSTED", "10.0.0.0/8,::1"),
        ("STENTOR_ROLES__HELPER__PRIVILEGES", "invite,kill"),
    ])
    .unwrap();
    assert!(!config.accounts.required);
    assert_eq!(config.limits.send_queue.get(), Some(65536));
    assert_eq!(config.tls.names, ["irc.example.org", "192.0.2.1"]);
    assert_eq!(config.proxy_trusted.len(), 2);
    assert!(
        config.roles.allow(["helper"], Privilege::Kill) && !config.roles.allow(["helper"], Privilege::Ban)
    );

    let told = from_environment(&[("STENTOR_ACCOUNTS_BCRYPT_COST", "4")]).unwrap_err().to_string();
    assert_eq!(
        told,
        "environment variable STENTOR_ACCOUNTS_BCRYPT_COST: there is no such setting; did you mean \
         `STENTOR_ACCOUNTS__BCRYPT_COST`?"
    );
    let told = from_environment(&[("STENTOR_ACCOUNTS__REQUIRED", "yes")]).unwrap_err().to_string();
    assert!(told.contains("`accounts.required = \"yes\"`; allowed: true, false"), "{told}");
    let told = from_environment(&[("STENTOR_SERVICE_HOST", "10.0.0.1")]).unwrap_err().to_string();
    assert!(told.contains("enableServiceLinks"), "{told}");
}

#[test]
fn plaintext_needs_to_be_asked_for() {
    assert!(problems("listen = [\"irc://0.0.0.0:6667\"]").contains("`listen_insecure = true`"));
    Config::from_text("listen = [\"irc://0.0.0.0:6667\"]\nlisten_insecure = true").unwrap();
    Config::from_text("listen = [\"irc://127.0.0.1:6667\", \"irc://[::1]:6667\"]").unwrap();
    assert!(problems("redis.url = \"redis://redis.example\"").contains("`redis.insecure = true`"));
    Config::from_text("redis.url = \"redis://redis.example\"\nredis.insecure = true").unwrap();
    Config::from_text("redis.url = \"redis://127.0.0.1:7000\"").unwrap();
}

#[test]
fn settings_that_belong_together_are_checked_together() {
    assert!(problems("tls.cert_file = \"a.pem\"").contains("not `tls.key_file`"));
    assert!(problems("motd = \"a\"\nmotd_file = \"/dev/null\"").contains("both set"));
    assert!(problems("motd_file = \"/nonexistent/motd\"").contains("cannot read /nonexistent/motd"));
    assert!(problems("[roles.admin]\nprivileges = []").contains("`admin` is built in"));
    assert!(problems("[roles.Bad]\nprivileges = []").contains("small letters"));
    assert!(problems("[roles.helper]\nprivileges = [\"fly\"]").contains("`fly`: there is no such privilege"));
    assert!(problems("listen = []").contains("the list is empty"));
    let config = Config::from_text("redis.ca_file = \"/ca.pem\"").unwrap();
    assert_eq!(config.warnings, ["`redis.ca_file` has no effect without `redis.url`"]);
}

#[test]
fn operators_are_read_and_checked() {
    let hash = "$2a$04$bKb6k5A6yuFA2wx.iJtxcuT2dojHQAjHd5ZPK/I2sjJml7p4spxjG";
    let text = format!(
        "[roles.helper]\nprivileges = [\"kill\"]\n[operators.ann]\npassword = \"{hash}\"\nrole = \"helper\"\n\
         hosts = [\"192.0.2.0/24\", \"*@*.cloak\"]\n[operators.bob]\npassword = \"{hash}\"\nrole = \"admin\"\n"
    );
    let config = Config::from_text(&text).unwrap();
    assert_eq!(config.operators.names().collect::<Vec<_>>(), ["ann", "bob"]);
    let ann = config.operators.get("Ann").unwrap();
    assert_eq!((ann.role.as_str(), ann.hosts.len(), ann.password.as_str()), ("helper", 2, hash));
    assert!(config.operators.get("bob").unwrap().hosts.is_empty());
    assert!(!format!("{config:?} {:?}", config.given().collect::<Vec<_>>()).contains(hash));
    assert_eq!(
        Config::from_text("").unwrap().changes(&config).applied.len(),
        6,
        "a running node takes all of it"
    );

    let wrong = |text: &str| problems(&format!("[operators.ann]\n{text}\n"));
    let password = format!("password = \"{hash}\"");
    assert!(wrong(&password).contains("needs both `password` and `role`"));
    assert!(wrong(&format!("{password}\nrole = \"boss\"")).contains("there is no role `boss`"));
    let told = wrong("password = \"hunter2\"\nrole = \"admin\"");
    assert!(told.contains("`operators.ann.password`") && !told.contains("hunter2"), "{told}");
    assert!(wrong(&format!("{password}\nrole = \"admin\"\nhosts = [\"a b\"]")).contains("hosts"));
    assert!(wrong(&format!("{password}\nrole = \"admin\"\nhost = []")).contains("password, role, hosts"));
    assert!(problems(&format!("[operators.Ann]\n{password}\nrole = \"admin\"")).contains("small letters"));
}

#[test]
fn gateways_and_policies_need_what_makes_them_safe() {
    let told = problems("webirc.trusted = [\"127.0.0.1\"]");
    assert!(told.contains("neither `webirc.password` nor `webirc.certificates`"), "{told}");
    assert!(problems("webirc.certificates = [\"12:34\"]").contains("64 hexadecimal digits"));
    let told = problems("tls.sts = \"30d\"\nlisten = [\"irc://127.0.0.1:6667\"]");
    assert!(told.contains("`tls.sts` needs"), "{told}");
    let sts = Config::from_text("tls.sts = \"30d\"").unwrap().tls.sts.unwrap();
    assert_eq!((sts.port, sts.preload), (6697, false));
    assert!(Config::from_text("").unwrap().tls.sts.is_none());
}

#[test]
fn the_password_of_the_network_is_a_hash_here_or_in_a_file_and_shown_to_nobody() {
    let hash = "$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu";
    // Somebody may write the password itself.
    let told = problems("network.password = \"hunter2\"");
    assert!(told.contains("not bcrypt") && !told.contains("hunter2"), "{told}");
    let config = Config::from_text(&format!("network.password = \"{hash}\"")).unwrap();
    assert!(config.network_password.is_some());
    let given: Vec<_> = config.given().map(|(_, _, value)| value).collect();
    assert_eq!(given, ["\"…\""]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let text = format!("network.password_file = {:?}", file.to_str().unwrap());
    std::fs::write(&file, "hunter2\n").unwrap();
    assert!(problems(&text).contains("first line: the hash is not bcrypt"));
    std::fs::write(&file, format!("{hash}\n")).unwrap();
    let with = Config::from_text(&text).unwrap();
    std::fs::write(&file, format!("{}\n", hash.replace("$04$", "$05$"))).unwrap();
    assert_eq!(with.changes(&Config::from_text(&text).unwrap()).applied, ["network.password_file"]);
    assert!(problems(&format!("{text}\nnetwork.password = \"{hash}\"")).contains("both set"));
}

#[test]
fn passwords_for_redis_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let text = format!("[redis]\nurl = \"redis://127.0.0.1\"\npassword_file = {:?}", file.to_str().unwrap());
    let redis = Config::from_text(&text).unwrap().redis.unwrap();
    assert_eq!(redis.password.unwrap().expose(), "hunter2");
}

#[test]
fn a_reload_takes_what_it_can_and_names_the_rest() {
    let old = Config::from_text("accounts.bcrypt_cost = 4\nnetwork.name = \"A\"").unwrap();
    let new = Config::from_text(
        "accounts.bcrypt_cost = 5\nnetwork.name = \"B\"\nmotd = \"hi\"\n[roles.helper]\nprivileges = [\"kill\"]",
    )
    .unwrap();
    let changes = old.changes(&new);
    assert_eq!(changes.applied, ["accounts.bcrypt_cost", "motd", "roles.helper.privileges"]);
    assert_eq!(changes.needs_restart, ["network.name"]);
    let mixed = old.reloaded(&new).unwrap();
    assert_eq!((mixed.network_name.as_str(), mixed.accounts.bcrypt_cost), ("A", 5));
    assert_eq!(mixed.motd, ["hi"]);
    assert_eq!(old.changes(&old.clone()), Changes::default());
}

#[test]
fn a_reload_notices_that_a_file_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("motd");
    let text = format!("motd_file = {:?}", file.to_str().unwrap());
    std::fs::write(&file, "old\n").unwrap();
    let old = Config::from_text(&text).unwrap();
    std::fs::write(&file, "new\nand more\n").unwrap();
    let new = Config::from_text(&text).unwrap();
    assert_eq!(old.changes(&new).applied, ["motd_file"]);
    assert_eq!(new.motd, ["new", "and more"]);
}

#[test]
fn what_a_fleet_must_agree_on_is_named() {
    let config = Config::from_text("").unwrap();
    let shared: Vec<_> = config.shared().collect();
    assert!(shared.contains(&("accounts.bcrypt_cost", "12".to_owned())));
    assert!(shared.iter().all(|(key, _)| !key.starts_with("limits.")));
}

#[test]
fn limits_can_be_lifted() {
    for key in KEYS.iter().filter(|key| key.name.starts_with("limits.")) {
        let lifts = match key.kind {
            Kind::Number { zero, most, .. } => {
                zero.is_some() || key.name.ends_with("_length") || most >= 1_000_000
            }
            Kind::Size { zero, .. } => zero.is_some(),
            Kind::Time { zero, most, .. } => zero.is_some() || most >= Duration::from_hours(24),
            _ => false,
        };
        assert!(lifts, "{}", key.name);
    }
}

#[test]
fn problems_are_told_line_by_line() {
    let text = "[tls]\nkey = 'x'\n[accounts]\nrequird = true\nbcrypt_cost = 3\n[fleet]\nleese = 1\n";
    let error = Config::from_text(text).unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|problem| line(&problem.origin)).collect();
    assert_eq!(lines, [2, 4, 5, 7]);
}

fn line(origin: &Origin) -> usize {
    match origin {
        Origin::File(_, line) => *line,
        _ => 0,
    }
}
