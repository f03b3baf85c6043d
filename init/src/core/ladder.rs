//! The ladder of a stop: what main is sent and when, whom that reaches, and how long each rung may take.

use core::time::Duration;

use super::machine::Time;
use super::signal::Signal;

/// Whom the signals of a stop reach, also the last one, SIGKILL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KillMode {
    /// Main alone.
    Main,
    /// Its process group.
    Group,
    /// Everything in our scope.
    Tree,
}

/// What becomes of what main leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leftovers {
    /// It is told to end and waited for, and killed when its time is over.
    Stop,
    /// It is waited for, as long as it likes. A stop tells it to end.
    Wait,
    /// It is left: to the kernel, which kills it with a PID 1, or to whoever takes orphans.
    Leave,
}

/// One signal of the ladder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StopSignal {
    /// What main is sent.
    pub signal: Signal,
    /// How long until the next one; the last has none.
    pub then: Option<Duration>,
}

/// What main is sent, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StopSignals {
    signals: [Option<StopSignal>; StopSignals::MOST],
}

impl StopSignals {
    /// The longest ladder.
    pub const MOST: usize = 8;
    /// The signal that the request stands for, and nothing after it.
    pub const AS_ASKED: StopSignals = StopSignals { signals: [None; StopSignals::MOST] };

    /// One more at the end; `None` where the ladder is full.
    pub fn push(&mut self, step: StopSignal) -> Option<()> {
        *self.signals.iter_mut().find(|place| place.is_none())? = Some(step);
        Some(())
    }

    /// The one of that number, counted from 0.
    pub fn get(&self, number: u8) -> Option<StopSignal> {
        self.signals.get(usize::from(number)).copied().flatten()
    }

