//! What was seen of one run: facts with their times, and no judgement. Everything here can be written down by hand, so the
//! judge is tested without a process.
//!
//! 1. Times are of CLOCK_MONOTONIC, as durations since the command was executed.
//! 2. Pids are those that we see; `inside` has the number in the namespace of the run.
//! 3. What could not be looked at is `None`, or stands in `missing`: it is never taken as "not so".

use std::fmt;
use std::time::Duration;

use supervise_init::core::{Signal, Status};
use supervise_init::sys::SigSet;

use super::scenario::Scenario;
use crate::proc::WaitsFor;
use crate::report::Seconds;

/// Ends of processes so close to that of process 1 are not told from those by it.
pub(super) const SAME_MOMENT: Duration = Duration::from_millis(100);

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    /// Counted from 1 within the mode and signal.
    pub(crate) repetition: u32,
    pub(crate) outcome: Outcome,
    /// When the command was ready. `None`: it never was.
    pub(crate) ready_at: Option<Duration>,
    /// When the signal was sent.
    pub(crate) signal_at: Option<Duration>,
    /// Main first. A process that was seen only dead has no picture.
    pub(crate) processes: Vec<Process>,
    pub(crate) listeners: Vec<Listener>,
    /// Clients of ours that came after the signal, in a run of its own.
    pub(crate) connections: Vec<Connection>,
    pub(crate) output: Output,
    pub(crate) files: Files,
    pub(crate) notify: Notify,
    /// What we had inherited and took from the command: signals that were ignored, and blocked.
    pub(crate) inherited: Inherited,
    /// What this machine does not let us see.
    pub(crate) missing: Vec<Missing>,
    /// All that happened, in the order of time.
    pub(crate) events: Vec<Event>,
    /// The biggest number of processes that lived at once.
    pub(crate) most_processes: usize,
    /// What came of the orphan that was put into the namespace as a health check would leave one.
    pub(crate) injected_orphan: Option<Orphan>,
    /// Whether a process of the run was killed for memory, as its cgroup counts, or else ours.
    pub(crate) is_out_of_memory: Option<bool>,
    /// The cgroup that it had for itself.
    pub(crate) cgroup: Option<Cgroup>,
}

/// How far the run came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It was told to stop, and what came of it is in the processes.
    Stopped,
    /// It ended before it was ready, or before the signal.
    EndedBefore(Status),
    /// It was not ready in time: what was waited for, and what came of that.
    NeverReady(String),
    /// There is no such program, or it cannot be executed: our exit code for that, and why.
    NotStarted { code: u8, why: String },
    /// The mode cannot be had here, and why (no PID namespaces, say).
    NotPossible(String),
    /// Nothing could be seen of it.
    Hindered(Hindrance),
}

/// What stands in the way of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hindrance {
    /// What is to show that it is ready is there before it was started; who answers, where that is known.
    AnswersAlready { target: String, by: Option<String> },
    /// Within this time the kernel had not executed it: a file system hangs.
    NotExecuted(Duration),
    /// We ourselves did not run when the time was over, until so long after it, and nobody else has seen the end.
    Suspended(Duration),
}

impl Hindrance {
    /// As the reports call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Hindrance::AnswersAlready { .. } => "answers-already",
            Hindrance::NotExecuted(_) => "not-executed",
            Hindrance::Suspended(_) => "suspended",
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::AnswersAlready { target, by: Some(by) } => {
                write!(f, "{by} answers at {target} before the command was started")
            }
            Hindrance::AnswersAlready { target, by: None } => {
                write!(f, "{target} is ready before the command was started")
            }
            Hindrance::Suspended(late) => {
                write!(f, "this check itself did not run for {} s, in which the command ended", Seconds(*late))
            }
            Hindrance::NotExecuted(limit) => {
                write!(f, "the command was not executed within {} s: its file system does not answer", Seconds(*limit))
            }
        }
    }
}

