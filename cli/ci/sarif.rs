//! SARIF 2.1.0, the form in which code scanning takes findings: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>.

use super::case::{Case, CaseResult};
use forkpoint_replay::Verdict;
use serde_json::{Value, json};

/// The log.
pub fn log(cases: &[Case]) -> Value {
    let rules: Vec<Value> = Verdict::ALL
        .iter()
        .map(|verdict| json!({ "id": verdict.word(), "shortDescription": { "text": verdict.meaning() } }))
        .chain([json!({ "id": "unanswered", "shortDescription": { "text": "the runs could not be compared" } })])
        .collect();
    let results: Vec<Value> = cases.iter().filter_map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "forkpoint", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn result(Case { module, engines, result }: &Case) -> Option<Value> {
    let module = json!({ "uri": uri(module) });
    Some(match result {
        CaseResult::Agree => return None,
        CaseResult::Diverge(found) => {
            let mut place = json!({ "artifactLocation": module });
            if let Some((file, line)) = &found.source {
                place = json!({ "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } });
            } else if let Some(offset) = found.offset {
                place["region"] = json!({ "byteOffset": offset, "byteLength": 1 });
            }
            let mut location = json!({ "physicalLocation": place });
            if let Some(function) = &found.function {
                location["logicalLocations"] = json!([{ "name": function, "kind": "function" }]);
            }
            json!({
                "ruleId": found.verdict,
                "level": "error",
                "message": { "text": format!("{engines} diverge: {}\n\n{}", found.meaning, found.text) },
                "locations": [location],
                "partialFingerprints": { "forkpoint/v1": found.fingerprint },
            })
        }
        CaseResult::Unanswered(why) => json!({
            "ruleId": "unanswered",
            "level": "warning",
            "message": { "text": format!("{engines}: {why}") },
            "locations": [{ "physicalLocation": { "artifactLocation": module } }],
        }),
    })
}

/// A path as a relative reference: what may not stand in one has a code.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let codes =
        path.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    codes.collect()
}
