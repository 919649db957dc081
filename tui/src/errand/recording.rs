//! Errands for what the traces leave out: the recordings run again.

use super::{Aim, Ending, Errand, of_side};
use crate::headway::Headway;
use crate::more_events::{NO_RERUNS, NewOutline};
use crate::traces::{Direction, Outline, Query, Traces};
use forkpoint_replay::{ReplayError, Side};
use forkpoint_traces::{Position, TraceError};

impl Errand {
    pub(super) fn announce_recording(
        &self,
        outline: &dyn Outline,
        headway: &Headway,
        side: Side,
        position: Position,
    ) {
        let what = format!("events around {position}{}, by running it again", of_side(outline, side));
        headway.begin(what, Position(outline.info(side).events), true);
    }

    /// Has the recordings run again for the events around a position, the side with the focus first.
    pub(super) fn record(
        &self,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        position: Position,
        headway: &Headway,
    ) -> Ending {
        let Some(service) = &self.source else { return Ending::Unknown(NO_RERUNS.to_string()) };
        let beside = outline.beside(self.side, position).filter(|_| outline.is_pair());
        let sides = [(self.side, Some(position)), (self.side.other(), beside)];
        let mut recorded = None;
        for (side, position) in sides.into_iter().filter_map(|(side, position)| Some((side, position?))) {
            self.announce_recording(outline, headway, side, position);
            match traces.record(side, position, &*service.0, &|reached| headway.at(reached)) {
                Ok(Some(outline)) => recorded = Some(outline),
                Ok(None) => return Ending::Stopped,
                Err(why) if outline.is_pair() => return Ending::Unknown(format!("{}: {why}", side.word())),
                Err(why) => return Ending::Unknown(why),
            }
        }
        recorded.map_or(Ending::Nothing, |outline| Ending::Recorded(NewOutline(outline), position))
    }

    /// Has the recording run again for the last writer, if a search for it came to events that the trace leaves out, and then for the
    /// events around that.
    pub(super) fn writer_left_out(
        &self,
        error: &ReplayError,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        headway: &Headway,
    ) -> Option<Ending> {
        let ReplayError::Trace(TraceError::LeftOut { .. }) = error else { return None };
        let service = self.source.as_ref()?;
        let address = match &self.aim {
            Aim::Writer(Direction::Backward) => self.address,
            Aim::Search(Query::Address(address), Direction::Backward) => *address,
            _ => return None,
        };
        let what = format!("last writer of {address:#x}{}, by running it again", of_side(outline, self.side));
        headway.begin(what, Position(outline.info(self.side).events), true);
        let bytes = (self.memory, address..address.saturating_add(1));
        let before = self.edge(outline, Direction::Backward);
        Some(match service.0.last_writer(self.side, bytes, before, &|reached| headway.at(reached)) {
            Ok(Some(Some(position))) => self.record(outline, traces, position, headway),
            Ok(Some(None)) => Ending::Nothing,
            Ok(None) => Ending::Stopped,
            Err(why) => Ending::Unknown(why),
        })
    }
}
