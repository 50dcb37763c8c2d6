//! The server's numbered replies, and FAIL, WARN and NOTE, as sentences at the place that they concern.

use jiff::Timestamp;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::Engine;
use super::login::{Stage, is_passing};
use super::queue::State;
use crate::event::{Kind, Place};

impl Engine {
    /// A numbered reply.
    pub(super) fn on_numeric(&mut self, numeric: Numeric, message: &Message<'_>) {
        if self.on_login_numeric(numeric, message) || self.on_welcome(numeric, message) {
            return;
        }
        if self.login.stage == Stage::Capabilities && numeric == Numeric::ERR_UNKNOWNCOMMAND {
            // A server without CAP goes on by itself.
            return;
        }
        if numeric.is_error() {
            return self.on_error(numeric, message);
        }
        if self.on_room_reply(numeric, message) || self.on_person_reply(numeric, message) || is_end(numeric) {
            return;
        }
        let place = self.asked.clone();
        self.info(&place, &plain(message));
    }

    fn on_welcome(&mut self, numeric: Numeric, message: &Message<'_>) -> bool {
        let text = message.params().last().copied().unwrap_or_default();
        match numeric {
            Numeric::RPL_WELCOME => self.welcomed(message.param(0).unwrap_or_default(), text),
            Numeric::RPL_ISUPPORT => {
                for token in message.params().iter().skip(1) {
                    self.support.take(token);
                }
            }
            Numeric::RPL_YOURHOST
            | Numeric::RPL_CREATED
            | Numeric::RPL_MYINFO
            | Numeric::RPL_LUSERCLIENT
            | Numeric::RPL_LUSEROP
            | Numeric::RPL_LUSERUNKNOWN
            | Numeric::RPL_LUSERCHANNELS
            | Numeric::RPL_LUSERME
            | Numeric::RPL_LOCALUSERS
            | Numeric::RPL_GLOBALUSERS
                if !self.is_settled() => {}
            Numeric::RPL_MOTDSTART => {}
            Numeric::RPL_MOTD if self.is_settled() || self.logins == 0 => {
                self.info(&Place::Server, text.strip_prefix("- ").unwrap_or(text));
            }
            Numeric::RPL_MOTD => {}
            Numeric::RPL_ENDOFMOTD | Numeric::ERR_NOMOTD => self.settle(),
            _ => return false,
        }
        true
    }

    fn on_room_reply(&mut self, numeric: Numeric, message: &Message<'_>) -> bool {
        let text = message.params().last().copied().unwrap_or_default();
        let name = message.param(1).and_then(|name| self.room_of(name));
        let place = self.place_of_room(message.param(1));
        match numeric {
            Numeric::RPL_TOPIC | Numeric::RPL_NOTOPIC => {
                if let Some(name) = name {
                    self.topic_is(&name, if numeric == Numeric::RPL_TOPIC { text } else { "" });
                }
            }
            Numeric::RPL_TOPICWHOTIME | Numeric::RPL_CREATIONTIME => {}
            Numeric::RPL_NAMREPLY => self.on_names(message),
            Numeric::RPL_ENDOFNAMES => self.on_end_of_names(message),
            Numeric::RPL_LIST => {
                let (room, count) = (message.param(1).unwrap_or("?"), message.param(2).unwrap_or("?"));
                let topic = message.nonempty(3).map(|topic| format!("  {topic}")).unwrap_or_default();
                let place = self.asked.clone();
                self.info(&place, &format!("{room}  {count}{topic}"));
            }
            Numeric::RPL_LISTEND => {
                let place = self.asked.clone();
                self.info(&place, "End of the list of rooms");
            }
            Numeric::RPL_CHANNELMODEIS => {
                let modes = message.params().get(2..).unwrap_or_default().join(" ");
                self.info(&place, &format!("Modes: {modes}"));
            }
            Numeric::RPL_BANLIST | Numeric::RPL_EXCEPTLIST | Numeric::RPL_INVEXLIST => {
                let kind = match numeric {
                    Numeric::RPL_BANLIST => "Banned",
                    Numeric::RPL_EXCEPTLIST => "Exempt from bans",
                    _ => "Invited for good",
                };
                let mask = message.param(2).unwrap_or_default();
                let by = message.param(3).map(|by| format!(", by {}", super::said::nick_of(by)));
                let at = message.param(4).and_then(unix_time).map(|at| format!(", {at}"));
                self.info(
                    &place,
                    &format!("{kind}: {mask}{}{}", by.unwrap_or_default(), at.unwrap_or_default()),
                );
            }
            Numeric::RPL_ENDOFBANLIST | Numeric::RPL_ENDOFEXCEPTLIST | Numeric::RPL_ENDOFINVEXLIST => {
                self.info(&place, "End of the list");
            }
            Numeric::RPL_INVITING => {
                let place = self.place_of_room(message.param(2));
                let who = message.param(1).unwrap_or_default();
                self.info(&place, &format!("{who} was invited to {}", message.param(2).unwrap_or_default()));
            }
            _ => return false,
        }
        true
    }

