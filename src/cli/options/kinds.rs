//! What the values of options are.

/// What a value is: which words a suggestion and a completion may offer. The name that the value has says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `main|group`: one of these.
    Choice,
    Signal,
    /// Signals, each with a time after it, with commas between.
    Ladder,
    /// Pairs of signals.
    Rewrites,
    /// Pairs of a code or signal, and a code.
    Codes,
    Time,
    File,
    Directory,
    /// A user, and a group after a colon.
    User,
    /// A variable, and a value after `=`.
    Variable,
    /// A resource, and its limits after `=`.
    Limits,
    /// Names of capabilities.
    Capabilities,
    /// A shell's command line.
    Command,
    /// What shows that something is ready.
    Readiness,
    /// Nothing that could be offered.
    Any,
}

/// What the values are called.
pub(super) const KINDS: [(&str, Kind); 11] = [
    ("SIGNAL", Kind::Signal),
    ("SIGNAL|LADDER", Kind::Ladder),
    ("TIME", Kind::Time),
    ("FILE", Kind::File),
    ("DIR", Kind::Directory),
    ("USER[:GROUP]", Kind::User),
    ("NAME[=VALUE]", Kind::Variable),
    ("NAME=SOFT[:HARD],...", Kind::Limits),
    ("ALL|NAME,...", Kind::Capabilities),
    ("CMD", Kind::Command),
    ("WHAT", Kind::Readiness),
];
