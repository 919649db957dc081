//! What the arguments of WASI preview 1's functions mean.
//!
//! One entry per core argument, under the names of the WASI preview 1 specification (its witx files). The recorder
//! takes from here which bytes of the guest's memory a call reads and which it writes, and reports take how a call is
//! spelled out.

/// The module name of WASI preview 1.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A number.
    Number,
    /// A length or count that belongs to the argument before.
    Length,
    /// Address of bytes that the host reads, as many as the next argument says.
    Text,
    /// Address of (address, length) pairs, as many as the next argument says: the host reads the bytes there.
    Gather,
    /// The same, but the host writes there: as many bytes in all as the next [`Role::Out`] holds afterwards.
    Scatter,
    /// Address of a buffer that the host fills, as long as the next argument says.
    Fill,
    /// The same, but only as many bytes as the next [`Role::Out`] holds afterwards.
    Counted,
    /// Address of a result of this many bytes.
    Out(u64),
    /// `poll_oneoff`'s subscriptions: 48 bytes each, as many as argument 2 says.
    Subscriptions,
    /// `poll_oneoff`'s events: 32 bytes each, as many as the next [`Role::Out`] holds afterwards.
    Events,
    /// Address of pointers to strings, whose bytes go to the next argument: the guest's arguments or environment.
    Strings,
}

use Role::{Counted, Events, Fill, Gather, Length, Number, Out, Scatter, Strings, Subscriptions, Text};

/// Names and roles of a function's arguments.
pub type Signature = &'static [(&'static str, Role)];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Signature)] = &[
    ("args_get",          &[("argv", Strings), ("argv_buf", Length)]),
    ("args_sizes_get",    &[("argc", Out(4)), ("argv_buf_size", Out(4))]),
    ("clock_res_get",     &[("id", Number), ("resolution", Out(8))]),
    ("clock_time_get",    &[("id", Number), ("precision", Number), ("time", Out(8))]),
    ("environ_get",       &[("environ", Strings), ("environ_buf", Length)]),
    ("environ_sizes_get", &[("environc", Out(4)), ("environ_buf_size", Out(4))]),
    ("fd_advise",         &[("fd", Number), ("offset", Number), ("len", Number), ("advice", Number)]),
    ("fd_allocate",       &[("fd", Number), ("offset", Number), ("len", Number)]),
    ("fd_close",          &[("fd", Number)]),
    ("fd_datasync",       &[("fd", Number)]),
    ("fd_fdstat_get",     &[("fd", Number), ("stat", Out(24))]),
    ("fd_fdstat_set_flags",  &[("fd", Number), ("flags", Number)]),
    ("fd_fdstat_set_rights", &[("fd", Number), ("rights_base", Number), ("rights_inheriting", Number)]),
    ("fd_filestat_get",   &[("fd", Number), ("filestat", Out(64))]),
    ("fd_filestat_set_size",  &[("fd", Number), ("size", Number)]),
    ("fd_filestat_set_times", &[("fd", Number), ("atim", Number), ("mtim", Number), ("fst_flags", Number)]),
    ("fd_pread",          &[("fd", Number), ("iovs", Scatter), ("iovs_len", Length), ("offset", Number), ("nread", Out(4))]),
    ("fd_prestat_dir_name", &[("fd", Number), ("path", Fill), ("path_len", Length)]),
    ("fd_prestat_get",    &[("fd", Number), ("prestat", Out(8))]),
    ("fd_pwrite",         &[("fd", Number), ("iovs", Gather), ("iovs_len", Length), ("offset", Number), ("nwritten", Out(4))]),
    ("fd_read",           &[("fd", Number), ("iovs", Scatter), ("iovs_len", Length), ("nread", Out(4))]),
    ("fd_readdir",        &[("fd", Number), ("buf", Counted), ("buf_len", Length), ("cookie", Number), ("bufused", Out(4))]),
    ("fd_renumber",       &[("fd", Number), ("to", Number)]),
    ("fd_seek",           &[("fd", Number), ("offset", Number), ("whence", Number), ("newoffset", Out(8))]),
    ("fd_sync",           &[("fd", Number)]),
    ("fd_tell",           &[("fd", Number), ("offset", Out(8))]),
    ("fd_write",          &[("fd", Number), ("iovs", Gather), ("iovs_len", Length), ("nwritten", Out(4))]),
    ("path_create_directory", &[("fd", Number), ("path", Text), ("path_len", Length)]),
    ("path_filestat_get", &[("fd", Number), ("flags", Number), ("path", Text), ("path_len", Length), ("filestat", Out(64))]),
    ("path_filestat_set_times", &[("fd", Number), ("flags", Number), ("path", Text), ("path_len", Length),
                                  ("atim", Number), ("mtim", Number), ("fst_flags", Number)]),
    ("path_link",         &[("old_fd", Number), ("old_flags", Number), ("old_path", Text), ("old_path_len", Length),
                            ("new_fd", Number), ("new_path", Text), ("new_path_len", Length)]),
    ("path_open",         &[("fd", Number), ("dirflags", Number), ("path", Text), ("path_len", Length), ("oflags", Number),
                            ("rights_base", Number), ("rights_inheriting", Number), ("fdflags", Number), ("opened_fd", Out(4))]),
    ("path_readlink",     &[("fd", Number), ("path", Text), ("path_len", Length), ("buf", Counted), ("buf_len", Length),
                            ("bufused", Out(4))]),
    ("path_remove_directory", &[("fd", Number), ("path", Text), ("path_len", Length)]),
    ("path_rename",       &[("fd", Number), ("old_path", Text), ("old_path_len", Length),
                            ("new_fd", Number), ("new_path", Text), ("new_path_len", Length)]),
    ("path_symlink",      &[("old_path", Text), ("old_path_len", Length), ("fd", Number), ("new_path", Text), ("new_path_len", Length)]),
    ("path_unlink_file",  &[("fd", Number), ("path", Text), ("path_len", Length)]),
    ("poll_oneoff",       &[("in", Subscriptions), ("out", Events), ("nsubscriptions", Length), ("nevents", Out(4))]),
    ("proc_exit",         &[("rval", Number)]),
    ("proc_raise",        &[("sig", Number)]),
    ("random_get",        &[("buf", Fill), ("buf_len", Length)]),
    ("sched_yield",       &[]),
    ("sock_accept",       &[("fd", Number), ("flags", Number), ("opened_fd", Out(4))]),
    ("sock_recv",         &[("fd", Number), ("ri_data", Scatter), ("ri_data_len", Length), ("ri_flags", Number),
                            ("ro_datalen", Out(4)), ("ro_flags", Out(2))]),
    ("sock_send",         &[("fd", Number), ("si_data", Gather), ("si_data_len", Length), ("si_flags", Number), ("so_datalen", Out(4))]),
    ("sock_shutdown",     &[("fd", Number), ("how", Number)]),
];