    fn on_person_reply(&mut self, numeric: Numeric, message: &Message<'_>) -> bool {
        let nick = message.param(1).unwrap_or_default();
        let text = message.params().last().copied().unwrap_or_default();
        let param = |index: usize| message.param(index).unwrap_or_default();
        let line = match numeric {
            Numeric::RPL_AWAY => {
                match self.place_of(nick).filter(|place| self.threads.contains_key(place)) {
                    Some(place) if !self.whois => self.told_away(&place, nick, Some(text.to_owned())),
                    _ => {
                        let place = self.asked.clone();
                        self.info(&place, &format!("{nick} is away: {text}"));
                    }
                }
                return true;
            }
            Numeric::RPL_NOWAWAY => {
                self.away = Some(self.away_wanted.clone().unwrap_or_default());
                "You are marked as being away".to_owned()
            }
            Numeric::RPL_UNAWAY => {
                self.away = None;
                "You are no longer marked as being away".to_owned()
            }
            Numeric::RPL_WHOISUSER | Numeric::RPL_WHOWASUSER => {
                self.whois = numeric == Numeric::RPL_WHOISUSER;
                format!("{nick} is {}@{} ({text})", param(2), param(3))
            }
            Numeric::RPL_ENDOFWHOIS | Numeric::RPL_ENDOFWHOWAS => {
                self.whois = false;
                return true;
            }
            Numeric::RPL_WHOISSERVER => format!("{nick} is connected to {} ({text})", param(2)),
            Numeric::RPL_WHOISCHANNELS => format!("{nick} is in {text}"),
            Numeric::RPL_WHOISACCOUNT => format!("{nick} is logged in as {}", param(2)),
            Numeric::RPL_WHOISIDLE => {
                let idle = param(2).parse().map_or_else(|_| param(2).to_owned(), duration);
                let since = message.param(3).and_then(unix_time).map(|at| format!(", here since {at}"));
                format!("{nick} has been idle for {idle}{}", since.unwrap_or_default())
            }
            Numeric::RPL_WHOISACTUALLY if message.params().len() > 3 => {
                format!("{nick} is actually using {}", param(2))
            }
            Numeric::RPL_WHOREPLY => {
                let (room, nick, flags) = (param(1), param(5), param(6));
                self.who_flags(room, nick, flags);
                let away = if flags.starts_with('G') { ", away" } else { "" };
                let name = text.split_once(' ').map_or(text, |(_, name)| name);
                let room = if room == "*" { String::new() } else { format!(" in {room}") };
                format!("{nick} is {}@{} ({name}){room}{away}", param(2), param(3))
            }
            Numeric::RPL_ENDOFWHO => "End of the list".to_owned(),
            _ if message.params().len() == 3 && is_about_person(numeric) => format!("{nick} {text}"),
            _ => return false,
        };
        let place = self.asked.clone();
        self.info(&place, &line);
        true
    }

