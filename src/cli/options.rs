//! The one table of the init's options: the parser, help and suggestions all read it.

// The paths are said aloud because the tests include this file by its own.
#[path = "options/check.rs"]
mod check;
#[path = "options/health.rs"]
mod health;
#[path = "options/id.rs"]
mod id;
#[path = "options/kinds.rs"]
mod kinds;
#[path = "options/ready.rs"]
mod ready;
#[path = "options/run.rs"]
mod run;
#[path = "options/subcommands.rs"]
mod subcommands;
#[path = "options/topic.rs"]
mod topic;

pub(crate) use check::CHECK;
pub(crate) use id::Id;
pub(crate) use kinds::Kind;
pub(crate) use run::RUN;
pub(crate) use subcommands::{CTL, FEATURES, HALT, RUNLEVEL, SHIMS, SHUTDOWN, SYSTEMCTL, TELINIT, WAIT_FOR};
pub(crate) use topic::Topic;

/// One option.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: Id,
    pub(crate) topic: Topic,
    pub(crate) short: Option<char>,
    /// Empty where there is a short one only.
    pub(crate) long: &'static str,
    /// What its value is called, if it takes one.
    pub(crate) value: Option<&'static str>,
    /// One line for `-h`, without a full stop; then, on a line of its own, what `--help` and the man page say beyond it.
    pub(crate) help: &'static str,
}

impl Row {
    /// What its value is, if it takes one.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let value = self.value?;
        Some(match (self.id, kinds::KINDS.iter().find(|(name, _)| *name == value)) {
            (Id::Rewrite, _) => Kind::Rewrites,
            (Id::ExitMap, _) => Kind::Codes,
            (_, Some((_, kind))) => *kind,
            (_, None) if !value.contains(|letter: char| !letter.is_ascii_lowercase() && letter != '|') => Kind::Choice,
            (_, None) => Kind::Any,
        })
    }

    /// Whether a variable gives the same value: of what takes one, of what is about the command, and of what is about an
    /// image.
    pub(crate) fn has_variable(&self) -> bool {
        self.value.is_some() || self.topic == Topic::Command || self.id == Id::SystemdCompat
    }

    /// `-v, --verbose`, `--grace TIME`.
    pub(crate) fn syntax(&self) -> String {
        let value = self.value.map_or_else(String::new, |value| format!(" {value}"));
        self.spellings().join(", ") + &value
    }

    /// `-v` and `--verbose`.
    pub(crate) fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|letter| format!("-{letter}"));
        let long = (!self.long.is_empty()).then(|| format!("--{}", self.long));
        short.into_iter().chain(long).collect()
    }

    /// The variable that gives the same value.
    pub(crate) fn variable(&self) -> String {
        format!("SUPERVISE_{}", self.long.to_ascii_uppercase().replace('-', "_"))
    }

    /// The row of the variable of that name, without its `SUPERVISE_`: the option's in capitals, with `_` for `-`. The
    /// log's variables have rules of their own.
    pub(crate) fn of_variable(name: &[u8]) -> Option<(usize, &'static Row)> {
        TABLE.iter().enumerate().find(|(_, row)| {
            let same = |(letter, other): (u8, &u8)| match letter {
                b'-' => *other == b'_',
                _ => letter.to_ascii_uppercase() == *other,
            };
            row.has_variable()
                && row.id != Id::LogFormat
                && row.long.len() == name.len()
                && row.long.bytes().zip(name).all(same)
        })
    }
}

