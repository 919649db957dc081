//! A module as its sections, without custom ones: what an edit does not replace stays byte for byte.

use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::{CodeSection, Encode, RawSection, Section};
use wasmparser::{FunctionBody, Parser, Payload};

/// Ids of sections, in the order of the [specification](https://webassembly.github.io/spec/core/binary/modules.html).
const ORDER: [u8; 14] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11, 14];

/// The sections of a module.
#[derive(Debug, Clone, Default)]
pub(super) struct Sections {
    /// Contents by id.
    contents: BTreeMap<u8, Vec<u8>>,
}

impl Sections {
    /// The sections of a binary module; custom ones are left out.
    pub fn of(module: &[u8]) -> Result<Sections, wasmparser::Error> {
        let mut sections = Sections::default();
        for payload in Parser::new(0).parse_all(module) {
            if let Some((id, range)) = payload?.as_section()
                && id != 0
            {
                sections.contents.insert(id, module[range].to_vec());
            }
        }
        Ok(sections)
    }

    /// Replaces a section.
    pub fn set(&mut self, section: &impl Section) {
        let mut bytes = Vec::new();
        section.encode(&mut bytes);
        // Encoded with its length, which is added again when the module is put together.
        let head = bytes.iter().position(|byte| byte & 0x80 == 0).map_or(bytes.len(), |last| last + 1);
        self.contents.insert(section.id(), bytes.split_off(head));
    }

    /// Takes a section out.
    pub fn remove(&mut self, id: wasm_encoder::SectionId) {
        self.contents.remove(&(id as u8));
    }

    /// Replaces the bodies of some functions that the module defines, numbered from 0: locals and code.
    pub fn set_bodies(&mut self, bodies: &BTreeMap<u32, Vec<u8>>, original: &[u8]) -> Result<(), wasmparser::Error> {
        let mut code = CodeSection::new();
        for (number, range) in (0..).zip(body_ranges(original)?) {
            code.raw(bodies.get(&number).map_or(&original[range], Vec::as_slice));
        }
        self.set(&code);
        Ok(())
    }

    /// The module.
    pub fn to_module(&self) -> Vec<u8> {
        let mut module = wasm_encoder::Module::HEADER.to_vec();
        for id in ORDER {
            if let Some(data) = self.contents.get(&id) {
                RawSection { id, data }.append_to(&mut module);
            }
        }
        module
    }
}

/// Where the bodies of a module's functions are: locals and code, without the length in front.
pub(super) fn body_ranges(module: &[u8]) -> Result<Vec<Range<usize>>, wasmparser::Error> {
    Ok(bodies(module)?.iter().map(FunctionBody::range).collect())
}

/// The bodies of the functions that a module defines.
pub(super) fn bodies(module: &[u8]) -> Result<Vec<FunctionBody<'_>>, wasmparser::Error> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(body);
        }
    }
    Ok(bodies)
}

/// The module with other bodies for some of its functions, numbered from 0 among those that it defines.
pub(super) fn with_bodies(module: &[u8], bodies: &BTreeMap<u32, Vec<u8>>) -> Result<Vec<u8>, wasmparser::Error> {
    let mut sections = Sections::of(module)?;
    sections.set_bodies(bodies, module)?;
    Ok(sections.to_module())
}

/// An instruction's bytes.
pub(super) fn encoded(instruction: &wasm_encoder::Instruction<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    instruction.encode(&mut bytes);
    bytes
}

/// What a body begins with: its locals, in groups of one type.
pub(super) fn declared(groups: &[(u32, wasm_encoder::ValType)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    groups.len().encode(&mut bytes);
    for (count, ty) in groups {
        count.encode(&mut bytes);
        ty.encode(&mut bytes);
    }
    bytes
}
