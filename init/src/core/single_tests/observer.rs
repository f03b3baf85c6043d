//! Somebody who watches a machine and knows only what happens, what is ordered and what was promised: the numbered
//! invariants of `single` and the words of the options. It shares no code with the machine, counts in milliseconds, and
//! says of each event exactly what must come of it.

mod extensions;
mod hooks;
mod job;
mod requests;
mod rest;

use std::vec::Vec;

use super::options::{Meaning, Options, S, USR1, at, milliseconds};
use super::seen::{Finish, Kind, Rest, Seen, StopHook, Timetable};
use crate::core::request::Wish;
use crate::core::single::MAIN;
use crate::core::{
    Action, Event, Failure, Fate, Group, Hurry, KillMode, Note, OnSignalDeath, Outcome, Received, Rung, Signal, Slow,
    Status,
};

/// Says what must come.
pub(super) struct Observer<'a> {
    pub(super) options: &'a Options,
    pub(super) seen: Seen,
}

impl Observer<'_> {
    /// What must come of the event.
    pub(super) fn expect(&mut self, event: Event) -> Vec<Action> {
        self.seen.spawned = None;
        let expected = match event {
            Event::Begin => self.begin(),
            Event::NotStarted(child, why) => self.not_started(child, why),
            Event::Asked(ask, _) => self.asked(ask),
            Event::Signalled(received) => self.signalled(received),
            Event::Failed(failure) => self.failed(failure),
            Event::Extended(time) => self.extended(time),
            Event::Pressed(_) => Vec::new(),
            Event::Ended(MAIN, status) => self.ended(status),
            Event::Ended(hook, status) => self.hook_ended(hook, status),
            Event::Stopped(child, by, terminal) => self.stopped(child, by, terminal),
            Event::Resumed(child, by, pause) => self.resumed(child, by, pause),
            Event::Reaped(left) => self.reaped(left),
            Event::Deadline => self.deadline(),
        };
        for action in &expected {
            match action {
                Action::Arm(time) => {
                    self.seen.armed = Some(milliseconds(*time));
                }
                Action::ArmAfterKill => self.seen.armed = Some(self.seen.now + S),
                Action::Exit(_) => self.seen.exited = true,
                Action::Spawn(child) => self.seen.spawned = Some(*child),
                Action::Climb(Rung::Signal(signal)) => self.seen.told = Some(*signal),
                Action::Climb(Rung::PreStart) => self.seen.told = Some(Signal::TERM),
                _ => {}
            }
        }
        expected
    }

    fn begin(&mut self) -> Vec<Action> {
        self.seen.begun = true;
        if self.options.has_main { self.start_from(0) } else { Vec::new() }
    }

    /// 1. Main is started once, when no hook is left before it.
    pub(super) fn start_main(&mut self) -> Vec<Action> {
        self.seen.main_started = true;
        self.seen.limit = self.options.max_time.map(|time| self.seen.now + time);
        let arm = self.seen.limit.map(|limit| Action::Arm(at(limit)));
        [Action::Spawn(MAIN)].into_iter().chain(arm).collect()
    }

    /// 3. Exactly once, as its rule says, or dropped with a reason; the second SIGINT in a row is the exception.
    fn signalled(&mut self, received: Received) -> Vec<Action> {
        let Received { signal, sender } = received;
        let kind = Kind::from(sender);
        if let Some(ask) = self.options.ask_of(signal, sender) {
            return self.asked(ask);
        }
        let of_terminal = matches!(signal, Signal::INT | Signal::QUIT | Signal::HUP | Signal::CONT | Signal::WINCH);
        let to_leader_alone = self.options.group == Group::Led && matches!(signal, Signal::HUP | Signal::CONT);
        let to_group = of_terminal && !to_leader_alone;
        let by_terminal = kind == Kind::Kernel && to_group && self.options.shares_group();
        let meaning = self.options.meaning(signal);
        if signal == Signal::INT {
            let last = self.seen.interrupt.replace((self.seen.now, kind));
            let in_a_row = last.is_some_and(|(last, by)| by == kind && self.seen.now - last <= 2 * S);
            let as_it_came = matches!(meaning, Meaning::Forward(Signal::INT) | Meaning::Stop(Signal::INT));
            if in_a_row && as_it_came && self.can_hurry() {
                return self.hurry();
            }
        }
        if matches!(meaning, Meaning::Stop(_)) && !by_terminal {
            self.end_wins(Wish::Stop);
            self.seen.failure = None;
        }
        match meaning {
            _ if by_terminal => {
                self.seen.main_stopped &= signal != Signal::CONT;
                std::vec![Action::Drop(signal, Note::SentToGroup)]
            }
            Meaning::Nothing(note) => std::vec![Action::Drop(signal, note)],
            _ if self.pauses() => match meaning {
                Meaning::Stop(asked) => self.end_pause(asked),
                Meaning::Forward(passed) => std::vec![Action::Drop(passed, Note::NoMain)],
                Meaning::Suspend(_) | Meaning::Nothing(_) => std::vec![Action::Drop(signal, Note::NoMain)],
            },
            Meaning::Forward(signal) => self.forward(signal),
            Meaning::Suspend(to) => self.suspend(signal, to),
            Meaning::Stop(signal) => self.stop(signal),
        }
    }

    /// 13. There is no main, and nobody has asked for a stop.
    fn pauses(&self) -> bool {
        !self.options.has_main && self.seen.status.is_none()
    }

    /// 13. What is left was never announced.
    fn end_pause(&mut self, signal: Signal) -> Vec<Action> {
        self.seen.asked = Some((self.seen.now, signal));
        self.seen.status = Some(Finish::Main(Status::Exited(0)));
        std::vec![Action::LookForRest]
    }

    /// There is a stop to be hurried up, or a rest to be waited for.
    fn can_hurry(&self) -> bool {
        match self.seen.status {
            None if self.seen.before.is_some_and(|before| before.killed.is_some()) => false,
            None => self.seen.asked.is_some() && !self.seen.main_killed && self.options.hurry == Hurry::All,
            Some(_) => matches!(self.seen.rest, Rest::May | Rest::Told(_)),
        }
    }

    /// One rung up: delay, the signals, the kill; told, killed.
    fn hurry(&mut self) -> Vec<Action> {
        self.seen.failure = None;
        if let Some(before) = self.seen.before {
            return self.kill_before(before);
        }
        if self.seen.stop_hook == StopHook::Awaited {
            return self.go_on(&[]);
        }
        match (self.seen.status, self.seen.rest, self.seen.climbed) {
            (Some(_), Rest::Told(_), _) => self.kill_rest(),
            (Some(_), ..) => self.tell_rest(Some(self.seen.now)),
            (None, _, None) => self.climb_to(0, None),
            (None, _, Some(climbed)) => self.climb_to(climbed.rung + 1, None),
        }
    }

    /// 2. Only between its start and its end.
    pub(super) fn forward(&mut self, signal: Signal) -> Vec<Action> {
        let note = match self.seen.status {
            Some(_) => Note::MainHasEnded,
            None if self.seen.main_killed => Note::MainIsKilled,
            None if self.seen.before.is_some() => return self.forward_to_hook(signal),
            None => {
                self.seen.main_stopped &= signal != Signal::CONT;
                self.seen.kill_passed_on |= signal == Signal::KILL;
                return std::vec![Action::Signal(MAIN, signal)];
            }
        };
        std::vec![Action::Drop(signal, note)]
    }

    /// A request is passed on to whoever is being stopped; the first one begins the stop.
    fn stop(&mut self, signal: Signal) -> Vec<Action> {
        let now = self.seen.now;
        if self.seen.status.is_some() {
            return match self.seen.rest {
                Rest::Unknown => {
                    self.seen.asked.get_or_insert((now, signal));
                    std::vec![Action::Drop(signal, Note::MainHasEnded)]
                }
                Rest::May => self.tell_rest(Some(now)),
                Rest::Told(_) => std::vec![Action::SignalRest(signal)],
                Rest::Killed => std::vec![Action::Drop(signal, Note::MainHasEnded)],
            };
        }
        if let Some(before) = self.seen.before {
            return self.stop_before(before, signal);
        }
        match (self.seen.asked, self.seen.climbed) {
            _ if self.seen.stop_hook == StopHook::Awaited => self.go_on(&[]),
            _ if self.seen.main_killed => std::vec![Action::Drop(signal, Note::MainIsKilled)],
            (None, _) => self.begin_stop(signal),
            (Some(_), None) => self.climb_to(0, None),
            (Some(_), Some(_)) => match self.options.rungs.first().map_or(signal, |(first, _)| *first) {
                Signal::KILL => self.kill_main(),
                signal => self.tell(signal),
            },
        }
    }

    /// 16. Only main can fail, while it runs and nobody has stopped it.
    fn failed(&mut self, failure: Failure) -> Vec<Action> {
        let runs = self.seen.main_started && self.seen.status.is_none() && self.seen.before.is_none();
        if !runs || self.seen.asked.is_some() || self.seen.main_killed {
            return Vec::new();
        }
        self.seen.failure = Some(failure);
        let usual = self.options.usual_signal();
        self.begin_stop(if failure == Failure::Watchdog { Signal::ABRT } else { usual })
    }

    fn begin_stop(&mut self, signal: Signal) -> Vec<Action> {
        self.seen.asked = Some((self.seen.now, signal));
        match self.options.pre_stop {
            Some(limit) => self.start_stop_hook(limit),
            None => self.delay(),
        }
    }

    pub(super) fn delay(&mut self) -> Vec<Action> {
        match self.options.delay {
            0 => self.climb_to(0, None),
            delay => std::vec![Action::Climb(Rung::Delay), Action::Arm(at(self.seen.now + delay))],
        }
    }

    /// 4. Each in its order; what waits behind it waits its whole time.
    fn climb_to(&mut self, rung: usize, said: Option<Action>) -> Vec<Action> {
        let now = self.seen.now;
        let as_asked = self.seen.asked.map(|(_, signal)| (signal, 0));
        let listed = self.options.rungs.get(rung).copied();
        let next = if self.options.rungs.is_empty() && rung == 0 { as_asked } else { listed };
        let Some((signal, _)) = next.filter(|(signal, _)| *signal != Signal::KILL) else {
            return self.kill_main();
        };
        let mut climbed: Timetable = self.seen.climbed.unwrap_or_else(|| self.timetable(signal));
        let planned = climbed.due[rung].expect("the rung is on the ladder");
        for due in climbed.due.iter_mut().skip(rung).flatten() {
            *due = *due + now - planned;
        }
        self.seen.climbed = Some(Timetable { rung, signal, ..climbed });
        let arm = self.due().map(|due| Action::Arm(at(due)));
        let told = self.tell(signal);
        arm.into_iter().chain(said).chain([Action::Climb(Rung::Signal(signal))]).chain(told).collect()
    }

    /// The whole ladder, told now.
    fn timetable(&self, signal: Signal) -> Timetable {
        let mut due = [None; 4];
        due[0] = Some(self.seen.now);
        let mut sum = self.seen.now;
        for (place, (_, then)) in self.options.rungs.iter().enumerate().take(self.options.rungs.len().saturating_sub(1))
        {
            sum += then;
            due[place + 1] = Some(sum);
        }
        Timetable { told: self.seen.now, rung: 0, signal, due, explained: false }
    }

    /// When the ladder as it stands comes to its SIGKILL.
    fn kill_on_ladder(&self, climbed: Timetable) -> Option<u64> {
        let place = self.options.rungs.iter().position(|(signal, _)| *signal == Signal::KILL)?;
        climbed.due[place]
    }

    /// When main is killed wherever the ladder stands: `--grace` after the request, or as long after the longest time,
    /// and 10 s after the last signal where nobody has said how long.
    fn kill_anyhow(&self) -> Option<u64> {
        let (asked, _) = self.seen.asked?;
        let by_grace = self.options.grace.map(|grace| asked + grace);
        let own = self.own_grace();
        let by_limit = self.seen.limit.map(|limit| limit.max(asked) + own);
        let is_ours = self.seen.wish.is_some() || self.seen.failure.is_some();
        let by_wish = is_ours.then_some(asked + own);
        by_grace.into_iter().chain(by_limit).chain(by_wish).min()
    }

    /// How long main has where nobody outside holds the clock.
    pub(super) fn own_grace(&self) -> u64 {
        let hook = self.options.pre_stop.unwrap_or(0);
        self.options.grace.unwrap_or(hook + self.options.delay + self.options.length() + 10 * S)
    }

    /// 9. Halfway to the kill; where only the longest time has one, after 5 s at the latest.
    fn explanation_due(&self, climbed: Timetable) -> u64 {
        let on_ladder = self.kill_on_ladder(climbed);
        let half = |kill: u64| climbed.told + kill.saturating_sub(climbed.told) / 2;
        let halfway = on_ladder.into_iter().chain(self.kill_anyhow()).min().map(half);
        let patient = climbed.told + 5 * S;
        match halfway {
            Some(halfway) if on_ladder.is_some() || self.options.grace.is_some() => halfway,
            Some(halfway) => halfway.min(patient),
            None => patient,
        }
    }

    /// The explanation, if it is time for it.
    fn explanation(&mut self) -> Option<Action> {
        let climbed = self.seen.climbed?;
        if climbed.explained || self.seen.now < self.explanation_due(climbed) {
            return None;
        }
        self.seen.climbed = Some(Timetable { explained: true, ..climbed });
        Some(Action::Explain(Slow::Main(climbed.signal)))
    }

    /// When the next rung is due.
    fn next_rung(&self, climbed: Timetable) -> Option<u64> {
        Some(self.at_least(climbed.due.get(climbed.rung + 1).copied().flatten()?))
    }

    /// What main is told next, and when.
    fn due(&self) -> Option<u64> {
        let climbed = self.seen.climbed?;
        let explanation = (!climbed.explained).then(|| self.explanation_due(climbed));
        let rung = self.next_rung(climbed);
        explanation.into_iter().chain(rung).chain(self.kill_anyhow().map(|kill| self.at_least(kill))).min()
    }

    /// The signal, and CONT for main where it was stopped, and for a tree, whose stops nobody reports.
    fn tell(&mut self, signal: Signal) -> Vec<Action> {
        let mode = self.options.kill_mode;
        let mut told = std::vec![Action::Tell(MAIN, mode, signal)];
        if mode == KillMode::Tree || self.seen.main_stopped {
            told.push(Action::Tell(MAIN, mode, Signal::CONT));
        }
        self.seen.main_stopped = false;
        told
    }

    /// 9. Nothing is explained any more.
    fn kill_main(&mut self) -> Vec<Action> {
        self.seen.main_killed = true;
        self.seen.all_killed = self.options.kill_mode == KillMode::Tree;
        let kill = Action::Tell(MAIN, self.options.kill_mode, Signal::KILL);
        std::vec![Action::Climb(Rung::Kill), kill, Action::ArmAfterKill]
    }

    /// 9. A SIGKILL that was not ours may be the kernel's.
    fn ended(&mut self, status: Status) -> Vec<Action> {
        if self.seen.given_up {
            self.seen.given_up = false;
            return Vec::new();
        }
        self.seen.status = Some(Finish::Main(status));
        if self.seen.stop_hook == StopHook::Awaited {
            self.seen.stop_hook = StopHook::Loose;
        }
        if self.seen.all_killed {
            self.seen.rest = Rest::Killed;
        }
        let by_us = self.seen.main_killed || self.seen.kill_passed_on;
        let explained =
            (status == Status::Signaled(Signal::KILL) && !by_us).then_some(Action::Explain(Slow::MainKilled));
        // 14. Nobody is there to hear it where all was killed.
        let parting = self.options.parting.filter(|_| self.seen.rest != Rest::Killed);
        explained.into_iter().chain(parting.map(|signal| Action::TellGroup(MAIN, signal))).collect()
    }

    fn deadline(&mut self) -> Vec<Action> {
        self.seen.armed = None;
        let now = self.seen.now;
        match (self.seen.status, self.seen.rest) {
            (Some(status), Rest::Told(kill_at)) if now < kill_at => {
                std::vec![Action::Arm(at(kill_at)), Action::Explain(Slow::Leftovers(status.of_main()))]
            }
            (Some(_), Rest::Told(_)) => self.kill_rest(),
            (Some(status), Rest::Killed) => {
                std::vec![Action::NameRest(Fate::LeftBehind), self.exit(status)]
            }
            // Only the longest time can be over where nobody has asked for a stop; or it is a hook's, which has ended.
            (Some(_), _) if self.seen.limit.is_some_and(|limit| limit <= now) => self.tell_rest(Some(now)),
            (Some(_), _) => self.late_for_a_hook(),
            (None, _) if self.seen.before.is_some() => self.deadline_of_hook(),
            (None, _) if self.seen.stop_hook == StopHook::Awaited => self.stop_hook_is_late(),
            (None, _) => self.deadline_of_main(),
        }
    }

    fn deadline_of_main(&mut self) -> Vec<Action> {
        let now = self.seen.now;
        let Some(climbed) = self.seen.climbed.filter(|_| !self.seen.main_killed) else {
            return match self.seen.asked {
                // 8. Not even SIGKILL ends it: it counts as killed, and as one of those that are left.
                Some(_) if self.seen.main_killed => {
                    let status = Finish::Main(Status::Signaled(Signal::KILL));
                    (self.seen.status, self.seen.given_up) = (Some(status), true);
                    match self.seen.all_killed {
                        true => std::vec![Action::NameRest(Fate::LeftBehind), self.exit(status)],
                        false => self.main_is_gone(status),
                    }
                }
                Some(_) => self.climb_to(0, None),
                None if self.seen.limit.is_none() => self.late_for_a_hook(),
                None => {
                    assert!(self.seen.limit.is_some_and(|limit| limit <= now), "7: nothing to wait for");
                    let Meaning::Stop(signal) = self.options.meaning(Signal::TERM) else {
                        return self.begin_stop(Signal::TERM);
                    };
                    self.begin_stop(signal)
                }
            };
        };
        let rung = self.next_rung(climbed);
        let said = self.explanation();
        if self.kill_anyhow().is_some_and(|kill| self.at_least(kill) <= now) {
            return self.kill_main();
        }
        if rung.is_some_and(|due| due <= now) {
            return self.climb_to(climbed.rung + 1, said);
        }
        self.due().map(|due| Action::Arm(at(due))).into_iter().chain(said).collect()
    }

    /// 8. The exit is main's, as the map says, or a hook's, or 124.
    pub(super) fn exit(&self, finish: Finish) -> Action {
        if let Some(wish) = self.seen.wish {
            return Action::Exit(self.wished(wish, finish));
        }
        match self.own_exit(finish) {
            Outcome::Code(0) if self.seen.failure.is_some() => Action::Exit(Outcome::Code(1)),
            outcome => Action::Exit(outcome),
        }
    }

    pub(super) fn own_exit(&self, finish: Finish) -> Outcome {
        let dies = self.options.on_signal_death == OnSignalDeath::DieOfIt;
        match finish {
            Finish::Main(Status::Exited(7)) => Outcome::Code(70),
            Finish::Main(Status::Signaled(USR1)) => Outcome::Code(71),
            Finish::Late => Outcome::Code(124),
            Finish::Missing(child, why) => Outcome::NotStarted(child, why),
            Finish::Main(Status::Exited(code)) | Finish::Hook(Status::Exited(code)) => Outcome::Code(code),
            Finish::Main(Status::Signaled(signal)) | Finish::Hook(Status::Signaled(signal)) if dies => {
                Outcome::Signal(signal)
            }
            Finish::Main(Status::Signaled(signal)) | Finish::Hook(Status::Signaled(signal)) => {
                Outcome::Code(128 + signal.number())
            }
        }
    }
}
