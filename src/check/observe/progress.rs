//! One line on the terminal while a run goes on: what it waits for. It is written over, and gone at the end.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::os::fd::AsFd as _;
use std::time::Duration;

use log::{Level, log_enabled};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getpgrp, tcgetpgrp};
use supervise_init::core::Time;

use super::course::State;
use crate::check::judge::as_what;
use crate::check::scenario::Scenario;

/// Seconds are told.
const STEP: Duration = Duration::from_secs(1);

/// The line.
pub(super) struct Progress {
    /// How it begins: the mode and the signal.
    run: String,
    /// What was told last, and since when that is so.
    state: Option<State>,
    since: Time,
    next: Time,
    /// How much of the line is to be taken away.
    width: usize,
}

impl Progress {
    /// `None`: nobody looks at stderr, or the log is there.
    pub(super) fn begin(scenario: &Scenario, now: Time) -> Option<Progress> {
        if !stderr().is_terminal() || log_enabled!(Level::Debug) {
            return None;
        }
        let run = format!("{}, {}: waits", as_what(scenario.mode), scenario.signal);
        Some(Progress { run, state: None, since: now, next: now, width: 0 })
    }

    /// When there is something new to tell.
    pub(super) fn next(&self) -> Time {
        self.next
    }

    pub(super) fn show(&mut self, state: State, now: Time) {
        if self.state != Some(state) {
            (self.state, self.since, self.next) = (Some(state), now, now);
        }
        let what = match state {
            State::Waiting => "until it is ready",
            State::Settling => "until it is at rest",
            State::Halting => "until it is stopped",
            State::Told => "for its end",
            State::Left => "for what it has left",
            State::Killing => "for the end of what was killed",
            State::Over => return,
        };
        if now < self.next {
            return;
        }
        let for_long = now.since(self.since).as_secs();
        self.next = self.since.after(Duration::from_secs(for_long) + STEP);
        let line = format!("{} {what}, {for_long} s", self.run);
        let before = std::mem::replace(&mut self.width, line.len());
        if !write(&format!("\r{line:<before$}")) {
            self.width = before;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.width > 0 {
            write(&format!("\r{:1$}\r", "", self.width));
        }
    }
}

/// A terminal that is stopped (Ctrl-S), or that somebody else has in front, is not waited for: the run goes on.
fn write(text: &str) -> bool {
    let mut stderr = stderr();
    let is_in_front = tcgetpgrp(&stderr).is_ok_and(|group| group == getpgrp());
    let mut polled = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    let takes = poll(&mut polled, PollTimeout::ZERO).is_ok_and(|count| count > 0);
    is_in_front && takes && stderr.write_all(text.as_bytes()).is_ok()
}
