//! Standing rights: ACCESS, and the same in other networks' words.

use super::draft::Draft;
use super::room::{Room, Who};
use super::{at, called, forbidden, refusal};
use crate::error::Error;
use crate::hub::clock::server_time;
use crate::hub::{Decision, State};
use crate::modes::Rank;
use crate::policy::standing;
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;

/// A change of one account's right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// This rank, in place of what it has.
    Give(Rank),
    /// This rank no more.
    Take(Rank),
    /// No rank at all.
    TakeAll,
}

impl Wanted {
    /// As AMODE and FLAGS write it.
    fn written(self) -> String {
        let letter = |rank: Rank| rank.prefix().map_or('?', |prefix| prefix.letter);
        match self {
            Self::Give(rank) => format!("+{}", letter(rank)),
            Self::Take(rank) => format!("-{}", letter(rank)),
            Self::TakeAll => "-*".to_owned(),
        }
    }
}

pub(super) async fn access(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let (room, account) = (at(words, 0), at(words, 2));
    match at(words, 1).to_ascii_uppercase().as_str() {
        "" | "LIST" if account.is_empty() => list(session, room, Rank::Plain).await,
        "ADD" | "SET" if !account.is_empty() => {
            let wanted = match words.get(3) {
                Some(word) => rank_of_word(word).ok_or_else(|| no_rank(word))?,
                None => Rank::Operator,
            };
            change(session, room, account, Wanted::Give(wanted)).await
        }
        "DEL" | "REMOVE" if !account.is_empty() && words.len() == 3 => {
            change(session, room, account, Wanted::TakeAll).await
        }
        _ => Err(refusal(
            "Syntax: ACCESS <#channel> LIST, ACCESS <#channel> ADD <account> [admin|op|halfop|voice], or ACCESS \
             <#channel> DEL <account>",
        )),
    }
}

pub(super) async fn amode(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_letter(session, at(words, 0), at(words, 1), at(words, 2), "AMODE <#channel> +o <account>").await
}

pub(super) async fn flags(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_letter(session, at(words, 0), at(words, 2), at(words, 1), "FLAGS <#channel> <account> +o").await
}

pub(super) async fn sop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_list(session, words, Rank::Admin).await
}

pub(super) async fn aop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_list(session, words, Rank::Operator).await
}

pub(super) async fn hop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_list(session, words, Rank::Halfop).await
}

pub(super) async fn vop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    by_list(session, words, Rank::Voice).await
}

/// `+o` or `-o` for an account; a list where neither is named.
async fn by_letter(session: &Session, room: &str, change_: &str, account: &str, example: &str) -> Said {
    if change_.is_empty() && account.is_empty() {
        return list(session, room, Rank::Plain).await;
    }
    let mut letters = change_.chars();
    let (sign, letter, more) = (letters.next(), letters.next(), letters.next());
    let rank = letter.and_then(|letter| Rank::of_letter(letter.to_ascii_lowercase()));
    let wanted = match (sign, letter, rank) {
        (Some('-'), Some('*'), _) => Wanted::TakeAll,
        (Some('+'), _, Some(rank)) => Wanted::Give(rank),
        (Some('-'), _, Some(rank)) => Wanted::Take(rank),
        _ => {
            return Err(refusal(&format!("Syntax, for instance: {example}. The letters are a, o, h and v.")));
        }
    };
    if more.is_some() || account.is_empty() {
        let text = format!(
            "Syntax, for instance: {example}. An account has one rank, the highest that you gave it."
        );
        return Err(refusal(&text));
    }
    change(session, room, account, wanted).await
}

/// ADD, DEL and LIST of one rank.
async fn by_list(session: &Session, words: &[&str], rank: Rank) -> Said {
    let (room, account) = (at(words, 0), at(words, 2));
    match at(words, 1).to_ascii_uppercase().as_str() {
        "" | "LIST" if account.is_empty() => list(session, room, rank).await,
        "ADD" if !account.is_empty() => change(session, room, account, Wanted::Give(rank)).await,
        "DEL" if !account.is_empty() => change(session, room, account, Wanted::Take(rank)).await,
        _ => Err(refusal("Syntax: <#channel> ADD <account>, <#channel> DEL <account>, or <#channel> LIST")),
    }
}

/// Who has which right; of one rank alone, where one is named.
async fn list(session: &Session, room: &str, rank: Rank) -> Said {
    let room = Room::open(session, room, "access list".to_owned()).await?;
    let name = &room.name;
    let read = |state: &State, who: &Who| {
        if who.rank(state) < Rank::Halfop && who.standing(state) == Rank::Plain {
            let text =
                "Only those with a standing right there, and its halfops and higher, see the rights in";
            return Err(forbidden(&format!("{text} {name}.")));
        }
        let founder = state.field("founder").filter(|_| rank == Rank::Plain);
        let founder = founder.map(|founder| format!("{founder} is the founder (+q)."));
        let given = standing::all(state);
        let given = given.iter().filter(|one| rank == Rank::Plain || one.rank == rank).map(|one| {
            let letter = one.rank.prefix().map_or('?', |prefix| prefix.letter);
            let since = server_time(one.since);
            format!("{} is {} (+{letter}), by {}, since {since}.", one.account, called(one.rank), one.by)
        });
        Ok(founder.into_iter().chain(given).collect::<Vec<String>>())
    };
    let (_, listed) = room.authorise(session, read).await?;
    Ok(if listed.is_empty() { vec![format!("Nobody has such a right in {name}.")] } else { listed })
}

