//! Follows the README as a newcomer does: on a copy of the tree with nothing else prepared, in real terminals, and with
//! what the page says typed as it stands. `cargo xtask readme` runs it.
//!
//! - [`steps`]: what of the page is run, and how
//! - [`reader`]: who follows it
//!
//! The ports that the page names must be free. What cargo has downloaded is used, and installed is into the copy alone.

mod reader;
mod steps;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use reader::Reader;

fn main() -> ExitCode {
    match follow() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell(&why);
            ExitCode::FAILURE
        }
    }
}

fn follow() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("this package has moved")?;
    let page = fs::read_to_string(root.join("README.md")).map_err(|error| format!("README.md: {error}"))?;
    let steps = steps::parse(&page).map_err(|why| format!("README.md:{why}"))?;
    let place = tempfile::tempdir().map_err(|error| format!("no directory can be made: {error}"))?;
    let (tree, homes) = (place.path().join("stentor"), place.path().join("homes"));
    copy(root, &tree)?;
    let mut reader = Reader::new(&tree, &homes, environment(&homes.join("home"))?);
    for step in &steps {
        let begun = Instant::now();
        let what = step.commands.first().map_or("…", String::as_str);
        tell(&format!("README.md:{} in {}: {what}", step.line, step.terminal));
        reader.follow(step).map_err(|why| format!("README.md:{}: {why}", step.line))?;
        tell(&format!("  {} s", begun.elapsed().as_secs()));
    }
    tell(&format!("README.md: {} steps, as they are written", steps.len()));
    Ok(())
}

/// Copies what git knows, or would: no build and nothing that is ignored comes along.
fn copy(root: &Path, tree: &Path) -> Result<(), String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(root).output();
    let listed = listed.map_err(|error| format!("git: {error}"))?;
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let (from, to) = (root.join(&name), tree.join(&name));
        // A file that was deleted is still listed until the deletion is committed.
        if !from.exists() {
            continue;
        }
        let parent = to.parent().unwrap_or(tree);
        let copied = fs::create_dir_all(parent).and_then(|()| fs::copy(&from, &to));
        copied.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// What a newcomer has: Rust, and a shell that finds what `cargo install` installs.
fn environment(home: &Path) -> Result<Vec<(String, String)>, String> {
    let own = PathBuf::from(env::var("HOME").map_err(|_| "HOME is not set")?);
    let rust = |name: &str, folder: &str| env::var(name).unwrap_or(own.join(folder).display().to_string());
    let installed = home.join(".cargo");
    let path = env::var("PATH").map_err(|_| "PATH is not set")?;
    Ok(vec![
        ("PATH".to_owned(), format!("{}:{path}", installed.join("bin").display())),
        ("CARGO_HOME".to_owned(), rust("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME".to_owned(), rust("RUSTUP_HOME", ".rustup")),
        ("CARGO_INSTALL_ROOT".to_owned(), installed.display().to_string()),
    ])
}

fn tell(text: &str) {
    // Whoever reads this may have gone; the steps go on.
    let _ = writeln!(io::stdout(), "{text}");
}
