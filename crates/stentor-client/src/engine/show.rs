//! What is shown: at once, or behind what was missed in its place.

use std::collections::BTreeSet;

use super::queue::State;
use super::thread::{Kept, MOST_HELD, Thread};
use super::{Engine, Output};
use crate::event::{Event, Place, What};

impl Engine {
    /// Shows something behind all else in its place, or keeps it until what was missed there has been fetched.
    pub(super) fn show(&mut self, event: Event) {
        if matches!(event.what, What::Info(_) | What::Problem(_)) && event.id.is_none() {
            return self.outputs.push_back(Output::Show(event));
        }
        let fetching = self.is_catching_up(&event.place);
        let Some(thread) = self.thread_for(&event.place) else {
            return self.outputs.push_back(Output::Show(event));
        };
        if fetching {
            thread.held.get_or_insert_default();
        }
        if let Some(event) = thread.hold(event) {
            self.show_now(event);
        }
    }

    /// Shows an own message that has arrived, once: behind what was missed in its place, if that is being fetched. A post is
    /// in no history there, and does not wait.
    pub(super) fn show_own(&mut self, event: Event, id: &str) {
        if self.queue.was_shown(id) {
            return;
        }
        let waits = self.is_catching_up(&event.place) && !event.is_post();
        if waits
            && let Some(thread) = self.thread_for(&event.place)
            && thread.held.as_ref().is_none_or(|held| held.events.len() < MOST_HELD)
        {
            let held = thread.held.get_or_insert_default();
            return held.events.push_back(Kept { event, ours: Some(id.to_owned()) });
        }
        self.queue.note_shown(id);
        self.show_now(event);
    }

    /// Shows something that was held back.
    pub(super) fn show_kept(&mut self, kept: Kept) {
        let Kept { event, ours } = kept;
        if ours.is_none_or(|id| self.queue.note_shown(&id)) {
            self.show_now(event);
        }
    }

    /// Shows something, if it was not shown before.
    pub(super) fn show_now(&mut self, event: Event) {
        if self.thread_for(&event.place).is_none_or(|thread| thread.admit(&event)) {
            self.outputs.push_back(Output::Show(event));
        }
    }

    /// What was shown in a place; nothing where that is not remembered.
    fn thread_for(&mut self, place: &Place) -> Option<&mut Thread> {
        let known = self.threads.contains_key(place) || self.threads.len() < MOST_PLACES;
        (place.target().is_some() && known).then(|| self.threads.entry(place.clone()).or_default())
    }

    pub(super) fn info(&mut self, place: &Place, text: &str) {
        self.show(Event::now(place.clone(), What::Info(text.to_owned())));
    }

    pub(super) fn problem(&mut self, place: &Place, text: &str) {
        self.show(Event::now(place.clone(), What::Problem(text.to_owned())));
    }

    /// What was missed in a place cannot be fetched: shows what is held back there, and that something is missing.
    pub(super) fn let_out(&mut self, place: &Place) {
        self.gap_while_held(place);
        let held = self.threads.get_mut(place).and_then(|thread| thread.held.take());
        for kept in held.into_iter().flat_map(|held| held.events) {
            self.show_kept(kept);
        }
        self.note_caught_up();
        let lost = self.queue.take_all(|say| say.to == *place && matches!(say.state, State::Unsure { .. }));
        self.give_up(lost);
    }

    /// Does so in rooms that are not entered again.
    pub(super) fn let_out_rooms(&mut self) {
        let held = self.threads.iter().filter(|(_, thread)| thread.held.is_some()).map(|(place, _)| place);
        let unsure = self.queue.says().filter(|say| matches!(say.state, State::Unsure { .. }));
        let given_up: BTreeSet<Place> = held
            .chain(unsure.map(|say| &say.to))
            .filter(|place| match place {
                Place::Room(name) => self.rooms.get(name).is_none_or(|room| !room.wanted),
                Place::Person(_) | Place::Server => false,
            })
            .cloned()
            .collect();
        for place in given_up {
            self.let_out(&place);
        }
    }
}

/// In how many places it is known what was shown there.
const MOST_PLACES: usize = 2000;
