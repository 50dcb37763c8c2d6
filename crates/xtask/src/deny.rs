//! Licences, banned crates and sources, as `deny.toml` has them.
//!
//! The file is cargo-deny's; this check covers the part of it that needs nothing but `cargo metadata`, so that it
//! runs on every machine. Advisories and yanked versions need cargo-deny itself, and its database.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::process::{Failure, cargo, platform, read, root};
use crate::{licence, output};

/// Checks all packages that the workspace needs on this platform.
///
/// # Errors
/// Each package that breaks a rule, and the rule; or `deny.toml` cannot be read.
pub(crate) fn check() -> Result<(), Failure> {
    let rules = Rules::load()?;
    let packages = packages()?;
    let faults: Vec<String> = packages.iter().filter_map(|package| rules.fault(package)).collect();
    if !faults.is_empty() {
        return Err(Failure::new(format!("deny.toml forbids:\n  {}", faults.join("\n  "))));
    }
    output::line(&format!("{} packages keep to deny.toml", packages.len()));
    let repeated = repeated(&packages);
    if !repeated.is_empty() {
        output::line(&format!("in several versions: {}", repeated.join(", ")));
    }
    Ok(())
}

#[derive(Debug)]
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    /// Where it comes from; none for the workspace's own.
    source: Option<String>,
}

#[derive(Debug)]
struct Rules {
    licences: Vec<String>,
    banned: Vec<String>,
    registries: Vec<String>,
}

impl Rules {
    fn load() -> Result<Self, Failure> {
        let file = root().join("deny.toml");
        let text =
            fs::read_to_string(&file).map_err(|why| Failure::new(format!("{}: {why}", file.display())))?;
        Self::parse(&text).map_err(|why| Failure::new(format!("{}: {why}", file.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|why: toml::de::Error| why.to_string())?;
        Ok(Self {
            licences: names(&table, "licenses", "allow")?,
            banned: names(&table, "bans", "deny")?,
            registries: names(&table, "sources", "allow-registry")?,
        })
    }

    /// What is wrong with a package, if anything.
    fn fault(&self, package: &Package) -> Option<String> {
        let Package { name, version, licence, source } = package;
        if self.banned.contains(name) {
            return Some(format!("{name} {version}: the crate is banned"));
        }
        if let Some(source) = source {
            let registry = source.strip_prefix("registry+").unwrap_or(source);
            if !self.registries.iter().any(|allowed| allowed == registry) {
                return Some(format!("{name} {version}: its source {source} is not allowed"));
            }
        }
        let Some(expression) = licence else {
            return Some(format!("{name} {version}: it names no licence"));
        };
        match licence::is_allowed(expression, &self.licences) {
            Ok(true) => None,
            Ok(false) => Some(format!("{name} {version}: its licence {expression} is not allowed")),
            Err(why) => Some(format!("{name} {version}: its licence cannot be read: {why}")),
        }
    }
}

/// The strings of a list; of a table in it, the value of `crate`.
fn names(table: &toml::Table, section: &str, key: &str) -> Result<Vec<String>, String> {
    let list = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    let list = list.ok_or_else(|| format!("there is no list `{key}` in [{section}]"))?;
    list.iter()
        .map(|item| item.as_str().or_else(|| item.get("crate").and_then(toml::Value::as_str)))
        .map(|name| {
            name.map(str::to_owned).ok_or_else(|| format!("`{key}` in [{section}] is a list of names"))
        })
        .collect()
}

fn packages() -> Result<Vec<Package>, Failure> {
    // Packages of other platforms need not be downloaded then.
    let platform = platform()?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform];
    let metadata: Value = serde_json::from_slice(&read(&mut cargo(&arguments))?)
        .map_err(|why| Failure::new(format!("`cargo metadata` is not read: {why}")))?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or_else(|| Failure::new("`cargo metadata` lists no packages"))?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        licence: text("license"),
        source: text("source"),
    }
}

fn repeated(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.into_iter().map(|(name, versions)| format!("{name} {}", versions.join(" and "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, licence: Option<&str>, source: Option<&str>) -> Option<String> {
        let rules = Rules::parse(
            "[licenses]\nallow = ['MIT']\n\
             [bans]\ndeny = ['plain', { crate = 'openssl-sys', reason = 'C' }]\n\
             [sources]\nallow-registry = ['https://example.org/index']\n",
        );
        let [licence, source] = [licence, source].map(|text| text.map(str::to_owned));
        let package = Package { name: name.to_owned(), version: "1.0.0".to_owned(), licence, source };
        rules.expect("the rules are read").fault(&package)
    }

    #[test]
    fn each_rule_is_kept() {
        let index = Some("registry+https://example.org/index");
        assert_eq!(fault("own", Some("MIT"), None), None);
        assert_eq!(fault("good", Some("MIT OR GPL-3.0-only"), index), None);
        assert!(fault("plain", Some("MIT"), index).is_some());
        assert!(fault("openssl-sys", Some("MIT"), index).is_some());
        assert!(fault("copyleft", Some("GPL-3.0-only"), index).is_some());
        assert!(fault("nameless", None, index).is_some());
        assert!(fault("forked", Some("MIT"), Some("git+https://example.org/forked#1")).is_some());
    }

    #[test]
    fn a_list_that_is_not_there_is_an_error() {
        assert!(Rules::parse("[licenses]\nallow = ['MIT']\n").is_err());
        assert!(Rules::parse("[licenses]\nallow = [1]\n").is_err());
    }

    #[test]
    fn the_shipped_rules_are_read() {
        let rules = Rules::load().expect("deny.toml is read");
        assert!(rules.licences.contains(&"MIT".to_owned()));
        assert!(!rules.banned.is_empty());
    }
}
