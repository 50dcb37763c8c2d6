//! What the documents claim.

use std::fs;
use std::path::Path;

/// A document in the root of the workspace.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(path).expect(name)
}

/// The section with this title.
fn section<'a>(document: &'a str, title: &str) -> &'a str {
    let mut sections = document.split("\n## ");
    sections.find(|section| section.starts_with(&format!("{title}\n"))).expect(title)
}

/// Whether a source holds a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let start = [format!("fn {name}("), format!("async fn {name}(")];
    let at = lines.iter().position(|line| start.iter().any(|start| line.starts_with(start)));
    at.is_some_and(|at| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn each_row_of_the_seed_names_tests_that_exist() {
    let architecture = document("ARCHITECTURE.md");
    let rows = section(&architecture, "The seed, row by row").lines();
    let rows: Vec<&str> = rows.filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 10, "the table has only {} rows", rows.len());
    for row in rows {
        let named: Vec<&str> =
            row.split('`').skip(1).step_by(2).filter(|word| word.contains(".rs")).collect();
        assert!(!named.is_empty(), "a row names no test: {row}");
        for name in named {
            let (file, test) = name.split_once("::").unwrap_or((name, ""));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
            let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(test.is_empty() || has_test(&source, test), "{file} has no test {test}");
        }
    }
}

#[test]
fn the_readme_never_calls_tls_end_to_end() {
    let readme = document("README.md").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let said: Vec<usize> = readme.match_indices("end-to-end").map(|(at, _)| at).collect();
    assert!(!said.is_empty(), "it has to say that it is not");
    for at in said {
        assert!(readme[..at].ends_with("not "), "{}", &readme[at..readme.floor_char_boundary(at + 80)]);
    }
    assert!(readme.contains("the server can read messages"));
}
