//! Where things are in a module's file: sections, function bodies, imports.
//!
//! The sections are walked by hand instead of with `wasmparser::Parser`, so that one broken section hides
//! nothing of the others: a module that an engine rejects is still worth looking at.

use std::ops::Range;
use wasmparser::{BinaryReader, CodeSectionReader, ExportSectionReader, FunctionSectionReader, ImportSectionReader};
use wasmparser::{ExternalKind, TypeRef};

/// A module with more sections is cut there.
const MAX_SECTIONS: usize = 65_536;
/// A module with more functions is cut there (engines stop at a million).
const MAX_FUNCTIONS: usize = 1_000_000;

/// Byte ranges of one module, all within its file.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Contents of the known sections, by section number.
    known: [Option<Range<usize>>; 16],
    /// Name and contents of the custom sections.
    customs: Vec<(Range<usize>, Range<usize>)>,
    /// Start of the Code section's contents: the address 0 of debug information.
    pub(super) code_start: u32,
    /// Function bodies in order, so ascending and apart.
    pub(super) bodies: Vec<Range<u32>>,
    /// Module and name of each imported function.
    pub(super) imports: Vec<(Range<usize>, Range<usize>)>,
    /// The type of each imported function.
    pub(super) import_types: Vec<u32>,
}

const TYPE: usize = 1;
const IMPORT: usize = 2;
const FUNCTION: usize = 3;
const MEMORY: usize = 5;
const GLOBAL: usize = 6;
const EXPORT: usize = 7;
const CODE: usize = 10;
const DATA: usize = 11;

impl Layout {
    pub(super) fn parse(module: &[u8]) -> Layout {
        let mut layout = Layout::default();
        // Offsets are 32 bits wide everywhere, and no engine takes a module that large.
        if module.starts_with(b"\0asm\x01\0\0\0") && u32::try_from(module.len()).is_ok() {
            layout.walk(module);
            layout.read_imports(module);
            layout.read_bodies(module);
        }
        layout
    }

    fn walk(&mut self, module: &[u8]) {
        let mut reader = BinaryReader::new(&module[8..], 8);
        for _ in 0..MAX_SECTIONS {
            let (Ok(id), Ok(size)) = (reader.read_u8(), reader.read_var_u32()) else {
                return;
            };
            let start = reader.original_position();
            // The rest of a cut-off section is still read.
            let end = module.len().min(start.saturating_add(size as usize));
            if reader.read_bytes(end - start).is_err() {
                return;
            }
            if id == 0 {
                let mut inner = BinaryReader::new(&module[start..end], start);
                if let Ok(name) = inner.read_unlimited_string() {
                    let contents = inner.original_position();
                    self.customs.push((contents - name.len()..contents, contents..end));
                }
            } else if let Some(slot) = self.known.get_mut(id as usize) {
                slot.get_or_insert(start..end);
            }
        }
    }

    fn read_imports(&mut self, module: &[u8]) {
        let Some(Ok(imports)) = self.reader(module, IMPORT).map(ImportSectionReader::new) else {
            return;
        };
        for import in imports.into_imports() {
            let Ok(import) = import else { return };
            if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                if self.imports.len() == MAX_FUNCTIONS {
                    return;
                }
                self.imports.push((range_in(module, import.module), range_in(module, import.name)));
                self.import_types.push(ty);
            }
        }
    }

    fn read_bodies(&mut self, module: &[u8]) {
        let Some(reader) = self.reader(module, CODE) else {
            return;
        };
        self.code_start = reader.original_position() as u32;
        let Ok(bodies) = CodeSectionReader::new(reader) else {
            return;
        };
        for body in bodies.into_iter().take(MAX_FUNCTIONS) {
            let Ok(body) = body else { return };
            let range = body.range();
            self.bodies.push(range.start as u32..range.end as u32);
        }
    }

    fn reader<'a>(&self, module: &'a [u8], section: usize) -> Option<BinaryReader<'a>> {
        let range = self.known[section].clone()?;
        Some(BinaryReader::new(&module[range.clone()], range.start))
    }

    /// Contents of the first custom section called `name`.
    pub(super) fn custom(&self, module: &[u8], name: &str) -> Option<Range<usize>> {
        let found = self.customs.iter().find(|(at, _)| &module[at.clone()] == name.as_bytes());
        found.map(|(_, contents)| contents.clone())
    }

    /// Contents of the type section.
    pub(super) fn types<'a>(&self, module: &'a [u8]) -> Option<&'a [u8]> {
        Some(&module[self.known[TYPE].clone()?])
    }

    /// Imports, memories and exports: the sections about items other than functions.
    pub(super) fn item_sections<'a>(&self, module: &'a [u8]) -> [Option<BinaryReader<'a>>; 3] {
        [IMPORT, MEMORY, EXPORT].map(|section| self.reader(module, section))
    }

    /// The global section.
    pub(super) fn globals<'a>(&self, module: &'a [u8]) -> Option<BinaryReader<'a>> {
        self.reader(module, GLOBAL)
    }

    /// The data section.
    pub(super) fn data<'a>(&self, module: &'a [u8]) -> Option<BinaryReader<'a>> {
        self.reader(module, DATA)
    }

    /// Body of the function with this index, imports counted.
    pub(super) fn body(&self, func: u32) -> Option<Range<u32>> {
        let defined = (func as usize).checked_sub(self.imports.len())?;
        self.bodies.get(defined).cloned()
    }

    /// Number, imports not counted, of the body that holds the byte at `offset`.
    pub(super) fn body_at(&self, offset: u32) -> Option<usize> {
        let after = self.bodies.partition_point(|body| body.end <= offset);
        self.bodies.get(after)?.contains(&offset).then_some(after)
    }

    /// The function section.
    pub(super) fn function_types<'a>(&self, module: &'a [u8]) -> Option<BinaryReader<'a>> {
        self.reader(module, FUNCTION)
    }

    /// Type index of the function with this index, `None` for imports.
    pub(super) fn type_of(&self, module: &[u8], func: u32) -> Option<u32> {
        let defined = (func as usize).checked_sub(self.imports.len())?;
        let types = FunctionSectionReader::new(self.reader(module, FUNCTION)?).ok()?;
        types.into_iter().nth(defined)?.ok()
    }

    /// Module and name under which the function with this index is imported.
    pub(super) fn import<'a>(&self, module: &'a [u8], func: u32) -> Option<(&'a str, &'a str)> {
        let (from, name) = self.imports.get(func as usize)?.clone();
        Some((str::from_utf8(&module[from]).ok()?, str::from_utf8(&module[name]).ok()?))
    }

    /// Index and name of every exported function.
    pub(super) fn exports<'a>(&self, module: &'a [u8]) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        self.reader(module, EXPORT)
            .and_then(|reader| ExportSectionReader::new(reader).ok())
            .into_iter()
            .flat_map(|exports| exports.into_iter().map_while(Result::ok))
            .filter(|export| matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact))
            .map(|export| (export.index, export.name))
    }
}

/// Where `part`, a piece of `module`, lies in it.
pub(super) fn range_in(module: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - module.as_ptr() as usize;
    start..start + part.len()
}
