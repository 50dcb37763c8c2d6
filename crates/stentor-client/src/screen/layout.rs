//! Which part of the terminal shows what.

use ratatui::layout::Rect;

/// Where things are drawn. Where there is no room for something, it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) topic: Option<Rect>,
    /// The places; its last column is a line.
    pub(super) list: Option<Rect>,
    pub(super) text: Rect,
    /// Who is in the room; its first column is a line.
    pub(super) members: Option<Rect>,
    pub(super) status: Rect,
    pub(super) input: Rect,
}

impl Areas {
    /// None where the terminal is too small for anything of use.
    pub(super) fn of(all: Rect, in_room: bool) -> Option<Self> {
        if all.width < MIN_WIDTH || all.height < MIN_HEIGHT {
            return None;
        }
        let row = |y: u16| Rect { x: all.x, y, width: all.width, height: 1 };
        let topic = (all.height >= TOPIC_FROM).then(|| row(all.y));
        let top = all.y + u16::from(topic.is_some());
        let bottom = all.y + all.height - 2;
        let column = |x: u16, width: u16| Rect { x, y: top, width, height: bottom - top };
        let list_width = if all.width >= LIST_FROM { LIST_WIDTH } else { 0 };
        let members_width = if in_room && all.width >= MEMBERS_FROM { MEMBERS_WIDTH } else { 0 };
        Some(Self {
            topic,
            list: (list_width > 0).then(|| column(all.x, list_width)),
            text: column(all.x + list_width, all.width - list_width - members_width),
            members: (members_width > 0).then(|| column(all.x + all.width - members_width, members_width)),
            status: row(bottom),
            input: row(bottom + 1),
        })
    }
}

/// The smallest terminal that shows a conversation, in columns.
pub(super) const MIN_WIDTH: u16 = 20;
/// The smallest terminal that shows a conversation, in rows.
pub(super) const MIN_HEIGHT: u16 = 4;
const TOPIC_FROM: u16 = 7;
const LIST_FROM: u16 = 64;
const LIST_WIDTH: u16 = 18;
const MEMBERS_FROM: u16 = 96;
const MEMBERS_WIDTH: u16 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_where_they_are_too_wide_and_all_is_covered() {
        for (width, list, members) in [(120, true, true), (80, true, false), (40, false, false)] {
            let areas = Areas::of(Rect::new(0, 0, width, 24), true).expect("it is large enough");
            assert_eq!((areas.list.is_some(), areas.members.is_some()), (list, members), "{width}");
            let columns = [areas.list, Some(areas.text), areas.members];
            assert_eq!(columns.into_iter().flatten().map(|area| area.width).sum::<u16>(), width);
            assert_eq!(areas.text.height, 21);
        }
        let wide = Areas::of(Rect::new(0, 0, 120, 24), false).expect("it is large enough");
        assert!(wide.members.is_none());
    }

    #[test]
    fn no_size_makes_it_fail_or_leave_the_terminal() {
        for width in 0..130 {
            for height in 0..30 {
                let all = Rect::new(0, 0, width, height);
                let Some(areas) = Areas::of(all, true) else {
                    assert!(width < MIN_WIDTH || height < MIN_HEIGHT);
                    continue;
                };
                let parts = [areas.topic, areas.list, areas.members];
                for area in parts.into_iter().flatten().chain([areas.text, areas.status, areas.input]) {
                    assert_eq!(all.intersection(area), area, "{width}x{height}");
                    assert!(area.width > 0 && area.height > 0);
                }
            }
        }
    }
}
