//! What is in the modules of a trace: of a single one, or of several under the numbers of their program.
//!
//! Numbers of a program are translated to those of the module, and names begin with that of the instance. For a single
//! module nothing is translated.

use super::dwarf::SourceFrame;
use super::items::Item;
use super::lanes::Lanes;
use super::regions::Region;
use super::source_map::SourceMap;
use super::variables::Variable;
use super::wat::{WatFunction, WatLine};
use super::{ModuleSymbols, printable_name};
use forkpoint_traces::{CodeOffset, DataIndex, FuncIndex, MemoryIndex, ProgramInfo, TraceReader};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Names, source lines and text of all modules of a trace, parsed as they are asked for.
pub struct Symbols {
    module: Arc<[u8]>,
    program: Option<ProgramInfo>,
    /// By number of the module: one for a single module.
    modules: Vec<OnceLock<ModuleSymbols>>,
    /// The instance that has each module.
    instances: Vec<Option<usize>>,
    /// Module and index there of each memory and each table of a program, by its number.
    memories: HashMap<u32, (u32, u32)>,
    tables: HashMap<u32, (u32, u32)>,
}

/// A number of a program, as one of a module.
struct Local<'a, T> {
    symbols: &'a ModuleSymbols,
    /// The module's number.
    module: u32,
    number: T,
}

impl Symbols {
    /// Symbols of `module`, a whole WebAssembly binary. Never fails: what cannot be parsed is absent.
    pub fn new(module: impl Into<Arc<[u8]>>) -> Symbols {
        Symbols::with(module.into(), None)
    }

    /// Symbols of what a trace was recorded of.
    pub fn of(trace: &TraceReader) -> Symbols {
        Symbols::with(Arc::clone(trace.module()), trace.header().program.clone())
    }

    /// Symbols of a single module, or of all modules of a program, which follow each other in `module`.
    pub fn with(module: Arc<[u8]>, program: Option<ProgramInfo>) -> Symbols {
        let count = program.as_ref().map_or(1, |program| program.modules.len());
        let mut symbols = Symbols {
            module,
            program,
            modules: (0..count).map(|_| OnceLock::new()).collect(),
            instances: vec![None; count],
            memories: HashMap::new(),
            tables: HashMap::new(),
        };
        let instances = symbols.program.iter().flat_map(|program| program.instances.iter().enumerate());
        for (number, instance) in instances {
            if let Some(owner) = symbols.instances.get_mut(instance.module as usize) {
                *owner = Some(number);
            }
            // Who has it first owns it.
            for (local, memory) in (0..).zip(&instance.memories) {
                symbols.memories.entry(memory.0).or_insert((instance.module, local));
            }
            for (local, table) in (0..).zip(&instance.tables) {
                symbols.tables.entry(*table).or_insert((instance.module, local));
            }
        }
        symbols
    }

    /// The same with source lines from this map, where it is a single module.
    #[must_use]
    pub fn with_source_map(mut self, map: &Arc<SourceMap>) -> Symbols {
        if let ([module], None) = (self.modules.as_mut_slice(), &self.program) {
            let mut symbols = ModuleSymbols::new(Arc::clone(&self.module));
            symbols.use_source_map(map);
            *module = OnceLock::from(symbols);
        }
        self
    }

    /// The program, where it is not a single module.
    pub fn program(&self) -> Option<&ProgramInfo> {
        self.program.as_ref()
    }

