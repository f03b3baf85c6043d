//! Every reachable state of the machine, with every event at every time that makes a difference, against the
//! numbered invariants of `single`. An observer that knows only the events and the invariants says what must come;
//! it shares no code with the machine.

use core::time::Duration;
use std::collections::{HashSet, VecDeque};
use std::vec::Vec;

use super::single::{MAIN, State};
use super::{
    Action, Event, ExitMap, Fate, Forwarding, Group, JobControl, Left, Machine, Note, OnSignalDeath, Outcome, Policy,
    Received, Scope, Sender, Signal, Single, StartError, Status, Step, Terminal, Time,
};

const USR1: i32 = 10;
const QUIT_FOR_TERM: Signal = Signal::QUIT;

/// The time at which every situation is looked at: what matters is how long ago things were.
const NOW: u64 = 100;
/// No limit counts more seconds than this.
const OLDEST: u64 = 12;

/// What an outsider knows: no state names, only what was told and what was ordered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Seen {
    now: u64,
    begun: bool,
    asked: Option<u64>,
    ended: Option<Status>,
    told: bool,
    armed: Option<u64>,
    killed: bool,
    exited: bool,
}

impl Seen {
    const START: Seen = Seen {
        now: NOW,
        begun: false,
        asked: None,
        ended: None,
        told: false,
        armed: None,
        killed: false,
        exited: false,
    };

    /// The same situation as if it were [`NOW`], with what is older than any limit as old as the limit: so there are
    /// finitely many.
    fn rebase(self, machine: &mut Single) -> Seen {
        let asked = self.asked.map(|asked| NOW - (self.now - asked).min(OLDEST));
        let armed = self.armed.map(|armed| NOW + armed.saturating_sub(self.now));
        match (&mut machine.state, asked) {
            (State::Stopping { asked: kept }, Some(asked)) => *kept = at(asked),
            (State::MainEnded { asked: kept @ Some(_), .. }, Some(asked)) => *kept = Some(at(asked)),
            _ => {}
        }
        Seen { now: NOW, asked, armed, ..self }
    }
}

/// What a failed check says of itself.
#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug alone")]
struct Context<'a> {
    before: Seen,
    event: Event,
    actions: &'a [Action],
}

/// One configuration to explore.
struct World {
    policy: Policy,
}

fn policies() -> Vec<World> {
    let mut forwarding = Forwarding::DEFAULT;
    forwarding.rewrite(Signal::TERM, Some(QUIT_FOR_TERM));
    forwarding.rewrite(Signal::HUP, None);
    let mut exit_map = ExitMap::NONE;
    exit_map.map_code(7, 70);
    let mut all = Vec::new();
    for group in [Group::Shared, Group::Own] {
        for job_control in [JobControl::Caller, JobControl::Nobody] {
            for scope in [Scope::Namespace, Scope::Tree] {
                for on_signal_death in [OnSignalDeath::DieOfIt, OnSignalDeath::Code] {
                    let (forwarding, exit_map) = (forwarding.clone(), exit_map.clone());
                    let policy = Policy { forwarding, exit_map, group, job_control, scope, on_signal_death };
                    all.push(World { policy });
                }
            }
        }
    }
    all
}

fn statuses() -> [Status; 3] {
    [Status::Exited(0), Status::Exited(7), Status::Signaled(Signal::KILL)]
}

fn signals() -> Vec<Signal> {
    let usr1 = Signal::new(USR1).expect("10 is a signal");
    let rtmin_4 = Signal::new(38).expect("38 is a signal");
    std::vec![Signal::TERM, Signal::HUP, Signal::INT, Signal::CHLD, Signal::CONT, usr1, rtmin_4]
}

/// Everything that the driver may report in this situation. It reports what main does only while main runs, and a
/// deadline only if one is armed.
fn events(seen: &Seen) -> Vec<Event> {
    if !seen.begun {
        return std::vec![Event::Begin];
    }
    let mut all = std::vec![Event::Reaped(Left::Some)];
    for signal in signals() {
        let process = Sender::Process { pid: 42, uid: 0 };
        for sender in [Sender::Kernel, Sender::Outside, Sender::Ourselves, process] {
            all.push(Event::Signalled(Received { signal, sender }));
        }
    }
    if seen.ended.is_none() {
        all.extend(statuses().map(|status| Event::Ended(MAIN, status)));
        all.push(Event::NotStarted(MAIN, StartError { step: Step::Exec, errno: 2 }));
        for by in [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            for terminal in [Terminal::Foreground, Terminal::Background, Terminal::None] {
                all.push(Event::Stopped(MAIN, by, terminal));
            }
        }
    } else {
        all.push(Event::Reaped(Left::None));
    }
    if seen.armed.is_some_and(|armed| armed <= seen.now) {
        all.push(Event::Deadline);
    }
    all
}

