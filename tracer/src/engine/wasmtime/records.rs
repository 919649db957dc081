//! How events leave the guest: the full buffer, the hook, and checks of memory in between.

use super::state::State;
use crate::engine::drive::{Visit, go_on};
use crate::engine::lent::views;
use crate::engine::session::Next;
use crate::instrument::{FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, host_records};
use crate::shared;
use forkpoint_traces::HostEvent;
use std::io;
use wasmtime::{AsContextMut, Caller, Linker};

/// Defines the recorder's own imports.
pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, State>, _: u32| flush(&mut caller))?;
    linker.func_wrap(
        IMPORT_MODULE,
        HOOK_IMPORT,
        |mut caller: Caller<'_, State>, site: u32, first: u64, second: u64, third: u64| {
            let session = caller.data_mut().session.as_mut();
            let next = session.map_or(Next::Stop, |session| session.event(site, [first, second, third]));
            Ok(go_on(next, |look| visit(&mut caller, look))?)
        },
    )?;
    Ok(())
}

/// The rewritten module's buffer is full.
fn flush(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    let taken = take_block(&mut *caller);
    let next = caller.data_mut().session.as_mut().map_or(Next::Stop, |session| session.after_block(taken));
    Ok(go_on(next, |look| visit(caller, look))?)
}

/// Puts a step of a host call among the guest's own records.
pub(super) fn host(mut store: impl AsContextMut<Data = State>, event: &HostEvent) -> io::Result<()> {
    host_records(event).iter().try_for_each(|record| host_record(&mut store, record))
}

fn host_record(mut store: impl AsContextMut<Data = State>, record: &[u8]) -> io::Result<()> {
    let Some(buffer) = store.as_context().data().buffer else {
        let mut context = store.as_context_mut();
        return context.data_mut().session.as_mut().map_or(Ok(()), |session| session.host_record(record));
    };
    if shared::append(buffer.data_mut(&mut store), record) {
        return Ok(());
    }
    take_block(&mut store)?;
    match shared::append(buffer.data_mut(&mut store), record) {
        true => Ok(()),
        false => Err(io::Error::other("a host call does not fit into the buffer")),
    }
}

/// Takes the contents of the guest's buffer, if it has one.
pub(super) fn take_block(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let Some(buffer) = store.as_context().data().buffer else { return Ok(()) };
    let (data, state) = buffer.data_and_store_mut(&mut store);
    state.session.as_mut().map_or(Ok(()), |session| session.take_block(data))
}

/// Passes on session and memories, once all records so far are taken.
pub(super) fn visit(mut store: impl AsContextMut<Data = State>, visit: Visit<'_>) -> io::Result<()> {
    take_block(&mut store)?;
    let Some(mut session) = store.as_context_mut().data_mut().session.take() else { return Ok(()) };
    let memories = store.as_context().data().memories.clone();
    let visited = visit(&mut session, &views(&memories, &store));
    store.as_context_mut().data_mut().session = Some(session);
    visited
}
