//! Accounts from `name:hash` lines, as `htpasswd -B` writes them.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use stentor_proto::Nick;

use super::record::Record;
use super::{AccountError, Accounts, Credentials, PasswordHash};

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Imported {
    /// The accounts that were made, in the order of the lines.
    pub added: Vec<String>,
    /// The accounts that were there already with the same hash, as after an import that was interrupted.
    pub unchanged: Vec<String>,
    /// Lines that could not be imported. If these are not about the store, nothing was done.
    pub failed: Vec<BadLine>,
}

/// A line that could not be imported, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    /// From 1.
    pub number: usize,
    /// A sentence.
    pub why: String,
}

struct Candidate {
    number: usize,
    name: Nick,
    hash: PasswordHash,
}

impl Accounts {
    /// Makes an account of each line of `text`, `name:hash`; empty lines and those that begin with `#` are passed over.
    ///
    /// All lines are checked before the first account is made, and if one is bad, none is made. If the store fails in
    /// between, what was made is reported, and importing the same text again goes on from there.
    ///
    /// # Errors
    /// What the store says before anything is made. Bad lines are in the answer.
    pub async fn import(&self, text: &str) -> Result<Imported, AccountError> {
        let mut report = Imported::default();
        let candidates = self.parse_lines(text, &mut report.failed);
        let candidates = self.vacant(candidates, &mut report).await?;
        if !report.failed.is_empty() {
            report.failed.sort_unstable_by_key(|line| line.number);
            return Ok(report);
        }
        self.room_for(candidates.len()).await?;
        for Candidate { number, name, hash } in candidates {
            // The password is not known here: its next login by PLAIN makes the verifier for SCRAM.
            let credentials = Credentials { hash, scram: None };
            match self.create(&name, &credentials, &[]).await {
                Ok(account) => report.added.push(account.name),
                Err(error) => {
                    let why = format!("{error}; nothing after this line was imported");
                    report.failed.push(BadLine { number, why });
                    break;
                }
            }
        }
        Ok(report)
    }

    fn parse_lines(&self, text: &str, bad: &mut Vec<BadLine>) -> Vec<Candidate> {
        let mut lines: HashMap<String, usize> = HashMap::new();
        let mut candidates = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match self.parse_line(number, line) {
                Ok(candidate) => match lines.insert(candidate.name.folded().to_owned(), number) {
                    None => candidates.push(candidate),
                    Some(before) => {
                        let why = format!("{} is in line {before} already", candidate.name);
                        bad.push(BadLine { number, why });
                    }
                },
                Err(why) => bad.push(BadLine { number, why }),
            }
        }
        candidates
    }

    fn parse_line(&self, number: usize, line: &str) -> Result<Candidate, String> {
        let (name, hash) = line.split_once(':').ok_or("this is not name:hash")?;
        let name = self.new_name(name).map_err(|error| error.to_string())?;
        let hash = PasswordHash::parse(hash).map_err(|error| error.to_string())?;
        if hash.cost() > IMPORTED_COST_MAX {
            return Err(format!(
                "the hash has cost {}; at most {IMPORTED_COST_MAX} can be imported, since each login would take too long",
                hash.cost()
            ));
        }
        Ok(Candidate { number, name, hash })
    }

    /// Sorts out the names that are taken.
    async fn vacant(
        &self,
        candidates: Vec<Candidate>,
        report: &mut Imported,
    ) -> Result<Vec<Candidate>, AccountError> {
        let mut vacant = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.record(&candidate.name).await? {
                Record::Present(stored) if stored.hash.as_ref() == Some(&candidate.hash) => {
                    report.unchanged.push(stored.account.name);
                }
                record => match super::vacant_life(&record, &candidate.name) {
                    Ok(_) => vacant.push(candidate),
                    Err(error) => {
                        report.failed.push(BadLine { number: candidate.number, why: error.to_string() });
                    }
                },
            }
        }
        Ok(vacant)
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.number, self.why)
    }
}

/// A login with a hash of cost 16 keeps a core busy for several seconds.
pub(crate) const IMPORTED_COST_MAX: u32 = 16;
