//! What makes things known to people, in a process of its own that may allocate and block. Process 1 waits for it at its own
//! end only.
//!
//! 1. There is one messenger at a time. What is to be told while it writes waits for its end, and of what waits the last
//!    counts.
//! 2. One that has had its time when there is something else to tell is killed.

use core::time::Duration;

use log::warn;

use crate::core::Time;
use crate::core::request::Notice;
use crate::sys::{self, Helper, Pid};

/// How long what people are told may take to be written, where something else is to be told, or we are to end.
const WRITING: Duration = Duration::from_millis(500);

/// Who writes, and what comes next.
pub(super) struct Messenger<'a> {
    notify: &'a (dyn Fn(&Notice) + Sync),
    /// Since when it writes.
    writes: Option<(Helper, Time)>,
    waiting: Option<Notice>,
}

impl<'a> Messenger<'a> {
    pub(super) fn new(notify: &'a (dyn Fn(&Notice) + Sync)) -> Messenger<'a> {
        Messenger { notify, writes: None, waiting: None }
    }

    /// Who writes.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.writes.as_ref().map(|(helper, _)| helper.pid())
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        match &self.writes {
            None => self.start(notice),
            Some((helper, since)) => {
                if sys::now().since(*since) >= WRITING {
                    helper.kill();
                }
                self.waiting = Some(notice);
            }
        }
    }

    /// It may have ended.
    pub(super) fn reap(&mut self) {
        if self.writes.as_ref().is_some_and(|(helper, _)| helper.has_ended()) {
            self.writes = None;
            if let Some(notice) = self.waiting.take() {
                self.start(notice);
            }
        }
    }

    /// We are to end.
    pub(super) fn wait_end(&mut self) {
        while let Some((helper, _)) = self.writes.take() {
            helper.end(WRITING);
            if let Some(notice) = self.waiting.take() {
                self.start(notice);
            }
        }
    }

    fn start(&mut self, notice: Notice) {
        match Helper::start(|| (self.notify)(&notice)) {
            Ok(helper) => self.writes = Some((helper, sys::now())),
            Err(errno) => warn!("cannot tell the terminals of it: {errno}"),
        }
    }
}
