//! One program, its signals, its orphans and its end.
//!
//! ```text
//!  New ──Begin──▶ Running ──Stop, or the longest time──▶ Delaying ──delay──▶ Asking ──kill──▶ KillingMain
//!                    │ main ended                            │ main ended       │                 │ main ended,
//!                    ▼                                       ▼                  ▼                 ▼ or 1 s
//!                  MainEnded ◀──────────────────────────────────────────────────────────────────────
//!                    │ nothing left: Done
//!                    │ something left ──leave──▶ Done
//!                    │                ──wait──▶ Waiting ──Stop──▶ (Leftovers)
//!                    ▼ told
//!                  Leftovers ──nothing left──▶ Done
//!                    │ deadline: killed, 1 s
//!                    ▼
//!                  Killing ──nothing left, or deadline──▶ Done
//! ```
//!
//! Invariants, which `single_tests` checks in every reachable state:
//!
//! 1. Main is started once, by the first action.
//! 2. Main is signalled only between its start and its end.
//! 3. While main runs, every signal reaches it exactly once, as its rule says, or is dropped with a reason; a request to
//!    stop waits for the delay, and a second SIGINT in a row takes a stop one rung up instead.
//! 4. A stop sends main the signals of the ladder in their order, each when its time has come, and kills it only where
//!    somebody here has decided how long is enough: by `grace`, by a ladder that ends in KILL, by the longest time, by
//!    two SIGINTs in a row, or by a rule that makes a request a SIGKILL.
//! 5. What is left is told once, when main has ended, and killed only after the deadline that followed; or it is waited
//!    for until a stop is asked for; or left. What a kill of the whole tree leaves is killed, until the deadline of that.
//! 6. That deadline is [`Ladder::leftover_time`] after it was told.
//! 7. A deadline is armed wherever one is waited for (that of a rung that was left early finds nothing to do); from a
//!    kill, and from when what is left was told, deadlines alone lead to the end.
//! 8. There is one exit, the last action, after main's end, or when it did not start or could not be killed; it is
//!    main's, as the map says.
//! 9. A stop that takes long is explained once, halfway to main's kill (after 5 s where nobody has said how long a stop
//!    may take), and once more halfway to the leftovers', unless the kill has come by then. So is a main that died of a
//!    SIGKILL which was not ours.
//! 10. Where a shell above us does job control we stop as main was stopped, and go on with it. Main is continued where
//!     nobody else can do it or has done it, and handed the terminal where our group has it and main stopped for the
//!     want of it.

mod job;
mod state;

use core::mem::{Discriminant, discriminant};
use core::time::Duration;

pub(super) use self::state::State;
use self::state::{Climb, Request};
use super::actions::Actions;
use super::exit::{Outcome, Status};
use super::forwarding::Rule;
use super::ladder::{KillMode, Ladder, Leftovers, StopSignal};
use super::machine::{
    Action, Child, Event, Fate, Left, Machine, Note, Pause, Received, Rung, Sender, Slow, StartError, Terminal, Time,
};
use super::policy::{Group, Policy, Scope};
use super::signal::Signal;

/// The one program.
pub(super) const MAIN: Child = Child(0);

/// How a main ends that is killed.
const KILLED: Status = Status::Signaled(Signal::KILL);

/// Two SIGINTs as close as this are somebody who does not want to wait.
const IN_A_ROW: Duration = Duration::from_secs(2);

/// An event as the table takes it: signals are judged, and there is one child.
#[derive(Clone, Copy)]
enum Input {
    Begin,
    NotStarted(StartError),
    Stop(Signal),
    Forward(Signal),
    /// The second SIGINT in a row, during a stop.
    Hurry,
    MainEnded(Status),
    MainStopped(Signal, Terminal),
    Resumed(Signal, Pause),
    Reaped(Left),
    Deadline,
}

/// A SIGINT that came, and what kind of sender it was from.
pub(super) type Interrupt = (Time, Discriminant<Sender>);

/// The machine for one program.
#[derive(Clone, Debug)]
pub struct Single<'a> {
    policy: Policy<'a>,
    pub(super) state: State,
    /// When main has run for the longest time that it may.
    pub(super) limit: Option<Time>,
    pub(super) interrupt: Option<Interrupt>,
    /// Whether main was stopped by a signal and not continued since, as far as we can know.
    pub(super) main_is_stopped: bool,
    /// Whether main was sent a SIGKILL on somebody's word, by a rule that makes one of another signal.
    pub(super) kill_is_passed_on: bool,
}

