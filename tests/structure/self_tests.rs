//! Tests of the source reader itself, on a few small sources.

use super::circles::{circles, describe};
use super::imports::{Imports, imports};
use super::names::{glob_reexports, public_types};
use super::sources::Crate;
use super::table;
use std::path::Path;

fn read(files: &[(&str, &str)]) -> Crate {
    let find = |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.to_string());
    Crate::read(Path::new("src/lib.rs"), &find)
}

fn imports_of(files: &[(&str, &str)]) -> Imports {
    imports(&read(files))
}

/// The sizes of the circles, and what ties the first.
fn circles_of(files: &[(&str, &str)]) -> (Vec<usize>, String) {
    let imports = imports_of(files);
    let circles = circles(&imports);
    (
        circles.iter().map(|circle| circle.len()).collect(),
        circles.first().map_or(String::new(), |circle| describe(circle, &imports)),
    )
}

#[test]
fn a_circle_through_a_reexport_is_found() {
    let (sizes, tied) = circles_of(&[
        ("src/lib.rs", "mod a; mod b; mod c; pub use a::A; pub(crate) use b::B as Other; pub use c::*;"),
        ("src/a.rs", "use crate::Other; pub struct A(Other);"),
        ("src/b.rs", "pub struct B(crate::C);"),
        ("src/c.rs", "pub struct C; impl C { fn a(&self) -> Option<super::A> { None } }"),
    ]);
    assert_eq!(sizes, [3]);
    assert_eq!(tied, "  src/a.rs -> src/b.rs: Other\n  src/b.rs -> src/c.rs: C\n  src/c.rs -> src/a.rs: A\n");
}

#[test]
fn declarations_reexports_and_tests_are_no_imports() {
    let files = [
        ("src/lib.rs", "mod a; mod b; pub use b::B; pub struct Lib;"),
        ("src/a.rs", "mod deep; pub use deep::Deep; use crate::Lib; pub struct A(Lib);"),
        ("src/a/deep.rs", "use super::A; pub struct Deep(A);"),
        (
            "src/b.rs",
            "pub struct B; #[cfg(test)] mod tests; #[cfg(test)] use crate::a::A; #[test] fn f() { crate::a::x() }",
        ),
    ];
    let imports = imports_of(&files);
    let arrows: Vec<String> = imports
        .iter()
        .flat_map(|(file, from)| from.keys().map(move |other| format!("{} -> {}", file.display(), other.display())))
        .collect();
    assert_eq!(arrows, ["src/a/deep.rs -> src/a.rs", "src/a.rs -> src/lib.rs"]);
}

#[test]
fn a_parent_and_its_child_may_need_each_other_and_no_third() {
    let mut files = vec![
        ("src/lib.rs", "mod a;"),
        ("src/a.rs", "mod deep; mod flat; use deep::Deep; pub struct A(Deep, flat::Flat);"),
        ("src/a/deep.rs", "use super::A; pub struct Deep(Option<A>);"),
        ("src/a/flat.rs", "pub struct Flat;"),
    ];
    assert_eq!(circles_of(&files).0, [0; 0], "a parent and one child");
    files[3] = ("src/a/flat.rs", "pub struct Flat(Option<super::A>);");
    assert_eq!(circles_of(&files).0, [3], "a parent and two children");
}

#[test]
fn paths_are_seen_wherever_they_are_written() {
    let seen = |text: &str| {
        let files = [
            ("src/lib.rs", "mod a; mod used;"),
            ("src/a.rs", text),
            (
                "src/used.rs",
                "pub mod deep { pub struct Deep; } pub struct X; pub fn f() {} made! { pub enum Made {} }",
            ),
        ];
        imports_of(&files).contains_key(Path::new("src/a.rs"))
    };
    for text in [
        "use crate::used::X;",
        "use super::used::{self, X as Y};",
        "use crate::used::*;",
        "use crate::used; fn g() { used::f() }",
        "use crate::used as other; fn g() { println!(\"{}\", other::f()) }",
        "fn g() { let x = [crate::used::f()]; }",
        "fn g(x: &dyn Fn(Vec<crate::used::X>)) {}",
        "fn g() { use super::used::f; f() }",
        "use crate::used::deep::Deep;",
        "mod inner { use super::super::used::X; }",
        "mod inner { fn g() { crate::used::f() } }",
        "use crate::used::Made;",
        "#[cfg(not(test))] use crate::used::X;",
    ] {
        assert!(seen(text), "{text}");
    }
    for text in [
        "use crate::used;",
        "use ::used::X;",
        "use std::used::X;",
        "fn used() {} fn g() { used() }",
        "fn g(used: u32) -> u32 { used }",
        "#[cfg(test)] mod tests { use crate::used::X; }",
        "struct S; impl S { #[cfg(test)] fn g() { crate::used::f() } }",
        "// use crate::used::X;\nconst TEXT: &str = \"use crate::used::X;\";",
    ] {
        assert!(!seen(text), "{text}");
    }
}

