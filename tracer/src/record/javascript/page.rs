//! A page whose module is recorded in a browser: what `runners/node/browser.cjs` is told, in JSON.

use serde::Serialize;
use std::path::PathBuf;

/// A page, and how long it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// Its address; without it, it is `file` in `folder`, which the recorder serves to the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The page's file, by its name in `folder`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the page can load from the recorder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The origins that the browser can reach, such as `https://example.org`.
    pub origins: Vec<String>,
    /// An expression in JavaScript: the recording ends once it is true in the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// After how many seconds it ends in any case.
    pub seconds: u32,
    /// The browser, Chromium or Firefox; without it, one that is on `PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chromium: Option<PathBuf>,
    /// Where a picture of the page goes in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<PathBuf>,
}
