//! ChanServ: channels that last, in the words that people know from other networks.
//!
//! - `about`: what there is to know of a channel, and of one's own
//! - `access`: standing rights
//! - `akick`: bans that throw out whom they hit
//! - `draft`: a change to a channel as it is put together
//! - `habits`: what replaces settings that other services have
//! - `order`: who is let in, and who is thrown out
//! - `ownership`: who a channel's founder is
//! - `ranks`: the prefixes of those who are there
//! - `room`: a channel that somebody named, and by what right
//!
//! Each word is decided by a pure function of the channel's state and of who asks, and is one commit. Who has no right of
//! their own and is an operator of the network with the privilege `channels` acts as the founder, which is written to the
//! audit log first.

mod about;
mod access;
mod akick;
mod draft;
mod habits;
mod order;
mod ownership;
mod ranks;
mod room;

use stentor_proto::message::Message;

use super::{Service, TEXT, Word};
use crate::error::Error;
use crate::modes::Rank;
use crate::reply::Reply;
use crate::session::{AccountClaim, Session};

/// ChanServ.
pub static CHANSERV: Service = Service {
    name: "ChanServ",
    about: "ChanServ looks after channels that last: a channel with a founder keeps its topic, modes, bans and rights \
            while nobody is in it.",
    words: &[
        word!(
            &["REGISTER"],
            1..=1,
            3,
            ownership::register,
            "REGISTER <#channel>",
            "Makes you the founder of a channel that has none, if you are there as its operator; where operators have a \
             standing right, as one of them."
        ),
        word!(
            &["DROP", "UNREGISTER"],
            1..=2,
            3,
            ownership::give_up,
            "DROP <#channel> [<code>]",
            "Gives up a channel that you founded, with its standing rights; asks you to say so again."
        ),
        word!(
            &["TRANSFER"],
            2..=2,
            3,
            ownership::transfer,
            "TRANSFER <#channel> <account> | TRANSFER ACCEPT <#channel>",
            "Offers a channel that you founded to somebody, who accepts it. An offer to yourself takes it back."
        ),
        word!(
            &["ACCESS"],
            1..=4,
            2,
            access::access,
            "ACCESS <#channel> [LIST | ADD <account> [admin|op|halfop|voice] | DEL <account>]",
            "Gives accounts a rank that they have whenever they come, or lists who has one."
        ),
        word!(
            &["AMODE"],
            1..=3,
            2,
            access::amode,
            "AMODE <#channel> [+|-<a, o, h or v> <account>]",
            "The same as ACCESS, in the letters of modes."
        ),
        word!(
            &["FLAGS"],
            1..=3,
            2,
            access::flags,
            "FLAGS <#channel> [<account> +|-<a, o, h, v or *>]",
            "The same as AMODE, the other way round; -* takes whatever an account has."
        ),
        word!(
            &["SOP"],
            1..=3,
            2,
            access::sop,
            "SOP <#channel> ADD <account> | DEL <account> | LIST",
            "ACCESS for admins."
        ),
        word!(
            &["AOP"],
            1..=3,
            2,
            access::aop,
            "AOP <#channel> ADD <account> | DEL <account> | LIST",
            "ACCESS for operators."
        ),
        word!(
            &["HOP"],
            1..=3,
            2,
            access::hop,
            "HOP <#channel> ADD <account> | DEL <account> | LIST",
            "ACCESS for halfops."
        ),
        word!(
            &["VOP"],
            1..=3,
            2,
            access::vop,
            "VOP <#channel> ADD <account> | DEL <account> | LIST",
            "ACCESS for voices."
        ),
        word!(
            &["OP", "UP"],
            1..=2,
            1,
            ranks::op,
            "OP <#channel> [<nick>]",
            "Makes you what your standing right says, or somebody an operator."
        ),
        word!(
            &["DEOP", "DOWN"],
            1..=2,
            1,
            ranks::deop,
            "DEOP <#channel> [<nick>]",
            "Takes an operator's rank, and higher ones, from you or somebody."
        ),
        word!(
            &["HALFOP"],
            1..=2,
            1,
            ranks::halfop,
            "HALFOP <#channel> [<nick>]",
            "Makes you or somebody a halfop."
        ),
        word!(
            &["DEHALFOP"],
            1..=2,
            1,
            ranks::dehalfop,
            "DEHALFOP <#channel> [<nick>]",
            "Takes a halfop's rank from you or somebody."
        ),
        word!(
            &["VOICE"],
            1..=2,
            1,
            ranks::voice,
            "VOICE <#channel> [<nick>]",
            "Gives you or somebody a voice."
        ),
        word!(
            &["DEVOICE"],
            1..=2,
            1,
            ranks::devoice,
            "DEVOICE <#channel> [<nick>]",
            "Takes a voice from you or somebody."
        ),
        word!(
            &["INVITE"],
            1..=1,
            2,
            order::invite,
            "INVITE <#channel>",
            "Lets you in once, whatever key, limit and +i say, if you have a standing right there and are not banned."
        ),
        word!(
            &["UNBAN"],
            1..=2,
            2,
            order::unban,
            "UNBAN <#channel> [<nick, account or mask>]",
            "Takes away the bans that hit you, or somebody."
        ),
        word!(
            &["AKICK"],
            1..=TEXT,
            2,
            akick::run,
            "AKICK <#channel> ADD|DEL|LIST [<nick, account or mask>] [<reason>]",
            "Bans somebody and throws them out, lifts such a ban, or lists all bans. A reason is read by those who see \
             somebody go, and is not kept."
        ),
        word!(
            &["BAN"],
            2..=TEXT,
            2,
            akick::ban,
            "BAN <#channel> <nick, account or mask> [<reason>]",
            "The same as AKICK ADD. UNBAN or AKICK DEL lifts it."
        ),
        word!(
            &["KICK"],
            2..=TEXT,
            2,
            order::kick,
            "KICK <#channel> <nick> [<reason>]",
            "Throws somebody out, who may come back."
        ),
        word!(
            &["HOWTOBAN"],
            2..=2,
            2,
            order::how_to_ban,
            "HOWTOBAN <#channel> <nick>",
            "Tells which ban keeps somebody out for good, and whom else it hits."
        ),
        word!(
            &["TOPIC"],
            1..=TEXT,
            2,
            order::topic,
            "TOPIC <#channel> [<topic>]",
            "Shows the topic, or changes it, also from outside."
        ),
        word!(
            &["CLEAR"],
            2..=2,
            5,
            order::clear,
            "CLEAR <#channel> USERS|BANS|ACCESS",
            "Throws everybody else out; lifts all bans; or takes all bans, exceptions, invitations and standing rights."
        ),
        word!(
            &["SET", "MLOCK"],
            1..=TEXT,
            1,
            habits::set,
            "SET <#channel> <setting>",
            "Tells what does here what other services do with settings such as FOUNDER, MLOCK, KEEPTOPIC or PRIVATE."
        ),
        word!(
            &["INFO", "STATUS"],
            1..=1,
            2,
            about::info,
            "INFO <#channel>",
            "Tells about a channel, and what you may do there."
        ),
        word!(
            &["LIST"],
            0..=1,
            5,
            about::list,
            "LIST [<mask>]",
            "Lists the channels that you founded or have standing rights in. Operators of the network see all that last."
        ),
    ],
};

