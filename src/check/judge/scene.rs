//! All that a check may look at: the runs of one mode and signal, and those beside them.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{Ended, EndedBy, Facility, Outcome, Process, Run, SAME_MOMENT, State, What};
use super::super::scenario::{Extension, Mode, OkExit, Order, Target, Way};

/// One group of runs.
pub(super) struct Scene<'a> {
    pub(super) order: &'a Order,
    pub(super) mode: Mode,
    pub(super) signal: Signal,
    runs: &'a [Run],
    /// All groups, this one too.
    all: &'a [Vec<Run>],
}

impl<'a> Scene<'a> {
    pub(super) fn new(order: &'a Order, all: &'a [Vec<Run>], at: usize) -> Option<Scene<'a>> {
        let runs = all.get(at)?;
        let scenario = &runs.first()?.scenario;
        Some(Scene { order, mode: scenario.mode, signal: scenario.signal, runs, all })
    }

    /// How long it may take: as long as the run that was given most.
    #[inline(never)]
    pub(super) fn grace(&self) -> Duration {
        self.runs.iter().map(grace_of).fold(self.order.grace, Duration::max)
    }

    /// Whether it was given more than was asked for here.
    pub(super) fn is_extended(&self) -> bool {
        self.grace() > self.order.grace
    }

    /// Those that began as usual.
    pub(super) fn runs(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        self.runs.iter().filter(|run| run.scenario.way == Way::Usual)
    }

    /// All of this group, in the order in which they were made.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        self.runs.iter()
    }

    /// Those of all modes and signals.
    pub(super) fn everywhere(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        self.all.iter().flatten()
    }

    /// Those that were made before that one, the last first.
    pub(super) fn before(&self, run: &Run) -> impl Iterator<Item = &'a Run> + use<'a> {
        let all: Vec<&Run> = self.all.iter().flatten().collect();
        let at = all.iter().position(|other| std::ptr::eq(*other, run)).unwrap_or_default();
        all.into_iter().take(at).rev()
    }

    /// The one that went this way, beside the usual ones.
    pub(super) fn further(&self, way: Way) -> Option<&'a Run> {
        self.runs.iter().find(|run| run.scenario.way == way)
    }

    /// Those that were told to stop: nothing else can be judged.
    pub(super) fn told(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        self.runs().filter(|run| run.outcome == Outcome::Stopped && run.signal_at.is_some())
    }

    /// Those that were told to stop and whose main process ended in time, by itself.
    pub(super) fn ended(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        let grace = self.grace();
        self.told().filter(move |run| is_in_time(run, grace))
    }

    /// The first run that went worst: main did not end, or took longest.
    pub(super) fn worst(&self) -> Option<&'a Run> {
        let grace = self.grace();
        let badness = |run: &&Run| if is_in_time(run, grace) { took(run).unwrap_or_default() } else { Duration::MAX };
        // `max_by_key` gives the last.
        self.told().collect::<Vec<_>>().into_iter().rev().max_by_key(badness)
    }

    /// What the same command did in another mode, told by the same signal.
    pub(super) fn in_mode(&self, mode: Mode) -> Option<Scene<'a>> {
        (0..self.all.len())
            .filter_map(|at| Scene::new(self.order, self.all, at))
            .find(|other| other.mode == mode && other.signal == self.signal)
    }

    /// A signal that did stop it in time in this mode, each time, with the slowest time and how that ended.
    pub(super) fn better_signal(&self) -> Option<(Signal, Duration, Option<Status>)> {
        (0..self.all.len()).filter_map(|at| Scene::new(self.order, self.all, at)).find_map(|other| {
            let is_other = other.mode == self.mode && other.signal != self.signal;
            let slowest = other.ended().max_by_key(|run| took(run))?;
            let is_better = is_other && other.told().count() == other.ended().count();
            is_better.then_some((other.signal, took(slowest)?, main_status(slowest)))
        })
    }

    /// Whether it was told by this signal in this mode. That one ended it each time [`Scene::better_signal`] says.
    pub(super) fn was_tried(&self, signal: Signal) -> bool {
        let all = (0..self.all.len()).filter_map(|at| Scene::new(self.order, self.all, at));
        all.filter(|other| other.mode == self.mode && other.signal == signal).any(|other| other.told().count() > 0)
    }

    /// Whether this is a good end, by default or by `--ok-exit`.
    pub(super) fn is_good(&self, status: Status) -> bool {
        let is_named = |ok: &OkExit| match (*ok, status) {
            (OkExit::Code(code), Status::Exited(own)) => code == own,
            (OkExit::Signal(signal), Status::Signaled(own)) => signal == own,
            (OkExit::Code(_), Status::Signaled(_)) | (OkExit::Signal(_), Status::Exited(_)) => false,
        };
        status == Status::Exited(0) || self.order.ok_exit.iter().any(is_named)
    }

    /// Whether it is a child of a namespace whose process 1 is the command.
    pub(super) fn is_process_1(&self) -> bool {
        self.mode == Mode::Pid1
    }
}

/// The command itself.
pub(in crate::check) fn main(run: &Run) -> Option<&Process> {
    run.processes.iter().find(|process| process.is_main)
}

