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

impl Check {
    /// All, in the order of the reports.
    pub(crate) const ALL: [Check; 18] = [
        Check::ExitsInGrace,
        Check::Status,
        Check::ModeDifference,
        Check::Disposition,
        Check::Reaction,
        Check::TreeGone,
        Check::ChildrenStatus,
        Check::Forwarded,
        Check::Zombies,
        Check::Listener,
        Check::Restart,
        Check::Files,
        Check::Output,
        Check::GraceMargin,
        Check::Stopped,
        Check::SdNotify,
        Check::ExecForm,
        Check::Inherited,
    ];

    /// As reports and `--explain` call it; never changes.
    pub(crate) fn id(self) -> &'static str {
        self.names().0
    }

    /// A few words of it.
    pub(crate) fn name(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Check::ExitsInGrace => ("S01", "ends in time"),
            Check::Status => ("S02", "exit status"),
            Check::ModeDifference => ("S03", "same in each mode"),
            Check::Disposition => ("S04", "what the signal does"),
            Check::Reaction => ("S05", "reaction"),
            Check::TreeGone => ("S06", "nothing left"),
            Check::ChildrenStatus => ("S07", "ends of the others"),
            Check::Forwarded => ("S08", "signal passed on"),
            Check::Zombies => ("S09", "zombies"),
            Check::Listener => ("S11", "listening sockets"),
            Check::Restart => ("S15", "starts again"),
            Check::Files => ("S16", "files"),
            Check::Output => ("S17", "output ends"),
            Check::GraceMargin => ("S18", "time to spare"),
            Check::Stopped => ("S20", "stopped before"),
            Check::SdNotify => ("S23", "sd_notify"),
            Check::ExecForm => ("S24", "no shell in front"),
            Check::Inherited => ("S25", "inherited signals"),
        }
    }
}

impl Level {
    /// As machines read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Pass => "pass",
            Level::Info => "info",
            Level::Skip => "skip",
            Level::Warn => "warn",
            Level::Fail => "fail",
            Level::Inconclusive => "inconclusive",
        }
    }
}

/// All runs of one mode and signal, judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
    pub(crate) runs: Vec<super::record::Run>,
    pub(crate) findings: Vec<Finding>,
}
