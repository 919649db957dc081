//! Rewriting for tests, with every invariant checked along the way.

use crate::check::check;
use forkpoint_tracer::instrument::{Instrumented, Options, instrument};

/// Rewrites a valid module and checks every invariant that needs no engine.
pub fn rewrite(original: &[u8], options: &Options) -> Instrumented {
    let rewritten = instrument(original, options).unwrap_or_else(|error| panic!("{error}"));
    check(original, &rewritten);
    rewritten
}

/// Rewrites a module in text format.
pub fn rewrite_text(text: &str) -> (Vec<u8>, Instrumented) {
    let original = wat::parse_str(text).expect("the test's text is well formed");
    let rewritten = rewrite(&original, &Options::default());
    (original, rewritten)
}
