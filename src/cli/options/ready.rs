//! The options of readiness and of the watchdog.

use super::{Id, Row, Topic};

pub(super) const READY: Row = Row {
    id: Id::Readiness,
    topic: Topic::Readiness,
    short: None,
    long: "ready",
    value: Some("WHAT"),
    help: "What shows that the command is ready\nsd_notify: that it says READY=1, as for systemd; fd:N: a newline on the descriptor N that it is given, as for s6; or a target of wait-for that is tried twice a second: tcp:HOST:PORT, unix:PATH, http://HOST[:PORT]/PATH, file:PATH, exec:CMD. Health checks begin when it is ready. Who runs supervise and gives it a NOTIFY_SOCKET (systemd, podman --sdnotify=container) is told.",
};
pub(super) const READY_TIMEOUT: Row = Row {
    id: Id::ReadinessTimeout,
    topic: Topic::Readiness,
    short: None,
    long: "ready-timeout",
    value: Some("TIME"),
    help: "Stop a command that is not ready by then\nUnless it asks for more time (EXTEND_TIMEOUT_USEC). It is killed 10s later, or after --grace, and started again where --restart says so. Default, and with 0: never.",
};
pub(super) const WATCHDOG: Row = Row {
    id: Id::Watchdog,
    topic: Topic::Readiness,
    short: None,
    long: "watchdog",
    value: Some("TIME"),
    help: "Stop it when it is silent for so long\nA command of --ready sd_notify that has become ready must say WATCHDOG=1 so often; WATCHDOG_USEC tells it. It is stopped by SIGABRT, killed 10s later or after --grace, and started again where --restart says so.",
};
