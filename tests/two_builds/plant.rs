//! A miscompilation to be found: one constant of a function is changed in place.

use wasmparser::{BinaryReader, Name, NameSectionReader, Operator, Parser, Payload};

/// The module with another value for one `f64.const` that is neither 0 nor 1 in the function of this name: for number
/// `number` of them.
pub fn plant(module: &[u8], function: &str, number: usize) -> Vec<u8> {
    let (mut imports, mut bodies, mut wanted) = (0, Vec::new(), None);
    for payload in Parser::new(0).parse_all(module) {
        match payload.expect("a valid module") {
            Payload::ImportSection(section) => {
                let imported = section.into_imports().map(|import| import.expect("an import"));
                imports += imported.filter(|import| matches!(import.ty, wasmparser::TypeRef::Func(_))).count();
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) if section.name() == "name" => {
                let reader = BinaryReader::new(section.data(), section.data_offset());
                for subsection in NameSectionReader::new(reader) {
                    if let Name::Function(names) = subsection.expect("names") {
                        let mut names = names.into_iter().map(|naming| naming.expect("a name"));
                        wanted = names.find(|naming| naming.name == function).map(|naming| naming.index as usize);
                    }
                }
            }
            _ => {}
        }
    }
    let body = &bodies[wanted.expect("the function is there") - imports];
    let operators = body.get_operators_reader().expect("a body").into_iter_with_offsets();
    let mut constants =
        operators.map(|operator| operator.expect("an operator")).filter_map(|(operator, offset)| match operator {
            Operator::F64Const { value } if ![0.0, 1.0].contains(&f64::from_bits(value.bits())) => {
                Some((offset, f64::from_bits(value.bits())))
            }
            _ => None,
        });
    let (offset, value) = constants.nth(number).expect("the function has such a constant");
    let mut changed = module.to_vec();
    changed[offset + 1..offset + 9].copy_from_slice(&(value * 1.01).to_le_bytes());
    changed
}
