//! The modes of channels, of their members and of users: the one table that MODE, 004, 005, HELP and `docs/modes.md` go
//! by.

use std::fmt::Write as _;

use stentor_proto::mode::ModeClass;

use crate::operator::notices::Topic;

/// What a member may do in a channel, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rank {
    /// Nothing that others may not.
    #[default]
    Plain,
    /// May speak where not everybody may.
    Voice,
    /// Keeps order: kicks, bans, lets in, gives voice.
    Halfop,
    /// Rules the channel.
    Operator,
    /// The same, and operators can do nothing against it.
    Admin,
    /// The channel is theirs.
    Founder,
}

/// A member's prefix.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    /// The rank that it gives.
    pub rank: Rank,
    /// The mode's letter.
    pub letter: char,
    /// What stands before the nick.
    pub sign: char,
    /// What people call it.
    pub name: &'static str,
    /// What whoever has it may do.
    pub does: &'static str,
    /// Where else it is known.
    pub known: &'static str,
}

/// A mode of channels.
#[derive(Clone, Copy, Debug)]
pub struct ChannelMode {
    /// Its letter.
    pub letter: char,
    /// What it takes.
    pub class: ModeClass,
    /// What its parameter is called; empty where it takes none.
    pub param: &'static str,
    /// The lowest rank that may change it.
    pub who: Rank,
    /// What it does.
    pub does: &'static str,
    /// Where else it is known.
    pub known: &'static str,
}

/// A mode of users.
#[derive(Clone, Copy, Debug)]
pub struct UserMode {
    /// Its letter.
    pub letter: char,
    /// What it does.
    pub does: &'static str,
    /// Where else it is known.
    pub known: &'static str,
}

/// The members' prefixes, the highest first.
pub static PREFIXES: &[Prefix] = &[
    Prefix {
        rank: Rank::Founder,
        letter: 'q',
        sign: '~',
        name: "founder",
        does: "Everything. Only founders can kick one. The channel's founder has it at every JOIN (see `docs/channels.md`).",
        known: "Ergo, InspIRCd, UnrealIRCd",
    },
    Prefix {
        rank: Rank::Admin,
        letter: 'a',
        sign: '&',
        name: "admin",
        does: "What an operator may. Operators and other admins cannot kick one.",
        known: "Ergo, InspIRCd, UnrealIRCd",
    },
    Prefix {
        rank: Rank::Operator,
        letter: 'o',
        sign: '@',
        name: "operator",
        does: "Changes all modes, gives and takes `o`, `h` and `v`, kicks, invites.",
        known: "all servers",
    },
    Prefix {
        rank: Rank::Halfop,
        letter: 'h',
        sign: '%',
        name: "halfop",
        does: "Gives and takes `v`, kicks those of lower rank, changes the topic, invites, and changes the modes that \
               say so below.",
        known: "Ergo, InspIRCd, UnrealIRCd, ngIRCd",
    },
    Prefix {
        rank: Rank::Voice,
        letter: 'v',
        sign: '+',
        name: "voice",
        does: "Speaks whatever `b`, `m`, `M` and `U` say.",
        known: "all servers",
    },
];

const fn flag(letter: char, who: Rank, does: &'static str, known: &'static str) -> ChannelMode {
    ChannelMode { letter, class: ModeClass::Flag, param: "", who, does, known }
}

