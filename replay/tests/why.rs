//! Why bytes differ, by what a rerun tells of loads.

use forkpoint_replay::{ChainEnd, Evidence, NanBits, ReplayError, Timeline, first_divergence, why, why_by_loads};
use forkpoint_traces::{CodeOffset, FuncIndex, Load, Loads, MemoryIndex, Position};
use std::ops::Range;
use std::path::Path;

/// Two runs, bytes that differ at their ends, and these.
type Question = ([Timeline; 2], Range<u64>, [Position; 2]);

/// Two runs of `orbit`, and the place that they first write differently.
fn samples() -> Result<Question, ReplayError> {
    let open = |name: &str| Timeline::open(&Path::new("../traces/samples").join(name));
    let both = [open("orbit-jit.fpt")?, open("orbit-portable.fpt")?];
    let ends = [Position(both[0].len()), Position(both[1].len())];
    Ok((both, 16..24, ends))
}

/// A load of these bytes before an event.
fn load(address: u64, value: u64, before: Position) -> Loads {
    let load =
        Load { func: FuncIndex(0), offset: CodeOffset(64), memory: MemoryIndex(0), address, width: 8, value, before };
    Loads { loads: vec![load], from: Position(0) }
}

#[test]
fn loads_that_agree_end_a_way() -> Result<(), ReplayError> {
    let ([mut lhs, mut rhs], bytes, ends) = samples()?;
    let parted = first_divergence(&mut lhs, &mut rhs, NanBits::default())?;
    let mut loads = |_: &mut Timeline, _, at| Some(load(bytes.start, 5, at));
    let answer = why_by_loads(&mut lhs, &mut rhs, &parted, MemoryIndex(0), bytes.clone(), ends, &mut loads)?
        .expect("they differ");
    assert_eq!(answer.chains[0].end, ChainEnd::EqualLoads);
    Ok(())
}

#[test]
fn a_load_of_equal_memory_that_gives_two_values_is_wrong() -> Result<(), ReplayError> {
    let ([mut lhs, mut rhs], bytes, ends) = samples()?;
    let parted = first_divergence(&mut lhs, &mut rhs, NanBits::default())?;
    // Nothing is ever written there.
    let mut loads =
        |_: &mut Timeline, side: forkpoint_replay::Side, at| Some(load(4096, 5 + side.index() as u64, at));
    let answer = why_by_loads(&mut lhs, &mut rhs, &parted, MemoryIndex(0), bytes.clone(), ends, &mut loads)?
        .expect("they differ");
    let chain = &answer.chains[0];
    assert_eq!(chain.end, ChainEnd::WrongLoad);
    let last = chain.links.last().expect("links");
    assert_eq!((last.evidence, last.bytes.clone(), last.writers), (Evidence::LoadedBefore, 4096..4104, [None, None]));
    Ok(())
}

#[test]
fn without_loads_the_traces_are_asked() -> Result<(), ReplayError> {
    let ([mut lhs, mut rhs], bytes, ends) = samples()?;
    let parted = first_divergence(&mut lhs, &mut rhs, NanBits::default())?;
    let plain = why(&mut lhs, &mut rhs, MemoryIndex(0), bytes.clone(), ends)?;
    let answer = why_by_loads(&mut lhs, &mut rhs, &parted, MemoryIndex(0), bytes, ends, &mut |_, _, _| None)?;
    assert_eq!(answer, plain);
    Ok(())
}
