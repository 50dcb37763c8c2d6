//! The commands that a user may type: one table, which the engine, `/help` and the completion share.

use crate::event::Place;

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, without the slash.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What follows the name: `[#room] [reason]`; may be empty.
    pub usage: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// What its arguments are, for completion. The last kind goes for all further words.
    pub arguments: &'static [Argument],
    /// What it makes the engine do.
    pub(crate) verb: Verb,
}

/// What a word of a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A room's name.
    Room,
    /// Somebody's nick.
    Nick,
    /// A command's name, without the slash.
    Command,
    /// Anything.
    Text,
}

/// What a line that was typed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed<'a> {
    /// Text to say.
    Text(&'a str),
    /// A command, and what follows its name.
    Command(&'static Command, &'a str),
    /// A slash, and a name that no command has.
    Unknown(&'a str),
}

/// What a command makes the engine do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Away,
    Back,
    Ban,
    Help,
    History,
    Invite,
    Join,
    Kick,
    Leave,
    Me,
    Mode,
    Msg,
    Names,
    Nick,
    Notice,
    Passwd,
    Publish,
    Quit,
    Quote,
    Register,
    Rooms,
    Subscribe,
    Subscribers,
    Subscriptions,
    Topic,
    Unban,
    Unsubscribe,
    Who,
    Whois,
}

impl<'a> Typed<'a> {
    /// Takes a line apart. `//text` is the text `/text`.
    #[must_use]
    pub fn parse(line: &'a str) -> Self {
        let Some(rest) = line.strip_prefix('/') else { return Self::Text(line) };
        if rest.starts_with('/') {
            return Self::Text(rest);
        }
        let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match find(name) {
            Some(command) => Self::Command(command, arguments.trim()),
            None => Self::Unknown(name),
        }
    }
}

/// Whether a line that was typed here holds a password, as far as can be told.
#[must_use]
pub fn holds_secret(line: &str, here: &Place) -> bool {
    match Typed::parse(line) {
        Typed::Text(text) if here.is_service() => !behind_first_word(text).is_empty(),
        Typed::Command(command, text) if here.is_service() && command.verb == Verb::Me => {
            !behind_first_word(text).is_empty()
        }
        _ => without_secret(line).len() < line.len(),
    }
}

/// A line that was typed, as far as others may look at it: without a password.
#[must_use]
pub fn without_secret(line: &str) -> &str {
    let Typed::Command(command, rest) = Typed::parse(line) else { return line };
    let secret = match command.verb {
        Verb::Register | Verb::Passwd => rest,
        Verb::Quote => {
            // Tags and a source may come before the command.
            let mut words = rest.split_whitespace().filter(|word| !word.starts_with(['@', ':']));
            let name = words.next().unwrap_or_default();
            let to = words.next().unwrap_or_default();
            let is = |name: &str, all: &[&str]| all.iter().any(|one| one.eq_ignore_ascii_case(name));
            let to_service = is(name, &["PRIVMSG", "NOTICE", "SQUERY"]) && to.split(',').any(is_service);
            if !is(name, SECRET) && !is_service(name) && !to_service {
                return line;
            }
            rest.split_once(name).map_or("", |(_, after)| after)
        }
        Verb::Msg | Verb::Notice => match rest.split_once(char::is_whitespace) {
            Some((to, text)) if is_service(to) => behind_first_word(text),
            _ => return line,
        },
        _ => return line,
    };
    let secret = secret.trim();
    if secret.is_empty() {
        return line;
    }
    line.trim_end().strip_suffix(secret).map_or(line, str::trim_end)
}

/// What is said to a service, as far as others may look at it: its first word.
#[must_use]
pub fn said_to_service(text: &str) -> String {
    let text = text.trim();
    match behind_first_word(text) {
        "" => text.to_owned(),
        secret => format!("{} …", text.strip_suffix(secret).unwrap_or_default().trim_end()),
    }
}

/// Whether this is the name of a service, such as NickServ or ChanServ. What is said to one is a command, and may hold a
/// password.
#[must_use]
pub fn is_service(name: &str) -> bool {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let end = name.len().checked_sub(SERVICE.len()).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(SERVICE))
}

fn behind_first_word(text: &str) -> &str {
    text.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start())
}

/// What passwords are sent with.
const SECRET: &[&str] = &["OPER", "PASS", "AUTHENTICATE", "REGISTER", "NS", "CS", "IDENTIFY"];
/// How services' names end.
const SERVICE: &str = "serv";