/// CHANSERV and CS: the rest of the line is said to ChanServ.
pub(crate) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    super::hear(session, &CHANSERV, &message.params().join(" "), reply).await
}

/// The word at this place; empty where there is none.
fn at<'a>(words: &[&'a str], index: usize) -> &'a str {
    words.get(index).copied().unwrap_or_default()
}

/// What the audit log says of a word, with those that follow the channel's name.
fn deed(what: &str, words: &[&str]) -> String {
    let rest = words.iter().skip(1).flat_map(|word| [" ", word]);
    std::iter::once(what).chain(rest).collect()
}

/// The account that the session is logged in to.
fn own(session: &Session) -> Result<AccountClaim, Error> {
    session.account.clone().ok_or_else(|| {
        refusal("That takes an account, and you are not logged in. Say /msg NickServ HELP to read how.")
    })
}

/// Why a word is not done.
fn refusal(text: &str) -> Error {
    Error::fail("CHANSERV", "REFUSED", &[], text)
}

/// Why a word is not done, where a higher rank could do it.
fn forbidden(text: &str) -> Error {
    Error::fail("CHANSERV", FORBIDDEN, &[], text)
}

/// What somebody of this rank is called, with its article.
fn called(rank: Rank) -> &'static str {
    match rank {
        Rank::Plain => "nobody in particular",
        Rank::Voice => "a voice",
        Rank::Halfop => "a halfop",
        Rank::Operator => "an operator",
        Rank::Admin => "an admin",
        Rank::Founder => "the founder",
    }
}

/// The code of a refusal that an operator of the network may pass over.
const FORBIDDEN: &str = "FORBIDDEN";
