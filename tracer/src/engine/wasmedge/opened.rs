//! A library of WasmEdge that is ready for a job.

use super::abi::{Api, Object, Release};
use super::config::Settings;
use crate::engine::drive::Rejected;
use crate::spec::WasmEdgeSpec;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A library, loaded, with a configuration for running or for compiling.
pub(super) struct WasmEdge {
    /// The engine as the user wrote it.
    pub(super) asked: String,
    pub(super) spec: WasmEdgeSpec,
    pub(super) api: Api,
    pub(super) release: Release,
    pub(super) config: Object,
    pub(super) settings: Settings,
    pub(super) page_limit: Option<u64>,
}

/// A path as a C string.
pub(super) fn text(path: &Path) -> Result<CString, Rejected> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Rejected::compile(format!("the path {} has a NUL in it", path.display())))
}
