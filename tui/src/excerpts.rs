//! What is taken from the screen as text.

use crate::action::Excerpt;
use crate::app::App;
use crate::screen::ListView;
use forkpoint_replay::{Side, printable};

impl App {
    /// The text of what is to leave, from a frame that was drawn. It contains no control character but line ends.
    pub(crate) fn excerpt(&self, excerpt: Excerpt, screen: &str) -> String {
        match excerpt {
            Excerpt::Screen => screen.to_string(),
            Excerpt::Events => {
                let lists = self.view().lists;
                let shown: Vec<(Side, ListView)> =
                    Side::BOTH.into_iter().zip(lists).filter_map(|(side, list)| Some((side, list?))).collect();
                shown.iter().map(|(side, list)| self.events_text(*side, list)).collect()
            }
        }
    }

    fn events_text(&self, side: Side, list: &ListView) -> String {
        let mut text = format!("{}\n", printable(&list.title));
        for (position, event) in list.rows.iter().filter_map(|row| row.event.as_ref()) {
            let value = event.value.as_ref().map_or(String::new(), |value| format!(" = {value}"));
            let name = event.variable.as_ref().map_or(String::new(), |name| format!("  {name}"));
            let place = event.place.map_or(String::new(), |place| {
                let function = self.outline.function_name(side, place.func);
                format!("  in {function} at {}", self.outline.own_offset(side, place.offset))
            });
            text.push_str(&printable(&format!("{:>10}  {}{value}{name}{place}", position.to_string(), event.text)));
            text.push('\n');
        }
        text
    }
}
