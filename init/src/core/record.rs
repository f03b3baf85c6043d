//! What is remembered of a run for the exit report: fixed in size, so that it is there when it is needed.
//!
//! It is told the same events and actions as the machine and the driver, and decides nothing.

use super::exit::{Outcome, Status};
use super::machine::{Action, Child, Event, Fault, Received, Rung, Time};
use super::signal::Signal;

/// A process's name as the kernel has it (TASK_COMM_LEN, with no NUL).
pub type Name = [u8; 15];

/// Why a stop began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A signal asked for it.
    Signal(Received),
    /// Main had run for the longest time that it may.
    MaxTime,
}

/// What became of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It was told to end, and has not yet.
    Told,
    /// It ended by itself.
    Ended(Time, Status),
    /// It was killed by us, and has not ended yet.
    Killing,
    /// It was killed by us.
    Killed(Time, Status),
    /// It was killed by us, and did not end.
    LeftBehind,
}

/// A process beside main that was there when the stop began, or when main had ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name, if it was known before it ended.
    pub name: Option<Name>,
    /// What became of it.
    pub end: End,
}

/// A run, as far as a report tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    began: Option<Time>,
    main: Option<(i32, Time)>,
    main_ended: Option<(Time, Status)>,
    stop: Option<(Time, Cause)>,
    asker: Option<Name>,
    rungs: [Option<(Time, Rung)>; Record::RUNGS],
    processes: [Option<Process>; Record::PROCESSES],
    more: u32,
    /// How many of those there were last seen alive.
    more_living: u32,
    ended: Option<(Time, Outcome)>,
    prevented: Option<(Child, Fault)>,
}

impl Record {
    /// No ladder has more rungs.
    const RUNGS: usize = 16;
    /// Those that come later are only counted.
    const PROCESSES: usize = 32;

    /// Before anything has happened.
    pub const EMPTY: Record = Record {
        began: None,
        main: None,
        main_ended: None,
        stop: None,
        asker: None,
        rungs: [None; Record::RUNGS],
        processes: [None; Record::PROCESSES],
        more: 0,
        more_living: 0,
        ended: None,
        prevented: None,
    };

    /// An event, and what the machine ordered.
    pub fn note(&mut self, now: Time, event: Event, action: Action) {
        match (event, action) {
            (Event::Signalled(received), Action::Climb(rung)) => self.climb(now, rung, Some(Cause::Signal(received))),
            // What is left may be killed where nobody has asked for a stop.
            (Event::Deadline, Action::Climb(rung)) if rung != Rung::KillLeftovers => {
                self.climb(now, rung, Some(Cause::MaxTime));
            }
            (_, Action::Climb(rung)) => self.climb(now, rung, None),
            // Main has ended, and what is left hears of it.
            (Event::Signalled(received), Action::SignalRest(_)) if self.stop.is_none() => {
                self.stop = Some((now, Cause::Signal(received)));
            }
            (_, Action::Exit(outcome)) => self.ended = Some((now, outcome)),
            // Of a hook before main: the first matter is why that was not started.
            (_, Action::Blame(hook, fault)) if self.main.is_none() && self.prevented.is_none() => {
                self.prevented = Some((hook, fault));
            }
            _ => {}
        }
    }

    /// Main, or what comes before it, is about to be started.
    pub fn note_begin(&mut self, now: Time) {
        self.began = Some(now);
    }

    /// Main was started.
    pub fn note_start(&mut self, now: Time, pid: i32) {
        self.main = Some((pid, now));
    }

    /// Main goes on as another process.
    pub fn note_successor(&mut self, pid: i32) {
        self.main = self.main.map(|(_, started)| (pid, started));
    }

    /// Who asked for the stop, by name.
    pub fn note_asker(&mut self, name: Name) {
        if self.asker.is_none() {
            self.asker = Some(name);
        }
    }

    fn climb(&mut self, now: Time, rung: Rung, cause: Option<Cause>) {
        if self.stop.is_none() {
            self.stop = cause.map(|cause| (now, cause));
        }
        if let Some(place) = self.rungs.iter_mut().find(|place| place.is_none()) {
            *place = Some((now, rung));
        }
    }

