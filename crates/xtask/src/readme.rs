//! The README's steps, as they are written.

use crate::process::{Failure, cargo, run};

/// Follows the README on a copy of the tree.
pub(crate) fn follow() -> Result<(), Failure> {
    run(&mut cargo(&["run", "--quiet", "--locked", "--package", "stentor-testing", "--bin", "readme"]))
}
