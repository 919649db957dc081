//! Programs of several modules: what a trace's numbers mean where it is not of a single module.
//!
//! The module block of such a trace holds all modules, one after the other, and the trace numbers everything through:
//! offsets are those in the block, functions, data segments, memories, tables and globals are counted over the whole
//! program. A memory that instances share is one memory. So whatever reads events needs to know nothing of this;
//! whatever shows them translates by [`ProgramInfo`].

use crate::error::TraceError;
use crate::header::Call;
use crate::ids::{CodeOffset, DataIndex, FuncIndex, GlobalIndex, MemoryIndex};
use crate::outcome::Stage;
use crate::value::WasmValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A program of several modules, and what was done with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgramInfo {
    /// The modules, in the order of the module block, which they fill without gaps.
    pub modules: Vec<ModulePart>,
    /// The instances, in the order in which they are made.
    pub instances: Vec<InstanceInfo>,
    /// What was asked for, in order.
    pub directives: Vec<Directive>,
    /// How many directives of the script are about the text format alone, so that no engine sees them: they are left out.
    pub texts: u32,
}

/// A module of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModulePart {
    /// Offset of its first byte in the module block.
    pub start: CodeOffset,
    /// Its length in bytes.
    pub length: u32,
    /// The number of its function 0.
    pub first_function: FuncIndex,
    /// The number of its data segment 0.
    pub first_data: DataIndex,
}

/// An instance of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceInfo {
    /// What it is called in reports: its name in the script or on the command line, else its place.
    pub name: String,
    /// Its module, an index into [`ProgramInfo::modules`]. No other instance has the same one: a module that is
    /// instantiated twice is there twice, so that a function's number tells the instance, too.
    pub module: u32,
    /// What each of its imports is, in order; `None` where nothing of that name exists.
    pub imports: Vec<Option<Link>>,
    /// The numbers of its memories, imported ones first.
    pub memories: Vec<MemoryIndex>,
    /// The numbers of its tables, imported ones first.
    pub tables: Vec<u32>,
    /// The number of its global 0.
    pub first_global: GlobalIndex,
}

/// An export of an earlier instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The instance, an index into [`ProgramInfo::instances`].
    pub instance: u32,
    /// The export's name.
    pub export: String,
}

/// One thing that was asked for, and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// Its line in the script, from 1; 0 where there is no script.
    pub line: u32,
    /// What is done.
    pub action: Action,
    /// What is to become of it.
    pub expected: Expected,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// An instance is made, and its start function is called.
    Instantiate {
        /// Which.
        instance: u32,
    },
    /// The engine validates and compiles a module, and nothing of it is instantiated.
    Check {
        /// Which.
        module: u32,
    },
    /// An export of an instance is called. All arguments are values.
    Call {
        /// Of which instance.
        instance: u32,
        /// The call.
        call: Call,
    },
    /// An exported global is read.
    Get {
        /// Of which instance.
        instance: u32,
        /// The export's name.
        global: String,
    },
}

/// What is to become of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// It succeeds, whatever the results.
    Success,
    /// It succeeds with these results: for each, one of several patterns.
    Results(Vec<Vec<Pattern>>),
    /// It traps, but not for want of stack.
    Trap,
    /// It traps for want of stack.
    Exhaustion,
    /// The module is refused as not valid or not well-formed.
    Invalid,
    /// The module is refused because of its imports.
    Unlinkable,
    /// It ends with an exception that nobody catches.
    Exception,
    /// It ends with a suspension that nobody handles.
    Suspension,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The value. For a reference the kind is enough where it has no number: `extern` is any `extern 5`.
    pub value: WasmValue,
    /// The bits of a number that count, little endian; the rest may be anything. Unused for references.
    pub mask: [u8; 16],
}

/// What became of a directive, in the words of the specification's scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became<'a> {
    /// It succeeded with these results.
    Done(&'a [WasmValue]),
    /// It trapped.
    Trapped(crate::outcome::TrapKind),
    /// The module was refused at a stage.
    Refused(Stage),
    /// It could not be done: the instance that it needs does not exist.
    Impossible,
}

impl Pattern {
    /// Exactly this value.
    pub fn exactly(value: WasmValue) -> Pattern {
        Pattern { value, mask: [0xff; 16] }
    }

    /// Whether a value fits.
    pub fn fits(&self, value: &WasmValue) -> bool {
        if let (WasmValue::Reference(kind), WasmValue::Reference(found)) = (&self.value, value) {
            return reference_fits(kind, found);
        }
        let (Some(expected), Some(found)) = (bits(&self.value), bits(value)) else { return false };
        let mask = u128::from_le_bytes(self.mask);
        std::mem::discriminant(&self.value) == std::mem::discriminant(value) && (expected ^ found) & mask == 0
    }
}

