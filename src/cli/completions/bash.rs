//! bash, with and without the package bash-completion.

use std::fmt::Write as _;

use super::super::options::{Kind, Row, TABLE};
use super::super::subcommands;
use super::{choices, function, joined, valued};

const TEMPLATE: &str = include_str!("template.bash");

pub(super) fn script() -> String {
    let with_value: Vec<String> = valued().map(|row| format!("--{}", row.long)).collect();
    let all: Vec<String> = TABLE.iter().flat_map(Row::spellings).collect();
    let names = joined(subcommands::TABLE.iter().map(|row| row.name), " ");
    TEMPLATE
        .replace("@values@", values().trim_end())
        .replace("@subcommand-cases@", of_subcommands().trim_end())
        .replace("@valued@", &joined(with_value.iter().map(String::as_str), "|"))
        .replace("@options@", &joined(all.iter().map(String::as_str), " "))
        .replace("@running-cases@", of_running().trim_end())
        .replace("@subcommands@", &names)
}

/// A case for each option that has something to offer.
fn values() -> String {
    let mut out = String::new();
    for row in valued() {
        if let Some(function) = offer(row) {
            let _ = writeln!(out, "        --{}) {function} ;;", row.long);
        }
    }
    out
}

fn offer(row: &Row) -> Option<String> {
    match row.kind()? {
        Kind::Choice => Some(format!("_supervise_offer -W '{}'", choices(row.value?))),
        kind => Some(format!("_supervise_{}", function(kind)?)),
    }
}

/// A case for each subcommand that runs one: its own options stand beside those of the init, if it takes them.
fn of_running() -> String {
    let mut out = String::new();
    for row in subcommands::TABLE.iter().filter(|row| row.runs_a_command()) {
        let rows: Vec<&Row> =
            if row.takes_inits_options() { row.options.iter().collect() } else { row.shown_options() };
        let own: Vec<String> = rows.into_iter().flat_map(Row::spellings).collect();
        let own = joined(own.iter().map(String::as_str), " ");
        let _ = match row.takes_inits_options() {
            true => writeln!(out, "            {}) i=2 place=target options+=' {own}' ;;", row.name),
            false => writeln!(out, "            {}) i=2 options='{own}' ;;", row.name),
        };
    }
    out
}

/// A case for each subcommand that runs no command: all that may stand behind it.
fn of_subcommands() -> String {
    let mut out = String::new();
    for row in subcommands::TABLE.iter().filter(|row| !row.runs_a_command()) {
        let mut words: Vec<String> = row.shown_options().into_iter().flat_map(Row::spellings).collect();
        words.extend(row.choices().map(choices));
        let words = joined(words.iter().map(String::as_str), " ");
        let _ = writeln!(out, "            {}) i=2 place=plain options='{words}' ;;", row.name);
    }
    out
}
