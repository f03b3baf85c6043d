//! What is explored: what acts on one another is crossed in full, what does not is not.

use std::vec::Vec;

use super::options::{Options, S, Table, USR1, USR2, number};
use crate::core::request::{Ask, Manager, Program, Request, Wish};
use crate::core::{
    Failure, Group, Hurry, JobControl, KillMode, Leftovers, OnReboot, OnSignalDeath, Scope, Sender, Signal, Status,
    Terminal, Then,
};

pub(super) const LADDER: &[(Signal, u64)] = &[(Signal::TERM, 4 * S), (Signal::INT, 2 * S), (Signal::KILL, 0)];
pub(super) const WITHOUT_KILL: &[(Signal, u64)] = &[(Signal::QUIT, 4 * S), (Signal::TERM, 0)];
const AT_ONCE: &[(Signal, u64)] = &[(Signal::TERM, 0), (Signal::INT, 3 * S), (Signal::KILL, 0)];
const ONE: &[(Signal, u64)] = &[(Signal::INT, 0)];
pub(super) const KILL: &[(Signal, u64)] = &[(Signal::KILL, 0)];
pub(super) const AS_ASKED: &[(Signal, u64)] = &[];

/// SIGRTMIN+4.
const RESERVED: Signal = number(38);

pub(super) const PROCESS: Sender = Sender::Process { pid: 42, uid: 0, program: Program::Other };

/// Who means a reboot by SIGTERM.
/// Who asks for a signal to be passed on, and for nothing else by it.
const CLIENT: Sender = Sender::Client { pid: 44, uid: 0 };
const BUSYBOX: Sender = Sender::Process { pid: 43, uid: 0, program: Program::Busybox };
const SENDERS: &[Sender] = &[Sender::Kernel, Sender::Outside, Sender::Ourselves, PROCESS];

/// What one run is explored with.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    pub(super) options: Options,
    pub(super) signals: &'static [Signal],
    pub(super) senders: &'static [Sender],
    /// What is asked for by other ways than signals.
    pub(super) asks: &'static [Ask],
    /// In what main fails.
    pub(super) failures: &'static [Failure],
    /// How much time main asks for.
    pub(super) extensions: &'static [u64],
    pub(super) statuses: &'static [Status],
    pub(super) stops: &'static [(Signal, Terminal)],
    /// The times from one event to the next, beside those to the deadline. They also pass deadlines, which come late
    /// then.
    pub(super) naps: &'static [u64],
}

/// The least that shows everything: a request, a key, another signal, main's end by what may be no signal of ours.
const WORLD: World = World {
    options: Options::NONE,
    signals: &[Signal::TERM, Signal::INT, USR1],
    senders: &[Sender::Outside],
    asks: &[],
    failures: &[],
    extensions: &[],
    statuses: &[Status::Signaled(Signal::KILL)],
    stops: &[(Signal::STOP, Terminal::Background)],
    naps: &[0, 3 * S],
};

/// When main is told and killed: the delay, the signals and the grace.
pub(super) fn ladders() -> Vec<World> {
    let mut all = Vec::new();
    for rungs in [AS_ASKED, ONE, LADDER, WITHOUT_KILL, AT_ONCE, KILL] {
        for delay in [0, 2 * S] {
            for grace in [None, Some(0), Some(4 * S), Some(12 * S)] {
                all.push(World { options: Options { rungs, delay, grace, ..Options::NONE }, ..WORLD });
            }
        }
    }
    all
}

/// The same when the longest time asks for the stop, or ends during one. It adds a second clock, and the ladder from
/// then on is the same: with fewer of the rest.
pub(super) fn longest_times() -> Vec<World> {
    let mut all = Vec::new();
    for grace in [None, Some(4 * S)] {
        for rungs in [AS_ASKED, LADDER, WITHOUT_KILL, KILL] {
            let options = Options { rungs, grace, max_time: Some(6 * S), ..Options::NONE };
            all.push(World { options, ..WORLD });
        }
        for (delay, max_time) in [(2 * S, 6 * S), (0, 0)] {
            let options = Options { delay, grace, max_time: Some(max_time), ..Options::NONE };
            all.push(World { options, ..WORLD });
        }
    }
    all
}

/// What becomes of leftovers, and when: what is to become of them, their grace, where they are, and what the time since
/// the request depends on.
pub(super) fn leftovers() -> Vec<World> {
    let mut all = Vec::new();
    for leftovers in [Leftovers::Stop, Leftovers::Wait, Leftovers::Leave] {
        for leftover_grace in [None, Some(0), Some(3 * S)] {
            // What is left has no time.
            if leftovers == Leftovers::Leave && leftover_grace.is_some() {
                continue;
            }
            for (scope, may_restart) in [(Scope::Namespace, false), (Scope::Namespace, true), (Scope::Tree, false)] {
                for (grace, max_time) in [(None, None), (Some(12 * S), None), (None, Some(6 * S))] {
                    let options =
                        Options { leftovers, leftover_grace, scope, may_restart, grace, max_time, ..Options::NONE };
                    let statuses = &[Status::Exited(0), Status::Signaled(Signal::KILL)];
                    all.push(World { options, statuses, ..WORLD });
                }
            }
        }
    }
    all
}

