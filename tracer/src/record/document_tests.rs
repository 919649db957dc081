//! The examples in docs/runner-protocol.md, taken by the recorder as a runner would send them.

use super::super::pump::Pump;
use super::super::{Imports, Invocation, Program, Request};
use crate::protocol::{Order, Spares, no_block, read_frame, read_order, write_order};
use forkpoint_traces::TraceReader;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../../../docs/runner-protocol.md");

/// The first block of the document in this language after a heading.
fn block(heading: &str, language: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(heading).expect("a heading");
    let (_, block) = rest.split_once(&format!("```{language}\n")).expect("a block");
    block.split_once("```").expect("its end").0
}

/// A frame of an example as it is sent.
fn frame(line: &str) -> Vec<u8> {
    let (tag, rest) = line.split_once(' ').expect("a tag");
    let mut words = rest.split(' ');
    let mut number = |bytes: usize| {
        let number: u64 = words.next().expect("a number").parse().expect("a number");
        number.to_le_bytes()[..bytes].to_vec()
    };
    let payload = match tag {
        "J" => rest.as_bytes().to_vec(),
        "H" => [4, 8, 8, 8].map(number).concat(),
        "I" | "W" => {
            let place = [number(4), number(8)].concat();
            let bytes = words.flat_map(|word| {
                let (times, byte) = word.split_once('*').unwrap_or(("1", word));
                vec![u8::from_str_radix(byte, 16).expect("a byte"); times.parse().expect("a number")]
            });
            place.into_iter().chain(bytes).collect()
        }
        tag => panic!("the frame {tag}"),
    };
    let length = (payload.len() as u32).to_le_bytes();
    [tag.as_bytes(), &length, &payload].concat()
}

/// The frames of an example in one direction.
fn frames(example: &str, direction: &str) -> Vec<u8> {
    example.lines().filter_map(|line| line.strip_prefix(direction)).flat_map(frame).collect()
}

#[test]
fn the_session_of_the_document_is_a_recording() {
    let module = wat::parse_str(block("## A session", "wat")).expect("a module");
    let session = block("## A session", "text");
    let folder = tempfile::tempdir().expect("a folder");
    let stub = "env.now=7".parse().expect("a stub");
    let imports = Imports { stubs: &[stub], ..Imports::default() };
    let run = Invocation { function: "run".to_string(), arguments: Vec::new() };
    let program = Program::new("now.wat", module, &[run], &imports).expect("a program");
    let output = folder.path().join("now.fpt");
    let request = Request::new("runner:mine".parse().expect("a runner"), output.clone()).expect("a request");
    let rewritten = program.rewritten_as(&request.effective_options()).expect("a module");
    let (mut socket, mut theirs) = UnixStream::pair().expect("a socket");
    let mut progress = |_: u64, _: u64| {};
    let mut pump = Pump::new(&program, &rewritten, &request, &output, &mut progress).expect("a recording");
    let sent = frames(session, "-> ");
    let mut input = sent.as_slice();
    while let Some(frame) = read_frame(&mut input, &Spares::new(), no_block).expect("a frame") {
        pump.frame(frame, &mut socket).expect("a frame that the recorder takes");
    }
    let recorded = pump.finish(Duration::ZERO).expect("a recording");
    assert!(recorded.mismatches.first.is_empty(), "what memory holds is what the events say");
    drop(socket);
    let mut orders = frames(session, "<- ");
    let expected = read_order(&mut orders.as_slice()).expect("an order");
    assert_eq!(read_order(&mut theirs).expect("an order"), expected);
    assert!(read_order(&mut theirs).is_err(), "one order");
    // Byte for byte.
    let mut written = Vec::new();
    write_order(&expected, &mut written).expect("memory");
    assert_eq!(written, std::mem::take(&mut orders));
    assert!(TraceReader::open(&output).expect("a trace").is_complete());
}

#[test]
fn the_answer_of_the_document_is_written_so() {
    let example = frames(block("## 10. Orders", "text"), "<- ");
    let order = read_order(&mut example.as_slice()).expect("an order");
    assert!(matches!(&order, Order::Answer(answer) if answer.writes.len() == 1 && answer.grows.len() == 1));
    let mut written = Vec::new();
    write_order(&order, &mut written).expect("memory");
    assert_eq!(written, example);
}
