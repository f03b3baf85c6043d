//! When to reap: at once, or in a storm of exits in rounds that are 2 ms apart.
//!
//! Waking up costs more than reaping: woken for each orphan, an init spends 16 to 20 us of CPU on it; in rounds, 4.
//! A lone exit is never held up, and neither is the second of two that come close together (main often ends right
//! after a child that it left behind): only what follows two quick rounds is.

use core::time::Duration;

use super::machine::Time;

/// The rounds of reaping so far, as far as they matter to the next one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    last: Option<Time>,
    quick: u8,
}

impl Pace {
    /// The time between two rounds in a storm.
    pub const GAP: Duration = Duration::from_millis(2);
    /// This many quick rounds in a row make a storm.
    const STORM: u8 = 2;

    /// A child has ended: the time before which it should not be reaped, if it is not to be reaped at once.
    pub fn hold_until(&mut self, now: Time) -> Option<Time> {
        let next = self.last?.after(Pace::GAP);
        if now >= next {
            self.quick = 0;
            return None;
        }
        self.quick = self.quick.saturating_add(1);
        (self.quick > Pace::STORM).then_some(next)
    }

    /// A round of reaping has ended.
    pub fn reaped(&mut self, now: Time) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::Pace;
    use crate::core::Time;

    fn at(micros: u64) -> Time {
        Time::from_start(Duration::from_micros(micros))
    }

    #[test]
    fn lone_exits_are_reaped_at_once() {
        let mut pace = Pace::default();
        for round in 0..10 {
            assert_eq!(pace.hold_until(at(round * 3000)), None);
            pace.reaped(at(round * 3000));
        }
    }

    #[test]
    fn a_storm_is_reaped_every_two_milliseconds() {
        let mut pace = Pace::default();
        pace.reaped(at(0));
        assert_eq!(pace.hold_until(at(100)), None);
        pace.reaped(at(100));
        assert_eq!(pace.hold_until(at(200)), None);
        pace.reaped(at(200));
        assert_eq!(pace.hold_until(at(300)), Some(at(2200)));
        pace.reaped(at(2200));
        assert_eq!(pace.hold_until(at(2201)), Some(at(4200)));
    }

    #[test]
    fn a_storm_ends_with_the_first_quiet_gap() {
        let mut pace = Pace::default();
        for time in [0, 100, 200, 300] {
            pace.hold_until(at(time));
            pace.reaped(at(time));
        }
        assert_eq!(pace.hold_until(at(2300)), None);
        pace.reaped(at(2300));
        assert_eq!(pace.hold_until(at(2400)), None);
    }
}