/// Whom a stop reaches, and who must be continued for it: the kill mode, who continues stopped jobs, whose group the
/// terminal's signals reach, and all the ways in which main can be stopped.
pub(super) fn audiences() -> Vec<World> {
    const STOPS: &[(Signal, Terminal)] = &[
        (Signal::STOP, Terminal::Foreground),
        (Signal::STOP, Terminal::Ours),
        (Signal::STOP, Terminal::Background),
        (Signal::STOP, Terminal::None),
        (Signal::TSTP, Terminal::Foreground),
        (Signal::TSTP, Terminal::Ours),
        (Signal::TSTP, Terminal::Background),
        (Signal::TSTP, Terminal::None),
        (Signal::TTIN, Terminal::Foreground),
        (Signal::TTIN, Terminal::Ours),
        (Signal::TTIN, Terminal::Background),
        (Signal::TTIN, Terminal::None),
        (Signal::TTOU, Terminal::Foreground),
        (Signal::TTOU, Terminal::Ours),
        (Signal::TTOU, Terminal::Background),
        (Signal::TTOU, Terminal::None),
    ];
    let mut all = Vec::new();
    for kill_mode in [KillMode::Main, KillMode::Group, KillMode::Tree] {
        for job_control in [JobControl::Caller, JobControl::Nobody] {
            for group in [Group::Shared, Group::Own] {
                for (rungs, delay) in [(LADDER, 0), (AS_ASKED, 2 * S)] {
                    let grace = Some(7 * S);
                    let options = Options { kill_mode, job_control, group, rungs, delay, grace, ..Options::NONE };
                    let signals = &[Signal::TERM, Signal::CONT, Signal::HUP, Signal::CHLD];
                    let senders = &[Sender::Kernel, PROCESS];
                    all.push(World { options, signals, senders, stops: STOPS, ..WORLD });
                }
            }
        }
    }
    // In a session that we lead.
    let options = Options { group: Group::Led, job_control: JobControl::Nobody, ..Options::NONE };
    let signals = &[Signal::TERM, Signal::CONT, Signal::HUP, Signal::INT];
    all.push(World { options, signals, senders: &[Sender::Kernel, PROCESS], stops: STOPS, ..WORLD });
    all
}

/// Two SIGINTs in a row: of every pair of senders, from the terminal of our group or of main's own, at each rung, also
/// where the first of them is itself the request.
pub(super) fn keys() -> Vec<World> {
    let mut all = Vec::new();
    for group in [Group::Shared, Group::Own] {
        for (rungs, delay) in [(AS_ASKED, 2 * S), (ONE, 0), (LADDER, 0)] {
            for leftovers in [Leftovers::Stop, Leftovers::Wait] {
                let options = Options { rungs, group, delay, leftovers, ..Options::NONE };
                let signals = &[Signal::TERM, Signal::INT];
                all.push(World { options, signals, senders: SENDERS, stops: &[], naps: &[0, 2 * S], ..WORLD });
            }
        }
    }
    all
}

/// Hooks before main: one or two, with and without limits, what kills them, what they leave behind, and how we end. What
/// follows when main is started is the same as without them.
pub(super) fn hooks_before() -> Vec<World> {
    const LISTS: [&[Option<u64>]; 4] = [&[None], &[Some(4 * S)], &[Some(4 * S), None], &[None, Some(0)]];
    let mut all = Vec::new();
    for before in LISTS {
        for (grace, rungs, leftovers) in [
            (None, AS_ASKED, Leftovers::Wait),
            (Some(3 * S), AS_ASKED, Leftovers::Stop),
            (None, LADDER, Leftovers::Leave),
            (Some(0), KILL, Leftovers::Stop),
        ] {
            let options = Options { before, grace, rungs, leftovers, ..Options::NONE };
            all.push(World { options, ..WORLD });
        }
        let (job_control, group) = (JobControl::Nobody, Group::Own);
        let (scope, on_signal_death, max_time) = (Scope::Namespace, OnSignalDeath::Code, Some(6 * S));
        let options = Options { before, scope, on_signal_death, max_time, job_control, group, ..Options::NONE };
        let (senders, stops) = (&[Sender::Kernel, PROCESS], &[(Signal::TSTP, Terminal::Foreground)]);
        all.push(World { options, senders, stops, naps: &[0], ..WORLD });
    }
    all
}

