//! Segments that a module puts into memories and tables of others: as a function, to be called when it is the module's turn.
//!
//! A command makes all instances before anything runs. So what goes into a module's own memories and tables stays as it is, and what
//! goes into others' becomes passive, and is copied in the order of the program.

use crate::instrument::error::InstrumentError;
use crate::instrument::features;
use crate::instrument::layout::appended;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{DataSection, ElementSection, Encode, Function, SectionId};
use wasmparser::{ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Operator, Parser, Payload, TypeRef};

/// The export that copies them.
pub(crate) const SEGMENTS: &str = "forkpoint:segments";

/// A module's sections, and what is counted in them.
#[derive(Default)]
struct Sections<'m> {
    /// Number and contents, in order.
    all: Vec<(u8, Vec<u8>)>,
    types: u32,
    functions: u32,
    memories: u32,
    tables: u32,
    elements: Vec<Element<'m>>,
    data: Vec<Data<'m>>,
}

/// The module with such a function; `None` if it needs none.
///
/// # Errors
/// When the module cannot be read.
pub(crate) fn deferred(module: &[u8]) -> Result<Option<Vec<u8>>, InstrumentError> {
    let mut sections = Sections::read(module)?;
    let mut body = Function::new([]);
    let elements = sections.elements(&mut body)?;
    let data = sections.data(&mut body)?;
    body.instructions().end();
    if elements.is_none() && data.is_none() {
        return Ok(None);
    }
    if let Some(elements) = elements {
        sections.replace(SectionId::Element, contents(&elements));
    }
    if let Some(data) = data {
        let mut count = Vec::new();
        (sections.data.len() as u32).encode(&mut count);
        sections.replace(SectionId::DataCount, count);
        sections.replace(SectionId::Data, contents(&data));
    }
    let (ty, function) = (sections.types, sections.functions);
    sections.append(SectionId::Type, vec![0x60, 0, 0])?;
    sections.append(SectionId::Function, bytes(&ty))?;
    let mut export = bytes(SEGMENTS);
    export.push(0);
    function.encode(&mut export);
    sections.append(SectionId::Export, export)?;
    sections.append(SectionId::Code, bytes(&body))?;
    let mut whole = module.get(..8).unwrap_or_default().to_vec();
    for (id, contents) in &sections.all {
        whole.push(*id);
        contents.as_slice().encode(&mut whole);
    }
    Ok(Some(whole))
}

fn bytes<T: Encode + ?Sized>(what: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    what.encode(&mut bytes);
    bytes
}

/// A section without its length.
fn contents(section: &impl Encode) -> Vec<u8> {
    let bytes = bytes(section);
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).map_or(0, |last| last + 1);
    bytes[length..].to_vec()
}

/// The place of a section among others.
fn rank(id: u8) -> u8 {
    match id {
        // Tags stand between memories and globals, the count of data segments before the code.
        13 => 11,
        12 => 19,
        id => 2 * id,
    }
}