/// Whether a reference is of the kind that is expected: a kind without a number, or a wider one, includes it.
fn reference_fits(expected: &str, found: &str) -> bool {
    let kind = found.split(' ').next().unwrap_or_default();
    found == expected
        || kind == expected
        || expected == "any" && matches!(kind, "host" | "i31" | "struct" | "array")
        || expected == "eq" && matches!(kind, "i31" | "struct" | "array")
        || expected == "extern" && kind == "host"
}

fn bits(value: &WasmValue) -> Option<u128> {
    Some(match value {
        WasmValue::I32(value) => u128::from(*value as u32),
        WasmValue::I64(value) => u128::from(*value as u64),
        WasmValue::F32(bits) => u128::from(*bits),
        WasmValue::F64(bits) => u128::from(*bits),
        WasmValue::V128(bytes) => u128::from_le_bytes(*bytes),
        WasmValue::Reference(_) => return None,
    })
}

impl Expected {
    /// Whether what became of a directive is what the script says.
    pub fn holds(&self, became: &Became<'_>) -> bool {
        use crate::outcome::TrapKind;
        match (self, became) {
            (Expected::Success, Became::Done(_)) => true,
            (Expected::Results(expected), Became::Done(values)) => {
                let fits = |(patterns, value): (&Vec<Pattern>, &WasmValue)| patterns.iter().any(|p| p.fits(value));
                expected.len() == values.len() && expected.iter().zip(*values).all(fits)
            }
            (Expected::Trap, Became::Trapped(trap)) => {
                !matches!(trap, TrapKind::StackOverflow | TrapKind::UncaughtException)
            }
            (Expected::Exhaustion, Became::Trapped(trap)) => *trap == TrapKind::StackOverflow,
            (Expected::Exception, Became::Trapped(trap)) => *trap == TrapKind::UncaughtException,
            (Expected::Suspension, Became::Trapped(trap)) => *trap == TrapKind::Other,
            (Expected::Invalid, Became::Refused(stage)) => *stage < Stage::Instantiate,
            (Expected::Unlinkable, Became::Refused(stage)) => *stage == Stage::Instantiate,
            _ => false,
        }
    }

    /// Whether it is an assertion, and not just something that a script does.
    pub fn is_assertion(&self) -> bool {
        *self != Expected::Success
    }
}

impl ProgramInfo {
    /// The module that holds the byte at `offset`.
    pub fn module_at(&self, offset: CodeOffset) -> Option<u32> {
        let after = self.modules.partition_point(|module| module.start <= offset);
        u32::try_from(after.checked_sub(1)?).ok()
    }

    /// The module of a function.
    pub fn module_of(&self, func: FuncIndex) -> Option<u32> {
        let after = self.modules.partition_point(|module| module.first_function <= func);
        u32::try_from(after.checked_sub(1)?).ok()
    }

    /// The instance that has this module.
    pub fn instance_of(&self, module: u32) -> Option<u32> {
        let instance = self.instances.iter().position(|instance| instance.module == module)?;
        u32::try_from(instance).ok()
    }

    /// The instance that a memory belongs to: the first one that has it.
    pub fn owner(&self, memory: MemoryIndex) -> Option<u32> {
        let owner = self.instances.iter().position(|instance| instance.memories.contains(&memory))?;
        u32::try_from(owner).ok()
    }

    /// How many directives are assertions.
    pub fn assertions(&self) -> usize {
        self.directives.iter().filter(|directive| directive.expected.is_assertion()).count()
    }

