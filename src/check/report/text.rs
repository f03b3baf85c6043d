//! The report for people: what happened, what is wrong with it, and one line at the end.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::finding::{Finding, Judged, Level};
use super::super::judge::{Name, Times, as_what, cut, ended_with, handling, main, took};
use super::super::record::{EndedBy, Event, Outcome, Run, What};
use super::super::scenario::{Scenario, Way};
use super::{Report, Verdict, printable, scenario};
use crate::report::Seconds;

/// More lines of one stretch of small events are counted, not shown.
const SHOWN: usize = 6;
/// So many letters of what a program writes.
const SHOWN_OF_LINE: usize = 100;
/// The same of all lines of a run: its program may never be silent.
const LINES: usize = 60;

pub(super) fn page(report: &Report<'_>, paint: Paint) -> String {
    let mut out = String::new();
    for judged in report.judged {
        group(&mut out, report, judged, paint);
    }
    let _ = writeln!(out, "{}", paint.verdict(report.verdict));
    out
}

fn group(out: &mut String, report: &Report<'_>, judged: &Judged, paint: Paint) {
    let Some(scenario) = scenario(judged) else { return };
    let _ = writeln!(
        out,
        "supervise check: {}   {}, {} to {}, grace {} s",
        report.line,
        as_what(scenario.mode),
        scenario.signal,
        scenario.target.name(),
        Seconds(scenario.grace)
    );
    if let Some(run) = judged.runs.first() {
        timeline(out, run);
    }
    if let [Run { scenario: Scenario { way: Way::Orphaned, .. }, .. }, without, ..] = &judged.runs[..] {
        let _ = writeln!(out, "  once more, without an orphan:");
        timeline(out, without);
    }
    let repeated = || judged.runs.iter().filter(|run| run.scenario.way == Way::Usual);
    if repeated().count() > 1 {
        let times = Times::of(repeated());
        let _ = write!(out, "  {} runs in all", repeated().count());
        if let (Some(median), Some(p95), Some(max)) = (times.median(), times.p95(), times.max()) {
            let (median, p95, max) = (Seconds(median), Seconds(p95), Seconds(max));
            let _ = write!(out, ": ended after {median} s (median), {p95} s (p95), {max} s (max)");
        }
        out.push('\n');
    }
    findings(out, judged, paint);
    // What a skipped check says is told there.
    let is_told =
        |why: &&str| judged.findings.iter().any(|finding| finding.level == Level::Skip && finding.cause.contains(*why));
    for why in super::missing(judged).into_iter().filter(|why| !is_told(why)) {
        let _ = writeln!(out, "  missing: {}", printable(why));
    }
    out.push('\n');
}

/// All that matters, with the small things between as far as there is room.
#[inline(never)]
fn timeline(out: &mut String, run: &Run) {
    let (mut lines, mut stretch, mut hidden) = (0, 0, 0);
    for event in run.events.iter().filter(|event| event.what != What::Killed { count: 0 }) {
        let is_small = is_small(run, &event.what);
        stretch = if is_small { stretch + 1 } else { 0 };
        // Room is kept for what matters.
        if (is_small && (stretch > SHOWN || lines >= LINES / 2)) || lines >= LINES {
            hidden += 1;
            continue;
        }
        hide(out, &mut hidden);
        let _ = writeln!(out, "{:>9}  {}", Seconds(event.at).to_string(), printable(&what(run, event)));
        lines += 1;
    }
    hide(out, &mut hidden);
    if run.events.is_empty() || run.outcome != Outcome::Stopped {
        let _ = writeln!(out, "{:>9}  {}", "", printable(&outcome(&run.outcome)));
    }
}

fn hide(out: &mut String, hidden: &mut usize) {
    if *hidden > 0 {
        let _ = writeln!(out, "{:>9}  and {hidden} more", "...");
        *hidden = 0;
    }
}

fn is_small(run: &Run, what: &What) -> bool {
    match what {
        What::Appeared { .. } | What::Wrote { .. } | What::Closed { .. } | What::Notified { .. } => true,
        What::Ended { pid } => main(run).is_some_and(|main| main.pid != *pid),
        What::Executed { .. }
        | What::Ready { .. }
        | What::PutIn
        | What::Halted
        | What::Continued
        | What::Sent { .. }
        | What::OutputClosed
        | What::Killed { .. } => false,
    }
}

/// An event in words. Made safe to print.
pub(in crate::check) fn words_of(run: &Run, event: &Event) -> String {
    printable(&what(run, event))
}

