//! Scripts: the same commands without a terminal.

use super::app_of;
use super::fake::{DIVERGENCE, Fake};
use crate::script::{ViewScript, ViewScriptError, run};
use crate::theme::Theme;

/// What a script prints, and how it ends.
fn script(fake: Fake, text: &str, size: (u16, u16)) -> (Vec<String>, Result<u64, String>) {
    let mut app = app_of(fake, Theme::new(true), None);
    let mut printed = Vec::new();
    let script = ViewScript { name: "a.txt".to_string(), text: text.to_string() };
    let ended = run(&mut app, &script, size, |text| {
        printed.push(text.to_string());
        Ok::<(), ViewScriptError>(())
    });
    (printed, ended.map(|()| app.row).map_err(|error| error.to_string()))
}

#[test]
fn a_script_prints_screens_as_text() {
    let text = "# where they part\n\nprint\n  last-writer\nsearch flush\nscreen\n#\nquit\nnonsense\n";
    let (printed, ended) = script(Fake::loading(), text, (80, 24));
    assert_eq!(ended, Ok(50));
    assert_eq!(printed.len(), 2);
    for (screen, at) in printed.iter().zip([DIVERGENCE, 50]) {
        let lines: Vec<&str> = screen.trim_start_matches('\n').lines().collect();
        assert_eq!(lines.len(), 24, "{screen}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80 && !line.ends_with(' ')), "{screen}");
        assert!(screen.contains(&format!("#{at}  lhs")), "{screen}");
    }
    assert!(printed[0].contains("mix.c:14"), "source lines are waited for: {}", printed[0]);
}

#[test]
fn errors_name_the_line() {
    for (text, message) in [
        (
            "print\nnonsense",
            "a.txt:2: `nonsense` is no command: Tab after : shows them all, and ? tells what they do",
        ),
        ("# a\n\n#401", "a.txt:3: #401 is past the end: lhs has 400 events"),
        ("search", "a.txt:1: `search` needs to know what: write it behind"),
        ("mark", "a.txt:1: `mark` needs to know what: write it behind"),
        ("step 1\x1b[2J", "a.txt:1: `1\\u{1b}[2J` is not a number of events"),
    ] {
        assert_eq!(script(Fake::pair(), text, (80, 24)).1, Err(message.to_string()));
    }
}

#[test]
fn wide_characters_take_their_columns() {
    let (printed, ended) = script(Fake::prefixed("\u{8868}\u{793a}"), "print", (120, 40));
    assert_eq!(ended, Ok(DIVERGENCE));
    assert!(printed[0].contains("\u{8868}\u{793a}mix"), "{}", printed[0]);
}

#[test]
fn every_size_works() {
    for size in [(20, 5), (1, 1), (300, 100)] {
        assert_eq!(script(Fake::single(), "step\nprint", size).1, Ok(1));
    }
}