/// The hook before a stop, which has one more clock, with all that follows it.
pub(super) fn hooks_before_a_stop() -> Vec<World> {
    let mut all = Vec::new();
    for (delay, pre_stop) in [(0, 2 * S), (2 * S, 2 * S), (2 * S, 0)] {
        for (grace, max_time) in [(None, None), (Some(8 * S), None), (None, Some(6 * S))] {
            let pre_stop = Some(pre_stop);
            let options = Options { pre_stop, delay, grace, max_time, ..Options::NONE };
            all.push(World { options, ..WORLD });
        }
    }
    for kill_mode in [KillMode::Main, KillMode::Tree] {
        let options = Options { kill_mode, pre_stop: Some(2 * S), rungs: KILL, ..Options::NONE };
        all.push(World { options, ..WORLD });
    }
    let options = Options { kill_mode: KillMode::Tree, pre_stop: Some(2 * S), rungs: LADDER, ..Options::NONE };
    all.push(World { options, ..WORLD });
    for (leftovers, before) in [(Leftovers::Wait, &[][..]), (Leftovers::Leave, &[Some(4 * S)])] {
        let options = Options { leftovers, before, pre_stop: Some(2 * S), ..Options::NONE };
        all.push(World { options, ..WORLD });
    }
    all
}

/// What signals mean when they are rewritten, with all that a request then stands for.
pub(super) fn rewritten() -> Vec<World> {
    let mut all = Vec::new();
    for table in [Table::Rewritten, Table::Deaf, Table::Lethal] {
        for rungs in [AS_ASKED, WITHOUT_KILL] {
            for (delay, max_time) in [(0, None), (2 * S, None), (0, Some(6 * S))] {
                // Which ladder follows makes no difference to what asked for it.
                if max_time.is_some() && rungs == WITHOUT_KILL {
                    continue;
                }
                let options = Options { table, rungs, delay, max_time, ..Options::NONE };
                let signals = &[Signal::TERM, Signal::INT, USR1, USR2, Signal::CONT, RESERVED];
                all.push(World { options, signals, ..WORLD });
            }
        }
    }
    all
}

/// What other inits do otherwise: signals that are only passed on, those that suspend us beside main, keys that hurry
/// nothing but leftovers, and a signal to main's group in the end.
pub(super) fn of_others() -> Vec<World> {
    let mut all = Vec::new();
    for (hurry, parting) in [(Hurry::Leftovers, None), (Hurry::Leftovers, Some(Signal::QUIT)), (Hurry::All, Some(USR2))]
    {
        for (table, rungs) in [(Table::Plain, LADDER), (Table::Passing, AS_ASKED), (Table::Passing, WITHOUT_KILL)] {
            for (kill_mode, group) in [(KillMode::Main, Group::Own), (KillMode::Tree, Group::Shared)] {
                for before in [&[][..], &[None]] {
                    let options = Options { hurry, parting, table, rungs, kill_mode, group, before, ..Options::NONE };
                    let signals = &[Signal::TERM, Signal::INT, Signal::QUIT, USR2, Signal::CONT];
                    let senders = &[Sender::Kernel, PROCESS];
                    all.push(World { options, signals, senders, naps: &[0, 2 * S], ..WORLD });
                }
            }
        }
    }
    all
}

/// What somebody inside asks for, at each rung, with all that a wish changes: when main is killed, and how we end.
pub(super) fn requests() -> Vec<World> {
    const ASKS: &[Ask] = &[
        Ask::End(Request::orderly(Wish::Poweroff)),
        Ask::End(Request::immediate(Wish::Halt)),
        Ask::End(Request::orderly(Wish::Reboot)),
        Ask::End(Request::orderly(Wish::Exit(3))),
        Ask::End(Request::orderly(Wish::Stop)),
        Ask::Runlevel(b'1'),
    ];
    let statuses = &[
        Status::Exited(0),
        Status::Exited(143),
        Status::Exited(7),
        Status::Signaled(Signal::TERM),
        Status::Signaled(USR1),
    ];
    let mut all = Vec::new();
    let requests = Some(Manager::Other);
    for (on_reboot, rungs, delay, grace) in [
        (OnReboot::Restart, AS_ASKED, 2 * S, None),
        (OnReboot::Exit, LADDER, 0, None),
        (OnReboot::System, WITHOUT_KILL, 0, Some(4 * S)),
        (OnReboot::Exit, KILL, 0, None),
    ] {
        for (scope, kill_mode) in [(Scope::Namespace, KillMode::Main), (Scope::Tree, KillMode::Tree)] {
            let options = Options { requests, on_reboot, rungs, delay, grace, scope, kill_mode, ..Options::NONE };
            all.push(World { options, asks: ASKS, statuses, signals: &[Signal::TERM], stops: &[], ..WORLD });
        }
        for (before, pre_stop, leftovers) in [
            (&[Some(4 * S), None][..], None, Leftovers::Stop),
            (&[], Some(2 * S), Leftovers::Wait),
            (&[None], None, Leftovers::Leave),
        ] {
            let options = Options { requests, on_reboot, rungs, grace, before, pre_stop, leftovers, ..Options::NONE };
            all.push(World { options, asks: ASKS, signals: &[Signal::TERM], stops: &[], ..WORLD });
        }
    }
    for manager in [None, Some(Manager::Other), Some(Manager::OfSystems)] {
        for table in [Table::Plain, Table::Rewritten] {
            let options = Options { requests: manager, table, on_reboot: OnReboot::Exit, ..Options::NONE };
            let signals = &[Signal::TERM, Signal::INT, USR1, USR2, RESERVED, Signal::KILL];
            let senders = &[Sender::Outside, PROCESS, BUSYBOX, CLIENT];
            all.push(World { options, signals, senders, stops: &[], naps: &[0], ..WORLD });
        }
    }
    all
}

