//! Orders as bytes: a tag, and for all but [`Order::Stop`] and [`Order::Call`] what belongs to it, integers little endian.
//!
//! - 1: stop.
//! - 2: show pages: number of pages u32; for each memory u32, page u64.
//! - 3: read: number of ranges u32; for each memory u32, address u64, length u64.
//! - 4: answer: number of grows u32; for each memory u32, pages u64. Number of writes u32; for each memory u32, address
//!   u64, length u32, bytes. Then the end: 0 and the results (number u32; for each a type 0 i32, 1 i64, 2 f32, 3 f64,
//!   4 v128, 5 null reference, and 16 bytes, those past the value zero); 1 and a message (length u32, UTF-8); 2 and an
//!   exit code i32; 3: stop.
//! - 5: call the engine's own host.

use super::HostEnd;
use crate::values::WasmValue;
use std::io::{self, Read, Write};

/// What the parent tells its child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End the run.
    Stop,
    /// Send these pages (memory and page of 4 KiB), and go on.
    Show(Vec<(u32, u64)>),
    /// Send these bytes (memory, address, length), as far as there are any: a host call needs them.
    Read(Vec<(u32, u64, u64)>),
    /// Have the engine's own host answer the call, and say so.
    Call,
    /// The answer to a host call.
    Answer(Answer),
}

/// What the host does about a call, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Memory, pages added.
    pub(crate) grows: Vec<(u32, u64)>,
    /// Memory, address, bytes.
    pub(crate) writes: Vec<(u32, u64, Vec<u8>)>,
    pub(crate) end: HostEnd,
}

/// Most items in one order.
const MAX_ITEMS: u32 = 1 << 16;

/// Most bytes of one write of an answer: longer ones come in pieces.
const MAX_WRITE: u32 = 16 << 20;

/// Most bytes of a message.
const MAX_MESSAGE: u32 = 1 << 20;

/// Writes an order.
pub(crate) fn write_order(order: &Order, out: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    match order {
        Order::Stop => bytes.push(1),
        Order::Call => bytes.push(5),
        Order::Show(pages) => {
            bytes.push(2);
            list(&mut bytes, pages, |bytes, (memory, page)| {
                bytes.extend_from_slice(&memory.to_le_bytes());
                bytes.extend_from_slice(&page.to_le_bytes());
            });
        }
        Order::Read(ranges) => {
            bytes.push(3);
            list(&mut bytes, ranges, |bytes, (memory, address, length)| {
                bytes.extend_from_slice(&memory.to_le_bytes());
                bytes.extend_from_slice(&address.to_le_bytes());
                bytes.extend_from_slice(&length.to_le_bytes());
            });
        }
        Order::Answer(answer) => {
            bytes.push(4);
            write_answer(answer, &mut bytes);
        }
    }
    out.write_all(&bytes)
}

fn list<T>(bytes: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    bytes.extend_from_slice(&(items.len() as u32).to_le_bytes());
    items.iter().for_each(|item| write(bytes, item));
}

fn write_answer(answer: &Answer, bytes: &mut Vec<u8>) {
    list(bytes, &answer.grows, |bytes, (memory, pages)| {
        bytes.extend_from_slice(&memory.to_le_bytes());
        bytes.extend_from_slice(&pages.to_le_bytes());
    });
    list(bytes, &answer.writes, |bytes, (memory, address, written)| {
        bytes.extend_from_slice(&memory.to_le_bytes());
        bytes.extend_from_slice(&address.to_le_bytes());
        bytes.extend_from_slice(&(written.len() as u32).to_le_bytes());
        bytes.extend_from_slice(written);
    });
    match &answer.end {
        HostEnd::Returned(values) => {
            bytes.push(0);
            list(bytes, values, write_value);
        }
        HostEnd::Trapped(message) => {
            bytes.push(1);
            list(bytes, message.as_bytes(), |bytes, byte| bytes.push(*byte));
        }
        HostEnd::Exited(code) => {
            bytes.push(2);
            bytes.extend_from_slice(&code.to_le_bytes());
        }
        HostEnd::Stopped => bytes.push(3),
    }
}

