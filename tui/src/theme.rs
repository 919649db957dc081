//! Styles by meaning. Colour is an addition: everything also differs by a modifier or a character, so that the screen
//! works without (`NO_COLOR`) and for people who see colours differently.

use ratatui::style::{Color, Modifier, Style};

/// Which styles the screen uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Theme {
    color: bool,
}

impl Theme {
    /// With or without colour.
    pub(crate) fn new(color: bool) -> Theme {
        Theme { color }
    }

    /// By the environment: <https://no-color.org>.
    pub(crate) fn from_environment() -> Theme {
        Theme::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    fn style(self, color: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.color { style.fg(color) } else { style }
    }

    /// The first line of the screen.
    pub(crate) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// The title line of a pane.
    pub(crate) fn rule(self, focused: bool) -> Style {
        if focused { self.style(Color::Cyan, Modifier::BOLD) } else { self.style(Color::DarkGray, Modifier::empty()) }
    }

    /// The cursor's line.
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The first divergence.
    pub(crate) fn divergence(self) -> Style {
        self.style(Color::Red, Modifier::BOLD)
    }

    /// Other unequal events.
    pub(crate) fn mismatch(self) -> Style {
        self.style(Color::Yellow, Modifier::empty())
    }

    /// Where the runs agree again.
    pub(crate) fn resync(self) -> Style {
        self.style(Color::Green, Modifier::BOLD)
    }

    /// A byte that the event wrote.
    pub(crate) fn written(self) -> Style {
        self.style(Color::Green, Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A byte that differs on the other side.
    pub(crate) fn differs(self) -> Style {
        self.style(Color::Red, Modifier::REVERSED)
    }

    /// The code of the site.
    pub(crate) fn site(self) -> Style {
        self.style(Color::Cyan, Modifier::BOLD)
    }

    /// Less important text: margins, the recorder's own code.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Messages.
    pub(crate) fn message(self) -> Style {
        self.style(Color::Yellow, Modifier::BOLD)
    }
}