/// The seconds from one event to the next: around 1, 5 and 9, and to the deadline itself.
fn steps(seen: &Seen) -> Vec<u64> {
    let to_deadline = seen.armed.map(|armed| armed.saturating_sub(seen.now));
    [0, 1, 3, 5, 9].into_iter().chain(to_deadline).collect()
}

fn at(seconds: u64) -> Time {
    Time::from_start(Duration::from_secs(seconds))
}

impl World {
    /// What the signal must lead to while main runs.
    fn expected(&self, received: Received) -> Action {
        let Received { signal, sender } = received;
        let from_terminal = sender == Sender::Kernel && matches!(signal, Signal::HUP | Signal::INT | Signal::CONT);
        if from_terminal && self.policy.group == Group::Shared {
            Action::Drop(signal, Note::SentToGroup)
        } else if matches!(signal, Signal::HUP | Signal::CHLD) {
            Action::Drop(signal, Note::Ignored)
        } else if signal == Signal::TERM {
            Action::Signal(MAIN, QUIT_FOR_TERM)
        } else {
            Action::Signal(MAIN, signal)
        }
    }

    fn is_stop(received: Received) -> bool {
        received.signal == Signal::TERM
    }

    fn outcome(&self, status: Status) -> Outcome {
        match status {
            Status::Exited(7) => Outcome::Code(70),
            Status::Exited(code) => Outcome::Code(code),
            Status::Signaled(signal) if self.policy.on_signal_death == OnSignalDeath::DieOfIt => {
                Outcome::Signal(signal)
            }
            Status::Signaled(signal) => Outcome::Code(128 + signal.number()),
        }
    }

    /// What must follow main's stop.
    fn after_stop(&self, by: Signal, terminal: Terminal) -> Vec<Action> {
        match (self.policy.job_control, by, terminal) {
            (
                JobControl::Caller,
                Signal::TSTP | Signal::TTIN | Signal::TTOU,
                Terminal::Foreground | Terminal::Background,
            )
            | (JobControl::Caller, Signal::STOP, Terminal::Foreground) => {
                std::vec![Action::StopOurselves(MAIN)]
            }
            (JobControl::Nobody, Signal::TSTP, _) => std::vec![Action::Signal(MAIN, Signal::CONT)],
            _ => Vec::new(),
        }
    }

    /// Checks the answer to one event against the invariants; returns what an outsider knows then.
    fn check(&self, before: Seen, event: Event, actions: &[Action]) -> Seen {
        let mut after = before;
        let context = &Context { before, event, actions };
        match event {
            Event::Begin => {
                // 1. Main is started once, by the first action.
                assert_eq!(actions, [Action::Spawn(MAIN)], "1: {context:?}");
                after.begun = true;
            }
            Event::NotStarted(_, why) => {
                assert_eq!(actions, [Action::Exit(Outcome::NotStarted(why))], "8: {context:?}");
                after.exited = true;
            }
            Event::Signalled(received) => self.check_signal(before, &mut after, received, actions, context),
            Event::Ended(_, status) => {
                assert_eq!(actions, [], "5: what main leaves is not known yet: {context:?}");
                after.ended = Some(status);
            }
            Event::Stopped(_, by, terminal) => {
                assert_eq!(actions, self.after_stop(by, terminal), "2: {context:?}");
            }
            Event::Reaped(left) => self.check_reaped(before, &mut after, left, actions, context),
            Event::Deadline => self.check_deadline(before, &mut after, actions, context),
        }
        after
    }

    fn check_signal(
        &self,
        before: Seen,
        after: &mut Seen,
        received: Received,
        actions: &[Action],
        context: &Context<'_>,
    ) {
        let expected = self.expected(received);
        match (before.ended, expected) {
            // 3. Exactly once, as its rule says, or dropped with a reason. 4. And no more: a stop kills nobody.
            (None, _) | (Some(_), Action::Drop(..)) => assert_eq!(actions, [expected], "3: {context:?}"),
            // 2. Not after its end. A request to stop reaches what was told, until that is killed.
            (Some(_), Action::Signal(_, signal)) => {
                let hears = World::is_stop(received) && before.told && !before.killed;
                let drop = Action::Drop(signal, Note::MainHasEnded);
                assert_eq!(actions, [if hears { Action::SignalRest(signal) } else { drop }], "2: {context:?}");
            }
            (Some(_), other) => panic!("{other:?}"),
        }
        if World::is_stop(received) && before.asked.is_none() && !before.told {
            after.asked = Some(before.now);
        }
    }

