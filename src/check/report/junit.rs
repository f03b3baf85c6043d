//! The report as the XML that JUnit writes and CI systems read: a suite for each mode and signal, a case for each check.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::super::finding::{Check, Finding, Judged, Level};
use super::super::judge::main;
use super::super::record::Run;
use super::{Report, scenario};
use crate::report::Seconds;

pub(super) fn page(report: &Report<'_>) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let all = || report.judged.iter().flat_map(|judged| &judged.findings);
    let name = format!("supervise check: {}", report.line);
    let _ = writeln!(out, "<testsuites name=\"{}\"{}>", Escaped(&name), Counts::of(report, all()));
    for judged in report.judged {
        suite(&mut out, report, judged);
    }
    out + "</testsuites>\n"
}

fn suite(out: &mut String, report: &Report<'_>, judged: &Judged) {
    let Some(scenario) = scenario(judged) else { return };
    let (mode, signal) = (scenario.mode.name(), scenario.signal);
    let counts = Counts::of(report, judged.findings.iter());
    let slowest = judged.runs.iter().filter_map(lasted).max().unwrap_or_default();
    let _ = writeln!(out, "  <testsuite name=\"{mode} {signal}\"{counts} time=\"{}\">", Seconds(slowest));
    for finding in &judged.findings {
        let (id, name) = (finding.check.id(), finding.check.name());
        // The stop is what takes time, and S01 is about that; readers add the times up.
        let time = Seconds(if finding.check == Check::ExitsInGrace { slowest } else { Duration::ZERO });
        let class = format!("supervise.check.{mode}.{signal}");
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{id} {name}\" time=\"{time}\"");
        let result = result(report, finding);
        let _ = writeln!(out, "{}", if result.is_empty() { "/>".to_owned() } else { format!(">{result}</testcase>") });
    }
    let missing = super::missing(judged);
    if !missing.is_empty() {
        let _ = writeln!(out, "    <system-out>missing: {}</system-out>", Escaped(&missing.join("; ")));
    }
    out.push_str("  </testsuite>\n");
}

/// From the signal to the end of main, also where we brought that about.
fn lasted(run: &Run) -> Option<Duration> {
    super::since_signal(run, main(run)?.ended?.at)
}

/// What a case holds: nothing if there is nothing to be said.
fn result(report: &Report<'_>, finding: &Finding) -> String {
    let mut lines = finding.evidence.clone();
    if !finding.cure.is_empty() {
        lines.push(format!("cure: {}", finding.cure));
    }
    let id = finding.check.id();
    let message = Escaped(&finding.cause);
    let body = lines.iter().map(|line| Escaped(line).to_string()).collect::<Vec<_>>().join("\n");
    match finding.level {
        level if report.is_failure(level) => format!("<failure type=\"{id}\" message=\"{message}\">{body}</failure>"),
        // Skipped, a CI system would show it green.
        Level::Inconclusive => format!("<error type=\"inconclusive\" message=\"{message}\">{body}</error>"),
        Level::Skip => format!("<skipped message=\"{message}\"/>"),
        Level::Warn | Level::Info | Level::Pass | Level::Fail if lines.is_empty() && finding.cause.is_empty() => {
            String::new()
        }
        Level::Warn | Level::Info | Level::Pass | Level::Fail => {
            let cause = if finding.cause.is_empty() { String::new() } else { format!(": {message}") };
            format!("<system-out>{}{cause}\n{body}</system-out>", finding.level.name())
        }
    }
}

/// How many cases there are of each kind, as attributes.
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of<'a>(report: &Report<'_>, findings: impl Iterator<Item = &'a Finding>) -> Counts {
        findings.fold(Counts { tests: 0, failures: 0, errors: 0, skipped: 0 }, |counts, finding| Counts {
            tests: counts.tests + 1,
            failures: counts.failures + usize::from(report.is_failure(finding.level)),
            errors: counts.errors + usize::from(finding.level == Level::Inconclusive),
            skipped: counts.skipped + usize::from(finding.level == Level::Skip),
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tests, failures, errors, skipped } = self;
        write!(f, " tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}

/// As content or the value of an attribute. What XML 1.0 cannot hold, not even escaped (section 2.2), is a replacement
/// character.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // In the value of an attribute they would be read as blanks.
                '\n' | '\r' | '\t' => write!(f, "&#{};", u32::from(letter))?,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced_and_what_means_something_is_escaped() {
        let escaped = |text: &str| Escaped(text).to_string();
        assert_eq!(escaped("a<b>&\"c'\n\r\t"), "a&lt;b&gt;&amp;&quot;c'&#10;&#13;&#9;");
        assert_eq!(
            escaped("\0\u{1}\u{1b}[31m\u{1f}\u{fffe}\u{ffff}é\u{7f}\u{1f600}"),
            "\u{fffd}\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}é\u{7f}\u{1f600}"
        );
        for letter in (0..0x300).filter_map(char::from_u32) {
            let is_allowed =
                |letter: char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}');
            assert!(escaped(&letter.to_string()).chars().all(is_allowed), "{letter:?}");
        }
    }
}