/// The modes of channels, sorted by letter without regard to case. What nobody set, nobody meets: `channels.default_modes`
/// says what a new channel has.
pub static CHANNEL: &[ChannelMode] = &[
    ChannelMode {
        letter: 'b',
        class: ModeClass::List,
        param: "mask",
        who: Rank::Halfop,
        does: "Bans: whom a mask matches can neither join nor speak, nor get out of it by another nick or account. `a:<account>` means those who are logged in to an \
               account, `m:<mask>` or `m:a:<account>` takes only their voice.",
        known: "all servers; `a:` as in draft/account-extban, `m:` as in Ergo and InspIRCd",
    },
    flag('C', Rank::Operator, "No CTCP, except ACTION (`/me`).", "Ergo, InspIRCd, Solanum, UnrealIRCd"),
    ChannelMode {
        letter: 'e',
        class: ModeClass::List,
        param: "mask",
        who: Rank::Halfop,
        does: "Exceptions from bans; those with `m:` are exceptions from what takes a voice alone.",
        known: "all servers",
    },
    ChannelMode {
        letter: 'f',
        class: ModeClass::WhenSet,
        param: "#channel",
        who: Rank::Operator,
        does: "Forward: who may not join is taken to that channel instead (`470`). Whoever sets it is an operator of \
               both.",
        known: "Ergo, Solanum",
    },
    ChannelMode {
        letter: 'I',
        class: ModeClass::List,
        param: "mask",
        who: Rank::Halfop,
        does: "Who needs no invitation.",
        known: "all servers",
    },
    flag(
        'i',
        Rank::Halfop,
        "Only those with an invitation may join. Whom a halfop or higher invites also passes `b`, `k`, `l` and `R`; so does \
         whoever is a halfop or higher by standing right.",
        "all servers",
    ),
    flag('K', Rank::Operator, "No KNOCK.", "InspIRCd, UnrealIRCd"),
    ChannelMode {
        letter: 'k',
        class: ModeClass::Key,
        param: "key",
        who: Rank::Operator,
        does: "Only those who know the key may join.",
        known: "all servers",
    },
    ChannelMode {
        letter: 'l',
        class: ModeClass::WhenSet,
        param: "number",
        who: Rank::Operator,
        does: "How many members there may be.",
        known: "all servers",
    },
    flag('M', Rank::Operator, "Only those who are logged in may speak.", "Ergo, InspIRCd, UnrealIRCd"),
    flag('m', Rank::Halfop, "Only those with a prefix may speak.", "all servers"),
    flag('n', Rank::Operator, "Only members may speak.", "all servers"),
    flag('R', Rank::Operator, "Only those who are logged in may join.", "Ergo, InspIRCd, UnrealIRCd"),
    flag(
        's',
        Rank::Operator,
        "Secret: nobody but its members can find out that the channel exists.",
        "all servers",
    ),
    flag('T', Rank::Operator, "No NOTICE, except from halfops and higher.", "InspIRCd, Solanum, UnrealIRCd"),
    flag('t', Rank::Operator, "Only halfops and higher change the topic.", "all servers"),
    flag(
        'U',
        Rank::Operator,
        "What members without a prefix say reaches halfops and higher alone, also where `b`, `m` or `M` would refuse \
         it.",
        "Ergo, InspIRCd; `z` in Solanum",
    ),
    flag(
        'u',
        Rank::Operator,
        "Auditorium: members without a prefix are shown to halfops and higher alone.",
        "Ergo, InspIRCd, UnrealIRCd (`D`)",
    ),
    flag('x', Rank::Operator, "What is said here is not told to followers (see `docs/feeds.md`).", "Stentor"),
];

/// The modes of users, sorted by letter without regard to case.
pub static USER: &[UserMode] = &[
    UserMode {
        letter: 'B',
        does: "A bot: marked in WHO, WHOIS and, with the tag `bot`, on each message.",
        known: "Ergo, InspIRCd, UnrealIRCd (IRCv3 bot mode)",
    },
    UserMode { letter: 'i', does: "Not found by those who share no channel.", known: "all servers" },
    UserMode {
        letter: 'o',
        does: "An operator of the network. OPER alone gives it (see `docs/operators.md`); `-o` lays it down.",
        known: "all servers",
    },
    UserMode {
        letter: 'R',
        does: "Private messages only from those who are logged in, to whom one wrote first, or whom ACCEPT names.",
        known: "Ergo, InspIRCd, UnrealIRCd",
    },
    UserMode {
        letter: 's',
        does: "Server notices: hears at once of what matters to operators. A parameter says of what, such as `+s kx` or \
               `+s -f`; without one, of everything. For operators with the privilege `audit` alone, and gone with that.",
        known: "most servers; the letters are Ergo's and InspIRCd's where they have them",
    },
    UserMode {
        letter: 'T',
        does: "No private CTCP, except ACTION (`/me`).",
        known: "Ergo, InspIRCd, UnrealIRCd",
    },
    UserMode { letter: 'w', does: "Hears what operators say with WALLOPS.", known: "all servers" },
];

impl Rank {
    /// The rank that a prefix's letter gives.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        PREFIXES.iter().find(|prefix| prefix.letter == letter).map(|prefix| prefix.rank)
    }

    /// The rank that a sign before a nick shows.
    #[must_use]
    pub fn of_sign(sign: char) -> Option<Self> {
        PREFIXES.iter().find(|prefix| prefix.sign == sign).map(|prefix| prefix.rank)
    }

    /// Its prefix; [`Rank::Plain`] has none.
    #[must_use]
    pub fn prefix(self) -> Option<&'static Prefix> {
        PREFIXES.iter().find(|prefix| prefix.rank == self)
    }

    /// Whether somebody of this rank may kick somebody of the other, or give or take it. Operators may act on each
    /// other, as they always could; admins and halfops may not.
    #[must_use]
    pub fn may_act_on(self, other: Self) -> bool {
        match self {
            Self::Founder => true,
            Self::Admin | Self::Operator => other < Self::Admin,
            Self::Halfop => other < Self::Halfop,
            Self::Voice | Self::Plain => false,
        }
    }
}

