//! All places, in the order of their list, and which one is looked at.

use jiff::Timestamp;

use super::buffer::{Buffer, News};
use crate::event::{Event, Place};

/// The places. There is always one: the server.
#[derive(Debug)]
pub(super) struct Places {
    /// The server, then rooms, then persons, each in the order in which they were opened.
    list: Vec<Buffer>,
    current: usize,
    /// Whether the terminal says that it has the keyboard; it does until it says otherwise.
    focused: bool,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { list: vec![Buffer::new(Place::Server)], current: 0, focused: true }
    }

    pub(super) fn current(&self) -> &Buffer {
        self.list.get(self.current).expect("there is always a current place")
    }

    pub(super) fn current_mut(&mut self) -> &mut Buffer {
        self.list.get_mut(self.current).expect("there is always a current place")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Buffer> {
        self.list.iter()
    }

    pub(super) fn position(&self) -> usize {
        self.current
    }

    /// The place with this number in the list, counted from 0.
    pub(super) fn nth(&self, number: usize) -> Option<&Place> {
        self.list.get(number).map(|buffer| &buffer.place)
    }

    /// The next place in the list, or the one before; after the last comes the first.
    pub(super) fn neighbour(&self, backwards: bool) -> &Place {
        let count = self.list.len();
        let next = (self.current + if backwards { count - 1 } else { 1 }) % count;
        &self.list.get(next).expect("it is below the count").place
    }

    /// The next place with a mention; without one, the next with anything unread.
    pub(super) fn next_unread(&self) -> Option<&Place> {
        let count = self.list.len();
        let after = || (1..count).filter_map(|step| self.list.get((self.current + step) % count));
        after()
            .find(|buffer| buffer.mentions > 0)
            .or_else(|| after().find(|buffer| buffer.unread > 0))
            .map(|buffer| &buffer.place)
    }

    /// Shows a line at its place.
    pub(super) fn append(&mut self, event: Event, now: Timestamp) -> News {
        let index = self.open(&event.place);
        let seen = index == self.current && self.focused;
        self.buffer(index).append(event, now, seen)
    }

    /// Puts older lines before all of a place.
    pub(super) fn prepend(&mut self, place: &Place, events: Vec<Event>, beginning: bool, now: Timestamp) {
        let index = self.open(place);
        self.buffer(index).prepend(events, beginning, now);
    }

    /// Makes a place the current one.
    pub(super) fn look_at(&mut self, place: &Place) {
        let index = self.open(place);
        if index != self.current {
            self.current_mut().look_away();
            self.current = index;
        }
        if self.focused {
            self.current_mut().look();
        }
    }

    /// The terminal got or lost the keyboard.
    pub(super) fn focus(&mut self, focused: bool) {
        if focused {
            self.current_mut().look();
        } else if self.focused {
            self.current_mut().look_away();
        }
        self.focused = focused;
    }

    /// Gives a place another name; one that has this name already goes.
    pub(super) fn rename(&mut self, from: &Place, to: &Place) {
        if from != to {
            self.close(to);
        }
        if let Some(index) = self.find(from) {
            self.buffer(index).place.clone_from(to);
        }
    }

    /// Removes a place. The server stays.
    pub(super) fn close(&mut self, place: &Place) {
        let Some(index) = self.find(place).filter(|index| *index > 0) else { return };
        self.list.remove(index);
        if self.current >= index {
            self.current -= 1;
            if self.focused {
                self.current_mut().look();
            }
        }
    }

    /// Where a place is in the list; it is put there where it is not yet.
    fn open(&mut self, place: &Place) -> usize {
        if let Some(index) = self.find(place) {
            return index;
        }
        self.make_room();
        let index = match place {
            Place::Server | Place::Person(_) => self.list.len(),
            Place::Room(_) => self.list.iter().take_while(|buffer| !is_person(&buffer.place)).count(),
        };
        self.list.insert(index, Buffer::new(place.clone()));
        if index <= self.current {
            self.current += 1;
        }
        index
    }

    /// Strangers must not fill the list: past [`MAX_PLACES`], the first person with nothing unread is dropped, or the
    /// first person at all.
    fn make_room(&mut self) {
        if self.list.len() < MAX_PLACES {
            return;
        }
        let droppable =
            |(index, buffer): &(usize, &Buffer)| *index != self.current && is_person(&buffer.place);
        let mut persons = self.list.iter().enumerate().filter(droppable);
        let first = persons.next();
        let read = first.into_iter().chain(persons).find(|(_, buffer)| buffer.unread == 0);
        if let Some((index, _)) = read.or(first) {
            self.list.remove(index);
            if index < self.current {
                self.current -= 1;
            }
        }
    }

    fn find(&self, place: &Place) -> Option<usize> {
        self.list.iter().position(|buffer| buffer.place == *place)
    }

    fn buffer(&mut self, index: usize) -> &mut Buffer {
        self.list.get_mut(index).expect("it was just found")
    }
}

