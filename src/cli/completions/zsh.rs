//! zsh, by its own `_arguments`.

use std::fmt::Write as _;

use super::super::help::brief;
use super::super::options::{Kind, Row, TABLE};
use super::super::subcommands;
use super::{choices, function, joined, quoted};

const TEMPLATE: &str = include_str!("template.zsh");

pub(super) fn script() -> String {
    let described: Vec<String> = subcommands::TABLE
        .iter()
        .map(|row| format!("{}:{}", row.name, brief(row.help)))
        .map(|one| quoted(&one))
        .collect();
    let running = || subcommands::TABLE.iter().filter(|row| row.takes_inits_options());
    let alone = subcommands::TABLE.iter().filter(|row| row.runs_a_command() && !row.takes_inits_options());
    let plain = subcommands::TABLE.iter().filter(|row| !row.runs_a_command()).map(|row| row.name);
    TEMPLATE
        .replace("@names@", &joined(plain, "|"))
        .replace("@alone@", &joined(alone.map(|row| row.name), "|"))
        .replace("@running@", &joined(running().map(|row| row.name), "|"))
        .replace("@running-cases@", of_running().trim_end())
        .replace("@specs@", specs(&mut TABLE.iter()).trim_end())
        .replace("@subcommand-cases@", of_subcommands().trim_end())
        .replace("@subcommands@", &joined(described.iter().map(String::as_str), " "))
}

/// A line for each option.
fn specs(rows: &mut dyn Iterator<Item = &'static Row>) -> String {
    let mut out = String::new();
    for row in rows {
        let long = format!("--{}", row.long);
        let told = escaped(brief(row.help));
        let _ = match (row.short, row.value) {
            (Some(short), Some(value)) if row.long.is_empty() => {
                writeln!(out, "        {}", quoted(&format!("{}-{short}+[{told}]:{}:", again(row), escaped(value))))
            }
            (Some(short), _) if row.long.is_empty() => {
                writeln!(out, "        {}", quoted(&format!("{}-{short}[{told}]", again(row))))
            }
            (Some(short), _) => {
                writeln!(out, "        '(-{short} {long})'{{-{short},{long}}}{}", quoted(&format!("[{told}]")))
            }
            (None, None) => writeln!(out, "        {}", quoted(&format!("{long}[{told}]"))),
            (None, Some(value)) => {
                let spec = format!("{}{long}=[{told}]:{}:{}", again(row), escaped(value), action(row));
                writeln!(out, "        {}", quoted(&spec))
            }
        };
    }
    out
}

/// The mark of what may be given more than once.
fn again(row: &Row) -> &'static str {
    match row.kind() {
        Some(
            Kind::Rewrites
            | Kind::Codes
            | Kind::Variable
            | Kind::Limits
            | Kind::Capabilities
            | Kind::Command
            | Kind::Any,
        ) => "*",
        _ => "",
    }
}

fn action(row: &Row) -> String {
    let kind = row.kind().unwrap_or(Kind::Any);
    match (kind, function(kind)) {
        (Kind::Choice, _) => format!("({})", choices(row.value.unwrap_or_default())),
        (_, Some(function)) => format!("_supervise_{function}"),
        (_, None) => String::new(),
    }
}

/// As `_arguments` reads a description.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:").replace('[', "\\[").replace(']', "\\]")
}

/// A case for each subcommand that runs one: its own options stand beside those of the init.
fn of_running() -> String {
    let mut out = String::new();
    for row in subcommands::TABLE.iter().filter(|row| row.takes_inits_options()) {
        let own = specs(&mut row.options.iter());
        let _ = writeln!(out, "        ({}) options+=(\n{own}        ) ;;", row.name);
    }
    out
}

/// A case for each subcommand that takes its own options alone.
fn of_subcommands() -> String {
    let mut out = String::new();
    for row in subcommands::TABLE.iter().filter(|row| !row.takes_inits_options()) {
        let _ = writeln!(out, "            ({})\n                options=(", row.name);
        out.push_str(&specs(&mut row.shown_options().into_iter()));
        if let Some(words) = row.choices() {
            let _ = writeln!(out, "        {}", quoted(&format!("1:{}:({})", escaped(words), choices(words))));
        }
        if row.subcommand == subcommands::Subcommand::Ctl {
            out.push_str("        '2:signal:_supervise_ctl_signal'\n");
        }
        out.push_str("                )\n                ;;\n");
    }
    out
}
