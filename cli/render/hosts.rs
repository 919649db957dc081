//! Who answered host calls, in words.

use forkpoint_compare::{HostMode, OwnHosts};
use forkpoint_replay::printable;
use forkpoint_tracer::EngineSpec;

/// A note about the hosts of a comparison: for each engine, the host that answered it for real, if one did.
pub fn hosts(mode: HostMode, sides: &[(&str, Option<&str>)], own_hosts: &OwnHosts) -> Option<String> {
    let live: Vec<String> =
        sides.iter().filter_map(|(engine, host)| host.map(|host| format!("{host} under {engine}"))).collect();
    let all = live.join("; ");
    match mode {
        HostMode::Pinned => return None,
        HostMode::Own if live.is_empty() => return None,
        HostMode::Own => {
            return Some(format!(
                "The host that answered: {all}. All other runs got its answers from the recording."
            ));
        }
        HostMode::Live => {}
    }
    let without: Vec<String> =
        sides.iter().filter(|(_, host)| host.is_none()).map(|(engine, _)| with_reason(engine, own_hosts)).collect();
    let mut words = match live.len() {
        0 => "No host was live.".to_string(),
        2 if without.is_empty() => format!("Both hosts were live: {all}."),
        _ if without.is_empty() => format!("All hosts were live: {all}."),
        _ => format!("Not all hosts were live: {all}."),
    };
    if !without.is_empty() {
        let (has, its) = if without.len() == 1 { ("has", "its") } else { ("have", "their") };
        let without = without.join(", ");
        words.push_str(&format!(
            " {without} {has} no host that forkpoint can record: {its} calls were answered as in a live run under {}.",
            EngineSpec::default()
        ));
    }
    Some(words + " The difference may come from clocks, random numbers or files.")
}

/// An engine without a host, and the reason if it gives one.
fn with_reason(engine: &str, own_hosts: &OwnHosts) -> String {
    match own_hosts.known(engine) {
        Some(Err(Some(why))) => format!("{engine} ({})", printable(&why)),
        _ => engine.to_string(),
    }
}