    /// Those from that number on.
    pub fn from(&self, number: u8) -> impl Iterator<Item = StopSignal> + '_ {
        self.signals.iter().skip(usize::from(number)).flatten().copied()
    }

    /// How long it is from the one of that number to SIGKILL, if the ladder ends in that.
    pub fn until_kill(&self, number: u8) -> Option<Duration> {
        let mut after = Duration::ZERO;
        for step in self.from(number) {
            if step.signal == Signal::KILL {
                return Some(after);
            }
            after = after.saturating_add(step.then?);
        }
        None
    }

    /// How long it is from the first to the last.
    pub fn length(&self) -> Duration {
        self.from(0).filter_map(|step| step.then).fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// How a stop goes, from the request to the end.
#[derive(Clone, Copy, Debug)]
pub struct Ladder {
    /// How long the hook before a stop may take, if there is one.
    pub pre_stop: Option<Duration>,
    /// What passes between the request, or the end of that hook, and the first signal.
    pub delay: Duration,
    /// What main is sent.
    pub signals: StopSignals,
    /// Whom that reaches.
    pub kill_mode: KillMode,
    /// When main is killed, counted from the request. `None`: who asked for the stop holds the clock.
    pub grace: Option<Duration>,
    /// What becomes of what main leaves behind.
    pub leftovers: Leftovers,
    /// How long that may take. `None`: [`Ladder::LEFTOVER_GRACE`], with its limits.
    pub leftover_grace: Option<Duration>,
    /// How long main may run before we ask for a stop ourselves.
    pub max_time: Option<Duration>,
}

impl Ladder {
    /// How long what main left behind may take.
    pub const LEFTOVER_GRACE: Duration = Duration::from_secs(5);
    /// docker kills 10 s after its request; what is left must have ended by then. With a `--grace` that is longer,
    /// somebody has said that there is more time.
    pub const LEFTOVER_LIMIT: Duration = Duration::from_secs(9);
    /// Even when main took all the time there was.
    pub const LEFTOVER_LEAST: Duration = Duration::from_secs(1);
    /// A process that has not ended by then sits in a system call that cannot be interrupted.
    pub const KILL_GRACE: Duration = Duration::from_secs(1);
    /// Nobody outside will end a stop that we asked for ourselves: main has this long after its last signal.
    pub const OWN_GRACE: Duration = Duration::from_secs(10);
    /// Where nobody here kills main, people begin to wonder after this long.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// The ladder before any option.
    pub const DEFAULT: Ladder = Ladder {
        pre_stop: None,
        delay: Duration::ZERO,
        signals: StopSignals::AS_ASKED,
        kill_mode: KillMode::Main,
        grace: None,
        leftovers: Leftovers::Stop,
        leftover_grace: None,
        max_time: None,
    };

    /// How long main has when we ourselves asked for the stop.
    pub fn own_grace(&self) -> Duration {
        let hook = self.pre_stop.unwrap_or(Duration::ZERO);
        let told = hook.saturating_add(self.delay).saturating_add(self.signals.length());
        self.grace.unwrap_or(told.saturating_add(Ladder::OWN_GRACE))
    }

    /// How long leftovers have until they are killed, told `since` the request (if there was one).
    pub fn leftover_time(&self, since: Option<Duration>) -> Duration {
        if let Some(time) = self.leftover_grace {
            return time;
        }
        let limit = Ladder::LEFTOVER_LIMIT.max(self.grace.unwrap_or(Duration::ZERO));
        // Through `Time`, because the compiler cannot see that `Duration::saturating_sub` never panics.
        let rest = since.map_or(Ladder::LEFTOVER_GRACE, |since| Time::from_start(limit).since(Time::from_start(since)));
        Ladder::LEFTOVER_GRACE.min(rest).max(Ladder::LEFTOVER_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Ladder, StopSignal, StopSignals};
    use crate::core::Signal;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn signals(all: &[(Signal, Option<u64>)]) -> StopSignals {
        let mut list = StopSignals::AS_ASKED;
        for (signal, then) in all {
            assert!(list.push(StopSignal { signal: *signal, then: then.map(seconds) }).is_some());
        }
        list
    }

    #[test]
    fn the_time_until_the_kill_is_what_lies_between() {
        let ladder = signals(&[(Signal::TERM, Some(10)), (Signal::INT, Some(5)), (Signal::KILL, None)]);
        assert_eq!(ladder.until_kill(0), Some(seconds(15)));
        assert_eq!(ladder.until_kill(1), Some(seconds(5)));
        assert_eq!(ladder.until_kill(2), Some(Duration::ZERO));
        assert_eq!(ladder.until_kill(3), None);
        assert_eq!(signals(&[(Signal::TERM, Some(10)), (Signal::INT, None)]).until_kill(0), None);
        assert_eq!(ladder.length(), seconds(15));
    }

    #[test]
    fn a_ladder_has_an_end() {
        let mut full = StopSignals::AS_ASKED;
        let step = StopSignal { signal: Signal::TERM, then: None };
        (0..StopSignals::MOST).for_each(|_| assert!(full.push(step).is_some()));
        assert!(full.push(step).is_none());
        assert_eq!(full.from(0).count(), StopSignals::MOST);
    }

    #[test]
    fn leftovers_have_five_seconds_but_end_before_docker_kills() {
        let time = |since| Ladder::DEFAULT.leftover_time(since);
        assert_eq!(time(None), seconds(5));
        assert_eq!(time(Some(seconds(0))), seconds(5));
        assert_eq!(time(Some(seconds(6))), seconds(3));
        assert_eq!(time(Some(seconds(100))), seconds(1));
    }

    #[test]
    fn a_longer_grace_gives_leftovers_more_time_and_their_own_is_taken_as_it_is() {
        let longer = Ladder { grace: Some(seconds(30)), ..Ladder::DEFAULT };
        assert_eq!(longer.leftover_time(Some(seconds(20))), seconds(5));
        assert_eq!(longer.leftover_time(Some(seconds(28))), seconds(2));
        let shorter = Ladder { grace: Some(seconds(2)), ..Ladder::DEFAULT };
        assert_eq!(shorter.leftover_time(Some(seconds(2))), seconds(5));
        let own = Ladder { leftover_grace: Some(seconds(60)), ..Ladder::DEFAULT };
        assert_eq!(own.leftover_time(Some(seconds(100))), seconds(60));
    }

    #[test]
    fn a_stop_of_our_own_kills_ten_seconds_after_the_last_signal() {
        assert_eq!(Ladder::DEFAULT.own_grace(), seconds(10));
        let signals = signals(&[(Signal::TERM, Some(20)), (Signal::INT, None)]);
        let slow = Ladder { delay: seconds(3), signals, ..Ladder::DEFAULT };
        assert_eq!(slow.own_grace(), seconds(33));
        assert_eq!(Ladder { pre_stop: Some(seconds(2)), ..slow }.own_grace(), seconds(35));
        assert_eq!(Ladder { grace: Some(seconds(4)), ..slow }.own_grace(), seconds(4));
    }
}
