//! Every reachable state of the machine, with every event that the driver could report in it, at every time that makes
//! a difference, against what an [`Observer`] says must come. And the most important promises, one sentence each.

mod hook_promises;
mod lives;
mod observer;
mod options;
mod promises;
mod seen;
mod worlds;

use core::time::Duration;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::vec::Vec;

use self::observer::Observer;
use self::options::{S, at, milliseconds};
use self::seen::{NOW, Seen, rebased};
use self::worlds::World;
use super::request::{Way, Wish};
use super::single::{Interrupt, MAIN, State};
use super::{
    Action, Child, Event, Failure, Left, Machine, Pause, Received, Signal, Single, StartError, Status, Step, Time,
};

/// How a hook may end.
const HOOK_ENDS: [Status; 3] = [Status::Exited(0), Status::Exited(7), Status::Signaled(Signal::KILL)];

/// Quick also where nothing is optimised (as rustc's own, FxHash).
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }
}

/// Every way in which a pause can end.
const PAUSES: [Pause; 3] = [Pause::Together, Pause::Alone, Pause::Refused];

/// What a failed check says of itself.
#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug alone")]
struct Context<'a> {
    world: &'a World,
    state: State,
    seen: Seen,
    event: Event,
}

/// A machine at one moment, without its policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Moment {
    state: State,
    limit: Option<Time>,
    extended: Option<Time>,
    interrupt: Option<Interrupt>,
    main_is_stopped: bool,
    kill_is_passed_on: bool,
    wish: Option<Wish>,
    failure: Option<Failure>,
    told: Option<Signal>,
}

impl Moment {
    fn of(machine: &Single) -> Moment {
        let Single {
            state, limit, extended, interrupt, main_is_stopped, kill_is_passed_on, wish, failure, told, ..
        } = *machine;
        Moment { state, limit, extended, interrupt, main_is_stopped, kill_is_passed_on, wish, failure, told }
    }

    fn enter(self, machine: &mut Single) {
        machine.state = self.state;
        machine.limit = self.limit;
        machine.extended = self.extended;
        machine.interrupt = self.interrupt;
        machine.main_is_stopped = self.main_is_stopped;
        machine.kill_is_passed_on = self.kill_is_passed_on;
        machine.wish = self.wish;
        machine.failure = self.failure;
        machine.told = self.told;
    }

    /// The same as if it were [`NOW`].
    fn rebase(mut self, now: u64, oldest: u64) -> Moment {
        let moved = |time: &mut Time| *time = at(rebased(milliseconds(*time), now, oldest));
        match &mut self.state {
            State::PreStopping(request) | State::Delaying(request) => moved(&mut request.at),
            State::PreStarting(hook) => hook.kill_at.iter_mut().for_each(moved),
            State::Abandoning { hook, asked } => {
                hook.kill_at.iter_mut().for_each(moved);
                moved(asked);
            }
            State::KillingHook { asked, .. } => asked.iter_mut().for_each(moved),
            State::Asking(climb) => {
                moved(&mut climb.asked);
                moved(&mut climb.told);
                moved(&mut climb.since);
            }
            State::KillingMain { asked, .. } | State::MainEnded { asked: Some(asked), .. } => moved(asked),
            State::Leftovers { kill_at, .. } => {
                moved(kill_at);
                *kill_at = (*kill_at).max(at(NOW));
            }
            State::MainEnded { asked: None, .. }
            | State::New
            | State::Pausing
            | State::Running
            | State::Waiting { .. }
            | State::Killing { .. }
            | State::Done => {}
        }
        self.limit.iter_mut().for_each(moved);
        let is_told = matches!(self.state, State::PreStopping(_) | State::Delaying(_) | State::Asking(_));
        self.extended = self.extended.filter(|_| is_told);
        self.extended.iter_mut().for_each(moved);
        if matches!(self.state, State::KillingMain { .. } | State::Leftovers { .. } | State::Killing { .. }) {
            // It only matters whether there is one and, if that, whether it is over.
            self.limit = self.limit.map(|limit| limit.clamp(at(NOW), at(NOW + 1)));
        }
        self.interrupt = self.interrupt.filter(|(last, _)| now - milliseconds(*last) <= 2 * S);
        self.interrupt.iter_mut().for_each(|(last, _)| moved(last));
        self
    }
}

