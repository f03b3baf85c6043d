//! The report for the Test Anything Protocol, version 14: a test point for each check, with a YAML block.

use std::fmt::Write as _;

use super::super::finding::{Finding, Level};
use super::{Report, printable, scenario};
use crate::json;

pub(super) fn page(report: &Report<'_>) -> String {
    let count: usize = report.judged.iter().map(|judged| judged.findings.len()).sum();
    let mut out = format!("TAP version 14\n1..{count}\n");
    let mut number = 0;
    for judged in report.judged {
        let Some(scenario) = scenario(judged) else { continue };
        for finding in &judged.findings {
            number += 1;
            let is_ok = !report.is_failure(finding.level) && finding.level != Level::Inconclusive;
            let (id, name) = (finding.check.id(), finding.check.name());
            let _ = write!(
                out,
                "{} {number} - {} {} {id} {name}",
                if is_ok { "ok" } else { "not ok" },
                scenario.mode.name(),
                scenario.signal
            );
            if finding.level == Level::Skip {
                let _ = write!(out, " # SKIP {}", printable(&finding.cause));
            }
            out.push('\n');
            diagnostics(&mut out, finding);
        }
        for why in super::missing(judged) {
            let _ = writeln!(out, "# missing: {}", printable(why));
        }
    }
    let _ = writeln!(out, "# {}", report.verdict.words());
    out
}

/// A string of JSON is one of YAML, where it has no other control characters.
fn diagnostics(out: &mut String, finding: &Finding) {
    let _ = writeln!(out, "  ---\n  level: {}", finding.level.name());
    for (name, text) in [("cause", &finding.cause), ("cure", &finding.cure)] {
        if !text.is_empty() {
            let _ = write!(out, "  {name}: ");
            line(out, text);
        }
    }
    if !finding.evidence.is_empty() {
        out.push_str("  evidence:\n");
        for text in &finding.evidence {
            out.push_str("    - ");
            line(out, text);
        }
    }
    out.push_str("  ...\n");
}

fn line(out: &mut String, text: &str) {
    json::string(out, &printable(text));
    out.push('\n');
}
