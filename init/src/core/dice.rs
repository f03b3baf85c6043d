//! What the tests against simpler models have in common: moments, and chance.

use core::time::Duration;

use super::Time;

/// The moment so many milliseconds after the clock's start.
pub(super) fn at(milliseconds: u64) -> Time {
    Time::from_start(ms(milliseconds))
}

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Numbers that look as if nobody had chosen them, the same in every run (xorshift64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.roll(all.len() as u64)).expect("it is small")]
    }
}
