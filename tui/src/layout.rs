//! Where the panes are. Computed anew for every frame from the size of the terminal alone, and kept for the mouse.
//!
//! ```text
//!  80 columns                                120 columns and more
//! +--------------------------------------+  +--------------------------------------+
//! | title                                |  | title                                |
//! | timeline, if it is shown             |  | timeline, if it is shown             |
//! | list or source, if it is shown       |  | list or source, if it is shown       |
//! | events lhs       | events rhs        |  | events lhs       | events rhs        |
//! | memory lhs       | memory rhs        |  | memory lhs       | memory rhs        |
//! | wat, or native lhs | native rhs      |  | wat       | native lhs | native rhs  |
//! | status                               |  | status                               |
//! | keys                                 |  | keys                                 |
//! +--------------------------------------+  +--------------------------------------+
//! ```
//!
//! Two builds have two text formats, in place of the native code.

use crate::focus::{Focus, Pane};
use forkpoint_replay::Side;
use ratatui::layout::{Constraint, Layout, Position, Rect};

/// From this width on, text format and native code are side by side.
const WIDE: u16 = 120;

/// Below this height one pane has the screen to itself.
const LOW: u16 = 16;

/// Below this width two sides do not fit side by side.
const NARROW: u16 = 56;

/// Lines of the timeline with its title, at least and at most.
const TIMELINE: [u16; 2] = [6, 14];

/// What determines the layout besides the size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// Whether there are two sides.
    pub(crate) pair: bool,
    /// Whether each has a module of its own, so that there are two text formats.
    pub(crate) builds: bool,
    /// The focused pane.
    pub(crate) focus: Focus,
    /// Whether it fills the screen.
    pub(crate) zoom: bool,
    /// Which code is shown if there is room for one only: `Wat` or `Native`.
    pub(crate) code: Pane,
    /// Whether the timeline is shown.
    pub(crate) timeline: bool,
    /// Whether a list is shown.
    pub(crate) panel: bool,
    /// By how many lines panes are larger than usual.
    pub(crate) sizes: Sizes,
}

/// Lines that the user gave to panes, or took from them: the lists of events have the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) timeline: i16,
    pub(crate) panel: i16,
    pub(crate) memory: i16,
    pub(crate) code: i16,
}

impl Sizes {
    /// Makes a pane larger by so many lines; the lists of events by taking from memory.
    pub(crate) fn change(&mut self, pane: Pane, lines: i16) {
        let (size, lines) = match pane {
            Pane::Timeline => (&mut self.timeline, lines),
            Pane::Panel => (&mut self.panel, lines),
            Pane::Memory => (&mut self.memory, lines),
            Pane::Events => (&mut self.memory, -lines),
            Pane::Wat | Pane::Native => (&mut self.code, lines),
        };
        *size = size.saturating_add(lines).clamp(-MOST_LINES, MOST_LINES);
    }
}

/// Most lines that a pane can be larger or smaller than usual.
const MOST_LINES: i16 = 100;

/// Lines of a list with its title, at least and at most.
const PANEL: [u16; 2] = [5, 14];

/// A pane's lines with what the user changed, at least its title and at most `room`.
fn resized(lines: u16, change: i16, room: u16) -> u16 {
    lines.saturating_add_signed(change).clamp(room.min(2), room)
}

/// Every region of the screen; hidden ones are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    /// Files, engines, verdict.
    pub(crate) title: Rect,
    /// The whole run.
    pub(crate) timeline: Rect,
    /// A list of places, or source code.
    pub(crate) panel: Rect,
    /// Event lists by side.
    pub(crate) events: [Rect; 2],
    /// Memory by side.
    pub(crate) memory: [Rect; 2],
    /// Text format: one for both sides, or one for each of two builds.
    pub(crate) wat: [Rect; 2],
    /// Native code by side.
    pub(crate) native: [Rect; 2],
    /// Status, message or prompt.
    pub(crate) status: Rect,
    /// Keys.
    pub(crate) hints: Rect,
}

