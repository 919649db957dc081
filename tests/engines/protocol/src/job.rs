//! The job: what to run.

use crate::{VERSION, Value};
use serde_json::Value as Json;

/// A job, with its module loaded.
pub struct Job {
    /// The engine as the user wrote it: `runner:COMMAND`.
    pub spec: String,
    pub module: Vec<u8>,
    /// Export names of memories, mutable numeric globals and tables.
    pub memories: Vec<String>,
    pub globals: Vec<String>,
    pub tables: Vec<String>,
    pub has_start: bool,
    pub calls: Vec<Call>,
    /// Bytes to watch: number of their memory, address and length of each place.
    pub watch: Option<(u32, Vec<(u64, u64)>)>,
}

/// A call of an export.
pub struct Call {
    pub function: String,
    pub arguments: Vec<Value>,
}

impl Job {
    /// Reads the job's file and the module that it names. The error is a message for the user.
    pub fn read(path: &str) -> Result<Job, String> {
        let text = std::fs::read(path).map_err(|error| format!("reading the job {path}: {error}"))?;
        let json: Json = serde_json::from_slice(&text).map_err(|error| format!("the job {path}: {error}"))?;
        let version = &json["protocol"];
        if *version != VERSION {
            return Err(format!(
                "this runner speaks version {VERSION} of the runner protocol, the job has {version}"
            ));
        }
        if json["features"].as_array().is_some_and(|features| !features.is_empty()) {
            return Err(format!("this runner switches no proposals, the job has {}", json["features"]));
        }
        Job::parse(&json)?.ok_or_else(|| format!("the job {path} is not as the runner protocol has it"))
    }

    /// `None` if a field is missing or has another type.
    fn parse(json: &Json) -> Result<Option<Job>, String> {
        let Some(path) = json["module"].as_str() else { return Ok(None) };
        let module = std::fs::read(path).map_err(|error| format!("reading the module {path}: {error}"))?;
        let run = &json["task"]["Run"];
        let command = json["engine"]["Runner"]["command"].as_str();
        let fields = || {
            Some(Job {
                spec: format!("runner:{}", command?),
                module,
                memories: names(&run["memories"])?,
                globals: names(&run["globals"])?,
                tables: names(&run["tables"])?,
                has_start: run["has_start"].as_bool()?,
                calls: run["calls"].as_array()?.iter().map(Call::parse).collect::<Option<_>>()?,
                watch: if run["watch"].is_null() { None } else { Some(watch(&run["watch"])?) },
            })
        };
        Ok(fields())
    }
}

impl Call {
    fn parse(json: &Json) -> Option<Call> {
        let arguments = json["arguments"].as_array()?.iter().map(Value::from_json);
        Some(Call { function: json["function"].as_str()?.to_string(), arguments: arguments.collect::<Option<_>>()? })
    }
}

fn names(json: &Json) -> Option<Vec<String>> {
    json.as_array()?.iter().map(|name| name.as_str().map(str::to_string)).collect()
}

fn watch(json: &Json) -> Option<(u32, Vec<(u64, u64)>)> {
    let range = |range: &Json| Some((range["address"].as_u64()?, range["length"].as_u64()?));
    let ranges = json["ranges"].as_array()?.iter().map(range);
    Some((json["memory"].as_u64()?.try_into().ok()?, ranges.collect::<Option<_>>()?))
}