impl World {
    /// Everything that the driver may report in this situation. It reports what main does only until main is reaped,
    /// a deadline only if one is armed, and nothing but signals in the middle of a round of reaping.
    fn events(&self, seen: &Seen) -> Vec<Event> {
        if !seen.begun {
            return std::vec![Event::Begin];
        }
        let mut all = std::vec![Event::Reaped(Left::Some), Event::Reaped(Left::None)];
        for signal in self.signals.iter().copied() {
            all.extend(self.senders.iter().map(|sender| Event::Signalled(Received { signal, sender: *sender })));
        }
        all.extend(self.asks.iter().map(|ask| Event::Asked(*ask, Way::Initctl)));
        all.extend(self.failures.iter().map(|failure| Event::Failed(*failure)));
        all.extend(self.extensions.iter().map(|time| Event::Extended(Duration::from_millis(*time))));
        if seen.has_main() {
            all.extend(self.statuses.iter().map(|status| Event::Ended(MAIN, *status)));
            all.extend(self.stops_of(MAIN));
        }
        for hook in seen.hooks(self.options.stop_hook()) {
            all.extend(HOOK_ENDS.iter().map(|status| Event::Ended(hook, *status)));
            all.extend(self.stops_of(hook));
        }
        if let Some(child) = seen.spawned {
            all.push(Event::NotStarted(child, StartError { step: Step::Exec, errno: 2 }));
        }
        if seen.armed.is_some_and(|armed| armed <= seen.now) && !seen.is_reaping() {
            all.push(Event::Deadline);
        }
        all
    }

    /// How a child may be stopped, and how the pause may end that comes of it. The driver reports that after a pause
    /// only, but what comes of it depends on nothing before.
    fn stops_of(&self, child: Child) -> impl Iterator<Item = Event> + use<> {
        self.stops.iter().copied().flat_map(move |(by, terminal)| {
            let resumed = PAUSES.map(|pause| Event::Resumed(child, by, pause));
            core::iter::once(Event::Stopped(child, by, terminal)).chain(resumed)
        })
    }

    /// The times from one event to the next, and to the deadline itself.
    fn naps(&self, seen: &Seen) -> impl Iterator<Item = u64> + use<> {
        let to_deadline = seen.armed.map(|armed| armed.saturating_sub(seen.now));
        let naps = self.naps;
        naps.iter().copied().chain(to_deadline.filter(|nap| !naps.contains(nap)))
    }

    /// Breadth first over everything that can happen. Returns how many situations there are.
    fn explore(&self) -> usize {
        let policy = self.options.policy();
        let mut machine = if self.options.has_main { Single::new(policy) } else { Single::without_main(policy) };
        let oldest = self.options.oldest();
        let start = (Seen::START, Moment::of(&machine));
        let mut known = HashSet::<_, BuildHasherDefault<Quick>>::from_iter([start]);
        let mut queue = VecDeque::from([start]);
        while let Some((seen, moment)) = queue.pop_front() {
            for nap in self.naps(&seen) {
                let seen = seen.later(nap);
                for event in self.events(&seen) {
                    moment.enter(&mut machine);
                    let actions: Vec<Action> = machine.on(at(seen.now), event).into_iter().collect();
                    let mut observer = Observer { options: &self.options, seen };
                    let expected = observer.expect(event);
                    let context = Context { world: self, state: moment.state, seen, event };
                    if actions != expected {
                        assert_eq!(in_order(&actions), in_order(&expected), "{context:?}");
                    }
                    assert!(is_armed_before_explained(&actions), "9: {actions:?} {context:?}");
                    let after = observer.seen;
                    assert_eq!(after.exited, machine.state == State::Done, "8: {context:?}");
                    if after.exited {
                        self.check_silence(after, &mut machine);
                        continue;
                    }
                    let after = (after.rebase(oldest), Moment::of(&machine).rebase(after.now, oldest));
                    if known.insert(after) {
                        queue.push_back(after);
                    }
                }
            }
            if seen.only_waits_for_time() && !seen.is_reaping() {
                moment.enter(&mut machine);
                self.check_deadlines_suffice(seen, &mut machine);
            }
        }
        known.len()
    }