    /// Checks that all numbers make sense for a module block of `length` bytes, so that nobody needs to do so later.
    pub(crate) fn check(&self, length: usize) -> Result<(), TraceError> {
        let wrong = |what: String| Err(TraceError::corrupt(0, format!("the program in the header: {what}")));
        let mut at = 0u64;
        let mut before: Option<&ModulePart> = None;
        for (number, module) in self.modules.iter().enumerate() {
            if u64::from(module.start.0) != at {
                return wrong(format!("module {number} begins at {}, expected {at:#x}", module.start));
            }
            at += u64::from(module.length);
            let follows = |before: &ModulePart| {
                before.first_function <= module.first_function && before.first_data.0 <= module.first_data.0
            };
            if !before.is_none_or(follows) {
                return wrong(format!("the functions or data segments of module {number} precede earlier ones"));
            }
            before = Some(module);
        }
        if at != length as u64 {
            return wrong(format!("its modules have {at} bytes, and the module block has {length}"));
        }
        let mut taken = BTreeSet::new();
        for (number, instance) in self.instances.iter().enumerate() {
            let earlier = |link: &Link| (link.instance as usize) < number;
            if instance.module as usize >= self.modules.len()
                || !taken.insert(instance.module)
                || !instance.imports.iter().flatten().all(earlier)
            {
                return wrong(format!(
                    "instance {number} names a module or an instance that is not there, or is another's"
                ));
            }
        }
        for (number, directive) in self.directives.iter().enumerate() {
            let there = match &directive.action {
                Action::Instantiate { instance } | Action::Call { instance, .. } | Action::Get { instance, .. } => {
                    (*instance as usize) < self.instances.len()
                }
                Action::Check { module } => (*module as usize) < self.modules.len(),
            };
            if !there {
                return wrong(format!("directive {number} names a module or an instance that is not there"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::TrapKind;

    fn reference(text: &str) -> WasmValue {
        WasmValue::Reference(text.to_string())
    }

    #[test]
    fn values_fit_by_their_bits_and_references_by_their_kind() {
        let canonical =
            Pattern { value: WasmValue::F32(0x7fc0_0000), mask: u128::from(0x7fff_ffffu32).to_le_bytes() };
        assert!(canonical.fits(&WasmValue::F32(0xffc0_0000)) && !canonical.fits(&WasmValue::F32(0x7fc0_0001)));
        assert!(!canonical.fits(&WasmValue::I32(0x7fc0_0000)));
        for (expected, found, fits) in [
            ("null", "null", true),
            ("extern", "extern 5", true),
            ("extern 5", "extern 6", false),
            ("any", "i31 3", true),
            ("eq", "host 3", false),
            ("func", "null", false),
        ] {
            assert_eq!(Pattern::exactly(reference(expected)).fits(&reference(found)), fits, "{expected} {found}");
        }
    }

    #[test]
    fn an_assertion_holds_or_does_not() {
        let one = Expected::Results(vec![vec![Pattern::exactly(WasmValue::I32(1))]]);
        assert!(one.holds(&Became::Done(&[WasmValue::I32(1)])) && !one.holds(&Became::Done(&[])));
        assert!(!one.holds(&Became::Trapped(TrapKind::Unreachable)));
        assert!(Expected::Trap.holds(&Became::Trapped(TrapKind::Unreachable)));
        assert!(!Expected::Trap.holds(&Became::Trapped(TrapKind::StackOverflow)));
        assert!(Expected::Invalid.holds(&Became::Refused(Stage::Validate)));
        assert!(!Expected::Unlinkable.holds(&Became::Refused(Stage::Validate)));
        assert!(!Expected::Success.is_assertion() && Expected::Trap.is_assertion());
    }

    #[test]
    fn a_program_that_contradicts_itself_is_refused() {
        let module = |start, length, first_function| ModulePart {
            start: CodeOffset(start),
            length,
            first_function: FuncIndex(first_function),
            first_data: DataIndex(0),
        };
        let instance = |module, link: Option<u32>| InstanceInfo {
            name: String::new(),
            module,
            imports: link.map(|instance| Some(Link { instance, export: String::new() })).into_iter().collect(),
            memories: vec![MemoryIndex(0)],
            tables: Vec::new(),
            first_global: GlobalIndex(0),
        };
        let sound = ProgramInfo {
            modules: vec![module(0, 8, 0), module(8, 12, 3)],
            instances: vec![instance(0, None), instance(1, Some(0))],
            directives: vec![Directive {
                line: 1,
                action: Action::Instantiate { instance: 1 },
                expected: Expected::Success,
            }],
            texts: 0,
        };
        assert!(sound.check(20).is_ok() && sound.check(21).is_err());
        assert_eq!((sound.module_at(CodeOffset(7)), sound.module_at(CodeOffset(8))), (Some(0), Some(1)));
        assert_eq!((sound.module_of(FuncIndex(2)), sound.module_of(FuncIndex(3))), (Some(0), Some(1)));
        assert_eq!((sound.instance_of(1), sound.instance_of(2)), (Some(1), None));
        assert_eq!((sound.owner(MemoryIndex(0)), sound.owner(MemoryIndex(1))), (Some(0), None));
        let broken: [fn(&mut ProgramInfo); 6] = [
            |program| program.modules[1].start = CodeOffset(9),
            |program| program.modules[0].first_function = FuncIndex(9),
            |program| program.instances[1].module = 2,
            |program| program.instances[0].imports = vec![Some(Link { instance: 0, export: String::new() })],
            |program| program.instances[1].module = 0,
            |program| program.directives[0].action = Action::Check { module: 2 },
        ];
        for spoil in broken {
            let mut program = sound.clone();
            spoil(&mut program);
            assert!(program.check(20).is_err(), "{program:?}");
        }
    }
}
