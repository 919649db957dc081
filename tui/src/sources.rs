//! The source around the event under the cursor.

use crate::app::App;
use crate::panel::PanelLine;
use forkpoint_replay::SourceFrame;

impl App {
    /// What the title says, the lines, and which of them is the current one.
    pub(crate) fn source_lines(&self) -> (String, Vec<PanelLine>, Option<usize>) {
        let one = |text: &str| (String::new(), vec![PanelLine::new(None, text)], None);
        let side = self.focus.side;
        let Some(place) = self.seen.event(side).and_then(|event| event.place) else {
            return one("the event under the cursor is of no instruction");
        };
        if self.outline.is_loading() {
            return one("debug information is being read");
        }
        let frames = self.outline.source_frames(side, place.offset);
        let Some((file, line)) = frames.first().and_then(|frame| Some((frame.file.clone()?, frame.line?))) else {
            return one("neither debug information nor a source map names a source line here");
        };
        let about = frames.iter().map(frame_text).collect::<Vec<_>>().join(" < ");
        let text = match self.outline.source_text(side, &file) {
            Some(text) => text.lines().map(str::to_string).collect(),
            None => match self.sources.read(&file) {
                Ok(text) => text,
                Err(why) => return (about, vec![PanelLine::new(None, &why.to_string())], None),
            },
        };
        let digits = text.len().to_string().len();
        let lines: Vec<PanelLine> = (1..)
            .zip(text.iter())
            .map(|(number, text)| PanelLine::new(None, &format!("{number:>digits$}  {}", text.replace('\t', "    "))))
            .collect();
        let current = (line as usize).checked_sub(1).filter(|line| *line < lines.len());
        (about, lines, current)
    }
}

/// A frame in a title: function, file without folders, line.
fn frame_text(frame: &SourceFrame) -> String {
    let file = frame.file.as_deref().unwrap_or("?");
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let line = frame.line.map_or(String::new(), |line| format!(":{line}"));
    let function = frame.function.as_deref().map_or(String::new(), |function| format!("{function} "));
    format!("{function}{file}{line}")
}