fn is_person(place: &Place) -> bool {
    matches!(place, Place::Person(_))
}

/// How many places the list may have before conversations with persons are dropped from it.
pub(super) const MAX_PLACES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::buffer::tests::{person, room, said, time};

    fn names(places: &Places) -> Vec<String> {
        places.iter().map(|buffer| buffer.place.to_string()).collect()
    }

    fn filled() -> Places {
        let mut places = Places::new();
        for place in [person("bob"), room("#a"), room("#b"), person("carl")] {
            places.look_at(&place);
        }
        places
    }

    #[test]
    fn rooms_come_before_persons_and_the_current_place_stays_current() {
        let mut places = filled();
        assert_eq!(names(&places), ["server", "#a", "#b", "bob", "carl"]);
        assert_eq!(places.current().place, person("carl"));
        places.append(said(&room("#c"), "x", "hi"), time(0));
        assert_eq!(names(&places), ["server", "#a", "#b", "#c", "bob", "carl"]);
        assert_eq!(places.current().place, person("carl"));
        assert_eq!(places.neighbour(false), &Place::Server);
        assert_eq!(places.neighbour(true), &person("bob"));
        assert_eq!(places.nth(1), Some(&room("#a")));
    }

    #[test]
    fn a_mention_is_visited_before_other_unread_lines() {
        let mut places = filled();
        assert_eq!(places.next_unread(), None);
        places.append(said(&room("#a"), "x", "hi"), time(0));
        places.append(said(&room("#b"), "x", "alice: hi"), time(0));
        assert_eq!(places.next_unread(), Some(&room("#b")));
        places.look_at(&room("#b"));
        assert_eq!(places.next_unread(), Some(&room("#a")));
        places.look_at(&room("#a"));
        assert_eq!(places.next_unread(), None);
    }

    #[test]
    fn closing_goes_to_a_neighbour_and_never_closes_the_server() {
        let mut places = filled();
        places.close(&person("carl"));
        assert_eq!(places.current().place, person("bob"));
        places.close(&room("#a"));
        assert_eq!(places.current().place, person("bob"));
        for place in [person("bob"), room("#b"), Place::Server, Place::Server] {
            places.close(&place);
        }
        assert_eq!((names(&places), &places.current().place), (vec!["server".to_owned()], &Place::Server));
    }

    #[test]
    fn lines_that_come_while_the_terminal_is_not_looked_at_are_unread() {
        let mut places = filled();
        places.focus(false);
        places.append(said(&person("carl"), "carl", "hi"), time(0));
        assert_eq!((places.current().mentions, places.current().marker), (1, Some(0)));
        places.focus(true);
        assert_eq!((places.current().mentions, places.current().marker), (0, Some(0)));
    }

    #[test]
    fn strangers_cannot_fill_the_list() {
        let mut places = Places::new();
        places.look_at(&room("#a"));
        for number in 0..MAX_PLACES * 2 {
            let stranger = person(&format!("x{number}"));
            places.append(said(&stranger, "x", "hi"), time(0));
        }
        assert_eq!(places.iter().count(), MAX_PLACES);
        assert_eq!(places.current().place, room("#a"));
    }
}
