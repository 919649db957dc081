//! What is in the **original** module: names, source lines and text.
//!
//! Everything here is best effort over bytes that a stranger chose. A module without names or debug
//! information still works, what cannot be parsed is absent, and nothing makes a query panic, loop or allocate
//! without bound. No query costs more than the function it asks about, except that the first one to need names
//! or debug information reads those sections once.
//!
//! To get started: [`Symbols`]. `program.rs` finds the module of a program, `layout.rs` finds the sections, `names.rs`, `items.rs`, `lanes.rs`, `dwarf.rs` and `source_map.rs` read them, `variables.rs`, `types.rs`
//! and `regions.rs` name addresses, `origins.rs` and `pointers.rs` what is written by pointers, `wat.rs` prints one function through a synthetic module.

mod arities;
mod demangle;
mod dwarf;
mod frame_variables;
mod held;
mod item_names;
mod items;
mod lanes;
mod layout;
mod locations;
mod metered;
mod names;
mod origins;
mod pointers;
mod program;
mod regions;
mod source_map;
mod synthetic;
mod types;
mod variables;
mod wat;

pub use dwarf::SourceFrame;
pub use forkpoint_traces::{is_active, printable, printable_lines};
pub use items::Item;
pub use lanes::Lanes;
pub use program::Symbols;
pub use regions::Region;
pub use source_map::{SourceMap, SourceMapError};
pub use variables::Variable;
pub use wat::{WatFunction, WatLine};

use arities::Arities;
use dwarf::DebugInfo;
use forkpoint_traces::{CodeOffset, FuncIndex, MAX_NAME, MemoryIndex, clip, printable_name};
use items::Items;
use lanes::StoredLanes;
use layout::Layout;
use names::Names;
use origins::Origins;
use regions::Regions;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use variables::Variables;
use wasmparser::BinaryReader;

/// Names, source lines and text of one module, parsed as they are asked for.
struct ModuleSymbols {
    module: Arc<[u8]>,
    layout: Layout,
    names: OnceLock<Names>,
    items: OnceLock<Items>,
    debug: OnceLock<Option<DebugInfo>>,
    map: OnceLock<Option<Arc<SourceMap>>>,
    variables: OnceLock<Variables>,
    regions: OnceLock<Regions>,
    /// By number of the function's body.
    lanes: Mutex<HashMap<usize, StoredLanes>>,
    arities: OnceLock<Arities>,
    /// Those of one function, by number of its body.
    origins: Mutex<HashMap<usize, Arc<Origins>>>,
    /// What stores of so many bytes at an offset write, if it has a name; counted from address 0.
    written: Mutex<HashMap<(u32, u64), Option<Variable>>>,
}

/// Of how many functions the addresses of stores are kept, and of how many stores the names.
const MAX_KEPT: usize = 4_096;