    /// A numbered reply that tells of a failure.
    fn on_error(&mut self, numeric: Numeric, message: &Message<'_>) {
        let text = message.params().last().copied().unwrap_or_default().to_owned();
        let about = message.param(1).filter(|_| message.params().len() > 2);
        let name = about.and_then(|about| self.room_of(about));
        if let Some(name) = name.clone().filter(|name| self.joining.contains(name))
            && is_join_refusal(numeric)
        {
            let why = format!("You cannot enter {name}: {}", lower_first(&text));
            return self.not_entered(&name, &why);
        }
        if matches!(
            numeric,
            Numeric::ERR_NOSUCHNICK
                | Numeric::ERR_NOSUCHCHANNEL
                | Numeric::ERR_CANNOTSENDTOCHAN
                | Numeric::ERR_TOOMANYTARGETS
                | Numeric::ERR_NEEDREGGEDNICK
        ) && let Some(place) = about.and_then(|about| self.place_of(about))
            && let Some(id) = self.sent_to(&place).filter(|_| !self.labels())
        {
            return self.refuse(&id, &text);
        }
        if matches!(numeric, Numeric::ERR_NICKNAMEINUSE | Numeric::ERR_ERRONEUSNICKNAME) {
            let place = self.asked.clone();
            return self
                .problem(&place, &format!("Your name stays {}: {}", self.me.clone(), lower_first(&text)));
        }
        let place = match name {
            Some(name) if self.rooms.contains_key(&name) => Place::Room(name),
            _ => self.asked.clone(),
        };
        let about = match about {
            Some(about) if place.target() != Some(about) => format!("{about}: "),
            _ => String::new(),
        };
        self.problem(&place, &format!("{about}{text}"));
    }

    /// The message to a place that is on its way.
    fn sent_to(&self, place: &Place) -> Option<String> {
        self.queue.says().find(|say| say.to == *place && say.state == State::Sent).map(|say| say.id.clone())
    }

    /// FAIL, WARN and NOTE: `<command> <code> [context …] :<text>`.
    pub(super) fn on_standard(&mut self, message: &Message<'_>) {
        let (command, code) = (message.param(0).unwrap_or("*"), message.param(1).unwrap_or_default());
        let text = message.params().last().copied().unwrap_or_default().to_owned();
        let context = message.params().get(2..message.params().len().saturating_sub(1)).unwrap_or_default();
        let fail = message.command == "FAIL";
        match (command, fail) {
            ("REGISTER", true) if self.on_register_failure(code, &text) => return,
            ("CHATHISTORY", true) => {
                // Where the message is not kept, it is named behind the subcommand and the target; otherwise the server has
                // failed.
                let is_lost = code != "MESSAGE_ERROR" || context.len() > 2;
                return self.on_history_failure(if is_lost { code } else { "" }, &text);
            }
            ("CHATHISTORY", false) => return self.on_history_note(code, message),
            ("JOIN", true) if code == "CHANNEL_RENAMED" && self.on_renamed_meanwhile(context, &text) => {
                return;
            }
            ("JOIN", true) => {
                let name = context.iter().find_map(|one| self.room_of(one));
                return self.join_failed(name, code, &text);
            }
            ("PUBLISH", false) if !self.labels() => {
                let post = |say: &&super::queue::Say| say.state == State::Sent && say.kind == Kind::Post;
                let sent = self.queue.says().find(post).map(|say| say.id.clone());
                if let Some(id) = sent {
                    self.acknowledge(&id);
                }
            }
            ("*", true) if code == "ACCOUNT_REQUIRED" && !self.is_welcomed() => {
                return self.refuse_login(&text);
            }
            ("PRIVMSG" | "NOTICE" | "PUBLISH", true) if !self.labels() => {
                let target = context.iter().find_map(|one| self.place_of(one));
                let sent = self.queue.says().find(|say| {
                    say.state == State::Sent && target.as_ref().is_none_or(|target| say.to == *target)
                });
                if let Some(id) = sent.map(|say| say.id.clone()) {
                    return self.message_failed(&id, code, &text);
                }
            }
            _ => {}
        }
        let place =
            context.iter().find_map(|one| self.room_of(one)).filter(|name| self.rooms.contains_key(name));
        let place = place.map_or_else(|| self.asked.clone(), Place::Room);
        if fail {
            self.problem(&place, &text);
        } else if message.command == "WARN" {
            self.info(&place, &format!("Warning: {text}"));
        } else {
            self.info(&place, &text);
        }
    }

