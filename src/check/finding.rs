//! What is said about a run.

/// How bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    Pass,
    Info,
    /// It could not be looked at; `cause` says what is missing.
    Skip,
    Warn,
    Fail,
    /// The run cannot be judged.
    Inconclusive,
}

/// One check's word on one mode and signal, over all repetitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    pub(crate) level: Level,
    /// Numbers, pids, status lines: a line each.
    pub(crate) evidence: Vec<String>,
    /// A sentence; empty where nothing is wrong.
    pub(crate) cause: String,
    /// What to change, a sentence; empty where nothing is wrong.
    pub(crate) cure: String,
}

/// A check, in the order of the reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// S01: main ends within the grace time.
    ExitsInGrace,
    /// S02: with what status.
    Status,
    /// S03: the same as process 1 and as a child.
    ModeDifference,
    /// S04: a hint, from the signal sets.
    Disposition,
    /// S05: how soon anything was seen to happen.
    Reaction,
    /// S06: nothing of it lives on.
    TreeGone,
    /// S07: how the others ended.
    ChildrenStatus,
    /// S08: whether the signal reached who does the work.
    Forwarded,
    /// S09: zombies.
    Zombies,
    /// S11: when its sockets close.
    Listener,
    /// S15: it starts again at once.
    Restart,
    /// S16: files left, or open for writing when it was killed.
    Files,
    /// S17: its output is whole, and ends.
    Output,
    /// S18: the slowest of the repetitions against the grace time.
    GraceMargin,
    /// S20: stopped by SIGSTOP when told.
    Stopped,
    /// S23: sd_notify.
    SdNotify,
    /// S24: a shell in front of the program.
    ExecForm,
    /// S25: what was inherited.
    Inherited,
}

/// All runs of one mode and signal, judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
    pub(crate) runs: Vec<super::record::Run>,
    pub(crate) findings: Vec<Finding>,
}
