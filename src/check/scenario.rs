//! What is to be run and looked at: the checked words of `supervise check`.

use std::ffi::CStr;
use std::path::Path;
use std::time::Duration;

use supervise_init::core::Signal;

/// As what the command runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Process 1 of a new PID namespace, as under docker without an init.
    Pid1,
    /// An ordinary process, as under systemd or a shell.
    Child,
    /// Under supervise as process 1 of a new PID namespace.
    Init,
}

impl Mode {
    /// As `--as` and the reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Pid1 => "pid1",
            Mode::Child => "child",
            Mode::Init => "init",
        }
    }
}

/// Who gets the signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The command alone, as docker, podman and Kubernetes do it.
    Main,
    /// Its process group, as a terminal's Ctrl-C does it.
    Group,
    /// All its processes, as systemd's control-group does it.
    Tree,
}

impl Target {
    /// As `--target` and the reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Main => "main",
            Target::Group => "group",
            Target::Tree => "tree",
        }
    }
}

/// What tells that the command is ready to be told to stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ready {
    /// `READY=1` on a socket of ours (sd_notify(3)).
    SdNotify,
    /// A line, or the end, on that descriptor (s6's notification-fd).
    Fd(i32),
    /// A target that `supervise wait-for` knows: tcp:, unix:, http:, file:, exec:.
    Probe(&'static CStr),
    /// A line of its output that matches.
    Log(&'static str),
    /// Nothing but time.
    Delay(Duration),
    /// Nothing is said: once it has been quiet for a moment. No output, no new process, no CPU time.
    Quiet,
}

/// What who stops it does about a program that asks for more time (`EXTEND_TIMEOUT_USEC=`, sd_notify(3)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extension {
    /// It gives so much, from then on, and never less than it would have: systemd.
    Granted,
    /// It does not listen: all others.
    Unheard,
}

/// How a run goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// It is told to stop, and looked at.
    Usual,
    /// It is stopped (SIGSTOP) before it is told, and continued (SIGCONT) behind that.
    StoppedFirst,
    /// Clients come after the signal, where something listens.
    Visited,
    /// It was to be as usual, and ended by the orphan that was put in.
    Orphaned,
}

/// Whether an orphan is put in, as a health check that is cut off leaves one, where a process 1 has to reap it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Orphan {
    PutIn,
    /// It does not survive one.
    LeftOut,
}

impl Way {
    /// As `--also` and the reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Usual => "usual",
            Way::StoppedFirst => "stopped",
            Way::Visited => "connections",
            Way::Orphaned => "orphan",
        }
    }
}

/// One run of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scenario {
    pub(crate) mode: Mode,
    pub(crate) way: Way,
    pub(crate) orphan: Orphan,
    pub(crate) signal: Signal,
    pub(crate) target: Target,
    /// How long the command may take from the signal on, before it is killed.
    pub(crate) grace: Duration,
    pub(crate) extension: Extension,
    pub(crate) ready: Ready,
    pub(crate) ready_timeout: Duration,
}

/// How the report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// A timeline for people.
    Text,
    Json,
    /// XML as JUnit's, one suite for each mode and signal.
    Junit,
    /// Version 14.
    Tap,
}

/// What counts as a good end besides exit code 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OkExit {
    Code(u8),
    Signal(Signal),
}

/// All that the words ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    pub(crate) modes: Vec<Mode>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) target: Target,
    pub(crate) grace: Duration,
    pub(crate) extension: Extension,
    pub(crate) ready: Ready,
    pub(crate) ready_timeout: Duration,
    /// How often each mode and signal is run; at least 1.
    pub(crate) repeat: u32,
    /// One more run of each, where the usual ones ended in time.
    pub(crate) also: Vec<Way>,
    /// Where it keeps what the next start finds.
    pub(crate) state_dirs: Vec<&'static Path>,
    pub(crate) ok_exit: Vec<OkExit>,
    pub(crate) format: Format,
    /// Whether a warning fails the check.
    pub(crate) is_strict: bool,
    /// Where in the words the command begins.
    pub(crate) command: usize,
}