/// The mode of channels with this letter.
#[must_use]
pub fn channel(letter: char) -> Option<&'static ChannelMode> {
    CHANNEL.iter().find(|mode| mode.letter == letter)
}

/// What a letter of a channel's modes or of a member's prefix takes.
#[must_use]
pub fn class(letter: char) -> Option<ModeClass> {
    match channel(letter) {
        Some(mode) => Some(mode.class),
        None => Rank::of_letter(letter).map(|_| ModeClass::Prefix),
    }
}

/// The letters of the modes of a class, sorted.
#[must_use]
pub fn letters(class: ModeClass) -> String {
    match class {
        ModeClass::Prefix => PREFIXES.iter().map(|prefix| prefix.letter).collect(),
        class => sorted(CHANNEL.iter().filter(|mode| mode.class == class).map(|mode| mode.letter)),
    }
}

/// The ISUPPORT token `CHANMODES`.
#[must_use]
pub fn chanmodes() -> String {
    [ModeClass::List, ModeClass::Key, ModeClass::WhenSet, ModeClass::Flag].map(letters).join(",")
}

/// The prefixes' signs, the highest first: the ISUPPORT token `STATUSMSG`.
#[must_use]
pub fn signs() -> String {
    PREFIXES.iter().map(|prefix| prefix.sign).collect()
}

/// The ISUPPORT token `PREFIX`.
#[must_use]
pub fn prefixes() -> String {
    format!("({}){}", letters(ModeClass::Prefix), signs())
}

/// The letters of the modes of users, sorted.
#[must_use]
pub fn user_letters() -> String {
    sorted(USER.iter().map(|mode| mode.letter))
}

/// The ISUPPORT token `USERMODES`, in the groups of CHANMODES.
#[must_use]
pub fn usermodes() -> String {
    let flags = sorted(USER.iter().map(|mode| mode.letter).filter(|letter| *letter != SERVER_NOTICES));
    format!(",,{SERVER_NOTICES},{flags}")
}

/// Whether a letter is a mode of users that anybody may set.
#[must_use]
pub fn is_for_everybody(letter: char) -> bool {
    ![OPERATOR, SERVER_NOTICES].contains(&letter) && USER.iter().any(|mode| mode.letter == letter)
}

/// The letters of numeric 004: the users' modes, the channels', and those of the channels' that take a parameter.
#[must_use]
pub fn myinfo() -> [String; 3] {
    let prefixes = || PREFIXES.iter().map(|prefix| prefix.letter);
    let with_param = CHANNEL.iter().filter(|mode| !mode.param.is_empty()).map(|mode| mode.letter);
    [
        user_letters(),
        sorted(CHANNEL.iter().map(|mode| mode.letter).chain(prefixes())),
        sorted(with_param.chain(prefixes())),
    ]
}

/// What HELP tells of a subject that is not a command: the lines, or nothing where there is no such subject.
#[must_use]
pub fn help(subject: &str) -> Option<Vec<String>> {
    let lines = match subject.to_ascii_uppercase().as_str() {
        "CMODES" => {
            let modes = CHANNEL.iter().map(|mode| match mode.param {
                "" => format!("+{}  {}", mode.letter, mode.does),
                param => format!("+{} <{param}>  {}", mode.letter, mode.does),
            });
            let prefixes = PREFIXES
                .iter()
                .map(|prefix| format!("+{} <nick>  ({}) {}", prefix.letter, prefix.sign, prefix.does));
            modes.chain(prefixes).collect()
        }
        "UMODES" => USER.iter().map(|mode| format!("+{}  {}", mode.letter, mode.does)).collect(),
        _ => return None,
    };
    Some(lines)
}

/// `docs/modes.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut section = |title: &str, header: &str, rows: Vec<String>| {
        let columns = header.matches('|').count() - 1;
        let _ = write!(page, "\n## {title}\n\n{header}\n|{}\n{}\n", "---|".repeat(columns), rows.join("\n"));
    };
    let row = |prefix: &Prefix| {
        let Prefix { letter, sign, name, does, known, .. } = prefix;
        format!("| `{letter}` | `{sign}` | {name} | {} | {does} | {known} |", givers(prefix.rank))
    };
    section(
        "Members",
        "| Mode | Sign | Name | Who gives and takes it | What its bearer may do | Known from |",
        PREFIXES.iter().map(row).collect(),
    );
    let row = |mode: &ChannelMode| {
        let param = if mode.param.is_empty() { String::new() } else { format!(" <{}>", mode.param) };
        let who = mode.who.prefix().map_or("", |prefix| prefix.name);
        format!("| `{}{param}` | {who} | {} | {} |", mode.letter, mode.does, mode.known)
    };
    section(
        "Channels",
        "| Mode | Who may change it, at least | What it does | Known from |",
        CHANNEL.iter().map(row).collect(),
    );
    let row = |mode: &UserMode| format!("| `{}` | {} | {} |", mode.letter, mode.does, mode.known);
    section("Users", "| Mode | What it does | Known from |", USER.iter().map(row).collect());
    let row = |topic: &Topic| format!("| `{}` | {} |", topic.letter(), topic.about());
    section("Server notices", "| Letter | About |", Topic::ALL.iter().map(row).collect());
    page.push_str(NOTES);
    page
}

