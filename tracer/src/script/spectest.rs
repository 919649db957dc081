//! The module `spectest` that the specification's scripts import from: a module like any other, so that every engine has it.

/// Its name.
pub(super) const NAME: &str = "spectest";

/// Its text, with what few scripts need only where a script `needs` it: engines without the proposal would refuse all of
/// it.
pub(super) fn text(needs: impl Fn(&str) -> bool) -> String {
    let extra = [
        ("shared_memory", "(memory (export \"shared_memory\") 1 2 shared)"),
        ("table64", "(table (export \"table64\") i64 10 20 funcref)"),
    ];
    let extra: String = extra.iter().filter(|(name, _)| needs(name)).map(|(_, text)| *text).collect();
    format!(
        r#"(module $spectest
            (func (export "print"))
            (func (export "print_i32") (param i32))
            (func (export "print_i64") (param i64))
            (func (export "print_f32") (param f32))
            (func (export "print_f64") (param f64))
            (func (export "print_i32_f32") (param i32 f32))
            (func (export "print_f64_f64") (param f64 f64))
            (global (export "global_i32") i32 (i32.const 666))
            (global (export "global_i64") i64 (i64.const 666))
            (global (export "global_f32") f32 (f32.const 666.6))
            (global (export "global_f64") f64 (f64.const 666.6))
            (table (export "table") 10 20 funcref)
            (memory (export "memory") 1 2)
            {extra})"#
    )
}