impl Areas {
    /// The layout of a screen.
    pub(crate) fn new(screen: Rect, wish: Wish) -> Areas {
        let [title, body, status, hints] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(1),
        ])
        .areas(screen);
        let mut areas = Areas { title, status, hints, ..Areas::default() };
        if wish.zoom || screen.height < LOW {
            match wish.focus.pane {
                Pane::Events => areas.events = sides(body, wish),
                Pane::Memory => areas.memory = sides(body, wish),
                Pane::Wat => areas.wat = wats(body, wish),
                Pane::Native => areas.native = sides(body, wish),
                Pane::Timeline => areas.timeline = body,
                Pane::Panel => areas.panel = body,
            }
            return areas;
        }
        let strip = |shown: bool, [least, most]: [u16; 2], change: i16| match shown {
            // Half of the screen stays for the rest.
            true => resized((body.height / 4).clamp(least, most), change, body.height / 3),
            false => 0,
        };
        let timeline = strip(wish.timeline, TIMELINE, wish.sizes.timeline);
        let panel = strip(wish.panel, PANEL, wish.sizes.panel);
        let [timeline, panel, body] =
            Layout::vertical([Constraint::Length(timeline), Constraint::Length(panel), Constraint::Fill(1)])
                .areas(body);
        areas.timeline = timeline;
        areas.panel = panel;
        // The lists of events keep two lines.
        let room = body.height.saturating_sub(2);
        let memory = resized(body.height / 7 * 2, wish.sizes.memory, room);
        let code = resized(body.height / 3, wish.sizes.code, room - memory);
        let [events, memory, code] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(memory), Constraint::Length(code)]).areas(body);
        areas.events = sides(events, wish);
        areas.memory = sides(memory, wish);
        if screen.width >= WIDE && !wish.builds {
            let shares =
                if wish.pair { [Constraint::Fill(1), Constraint::Fill(2)] } else { [Constraint::Fill(1); 2] };
            let [wat, native] = Layout::horizontal(shares).areas(code);
            areas.wat = wats(wat, wish);
            areas.native = sides(native, wish);
        } else if wish.code == Pane::Native {
            areas.native = sides(code, wish);
        } else {
            areas.wat = wats(code, wish);
        }
        areas
    }

    /// The region of a pane.
    pub(crate) fn of(&self, focus: Focus) -> Rect {
        let side = focus.side.index();
        match focus.pane {
            Pane::Events => self.events[side],
            Pane::Memory => self.memory[side],
            // One serves both sides, unless there are two.
            Pane::Wat if self.wat[side].is_empty() => self.wat[focus.side.other().index()],
            Pane::Wat => self.wat[side],
            Pane::Native => self.native[side],
            Pane::Timeline => self.timeline,
            Pane::Panel => self.panel,
        }
    }

    /// The pane at a column and row of the screen; text format and timeline keep the side of `focus`.
    pub(crate) fn pane_at(&self, column: u16, row: u16, focus: Focus) -> Option<Focus> {
        let at = Position { x: column, y: row };
        if self.timeline.contains(at) {
            return Some(Focus { pane: Pane::Timeline, side: focus.side });
        }
        if self.panel.contains(at) {
            return Some(Focus { pane: Pane::Panel, side: focus.side });
        }
        for side in Side::BOTH {
            if self.wat[side.index()].contains(at) {
                let both = self.wat.iter().all(|wat| !wat.is_empty());
                return Some(Focus { pane: Pane::Wat, side: if both { side } else { focus.side } });
            }
        }
        [Pane::Events, Pane::Memory, Pane::Native]
            .into_iter()
            .flat_map(|pane| Side::BOTH.map(|side| Focus { pane, side }))
            .find(|focus| self.of(*focus).contains(at))
    }
}

/// Left and right, or the one that fits.
fn sides(area: Rect, wish: Wish) -> [Rect; 2] {
    if wish.pair && area.width >= NARROW {
        return Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    }
    let mut sides = [Rect::default(); 2];
    sides[if wish.pair { wish.focus.side.index() } else { 0 }] = area;
    sides
}

/// The text formats: one, or one for each of two builds.
fn wats(area: Rect, wish: Wish) -> [Rect; 2] {
    if wish.builds { sides(area, wish) } else { [area, Rect::default()] }
}

/// The inside of a pane: without its title line, and without the column that separates panes.
pub(crate) fn inside(pane: Rect) -> Rect {
    Rect {
        y: pane.y.saturating_add(1),
        height: pane.height.saturating_sub(1),
        width: pane.width.saturating_sub(1),
        ..pane
    }
}
