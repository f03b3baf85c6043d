//! Up the ladder: what main is sent in a stop, and when.

use super::state::{Climb, Request, State};
use super::{KILLED, MAIN, Single};
use crate::core::exit::Status;
use crate::core::ladder::{KillMode, Ladder, StopSignal};
use crate::core::list::Actions;
use crate::core::machine::{Action, Rung, Slow, Time};
use crate::core::signal::Signal;

impl Single<'_> {
    /// Starts main. From now on its longest time runs.
    pub(super) fn start_main(&self, now: Time) -> Actions {
        let start = Actions::from([Action::Spawn(MAIN)]);
        match self.policy.ladder.max_time {
            Some(time) => start.and(Action::Arm(now.after(time))),
            None => start,
        }
    }

    /// The delay, or the first signal where there is none.
    pub(super) fn delay(&self, now: Time, request: Request, said: Actions) -> (State, Actions) {
        let delay = self.policy.ladder.delay;
        if delay.is_zero() {
            let (state, actions) = self.ask(now, request);
            return (state, said.then(actions));
        }
        (State::Delaying(request), said.and(Action::Climb(Rung::Delay)).and(Action::Arm(now.after(delay))))
    }

    /// Sends main the first signal.
    pub(super) fn ask(&self, now: Time, request: Request) -> (State, Actions) {
        let signal = self.first_signal(request.signal);
        let climb = Climb { asked: request.at, told: now, step: 0, signal, since: now, explained: false };
        self.reach(climb, None)
    }

    /// Goes on to the next signal; behind the last one comes SIGKILL.
    pub(super) fn climb(&self, now: Time, climb: Climb, explain: Option<Action>) -> (State, Actions) {
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

    pub(super) fn asking_deadline(&self, now: Time, climb: Climb) -> (State, Actions) {
        let explains = !climb.explained && now >= self.explain_at(climb);
        let explain = explains.then_some(Action::Explain(Slow::Main(climb.signal)));
        let climb = Climb { explained: climb.explained || explains, ..climb };
        // Where we come late, each signal has its time all the same: the ladder's own SIGKILL is a step like the others.
        if self.kill_anyhow_at(climb.asked).is_some_and(|kill_at| now >= self.extended_to(kill_at)) {
            return self.kill_main(climb.asked);
        }
        if self.next_step_at(climb).is_some_and(|next| now >= next) {
            return self.climb(now, climb, explain);
        }
        (State::Asking(climb), self.arm(climb).then(explain))
    }

    /// Arms the first of the deadlines that are left, if any is. It comes before an explanation, which says how long
    /// there is until then.
    pub(super) fn arm(&self, climb: Climb) -> Actions {
        let explain_at = if climb.explained { None } else { Some(self.explain_at(climb)) };
        let kill_at = self.kill_at(climb).map(|kill_at| self.extended_to(kill_at));
        let deadlines = [explain_at, self.next_step_at(climb), kill_at];
        Actions::NONE.then(deadlines.into_iter().flatten().min().map(Action::Arm))
    }

    /// Halfway to the kill, counted from the first signal, whatever time main asks for: who waits wonders all the same.
    /// The longest time may be far away still, and says nothing of how long a stop may take.
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
        Some(self.extended_to(climb.since.after(then)))
    }

    /// The time that was set, or the later one that main has asked for.
    fn extended_to(&self, time: Time) -> Time {
        self.extended.map_or(time, |until| until.max(time))
    }

    /// Main wants to have until then. What is later already stays.
    pub(super) fn remember_extension(&mut self, until: Time) {
        match self.state {
            State::Running => self.limit = self.limit.map(|limit| limit.max(until)),
            State::PreStopping(_) | State::Delaying(_) | State::Asking(_) => {
                self.extended = Some(self.extended_to(until));
            }
            _ => {}
        }
    }

    /// Its longest time ends later from now on.
    pub(super) fn extend_limit(&self, until: Time) -> Actions {
        let limit = self.limit.filter(|limit| *limit == until);
        Actions::NONE.then(limit.map(Action::Arm))
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
        // Nobody outside knows of a wish that came from inside, nor of a failure that was seen there.
        let is_from_inside = self.wish.is_some() || self.failure.is_some();
        let by_wish = is_from_inside.then(|| asked.after(ladder.own_grace()));
        [by_grace, by_limit, by_wish].into_iter().flatten().min()
    }

    /// Unexplained, even where that is due: a helper would find a process that is being ended.
    pub(super) fn kill_main(&self, asked: Time) -> (State, Actions) {
        let mode = self.policy.ladder.kill_mode;
        let actions = [Action::Climb(Rung::Kill), Action::Tell(MAIN, mode, Signal::KILL), Action::ArmAfterKill];
        (State::KillingMain { asked, all: mode == KillMode::Tree }, actions.into())
    }

    /// Kills main and all else, because somebody wants that.
    pub(super) fn kill_all(&self, asked: Time) -> (State, Actions) {
        let kill = Action::Tell(MAIN, KillMode::Tree, Signal::KILL);
        let actions = [Action::Climb(Rung::Kill), kill, Action::ArmAfterKill];
        (State::KillingMain { asked, all: true }, actions.into())
    }

    /// Sends the signal of a stop, and continues what could not act on it.
    pub(super) fn tell(&self, signal: Signal) -> Actions {
        let mode = self.policy.ladder.kill_mode;
        let told = Actions::from([Action::Tell(MAIN, mode, signal)]);
        // Main's stops are reported to us, those of others are not.
        if mode == KillMode::Tree || self.main_is_stopped {
            told.and(Action::Tell(MAIN, mode, Signal::CONT))
        } else {
            told
        }
    }

    /// What main is sent first, if the request stands for `asked`.
    pub(super) fn first_signal(&self, asked: Signal) -> Signal {
        self.policy.ladder.signals.get(0).map_or(asked, |first| first.signal)
    }

    /// What is due when main has ended by itself.
    pub(super) fn main_ended(&self, status: Status) -> Actions {
        self.explain_kill(status).then(self.part())
    }

    /// What main's group gets when main has ended.
    pub(super) fn part(&self) -> Actions {
        Actions::NONE.then(self.policy.parting.map(|signal| Action::TellGroup(MAIN, signal)))
    }

    /// Who kills so beside us is the kernel, when memory is short.
    fn explain_kill(&self, status: Status) -> Actions {
        match status {
            KILLED if !self.kill_is_passed_on => [Action::Explain(Slow::MainKilled)].into(),
            Status::Signaled(_) | Status::Exited(_) => Actions::NONE,
        }
    }
}
