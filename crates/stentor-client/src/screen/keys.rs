//! Which key does what.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Writes a character.
    Type(char),
    /// Changes the line that is being written, or moves in it.
    Edit(Edit),
    /// Sends the line, or says yes.
    Enter,
    /// The line before this one in the history; in a search, an older match.
    Older,
    /// The line after this one in the history; in a search, a newer match.
    Newer,
    /// Completes, or takes the next completion.
    Complete {
        /// The one before, instead.
        backwards: bool,
    },
    /// A page up, towards older lines.
    PageUp,
    /// A page down, towards newer lines.
    PageDown,
    /// To the first line that is kept.
    Top,
    /// To the newest line.
    Bottom,
    /// To the next place in the list.
    NextPlace,
    /// To the place before this one.
    PreviousPlace,
    /// To the place with this number, from 0.
    Place(usize),
    /// To the next place with a mention or anything unread.
    NextUnread,
    /// Looks for a text.
    Search,
    /// Shows the help, or hides it.
    Help,
    /// Takes the mouse, or gives it back to the terminal.
    Mouse,
    /// Draws all anew.
    Redraw,
    /// Stops, as a job of the shell.
    Suspend,
    /// Leaves what one is in, or the program.
    Interrupt,
    /// Deletes; on an empty line, leaves the program.
    DeleteOrQuit,
    /// Leaves what one is in.
    Cancel,
}

/// What is done to the line that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Backspace,
    Delete,
    CutWordLeft,
    CutPartLeft,
    CutWordRight,
    CutToStart,
    CutToEnd,
    Yank,
}

/// What a key asks for; none where it has no meaning.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    match key.code {
        // AltGr is told as both by some terminals, and writes characters.
        KeyCode::Char(character) if control && !alt => with_control(character.to_ascii_lowercase()),
        KeyCode::Char(character) if alt && !control => with_alt(character),
        KeyCode::Char(character) => Some(Action::Type(character)),
        KeyCode::F(1) => Some(Action::Help),
        KeyCode::F(2) => Some(Action::Mouse),
        other => special(other, control, alt),
    }
}

fn with_control(character: char) -> Option<Action> {
    Some(match character {
        'a' => Action::Edit(Edit::Home),
        'b' => Action::Edit(Edit::Left),
        'c' => Action::Interrupt,
        'd' => Action::DeleteOrQuit,
        'e' => Action::Edit(Edit::End),
        'f' | 'r' => Action::Search,
        'g' => Action::Cancel,
        'h' => Action::Edit(Edit::Backspace),
        'i' => Action::Complete { backwards: false },
        'j' | 'm' => Action::Enter,
        'k' => Action::Edit(Edit::CutToEnd),
        'l' => Action::Redraw,
        'n' => Action::NextPlace,
        'p' => Action::PreviousPlace,
        'u' => Action::Edit(Edit::CutToStart),
        'w' => Action::Edit(Edit::CutWordLeft),
        'y' => Action::Edit(Edit::Yank),
        'z' => Action::Suspend,
        _ => return None,
    })
}

fn with_alt(character: char) -> Option<Action> {
    Some(match character {
        'a' | 'A' => Action::NextUnread,
        'b' | 'B' => Action::Edit(Edit::WordLeft),
        'd' | 'D' => Action::Edit(Edit::CutWordRight),
        'f' | 'F' => Action::Edit(Edit::WordRight),
        '<' => Action::Top,
        '>' => Action::Bottom,
        '0' => Action::Place(9),
        '1'..='9' => Action::Place(usize::try_from(u32::from(character) - u32::from('1')).ok()?),
        _ => return None,
    })
}

fn special(code: KeyCode, control: bool, alt: bool) -> Option<Action> {
    Some(match code {
        KeyCode::Enter => Action::Enter,
        KeyCode::Tab => Action::Complete { backwards: false },
        KeyCode::BackTab => Action::Complete { backwards: true },
        KeyCode::Esc => Action::Cancel,
        KeyCode::Up => Action::Older,
        KeyCode::Down => Action::Newer,
        KeyCode::Left if alt => Action::PreviousPlace,
        KeyCode::Right if alt => Action::NextPlace,
        KeyCode::Left if control => Action::Edit(Edit::WordLeft),
        KeyCode::Right if control => Action::Edit(Edit::WordRight),
        KeyCode::Left => Action::Edit(Edit::Left),
        KeyCode::Right => Action::Edit(Edit::Right),
        KeyCode::Home if control || alt => Action::Top,
        KeyCode::End if control || alt => Action::Bottom,
        KeyCode::Home => Action::Edit(Edit::Home),
        KeyCode::End => Action::Edit(Edit::End),
        KeyCode::Backspace if control || alt => Action::Edit(Edit::CutPartLeft),
        KeyCode::Backspace => Action::Edit(Edit::Backspace),
        KeyCode::Delete if control || alt => Action::Edit(Edit::CutWordRight),
        KeyCode::Delete => Action::Edit(Edit::Delete),
        KeyCode::PageUp => Action::PageUp,
        KeyCode::PageDown => Action::PageDown,
        _ => return None,
    })
}

/// What the help tells about keys.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("Tab, Shift-Tab", "complete a command, nick or room"),
    ("Up, Down", "what you sent before"),
    ("PageUp, PageDown", "older and newer lines"),
    ("Alt-< Alt->", "first and newest line (also Ctrl-Home, Ctrl-End)"),
    ("Alt-1 … Alt-0", "go to that place in the list"),
    ("Alt-Left, Alt-Right", "go to the place before or after (also Ctrl-P, Ctrl-N)"),
    ("Alt-A", "go to the next place with something unread"),
    ("Ctrl-F", "search: Up older, Down newer, Enter stays, Esc goes back"),
    ("Ctrl-A, Ctrl-E", "start and end of the line"),
    ("Alt-B, Alt-F", "a word left or right (also Ctrl-Left, Ctrl-Right)"),
    ("Ctrl-W, Ctrl-U, Ctrl-K", "cut a word, to the start, to the end; Ctrl-Y pastes it"),
    ("F2", "mouse on or off: the wheel scrolls, a click goes to a place"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "stop, until the shell's `fg`"),
    ("Ctrl-C", "empty the line; on an empty one, quit"),
    ("Ctrl-D", "on an empty line, quit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let control = |key| press(KeyCode::Char(key), KeyModifiers::CONTROL);
        let alt = |key| press(KeyCode::Char(key), KeyModifiers::ALT);
        assert_eq!(control('w'), Some(Action::Edit(Edit::CutWordLeft)));
        assert_eq!(control('c'), Some(Action::Interrupt));
        assert_eq!(alt('1'), Some(Action::Place(0)));
        assert_eq!(alt('0'), Some(Action::Place(9)));
        assert_eq!(alt('a'), Some(Action::NextUnread));
        assert_eq!(press(KeyCode::Left, KeyModifiers::ALT), Some(Action::PreviousPlace));
        assert_eq!(press(KeyCode::Left, KeyModifiers::CONTROL), Some(Action::Edit(Edit::WordLeft)));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Action::Complete { backwards: true }));
        assert_eq!(
            press(KeyCode::Char('@'), KeyModifiers::CONTROL | KeyModifiers::ALT),
            Some(Action::Type('@')),
            "AltGr writes"
        );
        assert_eq!(press(KeyCode::F(7), KeyModifiers::NONE), None);
    }
}
