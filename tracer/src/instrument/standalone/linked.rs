//! A program of several modules that records by itself, for commands that link modules by their names.
//!
//! The modules stay apart, so the engine's own linking is what runs. The first module, the *recorder*, holds the buffer memory
//! and the hook, which all others import as from any recorder, and sends frames. The last one, the *driver*, imports what is to
//! be shown and called, and makes the calls. What the recorder needs of the driver, which comes after it, it calls through a
//! table that the driver fills.

mod deferred;
mod exports;

pub(crate) use deferred::deferred;

use super::build::{Added, Build, Outside};
use super::entry::{called, send};
use super::given::{Given, encoded};
use super::images::{self, Images, finish};
use super::layout::{BEGIN, CHECK, DIRECTIVE, INSTANTIATED, RETURNED, SCRATCH_AT, START, VALUE};
use super::log::Answers;
use super::plan::{Plan, Stop};
use super::send::Out;
use super::values::store;
use super::{Types, layout};
use crate::instrument::error::InstrumentError;
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE, START_EXPORT};
use crate::job::{DirectiveJob, ScriptJob};
use crate::values::WasmValue;
use deferred::SEGMENTS;
use exports::{Exports, constant_null};
use std::collections::HashMap;
use wasm_encoder::{ExportKind, Function, ValType};

/// Where a table is that the recorder calls the driver through.
const LATER: &str = "later";
const SEND: &str = "send";
const FLUSH: &str = "flush";
const MEMORY: &str = "memory";

/// A module with one type, of functions without parameters and results.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0";

/// How to make a program that records by itself.
pub(crate) struct LinkedPlan<'a> {
    /// What frames begin with.
    pub(crate) magic: [u64; 2],
    /// The export of the driver that the engine runs.
    pub(crate) entry: &'a str,
    /// From so many bytes of records on, each is sent at once.
    pub(crate) careful: Option<u64>,
    /// Where the program shows its memories and ends.
    pub(crate) stop: Stop,
    /// Whether memories are shown after each call.
    pub(crate) checks: bool,
    /// The last directive, if it is not the program's, of which no call is made.
    pub(crate) last: Option<usize>,
}

/// What surrounds a program.
pub(crate) struct Surroundings {
    pub(crate) recorder: Vec<u8>,
    pub(crate) driver: Vec<u8>,
}

/// A program of several modules, read.
pub(crate) struct Linked<'a> {
    script: &'a ScriptJob,
    exports: Vec<Exports>,
    /// The name under which the engine knows each instance.
    name: fn(u32) -> String,
}