impl<'a> Single<'a> {
    /// A machine that has not begun.
    pub const fn new(policy: Policy<'a>) -> Single<'a> {
        Single {
            policy,
            state: State::New,
            limit: None,
            interrupt: None,
            main_is_stopped: false,
            kill_is_passed_on: false,
        }
    }

    fn next(&self, now: Time, input: Input) -> (State, Actions) {
        use Input::{Begin, Deadline, Forward, Hurry, MainEnded, MainStopped, NotStarted, Reaped, Resumed, Stop};
        use State::{Asking, Delaying, Done, Killing, KillingMain, New, Running, Waiting};

        let same = self.state;
        match (self.state, input) {
            (New, Begin) => (Running, self.start(now)),
            // Nothing can happen to a program that was not started.
            (
                New,
                NotStarted(_) | Stop(_) | Forward(_) | Hurry | MainEnded(_) | MainStopped(..) | Resumed(..) | Reaped(_)
                | Deadline,
            ) => (same, Actions::NONE),

            (Running | Delaying(_) | Asking(_) | KillingMain { .. }, NotStarted(why)) => {
                (Done, [Action::Exit(Outcome::NotStarted(why))].into())
            }
            (Running, Stop(signal)) => self.begin_stop(now, signal),
            // Its longest time is over. Nobody outside has asked, so there is no signal but the usual one.
            (Running, Deadline) => self.begin_stop(now, self.policy.usual_signal()),
            // A stop is under way: asking again ends the delay, or tells main again; the clock goes on.
            (Delaying(request), Stop(_) | Deadline | Hurry) => self.ask(now, request),
            (Asking(climb), Stop(signal)) => match self.first_signal(signal) {
                Signal::KILL => self.kill_main(climb.asked),
                signal => (same, self.tell(signal)),
            },
            (Running | Delaying(_) | Asking(_), Forward(signal)) => (same, [Action::Signal(MAIN, signal)].into()),
            (Asking(climb), Hurry) => self.climb(now, climb, None),
            (Asking(climb), Deadline) => self.asking_deadline(now, climb),
            (KillingMain { .. }, Stop(signal) | Forward(signal)) => (same, drop_signal(signal, Note::MainIsKilled)),
            // Not even SIGKILL ends it. It counts as killed, and as one of those that are left.
            (KillingMain { .. }, Deadline) if self.kills_all() => (Done, self.end_naming_the_rest(KILLED)),
            (KillingMain { asked }, Deadline) => self.main_left(now, Some(asked), KILLED),
            // A process may have forked while the others were killed.
            (KillingMain { .. }, Reaped(Left::Some)) if self.kills_all() => (same, [Action::KillRest].into()),
            (Running, MainEnded(status)) => (State::MainEnded { asked: None, status }, self.explain_kill(status)),
            (Delaying(Request { at: asked, .. }) | Asking(Climb { asked, .. }), MainEnded(status)) => {
                (State::MainEnded { asked: Some(asked), status }, self.explain_kill(status))
            }
            // All have been killed with it, and the deadline of that holds for all.
            (KillingMain { .. }, MainEnded(status)) if self.kills_all() => (Killing { status }, Actions::NONE),
            (KillingMain { asked }, MainEnded(status)) => {
                (State::MainEnded { asked: Some(asked), status }, Actions::NONE)
            }
            (Running | Delaying(_) | Asking(_), MainStopped(by, terminal)) => (same, self.main_stopped(by, terminal)),
            (Running | Delaying(_) | Asking(_), Resumed(by, pause)) => (same, self.resumed(by, pause)),
            (Running | Delaying(_) | Asking(_) | KillingMain { .. }, Begin | Reaped(_))
            | (Running, Hurry)
            | (KillingMain { .. }, MainStopped(..) | Resumed(..) | Hurry) => (same, Actions::NONE),

            // The round of reaping that main's end is part of shows whether anything is left.
            (State::MainEnded { status, .. }, Reaped(Left::None)) => (Done, self.end_alone(status)),
            (State::MainEnded { asked, status }, Reaped(Left::Some)) => self.main_left(now, asked, status),
            (State::MainEnded { asked, status }, Stop(signal)) => {
                let asked = Some(asked.unwrap_or(now));
                (State::MainEnded { asked, status }, drop_signal(signal, Note::MainHasEnded))
            }
            (
                State::MainEnded { .. },
                Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | Resumed(..) | Deadline,
            ) => (same, Actions::NONE),

            (Waiting { status }, Reaped(Left::None)) => (Done, self.end_alone(status)),
            (Waiting { status }, Stop(_) | Hurry | Deadline) => self.tell_leftovers(now, Some(now), status),
            (State::Leftovers { status, .. } | Killing { status }, Reaped(Left::None)) => (Done, self.end(status)),
            (State::Leftovers { .. }, Stop(signal)) => (same, [Action::SignalRest(signal)].into()),
            (State::Leftovers { status, kill_at }, Deadline) if now < kill_at => {
                (same, [Action::Arm(kill_at), Action::Explain(Slow::Leftovers(status))].into())
            }
            (State::Leftovers { status, .. }, Deadline | Hurry) => kill_leftovers(status),
            (
                Waiting { .. } | State::Leftovers { .. },
                Begin | NotStarted(_) | MainEnded(_) | MainStopped(..) | Resumed(..) | Reaped(Left::Some),
            ) => (same, Actions::NONE),

            // A process may have forked while the others were killed.
            (Killing { .. }, Reaped(Left::Some)) => (same, [Action::KillRest].into()),
            (Killing { status }, Deadline) => (Done, self.end_naming_the_rest(status)),
            (Killing { .. }, Stop(signal))
            | (State::MainEnded { .. } | Waiting { .. } | State::Leftovers { .. } | Killing { .. }, Forward(signal)) => {
                (same, drop_signal(signal, Note::MainHasEnded))
            }
            (Killing { .. }, Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | Resumed(..)) => {
                (same, Actions::NONE)
            }

            (Done, _) => (Done, Actions::NONE),
        }
    }

    fn start(&self, now: Time) -> Actions {
        let start = Actions::from([Action::Spawn(MAIN)]);
        match self.policy.ladder.max_time {
            Some(time) => start.and(Action::Arm(now.after(time))),
            None => start,
        }
    }

    fn begin_stop(&self, now: Time, signal: Signal) -> (State, Actions) {
        let request = Request { at: now, signal };
        let delay = self.policy.ladder.delay;
        if delay.is_zero() {
            return self.ask(now, request);
        }
        (State::Delaying(request), [Action::Climb(Rung::Delay), Action::Arm(now.after(delay))].into())
    }

    /// Sends main the first signal.
    fn ask(&self, now: Time, request: Request) -> (State, Actions) {
        let signal = self.first_signal(request.signal);
        let climb = Climb { asked: request.at, told: now, step: 0, signal, since: now, explained: false };
        self.reach(climb, None)
    }

    /// Goes on to the next signal; behind the last one comes SIGKILL.
    fn climb(&self, now: Time, climb: Climb, explain: Option<Action>) -> (State, Actions) {
        let step = climb.step.saturating_add(1);
        match self.policy.ladder.signals.get(step) {
            Some(StopSignal { signal, .. }) => self.reach(Climb { step, signal, since: now, ..climb }, explain),
            None => self.kill_main(climb.asked),
        }
    }

    /// The step of `climb` is reached.
    fn reach(&self, climb: Climb, explain: Option<Action>) -> (State, Actions) {
        if climb.signal == Signal::KILL {
            return self.kill_main(climb.asked);
        }
        let actions = self.arm(climb).then(explain).and(Action::Climb(Rung::Signal(climb.signal)));
        (State::Asking(climb), actions.then(self.tell(climb.signal)))
    }

    fn asking_deadline(&self, now: Time, climb: Climb) -> (State, Actions) {
        let explains = !climb.explained && now >= self.explain_at(climb);
        let explain = explains.then_some(Action::Explain(Slow::Main(climb.signal)));
        let climb = Climb { explained: climb.explained || explains, ..climb };
        // Where we come late, each signal has its time all the same: the ladder's own SIGKILL is a step like the others.
        if self.kill_anyhow_at(climb.asked).is_some_and(|kill_at| now >= kill_at) {
            return self.kill_main(climb.asked);
        }
        if self.next_step_at(climb).is_some_and(|next| now >= next) {
            return self.climb(now, climb, explain);
        }
        (State::Asking(climb), self.arm(climb).then(explain))
    }

    /// Arms the first of the deadlines that are left, if any is. It comes before an explanation, which says how long
    /// there is until then.
    fn arm(&self, climb: Climb) -> Actions {
        let explain_at = if climb.explained { None } else { Some(self.explain_at(climb)) };
        let deadlines = [explain_at, self.next_step_at(climb), self.kill_at(climb)];
        Actions::NONE.then(deadlines.into_iter().flatten().min().map(Action::Arm))
    }

    /// Halfway to the kill, counted from the first signal. The longest time may be far away still, and says nothing of
    /// how long a stop may take.
    fn explain_at(&self, climb: Climb) -> Time {
        let ladder = self.policy.ladder;
        let is_timed = ladder.grace.is_some() || ladder.signals.until_kill(climb.step).is_some();
        let halfway = self.kill_at(climb).map(|kill_at| climb.told.midway(kill_at));
        let patient = climb.told.after(Ladder::PATIENCE);
        match halfway {
            Some(halfway) if is_timed => halfway,
            Some(halfway) => halfway.min(patient),
            None => patient,
        }
    }

    fn next_step_at(&self, climb: Climb) -> Option<Time> {
        let then = self.policy.ladder.signals.get(climb.step)?.then?;
        Some(climb.since.after(then))
    }

    /// When main is killed, if somebody here has decided that and nothing comes in between.
    fn kill_at(&self, climb: Climb) -> Option<Time> {
        let by_ladder = self.policy.ladder.signals.until_kill(climb.step).map(|time| climb.since.after(time));
        [by_ladder, self.kill_anyhow_at(climb.asked)].into_iter().flatten().min()
    }

    /// When main is killed wherever the ladder stands.
    fn kill_anyhow_at(&self, asked: Time) -> Option<Time> {
        let ladder = self.policy.ladder;
        let by_grace = ladder.grace.map(|grace| asked.after(grace));
        // Where we come late, main has its time all the same.
        let by_limit = self.limit.map(|limit| limit.max(asked).after(ladder.own_grace()));
        [by_grace, by_limit].into_iter().flatten().min()
    }

    /// Unexplained, even where that is due: a helper would find a process that is being ended.
    fn kill_main(&self, asked: Time) -> (State, Actions) {
        let kill = Action::Tell(MAIN, self.policy.ladder.kill_mode, Signal::KILL);
        let actions = [Action::Climb(Rung::Kill), kill, Action::ArmAfterKill];
        (State::KillingMain { asked }, actions.into())
    }

    /// Sends the signal of a stop, and continues what could not act on it.
    fn tell(&self, signal: Signal) -> Actions {
        let mode = self.policy.ladder.kill_mode;
        let told = Actions::from([Action::Tell(MAIN, mode, signal)]);
        // Main's stops are reported to us, those of others are not.
        if mode == KillMode::Tree || self.main_is_stopped {
            told.and(Action::Tell(MAIN, mode, Signal::CONT))
        } else {
            told
        }
    }

    /// Whether the kill of main is one of everything.
    fn kills_all(&self) -> bool {
        self.policy.ladder.kill_mode == KillMode::Tree
    }

    /// What main is sent first, if the request stands for `asked`.
    fn first_signal(&self, asked: Signal) -> Signal {
        self.policy.ladder.signals.get(0).map_or(asked, |first| first.signal)
    }

    /// Who kills so beside us is the kernel, when memory is short.
    fn explain_kill(&self, status: Status) -> Actions {
        match status {
            KILLED if !self.kill_is_passed_on => [Action::Explain(Slow::MainKilled)].into(),
            Status::Signaled(_) | Status::Exited(_) => Actions::NONE,
        }
    }

    /// Main is no more, and something is left.
    fn main_left(&self, now: Time, asked: Option<Time>, status: Status) -> (State, Actions) {
        match (self.policy.ladder.leftovers, asked) {
            (Leftovers::Leave, _) => (State::Done, self.end(status)),
            (Leftovers::Wait, None) => (State::Waiting { status }, [Action::Climb(Rung::Wait)].into()),
            (Leftovers::Stop, _) | (Leftovers::Wait, Some(_)) => self.tell_leftovers(now, asked, status),
        }
    }

    fn tell_leftovers(&self, now: Time, asked: Option<Time>, status: Status) -> (State, Actions) {
        let time = self.policy.ladder.leftover_time(asked.map(|asked| now.since(asked)));
        let kill_at = now.after(time);
        let actions = [Action::Climb(Rung::Leftovers), Action::TellRest, Action::Arm(now.midway(kill_at))];
        (State::Leftovers { status, kill_at }, actions.into())
    }

    /// Whether the signal is the second SIGINT in a row, which goes nowhere but one rung up. What is rewritten is none.
    fn is_hurry(&self, now: Time, received: Received) -> bool {
        let stopping = match self.state {
            State::Delaying(_) | State::Asking(_) | State::Waiting { .. } | State::Leftovers { .. } => true,
            State::New
            | State::Running
            | State::KillingMain { .. }
            | State::MainEnded { .. }
            | State::Killing { .. }
            | State::Done => false,
        };
        // A key that is pressed once comes from the terminal and, forwarded, from a parent that got it too.
        let again = self
            .interrupt
            .is_some_and(|(last, kind)| kind == discriminant(&received.sender) && now.since(last) <= IN_A_ROW);
        stopping && again && is_interrupt(received.signal, self.policy.forwarding.rule(received.signal))
    }

    /// What a signal asks for, or why it asks for nothing.
    fn judge(&self, received: Received) -> Result<Input, Note> {
        let Received { signal, sender } = received;
        if sender == Sender::Kernel && signal.is_from_terminals() && self.policy.group == Group::Shared {
            return Err(Note::SentToGroup);
        }
        match self.policy.forwarding.rule(signal) {
            Rule::Forward(signal) | Rule::Reserved(signal) => Ok(Input::Forward(signal)),
            Rule::Stop(signal) => Ok(Input::Stop(signal)),
            Rule::Ignore => Err(Note::Ignored),
        }
    }

    fn end(&self, status: Status) -> Actions {
        [self.exit(status)].into()
    }

    /// None of our children is left, but a namespace may hold others, and the kernel kills them when we end.
    fn end_alone(&self, status: Status) -> Actions {
        match (self.policy.scope, self.policy.ladder.leftovers) {
            (Scope::Namespace, Leftovers::Stop | Leftovers::Wait) => [Action::TellRest, self.exit(status)].into(),
            (Scope::Namespace, Leftovers::Leave) | (Scope::Tree, _) => self.end(status),
        }
    }

    fn end_naming_the_rest(&self, status: Status) -> Actions {
        [Action::NameRest(Fate::LeftBehind), self.exit(status)].into()
    }

    fn exit(&self, status: Status) -> Action {
        Action::Exit(self.policy.outcome(status))
    }
}

impl Machine for Single<'_> {
    fn on(&mut self, now: Time, event: Event) -> Actions {
        let input = match event {
            Event::Begin => {
                self.limit = self.policy.ladder.max_time.map(|time| now.after(time));
                Input::Begin
            }
            Event::NotStarted(_, why) => Input::NotStarted(why),
            Event::Signalled(received) => {
                let hurry = self.is_hurry(now, received);
                if received.signal == Signal::INT {
                    self.interrupt = Some((now, discriminant(&received.sender)));
                }
                match self.judge(received) {
                    _ if hurry => Input::Hurry,
                    Ok(input) => input,
                    Err(note) => return self.drop_received(received.signal, note),
                }
            }
            Event::Ended(_, status) => Input::MainEnded(status),
            Event::Stopped(_, by, terminal) => Input::MainStopped(by, terminal),
            Event::Resumed(_, by, pause) => Input::Resumed(by, pause),
            Event::Reaped(left) => Input::Reaped(left),
            Event::Deadline => Input::Deadline,
        };
        let (next, actions) = self.next(now, input);
        self.state = next;
        self.remember(input, actions);
        actions
    }
}

