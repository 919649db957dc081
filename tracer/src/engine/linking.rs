//! Imports by the number of the instance that has them: for engines that find an import's module by its name among those that
//! they know, where an instance has one name for good and a name one instance. A script may register an instance twice, and a
//! name again.

use crate::job::InstanceJob;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ImportSection, Section as _};
use wasmparser::{Parser, Payload, WasmFeatures};

/// The name under which the engine knows an instance.
pub(super) fn name(instance: u32) -> String {
    format!("forkpoint-{instance}")
}

/// The module with each import named as the instance that it is linked to. An import that is none keeps its name, so that
/// the engine says what is missing. What cannot be read stays as it is, for the engine to judge.
pub(super) fn renamed(module: &[u8], job: &InstanceJob) -> Vec<u8> {
    rewritten(module, job).unwrap_or_else(|| module.to_vec())
}

fn rewritten(module: &[u8], job: &InstanceJob) -> Option<Vec<u8>> {
    let mut parser = Parser::new(0);
    parser.set_features(WasmFeatures::all());
    let mut end = 0;
    for payload in parser.parse_all(module) {
        match payload.ok()? {
            Payload::Version { range, .. } => end = range.end,
            Payload::ImportSection(section) => {
                let range = section.range();
                let mut imports = ImportSection::new();
                for import in section.into_imports() {
                    let import = import.ok()?;
                    let ty = RoundtripReencoder.entity_type(import.ty).ok()?;
                    match job.import(import.module, import.name) {
                        Some(link) => imports.import(&name(link.instance), &link.export, ty),
                        None => imports.import(import.module, import.name, ty),
                    };
                }
                let mut renamed = module.get(..end)?.to_vec();
                imports.append_to(&mut renamed);
                renamed.extend_from_slice(module.get(range.end..)?);
                return Some(renamed);
            }
            payload => end = payload.as_section().map_or(end, |(_, range)| range.end),
        }
    }
    None
}

/// Whether there is a function to compile.
pub(super) fn has_code(module: &[u8]) -> bool {
    let mut parser = Parser::new(0);
    parser.set_features(WasmFeatures::all());
    let mut payloads = parser.parse_all(module).map_while(Result::ok);
    payloads.any(|payload| matches!(payload, Payload::CodeSectionStart { count, .. } if count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ImportJob;

    #[test]
    fn imports_get_the_names_of_their_instances_and_the_rest_stays() {
        let module = wat::parse_str(
            r#"(module (type (func (param i32))) (import "a" "f" (func (type 0))) (import "b" "m" (memory 1 2))
                (import "nowhere" "t" (table 1 funcref)) (func (export "g") (call 0 (i32.const 1))))"#,
        )
        .expect("a module");
        let link = |module: &str, name: &str, instance, export: &str| ImportJob {
            module: module.to_string(),
            name: name.to_string(),
            instance,
            export: export.to_string(),
        };
        let mut job = InstanceJob {
            original: String::new(),
            module: String::new(),
            stages_only: false,
            imports: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
            has_start: false,
        };
        assert_eq!(renamed(&module, &job), module);
        job.imports = vec![link("a", "f", 3, "h"), link("b", "m", 0, "m")];
        let expected = wat::parse_str(
            r#"(module (type (func (param i32))) (import "forkpoint-3" "h" (func (type 0))) (import "forkpoint-0" "m" (memory 1 2))
                (import "nowhere" "t" (table 1 funcref)) (func (export "g") (call 0 (i32.const 1))))"#,
        );
        assert_eq!(renamed(&module, &job), expected.expect("a module"));
        assert!(has_code(&module) && !has_code(b"\0asm\x01\0\0\0"));
        assert_eq!(renamed(b"\0asm\x01\0\0\0\x02\xff", &job), b"\0asm\x01\0\0\0\x02\xff");
    }
}
