//! The man page: man(7) macros, in lines of at most 80 columns.

use std::fmt::Write as _;

use super::super::options::Row;
use super::super::subcommands;
use super::page::{Page, Part, Section};
use super::{sentences, texts};

/// Where a line of the source is broken.
const WIDTH: usize = 78;

/// The whole page: supervise and its subcommands.
pub(super) fn man(page: &Page) -> String {
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(out, ".TH SUPERVISE 1 {} \"supervise {version}\" \"User Commands\"", texts::DATE);
    let _ = writeln!(out, ".SH NAME\nsupervise \\- {}", texts::NAME);
    out.push_str(".SH SYNOPSIS\n");
    synopsis(&mut out, page);
    let others: Vec<Page> = subcommands::TABLE.iter().map(|row| Page::of(Some(row))).collect();
    for other in &others {
        out.push_str(".br\n");
        synopsis(&mut out, other);
    }
    out.push_str(".SH DESCRIPTION\n");
    text(&mut out, &sentences(page.help));
    parts(&mut out, page.about);
    out.push_str(".SH OPTIONS\n");
    options(&mut out, page);
    out.push_str(".SH SUBCOMMANDS\n");
    let mut before: Vec<&Row> = Vec::new();
    for other in &others {
        let _ = writeln!(out, ".SS {}", other.name);
        text(&mut out, &sentences(other.help));
        // What is the init's own too is told above.
        let own = other.rows.iter().filter(|row| !page.rows.iter().any(|own| own.id == row.id));
        let own: Vec<&Row> = own.copied().collect();
        if !own.is_empty() && own.iter().map(|row| row.help).eq(before.iter().map(|row| row.help)) {
            text(&mut out, "It takes the same options.");
        } else {
            own.iter().for_each(|row| option(&mut out, row, None));
        }
        before = own;
        for section in other.sections {
            parts(&mut out, section.parts);
        }
    }
    for Section { title, parts: all } in page.sections.iter().chain(texts::ONLY_IN_THE_MAN_PAGE) {
        let _ = writeln!(out, ".SH {}", title.to_ascii_uppercase());
        parts(&mut out, all);
    }
    out
}

fn synopsis(out: &mut String, page: &Page) {
    let mut line = String::new();
    for word in page.name.split(' ') {
        bold(&mut line, word);
        line.push(' ');
    }
    for word in page.usage.split(' ') {
        line.push_str(&value(word));
        line.push(' ');
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

fn options(out: &mut String, page: &Page) {
    for (heading, rows) in page.groups() {
        let _ = writeln!(out, ".SS {heading}");
        for row in rows {
            option(out, row, row.has_variable().then(|| row.variable()));
        }
    }
}

fn option(out: &mut String, row: &Row, variable: Option<String>) {
    out.push_str(".TP\n");
    for (at, spelling) in row.spellings().iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        bold(out, spelling);
    }
    if let Some(name) = row.value {
        let _ = write!(out, " {}", value(name));
    }
    out.push('\n');
    text(out, &sentences(row.help));
    if let Some(variable) = variable {
        text(out, &format!("Variable: `{variable}`."));
    }
}

/// What is in capitals is to be replaced, other words are to be typed as they are.
fn value(name: &str) -> String {
    let mut out = String::new();
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '-';
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter: char| is_letter(letter) != is_letter(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match first {
            'A'..='Z' => {
                let _ = write!(out, "\\fI{word}\\fR");
            }
            _ if is_letter(first) => bold(&mut out, word),
            _ => escape(&mut out, word, Dash::Kept),
        }
        rest = after;
    }
    out
}

fn parts(out: &mut String, all: &[Part]) {
    for part in all {
        match part {
            Part::Text(words) => {
                // After a heading it would be for nothing.
                if !out.lines().next_back().is_some_and(|line| line.starts_with(".S")) {
                    out.push_str(".PP\n");
                }
                text(out, words);
            }
            Part::Term(term, meaning) => {
                out.push_str(".TP\n");
                bold(out, term);
                out.push('\n');
                text(out, meaning);
            }
            Part::Example(what, lines) => {
                if !out.lines().next_back().is_some_and(|line| line.starts_with(".S")) {
                    out.push_str(".PP\n");
                }
                text(out, what);
                out.push_str(".PP\n.RS 4\n.EX\n");
                for line in *lines {
                    if line.starts_with(['.', '\'']) {
                        out.push_str("\\&");
                    }
                    escape(out, line, Dash::Minus);
                    out.push('\n');
                }
                out.push_str(".EE\n.RE\n");
            }
        }
    }
}

/// Filled text: options and what is between backticks are bold.
fn text(out: &mut String, words: &str) {
    let mut column = 0;
    let mut typed = false;
    for word in words.split_whitespace() {
        let mut set = String::new();
        // Its punctuation is not to be typed.
        let length = word.trim_end_matches([',', ';', '.', ':', ')', '?']).len();
        let is_option = !typed && !word.contains('`') && word.trim_start_matches('(').starts_with('-') && length > 1;
        if is_option {
            let (option, after) = word.split_at(length);
            let start = option.find('-').unwrap_or_default();
            escape(&mut set, option.get(..start).unwrap_or_default(), Dash::Kept);
            bold(&mut set, option.get(start..).unwrap_or_default());
            escape(&mut set, after, Dash::Kept);
        } else {
            for (at, piece) in word.split('`').enumerate() {
                if at > 0 {
                    typed = !typed;
                }
                match (piece, typed) {
                    ("", _) => {}
                    (_, true) => bold(&mut set, piece),
                    (_, false) => escape(&mut set, piece, Dash::Kept),
                }
            }
        }
        if column > 0 && column + 1 + set.len() > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 && set.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&set);
        column += set.len();
    }
    out.push('\n');
}

fn bold(out: &mut String, word: &str) {
    out.push_str("\\fB");
    escape(out, word, Dash::Minus);
    out.push_str("\\fR");
}

/// What a `-` is.
#[derive(Clone, Copy)]
enum Dash {
    /// A hyphen in prose.
    Kept,
    /// To be typed, and copied from the page.
    Minus,
}

fn escape(out: &mut String, text: &str, dash: Dash) {
    for letter in text.chars() {
        match (letter, dash) {
            ('-', Dash::Minus) => out.push_str("\\-"),
            ('\\', _) => out.push_str("\\e"),
            ('\'', _) => out.push_str("\\(aq"),
            ('`', _) => out.push_str("\\(ga"),
            ('~', _) => out.push_str("\\(ti"),
            ('^', _) => out.push_str("\\(ha"),
            _ => out.push(letter),
        }
    }
}
