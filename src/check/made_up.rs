//! Orders and records made up by hand, for tests. The signal is sent one second after the start; times of ends are counted
//! from it.

use std::time::Duration;

use supervise_init::core::{Signal, Status};
use supervise_init::sys::SigSet;

use super::finding::{Check, Finding, Judged};
use super::judge::judge;
use super::record::{
    AtDeadline, Dispositions, Ended, EndedBy, Event, Files, Inherited, Notify, Outcome, Output, Process, Run, State,
    What,
};
use super::scenario::{Extension, Format, Mode, Order, Orphan, Ready, Scenario, Target, Way};
use crate::proc::WaitsFor;

pub(super) const SIGNAL_AT: Duration = Duration::from_secs(1);
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The pid of the command.
pub(super) const MAIN: i32 = 100;
pub(super) const DIED_OF_TERM: Status = Status::Signaled(Signal::TERM);

pub(super) fn milliseconds(time: u64) -> Duration {
    Duration::from_millis(time)
}

pub(super) fn order() -> Order {
    Order {
        modes: vec![Mode::Pid1, Mode::Child],
        signals: vec![Signal::TERM],
        target: Target::Main,
        grace: GRACE,
        extension: Extension::Unheard,
        ready: Ready::Delay(Duration::ZERO),
        ready_timeout: Duration::from_secs(30),
        repeat: 1,
        also: vec![Way::StoppedFirst],
        state_dirs: Vec::new(),
        ok_exit: Vec::new(),
        format: Format::Text,
        is_strict: false,
        command: 2,
    }
}

/// A run that was told to stop, of these processes; the first is the command.
pub(super) fn run(mode: Mode, processes: Vec<Process>) -> Run {
    let order = order();
    let mut run = Run {
        scenario: Scenario {
            mode,
            way: Way::Usual,
            orphan: Orphan::PutIn,
            signal: Signal::TERM,
            target: order.target,
            grace: order.grace,
            extension: order.extension,
            ready: order.ready,
            ready_timeout: order.ready_timeout,
        },
        repetition: 1,
        outcome: Outcome::Stopped,
        ready_at: Some(milliseconds(500)),
        signal_at: Some(SIGNAL_AT),
        most_processes: processes.len(),
        processes,
        listeners: Vec::new(),
        connections: Vec::new(),
        output: Output::default(),
        files: Files::default(),
        notify: Notify::default(),
        inherited: Inherited { ignored: SigSet::NONE, blocked: SigSet::NONE },
        missing: Vec::new(),
        events: Vec::new(),
        injected_orphan: None,
        is_out_of_memory: None,
        cgroup: None,
    };
    run.output.closed_at = run.processes.iter().filter_map(|process| Some(process.ended?.at)).max();
    run.events = events(&run);
    run
}

/// A run that did not come to the signal.
pub(super) fn not_told(mode: Mode, outcome: Outcome) -> Run {
    Run { outcome, signal_at: None, ..run(mode, vec![process("app")]) }
}

fn events(run: &Run) -> Vec<Event> {
    let mut events = vec![
        Event { at: Duration::ZERO, what: What::Executed { pid: MAIN } },
        Event { at: milliseconds(500), what: What::Ready { by: "delay".to_owned() } },
        Event { at: SIGNAL_AT, what: What::Sent { signal: run.scenario.signal, target: format!("pid {MAIN}") } },
    ];
    for process in &run.processes {
        if !process.is_main {
            events.push(Event { at: process.first_seen_at, what: What::Appeared { pid: process.pid } });
        }
        if let Some(ended) = process.ended {
            events.push(Event { at: ended.at, what: What::Ended { pid: process.pid } });
        }
    }
    // As `stays` has it.
    let killed = run.processes.iter().filter(|process| process.at_deadline.is_some()).count();
    if killed > 0 {
        events.push(Event { at: SIGNAL_AT + GRACE, what: What::Killed { count: killed } });
    }
    events.sort_by_key(|event| event.at);
    events
}

/// The command, with all signals at their default action.
pub(super) fn process(words: &str) -> Process {
    let comm = words.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    Process {
        pid: MAIN,
        inside: Some(1),
        parent: 1,
        started_by: None,
        is_main: true,
        is_as_given: true,
        comm: comm.to_owned(),
        words: words.to_owned(),
        exe: Some(format!("/usr/bin/{comm}")),
        is_shell: matches!(comm, "sh" | "bash" | "dash"),
        group: MAIN,
        session: MAIN,
        first_seen_at: Duration::ZERO,
        executed_at: Some(Duration::ZERO),
        signals: Some(Dispositions {
            caught: SigSet::NONE,
            ignored: SigSet::NONE,
            blocked: SigSet::NONE,
            pending: SigSet::NONE,
            by_signalfd: SigSet::NONE,
            waits_for_signals: false,
        }),
        pipes: Vec::new(),
        stdio: [None; 3],
        state: State::Able,
        at_deadline: None,
        ended: None,
    }
}

/// A process that the command has started; the number makes its pid.
pub(super) fn child(number: i32, words: &str) -> Process {
    Process {
        pid: MAIN + number,
        inside: Some(1 + number),
        parent: MAIN,
        started_by: Some(MAIN),
        is_main: false,
        first_seen_at: milliseconds(100),
        executed_at: Some(milliseconds(101)),
        ..process(words)
    }
}

impl Process {
    pub(super) fn catches(mut self, signal: Signal) -> Process {
        self.with_signals(|signals| signals.caught = signals.caught.with(signal));
        self
    }

    pub(super) fn ignores(mut self, signal: Signal) -> Process {
        self.with_signals(|signals| signals.ignored = signals.ignored.with(signal));
        self
    }

    pub(super) fn with_signals(&mut self, change: impl FnOnce(&mut Dispositions)) {
        change(self.signals.as_mut().expect("a made-up process has sets"));
    }

    /// By itself, or by the signal that was sent.
    pub(super) fn ends(self, after: u64, status: Status) -> Process {
        let by = if status == DIED_OF_TERM { EndedBy::Signal } else { EndedBy::Itself };
        self.ends_by(after, status, by)
    }

    pub(super) fn ends_by(mut self, after: u64, status: Status, by: EndedBy) -> Process {
        self.ended = Some(Ended { at: SIGNAL_AT + milliseconds(after), status: Some(status), by });
        self
    }

    /// With process 1.
    pub(super) fn cut_off(self, after: u64) -> Process {
        self.ends_by(after, Status::Signaled(Signal::KILL), EndedBy::Kernel)
    }

    /// It lived until we killed it.
    pub(super) fn stays(self) -> Process {
        let mut process = self.ends_by(10_001, Status::Signaled(Signal::KILL), EndedBy::Us);
        process.at_deadline = Some(AtDeadline {
            state: State::Able,
            is_pending: false,
            is_handled: false,
            waits_for: WaitsFor::Else,
            is_running: false,
            busy: Duration::ZERO,
        });
        process
    }

    pub(super) fn at_deadline(mut self, change: impl FnOnce(&mut AtDeadline)) -> Process {
        change(self.at_deadline.as_mut().expect("it stays"));
        self
    }
}

/// The word of one check on the first group.
pub(super) fn word(order: &Order, runs: Vec<Run>, check: Check) -> Finding {
    let judged = judge(order, runs);
    found(&judged[0], check).expect("the check has something to say")
}

pub(super) fn found(judged: &Judged, check: Check) -> Option<Finding> {
    judged.findings.iter().find(|finding| finding.check == check).cloned()
}
