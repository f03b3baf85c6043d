//! The exit report: how a run went, in at most 4096 bytes, which is what Kubernetes reads of a termination log. It is
//! put together in a buffer of that size: at the end of process 1 there is nobody to handle a lack of memory.

mod json;
mod text;

use std::ffi::CStr;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::warn;
use supervise_init::core::{Cause, Name, OnReboot, Outcome, Received, Record, Sender, Signal, Time};
use supervise_init::sys::{Errno, Fd, Line};

use crate::cli::exit;

/// What the report looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Json,
    Text,
}

/// What `--exit-report-format` takes.
pub(crate) fn format_named(word: &str) -> Option<Format> {
    match word {
        "json" => Some(Format::Json),
        "text" => Some(Format::Text),
        _ => None,
    }
}

/// As much as Kubernetes reads.
type Page = Line<4096>;

/// A report to be written at the end.
pub(crate) struct Report {
    path: &'static CStr,
    file: Fd,
    format: Format,
    /// Since 1970.
    started: Duration,
}

/// Why the command was never started, and what we end with.
pub(crate) struct NotStarted {
    pub(crate) text: String,
    pub(crate) code: u8,
    /// It is on stderr already.
    pub(crate) is_said: bool,
}

/// What is told of a run.
struct Run<'a> {
    record: &'a Record,
    command: &'a str,
    /// Why it was not started.
    not_started: Option<&'a NotStarted>,
    outcome: Outcome,
    started: Duration,
}

impl Report {
    /// Opens the file, so that a place that cannot be written to is known before anything starts.
    pub(crate) fn open(path: &'static CStr, format: Format) -> Result<Report, Errno> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Report { path, file: Fd::create(path)?, format, started })
    }

    pub(crate) fn file(&self) -> &Fd {
        &self.file
    }

    /// Writes it in the place of what the file holds. A failure is said, and changes nothing else.
    pub(crate) fn write(&self, record: &Record, command: &CStr, not_started: Option<&NotStarted>, outcome: Outcome) {
        let command = shown(command.to_bytes());
        let run = Run { record, command: command.as_str(), not_started, outcome, started: self.started };
        let page = match self.format {
            Format::Json => json::page(&run),
            Format::Text => text::page(&run),
        };
        if let Err(errno) = self.file.replace_content(page.bytes()) {
            warn!("cannot write the exit report to {}: {errno}; it is lost", self.path.to_string_lossy());
        }
    }
}

impl Run<'_> {
    /// How long after the start that was.
    fn after_start(&self, time: Time) -> Duration {
        self.record.began().map_or(Duration::ZERO, |began| time.since(began))
    }

    /// The code to end with, or the signal.
    fn exit(&self) -> Result<u8, Signal> {
        match (self.outcome, self.not_started) {
            (Outcome::Code(code), _) => Ok(code),
            (Outcome::Signal(signal), _) => Err(signal),
            (Outcome::Again | Outcome::Reboot, _) => Ok(OnReboot::CODE),
            (Outcome::NotStarted(..), reason) => Ok(reason.map_or(exit::FAILURE, |reason| reason.code)),
        }
    }

    /// The process that asked for the stop: its number, user and, if it was still there, name.
    fn asker(&self) -> Option<(i32, u32, Option<Name>)> {
        match self.record.stop()?.1 {
            Cause::Signal(Received {
                sender: Sender::Process { pid, uid, .. } | Sender::Client { pid, uid }, ..
            }) => Some((pid, uid, self.record.asker())),
            Cause::Signal(_) | Cause::MaxTime => None,
        }
    }
}

/// Whatever a program calls itself, as a text that is not too long.
fn shown(bytes: &[u8]) -> Line<256> {
    let mut line = Line::new();
    for part in bytes.utf8_chunks() {
        // Cut where it is too long.
        let _ = fmt::Write::write_str(&mut line, part.valid());
        if !part.invalid().is_empty() {
            let _ = fmt::Write::write_char(&mut line, char::REPLACEMENT_CHARACTER);
        }
    }
    line
}

/// The name without the zeros behind it.
fn shown_name(name: &Name) -> Line<256> {
    shown(name.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// Seconds to the millisecond.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