impl ModuleSymbols {
    /// Symbols of `module`, a whole WebAssembly binary. Never fails: what cannot be parsed is absent.
    pub fn new(module: impl Into<Arc<[u8]>>) -> ModuleSymbols {
        let module = module.into();
        let layout = Layout::parse(&module);
        ModuleSymbols {
            module,
            layout,
            names: OnceLock::new(),
            items: OnceLock::new(),
            debug: OnceLock::new(),
            map: OnceLock::new(),
            variables: OnceLock::new(),
            regions: OnceLock::new(),
            lanes: Mutex::default(),
            arities: OnceLock::new(),
            origins: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The bytes of the module.
    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// How many functions the module imports: the index of the first function with a body.
    pub fn imported_functions(&self) -> u32 {
        self.layout.imports.len() as u32
    }

    /// How many functions the module has, imports included.
    pub fn functions(&self) -> u32 {
        self.imported_functions() + self.layout.bodies.len() as u32
    }

    /// A name to show for `func`: from the name section, else its import as `module.name`, else its export,
    /// else its subprogram in the debug information, else `func[12]`. Demangled, safe to print, bounded.
    pub fn function_name(&self, func: FuncIndex) -> String {
        self.known_name(func).unwrap_or_else(|| format!("func[{}]", func.0))
    }

    /// The name of a parameter or local, if it has one. Safe to print, bounded.
    pub fn local_name(&self, func: FuncIndex, local: u32) -> Option<String> {
        let locals = self.names().locals(&self.module, func.0);
        let name = locals.into_iter().rfind(|(index, name)| *index == local && !name.is_empty());
        name.map(|(_, name)| printable_name(name))
    }

    /// The function whose body holds the byte at `offset`.
    pub fn function_at(&self, offset: CodeOffset) -> Option<FuncIndex> {
        let defined = self.layout.body_at(offset.0)?;
        Some(FuncIndex(self.imported_functions() + defined as u32))
    }

    /// The file offsets of `func`'s body, `None` for imports and indices out of range.
    pub fn body(&self, func: FuncIndex) -> Option<std::ops::Range<CodeOffset>> {
        let body = self.layout.body(func.0)?;
        Some(CodeOffset(body.start)..CodeOffset(body.end))
    }

    /// Where the instruction at `offset` comes from, innermost inlined function first. Empty without debug
    /// information and source map.
    pub fn source(&self, offset: CodeOffset) -> Vec<SourceFrame> {
        let Some(number) = self.layout.body_at(offset.0) else { return Vec::new() };
        let frames = match (self.debug(), offset.0.checked_sub(self.layout.code_start)) {
            (Some(debug), Some(address)) => debug.source(address.into()),
            _ => Vec::new(),
        };
        if !frames.is_empty() {
            return frames;
        }
        let body = &self.layout.bodies[number];
        self.source_map().and_then(|map| map.source(offset.0, body)).into_iter().collect()
    }

    /// What the module says about where its source map is.
    pub fn source_map_url(&self) -> Option<&str> {
        source_map::url(&self.module[self.layout.custom(&self.module, source_map::SECTION)?])
    }

    /// The map that was given, or else the one in the module itself.
    pub fn source_map(&self) -> Option<&SourceMap> {
        let found = || self.layout.custom(&self.module, source_map::SECTION);
        let inside = || SourceMap::in_section(&self.module[found()?]).map(Arc::new);
        self.map.get_or_init(inside).as_deref()
    }

    /// Takes source lines from this map.
    pub fn use_source_map(&mut self, map: &Arc<SourceMap>) {
        self.map = OnceLock::from(Some(Arc::clone(map)));
    }

    /// The variable that holds these bytes of memory 0, and which part of it.
    pub fn variable(&self, bytes: &Range<u64>) -> Option<Variable> {
        self.variables()?.at(bytes)
    }

    /// For functions with a frame base in debug information, the local that holds it.
    pub fn frame_bases(&self) -> BTreeMap<FuncIndex, u32> {
        let Some(variables) = self.variables() else { return BTreeMap::new() };
        let function = |(address, local): (u64, u32)| {
            let offset = u64::from(self.layout.code_start).checked_add(address)?;
            Some((self.function_at(CodeOffset(u32::try_from(offset).ok()?))?, local))
        };
        variables.frame_bases().filter_map(function).collect()
    }

    /// The names of a function's parameters in debug information, where it has `count` of them; empty for those without.
    pub fn parameter_names(&self, func: FuncIndex, count: usize) -> Option<&[String]> {
        let end = self.body(func)?.end.0.checked_sub(1)?.checked_sub(self.layout.code_start)?;
        Some(self.variables()?.parameters(end.into())).filter(|names| names.len() == count)
    }

    /// The variable on the stack in memory 0 that holds these bytes, where the function with the instruction at `offset` has
    /// this frame base, and which part of it.
    pub fn stack_variable(&self, offset: CodeOffset, base: u64, bytes: &Range<u64>) -> Option<Variable> {
        let address = offset.0.checked_sub(self.layout.code_start)?;
        self.variables()?.on_frame(address.into(), base, bytes)
    }

    /// What an instruction at `offset` writes to these bytes, as far as its own debug information tells.
    pub fn written(&self, offset: CodeOffset, bytes: &Range<u64>) -> Option<Variable> {
        let length = bytes.end.checked_sub(bytes.start)?;
        let found = |known: &Variable| {
            let address = bytes.start.checked_sub(known.offset)?;
            Some(Variable { address, ..known.clone() })
        };
        let mut known = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&(offset.0, length)) {
            return known.as_ref().and_then(found);
        }
        if known.len() >= MAX_KEPT * 16 {
            known.clear();
        }
        let variable = self.written_at(offset, length);
        let here = variable.as_ref().and_then(found);
        known.insert((offset.0, length), variable);
        here
    }

    /// The same for bytes that begin where those of the variable do, and are not at the end of memory.
    fn written_at(&self, offset: CodeOffset, length: u64) -> Option<Variable> {
        /// Where no variable's offset is below 0.
        const SOMEWHERE: u64 = 1 << 40;
        let number = self.layout.body_at(offset.0)?;
        let origins = {
            let mut known = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MAX_KEPT {
                known.clear();
            }
            let origins = known.entry(number).or_insert_with(|| {
                let body = self.layout.bodies[number].start as usize..self.layout.bodies[number].end as usize;
                let arities = self.arities.get_or_init(|| Arities::parse(&self.module, &self.layout));
                Arc::new(origins::of_stores(BinaryReader::new(&self.module[body.clone()], body.start), arities))
            });
            Arc::clone(origins)
        };
        let address = offset.0.checked_sub(self.layout.code_start)?;
        let bytes = SOMEWHERE..SOMEWHERE.checked_add(length)?;
        self.variables()?.written(self.layout.code_start.into(), address.into(), origins.get(&offset.0)?, &bytes)
    }

    /// The bytes of the variable with this name.
    pub fn variable_named(&self, name: &str) -> Option<Range<u64>> {
        self.variables()?.named(name)
    }

    /// What a byte of a memory is for.
    pub fn region(&self, memory: MemoryIndex, address: u64) -> Option<Region> {
        self.regions.get_or_init(|| Regions::parse(self)).at(memory.0, address)
    }

    /// Whether the module carries debug information, without parsing it.
    pub fn has_debug_info(&self) -> bool {
        self.layout.custom(&self.module, ".debug_info").is_some()
    }

    /// The lanes of the vector that the instruction at `offset` stores, or takes one lane of, if the instruction
    /// before it shows them.
    pub fn lanes(&self, offset: CodeOffset) -> Option<Lanes> {
        let number = self.layout.body_at(offset.0)?;
        let mut known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let stores = known.entry(number).or_insert_with(|| {
            let body = self.layout.bodies[number].start as usize..self.layout.bodies[number].end as usize;
            lanes::stored(BinaryReader::new(&self.module[body.clone()], body.start))
        });
        stores.get(&offset.0).copied()
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::parse(&self.module, &self.layout))
    }

