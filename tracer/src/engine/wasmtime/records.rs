//! How events leave the guest: the full buffer, the hook, and what is looked at meanwhile.

use super::guest::{State, Stopped};
use super::memories::views;
use crate::child::Checkpoints;
use crate::instrument::{FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, host_record};
use crate::protocol::HOOK_SIZE;
use crate::{observe, shared};
use forkpoint_traces::HostEvent;
use std::io;
use std::sync::atomic::Ordering;
use wasmtime::{AsContextMut, Caller, Error, Linker};

/// Defines the recorder's own imports.
pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, State>, _: u32| flush(&mut caller))?;
    linker.func_wrap(
        IMPORT_MODULE,
        HOOK_IMPORT,
        |mut caller: Caller<'_, State>, site: u32, first: u64, second: u64, third: u64| {
            hook(&mut caller, site, [first, second, third])
        },
    )?;
    Ok(())
}

/// The instrumented module's buffer is full.
fn flush(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    let mut sent = drain(&mut *caller);
    if sent.is_ok() && due(caller) {
        sent = checkpoint(&mut *caller);
    }
    after(caller, sent)
}

/// The instrumented module reports an event.
fn hook(caller: &mut Caller<'_, State>, site: u32, operands: [u64; 3]) -> wasmtime::Result<()> {
    let mut record = [0; HOOK_SIZE];
    record[..4].copy_from_slice(&site.to_le_bytes());
    for (place, operand) in record[4..].chunks_exact_mut(8).zip(operands) {
        place.copy_from_slice(&operand.to_le_bytes());
    }
    let State { hooks, unchecked, run, .. } = caller.data_mut();
    if hooks.append(&record) {
        let checkpoint = matches!(run.checkpoints, Checkpoints::Bytes(bytes) if *unchecked + hooks.used() >= bytes);
        return if checkpoint { flush(caller) } else { Ok(()) };
    }
    // No checkpoint before this event is recorded, too: its instruction has run.
    let sent = drain(&mut *caller);
    caller.data_mut().hooks.append(&record);
    after(caller, sent)
}

/// Ends the run where nobody listens any more, or where the parent asked for it.
fn after(caller: &mut Caller<'_, State>, sent: io::Result<()>) -> wasmtime::Result<()> {
    if let Err(error) = sent {
        caller.data_mut().failed = Some(error);
        return Err(Error::new(Stopped));
    }
    if caller.data().control.stop.load(Ordering::Relaxed) {
        return Err(Error::new(Stopped));
    }
    Ok(())
}

/// Sends what is in the buffers and empties them.
pub(super) fn drain(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    if store.as_context().data().watcher.is_some() {
        return drain_watched(store);
    }
    let Some(buffer) = store.as_context().data().buffer else {
        let mut context = store.as_context_mut();
        let State { hooks, sent, out, unchecked, .. } = context.data_mut();
        return shared::send(hooks.bytes(), sent, |bytes| {
            *unchecked += bytes.len() as u64;
            out.hooks(bytes)
        });
    };
    let (data, state) = buffer.data_and_store_mut(&mut store);
    let State { sent, out, unchecked, .. } = state;
    shared::send(data, sent, |bytes| {
        *unchecked += bytes.len() as u64;
        out.records(bytes)
    })
}

/// Looks at the watched bytes behind every event, and sends records when these change.
fn drain_watched(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let Some(mut watcher) = store.as_context_mut().data_mut().watcher.take() else { return Ok(()) };
    let mut records = Vec::new();
    if let Some(buffer) = store.as_context().data().buffer {
        let (data, state) = buffer.data_and_store_mut(&mut store);
        shared::send(data, &mut state.sent, |bytes| {
            records.extend_from_slice(bytes);
            Ok(())
        })?;
    }
    let mut out = store.as_context().data().out.clone();
    let memory = store.as_context().data().memories.get(watcher.memory() as usize).cloned();
    let looked = match memory {
        Some(memory) => watcher.look(&records, memory.bytes(&store), &mut out),
        None => Ok(()),
    };
    store.as_context_mut().data_mut().watcher = Some(watcher);
    looked
}

/// Sends the records that wait for watched bytes to change.
pub(super) fn settle(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let mut context = store.as_context_mut();
    let State { watcher, out, .. } = context.data_mut();
    watcher.as_mut().map_or(Ok(()), |watcher| watcher.send(out))
}

/// Leaves a step of a host call among the guest's own records.
pub(super) fn host(mut store: impl AsContextMut<Data = State>, event: &HostEvent) -> io::Result<()> {
    let record = host_record(&event.encode());
    for _ in 0..2 {
        let appended = match store.as_context().data().buffer {
            Some(buffer) => shared::append(buffer.data_mut(&mut store), &record),
            None => store.as_context_mut().data_mut().hooks.append(&record),
        };
        if appended {
            return Ok(());
        }
        drain(&mut store)?;
    }
    Err(io::Error::other(format!("a host call of {} bytes does not fit into the buffer", record.len())))
}

/// Around a host call: the recorder sees what watched bytes hold now, so that the change is not taken for the guest's
/// or for the host's.
pub(super) fn show_watched(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    if store.as_context().data().watcher.is_none() {
        return Ok(());
    }
    drain(&mut store)?;
    settle(store)
}

fn due(caller: &Caller<'_, State>) -> bool {
    matches!(caller.data().run.checkpoints, Checkpoints::Bytes(bytes) if caller.data().unchecked >= bytes)
}

/// Shows the recorder all memories. What is recorded so far must have been sent.
pub(super) fn checkpoint(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let state = store.as_context().data();
    let (memories, control, mut out) = (state.memories.clone(), state.control.clone(), state.out.clone());
    if memories.is_empty() {
        return Ok(());
    }
    observe::checkpoint(&views(&memories, &store), &control.answers, &mut out)?;
    store.as_context_mut().data_mut().unchecked = 0;
    Ok(())
}

/// A checkpoint around a host call, where the run has such.
pub(super) fn around_call(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    if store.as_context().data().run.checkpoints != Checkpoints::Calls {
        return Ok(());
    }
    drain(&mut store)?;
    checkpoint(store)
}
