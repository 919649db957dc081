//! Types of the additions to a module.

use super::Options;
use super::error::{InstrumentError, limit};
use super::machinery::Machinery;
use super::scan::Scan;
use wasm_encoder::Encode;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};

/// Types of the added functions: index, and the encoded type if it has to be added.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) import: u32,
    pub(super) helper: u32,
    pub(super) note: u32,
    /// For each type of the original, one without parameters and with its results, if it may be needed.
    pub(super) blocks: Vec<Option<u32>>,
    pub(super) added: Vec<Vec<u8>>,
}

impl Types {
    pub(super) fn new(scan: &Scan, added: Option<(Machinery, &Options)>) -> Result<Types, InstrumentError> {
        let count = scan.signatures.len() as u32;
        let mut types = Types::default();
        let mut place = |existing: Option<u32>, encoded: &[u8]| {
            existing.unwrap_or_else(|| {
                types.added.push(encoded.to_vec());
                count + types.added.len() as u32 - 1
            })
        };
        // Each is `func`, parameters, results.
        let machinery = added.map(|(machinery, _)| machinery);
        match machinery {
            Some(Machinery { inline: Some(_), .. }) => {
                types.import = place(scan.flush_type, &[0x60, 1, 0x7f, 0]);
                types.helper = place(scan.helper_type, &[0x60, 1, 0x7f, 1, 0x7f]);
            }
            Some(_) => types.import = place(None, &[0x60, 4, 0x7f, 0x7e, 0x7e, 0x7e, 0]),
            None => {}
        }
        if machinery.is_some_and(|machinery| machinery.note.is_some()) {
            types.note = place(None, &[0x60, 3, 0x7f, 0x7e, 0x7e, 0]);
        }
        if added.is_some_and(|(_, options)| options.ask.notes_calls() || options.keeps_cursor()) {
            for signature in &scan.signatures {
                let block = match signature.results.len() {
                    0 | 1 => None,
                    many => {
                        let mut encoded = vec![0x60, 0];
                        many.encode(&mut encoded);
                        for ty in &signature.results {
                            RoundtripReencoder.val_type(*ty)?.encode(&mut encoded);
                        }
                        types.added.push(encoded);
                        Some(count + types.added.len() as u32 - 1)
                    }
                };
                types.blocks.push(block);
            }
            limit("types", u64::from(count) + types.added.len() as u64, 1_000_000)?;
        }
        Ok(types)
    }
}
