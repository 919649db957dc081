//! Arguments of a script, and what it expects of results.

use forkpoint_traces::{Pattern, WasmValue};
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};

fn reference(kind: &str) -> WasmValue {
    WasmValue::Reference(kind.to_string())
}

/// An argument.
pub(super) fn argument(argument: &WastArgCore<'_>) -> WasmValue {
    match argument {
        WastArgCore::I32(value) => WasmValue::I32(*value),
        WastArgCore::I64(value) => WasmValue::I64(*value),
        WastArgCore::F32(value) => WasmValue::F32(value.bits),
        WastArgCore::F64(value) => WasmValue::F64(value.bits),
        WastArgCore::V128(value) => WasmValue::V128(value.to_le_bytes()),
        WastArgCore::RefNull(_) => reference("null"),
        WastArgCore::RefExtern(value) => WasmValue::Reference(format!("extern {value}")),
        WastArgCore::RefHost(value) => WasmValue::Reference(format!("host {value}")),
    }
}

/// What a result may be: one of these.
pub(super) fn patterns(result: &WastRetCore<'_>) -> Vec<Pattern> {
    let kind = |kind: &str| vec![Pattern::exactly(reference(kind))];
    match result {
        WastRetCore::I32(value) => vec![Pattern::exactly(WasmValue::I32(*value))],
        WastRetCore::I64(value) => vec![Pattern::exactly(WasmValue::I64(*value))],
        WastRetCore::F32(value) => {
            let (bits, mask) = float32(value);
            vec![Pattern { value: WasmValue::F32(bits), mask: u128::from(mask).to_le_bytes() }]
        }
        WastRetCore::F64(value) => {
            let (bits, mask) = float64(value);
            vec![Pattern { value: WasmValue::F64(bits), mask: u128::from(mask).to_le_bytes() }]
        }
        WastRetCore::V128(value) => vec![vector(value)],
        WastRetCore::RefNull(_) => kind("null"),
        WastRetCore::RefExtern(None) => kind("extern"),
        WastRetCore::RefExtern(Some(value)) => kind(&format!("extern {value}")),
        WastRetCore::RefHost(value) => kind(&format!("host {value}")),
        WastRetCore::RefFunc(_) => kind("func"),
        WastRetCore::RefAny => kind("any"),
        WastRetCore::RefEq => kind("eq"),
        WastRetCore::RefArray => kind("array"),
        WastRetCore::RefStruct => kind("struct"),
        WastRetCore::RefI31 => kind("i31"),
        WastRetCore::RefI31Shared => kind("i31"),
        WastRetCore::Either(cases) => cases.iter().flat_map(patterns).collect(),
    }
}

/// Bits, and those of them that count. A canonical NaN may have any sign, and an arithmetic one any payload besides its
/// first bit.
fn float32(value: &NanPattern<F32>) -> (u32, u32) {
    match value {
        NanPattern::CanonicalNan => (0x7fc0_0000, 0x7fff_ffff),
        NanPattern::ArithmeticNan => (0x7fc0_0000, 0x7fc0_0000),
        NanPattern::Value(value) => (value.bits, u32::MAX),
    }
}

fn float64(value: &NanPattern<F64>) -> (u64, u64) {
    match value {
        NanPattern::CanonicalNan => (0x7ff8_0000_0000_0000, u64::MAX >> 1),
        NanPattern::ArithmeticNan => (0x7ff8_0000_0000_0000, 0x7ff8_0000_0000_0000),
        NanPattern::Value(value) => (value.bits, u64::MAX),
    }
}

fn vector(value: &V128Pattern) -> Pattern {
    let (mut bytes, mut mask) = ([0; 16], [0xff; 16]);
    let mut lane = |at: usize, value: &[u8], counts: &[u8]| {
        bytes[at * value.len()..][..value.len()].copy_from_slice(value);
        mask[at * value.len()..][..value.len()].copy_from_slice(counts);
    };
    let all = [0xff; 8];
    match value {
        V128Pattern::I8x16(lanes) => {
            lanes.iter().enumerate().for_each(|(at, value)| lane(at, &value.to_le_bytes(), &all[..1]));
        }
        V128Pattern::I16x8(lanes) => {
            lanes.iter().enumerate().for_each(|(at, value)| lane(at, &value.to_le_bytes(), &all[..2]));
        }
        V128Pattern::I32x4(lanes) => {
            lanes.iter().enumerate().for_each(|(at, value)| lane(at, &value.to_le_bytes(), &all[..4]));
        }
        V128Pattern::I64x2(lanes) => {
            lanes.iter().enumerate().for_each(|(at, value)| lane(at, &value.to_le_bytes(), &all));
        }
        V128Pattern::F32x4(lanes) => {
            for (at, value) in lanes.iter().enumerate() {
                let (bits, counts) = float32(value);
                lane(at, &bits.to_le_bytes(), &counts.to_le_bytes());
            }
        }
        V128Pattern::F64x2(lanes) => {
            for (at, value) in lanes.iter().enumerate() {
                let (bits, counts) = float64(value);
                lane(at, &bits.to_le_bytes(), &counts.to_le_bytes());
            }
        }
    }
    Pattern { value: WasmValue::V128(bytes), mask }
}