impl Single<'_> {
    /// What later orders depend on.
    fn remember(&mut self, input: Input, actions: Actions) {
        let mode = self.policy.ladder.kill_mode;
        let continued = [Action::Signal(MAIN, Signal::CONT), Action::Tell(MAIN, mode, Signal::CONT)];
        self.main_is_stopped = match input {
            // Otherwise we have continued it, or hear of it when we go on ourselves.
            Input::MainStopped(..) => actions.is_empty(),
            Input::Resumed(_, Pause::Together) => false,
            Input::Resumed(_, Pause::Alone | Pause::Refused) => actions.is_empty(),
            _ => self.main_is_stopped && !continued.into_iter().any(|action| actions.contains(action)),
        };
        self.kill_is_passed_on |= actions.contains(Action::Signal(MAIN, Signal::KILL));
    }

    fn drop_received(&mut self, signal: Signal, note: Note) -> Actions {
        // Main has it all the same.
        if signal == Signal::CONT && note == Note::SentToGroup {
            self.main_is_stopped = false;
        }
        drop_signal(signal, note)
    }
}

fn is_interrupt(signal: Signal, rule: Rule) -> bool {
    signal == Signal::INT && matches!(rule, Rule::Forward(Signal::INT) | Rule::Stop(Signal::INT))
}

fn drop_signal(signal: Signal, note: Note) -> Actions {
    [Action::Drop(signal, note)].into()
}

fn kill_leftovers(status: Status) -> (State, Actions) {
    let actions =
        [Action::Climb(Rung::KillLeftovers), Action::NameRest(Fate::Killed), Action::KillRest, Action::ArmAfterKill];
    (State::Killing { status }, actions.into())
}
