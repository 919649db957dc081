//! Walks wasmparser's list of operators, so that no memory-changing instruction slips through.

use super::*;
use wasmparser::{
    BinaryReader, BlockType, BrTable, HeapType, Ieee32, Ieee64, OperatorsReader, Ordering, RefType, ResumeTable,
    TryTable, V128, ValType,
};

/// Any value of an immediate's type.
trait Sample {
    fn sample() -> Self;
}

macro_rules! samples {
    ($($ty:ty = $value:expr;)*) => { $(impl Sample for $ty { fn sample() -> Self { $value } })* };
}

samples! {
    u8 = 0;
    u32 = 0;
    i32 = 0;
    i64 = 0;
    [u8; 16] = [0; 16];
    MemArg = MemArg { align: 0, max_align: 0, offset: 0, memory: 0 };
    BlockType = BlockType::Empty;
    ValType = ValType::I32;
    Vec<ValType> = Vec::new();
    HeapType = HeapType::FUNC;
    RefType = RefType::FUNCREF;
    Ieee32 = Ieee32::from(0.0);
    Ieee64 = Ieee64::from(0.0);
    Ordering = Ordering::SeqCst;
    TryTable = TryTable { ty: BlockType::Empty, catches: Vec::new() };
    ResumeTable = ResumeTable { handlers: Vec::new() };
}

impl Sample for V128 {
    fn sample() -> Self {
        let mut code = vec![0xfd, 12];
        code.extend([0; 16]);
        match OperatorsReader::new(BinaryReader::new(&code, 0)).read() {
            Ok(Operator::V128Const { value }) => value,
            other => panic!("{other:?}"),
        }
    }
}

impl Sample for BrTable<'static> {
    fn sample() -> Self {
        match OperatorsReader::new(BinaryReader::new(&[0x0e, 0, 0], 0)).read() {
            Ok(Operator::BrTable { targets }) => targets,
            other => panic!("{other:?}"),
        }
    }
}

/// Every operator with its variant's name.
fn operators() -> Vec<(&'static str, Operator<'static>)> {
    macro_rules! list {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            vec![$((stringify!($op), Operator::$op $({ $($arg: Sample::sample()),* })?)),*]
        };
    }
    wasmparser::for_each_operator!(list)
}

/// Names that sound like a write to linear memory but are not.
const HARMLESS: &[&str] = &[
    "MemorySize",
    "MemoryAtomicNotify",
    "MemoryAtomicWait32",
    "MemoryAtomicWait64",
    "ArrayNewData",
    "ArrayInitData",
];

#[test]
fn every_operator_that_may_change_memory_is_recorded_or_refused() {
    for (name, op) in operators() {
        let suspicious = ["Store", "Rmw", "Cmpxchg", "Memory", "Data"].iter().any(|part| name.contains(part));
        let class = classify(&op);
        if suspicious && !HARMLESS.contains(&name) {
            assert!(matches!(class, Class::Record(_) | Class::Refuse(_)), "{name} is {class:?}");
        }
        if let Class::Record(recorded) = class {
            assert_eq!(format!("{:?}", recorded.op), name);
        }
    }
}

#[test]
fn every_row_of_the_memory_operator_table_is_recorded() {
    let operators = operators();
    for op in MemoryOp::ALL {
        let name = format!("{op:?}");
        let (_, operator) = operators.iter().find(|(n, _)| *n == name).expect("wasmparser names it alike");
        assert!(matches!(classify(operator), Class::Record(r) if r.op == *op), "{name}");
    }
}

#[test]
fn every_control_operator_is_a_boundary() {
    // The frames in wasmparser's own table: `arity custom` marks what is not a plain stack operation, and control
    // operators have these prefixes.
    let control = ["Br", "Call", "Return", "Throw", "Loop", "If", "Else", "End", "Try", "Unreachable", "Resume"];
    for (name, op) in operators() {
        if control.iter().any(|prefix| name.starts_with(prefix)) {
            assert!(
                !matches!(classify(&op), Class::Plain | Class::Block | Class::Record(_) | Class::RefFunc(_)),
                "{name} is {:?}",
                classify(&op)
            );
        }
    }
}

#[test]
fn every_function_index_is_renumbered() {
    macro_rules! with_function_index {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            vec![$((stringify!($op), with_function_index!(@args $($($arg)*)?))),*]
        };
        (@args) => { false };
        (@args $($name:ident)+) => { [$(stringify!($name)),+].contains(&"function_index") };
    }
    let holds: Vec<(&str, bool)> = wasmparser::for_each_operator!(with_function_index);
    for ((name, op), (_, index)) in operators().into_iter().zip(holds) {
        let renumbered = matches!(classify(&op), Class::Call(_) | Class::TailCall(_) | Class::RefFunc(_));
        assert_eq!(renumbered, index, "{name}");
    }
}

#[test]
fn instructions_are_named_as_in_the_text_format() {
    let memarg = MemArg::sample();
    assert_eq!(name(&Operator::I32AtomicStore8 { memarg }), "i32.atomic.store8");
    assert_eq!(name(&Operator::MemoryDiscard { mem: 0 }), "memory.discard");
}
