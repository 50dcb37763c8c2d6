//! The pages of all settings, numbers and limits, and of all modes.

use std::fs;

use crate::output;
use crate::process::{Failure, cargo, read, root};

/// Writes the pages anew, as the program prints them.
pub(crate) fn write() -> Result<(), Failure> {
    for (page, args) in PAGES {
        let run = ["run", "--quiet", "--locked", "--package", "stentor", "--", "reference"];
        let text = read(cargo(&run).args(*args))?;
        let path = root().join(page);
        fs::write(&path, text)
            .map_err(|why| Failure::new(format!("cannot write {}: {why}", path.display())))?;
        output::line(&format!("{page} is new"));
    }
    Ok(())
}

/// Where each page is, from the root, and how the program is asked for it.
const PAGES: &[(&str, &[&str])] = &[("docs/reference.md", &[]), ("docs/modes.md", &["--modes"])];
