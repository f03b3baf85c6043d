//! The options that subcommands have beside those of the init.

use super::{Id, Row, Topic};

/// The options of `supervise wait-for` alone. No variables stand for them.
pub(crate) const WAIT_FOR: [Row; 2] = [
    Row {
        id: Id::Timeout,
        topic: Topic::WaitFor,
        short: None,
        long: "timeout",
        value: Some("TIME"),
        help: "Give up after this long, and end with 124\nFor all targets together; 0: never. Default: 60s.",
    },
    Row {
        id: Id::Interval,
        topic: Topic::WaitFor,
        short: None,
        long: "interval",
        value: Some("TIME"),
        help: "Wait this long between two tries\nFrom a try that failed to the next one. Default: 500ms.",
    },
];

/// The options of `supervise shims` alone. No variables stand for them.
pub(crate) const SHIMS: [Row; 2] = [
    Row {
        id: Id::Inits,
        topic: Topic::Shims,
        short: None,
        long: "inits",
        value: Some("DIR"),
        help: "Link the names of other inits in DIR to it\nThe names are tini, tini-static, docker-init, dumb-init and catatonit; DIR must be there.",
    },
    Row {
        id: Id::Remove,
        topic: Topic::Shims,
        short: None,
        long: "remove",
        value: None,
        help: "Remove the links instead\nThose alone that lead to this supervise.",
    },
];