    /// The bytes of each module.
    pub fn modules(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.modules.len() as u32).filter_map(|number| Some(self.module(number)?.module()))
    }

    /// A module by its number: 0 for a single one.
    fn module(&self, number: u32) -> Option<&ModuleSymbols> {
        let made = self.modules.get(number as usize)?;
        Some(made.get_or_init(
            || match self.program.as_ref().and_then(|program| program.modules.get(number as usize)) {
                Some(part) => {
                    let start = part.start.0 as usize;
                    let bytes = start.checked_add(part.length as usize).and_then(|end| self.module.get(start..end));
                    ModuleSymbols::new(bytes.unwrap_or_default())
                }
                None => ModuleSymbols::new(Arc::clone(&self.module)),
            },
        ))
    }

    fn func(&self, func: FuncIndex) -> Option<Local<'_, FuncIndex>> {
        let (module, first) = match &self.program {
            Some(program) => {
                let module = program.module_of(func)?;
                (module, program.modules.get(module as usize)?.first_function.0)
            }
            None => (0, 0),
        };
        Some(Local { symbols: self.module(module)?, module, number: FuncIndex(func.0.checked_sub(first)?) })
    }

    fn offset(&self, offset: CodeOffset) -> Option<Local<'_, CodeOffset>> {
        let (module, start) = match &self.program {
            Some(program) => {
                let module = program.module_at(offset)?;
                (module, program.modules.get(module as usize)?.start.0)
            }
            None => (0, 0),
        };
        Some(Local { symbols: self.module(module)?, module, number: CodeOffset(offset.0.checked_sub(start)?) })
    }

    fn local_item(&self, item: Item, index: u32) -> Option<Local<'_, u32>> {
        let Some(program) = &self.program else {
            return Some(Local { symbols: self.module(0)?, module: 0, number: index });
        };
        let (module, number) = match item {
            Item::Data => {
                let after = program.modules.partition_point(|module| module.first_data <= DataIndex(index));
                let module = after.checked_sub(1)?;
                (module as u32, index.checked_sub(program.modules[module].first_data.0)?)
            }
            Item::Global => {
                let after = program.instances.partition_point(|instance| instance.first_global.0 <= index);
                let instance = program.instances.get(after.checked_sub(1)?)?;
                (instance.module, index.checked_sub(instance.first_global.0)?)
            }
            Item::Memory => *self.memories.get(&index)?,
            Item::Table => *self.tables.get(&index)?,
        };
        Some(Local { symbols: self.module(module)?, module, number })
    }

    /// A name within a program, with its instance's.
    fn within(&self, module: u32, name: String) -> String {
        match &self.program {
            Some(program) => {
                let number = self.instances.get(module as usize).copied().flatten();
                let instance = number.and_then(|number| program.instances.get(number));
                let owner = instance.map_or_else(|| format!("module {module}"), |one| printable_name(&one.name));
                format!("{owner}.{name}")
            }
            None => name,
        }
    }

    /// The offset in its own module of a byte of the program.
    pub fn own_offset(&self, offset: CodeOffset) -> CodeOffset {
        self.offset(offset).map_or(offset, |local| local.number)
    }

    /// The index in its own module of a function of the program.
    pub fn own_index(&self, func: FuncIndex) -> FuncIndex {
        self.func(func).map_or(func, |local| local.number)
    }

    /// The instance that a function belongs to, by name; `None` for a single module.
    pub fn instance(&self, func: FuncIndex) -> Option<String> {
        let program = self.program.as_ref()?;
        let instance = (*self.instances.get(program.module_of(func)? as usize)?)?;
        Some(printable_name(&program.instances.get(instance)?.name))
    }

    /// How many functions the module imports: the index of the first function with a body. 0 for a program.
    pub fn imported_functions(&self) -> u32 {
        match self.program {
            Some(_) => 0,
            None => self.module(0).map_or(0, ModuleSymbols::imported_functions),
        }
    }

    /// How many functions there are, imports included.
    pub fn functions(&self) -> u32 {
        let last = self.modules.len().saturating_sub(1) as u32;
        let first =
            self.program.as_ref().and_then(|program| program.modules.last()).map_or(0, |last| last.first_function.0);
        first.saturating_add(self.module(last).map_or(0, ModuleSymbols::functions))
    }

    /// A name to show for `func`: from the name section, else its import as `module.name`, else its export,
    /// else its subprogram in the debug information, else `func[12]`. Demangled, safe to print, bounded. In a program the
    /// name of its instance comes first.
    pub fn function_name(&self, func: FuncIndex) -> String {
        match self.func(func) {
            Some(local) => self.within(local.module, local.symbols.function_name(local.number)),
            None => format!("func[{}]", func.0),
        }
    }

    /// The name of a parameter or local, if it has one. Safe to print, bounded.
    pub fn local_name(&self, func: FuncIndex, local: u32) -> Option<String> {
        let found = self.func(func)?;
        found.symbols.local_name(found.number, local)
    }

    /// The function whose body holds the byte at `offset`.
    pub fn function_at(&self, offset: CodeOffset) -> Option<FuncIndex> {
        let local = self.offset(offset)?;
        let func = local.symbols.function_at(local.number)?;
        Some(FuncIndex(func.0.checked_add(self.first_function(local.module))?))
    }

    fn first_function(&self, module: u32) -> u32 {
        let part = self.program.as_ref().and_then(|program| program.modules.get(module as usize));
        part.map_or(0, |part| part.first_function.0)
    }

    fn start(&self, module: u32) -> u32 {
        let part = self.program.as_ref().and_then(|program| program.modules.get(module as usize));
        part.map_or(0, |part| part.start.0)
    }

    /// The offsets of `func`'s body, `None` for imports and indices out of range.
    pub fn body(&self, func: FuncIndex) -> Option<Range<CodeOffset>> {
        let local = self.func(func)?;
        let (body, start) = (local.symbols.body(local.number)?, self.start(local.module));
        Some(CodeOffset(body.start.0.checked_add(start)?)..CodeOffset(body.end.0.checked_add(start)?))
    }

    /// Where the instruction at `offset` comes from, innermost inlined function first. Empty without debug
    /// information and source map.
    pub fn source(&self, offset: CodeOffset) -> Vec<SourceFrame> {
        self.offset(offset).map_or_else(Vec::new, |local| local.symbols.source(local.number))
    }

    /// The variable with a fixed address that holds all of these bytes of a memory, and the smallest part of it that does, from
    /// debug information: globals and statics. `None` without debug information, and for other bytes.
    ///
    /// ```
    /// use forkpoint_replay::Symbols;
    /// use forkpoint_traces::MemoryIndex;
    ///
    /// // Without debug information no address has a name.
    /// let symbols = Symbols::new(*b"\0asm\x01\0\0\0");
    /// assert_eq!(symbols.variable(MemoryIndex(0), &(0x400..0x404)), None);
    /// ```
    pub fn variable(&self, memory: MemoryIndex, bytes: &Range<u64>) -> Option<Variable> {
        // Compilers put variables into the first memory only.
        let local = self.local_item(Item::Memory, memory.0).filter(|local| local.number == 0)?;
        if bytes.is_empty() { None } else { local.symbols.variable(bytes) }
    }

    /// The variable that the instruction at `site` writes to these bytes: one with a fixed address, or else, by where the instruction
    /// takes its address from, a variable on the function's own frame, or what a variable that the function has there points to, as
    /// in `list->head` or `self.items[2]`. Nothing runs for it: the names are those of debug information at the instruction.
    ///
    /// ```
    /// use forkpoint_replay::Symbols;
    /// use forkpoint_traces::{CodeOffset, MemoryIndex};
    ///
    /// let symbols = Symbols::new(*b"\0asm\x01\0\0\0");
    /// assert_eq!(symbols.written(CodeOffset(40), MemoryIndex(0), &(0x400..0x404)), None);
    /// ```
    pub fn written(&self, site: CodeOffset, memory: MemoryIndex, bytes: &Range<u64>) -> Option<Variable> {
        if let Some(variable) = self.variable(memory, bytes) {
            return Some(variable);
        }
        let owner = self.local_item(Item::Memory, memory.0).filter(|local| local.number == 0)?;
        let local = self.offset(site).filter(|local| local.module == owner.module && !bytes.is_empty())?;
        local.symbols.written(local.number, bytes)
    }

    /// For functions with a frame base in debug information, the local that holds it; of a single module.
    pub fn frame_bases(&self) -> BTreeMap<FuncIndex, u32> {
        if self.program.is_some() {
            return BTreeMap::new();
        }
        self.module(0).map_or_else(BTreeMap::new, ModuleSymbols::frame_bases)
    }

    /// The name of a function's parameter, of `count`: from the name section, or else from debug information, if that has as many.
    pub fn parameter_name(&self, func: FuncIndex, number: u32, count: usize) -> Option<String> {
        let from_debug_info = || {
            let local = self.func(func)?;
            let names = local.symbols.parameter_names(local.number, count)?;
            names.get(number as usize).filter(|name| !name.is_empty()).cloned()
        };
        self.local_name(func, number).or_else(from_debug_info)
    }

    /// The variable on the stack in memory 0 that holds all of these bytes where a function, which is at the instruction at
    /// `offset`, has this frame base; of a single module. What is its frame base, a rerun tells:
    /// [`Activation::frame_base`](crate::Activation::frame_base).
    pub fn stack_variable(
        &self,
        offset: CodeOffset,
        base: u64,
        memory: MemoryIndex,
        bytes: &Range<u64>,
    ) -> Option<Variable> {
        let one = self.program.is_none() && memory.0 == 0 && !bytes.is_empty();
        self.module(0).filter(|_| one)?.stack_variable(offset, base, bytes)
    }

    /// Memory and bytes of the variable with this name, with or without its scopes.
    pub fn variable_named(&self, name: &str) -> Option<(MemoryIndex, Range<u64>)> {
        (0..self.modules.len() as u32).find_map(|number| {
            let bytes = self.module(number)?.variable_named(name)?;
            let of_program =
                || self.memories.iter().find(|(_, owner)| **owner == (number, 0)).map(|(index, _)| *index);
            let memory = if self.program.is_some() { of_program()? } else { 0 };
            Some((MemoryIndex(memory), bytes))
        })
    }

    /// What a byte of a memory is for, as far as the module tells: active data segments at constant addresses, and the
    /// linker's `__stack_pointer`, `__data_end` and `__heap_base`, if they have names.
    ///
    /// ```
    /// use forkpoint_replay::{Region, Symbols};
    /// use forkpoint_traces::MemoryIndex;
    ///
    /// let module = wat::parse_str(
    ///     r#"(module (memory 2) (global $__stack_pointer (mut i32) (i32.const 1024)) (data (i32.const 1024) "text"))"#,
    /// )
    /// .expect("a module");
    /// let symbols = Symbols::new(module);
    /// assert_eq!(symbols.region(MemoryIndex(0), 1000), Some(Region::Stack));
    /// assert_eq!(symbols.region_label(MemoryIndex(0), 1026).as_deref(), Some("data 0+0x2"));
    /// assert_eq!(symbols.region(MemoryIndex(0), 5000), None);
    /// ```
    pub fn region(&self, memory: MemoryIndex, address: u64) -> Option<Region> {
        let local = self.local_item(Item::Memory, memory.0)?;
        let region = local.symbols.region(MemoryIndex(local.number), address)?;
        let first_data = self.program.as_ref().and_then(|program| program.modules.get(local.module as usize));
        Some(match (region, first_data) {
            (Region::Data { segment, offset }, Some(part)) => {
                Region::Data { segment: DataIndex(segment.0.checked_add(part.first_data.0)?), offset }
            }
            (region, _) => region,
        })
    }

    /// [`Symbols::region`] in words: `data .rodata+0x10`, `stack`, `heap`.
    pub fn region_label(&self, memory: MemoryIndex, address: u64) -> Option<String> {
        Some(match self.region(memory, address)? {
            Region::Data { segment, offset: 0 } => self.item(Item::Data, segment.0),
            Region::Data { segment, offset } => format!("{}+{offset:#x}", self.item(Item::Data, segment.0)),
            Region::Zeroed => "zeroed data".to_string(),
            Region::Stack => "stack".to_string(),
            Region::Heap => "heap".to_string(),
        })
    }

    /// What the first module that says anything says about where its source map is; unescaped.
    pub fn source_map_url(&self) -> Option<&str> {
        (0..self.modules.len() as u32).find_map(|module| self.module(module)?.source_map_url())
    }

    /// The text of a source file, where a source map has it under this path.
    pub fn source_text(&self, path: &str) -> Option<&Arc<str>> {
        (0..self.modules.len() as u32).find_map(|module| self.module(module)?.source_map()?.text(path))
    }

    /// Whether a module carries debug information, without parsing it.
    pub fn has_debug_info(&self) -> bool {
        (0..self.modules.len() as u32).any(|module| self.module(module).is_some_and(ModuleSymbols::has_debug_info))
    }

    /// The lanes of the vector that the instruction at `offset` stores, or takes one lane of, if the instruction
    /// before it shows them.
    pub fn lanes(&self, offset: CodeOffset) -> Option<Lanes> {
        let local = self.offset(offset)?;
        local.symbols.lanes(local.number)
    }

    /// Text of the one instruction at `offset`, as the text format has it: `i32.store offset=8 align=2`.
    ///
    /// `offset` must be that of an instruction's first byte, which only a walk from the start of the function
    /// could check: for another offset the text is that of whatever the bytes there would mean.
    pub fn instruction(&self, offset: CodeOffset) -> Option<String> {
        let local = self.offset(offset)?;
        local.symbols.instruction(local.number)
    }

    /// Text of one function, with the offset of each line's instruction.
    pub fn wat(&self, func: FuncIndex) -> Option<WatFunction> {
        let local = self.func(func)?;
        let (wat, start) = (local.symbols.wat(local.number)?, self.start(local.module));
        let line = |line: WatLine| WatLine {
            offset: line.offset.map(|offset| CodeOffset(offset.0.saturating_add(start))),
            ..line
        };
        Some(WatFunction { lines: wat.lines.into_iter().map(line).collect() })
    }

    /// A name to show for a table, memory, global or data segment: from the name section, else its import as
    /// `module.name`, else its export. Safe to print, bounded; `None` if there is only a number, or if the name is
    /// just the noun, as for most memories. In a program there is always one, with the name of its instance.
    pub fn item_name(&self, item: Item, index: u32) -> Option<String> {
        let local = self.local_item(item, index)?;
        match self.program {
            Some(_) => Some(self.within(local.module, local.symbols.item_label(item, local.number))),
            None => local.symbols.item_name(item, local.number),
        }
    }

    /// The noun, followed by the name or else the number: `memory heap`, `memory 1`.
    pub fn item(&self, item: Item, index: u32) -> String {
        format!("{item} {}", self.item_label(item, index))
    }

    /// The name, or else the number.
    pub fn item_label(&self, item: Item, index: u32) -> String {
        self.item_name(item, index).unwrap_or_else(|| index.to_string())
    }

    /// A size in words.
    pub fn pages(&self, memory: MemoryIndex, pages: u64) -> String {
        format!("{pages} pages{}", self.doubt(memory, pages))
    }

    /// A note on a size that no memory can have: it is an engine's claim, and the real one is unknown.
    pub fn doubt(&self, memory: MemoryIndex, pages: u64) -> &'static str {
        if pages > self.most_pages(memory) { ", says the engine" } else { "" }
    }

    /// Most pages that a memory can have: as many as it has addresses for.
    pub fn most_pages(&self, memory: MemoryIndex) -> u64 {
        match self.local_item(Item::Memory, memory.0) {
            Some(local) => local.symbols.most_pages(MemoryIndex(local.number)),
            None => super::item_names::USUAL_MOST_PAGES,
        }
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols")
            .field("bytes", &self.module.len())
            .field("modules", &self.modules.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{GlobalIndex, InstanceInfo, ModulePart};

    #[test]
    fn numbers_of_a_program_are_those_of_its_modules() {
        let left = wat::parse_str(
            "(module (memory 1) (func $f) (func $g) (global $x (mut i32) (i32.const 0)) (data $d \"\"))",
        );
        let right =
            wat::parse_str("(module (import \"a\" \"m\" (memory 1)) (memory $own 1) (func $h i32.const 1 drop))");
        let (left, right) = (left.expect("a module"), right.expect("a module"));
        let part = |start: usize, length: usize, first_function, first_data| ModulePart {
            start: CodeOffset(start as u32),
            length: length as u32,
            first_function: FuncIndex(first_function),
            first_data: DataIndex(first_data),
        };
        let instance = |name: &str, module, memories: &[u32], first_global| InstanceInfo {
            name: name.to_string(),
            module,
            imports: Vec::new(),
            memories: memories.iter().copied().map(MemoryIndex).collect(),
            tables: Vec::new(),
            first_global: GlobalIndex(first_global),
        };
        let program = ProgramInfo {
            modules: vec![part(0, left.len(), 0, 0), part(left.len(), right.len(), 2, 1)],
            instances: vec![instance("a", 0, &[0], 0), instance("b\u{1b}", 1, &[0, 1], 1)],
            directives: Vec::new(),
            texts: 0,
        };
        let bytes: Vec<u8> = left.iter().chain(&right).copied().collect();
        let symbols = Symbols::with(bytes.into(), Some(program));
        assert_eq!(symbols.function_name(FuncIndex(1)), "a.g");
        assert_eq!(symbols.function_name(FuncIndex(2)), "b\\u{1b}.h");
        assert_eq!(symbols.instance(FuncIndex(0)).as_deref(), Some("a"));
        assert_eq!(symbols.functions(), 3);
        let body = symbols.body(FuncIndex(2)).expect("a body");
        let alone = Symbols::new(right);
        assert_eq!(symbols.own_offset(body.start), alone.body(FuncIndex(0)).expect("a body").start);
        assert_eq!(symbols.function_at(body.start), Some(FuncIndex(2)));
        let offset = CodeOffset(body.start.0 + 1);
        assert_eq!(symbols.instruction(offset).as_deref(), Some("i32.const 1"));
        assert_eq!(symbols.wat(FuncIndex(2)).expect("a function").lines[1].offset, Some(offset));
        let names = [(Item::Memory, 0), (Item::Memory, 1), (Item::Global, 0), (Item::Data, 0), (Item::Memory, 9)];
        let names = names.map(|(item, index)| symbols.item(item, index));
        assert_eq!(names, ["memory a.0", "memory b\\u{1b}.own", "global a.x", "data a.d", "memory 9"]);
        assert!(symbols.function_name(FuncIndex(9)).starts_with("b\\u{1b}.func["));
    }
}