impl<'m> Sections<'m> {
    fn read(module: &'m [u8]) -> Result<Sections<'m>, InstrumentError> {
        let mut sections = Sections::default();
        let mut parser = Parser::new(0);
        parser.set_features(features());
        for payload in parser.parse_all(module) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                sections.all.push((id, module.get(range).unwrap_or_default().to_vec()));
            }
            sections.payload(payload)?;
        }
        Ok(sections)
    }

    fn payload(&mut self, payload: Payload<'m>) -> Result<(), InstrumentError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types += group?.types().count() as u32;
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.functions += 1,
                        TypeRef::Memory(_) => self.memories += 1,
                        TypeRef::Table(_) => self.tables += 1,
                        TypeRef::Global(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => self.functions += section.count(),
            Payload::ElementSection(section) => self.elements = section.into_iter().collect::<Result<_, _>>()?,
            Payload::DataSection(section) => self.data = section.into_iter().collect::<Result<_, _>>()?,
            _ => {}
        }
        Ok(())
    }

    /// The section of elements, if one of them goes into another module's table, with code that copies them.
    fn elements(&self, body: &mut Function) -> Result<Option<ElementSection>, InstrumentError> {
        let (mut section, mut any) = (ElementSection::new(), false);
        for (number, element) in (0..).zip(&self.elements) {
            let mut element = element.clone();
            if let ElementKind::Active { table_index, offset_expr } = &element.kind {
                let table = table_index.unwrap_or(0);
                if table < self.tables {
                    let count = match &element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    push(offset_expr, body)?;
                    let mut code = body.instructions();
                    code.i32_const(0).i32_const(count as i32).table_init(table, number).elem_drop(number);
                    (element.kind, any) = (ElementKind::Passive, true);
                }
            }
            RoundtripReencoder.parse_element(&mut section, element)?;
        }
        Ok(any.then_some(section))
    }

    /// The same for data.
    fn data(&self, body: &mut Function) -> Result<Option<DataSection>, InstrumentError> {
        let (mut section, mut any) = (DataSection::new(), false);
        for (number, data) in (0..).zip(&self.data) {
            let mut data = data.clone();
            if let DataKind::Active { memory_index, offset_expr } = &data.kind
                && *memory_index < self.memories
            {
                push(offset_expr, body)?;
                let length = data.data.len() as i32;
                let mut code = body.instructions();
                code.i32_const(0).i32_const(length).memory_init(*memory_index, number).data_drop(number);
                (data.kind, any) = (DataKind::Passive, true);
            }
            RoundtripReencoder.parse_data(&mut section, data)?;
        }
        Ok(any.then_some(section))
    }

    fn find(&mut self, id: SectionId) -> Result<usize, usize> {
        match self.all.iter().position(|(found, _)| *found == id as u8) {
            Some(at) => Ok(at),
            None => {
                let after = |(found, _): &(u8, Vec<u8>)| *found != 0 && rank(*found) > rank(id as u8);
                Err(self.all.iter().position(after).unwrap_or(self.all.len()))
            }
        }
    }

    fn replace(&mut self, id: SectionId, contents: Vec<u8>) {
        match self.find(id) {
            Ok(at) => self.all[at].1 = contents,
            Err(at) => self.all.insert(at, (id as u8, contents)),
        }
    }

    fn append(&mut self, id: SectionId, entry: Vec<u8>) -> Result<(), InstrumentError> {
        let contents = match self.find(id) {
            Ok(at) => appended(&self.all[at].1, &[entry])?,
            Err(_) => appended(&[0], &[entry])?,
        };
        self.replace(id, contents);
        Ok(())
    }
}

/// Pushes the value of a constant expression.
fn push(expression: &ConstExpr<'_>, body: &mut Function) -> Result<(), InstrumentError> {
    let mut operators = expression.get_operators_reader();
    while !operators.eof() {
        match operators.read()? {
            Operator::End => break,
            operator => {
                body.instruction(&RoundtripReencoder.instruction(operator)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_for_others_wait_and_the_own_ones_do_not() {
        let module = |text: &str| wat::parse_str(text).expect("a module");
        let plain = module(
            r#"(module (memory 1) (data (i32.const 0) "a") (table 1 funcref) (func $f) (elem (i32.const 0) $f))"#,
        );
        assert_eq!(deferred(&plain).ok(), Some(None));
        for text in [
            r#"(module (import "a" "m" (memory 1)) (data (i32.const 5) "abc"))"#,
            r#"(module (import "a" "m" (memory 1)) (import "a" "g" (global i32)) (memory $own 1) (tag) (global i32 (i32.const 1))
                (data (memory $own) (i32.const 5) "abc") (data (global.get 0) "abc") (func (export "f")))"#,
            r#"(module (import "a" "t" (table 4 funcref)) (table $own 2 funcref) (func $f (memory.grow (i32.const 1)) drop)
                (memory 1) (elem (i32.const 1) $f $f) (elem (table $own) (i32.const 0) func $f) (data "passive"))"#,
        ] {
            let made = deferred(&module(text)).expect("a module").expect("something to defer");
            let mut validator = wasmparser::Validator::new_with_features(features());
            validator.validate_all(&made).unwrap_or_else(|error| panic!("{text}: {error}"));
            let again = Sections::read(&made).expect("a module");
            let passive = again.data.iter().filter(|data| matches!(data.kind, DataKind::Passive)).count()
                + again.elements.iter().filter(|element| matches!(element.kind, ElementKind::Passive)).count();
            assert!(passive >= 1 && deferred(&made).ok() == Some(None), "{text}");
        }
    }
}