/// The command with this name or alias, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    COMMANDS.iter().find(|command| is(command.name) || command.aliases.iter().any(|alias| is(alias)))
}

/// Names that somebody who typed `name` may have meant, the nearest first, at most three.
#[must_use]
pub fn near(name: &str) -> Vec<&'static str> {
    let name: String = name.to_ascii_lowercase().chars().take(LONGEST_NAME).collect();
    let mut found: Vec<(usize, &'static str)> = COMMANDS
        .iter()
        .filter_map(|command| {
            let all = std::iter::once(&command.name).chain(command.aliases);
            let best = all.map(|known| distance(&name, known)).min()?;
            let begins = !name.is_empty() && command.name.starts_with(&*name);
            (begins || best <= 2 && best < name.len())
                .then_some((if begins { 0 } else { best }, command.name))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).take(NEAR).collect()
}

/// How many characters must be changed, put in or left out to come from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut corner = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (to, above) in to.iter().zip(row.iter().skip(1)) {
            left = (above + 1).min(left + 1).min(corner + usize::from(from != *to));
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// How many near names are told.
const NEAR: usize = 3;
/// How much of a name is compared with others.
const LONGEST_NAME: usize = 32;

const fn command(
    name: &'static str,
    aliases: &'static [&'static str],
    usage: &'static str,
    help: &'static str,
    arguments: &'static [Argument],
    verb: Verb,
) -> Command {
    Command { name, aliases, usage, help, arguments, verb }
}

use Argument::{Command as Name, Nick, Room, Text};

