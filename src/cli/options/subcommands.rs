//! The options that subcommands have beside those of the init, and those of the clients of shutdown requests.

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
pub(crate) const SHIMS: [Row; 3] = [
    Row {
        id: Id::Inits,
        topic: Topic::Shims,
        short: None,
        long: "inits",
        value: Some("DIR"),
        help: "Link the names of other inits in DIR to it\nThe names are tini, tini-static, docker-init, dumb-init and catatonit; DIR must be there.",
    },
    Row {
        id: Id::Divert,
        topic: Topic::Shims,
        short: None,
        long: "divert",
        value: None,
        help: "Take the places where packages have them\nFor callers of /sbin/shutdown and the like. With dpkg a package's own is diverted to NAME.supervise-orig; without it nothing that is there is touched.",
    },
    Row {
        id: Id::Remove,
        topic: Topic::Shims,
        short: None,
        long: "remove",
        value: None,
        help: "Remove the links instead\nThose alone that lead to this supervise. With --divert what was there comes back.",
    },
];

/// The options of `poweroff`, `halt` and `reboot`.
pub(crate) const HALT: [Row; 9] = [
    Row {
        id: Id::Poweroff,
        topic: Topic::Client,
        short: Some('p'),
        long: "poweroff",
        value: None,
        help: "Power off\nAs `reboot` it reboots all the same.",
    },
    Row {
        id: Id::Halt,
        topic: Topic::Client,
        short: None,
        long: "halt",
        value: None,
        help: "Halt\nIn a container that is the same as to power off.",
    },
    Row { id: Id::Reboot, topic: Topic::Client, short: None, long: "reboot", value: None, help: "Reboot" },
    Row {
        id: Id::Force,
        topic: Topic::Client,
        short: Some('f'),
        long: "force",
        value: None,
        help: "Stop at once, by killing all\nProcess 1 does it; no capability is needed. If it does not answer, or where -f is given twice, reboot(2) is called; that needs CAP_SYS_BOOT.",
    },
    Row {
        id: Id::OnlyRecord,
        topic: Topic::Client,
        short: Some('w'),
        long: "wtmp-only",
        value: None,
        help: "Do nothing\nIt would only write to wtmp, and a container has none.",
    },
    Row {
        id: Id::Accepted,
        topic: Topic::Client,
        short: Some('d'),
        long: "no-wtmp",
        value: None,
        help: "Taken, and of no effect\nNothing is written to wtmp anyway.",
    },
    Row {
        id: Id::NoSync,
        topic: Topic::Client,
        short: Some('n'),
        long: "no-sync",
        value: None,
        help: "Do not call sync(2) before reboot(2)",
    },
    Row {
        id: Id::NoWall,
        topic: Topic::Client,
        short: None,
        long: "no-wall",
        value: None,
        help: "Tell nobody\nOtherwise the terminals of the container are told.",
    },
    Row { id: Id::Help, topic: Topic::Client, short: None, long: "help", value: None, help: "Print this" },
];

/// The options of `shutdown`.
pub(crate) const SHUTDOWN: [Row; 10] = [
    Row {
        id: Id::Poweroff,
        topic: Topic::Client,
        short: Some('P'),
        long: "poweroff",
        value: None,
        help: "Power off, which is the default",
    },
    Row {
        id: Id::Halt,
        topic: Topic::Client,
        short: Some('H'),
        long: "halt",
        value: None,
        help: "Halt\nIn a container that is the same as to power off.",
    },
    Row {
        id: Id::PoweroffUnlessHalt,
        topic: Topic::Client,
        short: Some('h'),
        long: "",
        value: None,
        help: "Power off, unless --halt is given",
    },
    Row { id: Id::Reboot, topic: Topic::Client, short: Some('r'), long: "reboot", value: None, help: "Reboot" },
    Row {
        id: Id::OnlyWarn,
        topic: Topic::Client,
        short: Some('k'),
        long: "",
        value: None,
        help: "Only warn, and end nothing",
    },
    Row {
        id: Id::Cancel,
        topic: Topic::Client,
        short: Some('c'),
        long: "",
        value: None,
        help: "Cancel what is scheduled\nIts words are the message then. That nothing is scheduled is no error.",
    },
    Row {
        id: Id::Show,
        topic: Topic::Client,
        short: None,
        long: "show",
        value: None,
        help: "Show what is scheduled\nIt ends with 1 if nothing is.",
    },
    Row {
        id: Id::NoWall,
        topic: Topic::Client,
        short: None,
        long: "no-wall",
        value: None,
        help: "Tell nobody\nOtherwise the terminals of the container are told.",
    },
    Row {
        id: Id::Accepted,
        topic: Topic::Client,
        short: Some('t'),
        long: "",
        value: Some("SEC"),
        help: "Taken, and of no effect\nHow long programs have is decided by the options of process 1. So are -a, -f, -F and -n.",
    },
    Row { id: Id::Help, topic: Topic::Client, short: None, long: "help", value: None, help: "Print this" },
];