/// How long main took from the signal on, if it ended by itself.
pub(in crate::check) fn took(run: &Run) -> Option<Duration> {
    let ended = main(run)?.ended.filter(|ended| ended.by != EndedBy::Us)?;
    Some(ended.at.saturating_sub(run.signal_at?))
}

/// How long main had from the signal on: what it has asked for since, where who stops it gives that.
pub(in crate::check) fn grace_of(run: &Run) -> Duration {
    let granted = extension(run).filter(|_| run.scenario.extension == Extension::Granted);
    granted.unwrap_or_default().max(run.scenario.grace)
}

/// How long main has asked for, from the signal on.
pub(super) fn extension(run: &Run) -> Option<Duration> {
    Some(run.notify.extended_until?.saturating_sub(run.signal_at?))
}

/// Whether main ended by itself within the time.
pub(super) fn is_in_time(run: &Run, grace: Duration) -> bool {
    took(run).is_some_and(|took| took <= grace)
}

/// Whether who stops it waits for all of it: an init, and systemd, which has told all.
pub(in crate::check) fn waits_for_all(run: &Run) -> bool {
    match run.scenario.mode {
        Mode::Init => true,
        Mode::Child => run.scenario.target == Target::Tree,
        Mode::Pid1 => false,
    }
}

/// How main ended, where that is known.
pub(super) fn main_status(run: &Run) -> Option<Status> {
    main(run)?.ended?.status
}

/// All but the command itself, and the supervise that it runs under with the copies of it that execute nothing (which have its
/// words, or when they are dead its name).
pub(super) fn others(run: &Run) -> impl Iterator<Item = &Process> {
    // Once: there may be thousands.
    let all = run.processes.iter();
    let init =
        if run.scenario.mode == Mode::Init { all.clone().find(|process| process.inside == Some(1)) } else { None };
    all.filter(move |process| is_other(init, process))
}

#[inline(never)]
fn is_other(init: Option<&Process>, process: &Process) -> bool {
    let is_ours = |init: &Process| {
        let is_its = process.started_by.unwrap_or(process.parent) == init.pid;
        let is_named = [&init.words, &init.comm].contains(&&process.words);
        process.pid == init.pid || (is_its && process.executed_at.is_none() && is_named)
    };
    !process.is_main && !init.is_some_and(is_ours)
}

/// When we killed what was alive: the time was over, or main had ended and what it left had not.
pub(super) fn killed_at(run: &Run) -> Option<Duration> {
    run.events.iter().find_map(|event| matches!(event.what, What::Killed { count: 1.. }).then_some(event.at))
}

/// Whether it lived at that time.
pub(super) fn lived_at(process: &Process, time: Duration) -> bool {
    process.first_seen_at <= time && process.ended.is_none_or(|ended| ended.at > time)
}

/// Whether it lived when the time was over: who is dead and not reaped has no part in what goes on.
pub(super) fn is_alive_at_deadline(process: &Process) -> bool {
    process.at_deadline.is_some_and(|seen| seen.state != State::Zombie)
}

/// Whether it lived when the signal was sent.
pub(super) fn is_older(run: &Run, child: &Process) -> bool {
    run.signal_at.is_some_and(|signal_at| child.first_seen_at <= signal_at)
}

/// Whether it was there when the signal was sent, and has executed something since.
pub(super) fn is_executed_since(run: &Run, child: &Process) -> bool {
    is_older(run, child) && child.executed_at.zip(run.signal_at).is_some_and(|(at, signal_at)| at > signal_at)
}

/// The children of `parent` that still lived at the end of the time.
pub(super) fn children_that_stayed<'a>(run: &'a Run, parent: &Process) -> Vec<&'a Process> {
    let pid = parent.pid;
    others(run).filter(|process| process.parent == pid && is_alive_at_deadline(process)).collect()
}

/// Whether it ended with process 1, and nobody could tell of what: the kernel may have killed it because of that.
pub(super) fn may_be_cut_off(run: &Run, process: &Process) -> bool {
    let end = main(run).and_then(|main| main.ended).filter(|_| run.scenario.mode == Mode::Pid1);
    let is_unknown = |own: Ended| own.status.is_none() && own.by == EndedBy::Itself;
    process.ended.filter(|own| is_unknown(*own)).zip(end).is_some_and(|(own, end)| own.at + SAME_MOMENT >= end.at)
}

/// What lived on when main had ended, with how long: `None` means until it was killed, or the end.
pub(super) fn survivors<'a>(run: &'a Run) -> Vec<(&'a Process, Option<Duration>)> {
    let Some(end) = main(run).and_then(|main| main.ended) else { return Vec::new() };
    let is_dead = |process: &Process| {
        process.state == State::Zombie || process.at_deadline.is_some_and(|seen| seen.state == State::Zombie)
    };
    let survival = |process: &'a Process| match process.ended {
        None if is_dead(process) => None,
        None => Some((process, None)),
        Some(ended) if ended.by == EndedBy::Us => Some((process, None)),
        Some(ended) if ended.by != EndedBy::Kernel && ended.at > end.at => Some((process, Some(ended.at - end.at))),
        Some(_) => None,
    };
    others(run).filter_map(survival).collect()
}

/// Why something could not be looked at.
pub(super) fn missing(run: &Run, facility: Facility) -> Option<&str> {
    run.missing.iter().find(|missing| missing.facility == facility).map(|missing| missing.why.as_str())
}
