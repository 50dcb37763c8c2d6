//! What an event looks like as a line.

use super::clean::clean;
use crate::event::{Event, Kind, Leaving, Place, Said, What};

/// Lines for one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether the stream shows colours.
    pub(super) coloured: bool,
}

impl Style {
    /// A line with its end.
    pub(super) fn event(self, event: &Event, me: &str) -> String {
        let Event { place, what, .. } = event;
        let news = |text: String| match place {
            Place::Room(_) => self.news(&self.room(place), &text),
            Place::Server | Place::Person(_) => self.news("", &text),
        };
        match what {
            What::Said(said) => self.said(place, said, me),
            What::Joined { nick, .. } => news(format!("{nick} joined")),
            What::Left { nick, reason, how, .. } => {
                let what = match how {
                    Leaving::Parted => "left".to_owned(),
                    Leaving::Quit => "quit".to_owned(),
                    Leaving::Kicked { by } => format!("was kicked by {by}"),
                };
                let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
                news(format!("{nick} {what}{reason}"))
            }
            What::Renamed { from, to, .. } => news(format!("{from} is now {to}")),
            What::Moved { by, from, reason } => {
                let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
                news(format!("{by} gave {from} this name{reason}"))
            }
            What::Topic { by: None, text } => news(format!("topic: {text}")),
            What::Topic { by: Some(by), text } if text.is_empty() => news(format!("{by} removed the topic")),
            What::Topic { by: Some(by), text } => news(format!("{by} set the topic: {text}")),
            What::Mode { by, change } => news(format!("{by} set {change}")),
            What::Away { nick, text: Some(text) } => news(format!("{nick} is away: {text}")),
            What::Away { nick, text: None } => news(format!("{nick} is back")),
            // Which of several messages it was: these lines may be far from those.
            What::Problem(text) if matches!(place, Place::Person(_)) => news(format!("{place}: {text}")),
            What::Info(text) | What::Problem(text) | What::Connection(text) => news(text.clone()),
            What::Gap => news("messages are missing here, which the server no longer has".to_owned()),
        }
    }

    /// What this program itself has to say.
    pub(super) fn note(self, text: &str) -> String {
        self.news("", text)
    }

    fn said(self, place: &Place, said: &Said, me: &str) -> String {
        let (nick, text) = (self.nick(said), clean(&said.text));
        let before = match (place, said.kind) {
            (_, Kind::Post) => self.dim("[Sub]"),
            (Place::Room(_), _) => self.room(place),
            (Place::Person(_) | Place::Server, _) => self.dim("[PM]"),
        };
        // Others' private messages are for `me`; of one's own one wants to know for whom they are.
        let to = match place {
            Place::Person(other) if said.own && !other.as_str().eq_ignore_ascii_case(me) => {
                format!(" -> {}", clean(other.as_str()))
            }
            _ => String::new(),
        };
        match said.kind {
            Kind::Message | Kind::Post => format!("{before} {nick}{to}: {text}\n"),
            Kind::Notice => format!("{before} -{nick}{to}- {text}\n"),
            Kind::Action => format!("{before} * {nick}{to} {text}\n"),
        }
    }

    fn news(self, before: &str, text: &str) -> String {
        let mut lines = String::new();
        for line in text.split('\n') {
            if !before.is_empty() {
                lines.push_str(before);
                lines.push(' ');
            }
            lines.push_str(&self.dim(&format!("* {}", clean(line))));
            lines.push('\n');
        }
        lines
    }

    fn room(self, place: &Place) -> String {
        self.dim(&format!("[{}]", clean(&place.to_string())))
    }

    fn nick(self, said: &Said) -> String {
        let nick = clean(&said.nick);
        match (self.coloured, said.own, said.mention) {
            (false, ..) => nick,
            (true, true, _) => format!("{BOLD}{nick}{PLAIN}"),
            (true, false, true) => format!("{MENTION}{nick}{PLAIN}"),
            (true, false, false) => format!("{OTHER}{nick}{PLAIN}"),
        }
    }

    fn dim(self, text: &str) -> String {
        if self.coloured { format!("{DIM}{text}{PLAIN}") } else { text.to_owned() }
    }
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const OTHER: &str = "\x1b[36m";
const MENTION: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use stentor_proto::channel::{ChannelName, DEFAULT_MAX_LEN};
    use stentor_proto::nick::Nick;

    use super::*;

    const STYLE: Style = Style { coloured: false };

    fn room() -> Place {
        Place::Room(ChannelName::parse("#Lobby", DEFAULT_MAX_LEN).unwrap())
    }

    fn person() -> Place {
        Place::Person(Nick::parse("bob", 32).unwrap())
    }

    fn said(nick: &str, kind: Kind, text: &str) -> What {
        let own = nick == "alice";
        What::Said(Said { nick: nick.to_owned(), text: text.to_owned(), kind, own, mention: false })
    }

    #[test]
    fn what_is_said_has_the_place_the_nick_and_the_text() {
        for (place, what, shown) in [
            (room(), said("bob", Kind::Message, "hi"), "[#Lobby] bob: hi\n"),
            (room(), said("bob", Kind::Action, "waves"), "[#Lobby] * bob waves\n"),
            (room(), said("bob", Kind::Notice, "beep"), "[#Lobby] -bob- beep\n"),
            (person(), said("bob", Kind::Message, "hi"), "[PM] bob: hi\n"),
            (person(), said("alice", Kind::Message, "hi"), "[PM] alice -> bob: hi\n"),
            (person(), said("bob", Kind::Post, "news"), "[Sub] bob: news\n"),
            (
                room(),
                said("b\x1b[2Job", Kind::Message, "\x1b]0;x\x07"),
                "[#Lobby] b\u{fffd}[2Job: \u{fffd}]0;x\u{fffd}\n",
            ),
        ] {
            assert_eq!(STYLE.event(&Event::now(place, what), "alice"), shown);
        }
    }

    #[test]
    fn what_happens_is_marked_with_a_star() {
        let left = |how| What::Left { nick: "bob".into(), own: false, reason: "bye".into(), how };
        for (what, shown) in [
            (What::Joined { nick: "bob".into(), own: false }, "[#Lobby] * bob joined\n"),
            (left(Leaving::Parted), "[#Lobby] * bob left (bye)\n"),
            (left(Leaving::Kicked { by: "carol".into() }), "[#Lobby] * bob was kicked by carol (bye)\n"),
            (What::Topic { by: None, text: "a\x1bb".into() }, "[#Lobby] * topic: a\u{fffd}b\n"),
            (What::Info("one\ntwo".into()), "[#Lobby] * one\n[#Lobby] * two\n"),
        ] {
            assert_eq!(STYLE.event(&Event::now(room(), what), "alice"), shown);
        }
        let lost = Event::now(Place::Server, What::Connection("lost".into()));
        assert_eq!(STYLE.event(&lost, "alice"), "* lost\n");
    }

    #[test]
    fn colours_end_where_they_began() {
        let style = Style { coloured: true };
        let line = style.event(&Event::now(room(), said("bob", Kind::Message, "hi")), "alice");
        assert_eq!(line, "\x1b[2m[#Lobby]\x1b[0m \x1b[36mbob\x1b[0m: hi\n");
    }
}