fn what(run: &Run, event: &Event) -> String {
    let find = |pid: &i32| run.processes.iter().find(|process| process.pid == *pid);
    let name = |pid: &i32| find(pid).map_or_else(|| format!("pid {pid}"), |process| Name(process).to_string());
    let main_pid = main(run).map(|main| main.pid);
    match &event.what {
        What::Executed { pid } => format!("executed {}", name(pid)),
        What::Appeared { pid } => format!("started {}", name(pid)),
        What::Ready { by } => format!("ready: {by}"),
        What::PutIn => "an orphan was put in, as a health check leaves one".to_owned(),
        What::Halted => "stopped, by SIGSTOP".to_owned(),
        What::Continued => "-> SIGCONT".to_owned(),
        What::Sent { signal, target } => {
            let found = main(run).and_then(|main| handling(main, *signal));
            let hint = found.map(|found| format!("   ({} there)", found.name())).unwrap_or_default();
            format!("-> {signal} to {target}{hint}")
        }
        What::Wrote { line, bytes } if line.is_empty() => format!("wrote {bytes} bytes"),
        What::Wrote { line, .. } => format!("wrote: {}", cut(line, SHOWN_OF_LINE)),
        What::Closed { pid: Some(pid), address } if main_pid != Some(*pid) => format!("{} closed {address}", name(pid)),
        What::Closed { address, .. } => format!("closed {address}"),
        What::Notified { text } => format!("notified {text}"),
        What::Ended { pid } => {
            let ended = find(pid).and_then(|process| process.ended);
            let by = match ended.map(|ended| ended.by) {
                Some(EndedBy::Kernel) => ", as process 1 ended",
                Some(EndedBy::Us) => ", killed by supervise",
                Some(EndedBy::Itself | EndedBy::Signal) | None => "",
            };
            let after = (main_pid == Some(*pid)).then(|| super::since_signal(run, event.at)).flatten();
            let after =
                after.map(|after: Duration| format!(", {} s after the signal", Seconds(after))).unwrap_or_default();
            format!("{} {}{by}{after}", name(pid), ended_with(ended.and_then(|ended| ended.status)))
        }
        What::OutputClosed => "output closed".to_owned(),
        What::Killed { count } if took(run).is_some() => format!("killed what is left: {count}"),
        What::Killed { count } => format!("the time is over: killed {count}"),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stopped => "told to stop".to_owned(),
        Outcome::EndedBefore(status) => format!("{} before it was told to stop", ended_with(Some(*status))),
        Outcome::NeverReady(why) => format!("never ready: {why}"),
        Outcome::NotStarted { why, .. } => format!("not started: {why}"),
        Outcome::NotPossible(why) => format!("not possible here: {why}"),
        Outcome::Hindered(hindrance) => hindrance.to_string(),
    }
}

/// What is wrong in full, what is told in a line, what is well by its number, and what was skipped by its reason.
fn findings(out: &mut String, judged: &Judged, paint: Paint) {
    let of = |level: Level| judged.findings.iter().filter(move |finding| finding.level == level);
    let ids: Vec<&str> = of(Level::Pass).map(|finding| finding.check.id()).collect();
    if !ids.is_empty() {
        let _ = writeln!(out, "  {} {}", paint.level(Level::Pass), ids.join(" "));
    }
    for level in [Level::Inconclusive, Level::Fail, Level::Warn] {
        for finding in of(level) {
            whole(out, finding, paint);
        }
    }
    for finding in of(Level::Info) {
        let cause = (!finding.cause.is_empty()).then_some(&finding.cause);
        let told: Vec<&str> = finding.evidence.iter().chain(cause).map(String::as_str).collect();
        short(out, finding, &told.join("; "), paint);
    }
    for finding in of(Level::Skip) {
        let alike = || of(Level::Skip).filter(|other| other.cause == finding.cause);
        if alike().next().is_some_and(|first| first.check == finding.check) {
            let _ = write!(out, "  {}", paint.level(Level::Skip));
            alike().for_each(|other| out.extend([" ", other.check.id()]));
            let _ = writeln!(out, ": {}", printable(&finding.cause));
        }
    }
}

fn short(out: &mut String, finding: &Finding, told: &str, paint: Paint) {
    let Finding { check, level, .. } = finding;
    let _ = writeln!(out, "  {} {} {}: {}", paint.level(*level), check.id(), check.name(), printable(told));
}

fn whole(out: &mut String, finding: &Finding, paint: Paint) {
    let Finding { evidence, cause, cure, .. } = finding;
    short(out, finding, cause, paint);
    for line in evidence {
        let _ = writeln!(out, "         {}", printable(line));
    }
    if !cure.is_empty() {
        let _ = writeln!(out, "       > {}", printable(cure));
    }
}

/// Whether there is colour.
#[derive(Clone, Copy)]
pub(in crate::check) enum Paint {
    Plain,
    /// Of a terminal (ECMA-48, SGR).
    Coloured,
}

impl Paint {
    fn level(self, level: Level) -> String {
        let (word, colour) = match level {
            Level::Pass => ("pass", 32),
            Level::Info => ("info", 36),
            Level::Skip => ("skip", 2),
            Level::Warn => ("WARN", 33),
            Level::Fail => ("FAIL", 31),
            Level::Inconclusive => ("????", 35),
        };
        self.coloured(word, colour)
    }

    fn verdict(self, verdict: Verdict) -> String {
        let colour = match verdict {
            Verdict::Pass => 32,
            Verdict::PassWithWarnings => 33,
            Verdict::Fail(_) => 31,
            Verdict::Inconclusive | Verdict::NotStarted(_) => 35,
        };
        self.coloured(&verdict.words(), colour)
    }

    fn coloured(self, word: &str, colour: u8) -> String {
        match self {
            Paint::Plain => word.to_owned(),
            Paint::Coloured => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
        }
    }
}
