//! What a report says of the two runs whether or not they diverge: module, engines, settings.

use super::parts::{ModuleReport, SideReport};
use crate::assertions::Assertions;
use crate::describe::{describe, describe_with_place, variable_of};
use crate::error::ReplayError;
use crate::limits::PageLimit;
use crate::side::Side;
use crate::signature::EventShape;
use crate::symbols::{Symbols, printable, printable_lines};
use crate::timeline::Timeline;
use crate::typed::TypedValue;
use forkpoint_traces::{EngineInfo, Event, Hex, Milestone, SiteTable};
use wasmparser::{Parser, Payload, TypeRef};

pub(crate) fn module(timeline: &Timeline) -> ModuleReport {
    let module = &timeline.trace().header().module;
    ModuleReport { name: printable(&module.name), bytes: module.length, blake3: module.hash_hex() }
}

/// What the specification says, as the recorder of this trace found it.
pub(super) fn specification(timeline: &Timeline) -> String {
    let header = timeline.trace().header();
    if header.program.is_some() {
        return "asked for each module alone, by what the program expects".to_string();
    }
    let switches = header.features.run.join(" ");
    let with = if switches.is_empty() { String::new() } else { format!(" with {}", printable(&switches)) };
    match (&header.specification.invalid, header.specification.beyond.as_slice()) {
        (Some((message, offset)), _) => format!("not valid{with}: {} at {offset:#x}", printable(message)),
        (None, []) => format!("valid WebAssembly 3.0{with}"),
        (None, beyond) => format!("valid WebAssembly 3.0{with} and {}", printable(&beyond.join(", "))),
    }
}

/// Whether a module has imports that a host answers.
fn imports_functions(module: &[u8]) -> bool {
    let sections = Parser::new(0).parse_all(module).map_while(Result::ok);
    let imports = sections.filter_map(|section| match section {
        Payload::ImportSection(imports) => Some(imports),
        _ => None,
    });
    imports
        .flat_map(|imports| imports.into_imports())
        .any(|import| import.is_ok_and(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))))
}

/// What did not run under the engines of both sides.
pub(super) fn not_asked(lhs: &Timeline, rhs: &Timeline) -> Vec<String> {
    let [left, right] = [lhs, rhs].map(|timeline| timeline.trace().header());
    let mut sentences = Vec::new();
    let preloads: Vec<&str> =
        left.host.preloads.iter().map(|preload| preload.split('=').next().unwrap_or_default()).collect();
    if !preloads.is_empty() {
        let names = printable(&preloads.join(", "));
        sentences.push(format!("the modules of --preload ({names}) ran in wasmi, and not under these engines"));
    }
    let program = left.program.is_some();
    if !program && (left.host.replayed || right.host.replayed) && imports_functions(lhs.trace().module()) {
        let side = match (left.host.replayed, right.host.replayed) {
            (true, true) => "both sides",
            (true, false) => Side::Lhs.word(),
            _ => Side::Rhs.word(),
        };
        sentences.push(format!("host calls of {side} were answered from a recording"));
    }
    sentences
}

/// The user's settings that differ between the sides.
pub(super) fn asked_for(lhs: &Timeline, rhs: &Timeline) -> Vec<String> {
    let (left, right) = (lhs.trace().header(), rhs.trace().header());
    let mut differences = Vec::new();
    if left.limits.memory_pages != right.limits.memory_pages {
        let words = |pages: Option<u64>| pages.map_or("none".to_string(), |pages| format!("{pages} pages"));
        let (lhs, rhs) = (words(left.limits.memory_pages), words(right.limits.memory_pages));
        differences.push(format!("the sides have different limits on memory pages: lhs {lhs}, rhs {rhs}"));
    }
    if left.features != right.features {
        let words =
            |words: &[String]| if words.is_empty() { "none".to_string() } else { printable(&words.join(" ")) };
        let (lhs, rhs) = (words(&left.features.run), words(&right.features.run));
        differences.push(format!("the sides have different proposals switched: lhs {lhs}, rhs {rhs}"));
    }
    differences
}

/// The engine setting that names the host that answered for it.
const HOST: &str = "host";

/// The mode of engines that are commands.
const COMMAND: &str = "command";

/// An engine's name and version, and what it makes code for.
fn version(engine: &EngineInfo) -> String {
    if engine.mode == COMMAND {
        // Nothing is known of it but its program.
        let setting = |wanted: &str| engine.settings.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let program = setting("program").zip(setting("program XXH3"));
        let program = program.map_or(String::new(), |(path, digest)| format!(", {path}, XXH3 {digest}"));
        return format!("{}, a command of unknown version{program}", engine.name);
    }
    let features = match engine.cpu_features.as_slice() {
        [] => "baseline CPU".to_string(),
        features => features.join(" "),
    };
    format!("{} {}, {}, {features}", engine.name, engine.version, engine.target)
}

pub(crate) fn side(timeline: &mut Timeline) -> Result<SideReport, ReplayError> {
    let outcome = timeline.trace_mut().outcome()?;
    let page_limit = PageLimit::of(timeline)?;
    let assertions = Assertions::of(timeline)?;
    let trace = timeline.trace();
    let engine = &trace.header().engine;
    let host = engine.settings.iter().find(|(name, _)| name == HOST);
    Ok(SideReport {
        engine: printable(&engine.spec),
        version: printable(&version(engine)),
        host: host.filter(|_| !trace.header().host.replayed).map(|(_, host)| printable(host)),
        outcome,
        message: trace.message().map(printable_lines),
        offset: trace.words().offset,
        code: trace.words().code.as_deref().map(printable),
        last_words: trace.words().last_words.as_deref().map(printable_lines),
        page_limit,
        assertions,
        events: trace.events(),
        complete: trace.is_complete(),
        event: None,
        site: None,
        address: None,
        width: None,
        bytes: None,
        value: None,
        variable: None,
        after: None,
        shape: None,
    })
}

impl SideReport {
    /// Fills in the event at the divergence.
    pub(super) fn describe(&mut self, event: Option<&Event>, sites: &SiteTable, symbols: &Symbols) {
        let Some(event) = event else { return };
        // Both sides may have trapped, each at a different place.
        self.event = Some(match event {
            Event::Milestone(Milestone::Trapped { .. }) => describe_with_place(event, sites, symbols),
            event => describe(event, sites, symbols),
        });
        self.shape = Some(EventShape::of(event));
        self.value = TypedValue::of(event, sites, symbols);
        self.variable = variable_of(event, sites, symbols);
        if let Some((_, address, length)) = event.written() {
            self.address = Some(address);
            self.width = Some(length);
        }
        self.bytes = match event {
            Event::Fill { byte, .. } => Some(Hex(vec![*byte])),
            other => other.bytes().map(|bytes| Hex(bytes[..bytes.len().min(64)].to_vec())),
        };
    }
}
