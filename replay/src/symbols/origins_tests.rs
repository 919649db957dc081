//! Where the addresses of small functions come from.

use super::super::layout::Layout;
use super::*;

/// The addresses of the stores of the first function, in the order of their instructions.
fn origins(function: &str) -> Vec<Option<Origin>> {
    let module = wat::parse_str(format!("(module (memory 1) (func $other (result i32) (i32.const 0)) {function})"));
    let module = module.expect("a module");
    let layout = Layout::parse(&module);
    let arities = Arities::parse(&module, &layout);
    let body = layout.bodies[1].start as usize..layout.bodies[1].end as usize;
    let reader = || BinaryReader::new(&module[body.clone()], body.start);
    let stores = of_stores(reader(), &arities);
    let operators = FunctionBody::new(reader()).get_operators_reader().expect("code");
    let is_store = |operator: &Operator<'_>| matches!(operator, Operator::I32Store { .. });
    operators
        .into_iter_with_offsets()
        .map_while(Result::ok)
        .filter(|(operator, _)| is_store(operator))
        .map(|(_, offset)| stores.get(&(offset as u32)).cloned().map(anywhere))
        .collect()
}

fn local(local: u32, plus: u64) -> Origin {
    Origin { source: Source::Local { local, read: 0, from: None }, plus }
}

/// The same wherever locals were read.
fn anywhere(origin: Origin) -> Origin {
    let source = match origin.source {
        Source::Local { local, from, .. } => {
            let from = from.map(|from| Arc::new(anywhere(Origin::clone(&from))));
            Source::Local { local, read: 0, from }
        }
        Source::Loaded { from, old } => Source::Loaded { from: Arc::new(anywhere(Origin::clone(&from))), old },
        Source::Nothing => Source::Nothing,
    };
    Origin { source, ..origin }
}

#[test]
fn a_local_and_constants_make_an_address() {
    let found = origins(
        "(func (param i32 i32)
           (i32.store offset=8 (i32.add (local.get 0) (i32.const 4)) (call $other))
           (i32.store (i32.mul (local.get 0) (local.get 1)) (i32.const 1))
           (i32.store (local.get 1) (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))))",
    );
    assert_eq!(found, [Some(local(0, 12)), None, Some(local(1, 0))]);
}

#[test]
fn a_local_that_is_set_before_the_store_says_nothing() {
    let found = origins(
        "(func (param i32) local.get 0 (local.set 0 (call $other)) i32.const 1 i32.store
           local.get 0 i32.const 1 i32.store)",
    );
    assert_eq!(found, [None, Some(local(0, 0))]);
}

#[test]
fn what_was_loaded_is_old_when_memory_changes_and_no_more_when_it_is_written_twice() {
    let found = |more: &str| {
        origins(
            "(func (param i32) (local i32)
           (local.set 1 (i32.load offset=8 (local.get 0)))
           (i32.store offset=4 (local.get 1) (i32.const 1))
           (i32.store offset=8 (local.get 0) (i32.const 1))
           (i32.store offset=4 (local.get 1) (i32.const 1))
           MORE)"
                .replace("MORE", more)
                .as_str(),
        )
    };
    let loaded =
        |old| Some(Arc::new(Origin { source: Source::Loaded { from: Arc::new(local(0, 8)), old }, plus: 0 }));
    let by = |from| Some(Origin { source: Source::Local { local: 1, read: 0, from }, plus: 4 });
    assert_eq!(found(""), [by(loaded(false)), Some(local(0, 8)), by(loaded(true))]);
    let again = "(i32.store offset=8 (local.get 0) (i32.const 2))";
    assert_eq!(found(again)[..3], [by(loaded(false)), Some(local(0, 8)), by(None)]);
}

#[test]
fn a_place_that_is_written_once_and_is_nobody_elses_keeps_its_value() {
    let body = |more: &str| {
        format!(
            "(func (param i32) (local i32) (local.set 1 (call $other))
               (i32.store offset=8 (local.get 1) (local.get 0))
               (i32.store offset=4 (local.get 0) (i32.const 1)) {more})"
        )
    };
    let slot = Origin { source: Source::Loaded { from: Arc::new(local(1, 8)), old: true }, plus: 0 };
    let spilled = Origin { source: Source::Local { local: 0, read: 0, from: Some(Arc::new(slot)) }, plus: 4 };
    assert_eq!(origins(&body(""))[1], Some(spilled));
    let again = "(i32.store offset=8 (local.get 1) (i32.const 0))";
    let taken = "(drop (i32.add (local.get 1) (i32.const 8)))";
    for more in [again, taken] {
        assert_eq!(origins(&body(more))[1], Some(local(0, 4)), "{more}");
    }
}

#[test]
fn chains_of_locals_end() {
    let copies = "(local.set 1 (local.get 0)) (local.set 0 (local.get 1))".repeat(10_000);
    let found = origins(&format!("(func (param i32 i32) {copies} (i32.store (local.get 0) (i32.const 1)))"));
    assert!(found[0].is_some());
}
