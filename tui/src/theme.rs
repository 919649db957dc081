//! Styles by meaning. Colour is an addition: everything also differs by a modifier or a character, so that the screen
//! works without (`NO_COLOR`) and for people who see colours differently.

use ratatui::style::{Color, Modifier, Style};

/// Which styles the screen uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Theme {
    palette: Palette,
    /// Who chose it.
    by: By,
}

/// Who chose a theme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum By {
    /// Nobody.
    #[default]
    Default,
    /// A variable of the environment.
    Environment,
    /// The user, in the viewer.
    User,
}

/// Which colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Palette {
    /// None at all.
    #[default]
    None,
    /// For dark backgrounds: the terminal's own colours.
    Dark,
    /// For light ones, on which yellow and cyan cannot be read.
    Light,
    /// Blue and orange, which all eyes tell apart.
    Safe,
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy)]
enum Role {
    Focus,
    Quiet,
    Bad,
    Odd,
    Good,
}

impl Palette {
    fn color(self, role: Role) -> Option<Color> {
        let [focus, quiet, bad, odd, good] = match self {
            Palette::None => return None,
            Palette::Dark => [Color::Cyan, Color::DarkGray, Color::Red, Color::Yellow, Color::Green],
            Palette::Light => {
                [Color::Blue, Color::Indexed(242), Color::Indexed(124), Color::Indexed(130), Color::Indexed(22)]
            }
            Palette::Safe => [
                Color::Indexed(74),
                Color::Indexed(245),
                Color::Indexed(208),
                Color::Indexed(220),
                Color::Indexed(33),
            ],
        };
        Some(match role {
            Role::Focus => focus,
            Role::Quiet => quiet,
            Role::Bad => bad,
            Role::Odd => odd,
            Role::Good => good,
        })
    }
}

impl Theme {
    /// With or without colour.
    pub(crate) fn new(color: bool) -> Theme {
        Theme { palette: if color { Palette::Dark } else { Palette::None }, by: By::Default }
    }

    /// The theme that the user chooses by its name.
    pub(crate) fn named(name: &str) -> Option<Theme> {
        let palette = match name {
            "none" => Palette::None,
            "dark" => Palette::Dark,
            "light" => Palette::Light,
            "safe" => Palette::Safe,
            _ => return None,
        };
        Some(Theme { palette, by: By::User })
    }

    /// The name of the one that the user has chosen in the viewer, this time or earlier.
    pub(crate) fn chosen(self) -> Option<&'static str> {
        (self.by == By::User).then_some(match self.palette {
            Palette::None => "none",
            Palette::Dark => "dark",
            Palette::Light => "light",
            Palette::Safe => "safe",
        })
    }

    /// The one that the user chose in an earlier session, unless the environment asks for another one.
    pub(crate) fn or_earlier(self, earlier: Theme) -> Theme {
        if self.by == By::Environment { self } else { earlier }
    }

    /// By the environment: none with `NO_COLOR` (<https://no-color.org>), else the one that `FORKPOINT_THEME` names.
    pub(crate) fn from_environment() -> Theme {
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Theme { by: By::Environment, ..Theme::new(false) };
        }
        let named = std::env::var("FORKPOINT_THEME").ok().and_then(|name| Theme::named(&name));
        named.map_or(Theme::new(true), |theme| Theme { by: By::Environment, ..theme })
    }

    fn style(self, role: Role, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        self.palette.color(role).map_or(style, |color| style.fg(color))
    }

    /// The first line of the screen.
    pub(crate) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// The title line of a pane.
    pub(crate) fn rule(self, focused: bool) -> Style {
        if focused { self.style(Role::Focus, Modifier::BOLD) } else { self.style(Role::Quiet, Modifier::empty()) }
    }

    /// The cursor's line.
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The first divergence.
    pub(crate) fn divergence(self) -> Style {
        self.style(Role::Bad, Modifier::BOLD)
    }

    /// Other unequal events.
    pub(crate) fn mismatch(self) -> Style {
        self.style(Role::Odd, Modifier::empty())
    }

    /// Where the runs agree again.
    pub(crate) fn resync(self) -> Style {
        self.style(Role::Good, Modifier::BOLD)
    }

    /// A byte that the event wrote.
    pub(crate) fn written(self) -> Style {
        self.style(Role::Good, Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A byte that differs on the other side.
    pub(crate) fn differs(self) -> Style {
        self.style(Role::Bad, Modifier::REVERSED)
    }

    /// The code of the site.
    pub(crate) fn site(self) -> Style {
        self.style(Role::Focus, Modifier::BOLD)
    }

    /// Less important text: margins, the recorder's own code.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Messages.
    pub(crate) fn message(self) -> Style {
        self.style(Role::Odd, Modifier::BOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_apart_by_colour_alone() {
        for name in ["none", "dark", "light", "safe"] {
            let theme = Theme::named(name).expect("a theme");
            let styles = [theme.divergence(), theme.mismatch(), theme.written(), theme.differs()];
            let modifiers: Vec<Modifier> = styles.iter().map(|style| style.add_modifier).collect();
            assert_ne!(modifiers[0], modifiers[1], "{name}");
            assert_ne!(modifiers[2], modifiers[3], "{name}");
            assert_eq!(styles.iter().all(|style| style.fg.is_none()), name == "none");
        }
        assert_eq!(Theme::named("pink"), None);
    }

    #[test]
    fn the_environment_goes_before_what_was_chosen_earlier() {
        let [light, safe] = ["light", "safe"].map(|name| Theme::named(name).expect("a theme"));
        assert_eq!(Theme::new(true).or_earlier(light).chosen(), Some("light"));
        assert_eq!(safe.or_earlier(light).chosen(), Some("light"));
        let asked = Theme { by: By::Environment, ..safe };
        assert_eq!((asked.or_earlier(light), asked.chosen()), (asked, None));
    }
}
