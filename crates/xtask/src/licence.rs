//! Licence expressions as `Cargo.toml` has them (SPDX, and the older `A/B`).

/// Whether an expression can be met by allowed licences alone: `OR` leaves a choice, `AND` does not.
///
/// A licence with an exception (`Apache-2.0 WITH LLVM-exception`) is one name; it must be allowed as such.
///
/// # Errors
/// Where the expression cannot be read.
pub(crate) fn is_allowed(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let words = words(expression);
    let mut parser = Parser { words: &words, allowed };
    let met = parser.any_of()?;
    match parser.words.first() {
        None => Ok(met),
        Some(word) => Err(format!("`{word}` is not expected in `{expression}`")),
    }
}

struct Parser<'a> {
    words: &'a [String],
    allowed: &'a [String],
}

impl Parser<'_> {
    fn any_of(&mut self) -> Result<bool, String> {
        let mut met = self.all_of()?;
        while self.takes("OR") || self.takes("/") {
            met |= self.all_of()?;
        }
        Ok(met)
    }

    fn all_of(&mut self) -> Result<bool, String> {
        let mut met = self.one()?;
        while self.takes("AND") {
            met &= self.one()?;
        }
        Ok(met)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.takes("(") {
            let met = self.any_of()?;
            return if self.takes(")") { Ok(met) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        let mut name = self.name()?;
        if self.takes("WITH") {
            name = format!("{name} WITH {}", self.name()?);
        }
        Ok(self.allowed.contains(&name))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.words.split_first() {
            Some((word, rest)) if !OPERATORS.contains(&word.as_str()) => {
                self.words = rest;
                Ok(word.clone())
            }
            Some((word, _)) => Err(format!("a licence is expected, not `{word}`")),
            None => Err("a licence is expected at the end".to_owned()),
        }
    }

    fn takes(&mut self, operator: &str) -> bool {
        match self.words.split_first() {
            Some((word, rest)) if word == operator => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " / ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

const OPERATORS: &[&str] = &["(", ")", "/", "OR", "AND", "WITH"];

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expression: &str) -> Result<bool, String> {
        is_allowed(expression, &["MIT", "ISC", "Apache-2.0"].map(str::to_owned))
    }

    #[test]
    fn or_leaves_a_choice_and_does_not() {
        assert_eq!(met("MIT"), Ok(true));
        assert_eq!(met("GPL-3.0-only"), Ok(false));
        assert_eq!(met("GPL-3.0-only OR MIT"), Ok(true));
        assert_eq!(met("Unlicense/MIT"), Ok(true));
        assert_eq!(met("MIT AND OpenSSL"), Ok(false));
        assert_eq!(met("ISC AND (Apache-2.0 OR OpenSSL)"), Ok(true));
        assert_eq!(met("OpenSSL OR MIT AND ISC"), Ok(true));
        assert_eq!(met("Apache-2.0 WITH LLVM-exception"), Ok(false));
        assert_eq!(met("Apache-2.0 WITH LLVM-exception OR MIT"), Ok(true));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT ISC", "MIT)", "AND MIT", "MIT WITH"] {
            assert!(met(expression).is_err(), "{expression:?} is taken");
        }
    }
}