async fn change(session: &Session, room: &str, account: &str, wanted: Wanted) -> Said {
    let deed = format!("access {} {}", account.to_ascii_lowercase(), wanted.written());
    let room = Room::open(session, room, deed).await?;
    if wanted == Wanted::Give(Rank::Founder) || wanted == Wanted::Take(Rank::Founder) {
        let text = format!(
            "A channel has one founder. To make it somebody else, say: TRANSFER {} <account>",
            room.name
        );
        return Err(refusal(&text));
    }
    let found = session.node.accounts.find(account).await?;
    // What an account was given that is gone can still be taken.
    let folded = match (&found, wanted) {
        (Some(account), _) => account.folded.clone(),
        (None, Wanted::Give(_)) => {
            let text = format!(
                "There is no account {account}: standing rights belong to accounts, and not to nicks."
            );
            return Err(refusal(&text));
        }
        (None, _) => account.to_ascii_lowercase(),
    };
    let shown = found.map_or_else(|| account.to_owned(), |account| account.name);
    let change = Change {
        room: &room,
        account: &folded,
        shown: &shown,
        wanted,
        most: session.node.config().channels.access_max,
        now: session.node.fleet.now().0,
    };
    room.act(session, |state, who| change.decide(state, who)).await?;
    Ok(vec![match wanted {
        Wanted::Give(rank) => {
            format!("{shown} is {} of {} from now on, and whenever {shown} comes.", called(rank), room.name)
        }
        Wanted::Take(_) | Wanted::TakeAll => {
            format!("{shown} has no standing right in {} any more.", room.name)
        }
    }])
}

struct Change<'a> {
    room: &'a Room,
    /// The folded name.
    account: &'a str,
    /// The name as people are told it.
    shown: &'a str,
    wanted: Wanted,
    /// How many rights a channel may give.
    most: crate::config::Limit,
    now: u64,
}

impl Change<'_> {
    fn decide(&self, state: &State, who: &Who) -> Result<Decision, Error> {
        let (name, shown) = (&self.room.name, self.shown);
        if state.field("founder") == Some(self.account) {
            return Err(refusal(&format!("{shown} is the founder of {name}, and has every right.")));
        }
        let before = standing::given(state, self.account);
        let after = match self.wanted {
            Wanted::Give(rank) => rank,
            Wanted::Take(rank) if rank != before => {
                return Err(refusal(&format!(
                    "{shown} is not {} of {name} by standing right.",
                    called(rank)
                )));
            }
            Wanted::Take(_) | Wanted::TakeAll => Rank::Plain,
        };
        // Whoever has a right may lay it down.
        let is_own = after == Rank::Plain && who.account.as_deref() == Some(self.account);
        if !is_own && !standing::may_give(who.standing(state), before, after) {
            return Err(forbidden(&format!(
                "You may not change that right in {name}: it takes a higher standing right, which the founder gives."
            )));
        }
        if after == before {
            let text = match after {
                Rank::Plain => format!("{shown} has no standing right in {name}."),
                rank => format!("{shown} is {} of {name} already.", called(rank)),
            };
            return Err(refusal(&text));
        }
        if after > Rank::Plain && state.field("founder").is_none() {
            return Err(refusal(&format!(
                "{name} has no founder, so nothing there lasts: say REGISTER {name} first."
            )));
        }
        if before == Rank::Plain && !self.most.has_room(standing::all(state).len()) {
            return Err(refusal(&format!(
                "{name} has given as many standing rights as it may: take one away first."
            )));
        }
        let mut draft = Draft::new(state);
        let field = standing::field_of(self.account);
        match standing::value_of(after, &who.by, self.now) {
            Some(value) => draft.set(&field, value),
            None => draft.unset(&field),
        }
        draft.instead(self.account, standing::prefixes(before), standing::prefixes(after));
        Ok(draft.finish(&self.room.source, name))
    }
}

/// A rank in words, or in the letter of its mode.
fn rank_of_word(word: &str) -> Option<Rank> {
    Some(match word.trim_start_matches('+').to_ascii_lowercase().as_str() {
        "a" | "admin" | "sop" => Rank::Admin,
        "o" | "op" | "operator" | "aop" => Rank::Operator,
        "h" | "halfop" | "hop" => Rank::Halfop,
        "v" | "voice" | "vop" => Rank::Voice,
        "q" | "founder" | "owner" => Rank::Founder,
        _ => return None,
    })
}

fn no_rank(word: &str) -> Error {
    refusal(&format!("There is no rank {word}: it is admin, op, halfop or voice."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_have_the_names_that_people_use() {
        for (word, rank) in
            [("admin", Rank::Admin), ("AOP", Rank::Operator), ("+h", Rank::Halfop), ("vop", Rank::Voice)]
        {
            assert_eq!(rank_of_word(word), Some(rank), "{word}");
        }
        assert_eq!(rank_of_word("king"), None);
    }
}