impl<'a> Linked<'a> {
    /// `modules` are those of the instances; `name` says what the engine calls an instance.
    ///
    /// # Errors
    /// When a module cannot be read.
    pub(crate) fn of(
        script: &'a ScriptJob,
        modules: &[Vec<u8>],
        name: fn(u32) -> String,
    ) -> Result<Linked<'a>, InstrumentError> {
        let exports = modules.iter().map(|module| Exports::of(module)).collect::<Result<_, _>>()?;
        Ok(Linked { script, exports, name })
    }

    /// The types of what it tells. The results of a directive have its number.
    ///
    /// # Errors
    /// When it lacks an export that is to be shown or called.
    pub(crate) fn types(&self, sites: u32) -> Result<Types, InstrumentError> {
        let mut types = Types { sites, ..Types::default() };
        for directive in &self.script.directives {
            let told = match directive {
                DirectiveJob::Call { instance, call } => {
                    let null = |value: &WasmValue| !matches!(value, WasmValue::Reference(text) if text != "null");
                    if !call.arguments.iter().all(null) {
                        return Err(reference(&call.function, "takes"));
                    }
                    self.exports(*instance)?.function(&call.function)?.results().to_vec()
                }
                DirectiveJob::Get { instance, global } => {
                    vec![self.exports(*instance)?.global(global)?.content_type]
                }
                _ => Vec::new(),
            };
            if told.iter().any(|ty| matches!(ty, wasmparser::ValType::Ref(_))) {
                return Err(reference("a directive", "gives"));
            }
            types.calls.push(told);
        }
        for (instance, exports) in self.script.instances.iter().zip(&self.exports) {
            for name in &instance.globals {
                types.globals.push(exports.global(name)?.content_type);
            }
            for name in &instance.memories {
                types.page_sizes.push(1 << exports.memory(name)?.page_size_log2.unwrap_or(16));
            }
            types.hooked |= exports.hooked;
        }
        Ok(types)
    }

    fn exports(&self, instance: u32) -> Result<&Exports, InstrumentError> {
        let why = || InstrumentError::Standalone { why: format!("there is no instance {instance}") };
        self.exports.get(instance as usize).ok_or_else(why)
    }

    /// The modules before and after the program's.
    ///
    /// # Errors
    /// When something cannot be said in a module.
    pub(crate) fn surroundings(&self, plan: &LinkedPlan) -> Result<Surroundings, InstrumentError> {
        let answers = Answers::default();
        let mut inner = Plan {
            magic: plan.magic,
            entry: plan.entry,
            has_start: false,
            calls: &[],
            globals: &[],
            tables: &[],
            memories: 0,
            answers: &answers,
            careful: plan.careful,
            shows_state: false,
            stop: plan.stop,
        };
        let recorder = recorder(&inner)?;
        let mut outside = Outside::default();
        let mut given = Given::read(EMPTY)?;
        let (mut globals, mut tables) = (Vec::new(), Vec::new());
        for ((number, instance), exports) in (0..).zip(&self.script.instances).zip(&self.exports) {
            let module = (self.name)(number);
            for name in &instance.memories {
                given.memories.push(exports.memory(name)?);
                outside.memories.push((module.clone(), name.clone()));
            }
            for name in &instance.tables {
                tables.push(self.table(&mut given, &mut outside, number, name)?);
            }
            for name in &instance.globals {
                globals.push(self.global(&mut given, &mut outside, number, name)?);
            }
        }
        let memories = given.memories.len() as u32;
        (inner.globals, inner.tables, inner.memories) = (&globals, &tables, memories);
        self.driver(plan, &inner, given, outside).map(|driver| Surroundings { recorder, driver })
    }

    /// Has the driver import a global, and gives the name under which it is known there.
    fn global(
        &self,
        given: &mut Given<'static>,
        outside: &mut Outside,
        instance: u32,
        name: &str,
    ) -> Result<String, InstrumentError> {
        let ty = self.exports(instance)?.global(name)?;
        let known = format!("global {}", given.globals.len());
        given.exports.insert(known.clone(), (wasmparser::ExternalKind::Global, given.globals.len() as u32));
        given.globals.push(wasmparser::Global { ty, init_expr: constant_null() });
        outside.globals.push(((self.name)(instance), name.to_string()));
        Ok(known)
    }

    /// The same for a table.
    fn table(
        &self,
        given: &mut Given<'static>,
        outside: &mut Outside,
        instance: u32,
        name: &str,
    ) -> Result<String, InstrumentError> {
        let ty = self.exports(instance)?.table(name)?;
        let known = format!("table {}", given.tables.len());
        given.exports.insert(known.clone(), (wasmparser::ExternalKind::Table, given.tables.len() as u32));
        given.tables.push(wasmparser::Table { ty, init: wasmparser::TableInit::RefNull });
        outside.tables.push(((self.name)(instance), name.to_string()));
        Ok(known)
    }

    fn driver(
        &self,
        plan: &LinkedPlan,
        inner: &Plan,
        mut given: Given<'static>,
        mut outside: Outside,
    ) -> Result<Vec<u8>, InstrumentError> {
        // Globals that are read come after those that are shown.
        let mut read = HashMap::new();
        for directive in &self.script.directives {
            if let DirectiveJob::Get { instance, global } = directive {
                let known = self.global(&mut given, &mut outside, *instance, global)?;
                read.insert((*instance, global.as_str()), known);
            }
        }
        let recorder = |name: &str| (IMPORT_MODULE.to_string(), name.to_string());
        let buffer = given.memories.len() as u32;
        given.memories.push(buffer_type(inner));
        outside.memories.push(recorder(MEMORY));
        let later = given.tables.len() as u32;
        given.tables.push(wasmparser::Table { ty: LATER_TYPE, init: wasmparser::TableInit::RefNull });
        outside.tables.push(recorder(LATER));
        // What is called, and then what sends.
        let mut called = HashMap::new();
        let mut imports = Vec::new();
        for (instance, function) in self.functions().flatten() {
            if called.contains_key(&(instance, function)) {
                continue;
            }
            let ty = self.exports(instance)?.function(function)?;
            let types = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, InstrumentError> {
                types.iter().map(|ty| exports::known(*ty)).collect()
            };
            let signature = (types(ty.params())?, types(ty.results())?);
            called.insert((instance, function), imports.len() as u32);
            imports.push(((self.name)(instance), function.to_string(), signature));
        }
        let kept = imports.len() as u32;
        let words = vec![ValType::I32; 3];
        imports.push((IMPORT_MODULE.to_string(), SEND.to_string(), (words, Vec::new())));
        imports.push((IMPORT_MODULE.to_string(), FLUSH.to_string(), (Vec::new(), Vec::new())));
        let mut build = Build::new(given, imports)?;
        build.outside = outside;
        let out = Out::imported(&mut build, buffer, kept);
        let images = images::define(&mut build, &out, inner)?;
        let entry = self.entry(plan, &mut build, &out, &images, &called, &read)?;
        let give_up = build.index(out.give_up);
        build.fill = Some((later, give_up));
        let index = build.index(entry);
        build.export(plan.entry, ExportKind::Func, index);
        build.finish(&Default::default())
    }

    /// Everything that is called: instance and export.
    fn functions(&self) -> impl Iterator<Item = Option<(u32, &str)>> {
        self.script.directives.iter().flat_map(|directive| match directive {
            DirectiveJob::Call { instance, call } => [Some((*instance, call.function.as_str())), None],
            DirectiveJob::Instantiate { instance } => {
                let number = *instance as usize;
                let starts = self.script.instances.get(number).is_some_and(|made| made.has_start);
                let copies = self.exports.get(number).is_some_and(|exports| exports.has_function(SEGMENTS));
                [starts.then_some((*instance, START_EXPORT)), copies.then_some((*instance, SEGMENTS))]
            }
            _ => [None, None],
        })
    }

    fn entry(
        &self,
        plan: &LinkedPlan,
        build: &mut Build,
        out: &Out,
        images: &Images,
        functions: &HashMap<(u32, &str), u32>,
        read: &HashMap<(u32, &str), String>,
    ) -> Result<Added, InstrumentError> {
        let missing = || InstrumentError::Standalone { why: "a directive has no instance".to_string() };
        let mut directives = Vec::new();
        let mut next = 0;
        for (number, directive) in
            (0..).zip(&self.script.directives).take(plan.last.map_or(usize::MAX, |last| last + 1))
        {
            let mut body = Function::new([]);
            let mut code = body.instructions();
            code.i32_const(SCRATCH_AT as i32).i32_const(number as i32).i32_store(out.at(0));
            send(build, out, &mut code, DIRECTIVE, 4);
            let mut calls = None;
            match directive {
                DirectiveJob::Instantiate { instance } => {
                    let made = self.script.instances.get(*instance as usize).ok_or_else(missing)?;
                    if let Some(copies) = functions.get(&(*instance, SEGMENTS)) {
                        code.call(*copies);
                    }
                    for _ in &made.memories {
                        code.call(build.index(*images.each.get(next).ok_or_else(missing)?));
                        next += 1;
                    }
                    send(build, out, &mut code, INSTANTIATED, 0);
                    if made.has_start {
                        let function = *functions.get(&(*instance, START_EXPORT)).ok_or_else(missing)?;
                        calls = Some(called(build, out, START, function, (Vec::new(), Vec::new()), &[])?);
                    }
                }
                DirectiveJob::Call { instance, call } => {
                    let function = *functions.get(&(*instance, call.function.as_str())).ok_or_else(missing)?;
                    let signature = build.kept(function);
                    calls = Some(called(build, out, number, function, signature, &call.arguments)?);
                }
                DirectiveJob::Get { instance, global } => {
                    let known = read.get(&(*instance, global.as_str())).ok_or_else(missing)?;
                    let index = build.given.export(known, wasmparser::ExternalKind::Global).ok_or_else(missing)?;
                    let ty = build.given.globals.get(index as usize).ok_or_else(missing)?.ty.content_type;
                    code.i32_const(SCRATCH_AT as i32).global_get(index);
                    store(encoded(ty)?, out.at(0), &mut code);
                    send(build, out, &mut code, RETURNED, VALUE);
                }
                DirectiveJob::Check { .. } => {
                    let why = "a command makes an instance of each module that it reads".to_string();
                    return Err(InstrumentError::Standalone { why });
                }
            }
            if let Some(calls) = calls.filter(|_| plan.last != Some(number as usize)) {
                code.call(build.index(calls));
                if plan.checks {
                    // Those of later modules are there, but not in the program's order.
                    for image in images.each.iter().take(next) {
                        code.call(build.index(*image));
                    }
                    send(build, out, &mut code, CHECK, 0);
                }
            }
            code.end();
            let added = build.declare(&[], &[]);
            build.define(added, body);
            directives.push(added);
        }
        let entry = build.declare(&[], &[]);
        let mut body = Function::new([]);
        let mut code = body.instructions();
        send(build, out, &mut code, BEGIN, 0);
        for directive in directives {
            code.call(build.index(directive));
        }
        code.i32_const(SCRATCH_AT as i32).i32_const(START as i32).i32_store(out.at(0));
        send(build, out, &mut code, DIRECTIVE, 4);
        finish(build, out, images.all, &mut code);
        code.end();
        build.define(entry, body);
        Ok(entry)
    }
}