    /// 8. The exit is the last action, whatever is told afterwards (but why a signal goes nowhere).
    fn check_silence(&self, seen: Seen, machine: &mut Single) {
        for event in self.events(&seen).into_iter().chain([Event::Begin, Event::Deadline]) {
            let mut actions = machine.on(at(seen.now), event).into_iter();
            let is_word = |action| matches!(action, Action::Drop(..) | Action::Answer(..) | Action::Reopen);
            assert!(actions.all(is_word), "8: {event:?}");
        }
    }

    /// 7. From a kill, and from when what is left was told, deadlines alone lead to the end.
    fn check_deadlines_suffice(&self, seen: Seen, machine: &mut Single) {
        let mut armed = seen.armed.map(at);
        for _ in 0..5 {
            let Some(time) = armed.take() else { panic!("7: waits for ever: {self:?} {seen:?}") };
            let now = time.max(at(seen.now));
            for action in machine.on(now, Event::Deadline) {
                match action {
                    Action::Arm(time) => armed = Some(time),
                    Action::ArmAfterKill => armed = Some(now),
                    Action::Exit(_) => return,
                    _ => {}
                }
            }
        }
        panic!("7: too many deadlines: {self:?} {seen:?}");
    }
}

/// What is ordered, and apart from that, because its place says nothing, what is armed.
fn in_order(actions: &[Action]) -> (Vec<Action>, Vec<Action>) {
    actions.iter().partition(|action| !matches!(action, Action::Arm(_)))
}

/// An explanation says how long there is until the deadline that follows.
fn is_armed_before_explained(actions: &[Action]) -> bool {
    let place = |wanted: fn(&Action) -> bool| actions.iter().position(wanted);
    let armed = place(|action| matches!(action, Action::Arm(_)));
    let explained = place(|action| matches!(action, Action::Explain(_)));
    explained.is_none_or(|explained| armed.is_none_or(|armed| armed < explained))
}

/// All that can happen in these worlds. The exploration itself must not shrink unnoticed.
#[track_caller]
fn explore(worlds: &[World], at_least: usize) {
    let situations: usize = worlds.iter().map(World::explore).sum();
    assert!(situations >= at_least, "{situations} situations in {} worlds", worlds.len());
}

#[test]
fn every_delay_ladder_and_grace_keeps_the_invariants() {
    explore(&worlds::ladders(), 53_000);
}

#[test]
fn every_longest_time_keeps_the_invariants() {
    explore(&worlds::longest_times(), 30_000);
}

#[test]
fn all_that_is_left_behind_keeps_the_invariants() {
    explore(&worlds::leftovers(), 33_000);
}

#[test]
fn every_audience_of_a_stop_keeps_the_invariants() {
    explore(&worlds::audiences(), 5_700);
}

#[test]
fn every_two_keys_keep_the_invariants() {
    explore(&worlds::keys(), 27_000);
}

#[test]
fn every_rewritten_signal_keeps_the_invariants() {
    explore(&worlds::rewritten(), 19_000);
}

#[test]
fn every_hook_before_main_keeps_the_invariants() {
    explore(&worlds::hooks_before(), 27_000);
}

#[test]
fn every_hook_before_a_stop_keeps_the_invariants() {
    explore(&worlds::hooks_before_a_stop(), 60_000);
}

#[test]
fn everything_that_another_init_does_otherwise_keeps_the_invariants() {
    explore(&worlds::of_others(), 9_000);
}

#[test]
fn every_request_from_inside_keeps_the_invariants() {
    explore(&worlds::requests(), 9_000);
}

#[test]
fn every_failure_of_main_keeps_the_invariants() {
    explore(&worlds::failures(), 900);
}

#[test]
fn every_extension_keeps_the_invariants() {
    explore(&worlds::extensions(), 900);
}

#[test]
fn every_pause_without_a_main_keeps_the_invariants() {
    explore(&worlds::pauses(), 100);
}

#[test]
fn every_end_keeps_the_invariants() {
    explore(&worlds::ends(), 9_000);
}