    fn join_failed(&mut self, name: Option<stentor_proto::channel::ChannelName>, code: &str, text: &str) {
        match code {
            "OUTCOME_UNKNOWN" => self.drop_connection("the server does not know whether a room was entered"),
            "TEMPORARILY_UNAVAILABLE" => self.not_entered_yet(name, text),
            _ => match name.or_else(|| self.joining.front().cloned()) {
                Some(name) => {
                    self.not_entered(&name, &format!("You cannot enter {name}: {}", lower_first(text)));
                }
                None => {
                    let place = self.asked.clone();
                    self.problem(&place, text);
                }
            },
        }
    }

    /// The server did not take a message, or does not know whether it did.
    pub(super) fn message_failed(&mut self, id: &str, code: &str, text: &str) {
        if code != "OUTCOME_UNKNOWN" {
            return self.refuse(id, text);
        }
        let Some(say) = self.queue.says_mut().find(|say| say.id == id) else { return };
        say.state = State::Unsure { over: false };
        let place = say.to.clone();
        self.catch_up(&place);
    }

    /// An answer with the label of a message that is on its way; whether it was used up.
    pub(super) fn on_labelled(&mut self, id: &str, message: &Message<'_>) -> bool {
        let text = message.params().last().copied().unwrap_or_default();
        let error = Numeric::parse(message.command).is_some_and(Numeric::is_error);
        match message.command {
            _ if error => self.refuse(id, text),
            "FAIL" => self.message_failed(id, message.param(1).unwrap_or_default(), text),
            "ACK" => self.acknowledge(id),
            _ => return false,
        }
        true
    }

    /// The room's place where one is in it, or where the user asked.
    fn place_of_room(&self, name: Option<&str>) -> Place {
        let name = name.and_then(|name| self.room_of(name)).filter(|name| self.rooms.contains_key(name));
        name.map_or_else(|| self.asked.clone(), Place::Room)
    }
}

fn is_join_refusal(numeric: Numeric) -> bool {
    matches!(
        numeric.code(),
        403 | 405 | 407 | 437 | 448 | 470 | 471 | 473..=477 | 479 | 480 | 489 | 519 | 520
    ) || is_passing(numeric.name().unwrap_or_default())
}

fn is_about_person(numeric: Numeric) -> bool {
    matches!(numeric.code(), 276 | 307 | 310 | 313 | 320 | 335 | 338 | 378 | 379 | 671)
}

/// Ends of lists, where the list speaks for itself.
fn is_end(numeric: Numeric) -> bool {
    matches!(numeric, Numeric::RPL_LISTSTART | Numeric::RPL_ENDOFINFO | Numeric::RPL_ENDOFLINKS)
}

/// The parameters without the user's own nick.
fn plain(message: &Message<'_>) -> String {
    message.params().get(1..).unwrap_or_default().join(" ")
}

/// A sentence in the middle of another.
fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next();
    let second = characters.clone().next();
    match first {
        Some(first) if second.is_none_or(|second| !second.is_uppercase()) => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

fn unix_time(seconds: &str) -> Option<String> {
    let time = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_texts_are_written_for_people() {
        assert_eq!(lower_first("Cannot join"), "cannot join");
        assert_eq!(lower_first("IRC is old"), "IRC is old");
        assert_eq!([5, 65, 7300, 90_000].map(duration), ["5 s", "1 min", "2 h 1 min", "1 d 1 h"]);
        assert_eq!(unix_time("0").as_deref(), Some("1970-01-01 00:00 UTC"));
    }
}
