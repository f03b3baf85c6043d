//! What somebody outside knows of a run, and how old it is.

use super::options::S;
use crate::core::request::Wish;
use crate::core::{Child, Failure, Sender, Signal, StartError, Status};

/// The time at which every situation is looked at: what matters is how long ago things were.
pub(super) const NOW: u64 = 1000 * S;

/// What kind of sender a key came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Kernel,
    Outside,
    Ourselves,
    Process,
    Client,
}

impl From<Sender> for Kind {
    fn from(sender: Sender) -> Kind {
        match sender {
            Sender::Kernel => Kind::Kernel,
            Sender::Outside => Kind::Outside,
            Sender::Ourselves => Kind::Ourselves,
            Sender::Process { .. } => Kind::Process,
            Sender::Client { .. } => Kind::Client,
        }
    }
}

/// What is known of what main left behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Rest {
    /// Not even whether there is any.
    Unknown,
    /// It may end when it likes.
    May,
    /// It was told to, and is killed at this time.
    Told(u64),
    Killed,
}

/// What our end is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Finish {
    /// Main ended so, or is given up.
    Main(Status),
    /// A hook before it did.
    Hook(Status),
    /// A hook before it took too long.
    Late,
    /// There was no such program.
    Missing(Child, StartError),
}

impl Finish {
    pub(super) fn of_main(self) -> Option<Status> {
        match self {
            Finish::Main(status) => Some(status),
            _ => None,
        }
    }
}

/// A hook before main that runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Before {
    pub(super) child: Child,
    pub(super) kill_at: Option<u64>,
    /// It is killed, and if it dies of that this is how we end.
    pub(super) killed: Option<Finish>,
}

/// The hook before a stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum StopHook {
    /// It does not run: not yet, or no more.
    No,
    /// Main is not told before it has ended.
    Awaited,
    /// Nobody waits for it any more.
    Loose,
}

/// How far a ladder is climbed, and when each of its rungs is due.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Timetable {
    /// When main got the first signal.
    pub(super) told: u64,
    pub(super) rung: usize,
    pub(super) signal: Signal,
    pub(super) due: [Option<u64>; 4],
    pub(super) explained: bool,
}

/// What an outsider knows: no state names, only what was told and what was ordered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Seen {
    pub(super) now: u64,
    pub(super) begun: bool,
    /// What the last event ordered to be started, which may fail.
    pub(super) spawned: Option<Child>,
    pub(super) before: Option<Before>,
    /// A hook that not even SIGKILL ends.
    pub(super) stuck: Option<Child>,
    pub(super) main_started: bool,
    pub(super) stop_hook: StopHook,
    pub(super) exited: bool,
    /// The deadline that the driver waits for.
    pub(super) armed: Option<u64>,
    /// When main has run for the longest time that it may.
    pub(super) limit: Option<u64>,
    /// Until when main has asked for time in a stop.
    pub(super) extended: Option<u64>,
    /// The first request, and what it stands for.
    pub(super) asked: Option<(u64, Signal)>,
    pub(super) climbed: Option<Timetable>,
    pub(super) main_killed: bool,
    /// Main was sent SIGKILL on somebody's word.
    pub(super) kill_passed_on: bool,
    pub(super) status: Option<Finish>,
    pub(super) given_up: bool,
    pub(super) rest: Rest,
    pub(super) interrupt: Option<(u64, Kind)>,
    pub(super) main_stopped: bool,
    /// What somebody inside has asked for.
    pub(super) wish: Option<Wish>,
    /// Main is stopped because it has failed so.
    pub(super) failure: Option<Failure>,
    /// What main, or a hook before it, was told last.
    pub(super) told: Option<Signal>,
    /// All was killed with main.
    pub(super) all_killed: bool,
}

impl Seen {
    pub(super) const START: Seen = Seen {
        now: NOW,
        begun: false,
        spawned: None,
        before: None,
        stuck: None,
        main_started: false,
        stop_hook: StopHook::No,
        exited: false,
        armed: None,
        limit: None,
        extended: None,
        asked: None,
        climbed: None,
        main_killed: false,
        kill_passed_on: false,
        status: None,
        given_up: false,
        rest: Rest::Unknown,
        interrupt: None,
        main_stopped: false,
        wish: None,
        failure: None,
        told: None,
        all_killed: false,
    };

    /// Whether main has not been reaped.
    pub(super) fn has_main(&self) -> bool {
        self.main_started && (self.status.is_none() || self.given_up)
    }

    /// The hooks that have not been reaped.
    pub(super) fn hooks(&self, stop_hook: Child) -> impl Iterator<Item = Child> + use<> {
        let before = self.before.map(|before| before.child);
        let stop = (self.stop_hook != StopHook::No).then_some(stop_hook);
        before.into_iter().chain(self.stuck).chain(stop)
    }

    /// Whether what was just reaped is not reported in full.
    pub(super) fn is_reaping(&self) -> bool {
        self.status.is_some() && self.rest == Rest::Unknown
    }

    /// Whether there is nothing to wait for but times.
    pub(super) fn only_waits_for_time(&self) -> bool {
        let kills_hook = self.before.is_some_and(|before| before.killed.is_some());
        kills_hook || self.main_killed || matches!(self.rest, Rest::Told(_) | Rest::Killed)
    }

    /// The same, later.
    pub(super) fn later(self, nap: u64) -> Seen {
        Seen { now: self.now + nap, ..self }
    }

    /// The same as if it were [`NOW`]: so there are finitely many.
    pub(super) fn rebase(self, oldest: u64) -> Seen {
        let moved = |time: u64| rebased(time, self.now, oldest);
        let climbed = self.climbed.map(|climbed| {
            let since = climbed.due[climbed.rung].unwrap_or(self.now);
            let due = climbed.due.map(|due| due.map(|due| moved(since) + due - since));
            Timetable { told: moved(climbed.told), due, ..climbed }
        });
        let rest = match self.rest {
            Rest::Told(kill_at) => Rest::Told(moved(kill_at).max(NOW)),
            other => other,
        };
        let known = self.rest == Rest::Unknown;
        Seen {
            now: NOW,
            armed: self.armed.map(|armed| moved(armed).max(NOW)),
            // What is over makes no difference any more.
            limit: self.limit.filter(|_| matches!(self.rest, Rest::Unknown | Rest::May)).map(moved),
            extended: self.extended.filter(|_| self.status.is_none() && !self.main_killed).map(moved),
            before: self.before.map(|before| Before { kill_at: before.kill_at.map(moved), ..before }),
            asked: self.asked.filter(|_| known).map(|(asked, signal)| (moved(asked), signal)),
            climbed: climbed.filter(|_| self.status.is_none() && !self.main_killed),
            main_stopped: self.main_stopped && self.status.is_none() && !self.main_killed,
            rest,
            interrupt: self.interrupt.filter(|(last, _)| self.now - last <= 2 * S).map(|(last, by)| (moved(last), by)),
            ..self
        }
    }
}

/// The time as it is when `now` is [`NOW`], and what is older than `oldest` only as old as that.
pub(super) fn rebased(time: u64, now: u64, oldest: u64) -> u64 {
    (NOW + time).saturating_sub(now).max(NOW - oldest)
}
