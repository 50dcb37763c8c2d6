//! A room gets another name: all that is known of it goes on under that.

use stentor_proto::channel::ChannelName;
use stentor_proto::message::Message;

use super::said::{LONGEST_NAME, nick_of};
use super::{Engine, Output};
use crate::event::{Place, What};

impl Engine {
    /// RENAME, by `draft/channel-rename`.
    pub(super) fn on_rename(&mut self, message: &Message<'_>) {
        let (Some(old), Some(new)) = (name_of(message.param(0)), name_of(message.param(1))) else { return };
        let Some(before) = self.move_room(&old, &new) else { return };
        let by = nick_of(message.source.unwrap_or_default()).to_owned();
        let reason = message.param(2).unwrap_or_default().to_owned();
        self.happened(message, Place::Room(new), What::Moved { by, from: before.to_string(), reason });
    }

    /// The answer to a JOIN that the room was renamed while the user was not there: follows it. False where the answer does
    /// not say to where.
    pub(super) fn on_renamed_meanwhile(&mut self, names: &[&str], text: &str) -> bool {
        let [old, new] = names else { return false };
        let (Some(old), Some(new)) = (name_of(Some(old)), name_of(Some(new))) else { return false };
        // Who has the other room, too, is led nowhere.
        if self.rooms.contains_key(&new) || self.move_room(&old, &new).is_none() {
            return false;
        }
        self.joining.retain(|name| *name != new);
        if let Some(room) = self.rooms.get_mut(&new) {
            room.joining = false;
        }
        self.info(&Place::Room(new.clone()), &format!("{old} is called {new} now: {text}"));
        self.send_join(&new);
        true
    }

    /// Returns the name as it was written before; nothing where the user knows no such room.
    fn move_room(&mut self, old: &ChannelName, new: &ChannelName) -> Option<ChannelName> {
        let mut room = self.rooms.remove(old)?;
        let before = std::mem::replace(&mut room.view.name, new.clone());
        self.rooms.insert(new.clone(), room);
        let move_name = |name: &mut ChannelName| {
            if name == old {
                name.clone_from(new);
            }
        };
        let (from, to) = (Place::Room(old.clone()), Place::Room(new.clone()));
        let move_place = |place: &mut Place| {
            if *place == from {
                place.clone_from(&to);
            }
        };
        self.joining.iter_mut().chain(&mut self.topic_asked).for_each(move_name);
        [&mut self.current, &mut self.asked].into_iter().chain(&mut self.recent).for_each(move_place);
        if let Some(mut thread) = self.threads.remove(&from) {
            thread.events_mut().for_each(|event| move_place(&mut event.place));
            self.threads.insert(to.clone(), thread);
        }
        self.queue.move_places(move_place, move_name);
        self.history.move_places(move_place);
        if self.names_asked.remove(old) {
            self.names_asked.insert(new.clone());
        }
        self.outputs.push_back(Output::Moved { from, to });
        Some(before)
    }
}

fn name_of(param: Option<&str>) -> Option<ChannelName> {
    ChannelName::parse(param?, LONGEST_NAME).ok()
}
