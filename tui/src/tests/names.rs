//! Names for addresses: variables and regions.

use super::fake::Fake;
use super::{ask, draw, viewer};
use crate::action::PromptKind;

fn screen(app: &mut crate::app::App) -> String {
    draw(app, 120, 40).to_string()
}

#[test]
fn a_variable_has_name_and_type_where_the_cursor_is() {
    let mut app = viewer(Fake::pair(), None);
    ask(&mut app, PromptKind::Address, "mixer");
    let shown = screen(&mut app);
    assert!(shown.contains("memory 0 @0x10000 mixer.counter[0]: int pinned"), "{shown}");
    ask(&mut app, PromptKind::Address, "10006");
    let shown = screen(&mut app);
    assert!(shown.contains("@0x10006 mixer.counter[1]+0x2: int"), "{shown}");
}

#[test]
fn other_bytes_have_their_region() {
    let mut app = viewer(Fake::pair(), None);
    ask(&mut app, PromptKind::Address, "1ff04");
    let shown = screen(&mut app);
    assert!(shown.contains("KiB  stack "), "{shown}");
    ask(&mut app, PromptKind::Address, "nonsense");
    let shown = screen(&mut app);
    assert!(
        shown.contains("is not an address: expected hexadecimal digits such as a4f0 or 0xa4f0, or a variable"),
        "{shown}"
    );
}
