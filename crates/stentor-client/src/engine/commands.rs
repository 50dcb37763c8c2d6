//! What the user types.

use stentor_proto::channel::ChannelName;
use stentor_proto::line::Line;

use super::Engine;
use super::queue::Item;
use super::said::LONGEST_NAME;
use super::unconfirmed::Asked;
use crate::event::{Kind, Place};
use crate::slash::{self, Command, Typed, Verb};

impl Engine {
    pub(super) fn typed(&mut self, line: &str) {
        match Typed::parse(line) {
            Typed::Text(text) => self.say_here(Kind::Message, text),
            Typed::Command(command, rest) => {
                self.asked = self.current.clone();
                self.typed = Asked::new(&self.current, line);
                if matches!(command.verb, Verb::Away | Verb::Back) {
                    // After a reconnect one is away as one wanted to be.
                    self.typed.text = None;
                }
                self.run(command, rest);
            }
            Typed::Unknown(name) => {
                let near: Vec<String> = slash::near(name).iter().map(|name| format!("/{name}")).collect();
                let hint = if near.is_empty() {
                    format!(
                        "Type /help for the list; /quote {} … sends a command to the server",
                        name.to_uppercase()
                    )
                } else {
                    format!("Did you mean {}?", near.join(" or "))
                };
                self.problem_here(&format!("There is no command /{name}. {hint}"));
            }
        }
    }

    /// Says something in the current place.
    pub(super) fn say_here(&mut self, kind: Kind, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if self.current == Place::Server {
            return self.problem_here(
                "You are in no room. Type /join ROOM to enter one, or /msg NICK TEXT to write to a person",
            );
        }
        self.say(self.current.clone(), kind, text);
    }

