//! How often a line is said that others can cause at will.
//!
//! 1. The first line of a kind is said at once; then there is one in 10 s, and it tells how many were left out before it.
//! 2. What comes by one way keeps nothing silent that comes by another.

use core::fmt;
use core::time::Duration;

use super::Way;
use crate::core::Time;

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// What is no request.
    Garbage,
    /// A request by somebody who may not.
    Refusal,
    /// A request that asks for nothing we can do.
    Idle,
    /// A request during a stop.
    UnderWay,
    /// A warning of an end.
    Warning,
    /// A way that cannot be offered again.
    Unavailable,
}

const SUBJECTS: usize = 6;
const WAYS: usize = 5;

/// What was said when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limiter {
    lines: [[Lines; WAYS]; SUBJECTS],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Lines {
    last: Option<Time>,
    left_out: u32,
}

/// How many lines were left out before the one that is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftOut(u32);

impl LeftOut {
    /// None, because all such lines are said.
    pub const NONE: LeftOut = LeftOut(0);
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more of its kind since the last such line)"),
        }
    }
}

impl Limiter {
    /// How long one line stands for what follows.
    pub const QUIET: Duration = Duration::from_secs(10);

    /// There is something to say; `None`: it is not said.
    pub fn admit(&mut self, subject: Subject, way: Way, now: Time) -> Option<LeftOut> {
        let way = match way {
            Way::Signal(_) => 0,
            Way::Initctl => 1,
            Way::Control => 2,
            Way::Bus => 3,
            Way::Schedule => 4,
        };
        let lines = self.lines.get_mut(subject as usize)?.get_mut(way)?;
        if lines.last.is_some_and(|last| now.since(last) < Limiter::QUIET) {
            lines.left_out = lines.left_out.saturating_add(1);
            return None;
        }
        let left_out = LeftOut(lines.left_out);
        *lines = Lines { last: Some(now), left_out: 0 };
        Some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{Duration, Limiter, SUBJECTS, Subject, Time, WAYS, Way};

    #[test]
    fn one_line_stands_for_those_that_follow_and_the_next_one_counts_them() {
        let mut limiter = Limiter::default();
        let mut say = |milliseconds| {
            let now = Time::from_start(Duration::from_millis(milliseconds));
            limiter.admit(Subject::Garbage, Way::Control, now).map(|left_out| left_out.to_string())
        };
        assert_eq!(say(5).as_deref(), Some(""));
        assert!((0..4999).all(|after| say(5 + after * 2).is_none()));
        assert_eq!(say(10_005).as_deref(), Some(" (4999 more of its kind since the last such line)"));
        assert_eq!(
            (say(20_004), say(30_005).as_deref()),
            (None, Some(" (1 more of its kind since the last such line)"))
        );
        assert_eq!(say(40_005).as_deref(), Some(""));
    }

    #[test]
    fn no_way_and_no_kind_of_line_keeps_another_silent() {
        let mut limiter = Limiter::default();
        let now = Time::from_start(Duration::ZERO);
        let subjects = [
            Subject::Garbage,
            Subject::Refusal,
            Subject::Idle,
            Subject::UnderWay,
            Subject::Warning,
            Subject::Unavailable,
        ];
        assert_eq!(subjects.len(), SUBJECTS);
        let ways = [Way::Signal(15), Way::Initctl, Way::Control, Way::Bus, Way::Schedule];
        assert_eq!(ways.len(), WAYS);
        for wanted in [true, false] {
            for subject in subjects {
                assert!(ways.iter().all(|way| limiter.admit(subject, *way, now).is_some() == wanted), "{subject:?}");
            }
        }
    }
}
