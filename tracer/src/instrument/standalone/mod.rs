//! Makes a module that records by itself: for engines that can be had only as a command.
//!
//! It is made of one that calls a hook ([`Style::Hooks`](super::Style::Hooks)), so sites and events are those of any
//! other recording, or of one that only exposes its state. All imports get bodies: the hook's appends to a buffer, others
//! answer from a host log. The calls of the run, with their arguments, become one function without any. What is to be
//! known leaves the module in frames ([`layout`]) by WASI's `fd_write`, whose memory is the buffer: a second one, which
//! the guest's code cannot reach.

mod answer;
mod answered;
mod build;
mod code;
mod entry;
mod given;
mod host;
mod images;
pub(crate) mod layout;
mod linked;
mod log;
mod plan;
mod query;
mod send;
mod values;

pub(crate) use answer::{Asked, answering};
pub(crate) use linked::{Linked, LinkedPlan, deferred};
pub(crate) use log::Answers;
pub(crate) use plan::{Plan, Stop};
pub(crate) use query::{Folded, Form, Query, What, check, fold_memory, words};
pub(crate) use values::value;

use super::error::InstrumentError;
use crate::job::ExportCall;
use build::Build;
use code::Between;
use given::{Given, is_hook};
use send::Out;
use std::collections::BTreeSet;
use wasm_encoder::{ExportKind, ValType};
use wasmparser::ExternalKind;

/// Types of the values that a module tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types {
    /// Results of the run's calls.
    pub(crate) calls: Vec<Vec<wasmparser::ValType>>,
    /// Globals that are shown.
    pub(crate) globals: Vec<wasmparser::ValType>,
    /// Parameters of imported functions.
    pub(crate) imports: Vec<Vec<wasmparser::ValType>>,
    /// Bytes in a page of each memory.
    pub(crate) page_sizes: Vec<u64>,
    /// How many sites it has.
    pub(crate) sites: u32,
    /// Whether it records: it imports the hook.
    pub(crate) hooked: bool,
}

impl Types {
    /// Those of a rewritten module that makes these calls and shows these globals.
    ///
    /// # Errors
    /// When it imports what cannot be answered inside.
    pub(crate) fn of(module: &[u8], calls: &[ExportCall], globals: &[String]) -> Result<Types, InstrumentError> {
        let given = Given::read(module)?;
        let results = |call: &ExportCall| {
            let function = given.export(&call.function, ExternalKind::Func);
            function.and_then(|function| given.signature(function)).map_or(Vec::new(), |ty| ty.results().to_vec())
        };
        let global = |export: &String| {
            let global = given.export(export, ExternalKind::Global)?;
            Some(given.globals.get(global as usize)?.ty.content_type)
        };
        let parameters = |function| given.signature(function).map_or(Vec::new(), |ty| ty.params().to_vec());
        Ok(Types {
            calls: calls.iter().map(results).collect(),
            globals: globals.iter().filter_map(global).collect(),
            imports: (0..given.imported.len() as u32).map(parameters).collect(),
            sites: 0,
            hooked: given.imported.iter().any(is_hook),
            page_sizes: given.memories.iter().map(|memory| 1 << memory.page_size_log2.unwrap_or(16)).collect(),
        })
    }
}

/// The import by which frames leave.
fn fd_write() -> build::Import {
    let signature = (vec![ValType::I32; 4], vec![ValType::I32]);
    (forkpoint_traces::wasi::MODULE.to_string(), "fd_write".to_string(), signature)
}

/// Makes a module that sends what it does as frames.
///
/// # Errors
/// When the module imports what cannot be answered inside, or grows beyond what engines accept.
pub(crate) fn stream(module: &[u8], plan: &Plan) -> Result<Vec<u8>, InstrumentError> {
    let given = Given::read(module)?;
    let hook = given.imported.iter().position(is_hook).map(|hook| hook as u32);
    let mut build = Build::new(given, vec![fd_write()])?;
    let pages = u64::from(layout::LOG_AT >> 16) + plan.answers.pages();
    let buffer = build.memory(pages);
    let out = Out::declare(&mut build, buffer, send::LIMIT);
    out.define(&mut build, plan);
    if let Some(hook) = hook {
        let body = out.event_body(&build);
        let added = build.import(hook);
        build.define(added, body);
    }
    let images = images::define(&mut build, &out, plan)?.all;
    host::define(&mut build, &out, plan, hook)?;
    let entry = entry::define(&mut build, &out, plan, images, Out::first_limit(plan))?;
    build.export("memory", ExportKind::Memory, buffer);
    let index = build.index(entry);
    build.export(plan.entry, ExportKind::Func, index);
    let mut between = Between::default();
    if let Some(at) = plan.careful.filter(|_| plan.shows_state) {
        let globals = plan.globals.iter().filter_map(|name| build.given.export(name, ExternalKind::Global));
        let globals: BTreeSet<u32> = globals.collect();
        if !globals.is_empty() {
            let then = out.state_if_careful(&mut build, at);
            between.after_set = Some((globals, build.index(then)));
        }
    }
    build.finish(&between)
}
