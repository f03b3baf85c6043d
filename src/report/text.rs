//! The report as lines for people.

use std::fmt::{self, Write};

use supervise_init::core::{Cause, End, Process, Received, Rung, Status};

use super::{Page, Run, Seconds, shown_name};

pub(super) fn page(run: &Run<'_>) -> Page {
    let mut page = Page::new();
    // Cut where it is too long: what matters comes first.
    let _ = run.write_lines(&mut page);
    page
}

impl Run<'_> {
    fn write_lines(&self, page: &mut Page) -> fmt::Result {
        self.write_main_line(page)?;
        if let Some((time, cause)) = self.record.stop() {
            write!(page, "stop asked for at {} s by ", Seconds(self.after_start(time)))?;
            self.write_cause(page, cause)?;
        }
        for (_, rung, took) in self.record.rungs() {
            writeln!(page, "{}: {} s", RungName(rung), Seconds(took))?;
        }
        for process in self.record.processes() {
            self.write_process_line(page, process)?;
        }
        match self.record.more() {
            0 => {}
            more => writeln!(page, "and {more} more")?,
        }
        match self.exit() {
            Ok(code) => writeln!(page, "supervise ended with code {code}"),
            Err(signal) => {
                let who = if self.record.main().is_some() { "command" } else { "hook" };
                writeln!(page, "supervise ended by {signal}, as the {who} did")
            }
        }
    }

    fn write_main_line(&self, page: &mut Page) -> fmt::Result {
        let command = self.command;
        if let Some(reason) = self.not_started {
            return writeln!(page, "{}", reason.text);
        }
        let Some((pid, _)) = self.record.main() else { return Ok(()) };
        write!(page, "{command} (pid {pid}) ")?;
        match self.record.main_end() {
            End::LeftBehind => writeln!(page, "did not end after SIGKILL"),
            end => self.write_end_line(page, end),
        }
    }

    fn write_cause(&self, page: &mut Page, cause: Cause) -> fmt::Result {
        match (cause, self.asker()) {
            (Cause::MaxTime, _) => writeln!(page, "--max-time"),
            (Cause::Signal(Received { signal, .. }), Some((pid, uid, Some(comm)))) => {
                writeln!(page, "{signal} from pid {pid} ({}, uid {uid})", shown_name(&comm).as_str())
            }
            (Cause::Signal(Received { signal, sender }), _) => writeln!(page, "{signal} from {sender}"),
        }
    }

    fn write_process_line(&self, page: &mut Page, process: &Process) -> fmt::Result {
        write!(page, "pid {}", process.pid)?;
        if let Some(name) = &process.name {
            write!(page, " ({})", shown_name(name).as_str())?;
        }
        write!(page, " ")?;
        self.write_end_line(page, process.end)
    }

    /// How and when a process ended.
    fn write_end_line(&self, page: &mut Page, end: End) -> fmt::Result {
        match end {
            End::Ended(time, status) => writeln!(page, "{}", Ending(Seconds(self.after_start(time)), status)),
            End::Killed(time, status) => {
                writeln!(page, "{}, killed by supervise", Ending(Seconds(self.after_start(time)), status))
            }
            End::Told => writeln!(page, "was told to end, and has ended"),
            End::Killing => writeln!(page, "was killed by supervise"),
            End::LeftBehind => writeln!(page, "was left behind"),
        }
    }
}

/// When and how.
struct Ending(Seconds, Status);

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Status::Exited(code) => write!(f, "ended with code {code} at {} s", self.0),
            Status::Signaled(signal) => write!(f, "was ended by {signal} at {} s", self.0),
        }
    }
}

struct RungName(Rung);

impl fmt::Display for RungName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rung::PreStart => f.write_str("ending the pre-start step"),
            Rung::PreStop => f.write_str("pre-stop hook"),
            Rung::Delay => f.write_str("delay"),
            Rung::Signal(signal) => write!(f, "after {signal}"),
            Rung::Kill => f.write_str("after SIGKILL"),
            Rung::Wait => f.write_str("waiting for what was left"),
            Rung::Leftovers => f.write_str("telling what was left to end"),
            Rung::KillLeftovers => f.write_str("killing what was left"),
        }
    }
}
