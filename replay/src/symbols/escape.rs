//! Names made safe to show: no character that acts on a terminal, and none of them endless.

use forkpoint_traces::printable;
use std::borrow::Cow;

/// Most characters of a name that are shown.
pub(super) const MAX_NAME: usize = 200;

/// [`printable`], and no longer than [`MAX_NAME`] characters before escaping.
pub(super) fn printable_name(text: &str) -> String {
    printable(&clip(text, MAX_NAME))
}

/// The first `most` characters of `text`, with an ellipsis in place of the last if there are more.
pub(super) fn clip(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(1)).collect();
            Cow::Owned(kept + "…")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(clip("ääää", 4), "ääää");
        assert_eq!(clip("äääää", 4), "äää…");
        assert_eq!(printable_name(&"x".repeat(100_000)).chars().count(), MAX_NAME);
    }
}