/// A process of the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) inside: Option<i32>,
    pub(crate) parent: i32,
    /// Who has started it, where the kernel told of that: a parent may have been given it as an orphan.
    pub(crate) started_by: Option<i32>,
    /// Whether it is the command itself.
    pub(crate) is_main: bool,
    /// Whether its words are still those of the command as that was given.
    pub(crate) is_as_given: bool,
    /// Made safe to print: no control characters.
    pub(crate) comm: String,
    pub(crate) words: String,
    /// The file that it executes, where we may see it.
    pub(crate) exe: Option<String>,
    pub(crate) is_shell: bool,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) first_seen_at: Duration,
    /// When it last executed a program. `None`: it runs what who started it runs, or nobody has told.
    pub(crate) executed_at: Option<Duration>,
    /// What it was like at the last look before the signal, or the first one after it.
    pub(crate) signals: Option<Dispositions>,
    /// The pipes that it had open when the signal was sent, by their inodes.
    pub(crate) pipes: Vec<u64>,
    /// Those of them that are its stdin, stdout and stderr.
    pub(crate) stdio: [Option<u64>; 3],
    pub(crate) state: State,
    /// Looked at when the grace time was over.
    pub(crate) at_deadline: Option<AtDeadline>,
    pub(crate) ended: Option<Ended>,
}

/// What a process does with signals: of all its threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dispositions {
    pub(crate) caught: SigSet,
    pub(crate) ignored: SigSet,
    /// By every thread.
    pub(crate) blocked: SigSet,
    pub(crate) pending: SigSet,
    /// Read from a signalfd.
    pub(crate) by_signalfd: SigSet,
    /// It sits in sigtimedwait(2), which hides what it waits for.
    pub(crate) waits_for_signals: bool,
}

/// What it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Able,
    /// SIGSTOP or a tracer.
    Stopped,
    /// In an uninterruptible wait.
    Stuck,
    /// Dead, and not reaped by its parent for a second, or until it was looked at last.
    Zombie,
}

impl State {
    /// As the reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Able => "able",
            State::Stopped => "stopped",
            State::Stuck => "stuck",
            State::Zombie => "zombie",
        }
    }
}

/// A living process when the time was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AtDeadline {
    pub(crate) state: State,
    /// Whether the signal is still pending, and so was sent but not taken.
    pub(crate) is_pending: bool,
    /// Whether it has a handler or a signalfd for it now, whatever it had when that came.
    pub(crate) is_handled: bool,
    pub(crate) waits_for: WaitsFor,
    /// Whether it had work for a processor, or a disk, in that moment.
    pub(crate) is_running: bool,
    /// CPU time that it used since the signal.
    pub(crate) busy: Duration,
}

/// The end of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    pub(crate) at: Duration,
    /// `None`: nobody could tell.
    pub(crate) status: Option<Status>,
    pub(crate) by: EndedBy,
}

/// Who ended it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndedBy {
    /// Itself, or a signal that is not ours.
    Itself,
    /// The signal of the run, by its default action.
    Signal,
    /// As process 1 of its namespace ended, by SIGKILL: the kernel did that, or somebody in that moment. Whichever it was
    /// cannot be seen.
    Kernel,
    /// We did, when the time was over.
    Us,
}

/// A socket that took connections when the signal was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listener {
    /// `tcp 127.0.0.1:80`, `unix /run/x`.
    pub(crate) address: String,
    /// Who had it when the signal was sent, main first.
    pub(crate) pids: Vec<i32>,
    /// `None`: open to the end of main.
    pub(crate) closed_at: Option<Duration>,
}

impl Listener {
    /// Who has closed it when it is closed: main, where it had it as well.
    pub(crate) fn closer(&self) -> Option<i32> {
        self.pids.first().copied()
    }
}

/// A client that came after the signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Connection {
    /// As that of the [`Listener`].
    pub(crate) address: String,
    pub(crate) at: Duration,
    /// `None`: not before all had ended.
    pub(crate) ended_at: Option<Duration>,
    pub(crate) served: Served,
}

/// What became of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Served {
    /// It could not connect.
    Refused = 1,
    /// Something was sent to it.
    Answered = 2,
    /// Its connection was ended without an answer.
    Closed = 3,
    /// Its connection was taken and then reset.
    Reset = 4,
    /// It waited to the end.
    Unanswered = 5,
}

