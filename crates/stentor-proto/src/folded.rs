//! A text in two forms: as it was written, and as all its spellings are compared.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::casemapping::Casemapping;

/// A text whose spellings in other ASCII case are equal to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Folded {
    written: Arc<str>,
    /// Shares `written` where that is folded already.
    folded: Arc<str>,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let written: Arc<str> = text.into();
        let folded = Casemapping::Ascii.fold(text);
        let folded = if *folded == *text { Arc::clone(&written) } else { folded.as_ref().into() };
        Self { written, folded }
    }

    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }
}

impl PartialEq for Folded {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Folded {}

impl PartialOrd for Folded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Folded {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}

/// As the folded form alone: a type around this may lend that form to a map.
impl Hash for Folded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

impl fmt::Debug for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_text_costs_no_second_copy() {
        let text = Folded::new("ada");
        assert!(Arc::ptr_eq(&text.written, &text.folded));
    }
}