/// Of a reference, a module can say no more than whether it is null.
fn reference(what: &str, does: &str) -> InstrumentError {
    InstrumentError::Standalone { why: format!("{} {does} a reference", what.escape_debug()) }
}

/// The table through which the recorder calls the driver.
const LATER_TYPE: wasmparser::TableType = wasmparser::TableType {
    element_type: wasmparser::RefType::FUNCREF,
    table64: false,
    initial: 1,
    maximum: Some(1),
    shared: false,
};

fn buffer_pages(plan: &Plan) -> u64 {
    u64::from(layout::LOG_AT >> 16) + plan.answers.pages()
}

fn buffer_type(plan: &Plan) -> wasmparser::MemoryType {
    let pages = buffer_pages(plan);
    wasmparser::MemoryType {
        memory64: false,
        shared: false,
        initial: pages,
        maximum: Some(pages),
        page_size_log2: None,
    }
}

/// The module that all others tell their events.
fn recorder(plan: &Plan) -> Result<Vec<u8>, InstrumentError> {
    let mut given = Given::read(EMPTY)?;
    given.tables.push(wasmparser::Table { ty: LATER_TYPE, init: wasmparser::TableInit::RefNull });
    let mut build = Build::new(given, vec![super::fd_write()])?;
    let buffer = build.memory(buffer_pages(plan));
    let out = Out::declare(&mut build, buffer, Out::first_limit(plan));
    out.define(&mut build, plan);
    let mut body = Function::new([]);
    body.instructions().i32_const(0).call_indirect(0, 0).unreachable().end();
    build.define(out.give_up, body);
    let i64 = ValType::I64;
    let event = build.declare(&[ValType::I32, i64, i64, i64], &[]);
    let body = out.event_body(&build);
    build.define(event, body);
    for (name, function) in [(HOOK_IMPORT, event), (SEND, out.send), (FLUSH, out.flush)] {
        let index = build.index(function);
        build.export(name, ExportKind::Func, index);
    }
    build.export(MEMORY, ExportKind::Memory, buffer);
    build.export(LATER, ExportKind::Table, 0);
    build.finish(&Default::default())
}
