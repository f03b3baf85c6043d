//! What main may ask for while it runs: time.

use core::time::Duration;
use std::vec::Vec;

use super::Observer;
use crate::core::Action;
use crate::core::single_tests::options::at;

impl Observer<'_> {
    /// 17. Main's own time ends later, and never sooner: the longest that it may run; and in a stop, its next signal and
    ///     its kill.
    pub(super) fn extended(&mut self, time: Duration) -> Vec<Action> {
        let until = self.seen.now + u64::try_from(time.as_millis()).expect("it is short");
        let runs = self.seen.main_started && self.seen.status.is_none() && self.seen.before.is_none();
        if !runs || self.seen.main_killed {
            return Vec::new();
        }
        if self.seen.asked.is_some() {
            self.seen.extended = Some(self.at_least(until));
            let due = self.seen.climbed.and_then(|_| self.due());
            return due.map(|due| Action::Arm(at(due))).into_iter().collect();
        }
        match self.seen.limit {
            Some(limit) if limit <= until => {
                self.seen.limit = Some(until);
                std::vec![Action::Arm(at(until))]
            }
            _ => Vec::new(),
        }
    }

    /// The time, or the later one that main has asked for.
    pub(super) fn at_least(&self, time: u64) -> u64 {
        self.seen.extended.map_or(time, |until| until.max(time))
    }
}