fn write_value(bytes: &mut Vec<u8>, value: &WasmValue) {
    let mut raw = [0; 16];
    let kind = match value {
        WasmValue::I32(value) => {
            raw[..4].copy_from_slice(&value.to_le_bytes());
            0
        }
        WasmValue::I64(value) => {
            raw[..8].copy_from_slice(&value.to_le_bytes());
            1
        }
        WasmValue::F32(bits) => {
            raw[..4].copy_from_slice(&bits.to_le_bytes());
            2
        }
        WasmValue::F64(bits) => {
            raw[..8].copy_from_slice(&bits.to_le_bytes());
            3
        }
        WasmValue::V128(lanes) => {
            raw = *lanes;
            4
        }
        WasmValue::Reference(_) => 5,
    };
    bytes.push(kind);
    bytes.extend_from_slice(&raw);
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn word(input: &mut impl Read) -> io::Result<u32> {
    array(input).map(u32::from_le_bytes)
}

fn long(input: &mut impl Read) -> io::Result<u64> {
    array(input).map(u64::from_le_bytes)
}

fn items<R: Read, T>(input: &mut R, read: impl Fn(&mut R) -> io::Result<T>) -> io::Result<Vec<T>> {
    let count = bounded(word(input)?, MAX_ITEMS)?;
    (0..count).map(|_| read(input)).collect()
}

fn bounded(number: u32, most: u32) -> io::Result<u32> {
    if number > most { Err(io::ErrorKind::InvalidData.into()) } else { Ok(number) }
}

fn blob(input: &mut impl Read, most: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; bounded(word(input)?, most)? as usize];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads the next order.
pub(crate) fn read_order(input: &mut impl Read) -> io::Result<Order> {
    Ok(match array::<1>(input)?[0] {
        1 => Order::Stop,
        2 => Order::Show(items(input, |input| Ok((word(input)?, long(input)?)))?),
        3 => Order::Read(items(input, |input| Ok((word(input)?, long(input)?, long(input)?)))?),
        4 => Order::Answer(Answer {
            grows: items(input, |input| Ok((word(input)?, long(input)?)))?,
            writes: items(input, |input| Ok((word(input)?, long(input)?, blob(input, MAX_WRITE)?)))?,
            end: match array::<1>(input)?[0] {
                0 => HostEnd::Returned(items(input, read_value)?),
                1 => HostEnd::Trapped(String::from_utf8_lossy(&blob(input, MAX_MESSAGE)?).into_owned()),
                2 => HostEnd::Exited(word(input)? as i32),
                3 => HostEnd::Stopped,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            },
        }),
        5 => Order::Call,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

fn read_value(input: &mut impl Read) -> io::Result<WasmValue> {
    let (kind, raw) = (array::<1>(input)?[0], array::<16>(input)?);
    let low = u128::from_le_bytes(raw);
    Ok(match kind {
        0 => WasmValue::I32(low as i32),
        1 => WasmValue::I64(low as i64),
        2 => WasmValue::F32(low as u32),
        3 => WasmValue::F64(low as u64),
        4 => WasmValue::V128(raw),
        5 => WasmValue::Reference("null".to_string()),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_read_back_as_they_are_written() {
        let values = vec![
            WasmValue::I32(-1),
            WasmValue::I64(i64::MIN),
            WasmValue::F32(1),
            WasmValue::F64(u64::MAX),
            WasmValue::V128([7; 16]),
            WasmValue::Reference("null".to_string()),
        ];
        let ends =
            [HostEnd::Returned(values), HostEnd::Trapped("no".to_string()), HostEnd::Exited(-3), HostEnd::Stopped];
        let answer = |end| {
            Order::Answer(Answer {
                grows: vec![(0, 2)],
                writes: vec![(1, 1 << 40, vec![1, 2, 3]), (0, 0, vec![])],
                end,
            })
        };
        let mut orders =
            vec![Order::Stop, Order::Call, Order::Show(vec![(1, 2)]), Order::Read(vec![(0, 9, 1 << 33)])];
        orders.extend(ends.map(answer));
        let mut bytes = Vec::new();
        orders.iter().for_each(|order| write_order(order, &mut bytes).expect("memory"));
        let mut input = bytes.as_slice();
        for order in &orders {
            assert_eq!(read_order(&mut input).expect("an order"), *order);
        }
        assert!(input.is_empty());
        for end in 0..bytes.len() {
            let mut input = &bytes[..end];
            while read_order(&mut input).is_ok() {}
        }
        assert!(read_order(&mut [2, 255, 255, 255, 255].as_slice()).is_err(), "a hostile count");
    }
}
