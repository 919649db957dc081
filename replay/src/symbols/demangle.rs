//! Demangling that a hostile name cannot turn into a flood of text.

use gimli::DwLang;
use std::borrow::Cow;

/// Longer names are shown unchanged.
const MAX_MANGLED: usize = 2_000;

/// Bytes of text that one name may become, by an upper estimate.
const MAX_DEMANGLED: f64 = 16e6;

/// `name` as its author wrote it, or unchanged. `language` is what the debug information says of its unit.
pub(super) fn demangle(name: &str, language: Option<DwLang>) -> Cow<'_, str> {
    if name.len() > MAX_MANGLED || !looks_mangled(name) || growth(name) > MAX_DEMANGLED {
        return Cow::Borrowed(name);
    }
    match addr2line::demangle_auto(Cow::Borrowed(name), language) {
        // The name itself distinguishes Rust from C++: a Rust unit may hold C++ names and vice versa.
        Cow::Borrowed(_) if language.is_some() => addr2line::demangle_auto(Cow::Borrowed(name), None),
        demangled => demangled,
    }
}

fn looks_mangled(name: &str) -> bool {
    ["_Z", "__Z", "_R", "__R", "R", "ZN"].iter().any(|prefix| name.starts_with(prefix))
}

/// How long the demangled name could get. Each back reference (`S_`, `S0_`, `T_`, ...) repeats earlier text; `k`
/// of them grow it by 3^(k/3) at most, and an expanded pack counts as six.
fn growth(name: &str) -> f64 {
    if name.trim_start_matches('_').starts_with('R') {
        return 0.0; // rustc-demangle limits its own output
    }
    let bytes = name.as_bytes();
    let mut references = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let rest = &bytes[i + 1..];
        match (byte, rest.first()) {
            (b'S' | b'T', _) => {
                let digits = rest.iter().take_while(|b| b.is_ascii_digit() || b.is_ascii_uppercase()).count();
                references += i32::from(rest.get(digits) == Some(&b'_'));
            }
            (b'D' | b's', Some(b'p')) => references += 6,
            _ => {}
        }
    }
    3f64.powf(f64::from(references) / 3.0) * name.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_cpp_names_are_demangled_and_others_kept() {
        assert_eq!(demangle("_ZN4core3fmt5write17h0123456789abcdefE", None), "core::fmt::write");
        assert_eq!(demangle("_RNvC6_123foo3bar", None), "123foo::bar");
        assert_eq!(demangle("_ZN3foo3barEi", None), "foo::bar(int)");
        assert_eq!(demangle("_ZN3foo3barEi", Some(gimli::DW_LANG_Rust)), "foo::bar(int)");
        for plain in ["main", "", "_start", "PyObject_Repr", "_Z", "_ZN", "Rust", "_R"] {
            assert_eq!(demangle(plain, None), plain);
        }
    }

    #[test]
    fn a_name_that_doubles_itself_again_and_again_stays_mangled() {
        let mut bomb = String::from("_Z1fI1aE");
        for _ in 0..100 {
            bomb.push_str("1pIS_S_E");
        }
        assert_eq!(demangle(&bomb, None), bomb);
    }
}
