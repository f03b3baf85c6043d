//! What is to run before the command is started, and before it is told to stop.

use std::ffi::CStr;
use std::time::Duration;

use supervise_init::core::Ladder;

use super::stop;
use super::wrong::{Given, Wrong};

/// Something that comes before the command, and without whose success that is not started.
pub(crate) enum Before {
    /// A line for the shell.
    Hook(&'static CStr),
    /// Something of our own, done in a process of its own whose exit code it returns. It has its own limit, and says
    /// itself why it fails.
    Call {
        /// How messages name it.
        title: String,
        /// What is done.
        work: Box<dyn Fn() -> u8>,
    },
}

/// The hooks, as the options give them.
#[derive(Default)]
pub(crate) struct Hooks {
    /// One after the other.
    pub(crate) before: Vec<Before>,
    /// How long each of them may take.
    pub(crate) before_limit: Option<Duration>,
    pub(crate) stop: Option<&'static CStr>,
    /// `None`: what is usual.
    pub(crate) stop_limit: Option<Duration>,
}

impl Hooks {
    /// The driver's table has a number for each program.
    const MOST: usize = 100;
    /// How long the hook before a stop may take.
    const STOP_LIMIT: Duration = Duration::from_secs(5);

    /// Gives the hook its place in the ladder of a stop, and says how much of the grace was given to it by an option.
    pub(super) fn settle(&self, ladder: &mut Ladder) -> Result<Duration, Wrong> {
        if self.before.len() > Hooks::MOST {
            return Err(Wrong::TooManyHooks(Hooks::MOST));
        }
        ladder.pre_stop = self.stop.map(|_| self.stop_limit.unwrap_or_else(|| usual_limit(ladder)));
        Ok(self.stop.and(self.stop_limit).unwrap_or(Duration::ZERO))
    }
}

/// At most half of what is left for it and the command together.
fn usual_limit(ladder: &Ladder) -> Duration {
    match ladder.grace {
        Some(grace) => Hooks::STOP_LIMIT.min(grace.saturating_sub(ladder.delay) / 2),
        None => Hooks::STOP_LIMIT,
    }
}

/// A line for the shell; with nothing in it, it is most likely a variable that was not set.
pub(super) fn command(given: Given, line: &'static CStr) -> Result<&'static CStr, Wrong> {
    if line.to_bytes().trim_ascii().is_empty() { Err(Wrong::NothingToRun(given)) } else { Ok(line) }
}

/// As for timeout(1), nothing is no limit.
pub(super) fn limit(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| !time.is_zero())
}

/// There must be one: who asked for the stop waits.
pub(super) fn stop_limit(given: Given, word: &'static str) -> Result<Duration, Wrong> {
    limit(stop::time(given, word)?).ok_or(Wrong::NoTimeAtAll(given, word))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use supervise_init::core::Ladder;

    use super::Hooks;

    fn settled(grace: Option<u64>, delay: u64, limit: Option<u64>) -> Option<Duration> {
        let seconds = Duration::from_secs;
        let mut ladder = Ladder { grace: grace.map(seconds), delay: seconds(delay), ..Ladder::DEFAULT };
        let hooks = Hooks { stop: Some(c"true"), stop_limit: limit.map(seconds), ..Hooks::default() };
        let taken = hooks.settle(&mut ladder).expect("they are few");
        assert_eq!(taken, limit.map_or(Duration::ZERO, seconds));
        ladder.pre_stop
    }

    #[test]
    fn the_hook_before_a_stop_leaves_the_command_half_of_the_time() {
        let limit = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(settled(None, 0, None), limit(5000));
        assert_eq!(settled(Some(30), 0, None), limit(5000));
        assert_eq!(settled(Some(8), 0, None), limit(4000));
        assert_eq!(settled(Some(8), 5, None), limit(1500));
        assert_eq!(settled(Some(8), 5, Some(2)), limit(2000));
        assert_eq!(settled(None, 0, Some(60)), limit(60_000));
    }

    #[test]
    fn without_a_hook_its_limit_says_nothing() {
        let mut ladder = Ladder::DEFAULT;
        let hooks = Hooks { stop_limit: Some(Duration::from_secs(3)), ..Hooks::default() };
        assert_eq!(hooks.settle(&mut ladder).ok(), Some(Duration::ZERO));
        assert_eq!(ladder.pre_stop, None);
    }
}
