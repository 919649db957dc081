//! Sections of a module: their order, their numbers, and entries added to one.

use super::error::InstrumentError;
use wasm_encoder::{Encode, SectionId};
use wasmparser::BinaryReader;

/// Sections in the order that a module must have them.
pub(super) const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// The section with this number, if it is one that a module may have once.
pub(super) fn section_id(number: u8) -> Option<SectionId> {
    ORDER.into_iter().find(|section| *section as u8 == number)
}

/// The position of a section in the order.
pub(super) fn rank(id: SectionId) -> usize {
    ORDER.iter().position(|section| *section == id).unwrap_or(ORDER.len())
}

/// A section's entries unchanged, followed by `added`.
pub(super) fn appended(contents: &[u8], added: &[Vec<u8>]) -> Result<Vec<u8>, InstrumentError> {
    let mut reader = BinaryReader::new(contents, 0);
    let count = reader.read_var_u32()?;
    let mut section = Vec::with_capacity(contents.len() + 16);
    count.saturating_add(added.len() as u32).encode(&mut section);
    section.extend_from_slice(&contents[reader.current_position()..]);
    added.iter().for_each(|entry| section.extend_from_slice(entry));
    Ok(section)
}
