//! The page of all settings, numbers and limits.

use std::fs;

use crate::output;
use crate::process::{Failure, cargo, read, root};

/// Writes the page anew, as the program prints it.
pub(crate) fn write() -> Result<(), Failure> {
    let page = read(&mut cargo(&["run", "--quiet", "--locked", "--package", "stentor", "--", "reference"]))?;
    let path = root().join(PAGE);
    fs::write(&path, page).map_err(|why| Failure::new(format!("cannot write {}: {why}", path.display())))?;
    output::line(&format!("{PAGE} is new"));
    Ok(())
}

/// Where the page is, from the root.
const PAGE: &str = "docs/reference.md";
