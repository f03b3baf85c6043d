//! The options of health checks, as rows of the table.

use super::{Id, Row, Topic};

pub(super) const HEALTH: Row = Row {
    id: Id::Health,
    topic: Topic::Health,
    short: None,
    long: "health",
    value: Some("TARGET"),
    help: "Check that the command does its work\nA try of a target of wait-for every --health-interval while it runs: http://localhost:8080/health, tcp:, unix:, file:, exec:CMD, or just CMD for a shell, as docker's HEALTHCHECK has it. It runs as a hook does.",
};

pub(super) const INTERVAL: Row = Row {
    id: Id::HealthInterval,
    topic: Topic::Health,
    short: None,
    long: "health-interval",
    value: Some("TIME"),
    help: "The time between two checks\nAnd between the start and the first one. Default: 30s.",
};

pub(super) const TIMEOUT: Row = Row {
    id: Id::HealthTimeout,
    topic: Topic::Health,
    short: None,
    long: "health-timeout",
    value: Some("TIME"),
    help: "A check that takes longer has failed\nIt is killed with what it has started in its process group. Default: 30s.",
};

pub(super) const RETRIES: Row = Row {
    id: Id::HealthRetries,
    topic: Topic::Health,
    short: None,
    long: "health-retries",
    value: Some("COUNT"),
    help: "So many failures in a row are too many\nDefault: 3.",
};

pub(super) const START_PERIOD: Row = Row {
    id: Id::HealthStartPeriod,
    topic: Topic::Health,
    short: None,
    long: "health-start-period",
    value: Some("TIME"),
    help: "Failures do not count for so long\nAfter the start, and until the first success. Default: 0.",
};

pub(super) const ACTION: Row = Row {
    id: Id::HealthAction,
    topic: Topic::Health,
    short: None,
    long: "health-action",
    value: Some("restart|stop|ignore"),
    help: "What follows too many failures\nThe command is stopped, and killed 10s later or after --grace; then it is started again, as by --restart, or supervise ends with its code, at least 1; or it is only said. Default: restart.",
};
