//! The one table of the init's options: the parser, help and suggestions all read it.

/// Which option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Id {
    ForwardTo,
    Rewrite,
    ExitMap,
    ParentDeath,
    Delay,
    StopSignal,
    KillMode,
    Grace,
    Leftovers,
    LeftoverGrace,
    MaxTime,
    ExitReport,
    ExitReportFormat,
    Verbose,
    LogFormat,
    Help,
    Version,
}

/// What the options are about, as the help text groups them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    Signals,
    Stop,
    Reports,
    Other,
}

impl Topic {
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Topic::Signals => "Signals",
            Topic::Stop => "The stop",
            Topic::Reports => "What it tells",
            Topic::Other => "Other",
        }
    }
}

/// One option.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: Id,
    pub(crate) topic: Topic,
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    /// What its value is called, if it takes one.
    pub(crate) value: Option<&'static str>,
    pub(crate) help: &'static str,
}

impl Row {
    /// The variable that gives the same value.
    pub(crate) fn variable(&self) -> String {
        format!("SUPERVISE_{}", self.long.to_ascii_uppercase().replace('-', "_"))
    }

    /// The row of the variable of that name, without its `SUPERVISE_`: the option's in capitals, with `_` for `-`. Flags
    /// have none, and the log's variables rules of their own.
    pub(crate) fn of_variable(name: &[u8]) -> Option<(usize, &'static Row)> {
        TABLE.iter().enumerate().find(|(_, row)| {
            let same = |(letter, other): (u8, &u8)| match letter {
                b'-' => *other == b'_',
                _ => letter.to_ascii_uppercase() == *other,
            };
            row.value.is_some()
                && row.id != Id::LogFormat
                && row.long.len() == name.len()
                && row.long.bytes().zip(name).all(same)
        })
    }
}

/// In the order of the help text.
pub(crate) const TABLE: [Row; 17] = [
    Row {
        id: Id::ForwardTo,
        topic: Topic::Signals,
        short: None,
        long: "forward-to",
        value: Some("main|group"),
        help: "Send signals to the command alone, or to the process group that it then leads [default: main]",
    },
    Row {
        id: Id::Rewrite,
        topic: Topic::Signals,
        short: None,
        long: "rewrite",
        value: Some("FROM=TO,..."),
        help: "Send the command the signal TO for FROM, by name or number (TERM=QUIT, RTMIN+3=TERM), or nothing \
               (HUP=ignore). Not for keys (Ctrl-C): the terminal sends those itself",
    },
    Row {
        id: Id::ParentDeath,
        topic: Topic::Signals,
        short: None,
        long: "parent-death",
        value: Some("SIGNAL"),
        help: "When our parent (Linux: the thread that started us) dies, act as if SIGNAL had come",
    },
    Row {
        id: Id::Delay,
        topic: Topic::Stop,
        short: None,
        long: "delay",
        value: Some("TIME"),
        help: "Let this much time pass between a request to stop and the first signal. A second SIGTERM ends it [default: 0]",
    },
    Row {
        id: Id::StopSignal,
        topic: Topic::Stop,
        short: None,
        long: "stop-signal",
        value: Some("SIGNAL|LADDER"),
        help: "Stop the command with SIGNAL, which is then a request to stop like SIGTERM, or with one after the other (TERM:10s,INT:5s,KILL) [default: TERM, or what it is rewritten to]",
    },
    Row {
        id: Id::KillMode,
        topic: Topic::Stop,
        short: None,
        long: "kill-mode",
        value: Some("main|group|tree"),
        help: "Whom the signals of a stop reach: the command, its process group (which it then leads), or everything below us [default: main; with --forward-to group, group]",
    },
    Row {
        id: Id::Grace,
        topic: Topic::Stop,
        short: None,
        long: "grace",
        value: Some("TIME"),
        help: "Kill the command this long after the request to stop [default: never, as docker, Kubernetes or systemd do]",
    },
    Row {
        id: Id::Leftovers,
        topic: Topic::Stop,
        short: None,
        long: "leftovers",
        value: Some("stop|wait|leave"),
        help: "What the command leaves behind is told to end and waited for, or waited for without a word until a stop is asked for, or left [default: stop]",
    },
    Row {
        id: Id::LeftoverGrace,
        topic: Topic::Stop,
        short: None,
        long: "leftover-grace",
        value: Some("TIME"),
        help: "Kill what is left this long after it was told to end [default: 5s, less where docker would kill first]",
    },
    Row {
        id: Id::MaxTime,
        topic: Topic::Stop,
        short: None,
        long: "max-time",
        value: Some("TIME"),
        help: "Stop the command when it has run this long, and kill it 10 s later (or after --grace) [default: never]",
    },
    Row {
        id: Id::ExitMap,
        topic: Topic::Reports,
        short: None,
        long: "exit-map",
        value: Some("FROM=TO,..."),
        help: "End with the code TO when the command ends with the code FROM (143=0 also means signal 15), or dies of the \
               signal FROM (TERM=0)",
    },
    Row {
        id: Id::ExitReport,
        topic: Topic::Reports,
        short: None,
        long: "exit-report",
        value: Some("FILE"),
        help: "Write how it went into FILE at the end: a JSON object of at most 4096 bytes (/dev/termination-log in Kubernetes)",
    },
    Row {
        id: Id::ExitReportFormat,
        topic: Topic::Reports,
        short: None,
        long: "exit-report-format",
        value: Some("json|text"),
        help: "What the report looks like [default: json]",
    },
    Row {
        id: Id::Verbose,
        topic: Topic::Reports,
        short: Some('v'),
        long: "verbose",
        value: None,
        help: "Log each event with its cause, as SUPERVISE_LOG=debug does",
    },
    Row {
        id: Id::LogFormat,
        topic: Topic::Reports,
        short: None,
        long: "log-format",
        value: Some("text|json"),
        help: "How log lines look, as SUPERVISE_LOG_FORMAT does [default: text]",
    },
    Row { id: Id::Help, topic: Topic::Other, short: Some('h'), long: "help", value: None, help: "Print this" },
    Row {
        id: Id::Version,
        topic: Topic::Other,
        short: Some('V'),
        long: "version",
        value: None,
        help: "Print the version",
    },
];
