//! What was seen and what is said of it, in four forms.

mod json;
mod junit;
mod line;
mod tap;
mod text;

#[cfg(test)]
mod tests;

use std::ffi::CStr;
use std::io;

pub(super) use self::text::{Paint, words_of};
use super::finding::{Judged, Level};
use super::judge::{Verdict, verdict};
use super::record::Run;
use super::scenario::{Format, Order, Scenario};

/// All that a report is made of.
struct Report<'a> {
    order: &'a Order,
    command: &'a [&'a CStr],
    /// The same as it can be typed to a shell.
    line: String,
    judged: &'a [Judged],
    verdict: Verdict,
}

impl Report<'_> {
    /// Whether a finding of this level fails the check.
    fn is_failure(&self, level: Level) -> bool {
        level == Level::Fail || (level == Level::Warn && self.order.is_strict)
    }
}

/// Writes it.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(
    format: Format,
    order: &Order,
    command: &[&CStr],
    judged: &[Judged],
    out: &mut impl io::Write,
    paint: Paint,
) -> io::Result<()> {
    let line = line::line(command);
    let report = Report { order, command, line, judged, verdict: verdict(order, judged) };
    let written = match format {
        Format::Text => text::page(&report, paint),
        Format::Json => json::page(&report),
        Format::Junit => junit::page(&report),
        Format::Tap => tap::page(&report),
    };
    out.write_all(written.as_bytes())?;
    out.flush()
}

impl Verdict {
    /// The last line of a report.
    fn words(self) -> String {
        match self {
            Verdict::Pass => "PASS".to_owned(),
            Verdict::PassWithWarnings => "PASS with warnings".to_owned(),
            Verdict::Fail(count) => format!("FAIL ({count})"),
            Verdict::Inconclusive => "INCONCLUSIVE".to_owned(),
            Verdict::NotStarted(code) => format!("NOT STARTED ({code})"),
        }
    }

    /// As machines read it.
    fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::PassWithWarnings => "pass-with-warnings",
            Verdict::Fail(_) => "fail",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotStarted(_) => "not-started",
        }
    }
}

/// What could not be seen of the runs of a group, or only in another way: each once.
fn missing(judged: &Judged) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for missing in judged.runs.iter().flat_map(|run| &run.missing) {
        if !all.contains(&missing.why.as_str()) {
            all.push(&missing.why);
        }
    }
    all
}

/// What the runs of a group have in common.
fn scenario(judged: &Judged) -> Option<&Scenario> {
    judged.runs.first().map(|run| &run.scenario)
}

/// When the command was told, for times after that.
fn since_signal(run: &Run, at: std::time::Duration) -> Option<std::time::Duration> {
    at.checked_sub(run.signal_at?)
}

/// Without control characters, which could draw on a terminal or begin a line.
fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, letter| {
        if letter.is_control() {
            out.extend(letter.escape_default())
        } else {
            out.push(letter)
        }
        out
    })
}
