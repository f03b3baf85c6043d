//! `-h`, one line an option, and `--help`: at most 80 columns, no colour.

use std::fmt::Write as _;

use super::super::subcommands;
use super::page::{Page, Part, Section};
use super::{brief, sentences, texts};

const WIDTH: usize = 80;
/// Where the second column of `-h` begins.
const COLUMN: usize = 32;
/// How far the text about an option is from the edge.
const INDENT: usize = 10;

/// `-h`: what there is.
pub(super) fn short(page: &Page) -> String {
    let mut out = usage(page, brief(page.help));
    for (heading, rows) in page.groups() {
        let _ = writeln!(out, "{heading}:");
        for row in rows {
            line(&mut out, &format!("  {}", row.syntax()), brief(row.help));
        }
    }
    for Section { title, parts } in page.forms() {
        let _ = writeln!(out, "{title}:");
        for part in *parts {
            if let Part::Term(term, meaning) = part {
                // The rest is for --help.
                let meaning = meaning.split(". ").next().unwrap_or_default().trim_end_matches('.');
                line(&mut out, &format!("  {term}"), meaning);
            }
        }
    }
    if page.is_main() {
        out.push_str("Subcommands:\n");
        for other in &subcommands::TABLE {
            // Its own help says what else may stand there.
            let usage = other.usage.trim_start_matches("[OPTIONS] ").split(" [").next().unwrap_or_default();
            line(&mut out, &format!("  {} {usage}", other.name), brief(other.help));
        }
        out.push_str(texts::FOOTER);
    }
    out
}

/// `--help`: the same with all that is to be known, and examples.
pub(super) fn long(page: &Page) -> String {
    let mut out = usage(page, page.help);
    for part in page.about {
        print_part(&mut out, part, 0);
    }
    for (heading, rows) in page.groups() {
        let _ = writeln!(out, "{heading}:");
        for row in rows {
            let _ = writeln!(out, "  {}", row.syntax());
            wrap(&mut out, &sentences(row.help), INDENT);
        }
        out.push('\n');
    }
    if page.is_main() {
        out.push_str("Subcommands (each has a --help of its own):\n");
        for other in &subcommands::TABLE {
            let _ = writeln!(out, "  {}", format!("{} {}", other.name, other.usage).trim_end());
            wrap(&mut out, &sentences(other.help), INDENT);
        }
        out.push('\n');
    }
    for Section { title, parts } in page.sections {
        let _ = writeln!(out, "{title}:");
        for part in *parts {
            print_part(&mut out, part, 2);
        }
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn usage(page: &Page, told: &str) -> String {
    let mut out = format!("Usage: {} {}\n", page.name, page.usage).replace(" \n", "\n");
    if page.is_main() {
        out.push_str("       supervise SUBCOMMAND [ARG]...\n");
    }
    wrap(&mut out, &sentences(told), 0);
    out.push('\n');
    out
}

/// Two columns; a long left one moves the right one.
fn line(out: &mut String, left: &str, right: &str) {
    let _ = writeln!(out, "{:<column$}  {right}", left.trim_end(), column = COLUMN - 2);
}

fn print_part(out: &mut String, part: &Part, indent: usize) {
    match part {
        Part::Text(text) => {
            // Apart from a term's meaning before it.
            if !out.ends_with("\n\n") && !out.ends_with(":\n") {
                out.push('\n');
            }
            wrap(out, text, indent);
            out.push('\n');
        }
        Part::Term(term, meaning) => {
            let _ = writeln!(out, "{:indent$}{term}", "");
            wrap(out, meaning, INDENT);
        }
        Part::Example(what, lines) => {
            wrap(out, what, indent);
            for line in *lines {
                let _ = writeln!(out, "{:indent$}    {line}", "");
            }
        }
    }
}

/// Fills lines of at most [`WIDTH`] columns.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            let _ = write!(out, "{:indent$}{word}", "");
            column = indent + length;
        } else {
            let _ = write!(out, " {word}");
            column += 1 + length;
        }
    }
    out.push('\n');
}
