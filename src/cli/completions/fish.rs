//! fish.

use std::fmt::Write as _;

use super::super::help::brief;
use super::super::options::{Kind, Row, TABLE};
use super::super::subcommands;
use super::{choices, function, joined, valued};

const TEMPLATE: &str = include_str!("template.fish");

pub(super) fn script() -> String {
    let with_value: Vec<String> = valued().map(|row| format!("--{}", row.long)).collect();
    let mut lines = String::new();
    let when = format!("__supervise_in first options value {}", joined(names_beside_the_init(), " "));
    for row in &TABLE {
        option(&mut lines, row, &when);
    }
    for row in &subcommands::TABLE {
        subcommand(&mut lines, row);
    }
    TEMPLATE
        .replace("@valued@", &joined(with_value.iter().map(String::as_str), " "))
        .replace("@names@", &joined(plain_names(), " "))
        .replace("@running@", &joined(running_names(), " "))
        .replace(
            "@alone@",
            &joined(running_names().filter(|name| names_beside_the_init().all(|other| other != *name)), " "),
        )
        .replace("@lines@", lines.trim_end())
}

/// The subcommands that run no command.
fn plain_names() -> impl Iterator<Item = &'static str> {
    subcommands::TABLE.iter().filter(|row| !row.runs_a_command()).map(|row| row.name)
}

fn running_names() -> impl Iterator<Item = &'static str> {
    subcommands::TABLE.iter().filter(|row| row.runs_a_command()).map(|row| row.name)
}

/// Those of them that take its options too.
fn names_beside_the_init() -> impl Iterator<Item = &'static str> {
    subcommands::TABLE.iter().filter(|row| row.takes_inits_options()).map(|row| row.name)
}

fn option(out: &mut String, row: &Row, when: &str) {
    let short = row.short.map_or_else(String::new, |short| format!(" -s {short}"));
    let value = row.kind().map_or_else(String::new, |kind| value(row, kind));
    let long = if row.long.is_empty() { String::new() } else { format!(" -l {}", row.long) };
    let told = quoted(brief(row.help));
    let _ = writeln!(out, "complete -c supervise -n {}{short}{long}{value} -d {told}", quoted(when));
}

fn value(row: &Row, kind: Kind) -> String {
    match (kind, function(kind)) {
        (Kind::Choice, _) => format!(" -x -a {}", quoted(&choices(row.value.unwrap_or_default()))),
        (Kind::File, _) => " -r -F".to_owned(),
        (_, Some(function)) => format!(" -x -a '(__supervise_{function})'"),
        (_, None) => " -x".to_owned(),
    }
}

fn subcommand(out: &mut String, row: &subcommands::Row) {
    let (name, told) = (row.name, quoted(brief(row.help)));
    let _ = writeln!(out, "complete -c supervise -n '__supervise_in first' -a {name} -d {told}");
    if row.runs_a_command() {
        let rows: Vec<&Row> =
            if row.takes_inits_options() { row.options.iter().collect() } else { row.shown_options() };
        for own in rows {
            option(out, own, &format!("__supervise_in {name} value"));
        }
        return;
    }
    let when = format!("__supervise_in {name}");
    for shown in row.shown_options() {
        option(out, shown, &when);
    }
    if let Some(words) = row.choices() {
        let _ = writeln!(out, "complete -c supervise -n {} -a {}", quoted(&when), quoted(&choices(words)));
    }
}

/// In fish's single quotes, which know two escapes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