#[test]
fn modules_are_found_where_the_compiler_finds_them() {
    let imports = imports_of(&[
        ("src/lib.rs", "mod a; #[path = \"elsewhere/c.rs\"] mod c;"),
        ("src/a/mod.rs", "mod b; fn f() { b::f() }"),
        ("src/a/b.rs", "pub fn f() { crate::c::g() }"),
        ("src/elsewhere/c.rs", "pub fn g() {}"),
    ]);
    let from: Vec<&Path> = imports.keys().map(|file| file.as_path()).collect();
    assert_eq!(from, [Path::new("src/a/b.rs"), Path::new("src/a/mod.rs")]);
}

#[test]
fn names_that_name_themselves_end() {
    let imports = imports_of(&[
        ("src/lib.rs", "mod a; mod b; use a; use gone; fn f() { gone::x(); x() }"),
        ("src/a.rs", "pub use crate::b::X; pub use super::b::*;"),
        ("src/b.rs", "pub use crate::a::X; pub use super::a::*; fn f() { X; Y }"),
    ]);
    assert!(imports.is_empty(), "{imports:?}");
}

#[test]
fn public_types_and_globs_are_listed() {
    let sources = read(&[
        (
            "src/lib.rs",
            "mod a; pub use a::*; use a::*; pub struct A; struct B; made! { pub enum C { X } pub(crate) struct D; }",
        ),
        ("src/a.rs", "pub trait T {} pub(crate) enum E {} #[cfg(test)] pub struct F; pub(crate) use std::io::*;"),
    ]);
    let types: Vec<String> = public_types(&sources).into_iter().map(|(name, _)| name).collect();
    assert_eq!(types, ["A", "C", "T"]);
    let globs: Vec<String> = glob_reexports(&sources).into_iter().map(|(_, path)| path).collect();
    assert_eq!(globs, ["a", "std::io"]);
}

#[test]
fn the_table_and_the_manifests_are_read() {
    let rows = table::rows(
        "| crate | job | may depend on |\n| --- | --- | --- |\n\
         | [a](a/src/lib.rs) | x | no other crate of ours, no engine, no wasm parser |\n\
         | [b](b/src/lib.rs) | x | `a`; the only one that links an engine |\n\
         | [c](cli/main.rs) (root package) | x | all of them |\n\nmore\n",
    );
    let [a, b, c] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((table::manifest(&a.root), table::manifest(&c.root)), ("a/Cargo.toml".into(), "Cargo.toml".into()));
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# no\nwasmi = \"2\"\nforkpoint-a.workspace = true\n\
                    [dev-dependencies]\nforkpoint-b.workspace = true\n";
    let dependencies = table::dependencies(manifest);
    assert_eq!(dependencies.iter().map(String::as_str).collect::<Vec<_>>(), ["forkpoint-a", "wasmi"]);
    assert_eq!(b.differences(&dependencies), [""; 0]);
    assert_eq!(a.differences(&dependencies).len(), 2, "{:?}", a.differences(&dependencies));
    assert_eq!(c.differences(&dependencies).len(), 2, "{:?}", c.differences(&dependencies));
    assert_eq!(b.differences(&Default::default()), ["the table lets b depend on a, and it does not"]);
    assert!(table::members("members = [\"a\", \"b\"]").contains_key("b"));
}
