//! How a child process shows its guest's memories to the recorder: whole images, digests of pages at
//! checkpoints, and a few watched bytes.
//!
//! Independent of any engine: an engine passes a memory as a slice.

mod checkpoints;
mod images;
mod pages;
mod watch;

pub(crate) use checkpoints::checkpoint;
pub(crate) use images::send_image;
pub(crate) use pages::digest;
pub(crate) use watch::Watcher;