/// All commands, in the order in which `/help` lists them.
pub const COMMANDS: &[Command] = &[
    command("join", &["j"], "#room [key]", "Enter a room, or make it", &[Room, Text], Verb::Join),
    command(
        "leave",
        &["part"],
        "[#room] [reason]",
        "Leave a room, or close a conversation",
        &[Room, Text],
        Verb::Leave,
    ),
    command("rooms", &["list"], "[pattern]", "List the server's rooms", &[Room], Verb::Rooms),
    command("names", &[], "[#room]", "Who is in a room", &[Room], Verb::Names),
    command(
        "msg",
        &["query", "m"],
        "nick [text]",
        "Write to a person; without text, open the conversation",
        &[Nick, Text],
        Verb::Msg,
    ),
    command("me", &[], "text", "Say what you do: * you wave", &[Text], Verb::Me),
    command(
        "notice",
        &[],
        "nick|#room text",
        "Send a notice, which draws no automatic answer",
        &[Nick, Text],
        Verb::Notice,
    ),
    command("topic", &[], "[#room] [text]", "Show or change a room's topic", &[Text], Verb::Topic),
    command(
        "subscribe",
        &["follow"],
        "nick [all|posts]",
        "Follow a person: all that they say openly, or posts alone",
        &[Nick, Text],
        Verb::Subscribe,
    ),
    command("unsubscribe", &["unfollow"], "nick", "Follow a person no more", &[Nick], Verb::Unsubscribe),
    command("subscriptions", &["following"], "", "Whom you follow", &[], Verb::Subscriptions),
    command(
        "subscribers",
        &["followers"],
        "[remove|allow nick] [refuse|rooms on|off]",
        "Who follows you; or let somebody, or all, follow you no more",
        &[Text, Nick],
        Verb::Subscribers,
    ),
    command(
        "subscribe_only",
        &["publish", "post"],
        "text",
        "Post to those who follow you, and to nobody else",
        &[Text],
        Verb::Publish,
    ),
    command(
        "away",
        &[],
        "[reason]",
        "Say that you are away; without a reason, that you are back",
        &[Text],
        Verb::Away,
    ),
    command("back", &[], "", "Say that you are back", &[], Verb::Back),
    command("who", &[], "[#room|pattern]", "List people", &[Room], Verb::Who),
    command("whois", &[], "nick", "Tell about a person", &[Nick], Verb::Whois),
    command("invite", &[], "nick [#room]", "Invite a person to a room", &[Nick, Room], Verb::Invite),
    command("kick", &[], "nick [reason]", "Throw a person out of the room", &[Nick, Text], Verb::Kick),
    command(
        "ban",
        &[],
        "[nick|mask]",
        "Keep a person out of the room; without one, list who is kept out",
        &[Nick],
        Verb::Ban,
    ),
    command("unban", &[], "nick|mask", "Let a person in again", &[Nick], Verb::Unban),
    command(
        "mode",
        &[],
        "[#room|nick] [changes]",
        "Show or change modes: /mode +o ann",
        &[Text, Nick],
        Verb::Mode,
    ),
    command("nick", &[], "name", "Take another name", &[Text], Verb::Nick),
    command("history", &[], "[count]", "Show older messages", &[Text], Verb::History),
    command(
        "register",
        &[],
        "password",
        "Make an account of the name that you have",
        &[Text],
        Verb::Register,
    ),
    command("passwd", &[], "", "How to change your password", &[], Verb::Passwd),
    command("quote", &["raw"], "line", "Send a line to the server as it is", &[Text], Verb::Quote),
    command("help", &["?"], "[command]", "List the commands, or tell about one", &[Name], Verb::Help),
    command("quit", &["exit"], "[reason]", "Leave, when all that you said has arrived", &[Text], Verb::Quit),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_is_found_and_there_once() {
        let mut all: Vec<&str> =
            COMMANDS.iter().flat_map(|c| std::iter::once(&c.name).chain(c.aliases)).copied().collect();
        for name in &all {
            assert!(find(&name.to_uppercase()).is_some(), "{name}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(Typed::parse("hello /there"), Typed::Text("hello /there"));
        assert_eq!(Typed::parse("//text"), Typed::Text("/text"));
        assert_eq!(Typed::parse("/jion x"), Typed::Unknown("jion"));
        assert_eq!(Typed::parse("/"), Typed::Unknown(""));
        let Typed::Command(command, rest) = Typed::parse("/PART  #a  so long ") else {
            panic!("it is a command")
        };
        assert_eq!((command.name, rest), ("leave", "#a  so long"));
    }

    #[test]
    fn passwords_are_found_and_nothing_else_is_hidden() {
        for (line, shown) in [
            ("/register secret", "/register"),
            ("/quote OPER ann secret", "/quote OPER"),
            ("/quote pass  secret", "/quote pass"),
            ("/QUOTE @a=b AUTHENTICATE c2VjcmV0", "/QUOTE @a=b AUTHENTICATE"),
            ("/quote ns identify secret", "/quote ns"),
            ("/quote PRIVMSG NickServ :identify secret", "/quote PRIVMSG"),
            ("/quote notice bob,Chanserv :identify secret", "/quote notice"),
            ("/quote CHANSERV identify secret", "/quote CHANSERV"),
            ("/msg nickserv identify secret ", "/msg nickserv identify"),
            ("/m  AUTHSERV@services.net  auth ann  secret", "/m  AUTHSERV@services.net  auth"),
            ("/notice ChanServ identify #room secret", "/notice ChanServ identify"),
            ("/msg NickServ help", "/msg NickServ help"),
            ("/msg NickServ", "/msg NickServ"),
            ("/msg servant pass it on", "/msg servant pass it on"),
            ("/raw NS", "/raw NS"),
            ("/msg bob pass it on", "/msg bob pass it on"),
            ("/quote VERSION", "/quote VERSION"),
            ("register secret", "register secret"),
        ] {
            assert_eq!(without_secret(line), shown);
            assert_eq!(holds_secret(line, &Place::Server), line != shown, "{line}");
        }
    }

    #[test]
    fn of_what_is_said_to_services_the_first_word_is_shown() {
        assert_eq!(said_to_service(" identify  ann secret "), "identify …");
        assert_eq!(said_to_service("help"), "help");
        let service = Place::Person(stentor_proto::nick::Nick::parse("NickServ", 32).expect("a legal nick"));
        for (line, holds) in
            [("identify secret", true), ("//i secret", true), ("/me i secret", true), ("help", false)]
        {
            assert_eq!(holds_secret(line, &service), holds, "{line}");
            assert!(!holds_secret(line, &Place::Server), "{line}");
        }
        assert!(["NickServ", "CHANSERV", "memoserv@services.net"].into_iter().all(is_service));
        assert!(!["bob", "serve", "é", "erv", ""].into_iter().any(is_service));
    }

    #[test]
    fn near_names_are_told() {
        assert_eq!(near("jion"), ["join"]);
        assert_eq!(near("subs"), ["subscribe", "subscribe_only", "subscribers"]);
        assert!(near("").is_empty() && near("xyzzyx").is_empty());
    }
}