fn givers(rank: Rank) -> String {
    let names = PREFIXES.iter().filter(|prefix| prefix.rank.may_act_on(rank)).map(|prefix| prefix.name);
    names.collect::<Vec<_>>().join(", ")
}

fn sorted(letters: impl Iterator<Item = char>) -> String {
    let mut letters: Vec<char> = letters.collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// The letter of bots, as the ISUPPORT token `BOT` says.
pub const BOT: char = 'B';
/// The user mode of those whom only members of their channels find.
pub const INVISIBLE: char = 'i';
/// The user mode of operators of the network, which no user sets.
pub const OPERATOR: char = 'o';
/// The user mode of operators who hear server notices.
pub const SERVER_NOTICES: char = 's';
/// The user mode of those who want private messages from the logged in alone.
pub const REGISTERED_ONLY: char = 'R';
/// The user mode of those who want no private CTCP.
pub const NO_CTCP: char = 'T';
/// The user mode of those who hear WALLOPS.
pub const WALLOPS: char = 'w';

/// What the modes of one line may take, beside the source and the channel or nick.
pub const LINE_BYTES: usize = 300;

const INTRODUCTION: &str = "\
# Modes

Of channels, of their members and of users. `MODE #channel` shows a channel's, `MODE <nick>` one's own; `HELP CMODES` and
`HELP UMODES` show these tables to clients. Letters mean what they mean on the servers named beside them.
";

const NOTES: &str = "
Members may always lay down what they have: `MODE #channel -o <own nick>`. An account can have a rank that it gets at
every JOIN: see `docs/channels.md`.

## Messages to a rank

`PRIVMSG @#channel` reaches the channel's operators and higher, `+#channel` those with a voice and higher, and so on for
each sign (`STATUSMSG`). Whoever may speak in the channel may send one. Recipients are judged by the rank that they have
at the message's place in the channel's order, on whichever node they are. Such a message is kept in the history, where
those can read it who have the rank when they ask; so is what `U` keeps from the others.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_unique_and_sorted() {
        let letters =
            || CHANNEL.iter().map(|mode| mode.letter).chain(PREFIXES.iter().map(|prefix| prefix.letter));
        for letter in letters() {
            assert_eq!(letters().filter(|other| *other == letter).count(), 1, "{letter}");
        }
        assert!(CHANNEL.is_sorted_by_key(|mode| mode.letter.to_ascii_lowercase()));
        assert!(USER.is_sorted_by_key(|mode| mode.letter.to_ascii_lowercase()));
        assert!(PREFIXES.is_sorted_by(|left, right| left.rank > right.rank));
        for mode in CHANNEL {
            assert_eq!(mode.param.is_empty(), mode.class == ModeClass::Flag, "{}", mode.letter);
        }
    }

    #[test]
    fn tokens_are_made_from_the_tables() {
        assert_eq!(prefixes(), "(qaohv)~&@%+");
        assert_eq!(chanmodes(), "Ibe,k,fl,CKMRTUimnstux");
        assert_eq!(myinfo()[0], "BRTiosw");
        assert_eq!(usermodes(), ",,s,BRTiow");
        assert_eq!(myinfo()[2], "Iabefhkloqv");
    }

    #[test]
    fn a_rank_acts_on_those_below() {
        use Rank::{Admin, Founder, Halfop, Operator, Plain, Voice};
        assert!(Founder.may_act_on(Founder) && Operator.may_act_on(Operator) && Halfop.may_act_on(Voice));
        assert!(!Admin.may_act_on(Admin) && !Operator.may_act_on(Admin) && !Halfop.may_act_on(Halfop));
        assert!(!Voice.may_act_on(Plain) && !Plain.may_act_on(Plain));
    }

    #[test]
    fn the_page_in_docs_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/modes.md");
        let there = std::fs::read_to_string(path).expect("docs/modes.md is there");
        assert_eq!(there, page(), "`cargo xtask reference` writes it anew");
    }
}
