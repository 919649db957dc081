//! How a job is handed to an engine's process that runs: the path of its file, with the three descriptors that a new process
//! would inherit.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The socket, the shared memory and the semaphore.
const DESCRIPTORS: usize = 3;

/// Longest path of a job, as on Linux.
const LONGEST: usize = 4096;

/// Hands a job over.
///
/// # Errors
/// When the process is gone.
pub(crate) fn send(control: &UnixStream, job: &Path, descriptors: [BorrowedFd<'_>; DESCRIPTORS]) -> io::Result<()> {
    let path = job.as_os_str().as_bytes();
    let mut message = (path.len() as u32).to_le_bytes().to_vec();
    message.extend_from_slice(path);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(control, &[IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    let mut control = control;
    control.write_all(&message[sent..])
}

/// Waits for the next job; `None` when there is none any more.
///
/// # Errors
/// When what comes is no job.
pub(crate) fn receive(control: &UnixStream) -> io::Result<Option<(PathBuf, [OwnedFd; DESCRIPTORS])>> {
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(control, &mut [IoSliceMut::new(&mut length)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let rights = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights.collect::<Vec<OwnedFd>>()),
        _ => None,
    });
    let descriptors = rights.and_then(|rights| rights.try_into().ok());
    let descriptors = descriptors.ok_or_else(|| wrong("a job without its descriptors"))?;
    let mut control = control;
    control.read_exact(&mut length[received.bytes..])?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(wrong("a job with a path that no file has"));
    }
    let mut path = vec![0; length];
    control.read_exact(&mut path)?;
    Ok(Some((OsString::from_vec(path).into(), descriptors)))
}

#[cfg(test)]
mod tests {
    use super::{receive, send};
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    #[test]
    fn a_job_arrives_with_its_descriptors() {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"shared").expect("written");
        for path in ["/tmp/job", "/tmp/another with \n in it"] {
            let [a, b, c] = [&file; 3].map(|file| file.as_fd());
            send(&ours, Path::new(path), [a, b, c]).expect("sent");
            let (job, [_, last, _]) = receive(&theirs).expect("received").expect("a job");
            assert_eq!(job, Path::new(path));
            let mut text = String::new();
            let mut last = File::from(last);
            last.rewind().expect("a file");
            last.read_to_string(&mut text).expect("read");
            assert_eq!(text, "shared");
        }
        (&ours).write_all(b"no job").expect("sent");
        assert!(receive(&theirs).is_err());
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        drop(ours);
        assert!(receive(&theirs).expect("an end").is_none());
    }
}
