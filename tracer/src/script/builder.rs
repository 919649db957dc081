//! Puts a program together: resolves names, and numbers everything through.

use super::interface::{Interface, Kind};
use super::read::{Written, WrittenAction};
use super::{Script, ScriptError, Unit, spectest};
use crate::instrument::Original;
use forkpoint_traces::{
    Action, Argument, Call, CodeOffset, DataIndex, Directive, Expected, FuncIndex, GlobalIndex, InstanceInfo, Link,
    MemoryIndex, ModulePart, ProgramInfo,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Most directives, instances, memories, tables and data segments of a program, and most bytes of all its modules.
const MOST_DIRECTIVES: usize = 1 << 20;
const MOST_INSTANCES: usize = 10_000;
const MOST_MEMORIES: u32 = 1_000;
const MOST_SEGMENTS: u32 = 1_000_000;
const MOST_TABLES: u32 = 100_000;
const MOST_BYTES: usize = 256 << 20;

/// A program in the making.
#[derive(Default)]
pub(super) struct Builder {
    info: ProgramInfo,
    modules: Vec<u8>,
    units: Vec<Unit>,
    interfaces: Vec<Interface>,
    functions: u32,
    data: u32,
    memories: u32,
    tables: u32,
    globals: u32,
    /// Instances by their names in the script, and by those that they are registered under.
    named: HashMap<String, u32>,
    registered: HashMap<String, u32>,
    current: Option<u32>,
    /// Modules by name, and the last one.
    definitions: HashMap<Option<String>, Vec<u8>>,
}

impl Builder {
    /// Adds the module that the specification's scripts import from.
    pub(super) fn spectest(&mut self, text: &str) -> Result<(), ScriptError> {
        let module = wat::parse_str(text).expect("a module of ours");
        self.registered_instance(spectest::NAME, &module).map(drop)
    }

    /// Adds an instance from which later modules import under its name.
    pub(super) fn registered_instance(&mut self, name: &str, module: &[u8]) -> Result<u32, ScriptError> {
        let instance = self.instance(name.to_string(), module)?;
        self.registered.insert(name.to_string(), instance);
        self.push(0, Action::Instantiate { instance }, Expected::Success)?;
        Ok(instance)
    }

    /// Adds a directive of a script.
    pub(super) fn directive(&mut self, line: u32, written: Written<'_>) -> Result<(), ScriptError> {
        match written {
            Written::Module { module: None, .. } | Written::Refuse { module: None } => {
                self.info.texts += 1;
                Ok(())
            }
            Written::Module { name, module: Some(module), instantiate } => {
                self.definitions.insert(None, module.clone());
                if let Some(name) = name {
                    self.definitions.insert(Some(name.to_string()), module.clone());
                }
                if instantiate {
                    return self.named_instance(line, name, &module);
                }
                let module = self.module(&module, (0, 0))?;
                self.push(line, Action::Check { module }, Expected::Success)
            }
            Written::Instance { name, module } => {
                let definition = self.definitions.get(&module.map(str::to_string)).cloned();
                let module = definition.ok_or_else(|| missing(line, "module", module))?;
                self.named_instance(line, name, &module)
            }
            Written::Register { name, instance } => {
                let instance = self.find(line, instance)?;
                self.registered.insert(name.to_string(), instance);
                Ok(())
            }
            Written::Refuse { module: Some(module) } => {
                let module = self.module(&module, (0, 0))?;
                self.push(line, Action::Check { module }, Expected::Invalid)
            }
            Written::Run { action: WrittenAction::Instantiate { module: None }, .. } => {
                self.info.texts += 1;
                Ok(())
            }
            Written::Run { action, expected } => {
                let action = match action {
                    WrittenAction::Instantiate { module } => {
                        let module = module.unwrap_or_default();
                        Action::Instantiate { instance: self.instance(at(line), &module)? }
                    }
                    WrittenAction::Get { instance, global } => {
                        Action::Get { instance: self.find(line, instance)?, global: global.to_string() }
                    }
                    WrittenAction::Call { instance, function, arguments } => Action::Call {
                        instance: self.find(line, instance)?,
                        call: Call {
                            function: function.to_string(),
                            arguments: arguments.into_iter().map(Argument::Value).collect(),
                        },
                    },
                };
                self.push(line, action, expected)
            }
        }
    }

    /// An instance that later directives can name.
    fn named_instance(&mut self, line: u32, name: Option<&str>, module: &[u8]) -> Result<(), ScriptError> {
        let shown = name.map_or_else(|| at(line), str::to_string);
        let instance = self.instance(shown, module)?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.named.insert(name.to_string(), instance);
        }
        self.push(line, Action::Instantiate { instance }, Expected::Success)
    }

    fn find(&self, line: u32, name: Option<&str>) -> Result<u32, ScriptError> {
        let found = match name {
            Some(name) => self.named.get(name).copied(),
            None => self.current,
        };
        found.ok_or_else(|| missing(line, "instance", name))
    }

    pub(super) fn push(&mut self, line: u32, action: Action, expected: Expected) -> Result<(), ScriptError> {
        self.info.directives.push(Directive { line, action, expected });
        most("directives", self.info.directives.len() as u64, MOST_DIRECTIVES as u64)
    }

    /// Adds a module with so many functions and data segments: none of what nothing runs of.
    fn module(&mut self, module: &[u8], (functions, data): (u32, u32)) -> Result<u32, ScriptError> {
        let number = self.info.modules.len() as u32;
        let start = self.modules.len();
        most("bytes of modules", (start + module.len()) as u64, MOST_BYTES as u64)?;
        self.info.modules.push(ModulePart {
            start: CodeOffset(start as u32),
            length: module.len() as u32,
            first_function: FuncIndex(self.functions),
            first_data: DataIndex(self.data),
        });
        self.functions = self.functions.saturating_add(functions);
        self.data = self.data.saturating_add(data);
        self.modules.extend_from_slice(module);
        Ok(number)
    }

    /// Adds an instance of a module, whose imports are what is registered now.
    fn instance(&mut self, name: String, module: &[u8]) -> Result<u32, ScriptError> {
        let interface = Interface::of(module);
        let links = interface.imports.iter().map(|import| {
            let instance = *self.registered.get(&import.module)?;
            let exports = &self.interfaces.get(instance as usize)?.exports;
            exports.contains_key(&import.name).then(|| Link { instance, export: import.name.clone() })
        });
        let links = links.collect();
        self.linked(name, module, interface, links)
    }

    /// Adds an instance with these imports.
    fn linked(
        &mut self,
        name: String,
        module: &[u8],
        interface: Interface,
        imports: Vec<Option<Link>>,
    ) -> Result<u32, ScriptError> {
        let number = self.info.instances.len();
        most("instances", number as u64 + 1, MOST_INSTANCES as u64)?;
        let original = Original::read(module.into());
        // What a module claims that is not valid is not believed: nothing of it runs.
        let counted = if original.is_ok() { (interface.functions, interface.data) } else { (0, 0) };
        let first_data = DataIndex(self.data);
        let part = self.module(module, counted)?;
        most("data segments", self.data.into(), MOST_SEGMENTS.into())?;
        let (mut memories, mut tables, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (own_memories, own_tables) = (self.memories, self.tables);
        for (import, link) in interface.imports.iter().zip(imports.iter().map(Some).chain(std::iter::repeat(None))) {
            let target = link.and_then(|link| self.target(link.as_ref()?, import.kind));
            match (import.kind, target) {
                (Kind::Memory, Some((instance, index))) => {
                    let shared = self.info.instances[instance].memories.get(index as usize).copied();
                    memories.push(shared.unwrap_or_else(|| self.new_memory()));
                }
                // Instantiation will fail.
                (Kind::Memory, None) => memories.push(self.new_memory()),
                (Kind::Table, Some((instance, index))) => {
                    let shared = self.info.instances[instance].tables.get(index as usize).copied();
                    tables.push(shared.unwrap_or_else(|| self.new_table()));
                }
                (Kind::Table, None) => tables.push(self.new_table()),
                (Kind::Global, target) => values
                    .push(target.and_then(|(instance, index)| *self.units[instance].constants.get(index as usize)?)),
                (Kind::Other, _) => {}
            }
        }
        let imported_globals = values.len() as u32;
        for _ in memories.len() as u32..interface.memories.min(MOST_MEMORIES + 1) {
            memories.push(self.new_memory());
        }
        most("memories", self.memories.into(), MOST_MEMORIES.into())?;
        for _ in tables.len() as u32..interface.tables.min(MOST_TABLES + 1) {
            tables.push(self.new_table());
        }
        most("tables", self.tables.into(), MOST_TABLES.into())?;
        let constants = original.as_ref().map_or_else(|_| Vec::new(), |original| original.constants(&values));
        self.units.push(Unit {
            original,
            own_memories: (own_memories, self.memories - own_memories),
            own_tables: (own_tables, self.tables - own_tables),
            imports: interface.imports.iter().map(|import| (import.module.clone(), import.name.clone())).collect(),
            imported_globals,
            constants,
            first_data,
        });
        let first_global = GlobalIndex(self.globals);
        self.globals = self.globals.saturating_add(interface.globals);
        self.info.instances.push(InstanceInfo { name, module: part, imports, memories, tables, first_global });
        self.interfaces.push(interface);
        Ok(number as u32)
    }

    /// The instance and the index behind a link, if they are of this kind.
    fn target(&self, link: &Link, kind: Kind) -> Option<(usize, u32)> {
        let (found, index) = *self.interfaces.get(link.instance as usize)?.exports.get(&link.export)?;
        (found == kind).then_some((link.instance as usize, index))
    }

    fn new_memory(&mut self) -> MemoryIndex {
        self.memories += 1;
        MemoryIndex(self.memories - 1)
    }

    fn new_table(&mut self) -> u32 {
        self.tables += 1;
        self.tables - 1
    }

    /// The program of a recording, put together again: its numbers must come out the same.
    pub(super) fn recorded(info: &ProgramInfo, modules: &Arc<[u8]>) -> Result<Script, ScriptError> {
        let mut builder = Builder::default();
        for (number, part) in info.modules.iter().enumerate() {
            let start = part.start.0 as usize;
            let bytes = modules.get(start..start + part.length as usize).unwrap_or_default();
            match info.instances.iter().position(|instance| instance.module as usize == number) {
                Some(at) => {
                    let instance = &info.instances[at];
                    let interface = Interface::of(bytes);
                    let made = builder.linked(instance.name.clone(), bytes, interface, instance.imports.clone())?;
                    if made as usize != at {
                        return Err(ScriptError::Recorded(format!("instance {at} is out of order")));
                    }
                }
                None => {
                    builder.module(bytes, (0, 0))?;
                }
            }
        }
        builder.info.directives.clone_from(&info.directives);
        builder.info.texts = info.texts;
        if builder.info != *info {
            return Err(ScriptError::Recorded(
                "its functions, memories or globals are numbered otherwise".to_string(),
            ));
        }
        Ok(builder.finish())
    }

    pub(super) fn finish(self) -> Script {
        Script { info: self.info, modules: self.modules.into(), units: self.units }
    }
}

/// The name of an instance without one.
fn at(line: u32) -> String {
    format!("line-{line}")
}

fn missing(line: u32, what: &str, name: Option<&str>) -> ScriptError {
    let what = match name {
        Some(name) => format!("there is no {what} ${name} before this directive"),
        None => format!("there is no {what} before this directive"),
    };
    ScriptError::Directive { line, what }
}

fn most(what: &'static str, found: u64, most: u64) -> Result<(), ScriptError> {
    if found > most { Err(ScriptError::TooMany { what, found, most }) } else { Ok(()) }
}