/// Main fails while it runs, and meanwhile somebody asks for its end, or for a new beginning.
pub(super) fn failures() -> Vec<World> {
    const FAILURES: &[Failure] =
        &[Failure::Watchdog, Failure::Unhealthy(Then::Restart), Failure::Unhealthy(Then::Stop)];
    const ASKS: &[Ask] = &[Ask::End(Request::orderly(Wish::Restart)), Ask::End(Request::orderly(Wish::Poweroff))];
    let mut all = Vec::new();
    for (may_restart, rungs, delay, grace, pre_stop, before) in [
        (false, AS_ASKED, 0, None, None, &[][..]),
        (true, LADDER, 0, None, Some(2 * S), &[]),
        (true, KILL, 2 * S, Some(4 * S), None, &[Some(4 * S)]),
    ] {
        let options = Options { may_restart, rungs, delay, grace, pre_stop, before, ..Options::NONE };
        let (asks, failures, statuses) = (ASKS, FAILURES, &[Status::Exited(0), Status::Signaled(Signal::TERM)]);
        all.push(World { options, asks, failures, statuses, signals: &[Signal::TERM], stops: &[], ..WORLD });
    }
    all
}

/// Main asks for time: before a stop, and in one.
pub(super) fn extensions() -> Vec<World> {
    let mut all = Vec::new();
    for (rungs, delay, grace, pre_stop, max_time, leftovers) in [
        (AS_ASKED, 0, Some(4 * S), None, None, Leftovers::Stop),
        (AS_ASKED, 0, None, None, Some(4 * S), Leftovers::Wait),
        (LADDER, 2 * S, None, None, None, Leftovers::Stop),
        (AS_ASKED, 0, Some(4 * S), Some(2 * S), None, Leftovers::Stop),
    ] {
        let options = Options { rungs, delay, grace, pre_stop, max_time, leftovers, ..Options::NONE };
        let (extensions, signals, senders) = (&[3 * S], &[Signal::TERM], &[Sender::Outside]);
        all.push(World { options, extensions, signals, senders, stops: &[], naps: &[0], ..WORLD });
    }
    all
}

/// Without a main.
pub(super) fn pauses() -> Vec<World> {
    let mut all = Vec::new();
    for scope in [Scope::Namespace, Scope::Tree] {
        for leftovers in [Leftovers::Stop, Leftovers::Wait, Leftovers::Leave] {
            for table in [Table::Plain, Table::Passing] {
                let rungs = if table == Table::Plain { ONE } else { WITHOUT_KILL };
                let options = Options { has_main: false, scope, leftovers, table, rungs, ..Options::NONE };
                let signals = &[Signal::TERM, Signal::INT, Signal::QUIT, USR1, USR2];
                const ASKS: &[Ask] =
                    &[Ask::End(Request::orderly(Wish::Reboot)), Ask::End(Request::immediate(Wish::Poweroff))];
                all.push(World { options, signals, asks: ASKS, senders: &[Sender::Outside], ..WORLD });
            }
        }
    }
    all
}

/// What we end with: how main ends, and what we are.
pub(super) fn ends() -> Vec<World> {
    let mut all = Vec::new();
    for on_signal_death in [OnSignalDeath::DieOfIt, OnSignalDeath::Code] {
        for scope in [Scope::Namespace, Scope::Tree] {
            let options = Options { on_signal_death, scope, grace: Some(4 * S), ..Options::NONE };
            let statuses = &[
                Status::Exited(0),
                Status::Exited(7),
                Status::Signaled(Signal::KILL),
                Status::Signaled(Signal::TERM),
                Status::Signaled(USR1),
            ];
            all.push(World { options, statuses, ..WORLD });
        }
    }
    all
}