    fn items(&self) -> &Items {
        self.items.get_or_init(|| Items::parse(&self.module, self.layout.item_sections(&self.module)))
    }

    fn debug(&self) -> Option<&DebugInfo> {
        self.debug.get_or_init(|| DebugInfo::load(&self.module, &self.layout)).as_ref()
    }

    /// `None` without debug information that can be read.
    fn variables(&self) -> Option<&Variables> {
        self.debug()?;
        Some(self.variables.get_or_init(|| Variables::load(&self.module, &self.layout)))
    }

    fn global_named(&self, name: &str) -> Option<u32> {
        self.names().global_named(&self.module, name)
    }

    /// A real name, `None` if there is only a number.
    fn known_name(&self, func: FuncIndex) -> Option<String> {
        let names = self.names();
        if let Some(name) = names.function(&self.module, func.0).filter(|name| !name.is_empty()) {
            return Some(printable_name(&demangle::demangle(name, None)));
        }
        if let Some((module, name)) = self.layout.import(&self.module, func.0) {
            let (module, name) = (clip(module, MAX_NAME / 2), demangle::demangle(name, None));
            return Some(printable_name(&format!("{module}.{name}")));
        }
        if let Some(name) = names.export(&self.module, func.0).filter(|name| !name.is_empty()) {
            return Some(printable_name(&demangle::demangle(name, None)));
        }
        // The last byte of a body is its `end`: unlike the first, it lies within the subprogram's range
        // whether a producer counts from the body's size or from its contents.
        let last = self.layout.body(func.0)?.end.checked_sub(1)?;
        self.debug()?.subprogram(last.checked_sub(self.layout.code_start)?.into())
    }
}

impl fmt::Debug for ModuleSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleSymbols")
            .field("bytes", &self.module.len())
            .field("functions", &self.functions())
            .finish_non_exhaustive()
    }
}
