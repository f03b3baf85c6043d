//! The one table of the init's options: the parser, help and suggestions all read it.

/// Which option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Id {
    ForwardTo,
    Rewrite,
    ExitMap,
    ParentDeath,
    Verbose,
    LogFormat,
    Help,
    Version,
}

/// One option.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: Id,
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    /// What its value is called, if it takes one.
    pub(crate) value: Option<&'static str>,
    pub(crate) help: &'static str,
}

/// In the order of the help text.
pub(crate) const TABLE: [Row; 8] = [
    Row {
        id: Id::ForwardTo,
        short: None,
        long: "forward-to",
        value: Some("main|group"),
        help: "Send signals to the command alone, or to the process group that it then leads [default: main]",
    },
    Row {
        id: Id::Rewrite,
        short: None,
        long: "rewrite",
        value: Some("FROM=TO,..."),
        help: "Send the command the signal TO for FROM, by name or number (TERM=QUIT, RTMIN+3=TERM), or nothing \
               (HUP=ignore). For keys (Ctrl-C), with --forward-to group",
    },
    Row {
        id: Id::ExitMap,
        short: None,
        long: "exit-map",
        value: Some("FROM=TO,..."),
        help: "End with the code TO when the command ends with the code FROM (143=0 also means signal 15), or dies of the \
               signal FROM (TERM=0)",
    },
    Row {
        id: Id::ParentDeath,
        short: None,
        long: "parent-death",
        value: Some("SIGNAL"),
        help: "When our parent (Linux: the thread that started us) dies, act as if SIGNAL had come",
    },
    Row {
        id: Id::Verbose,
        short: Some('v'),
        long: "verbose",
        value: None,
        help: "Log each event with its cause, as SUPERVISE_LOG=debug does",
    },
    Row {
        id: Id::LogFormat,
        short: None,
        long: "log-format",
        value: Some("text|json"),
        help: "How log lines look, as SUPERVISE_LOG_FORMAT does [default: text]",
    },
    Row { id: Id::Help, short: Some('h'), long: "help", value: None, help: "Print this" },
    Row { id: Id::Version, short: Some('V'), long: "version", value: None, help: "Print the version" },
];