    /// A process beside main was told to end.
    pub fn note_told(&mut self, pid: i32, name: Name) {
        if self.living(pid).is_none() {
            self.add(Process { pid, name: Some(name), end: End::Told });
        }
    }

    /// A process is killed, or has outlived that.
    pub fn note_fate(&mut self, pid: i32, name: Name, end: End) {
        if let Some(process) = self.living(pid) {
            process.end = end;
        } else if self.more_living == 0 {
            // Otherwise it is most likely one of those that are only counted, and counted already.
            self.add(Process { pid, name: Some(name), end });
        }
    }

    /// A child was reaped.
    pub fn note_end(&mut self, now: Time, pid: i32, status: Status) {
        if self.main.is_some_and(|(main, _)| main == pid) && self.main_ended.is_none() {
            self.main_ended = Some((now, status));
            return;
        }
        // What ends while all is well is nobody's concern.
        let counts = self.stop.is_some() || self.main_ended.is_some();
        let by_us = status == Status::Signaled(Signal::KILL) && self.has_killed();
        let end = if by_us { End::Killed(now, status) } else { End::Ended(now, status) };
        if let Some(process) = self.living(pid) {
            process.end = end;
        } else if self.more_living > 0 {
            // As many as were counted alive are not counted again.
            self.more_living = self.more_living.saturating_sub(1);
        } else if counts {
            self.add(Process { pid, name: None, end });
        }
    }

    /// Whether we have sent SIGKILL. It may have reached more than main.
    fn has_killed(&self) -> bool {
        self.rungs.iter().flatten().any(|(_, rung)| matches!(rung, Rung::Kill | Rung::KillLeftovers))
    }

    fn living(&mut self, pid: i32) -> Option<&mut Process> {
        self.processes
            .iter_mut()
            .flatten()
            .find(|process| process.pid == pid && matches!(process.end, End::Told | End::Killing))
    }

