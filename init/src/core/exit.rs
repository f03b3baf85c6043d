//! How a process ended, and what that makes of our own end.

use super::machine::{Child, StartError};
use super::signal::Signal;

/// How a process ended (wait(2)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// It called `_exit` with this code.
    Exited(u8),
    /// This signal ended it.
    Signaled(Signal),
}

impl Status {
    /// The code that a shell gives it: its own, or 128 + the signal's number.
    pub const fn shell_code(self) -> u8 {
        match self {
            Status::Exited(code) => code,
            Status::Signaled(signal) => 128 + signal.number(),
        }
    }

    /// The key that has ended it, where a terminal may have sent that. Who catches Ctrl-C, and then ends by it, says 130.
    pub(crate) const fn key(self) -> Option<Signal> {
        match self {
            Status::Signaled(signal @ (Signal::INT | Signal::QUIT)) => Some(signal),
            Status::Exited(130) => Some(Signal::INT),
            Status::Signaled(_) | Status::Exited(_) => None,
        }
    }
}

/// What our own end is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::core) enum Verdict {
    /// Main ended so.
    Main(Status),
    /// This could not be started, and main was not.
    NotStarted(Child, StartError),
    /// A hook ended so, and main was not started.
    Hook(Status),
    /// A hook took too long, and main was not started.
    TimedOut,
}

impl Verdict {
    /// The code for what took too long, as timeout(1) has it.
    pub(in crate::core) const TIMED_OUT: u8 = 124;

    /// The same of a hook that was killed, now that it has ended.
    pub(in crate::core) fn of_killed(self, status: Status) -> Verdict {
        match self {
            Verdict::Hook(_) => Verdict::Hook(status),
            other => other,
        }
    }

    /// How main ended, if it ran.
    pub(in crate::core) fn of_main(self) -> Option<Status> {
        match self {
            Verdict::Main(status) => Some(status),
            Verdict::NotStarted(..) | Verdict::Hook(_) | Verdict::TimedOut => None,
        }
    }
}

/// How we end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// With this code.
    Code(u8),
    /// Of this signal, so that our caller sees what main's caller would have seen.
    Signal(Signal),
    /// Main, or a hook before it, could not be started.
    NotStarted(Child, StartError),
    /// Not at all: a reboot was asked for, and everything begins again.
    Again,
    /// By reboot(2), so that whoever runs the container starts it again.
    Reboot,
}

/// `--exit-map`: codes and signals that become another code.
#[derive(Clone, Debug)]
pub struct ExitMap {
    codes: [Option<u8>; 256],
    signals: [Option<u8>; 65],
}

impl ExitMap {
    /// Maps nothing.
    pub const NONE: ExitMap = ExitMap { codes: [None; 256], signals: [None; 65] };

    /// Whoever ends with `code`, by itself or as 128 + a signal, is taken to have ended with `to`.
    pub fn map_code(&mut self, code: u8, to: u8) {
        if let Some(entry) = self.codes.get_mut(usize::from(code)) {
            *entry = Some(to);
        }
    }

    /// Whoever dies of `signal` is taken to have ended with `to`, whatever is said of 128 + its number.
    pub fn map_signal(&mut self, signal: Signal, to: u8) {
        if let Some(entry) = self.signals.get_mut(usize::from(signal.number())) {
            *entry = Some(to);
        }
    }

    /// What the map says of `status`, if anything.
    pub fn get(&self, status: Status) -> Option<u8> {
        let by_signal = match status {
            Status::Signaled(signal) => self.signals.get(usize::from(signal.number())).copied().flatten(),
            Status::Exited(_) => None,
        };
        by_signal.or_else(|| self.codes.get(usize::from(status.shell_code())).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::{ExitMap, Status};
    use crate::core::Signal;

    #[test]
    fn a_code_in_the_map_also_means_the_signal_that_a_shell_shows_so() {
        let mut map = ExitMap::NONE;
        map.map_code(143, 0);
        assert_eq!(map.get(Status::Exited(143)), Some(0));
        assert_eq!(map.get(Status::Signaled(Signal::TERM)), Some(0));
        assert_eq!(map.get(Status::Signaled(Signal::INT)), None);
    }

    #[test]
    fn a_signal_in_the_map_means_that_signal_only_and_wins() {
        let mut map = ExitMap::NONE;
        map.map_code(143, 1);
        map.map_signal(Signal::TERM, 0);
        assert_eq!(map.get(Status::Signaled(Signal::TERM)), Some(0));
        assert_eq!(map.get(Status::Exited(143)), Some(1));
    }

    #[test]
    fn every_signal_and_every_code_has_its_place_in_the_map() {
        for signal in Signal::all() {
            let mut map = ExitMap::NONE;
            map.map_signal(signal, 7);
            for other in Signal::all() {
                assert_eq!(map.get(Status::Signaled(other)), (other == signal).then_some(7));
            }
        }
        for code in 0..=255 {
            let mut map = ExitMap::NONE;
            map.map_code(code, 7);
            assert_eq!(map.get(Status::Exited(code)), Some(7));
            assert_eq!(map.get(Status::Exited(code.wrapping_add(1))), None);
        }
    }

    #[test]
    fn the_highest_signal_still_has_a_code() {
        let highest = Signal::new(64).map(|signal| Status::Signaled(signal).shell_code());
        assert_eq!(highest, Some(192));
    }
}
