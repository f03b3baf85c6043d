//! What the command says while it runs: on its outputs, and by sd_notify(3).

use std::time::Duration;

use supervise_init::core::Time;

use super::super::Interrupted;
use super::super::output::{Sees, Side};
use super::{STDOUT, State, Watch};
use crate::check::record::{Event, What};
use crate::check::safe;
use crate::check::scenario::{Extension, Target};

impl Watch<'_> {
    pub(super) fn hear(&mut self, token: u64, time: Time) -> Result<(), Interrupted> {
        let which = (token - STDOUT) as usize;
        let at = self.at(time);
        let mut by = None;
        let ready = &self.ready;
        let mut sees = |line: &[u8]| by = by.take().or_else(|| ready.see_line(line));
        let sees: Sees<'_> = if self.state == State::Waiting && ready.reads_lines() { Some(&mut sees) } else { None };
        let side = if self.run.signal_at.is_some() { Side::Behind } else { Side::Before };
        let heard = self.output.read(which, at, side, sees);
        let heard = heard.map_err(|error| Interrupted::Failed(format!("cannot read its output: {error}")))?;
        if heard.bytes > 0 {
            self.note_written(time, heard.bytes, &heard.line);
        }
        if heard.has_ended {
            let pipe = if token == STDOUT { &self.stage.stdout } else { &self.stage.stderr };
            let _ = self.epoll.delete(pipe);
            if self.output.has_ended() {
                self.note(time, What::OutputClosed);
            }
        }
        self.see_ready(by, time);
        Ok(())
    }

    /// What follows at once is one event: a flood would be millions.
    fn note_written(&mut self, time: Time, more: u64, shown: &[u8]) {
        const AT_ONCE: Duration = Duration::from_millis(100);
        /// Of a run that is long, what is written without a pause is one event.
        const MANY: usize = 500;
        let (at, is_told, is_long) = (self.at(time), self.run.signal_at.is_some(), self.run.events.len() >= MANY);
        match self.run.events.last_mut() {
            Some(Event { at: began, what: What::Wrote { bytes, line } })
                if is_long || at.saturating_sub(*began) < AT_ONCE =>
            {
                *bytes += more;
                // The first one may be the answer to the signal.
                if !is_told || line.is_empty() {
                    *line = safe::line(shown);
                }
            }
            _ => self.run.events.push(Event { at, what: What::Wrote { bytes: more, line: safe::line(shown) } }),
        }
    }

    pub(super) fn hear_notification(&mut self, time: Time) {
        let at = self.at(time);
        let Some(hearing) = &mut self.hearing else { return };
        let Some(text) = hearing.read(at) else { return };
        let is_ready = hearing.found.ready_at.is_some();
        self.note(time, What::Notified { text });
        self.extend();
        if is_ready {
            let by = self.ready.see_notified();
            self.see_ready(by, time);
        }
    }

    /// Gives it the time that it asks for, where who stops it would.
    fn extend(&mut self) {
        let is_waited_for = match self.state {
            State::Told => true,
            State::Left => self.scenario.target == Target::Tree,
            _ => false,
        };
        if is_waited_for && self.scenario.extension == Extension::Granted {
            let until = self.hearing.as_ref().and_then(|hearing| hearing.found.extended_until);
            self.deadline = self.deadline.max(until.map(|until| self.began.after(until)));
        }
    }
}
