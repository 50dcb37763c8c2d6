//! Who held a nick before, for WHOWAS. Each node remembers those of its own clients, in memory: it is forgotten with the
//! node.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::client::Profile;
use crate::hub::clock;

/// Somebody who held a nick. Between nodes it is JSON; what an older node leaves out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Former {
    /// The nick as its holder wrote it.
    pub nick: String,
    /// The user name.
    pub user: String,
    /// Cloaked.
    pub host: String,
    /// The real name.
    pub realname: String,
    /// What the user's server was called.
    pub server: String,
    /// Until when, in milliseconds since the Unix epoch.
    pub until: u64,
}

/// The last holders of nicks, oldest first.
#[derive(Debug, Default)]
pub struct Past(Mutex<VecDeque<Former>>);

impl Past {
    /// Notes that a client has given up the nick of this profile, and forgets the oldest beyond `most`.
    pub fn note(&self, profile: &Profile, server: &str, most: usize) {
        let former = Former {
            nick: profile.nick.clone(),
            user: profile.user.clone(),
            host: profile.host.clone(),
            realname: profile.realname.clone(),
            server: server.to_owned(),
            until: clock::wall_ms(),
        };
        let mut past = self.lock();
        past.push_back(former);
        let excess = past.len().saturating_sub(most);
        past.drain(..excess);
    }

    /// Up to `most` holders of this nick, the last one first.
    #[must_use]
    pub fn holders(&self, nick: &str, most: usize) -> Vec<Former> {
        let past = self.lock();
        let found = past.iter().rev().filter(|former| former.nick.eq_ignore_ascii_case(nick));
        found.take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Former>> {
        self.0.lock().expect("no holder of the past panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_come_first_and_the_oldest_are_forgotten() {
        let past = Past::default();
        for (nick, user) in [("ann", "first"), ("Ann", "second"), ("bob", "other"), ("ANN", "third")] {
            let profile = Profile { nick: nick.to_owned(), user: user.to_owned(), ..Profile::default() };
            past.note(&profile, "test.example", 3);
        }
        let users =
            |most| past.holders("ann", most).into_iter().map(|former| former.user).collect::<Vec<_>>();
        assert_eq!(users(usize::MAX), ["third", "second"]);
        assert_eq!(users(1), ["third"]);
        past.note(&Profile::default(), "test.example", 0);
        assert!(users(usize::MAX).is_empty());
    }
}