/// The options of `telinit` and `init`.
pub(crate) const TELINIT: [Row; 4] = [
    Row {
        id: Id::Accepted,
        topic: Topic::Client,
        short: Some('t'),
        long: "",
        value: Some("SEC"),
        help: "Taken, and of no effect\nHow long programs have is decided by the options of process 1.",
    },
    Row {
        id: Id::SetVariable,
        topic: Topic::Client,
        short: Some('e'),
        long: "",
        value: Some("NAME=VALUE"),
        help: "Say what 0 means: INIT_HALT=HALT or =POWEROFF\nOther variables are of no effect.",
    },
    Row {
        id: Id::NoWall,
        topic: Topic::Client,
        short: None,
        long: "no-wall",
        value: None,
        help: "Tell nobody\nOtherwise the terminals of the container are told.",
    },
    Row { id: Id::Help, topic: Topic::Client, short: None, long: "help", value: None, help: "Print this" },
];

/// The options of `runlevel`.
pub(crate) const RUNLEVEL: [Row; 1] =
    [Row { id: Id::Help, topic: Topic::Client, short: None, long: "help", value: None, help: "Print this" }];

/// The options of `systemctl` that we know. With another one a real systemctl is called.
pub(crate) const SYSTEMCTL: [Row; 8] = [
    Row {
        id: Id::Force,
        topic: Topic::Client,
        short: Some('f'),
        long: "force",
        value: None,
        help: "Stop at once, by killing all\nAs for poweroff.",
    },
    Row {
        id: Id::When,
        topic: Topic::Client,
        short: None,
        long: "when",
        value: Some("WHEN"),
        help: "Do it then: +5min, 23:59, now, show, cancel\nA time may also be +90s, +2h, \"2030-03-17 17:46\", \"2030-03-17\", @1900000000 or auto, which is in a minute.",
    },
    Row {
        id: Id::Message,
        topic: Topic::Client,
        short: None,
        long: "message",
        value: Some("TEXT"),
        help: "What people are told",
    },
    Row {
        id: Id::NoWall,
        topic: Topic::Client,
        short: None,
        long: "no-wall",
        value: None,
        help: "Tell nobody\nOtherwise the terminals of the container are told.",
    },
    Row {
        id: Id::Accepted,
        topic: Topic::Client,
        short: None,
        long: "no-block",
        value: None,
        help: "Taken, and of no effect\nIt never waits for the end. So are -i and what is about passwords, pagers and warnings.",
    },
    Row { id: Id::Quiet, topic: Topic::Client, short: Some('q'), long: "quiet", value: None, help: "Print nothing" },
    Row { id: Id::Version, topic: Topic::Client, short: None, long: "version", value: None, help: "Print the version" },
    Row { id: Id::Help, topic: Topic::Client, short: None, long: "help", value: None, help: "Print this" },
];

/// The options of `supervise ctl` alone. No variables stand for them.
pub(crate) const CTL: [Row; 4] = [
    Row {
        id: Id::Wait,
        topic: Topic::Ctl,
        short: None,
        long: "wait",
        value: None,
        help: "End when it has happened (stop, restart)\nWhen the command has ended; when it runs again and, with --ready, is ready. Otherwise when process 1 has the request.",
    },
    Row {
        id: Id::Limit,
        topic: Topic::Ctl,
        short: None,
        long: "timeout",
        value: Some("TIME"),
        help: "Wait no longer than this, and end with 124\nIt goes on all the same. 0: for ever, which is the default.",
    },
    Row {
        id: Id::Json,
        topic: Topic::Ctl,
        short: None,
        long: "json",
        value: None,
        help: "Print JSON (status, events)\nOne object, or one a line.",
    },
    Row {
        id: Id::Check,
        topic: Topic::Ctl,
        short: None,
        long: "check",
        value: None,
        help: "Print nothing, end with 0 if it runs (status)\nWith 1 while it starts or stops, is not ready or is unhealthy, and with 125 if nobody answers: for the HEALTHCHECK of an image. With --json the object is printed all the same.",
    },
];

/// The option of `supervise features` alone.
pub(crate) const FEATURES: [Row; 1] =
    [Row { id: Id::Json, topic: Topic::Ctl, short: None, long: "json", value: None, help: "Print one JSON object" }];
