//! The options of `supervise run` alone. No variables stand for them.

use super::{Id, Row, Topic};

/// In the order of its help text.
pub(crate) const RUN: [Row; 10] = [
    Row {
        id: Id::Upper,
        topic: Topic::Root,
        short: None,
        long: "upper",
        value: Some("DIR"),
        help: "Keep what it writes in DIR/upper\nOn the host, to be used again the next time. Without it what is written vanishes with the container. DIR is made if it is not there.",
    },
    Row {
        id: Id::Writable,
        topic: Topic::Root,
        short: None,
        long: "writable",
        value: None,
        help: "Let it change ROOTFS itself\nOtherwise ROOTFS stays as it is.",
    },
    Row {
        id: Id::ReadOnly,
        topic: Topic::Root,
        short: None,
        long: "read-only",
        value: None,
        help: "Let it write nowhere but to /run, /tmp and /dev\nAnd to what --bind and --tmpfs give it.",
    },
    Row {
        id: Id::Bind,
        topic: Topic::Root,
        short: None,
        long: "bind",
        value: Some("SRC:DST[:ro]"),
        help: "Show SRC of the host as DST\nA file or a directory, with all that is mounted in it. DST begins with a slash. May be repeated.",
    },
    Row {
        id: Id::Tmpfs,
        topic: Topic::Root,
        short: None,
        long: "tmpfs",
        value: Some("DST"),
        help: "Put an empty file system in memory at DST\nMay be repeated.",
    },
    Row {
        id: Id::Net,
        topic: Topic::Container,
        short: None,
        long: "net",
        value: Some("private|none|host"),
        help: "Which network it has\nOne of its own with nothing but loopback; not even that; or the host's. Default: private.",
    },
    Row {
        id: Id::Hostname,
        topic: Topic::Container,
        short: None,
        long: "hostname",
        value: Some("NAME"),
        help: "What the host is called inside\nDefault: 12 hexadecimal digits.",
    },
    Row {
        id: Id::UserNs,
        topic: Topic::Container,
        short: None,
        long: "user-ns",
        value: None,
        help: "Give it a user namespace\nSo that its root has no rights over the host. Who is not root has one anyway.",
    },
    Row {
        id: Id::CapAdd,
        topic: Topic::Container,
        short: None,
        long: "cap-add",
        value: Some("ALL|NAME,..."),
        help: "Give it more capabilities: sys_ptrace,sys_nice\nThan those that docker gives. What supervise does not have itself is a warning. May be repeated.",
    },
    Row {
        id: Id::DryRun,
        topic: Topic::Container,
        short: None,
        long: "dry-run",
        value: None,
        help: "Print the steps, and do none of them\nEach with its reason, in the order in which they would be done.",
    },
];
