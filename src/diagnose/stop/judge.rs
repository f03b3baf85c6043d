//! From what /proc shows to what keeps a stop waiting. Pure.
//!
//! 1. A process that only waits for one that was told as well gets no line: the other does.
//! 2. Whom nobody told is named in the line of the process that waits for it, unless it has a fault of its own.
//! 3. What is the same for several processes of one name is one finding.

use supervise_init::core::{KillMode, Signal};
use supervise_init::sys::SigSet;

use super::process::{Handling, Process, State};
use crate::proc::{WaitsFor, is_in_vfork};

/// All that the judgement needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) told: Told,
    pub(super) signal: Signal,
    pub(super) main: i32,
    pub(super) ourselves: i32,
    pub(super) blocked_at_entry: SigSet,
    pub(super) ignored_at_entry: SigSet,
    pub(super) processes: &'a [Process],
}

/// Who was told to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// Main, and others with it.
    Main(KillMode),
    /// Everything: main has ended.
    Leftovers,
}

/// One thing that is wrong, and with whom.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) process: &'a Process,
    /// Others of that name, of which the same is true.
    pub(super) same: Vec<i32>,
    pub(super) why: Why<'a>,
}

/// What keeps a process.
#[derive(Debug)]
pub(super) enum Why<'a> {
    Stopped,
    Traced(i32),
    Starting(Option<&'a Process>),
    Stuck(&'a str),
    Ignored {
        instead: Instead,
        at_entry: bool,
        below: Below<'a>,
    },
    InteractiveShell,
    Blocked {
        instead: Instead,
        at_entry: bool,
    },
    Unread,
    Discarded,
    InForeground {
        child: &'a Process,
        below: Below<'a>,
    },
    Trap(Below<'a>),
    /// It is a shell whose trap has run, or has been put off again and again: it has started something else since.
    Returned,
    Waits(Below<'a>),
    AtWork(Below<'a>),
    Dumping,
    Ending,
    Unmoved,
    Outside,
}

impl Why<'_> {
    /// One word of it, for machines.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Why::Stopped => "stopped",
            Why::Traced(_) => "traced",
            Why::Starting(_) => "vfork",
            Why::Stuck(_) => "uninterruptible",
            Why::Ignored { .. } => "ignored",
            Why::InteractiveShell => "interactive",
            Why::Blocked { .. } => "blocked",
            Why::Unread => "unread",
            Why::Discarded => "discarded",
            Why::InForeground { .. } => "foreground-child",
            Why::Trap(_) => "trap",
            Why::Returned => "trap-returned",
            Why::Waits(_) => "waits",
            Why::AtWork(_) => "working",
            Why::Dumping => "dumping",
            Why::Ending => "ending",
            Why::Unmoved => "unmoved",
            Why::Outside => "outside",
        }
    }

    /// Whether it is about the process alone.
    fn names_nobody(&self) -> bool {
        match self {
            Why::Ignored { below, .. } | Why::Trap(below) | Why::Waits(below) | Why::AtWork(below) => {
                below.who.is_empty()
            }
            Why::InForeground { .. } | Why::Starting(_) => false,
            Why::Stopped
            | Why::Traced(_)
            | Why::Stuck(_)
            | Why::InteractiveShell
            | Why::Blocked { .. }
            | Why::Unread
            | Why::Discarded
            | Why::Returned
            | Why::Dumping
            | Why::Ending
            | Why::Unmoved
            | Why::Outside => true,
        }
    }
}

/// A signal that would do better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Instead {
    Handled(Signal),
    Ends(Signal),
    Nothing,
}

/// The descendants that nobody told.
#[derive(Debug)]
pub(super) struct Below<'a> {
    pub(super) who: Vec<&'a Process>,
    /// The mode that would reach them.
    pub(super) reach: KillMode,
    pub(super) heard: Heard,
}

/// What is known of their having the signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// They cannot have it.
    Never,
    /// They have not got it from us, but their parent may have told them.
    NotFromUs,
    /// It would change nothing.
    InVain,
}