/// In the order of the help text.
pub(crate) const TABLE: [Row; 51] = [
    Row {
        id: Id::User,
        topic: Topic::Command,
        short: None,
        long: "user",
        value: Some("USER[:GROUP]"),
        help: "Run the command as this user\nBy name or number, with the groups and the HOME that /etc/passwd and /etc/group give it; with GROUP, in that group alone. To signal another user's command supervise needs CAP_KILL. supervise itself stays who it is.",
    },
    Row {
        id: Id::Workdir,
        topic: Topic::Command,
        short: None,
        long: "workdir",
        value: Some("DIR"),
        help: "Run the command in this directory\nIts user must be able to enter it.",
    },
    Row {
        id: Id::Env,
        topic: Topic::Command,
        short: None,
        long: "env",
        value: Some("NAME[=VALUE]"),
        help: "Set a variable for the command\nOr, with NAME alone, pass ours on, also through --clear-env. May be repeated.",
    },
    Row {
        id: Id::EnvFile,
        topic: Topic::Command,
        short: None,
        long: "env-file",
        value: Some("FILE"),
        help: "Set the variables that FILE holds\nA NAME=VALUE a line, as docker run has it. May be repeated.",
    },
    Row {
        id: Id::EnvFromFiles,
        topic: Topic::Command,
        short: None,
        long: "env-from-files",
        value: Some("NAME,..."),
        help: "Set NAME to what the file in NAME_FILE holds\nAnd take NAME_FILE out. DB_* stands for all that begin so. The files are read with our own rights, before --user. May be repeated.",
    },
    Row {
        id: Id::ClearEnv,
        topic: Topic::Command,
        short: None,
        long: "clear-env",
        value: None,
        help: "Pass on nothing of our environment\nBut what the other options say.",
    },
    Row {
        id: Id::Umask,
        topic: Topic::Command,
        short: None,
        long: "umask",
        value: Some("MODE"),
        help: "Keep these permissions from its files: 027\nIn octal.",
    },
    Row {
        id: Id::Rlimit,
        topic: Topic::Command,
        short: None,
        long: "rlimit",
        value: Some("NAME=SOFT[:HARD],..."),
        help: "Limit its resources: nofile=1024\nBy the names of prlimit(1): nofile=1024:4096, core=0, memlock=unlimited. One value is for both. May be repeated.",
    },
    Row {
        id: Id::NoNewPrivs,
        topic: Topic::Command,
        short: None,
        long: "no-new-privs",
        value: None,
        help: "Let it gain nothing by set-user-ID programs\nNor by file capabilities.",
    },
    Row {
        id: Id::CapDrop,
        topic: Topic::Command,
        short: None,
        long: "cap-drop",
        value: Some("ALL|NAME,..."),
        help: "Take capabilities from it: net_raw,setuid\nAnd from all that it runs. May be repeated.",
    },
    Row {
        id: Id::Setsid,
        topic: Topic::Command,
        short: None,
        long: "setsid",
        value: None,
        help: "Run it in a session of its own\nWithout a terminal.",
    },
    Row {
        id: Id::ForwardTo,
        topic: Topic::Signals,
        short: None,
        long: "forward-to",
        value: Some("main|group"),
        help: "Send signals to the command, or to its group\nThe group is a process group that the command then leads. Default: main.",
    },
    Row {
        id: Id::Rewrite,
        topic: Topic::Signals,
        short: None,
        long: "rewrite",
        value: Some("FROM=TO,..."),
        help: "Send the signal TO instead of FROM\nBy name or number: TERM=QUIT, RTMIN+3=TERM; or nothing: HUP=ignore. What was a stop stays one, and what becomes a SIGTERM becomes one. Not for keys (Ctrl-C), unless with --setsid: the terminal sends those to the command itself.",
    },
    Row {
        id: Id::ParentDeath,
        topic: Topic::Signals,
        short: None,
        long: "parent-death",
        value: Some("SIGNAL"),
        help: "When our parent dies, act as on SIGNAL\nThe parent is, as Linux sees it, the thread that started us.",
    },
    Row {
        id: Id::Delay,
        topic: Topic::Stop,
        short: None,
        long: "delay",
        value: Some("TIME"),
        help: "Wait this long before the first signal\nThe time between a request to stop and the first signal. A second SIGTERM ends it. Default: 0.",
    },
    Row {
        id: Id::StopSignal,
        topic: Topic::Stop,
        short: None,
        long: "stop-signal",
        value: Some("SIGNAL|LADDER"),
        help: "Stop the command with it: QUIT, TERM:10s,KILL\nOne signal, or one after the other: TERM:10s,INT:5s,KILL. The first one is then a request to stop too, as SIGTERM is. Default: TERM, or what it is rewritten to.",
    },
    Row {
        id: Id::KillMode,
        topic: Topic::Stop,
        short: None,
        long: "kill-mode",
        value: Some("main|group|tree"),
        help: "Whom a stop's signals and SIGKILL reach\nThe command; its process group, which it then leads; or everything below supervise. Default: main; with --forward-to group, group.",
    },
    Row {
        id: Id::Grace,
        topic: Topic::Stop,
        short: None,
        long: "grace",
        value: Some("TIME"),
        help: "Kill the command this long after the request\nIt has as long as it needs, as far as docker, Kubernetes or systemd let it. 0: at once. Default: never.",
    },
    Row {
        id: Id::Leftovers,
        topic: Topic::Stop,
        short: None,
        long: "leftovers",
        value: Some("stop|wait|leave"),
        help: "Stop what the command leaves behind, or not\nIt is told to end and waited for; or waited for without a word, until a stop is asked for; or left alone: to the kernel, which kills it, if supervise is PID 1. Default: stop.",
    },
    Row {
        id: Id::LeftoverGrace,
        topic: Topic::Stop,
        short: None,
        long: "leftover-grace",
        value: Some("TIME"),
        help: "Kill what is left this long after it was told\n0: at once. Default: 5s, within 9s of the request, or within --grace if that is longer, at least 1s.",
    },
    Row {
        id: Id::MaxTime,
        topic: Topic::Stop,
        short: None,
        long: "max-time",
        value: Some("TIME"),
        help: "Stop the command when it has run this long\nEach life, without hooks and waits before it. It is killed 10s later, or after --grace. Default, and with 0: never.",
    },
    Row {
        id: Id::Restart,
        topic: Topic::Restarts,
        short: None,
        long: "restart",
        value: Some("no|on-failure|always"),
        help: "Start the command again when it has ended\nAfter a failure, or however it ended; not after a stop that somebody asked for, nor by Ctrl-C. All that it left is stopped before, and hooks run again. Default: no.",
    },
    Row {
        id: Id::RestartDelay,
        topic: Topic::Restarts,
        short: None,
        long: "restart-delay",
        value: Some("TIME"),
        help: "Wait this long before the first restart\nAnd twice as long before each further one, and up to a quarter longer, by chance. Default: 100ms.",
    },
    Row {
        id: Id::RestartMaxDelay,
        topic: Topic::Restarts,
        short: None,
        long: "restart-max-delay",
        value: Some("TIME"),
        help: "Do not double it beyond this\nDefault: 1m.",
    },
    Row {
        id: Id::RestartReset,
        topic: Topic::Restarts,
        short: None,
        long: "restart-reset",
        value: Some("TIME"),
        help: "Begin with the first delay again after this long\nA command that has run for so long counts as healthy. Default: 10s.",
    },
    Row {
        id: Id::RestartLimit,
        topic: Topic::Restarts,
        short: None,
        long: "restart-limit",
        value: Some("COUNT/TIME"),
        help: "Give up after so many in that time: 3/10s\nAnd end with the code of the command. At most 64. Default: never.",
    },
    Row {
        id: Id::OkExit,
        topic: Topic::Restarts,
        short: None,
        long: "ok-exit",
        value: Some("CODE|SIGNAL,..."),
        help: "What is no failure, beside 0: 143,TERM\n143 is an exit code, TERM a death by that signal. For --restart on-failure; --exit-map says what supervise ends with.",
    },
    ready::READY,
    ready::READY_TIMEOUT,
    ready::WATCHDOG,
    health::HEALTH,
    health::INTERVAL,
    health::TIMEOUT,
    health::RETRIES,
    health::START_PERIOD,
    health::ACTION,
    Row {
        id: Id::PreStart,
        topic: Topic::Hooks,
        short: None,
        long: "pre-start",
        value: Some("CMD"),
        help: "Run this first, by a shell\nBy `/bin/sh -c CMD`. The command is started only if that ends with 0. May be given several times: one after the other.",
    },
    Row {
        id: Id::PreStartTimeout,
        topic: Topic::Hooks,
        short: None,
        long: "pre-start-timeout",
        value: Some("TIME"),
        help: "Kill a --pre-start that takes longer\nAnd end with 124. Default, and with 0: no limit.",
    },
    Row {
        id: Id::PreStop,
        topic: Topic::Hooks,
        short: None,
        long: "pre-stop",
        value: Some("CMD"),
        help: "Run this before a stop, by a shell\nBy `/bin/sh -c CMD`, with the pid of the command as $MAINPID, before the --delay and the first signal.",
    },
    Row {
        id: Id::PreStopTimeout,
        topic: Topic::Hooks,
        short: None,
        long: "pre-stop-timeout",
        value: Some("TIME"),
        help: "Kill a --pre-stop that takes longer\nThe stop goes on then. Default: 5s, but at most half of what --delay leaves of --grace.",
    },
    Row {
        id: Id::OnReboot,
        topic: Topic::Requests,
        short: None,
        long: "on-reboot",
        value: Some("restart|exit|system"),
        help: "What a reboot is, asked for from inside\nThe command is stopped with all else and started again in the same container; or supervise ends with 129; or calls reboot(2). Default: restart; in LXC and systemd-nspawn, system.",
    },
    Row {
        id: Id::Requests,
        topic: Topic::Requests,
        short: None,
        long: "requests",
        value: Some("on|off"),
        help: "Whether poweroff, reboot, shutdown ... work\nBy /run/initctl, the control socket /run/supervise/ctl, and the signals of shutdown clients. As PID 1 only. Default: on.",
    },
    Row {
        id: Id::CtlGroup,
        topic: Topic::Requests,
        short: None,
        long: "ctl-group",
        value: Some("GROUP"),
        help: "Let this group use the control socket\nBy name or number. Its members may ask for all that root may. Default: everybody may ask how things stand, and root for the rest.",
    },
    Row {
        id: Id::SystemdCompat,
        topic: Topic::Requests,
        short: None,
        long: "systemd-compat",
        value: None,
        help: "Answer systemd's own clients, as systemd would\nsystemctl poweroff, shutdown +5 and their like, unmodified, by the sockets of systemd and of logind. As PID 1 of root only. Programs take the container for one that runs systemd then: see the README for what that changes.",
    },
    Row {
        id: Id::ExitMap,
        topic: Topic::Reports,
        short: None,
        long: "exit-map",
        value: Some("FROM=TO,..."),
        help: "End with the code TO instead of FROM\nFROM is the code that the command ends with (its own, or 128 + n), or the signal that it dies of: 143=0,1=70. TERM=0 means a death by SIGTERM only, 143=0 also a program (Java) that makes an exit code of it.",
    },
    Row {
        id: Id::ExitReport,
        topic: Topic::Reports,
        short: None,
        long: "exit-report",
        value: Some("FILE"),
        help: "Write into FILE how it went\nAt the end, at most 4096 bytes: /dev/termination-log in Kubernetes.",
    },
    Row {
        id: Id::ExitReportFormat,
        topic: Topic::Reports,
        short: None,
        long: "exit-report-format",
        value: Some("json|text"),
        help: "What the report looks like\nDefault: json.",
    },
    Row {
        id: Id::Verbose,
        topic: Topic::Reports,
        short: Some('v'),
        long: "verbose",
        value: None,
        help: "Log each event with its cause\nAs SUPERVISE_LOG=debug does.",
    },
    Row {
        id: Id::LogFormat,
        topic: Topic::Reports,
        short: None,
        long: "log-format",
        value: Some("text|json"),
        help: "What log lines look like\nAs SUPERVISE_LOG_FORMAT does. Default: text.",
    },
    Row {
        id: Id::Help,
        topic: Topic::Other,
        short: Some('h'),
        long: "help",
        value: None,
        help: "Print help: -h short, --help with examples",
    },
    Row {
        id: Id::Version,
        topic: Topic::Other,
        short: Some('V'),
        long: "version",
        value: None,
        help: "Print the version",
    },
];
