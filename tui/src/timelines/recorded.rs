//! A recording that holds more of the same run, in place of the one that is shown.

use super::Timelines;
use crate::outline::TraceOutline;
use crate::traces::{Outline, Parting};
use forkpoint_replay::{Alignment, EventSource, Side};
use forkpoint_traces::Position;
use std::sync::Arc;

impl Timelines {
    /// Has a side run again for the events around a position, unless it holds them.
    pub(super) fn record_again(
        &mut self,
        side: Side,
        position: Position,
        source: &dyn EventSource,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Arc<dyn Outline>>, String> {
        let Some(run) = self.sides.get_mut(side.index()) else { return Ok(Some(self.outline_now())) };
        if self.alignment.is_of_builds() {
            return Err("what two builds leave out is not recorded again".to_string());
        }
        let Some(windows) = run.windows_with(position) else { return Ok(Some(self.outline_now())) };
        let Some(mut again) = source.with_windows(side, &windows, reached)? else { return Ok(None) };
        if again.trace().gap(position).is_some() {
            return Err(format!("run again, its recording holds other events than {position}"));
        }
        again.share_symbols(run);
        if let Some(progress) = self.progress.clone() {
            again.set_progress(move |position| progress(position));
        }
        *run = again;
        self.sites = [0, self.sides.len() - 1].map(|side| Arc::clone(self.sides[side].trace().sites()));
        self.code.clear();
        self.alignment = match self.sides.as_slice() {
            [lhs, rhs] => Alignment::new(lhs, rhs, self.parted.divergence.as_ref()),
            sides => Alignment::single(&sides[0]),
        };
        Ok(Some(self.outline_now()))
    }

    /// The outline of what the traces hold now.
    fn outline_now(&self) -> Arc<dyn Outline> {
        let parting = self.parted.divergence.as_ref().map(|divergence| Parting::of(divergence, &self.alignment));
        let outline: TraceOutline = self.outline.realigned(self.alignment.clone(), parting);
        Arc::new(outline)
    }
}