impl<'a> Scene<'a> {
    /// What keeps the stop waiting: main or the roots of what it left first.
    pub(super) fn judge(&self) -> Vec<Finding<'a>> {
        let mut findings = Vec::new();
        for process in self.processes {
            let is_root = match self.told {
                Told::Main(_) => process.pid == self.main,
                Told::Leftovers => process.parent == self.ourselves,
            };
            if is_root {
                let (process, why) = self.cause(process, self.processes.len());
                add(&mut findings, process, why);
            }
        }
        for process in self.processes {
            let why = match (self.is_outside(process), self.told) {
                (false, _) => self.fault(process),
                (true, Told::Main(_)) => None,
                (true, Told::Leftovers) => Some(Why::Outside),
            };
            if let Some(why) = why {
                add(&mut findings, process, why);
            }
        }
        findings
    }

    fn is_told(&self, process: &Process) -> bool {
        match self.told {
            _ if process.is_newer => false,
            Told::Leftovers | Told::Main(KillMode::Tree) => true,
            Told::Main(KillMode::Main) => process.pid == self.main,
            Told::Main(KillMode::Group) => process.pid == self.main || self.is_in_group_of_main(process),
        }
    }

    fn is_in_group_of_main(&self, process: &Process) -> bool {
        self.find(self.main).is_some_and(|main| main.group == process.group)
    }

    fn find(&self, pid: i32) -> Option<&'a Process> {
        self.processes.iter().find(|process| process.pid == pid)
    }

    /// Put into our namespace by somebody outside, or started by such a process.
    fn is_outside(&self, process: &Process) -> bool {
        let mut parent = process.parent;
        for _ in self.processes {
            match self.find(parent) {
                Some(process) => parent = process.parent,
                None => break,
            }
        }
        parent == 0
    }

    fn is_below_main(&self, process: &Process) -> bool {
        let mut parent = process.parent;
        for _ in self.processes {
            match self.find(parent) {
                Some(process) if process.pid != self.main => parent = process.parent,
                _ => break,
            }
        }
        parent == self.main
    }

    fn children(&self, parent: &Process) -> impl Iterator<Item = &'a Process> {
        let pid = parent.pid;
        self.processes.iter().filter(move |process| process.parent == pid)
    }

    /// The child that holds the process up, if it waits for one.
    fn awaited(&self, process: &Process) -> Option<&'a Process> {
        let waits = process.is_shell || process.waits_for == WaitsFor::Child;
        self.children(process).find(|child| waits && !(process.is_shell && process.has_in_background(child)))
    }

    /// What keeps this process, or keeps the one that it waits for.
    fn cause(&self, process: &'a Process, deeper: usize) -> (&'a Process, Why<'a>) {
        if let Some(why) = self.disability(process) {
            return (process, why);
        }
        let handling = process.handling(self.signal);
        if matches!(handling, Handling::Caught | Handling::Ignored | Handling::Discarded)
            && let Some(child) = self.awaited(process)
            && self.is_told(child)
            && let Some(deeper) = deeper.checked_sub(1)
        {
            return self.cause(child, deeper);
        }
        (process, self.reason(process, handling))
    }

    /// Why it could act on no signal.
    fn disability(&self, process: &'a Process) -> Option<Why<'a>> {
        match &process.state {
            State::Able => None,
            State::Stopped => Some(Why::Stopped),
            State::Traced(by) => Some(Why::Traced(*by)),
            State::Stuck(place) if is_in_vfork(place) => Some(Why::Starting(self.children(process).next())),
            State::Stuck(place) => Some(Why::Stuck(place)),
        }
    }

    /// Why this signal has not ended it.
    fn reason(&self, process: &'a Process, handling: Handling) -> Why<'a> {
        let signal = self.signal;
        match handling {
            Handling::Ignored if self.is_kept_by_hup(process) => Why::InteractiveShell,
            Handling::Ignored => Why::Ignored {
                instead: instead(process, signal),
                at_entry: self.ignored_at_entry.contains(signal),
                below: self.below(process, Heard::Never),
            },
            Handling::Blocked => {
                Why::Blocked { instead: instead(process, signal), at_entry: self.blocked_at_entry.contains(signal) }
            }
            Handling::Unread => Why::Unread,
            Handling::Discarded => Why::Discarded,
            Handling::Caught => self.business(process),
            Handling::Default if process.is_dumping => Why::Dumping,
            Handling::Default if [signal, Signal::KILL].iter().any(|signal| process.pending.contains(*signal)) => {
                Why::Ending
            }
            Handling::Default => Why::Unmoved,
        }
    }

    /// Whether SIGHUP would end it. What is left has got that one too.
    fn is_kept_by_hup(&self, process: &Process) -> bool {
        self.signal == Signal::TERM && matches!(self.told, Told::Main(_)) && process.is_interactive_shell()
    }

    /// What a process is doing that has taken the signal.
    fn business(&self, process: &'a Process) -> Why<'a> {
        let below = self.below(process, Heard::NotFromUs);
        match self.awaited(process) {
            Some(child) if process.is_shell && child.is_newer => Why::Returned,
            Some(child) if process.is_shell => Why::InForeground { child, below: self.below(process, Heard::Never) },
            _ if process.is_shell && !below.who.is_empty() => Why::Trap(below),
            Some(_) => Why::Waits(below),
            None => Why::AtWork(below),
        }
    }

    /// What of `process`'s descendants was not told, nearest first; `heard` says what is known of them otherwise.
    fn below(&self, process: &Process, heard: Heard) -> Below<'a> {
        let mut who: Vec<&Process> = self.children(process).filter(|child| !self.is_told(child)).collect();
        let mut next = 0;
        while let Some(process) = who.get(next).copied() {
            let new: Vec<_> =
                self.children(process).filter(|child| !self.is_told(child) && !who.contains(child)).collect();
            who.extend(new);
            next += 1;
        }
        let all_are = |handling| who.iter().all(|process| process.handling(self.signal) == handling);
        let is_near = who.iter().all(|process| self.is_in_group_of_main(process));
        Below {
            reach: if is_near { KillMode::Group } else { KillMode::Tree },
            heard: match heard {
                _ if all_are(Handling::Ignored) || all_are(Handling::Discarded) => Heard::InVain,
                // It would have ended them.
                _ if all_are(Handling::Default) => Heard::Never,
                heard => heard,
            },
            who,
        }
    }

    /// What is wrong with a process itself, which would hold it up whoever waits for it.
    fn fault(&self, process: &'a Process) -> Option<Why<'a>> {
        if !self.is_told(process) {
            let is_discarded = process.handling(self.signal) == Handling::Discarded;
            let why = self.disability(process).or(is_discarded.then_some(Why::Discarded));
            return why.filter(|_| self.is_below_main(process));
        }
        let (keeper, why) = self.cause(process, self.processes.len());
        let is_fault = match why {
            Why::Trap(_)
            | Why::Returned
            | Why::AtWork(_)
            | Why::Dumping
            | Why::Ending
            | Why::Unmoved
            | Why::Unread
            | Why::Outside => false,
            Why::Stopped
            | Why::Traced(_)
            | Why::Starting(_)
            | Why::Stuck(_)
            | Why::Ignored { .. }
            | Why::InteractiveShell
            | Why::Blocked { .. }
            | Why::Discarded
            | Why::InForeground { .. }
            | Why::Waits(_) => keeper.pid == process.pid,
        };
        is_fault.then_some(why)
    }
}

/// Adds what is not known yet, to what is the same if there is such.
fn add<'a>(findings: &mut Vec<Finding<'a>>, process: &'a Process, why: Why<'a>) {
    if findings.iter().any(|known| known.process.pid == process.pid || known.same.contains(&process.pid)) {
        return;
    }
    let is_same = |known: &&mut Finding<'_>| {
        known.process.comm == process.comm
            && known.why.name() == why.name()
            && why.names_nobody()
            && known.why.names_nobody()
    };
    match findings.iter_mut().find(is_same) {
        Some(known) => known.same.push(process.pid),
        None => findings.push(Finding { process, same: Vec::new(), why }),
    }
}

/// What else would stop the process: a signal that programs take for that and that it handles, or one that ends it.
fn instead(process: &Process, signal: Signal) -> Instead {
    const CANDIDATES: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP];
    let with = |wanted| {
        // Shells handle SIGINT for themselves, and go on; SIGQUIT would leave a core file.
        let is_keyboard = |other: Signal| process.is_shell && matches!(other, Signal::INT | Signal::QUIT);
        let fits = |other: &Signal| *other != signal && !is_keyboard(*other) && process.handling(*other) == wanted;
        CANDIDATES.into_iter().find(|other| fits(other) && !process.blocked.contains(*other))
    };
    match (with(Handling::Caught), with(Handling::Default)) {
        (Some(other), _) => Instead::Handled(other),
        (None, Some(other)) => Instead::Ends(other),
        (None, None) => Instead::Nothing,
    }
}
