//! The document's table of memory operators is the code's.

use forkpoint_traces::MemoryOp;
use std::fs;
use std::path::Path;

#[test]
fn the_document_lists_every_memory_operator_under_its_number() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/trace-format.md");
    let text = fs::read_to_string(path).expect("the document is there");
    let rows = MemoryOp::ALL.iter().enumerate().map(|(i, op)| format!("| {i} | `{}` |\n", op.mnemonic()));
    let table = format!("| number | instruction |\n| --- | --- |\n{}\n", rows.collect::<String>());
    assert!(text.contains(&table), "write this table into docs/trace-format.md:\n{table}");
}
