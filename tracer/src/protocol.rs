//! What the recorder and an engine's process say to each other while a module runs.
//!
//! docs/runner-protocol.md describes this for authors of runners; what changes here changes there.
//!
//! Both directions are frames of one [grammar]: control frames in JSON, [`Message`]s from the engine's process and
//! [`Order`]s to it, and raw frames for records and memory.

mod block;
mod frames;
mod grammar;
mod messages;
mod native;
mod orders;

pub(crate) use block::Spares;
pub(crate) use frames::{Frame, FrameWriter, PageDigest, Passed, no_block, read_frame};
pub(crate) use messages::{Hello, HostEnd, Message, TrapFrame};
pub(crate) use native::{NO_OFFSET, NativeFrame};
pub(crate) use orders::{Answer, Entry, Growth, HostWrite, Order, ReadRange, ShownPage, read_order, write_order};

/// Version of the job and of the frames, as docs/runner-protocol.md counts them.
pub(crate) const VERSION: u32 = 2;

#[cfg(test)]
mod tests {
    use super::grammar::{DIGESTS, GUEST, HOOKS, IMAGE, MESSAGE, NATIVE, RECORDS, WATCHED, WRITE};
    use super::*;
    use crate::features::FeatureSwitches;
    use crate::values::WasmValue;
    use forkpoint_traces::TrapKind;

    /// Names that serde would accept instead of `?`, from its own messages.
    fn names<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>("\"?\"").err().expect("nothing has this name").to_string();
        error.split('`').skip(3).step_by(2).map(str::to_string).collect()
    }

    #[test]
    fn the_document_has_every_message_trap_and_field() {
        let document = include_str!("../../docs/runner-protocol.md");
        let messages = names::<Message>();
        assert!(messages.len() > 15, "{messages:?}");
        for name in messages {
            assert!(document.contains(&format!("\"{name}\"")), "no message `{name}`");
        }
        for name in names::<Order>() {
            assert!(
                document.contains(&format!("`\"{name}\"`")) || document.contains(&format!("`{{\"{name}\": ")),
                "no order `{name}`"
            );
        }
        let traps = names::<TrapKind>();
        assert!(traps.len() > 15, "{traps:?}");
        for name in traps {
            assert!(document.contains(&format!("| `{name}` |")), "no trap `{name}`");
        }
        let job = crate::job::Job {
            cache: None,
            protocol: VERSION,
            engine: "runner:x".parse().expect("a runner"),
            original: "o.wasm".into(),
            module: "m.wasm".into(),
            features: FeatureSwitches::default(),
            memory_page_limit: None,
            stack_switching: false,
            deep_calls: false,
            task: crate::job::Task::Run(Box::new(crate::job::Run {
                precompiled: false,
                stages_only: false,
                memories: Vec::new(),
                wasi_memory: None,
                javascript: true,
                globals: Vec::new(),
                tables: Vec::new(),
                has_start: false,
                calls: vec![crate::job::ExportCall {
                    function: "f".to_string(),
                    arguments: vec![WasmValue::I32(0)],
                    vectors: false,
                }],
                wasi: crate::host::WasiSetup::default(),
                live_host: false,
                preloads: Vec::new(),
                scripts: Vec::new(),
                answers: None,
                native_limit: 0,
                checkpoints: crate::job::Checkpoints::None,
                watch: None,
                careful: false,
                script: None,
                digests: None,
                sites: 0,
                reference: None,
            })),
        };
        let job = serde_json::to_value(job).expect("it has no map with other keys");
        for object in [&job, &job["task"]["Run"], &job["task"]["Run"]["calls"][0]] {
            for field in object.as_object().expect("an object").keys() {
                assert!(document.contains(&format!("`{field}`")), "no field `{field}`");
            }
        }
        for tag in [MESSAGE, RECORDS, GUEST, IMAGE, HOOKS, DIGESTS, WATCHED, NATIVE, WRITE] {
            assert!(document.contains(&format!("| `{}` |", char::from(tag))), "no frame {}", char::from(tag));
        }
        assert!(document.contains(&format!("Version {VERSION}.")) && document.contains("(4,194,304)"));
    }
}