    fn check_reaped(&self, before: Seen, after: &mut Seen, left: Left, actions: &[Action], context: &Context<'_>) {
        let Some(status) = before.ended else {
            assert_eq!(actions, [], "5: {context:?}");
            return;
        };
        let exit = Action::Exit(self.outcome(status));
        match left {
            Left::None => {
                // 5. A namespace may hold others than our children, and nobody has told them yet.
                let others = self.policy.scope == Scope::Namespace && !before.told;
                let expected = if others { std::vec![Action::TellRest, exit] } else { std::vec![exit] };
                assert_eq!(actions, expected, "8: {context:?}");
                after.exited = true;
            }
            Left::Some if before.killed => assert_eq!(actions, [Action::KillRest], "5: {context:?}"),
            Left::Some if before.told => assert_eq!(actions, [], "5: {context:?}"),
            Left::Some => {
                // 6. 5 s, but not beyond 9 s after the request, and never under 1 s.
                let now = before.now;
                let limit = before.asked.map_or(now + 5, |asked| (now + 5).min(asked + 9)).max(now + 1);
                assert_eq!(actions, [Action::TellRest, Action::Arm(at(limit))], "5, 6: {context:?}");
                after.told = true;
                after.armed = Some(limit);
            }
        }
    }

    fn check_deadline(&self, before: Seen, after: &mut Seen, actions: &[Action], context: &Context<'_>) {
        after.armed = None;
        let Some(status) = before.ended else { panic!("7: nothing to wait for: {context:?}") };
        if before.killed {
            assert_eq!(
                actions,
                [Action::NameRest(Fate::LeftBehind), Action::Exit(self.outcome(status))],
                "7, 8: {context:?}"
            );
            after.exited = true;
        } else {
            assert!(before.told, "5: {context:?}");
            let again = before.now + 1;
            let expected = [Action::NameRest(Fate::Killed), Action::KillRest, Action::Arm(at(again))];
            assert_eq!(actions, expected, "5: {context:?}");
            after.killed = true;
            after.armed = Some(again);
        }
    }

    /// 7. A deadline is armed exactly in the states that wait for one.
    fn check_armed(seen: Seen, state: State) {
        let waits = matches!(state, State::Leftovers { .. } | State::Killing { .. });
        assert_eq!(waits, seen.armed.is_some() && !seen.exited, "7: {seen:?} {state:?}");
        assert_eq!(seen.exited, state == State::Done, "8: {seen:?} {state:?}");
    }

    /// Breadth first over everything that can happen. Returns how many situations there are.
    fn explore(&self) -> usize {
        let start = (Seen::START, Single::new(self.policy.clone()));
        let mut known = HashSet::from([(start.0, start.1.state)]);
        let mut queue = VecDeque::from([start]);
        while let Some((seen, machine)) = queue.pop_front() {
            for step in steps(&seen) {
                let seen = Seen { now: seen.now + step, ..seen };
                for event in events(&seen) {
                    let mut machine = machine.clone();
                    let actions: Vec<Action> = machine.on(at(seen.now), event).into_iter().collect();
                    let after = self.check(seen, event, &actions);
                    World::check_armed(after, machine.state);
                    let after = after.rebase(&mut machine);
                    if after.exited {
                        World::check_silence(after, machine);
                    } else if known.insert((after, machine.state)) {
                        queue.push_back((after, machine));
                    }
                }
            }
        }
        known.len()
    }

    /// 8. The exit is the last action, whatever is told afterwards (but why a signal goes nowhere).
    fn check_silence(seen: Seen, mut machine: Single) {
        for event in events(&seen).into_iter().chain([Event::Begin, Event::Deadline]) {
            let actions: Vec<Action> = machine.on(at(seen.now), event).into_iter().collect();
            let orders = actions.iter().filter(|action| !matches!(action, Action::Drop(..)));
            assert_eq!(orders.count(), 0, "8: {event:?} {actions:?}");
        }
    }
}

#[test]
fn every_reachable_state_keeps_the_invariants() {
    let mut situations = 0;
    for world in policies() {
        situations += world.explore();
    }
    // The exploration itself must not shrink unnoticed.
    assert!(situations > 1000, "{situations} situations");
}

#[test]
fn after_mains_end_deadlines_alone_lead_to_the_end() {
    for world in policies() {
        let mut machine = Single::new(world.policy);
        let mut deadlines = 0;
        let mut armed = None;
        let mut exited = false;
        machine.on(at(0), Event::Begin);
        machine.on(at(0), Event::Ended(MAIN, Status::Exited(0)));
        let mut actions: Vec<Action> = machine.on(at(0), Event::Reaped(Left::Some)).into_iter().collect();
        while !exited {
            for action in actions.drain(..) {
                match action {
                    Action::Arm(time) => armed = Some(time),
                    Action::Exit(_) => exited = true,
                    _ => {}
                }
            }
            if let Some(time) = armed.take() {
                deadlines += 1;
                actions.extend(machine.on(time, Event::Deadline));
            } else {
                assert!(exited, "7: waits for ever");
            }
        }
        assert_eq!(deadlines, 2);
    }
}