impl Served {
    pub(crate) const ALL: [Served; 5] =
        [Served::Refused, Served::Answered, Served::Closed, Served::Reset, Served::Unanswered];

    /// As the reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Served::Refused => "refused",
            Served::Answered => "answered",
            Served::Closed => "closed",
            Served::Reset => "reset",
            Served::Unanswered => "unanswered",
        }
    }
}

/// What it wrote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: u64,
    pub(crate) bytes_after_signal: u64,
    /// The first that came after the signal.
    pub(crate) first_after_signal_at: Option<Duration>,
    /// The last lines, made safe to print; a few.
    pub(crate) tail: Vec<String>,
    /// Whether what came last ends with a newline. `None`: nothing came.
    pub(crate) ends_with_newline: Option<bool>,
    /// When both pipes were seen to be closed. `None`: they were held open until we ended all.
    pub(crate) closed_at: Option<Duration>,
    /// From when on that was awaited: we may see late that main, or all that is waited for, has ended.
    pub(crate) awaited_from: Option<Duration>,
}

/// Files on a disk that could be half written, or in the way of the next start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Files {
    /// Open for writing in a process that was killed, by us or the kernel; the paths made safe to print. `None`: not looked
    /// at.
    pub(crate) open_when_killed: Option<Vec<String>>,
    /// Pid, lock and socket files and the like that were not there before the run. `None`: not looked at.
    pub(crate) left: Option<Vec<String>>,
    /// The same of which only the number in it is one of the run's: another container's may be the same.
    pub(crate) perhaps_left: Vec<String>,
}

/// What came on the socket for sd_notify(3), times of the first of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Notify {
    pub(crate) ready_at: Option<Duration>,
    pub(crate) stopping_at: Option<Duration>,
    /// Until when it has asked for time, at the longest; once it was told to stop, since then.
    pub(crate) extended_until: Option<Duration>,
    /// Whether anything came at all.
    pub(crate) is_used: bool,
    pub(crate) status: Option<String>,
}

/// What we were given by who started us, and the command was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inherited {
    pub(crate) ignored: SigSet,
    pub(crate) blocked: SigSet,
}

/// A facility that is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Missing {
    pub(crate) facility: Facility,
    pub(crate) why: String,
}

/// What an observation needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Facility {
    /// Exit statuses of processes that are not our children (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15).
    GrandchildStatus,
    /// A PID namespace.
    PidNamespace,
    /// /proc/PID/fd and /proc/PID/net.
    Sockets,
    /// What was open in a process that was killed, or what is left in a directory.
    Files,
    /// A cgroup of version 2 for the run.
    Cgroup,
    /// A /proc of the run's own namespace.
    Proc,
    /// A descriptor for each process.
    Descriptors,
    /// setns(2) into the namespace of the run.
    Orphan,
    /// Forks and exits as they happen (the proc connector), instead of looks at /proc.
    ProcessEvents,
}

/// The orphan that was put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Orphan {
    ReapedAfter(Duration),
    /// Still a zombie after two seconds.
    NotReaped,
}

/// The cgroup of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cgroup {
    /// How many processes were in it when the run was over.
    pub(crate) left: usize,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

/// What happened. Pids as in [`Process`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Executed {
        pid: i32,
    },
    Appeared {
        pid: i32,
    },
    Ready {
        by: String,
    },
    /// An orphan of ours, as a health check that is cut off leaves one.
    PutIn,
    /// It is stopped: SIGSTOP has done what it was sent for.
    Halted,
    /// SIGCONT was sent behind the signal.
    Continued,
    Sent {
        signal: Signal,
        target: String,
    },
    Wrote {
        bytes: u64,
        line: String,
    },
    Closed {
        /// As [`Listener::closer`] has it.
        pid: Option<i32>,
        address: String,
    },
    Notified {
        text: String,
    },
    Ended {
        pid: i32,
    },
    OutputClosed,
    Killed {
        count: usize,
    },
}
