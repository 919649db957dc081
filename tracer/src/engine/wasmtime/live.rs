//! A WASI function behind a wrapper that reports the call, what it read and what it wrote.

use super::convert::{from_engine, words};
use super::guest::State;
use super::records;
use crate::child::Checkpoints;
use crate::engine::session::Halt;
use crate::host::fixed;
use crate::host::ranges::{Writable, clamp, first_reads, second_reads, unsigned, writable, written};
use crate::values::WasmValue;
use forkpoint_traces::wasi::{self, Signature};
use forkpoint_traces::{FuncIndex, HostCall, HostEvent, HostOutcome, HostRead, Import, MemoryIndex};
use wasmtime::{Caller, Error, Func, FuncType, Store, Val};
use wasmtime_wasi::I32Exit;

/// The function that the guest calls in place of host function `number`, its own import number `function`.
pub(super) fn wrapper(store: &mut Store<State>, ty: FuncType, number: usize, function: u32, import: Import) -> Func {
    let signature = wasi::signature(&import.name).unwrap_or_default();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data_mut().session.as_mut().is_none_or(|session| session.stops()) {
            return Err(Error::new(Halt));
        }
        look(&mut caller)?;
        let arguments_seen: Vec<WasmValue> = arguments.iter().map(from_engine).collect();
        let numbers = unsigned(&arguments_seen);
        let call = HostCall {
            function: FuncIndex(function),
            import: import.clone(),
            arguments: arguments_seen,
            reads: reads(&caller, signature, &numbers),
            caller: None,
        };
        records::host(&mut caller, &HostEvent::Call(call))?;
        let before = Before::new(&caller, signature, &numbers);
        let forward = caller.data().forwarders[number];
        let result = forward.call(&mut caller, arguments, results);
        let succeeded = result.is_ok() && matches!(results, [Val::I32(0)]);
        if succeeded && caller.data().run.wasi.deterministic {
            before.fix_file_times(&mut caller, &import.name)?;
        }
        before.report(&mut caller, succeeded)?;
        let outcome = match &result {
            Ok(()) => HostOutcome::Returned(results.iter().map(from_engine).collect()),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => HostOutcome::Exited(exit.0),
                None => HostOutcome::Trapped(words(error)),
            },
        };
        records::host(&mut caller, &HostEvent::Return { import: import.clone(), outcome })?;
        look(&mut caller)?;
        result
    })
}

/// Around a call: a checkpoint, where the run has such, and a look at watched bytes, so that their change is taken for
/// nobody else's.
pub(super) fn look(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    if caller.data().run.checkpoints == Checkpoints::Calls {
        records::visit(&mut *caller, &mut |session, views| session.around_call(views))?;
    }
    if caller.data().session.as_ref().is_some_and(|session| session.watches()) {
        records::visit(caller, &mut |session, views| session.settle(views))?;
    }
    Ok(())
}

/// What the call is given of the guest's memory.
fn reads(caller: &Caller<'_, State>, signature: Signature, arguments: &[u64]) -> Vec<HostRead> {
    let Some((memory, index)) = &caller.data().memory else { return Vec::new() };
    let first = first_reads(signature, arguments);
    if first.is_empty() {
        return Vec::new();
    }
    let data = memory.bytes(caller);
    let bytes = |range: &(u64, u64)| data[clamp(*range, data.len())].to_vec();
    let second = second_reads(signature, &first.iter().map(bytes).collect::<Vec<_>>());
    let all = first.iter().chain(&second);
    all.map(|range| HostRead::of(MemoryIndex(*index), range.0, &data[clamp(*range, data.len())])).collect()
}

/// What a call may write, as it is before.
struct Before(Vec<(Writable, Vec<u8>)>);

impl Before {
    fn new(caller: &Caller<'_, State>, signature: Signature, arguments: &[u64]) -> Before {
        let Some((memory, _)) = &caller.data().memory else { return Before(Vec::new()) };
        let data = memory.bytes(caller);
        let ranges = writable(signature, arguments, data, &caller.data().run.wasi).into_iter();
        Before(ranges.map(|writable| (writable.clone(), data[writable.range].to_vec())).collect())
    }

    /// Times of files are the host's clock by another way.
    fn fix_file_times(&self, caller: &mut Caller<'_, State>, name: &str) -> wasmtime::Result<()> {
        let Some((memory, _)) = caller.data().memory.clone() else { return Ok(()) };
        let ranges = self.0.iter().map(|(writable, _)| (writable.range.start, writable.range.end));
        let mut fixed = ranges.filter_map(|range| fixed::file_times(name, range));
        fixed.try_for_each(|(at, bytes)| memory.write(&mut *caller, at, &bytes))
    }

    /// Reports what was written: all of it where the call succeeded, and any other byte that is not what it was.
    fn report(&self, caller: &mut Caller<'_, State>, succeeded: bool) -> wasmtime::Result<()> {
        let Some((memory, index)) = caller.data().memory.clone() else { return Ok(()) };
        let mut writes = Vec::new();
        {
            let data = memory.bytes(&*caller);
            let ranges: Vec<Writable> = self.0.iter().map(|(writable, _)| writable.clone()).collect();
            let used = if succeeded { written(&ranges, data) } else { vec![0; ranges.len()] };
            for ((writable, old), used) in self.0.iter().zip(used) {
                let (start, new) = (writable.range.start, &data[writable.range.clone()]);
                writes.push((start, new[..used].to_vec()));
                let (old, new) = (&old[used..], &new[used..]);
                let differs = |(old, new): (&u8, &u8)| old != new;
                if let Some(first) = old.iter().zip(new).position(differs) {
                    let last = old.iter().zip(new).rposition(differs).unwrap_or(first);
                    writes.push((start + used + first, new[first..=last].to_vec()));
                }
            }
        }
        let write = |(start, bytes): (usize, Vec<u8>)| HostEvent::Write {
            memory: MemoryIndex(index),
            address: start as u64,
            bytes,
        };
        report(caller, writes.into_iter().map(write).collect())
    }
}

/// Leaves writes of the host among the guest's records.
pub(super) fn report(caller: &mut Caller<'_, State>, writes: Vec<HostEvent>) -> wasmtime::Result<()> {
    Ok(writes.iter().try_for_each(|event| records::host(&mut *caller, event))?)
}