/// The arguments of WASI function `name`; `None` where there is no such function.
pub fn signature(name: &str) -> Option<Signature> {
    FUNCTIONS.binary_search_by_key(&name, |(name, _)| name).ok().map(|at| FUNCTIONS[at].1)
}

/// Every function's name.
pub fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The name of an error number, as `errno` in the specification has it: `success`, `badf`.
pub fn errno(number: i32) -> Option<&'static str> {
    ERRNO.get(usize::try_from(number).ok()?).copied()
}

#[rustfmt::skip]
const ERRNO: &[&str] = &[
    "success", "2big", "acces", "addrinuse", "addrnotavail", "afnosupport", "again", "already", "badf", "badmsg",
    "busy", "canceled", "child", "connaborted", "connrefused", "connreset", "deadlk", "destaddrreq", "dom", "dquot",
    "exist", "fault", "fbig", "hostunreach", "idrm", "ilseq", "inprogress", "intr", "inval", "io", "isconn", "isdir",
    "loop", "mfile", "mlink", "msgsize", "multihop", "nametoolong", "netdown", "netreset", "netunreach", "nfile",
    "nobufs", "nodev", "noent", "noexec", "nolck", "nolink", "nomem", "nomsg", "noprotoopt", "nospc", "nosys",
    "notconn", "notdir", "notempty", "notrecoverable", "notsock", "notsup", "notty", "nxio", "overflow", "ownerdead",
    "perm", "pipe", "proto", "protonosupport", "prototype", "range", "rofs", "spipe", "srch", "stale", "timedout",
    "txtbsy", "xdev", "notcapable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for name in functions() {
            assert!(signature(name).is_some(), "{name} is out of order");
        }
        assert_eq!(functions().count(), 46);
        assert_eq!(signature("fd_wright"), None);
        assert_eq!(
            (errno(0), errno(8), errno(76), errno(77), errno(-1)),
            (Some("success"), Some("badf"), Some("notcapable"), None, None)
        );
    }
}