    fn add(&mut self, process: Process) {
        match self.processes.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(process),
            None => {
                self.more = self.more.saturating_add(1);
                if matches!(process.end, End::Told | End::Killing) {
                    self.more_living = self.more_living.saturating_add(1);
                }
            }
        }
    }

    /// When all began.
    pub fn began(&self) -> Option<Time> {
        self.began
    }

    /// The hook for which main was not started, and why.
    pub fn prevented(&self) -> Option<(Child, Fault)> {
        self.prevented
    }

    /// When main was started, and its number.
    pub fn main(&self) -> Option<(i32, Time)> {
        self.main
    }

    /// What became of main, if it was started.
    pub fn main_end(&self) -> End {
        let is_ours = self.rungs.iter().flatten().any(|(_, rung)| *rung == Rung::Kill);
        match self.main_ended {
            None => End::LeftBehind,
            // It may have ended otherwise in the same moment.
            Some((time, status @ Status::Signaled(Signal::KILL))) if is_ours => End::Killed(time, status),
            Some((time, status)) => End::Ended(time, status),
        }
    }

    /// Why and when the stop began.
    pub fn stop(&self) -> Option<(Time, Cause)> {
        self.stop
    }

    /// The name of who asked for it, if that was a process and its name was still there.
    pub fn asker(&self) -> Option<Name> {
        self.asker
    }

    /// The rungs in the order in which they were reached, each with when that was and how long it took.
    pub fn rungs(&self) -> impl Iterator<Item = (Time, Rung, core::time::Duration)> + '_ {
        let ended = self.ended.map(|(time, _)| time);
        let next = self.rungs.iter().skip(1).map(|rung| rung.map(|(time, _)| time));
        let next = next.chain([None]).map(move |time| time.or(ended));
        self.rungs.iter().zip(next).filter_map(|(rung, next)| {
            let (time, rung) = (*rung)?;
            Some((time, rung, next.unwrap_or(time).since(time)))
        })
    }

    /// The processes beside main that ended in the stop or after main.
    pub fn processes(&self) -> impl Iterator<Item = &Process> + '_ {
        self.processes.iter().flatten()
    }

    /// How many more there were.
    pub fn more(&self) -> u32 {
        self.more
    }

    /// How we end, and when that was decided.
    pub fn ended(&self) -> Option<(Time, Outcome)> {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::{Cause, End, Process, Record};
    use crate::core::{Action, Child, Event, Fault, Left, Outcome, Received, Rung, Sender, Signal, Status, Time};

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    fn name(text: &str) -> [u8; 15] {
        core::array::from_fn(|place| text.as_bytes().get(place).copied().unwrap_or(0))
    }

    const TERM: Received = Received { signal: Signal::TERM, sender: Sender::Outside };
    const DEATH: Status = Status::Signaled(Signal::TERM);
    const KILLED: Status = Status::Signaled(Signal::KILL);

    #[test]
    fn a_rung_lasts_until_the_next_or_the_end() {
        let mut record = Record::EMPTY;
        record.note_start(at(0), 7);
        record.note(at(1), Event::Signalled(TERM), Action::Climb(Rung::Delay));
        record.note(at(4), Event::Deadline, Action::Climb(Rung::Signal(Signal::TERM)));
        record.note_end(at(9), 7, DEATH);
        record.note(at(9), Event::Reaped(Left::None), Action::Exit(Outcome::Code(143)));
        let rungs: Vec<_> = record.rungs().map(|(time, rung, took)| (time, rung, took.as_secs())).collect();
        assert_eq!(rungs, [(at(1), Rung::Delay, 3), (at(4), Rung::Signal(Signal::TERM), 5)]);
        assert_eq!(record.stop(), Some((at(1), Cause::Signal(TERM))));
        assert_eq!(record.main_end(), End::Ended(at(9), DEATH));
        assert_eq!(record.main(), Some((7, at(0))));
        assert_eq!(record.ended(), Some((at(9), Outcome::Code(143))));
    }

    #[test]
    fn what_prevented_the_start_is_remembered_and_what_a_stop_goes_on_without_is_not() {
        let fault = Fault::Ended(DEATH);
        let mut record = Record::EMPTY;
        record.note_begin(at(1));
        record.note(at(2), Event::Signalled(TERM), Action::Blame(Child(1), Fault::StopAsked));
        record.note(at(3), Event::Deadline, Action::Blame(Child(1), fault));
        assert_eq!((record.began(), record.main()), (Some(at(1)), None));
        assert_eq!(record.prevented(), Some((Child(1), Fault::StopAsked)));
        let mut record = Record::EMPTY;
        record.note_start(at(1), 7);
        record.note(at(2), Event::Ended(Child(1), DEATH), Action::Blame(Child(1), fault));
        assert_eq!(record.prevented(), None);
    }

    #[test]
    fn the_first_who_asked_is_remembered() {
        let mut record = Record::EMPTY;
        assert_eq!(record.asker(), None);
        record.note_asker(name("first"));
        record.note_asker(name("second"));
        assert_eq!(record.asker(), Some(name("first")));
    }

    #[test]
    fn a_deadline_of_a_stop_that_runs_is_no_new_cause() {
        let mut record = Record::EMPTY;
        record.note(at(1), Event::Deadline, Action::Climb(Rung::Signal(Signal::TERM)));
        record.note(at(2), Event::Deadline, Action::Climb(Rung::Kill));
        assert_eq!(record.stop(), Some((at(1), Cause::MaxTime)));
        let mut at_once = Record::EMPTY;
        at_once.note(at(1), Event::Deadline, Action::Climb(Rung::Kill));
        assert_eq!(at_once.stop(), Some((at(1), Cause::MaxTime)));
        let mut alone = Record::EMPTY;
        alone.note(at(1), Event::Reaped(Left::Some), Action::Climb(Rung::Leftovers));
        alone.note(at(2), Event::Deadline, Action::Climb(Rung::KillLeftovers));
        assert_eq!(alone.stop(), None);
        let rungs: Vec<_> = alone.rungs().map(|(time, rung, _)| (time, rung)).collect();
        assert_eq!(rungs, [(at(1), Rung::Leftovers), (at(2), Rung::KillLeftovers)]);
    }

    #[test]
    fn what_ends_is_told_apart_by_who_ended_it() {
        let mut record = Record::EMPTY;
        record.note_start(at(0), 7);
        record.note_end(at(1), 8, DEATH);
        record.note_end(at(2), 7, DEATH);
        for pid in [10, 11, 12] {
            record.note_told(pid, name("worker"));
        }
        record.note_end(at(3), 10, DEATH);
        record.note_fate(11, name("worker"), End::Killing);
        record.note_fate(12, name("worker"), End::Killing);
        record.note(at(4), Event::Deadline, Action::Climb(Rung::KillLeftovers));
        record.note_end(at(4), 11, KILLED);
        record.note_fate(12, name("worker"), End::LeftBehind);
        record.note_end(at(5), 13, DEATH);
        // It ended by itself before the kill could.
        record.note_told(14, name("worker"));
        record.note_fate(14, name("worker"), End::Killing);
        record.note_end(at(5), 14, DEATH);
        let named = Some(name("worker"));
        let expected = [
            Process { pid: 10, name: named, end: End::Ended(at(3), DEATH) },
            Process { pid: 11, name: named, end: End::Killed(at(4), KILLED) },
            Process { pid: 12, name: named, end: End::LeftBehind },
            Process { pid: 13, name: None, end: End::Ended(at(5), DEATH) },
            Process { pid: 14, name: named, end: End::Ended(at(5), DEATH) },
        ];
        assert_eq!(record.processes().copied().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn main_was_killed_by_us_if_we_did_that_and_it_died_of_it() {
        for (rung, status, by_us) in [
            (Some(Rung::Kill), KILLED, true),
            (Some(Rung::Kill), Status::Exited(0), false),
            (Some(Rung::Kill), DEATH, false),
            (Some(Rung::Signal(Signal::TERM)), KILLED, false),
            (None, KILLED, false),
        ] {
            let mut record = Record::EMPTY;
            record.note_start(at(0), 7);
            assert_eq!(record.main_end(), End::LeftBehind);
            if let Some(rung) = rung {
                record.note(at(1), Event::Deadline, Action::Climb(rung));
            }
            record.note_end(at(2), 7, status);
            record.note(at(3), Event::Deadline, Action::Climb(Rung::KillLeftovers));
            let end = if by_us { End::Killed(at(2), status) } else { End::Ended(at(2), status) };
            assert_eq!(record.main_end(), end, "{rung:?} {status:?}");
        }
    }

    #[test]
    fn who_dies_of_sigkill_after_ours_was_killed_by_us() {
        let mut record = Record::EMPTY;
        record.note(at(1), Event::Signalled(TERM), Action::Climb(Rung::Signal(Signal::TERM)));
        record.note_end(at(2), 10, KILLED);
        record.note(at(3), Event::Deadline, Action::Climb(Rung::Kill));
        record.note_end(at(4), 11, KILLED);
        record.note_end(at(4), 12, DEATH);
        let ends: Vec<_> = record.processes().map(|process| process.end).collect();
        assert_eq!(ends, [End::Ended(at(2), KILLED), End::Killed(at(4), KILLED), End::Ended(at(4), DEATH)]);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let mut record = Record::EMPTY;
        record.note_end(at(2), 7, DEATH);
        record.note_told(10, name("one"));
        record.note_end(at(3), 10, DEATH);
        record.note_told(10, name("two"));
        assert_eq!(record.processes().count(), 2);
    }

    #[test]
    fn what_has_no_place_is_counted_once_whatever_becomes_of_it() {
        let mut record = Record::EMPTY;
        record.note_start(at(0), 100);
        record.note_end(at(1), 100, DEATH);
        for pid in 1..=40 {
            record.note_told(pid, name("worker"));
        }
        assert_eq!((record.processes().count(), record.more()), (32, 8));
        for pid in 1..=40 {
            record.note_fate(pid, name("worker"), End::Killing);
        }
        record.note_fate(1, name("worker"), End::LeftBehind);
        record.note_fate(40, name("worker"), End::LeftBehind);
        // Two more were never told, or came later.
        for pid in 2..=42 {
            record.note_end(at(3), pid, DEATH);
        }
        assert_eq!((record.processes().count(), record.more()), (32, 10));
    }
}