    fn run(&mut self, command: &Command, rest: &str) {
        let (first, after) = word(rest);
        match command.verb {
            Verb::Join => self.join(command, first, after),
            Verb::Leave => self.leave(first, rest),
            Verb::Rooms => self.ask_server(Line::new("LIST"), &[first]),
            Verb::Names => self.names(first),
            Verb::Msg => self.msg(command, first, after, Kind::Message),
            Verb::Notice => self.msg(command, first, after, Kind::Notice),
            Verb::Me if rest.is_empty() => self.usage(command),
            Verb::Me => self.say_here(Kind::Action, rest),
            Verb::Topic => self.topic(rest),
            Verb::Subscribe | Verb::Unsubscribe if first.is_empty() => self.usage(command),
            Verb::Subscribe => self.ask_server(Line::new("SUBSCRIBE"), &[first, word(after).0]),
            Verb::Unsubscribe => self.ask_server(Line::new("UNSUBSCRIBE"), &[first]),
            Verb::Subscriptions => self.command(Line::new("SUBSCRIPTIONS")),
            Verb::Subscribers => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                self.ask_server(Line::new("SUBSCRIBERS"), &words);
            }
            Verb::Publish if rest.is_empty() => self.usage(command),
            Verb::Publish => match self.place_of(&self.me) {
                Some(to) => self.say(to, Kind::Post, rest),
                None => self.problem_here("Your name is none that others can follow"),
            },
            Verb::Away if !rest.is_empty() => {
                self.away_wanted = Some(rest.to_owned());
                self.command(Line::new("AWAY").trailing(rest));
            }
            Verb::Away | Verb::Back => {
                self.away_wanted = None;
                self.command(Line::new("AWAY"));
            }
            Verb::Who => self.who(first),
            Verb::Whois if first.is_empty() => self.usage(command),
            // The second time asks the person's own server, which knows the idle time.
            Verb::Whois => self.ask_server(Line::new("WHOIS"), &[first, first]),
            Verb::Invite => self.invite(command, first, after),
            Verb::Kick => self.kick(command, first, after),
            Verb::Ban => self.ban(first),
            Verb::Unban if first.is_empty() => self.usage(command),
            Verb::Unban => self.mode_here("-b", &mask(first)),
            Verb::Mode => self.mode(rest),
            Verb::Nick if first.is_empty() => self.usage(command),
            Verb::Nick => self.ask_server(Line::new("NICK"), &[first]),
            Verb::History => self.older(command, first),
            Verb::Register => self.register(command, rest),
            Verb::Passwd => self.info_here(
                "A password is changed where the server runs, by its operator: stentor account passwd NAME. \
                 It cannot be changed over this connection",
            ),
            Verb::Quote => self.quote(command, rest),
            Verb::Help => self.help(first),
            Verb::Quit => self.quit(rest),
        }
    }

    fn join(&mut self, command: &Command, names: &str, key: &str) {
        if names.is_empty() {
            return self.usage(command);
        }
        let (key, _) = word(key);
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let name = match self.room_name(name) {
                Ok(name) => name,
                Err(text) => return self.problem_here(&text),
            };
            if !self.want_room(&name, Some(key).filter(|key| !key.is_empty())) {
                return self.problem_here("You are in as many rooms as this client can hold");
            }
            let place = self.rooms.get(&name).map(|room| Place::Room(room.view.name.clone()));
            self.look(place.unwrap_or(Place::Server));
            self.enqueue(Item::Join(name));
        }
    }

    /// `lobby` means `#lobby`.
    fn room_name(&self, name: &str) -> Result<ChannelName, String> {
        let full = if name.starts_with('#') { name.to_owned() } else { format!("#{name}") };
        ChannelName::parse(&full, LONGEST_NAME).map_err(|error| format!("{full} is no room's name: {error}"))
    }

    fn leave(&mut self, first: &str, rest: &str) {
        // `lobby` alone means `#lobby`, where one is in that room; otherwise it begins a reason.
        let short = self.place_of(&format!("#{first}"));
        let short = short.filter(|place| matches!(place, Place::Room(name) if self.rooms.contains_key(name)));
        let named = first.starts_with('#') || short.is_some();
        let place = match short {
            Some(place) => Some(place),
            None if named => self.place_of(first),
            None => Some(self.current.clone()),
        };
        let reason = if named { word(rest).1 } else { rest };
        match place {
            Some(Place::Room(name)) if self.rooms.contains_key(&name) => {
                let Some(room) = self.rooms.get(&name) else { return };
                if !room.wanted && !room.view.joined {
                    return self.close(&Place::Room(name));
                }
                let line = Line::new("PART").param(&room.view.name);
                let place = Place::Room(room.view.name.clone());
                let line = if reason.is_empty() { line } else { line.trailing(reason) };
                // Until this is sent, the room is one to be in: what was said before still goes there.
                if !self.enqueue(Item::Leave(name.clone(), line.build(), self.typed.clone())) {
                    return;
                }
                if let Some(room) = self.rooms.get_mut(&name) {
                    room.leaving = true;
                }
                self.recent.retain(|other| *other != place);
                if self.current == place {
                    let next = self.recent.last().cloned().unwrap_or(Place::Server);
                    self.look(next);
                }
            }
            Some(Place::Person(nick)) => self.close(&Place::Person(nick)),
            Some(Place::Room(name)) => self.problem_here(&format!("You are not in {name}")),
            _ => self.problem_here("You are in no room"),
        }
    }

    fn names(&mut self, first: &str) {
        let Some(name) = self.room_meant(first) else { return };
        self.names_asked.insert(name.clone());
        self.command(Line::new("NAMES").param(&name));
    }

    /// The room that a word names, or else the current one; a problem is told.
    fn room_meant(&mut self, named: &str) -> Option<ChannelName> {
        if !named.is_empty() {
            return match self.room_name(named) {
                Ok(name) => Some(name),
                Err(text) => {
                    self.problem_here(&text);
                    None
                }
            };
        }
        match &self.current {
            Place::Room(name) => Some(name.clone()),
            _ => {
                self.problem_here("You are in no room. Type /join ROOM to enter one");
                None
            }
        }
    }

    fn msg(&mut self, command: &Command, target: &str, text: &str, kind: Kind) {
        let Some(place) =
            Some(target).filter(|target| !target.is_empty()).and_then(|name| self.place_of(name))
        else {
            if target.is_empty() {
                return self.usage(command);
            }
            return self.problem_here(&format!("{target} is no name that a person can have"));
        };
        match (text.is_empty(), kind) {
            (true, Kind::Message) => self.look(place),
            (true, _) => self.usage(command),
            (false, _) => self.say(place, kind, text),
        }
    }

    fn topic(&mut self, rest: &str) {
        let (first, after) = word(rest);
        let named = first.starts_with('#');
        let Some(name) = self.room_meant(if named { first } else { "" }) else { return };
        let text = if named { after } else { rest };
        let line = Line::new("TOPIC").param(&name);
        if text.is_empty() {
            self.topic_asked = Some(name);
            return self.command(line);
        }
        self.command(line.trailing(text));
    }

    fn who(&mut self, first: &str) {
        let current = self.current.target().unwrap_or("*").to_owned();
        let mask = if first.is_empty() { &*current } else { first };
        self.ask_server(Line::new("WHO"), &[mask]);
    }

    fn invite(&mut self, command: &Command, nick: &str, room: &str) {
        if nick.is_empty() {
            return self.usage(command);
        }
        if let Some(name) = self.room_meant(word(room).0) {
            self.command(Line::new("INVITE").param(nick).param(&name));
        }
    }

    fn kick(&mut self, command: &Command, nick: &str, reason: &str) {
        if nick.is_empty() {
            return self.usage(command);
        }
        if let Some(name) = self.room_meant("") {
            let line = Line::new("KICK").param(&name).param(nick);
            self.command(if reason.is_empty() { line } else { line.trailing(reason) });
        }
    }

    fn ban(&mut self, first: &str) {
        let mask = if first.is_empty() { String::new() } else { mask(first) };
        self.mode_here("+b", &mask);
    }

    fn mode_here(&mut self, change: &str, argument: &str) {
        if let Some(name) = self.room_meant("") {
            self.ask_server(Line::new("MODE").param(&name).param(change), &[argument]);
        }
    }

    fn mode(&mut self, rest: &str) {
        let (first, _) = word(rest);
        let change = first.starts_with(['+', '-']);
        let mut line = Line::new("MODE");
        if change || first.is_empty() {
            let Some(name) = self.room_meant("") else { return };
            line = line.param(&name);
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        self.ask_server(line, &words);
    }

    fn older(&mut self, command: &Command, first: &str) {
        let count = match first {
            "" => None,
            _ => match first.parse::<usize>() {
                Ok(count) if count > 0 => Some(count),
                _ => return self.usage(command),
            },
        };
        if self.current == Place::Server {
            return self.problem_here("There is no history here. Go to a room or a person first");
        }
        if self.is_settled() && !self.has_history() && !self.awaits_capabilities() {
            return self.problem_here("This server keeps no history");
        }
        self.enqueue(Item::Older(self.current.clone(), count));
    }

    fn register(&mut self, command: &Command, password: &str) {
        if password.is_empty() {
            return self.usage(command);
        }
        self.command(Line::new("REGISTER").param("*").param("*").trailing(password));
    }

    fn quote(&mut self, command: &Command, rest: &str) {
        if rest.is_empty() {
            return self.usage(command);
        }
        let line: String =
            rest.chars().filter(|character| !matches!(character, '\r' | '\n' | '\0')).collect();
        self.enqueue(Item::Line(line, self.typed.clone()));
    }

    fn help(&mut self, name: &str) {
        if name.is_empty() {
            for command in slash::COMMANDS {
                self.info_here(&format!("{}  {}", shape(command), command.help));
            }
            return self.info_here("Anything else is said in the current place. //text says /text");
        }
        match slash::find(name.trim_start_matches('/')) {
            Some(command) => {
                self.info_here(&format!("{}  {}", shape(command), command.help));
                if !command.aliases.is_empty() {
                    let aliases: Vec<String> =
                        command.aliases.iter().map(|name| format!("/{name}")).collect();
                    self.info_here(&format!("Also: {}", aliases.join(" ")));
                }
            }
            None => self.problem_here(&format!("There is no command /{name}. Type /help for the list")),
        }
    }

    fn quit(&mut self, reason: &str) {
        let waiting = self.queue.items.len();
        if self.quitting.is_some() {
            return self.finish(self.end_now());
        }
        self.quitting = Some(reason.to_owned());
        self.quit_by = self.now.map(|now| now + PATIENCE);
        if waiting > 0 {
            self.info_here("Waiting until all that you said has arrived. /quit again leaves at once");
        }
    }

    fn usage(&mut self, command: &Command) {
        self.problem_here(&format!("Type {}", shape(command)));
    }

    /// Adds words to a line, as far as there are any.
    fn ask_server(&mut self, line: Line, words: &[&str]) {
        let words = words.iter().filter(|word| !word.is_empty());
        self.command(words.fold(line, |line, word| line.param(word)));
    }

    pub(super) fn problem_here(&mut self, text: &str) {
        let place = self.current.clone();
        self.problem(&place, text);
    }

    fn info_here(&mut self, text: &str) {
        let place = self.current.clone();
        self.info(&place, text);
    }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim()))
}

/// A nick as a mask.
fn mask(text: &str) -> String {
    if text.contains(['!', '@', '*', '?']) { text.to_owned() } else { format!("{text}!*@*") }
}

fn shape(command: &Command) -> String {
    format!("/{} {}", command.name, command.usage).trim_end().to_owned()
}

/// How long a quit waits for what was said to arrive.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
