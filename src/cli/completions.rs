//! Completions: a script for each shell that knows how our words are read, filled in with the tables.
//!
//! What is completed follows the command too, as for sudo(8) and env(1): where it begins depends on which options take
//! a value, which no generic script knows.

mod bash;
mod fish;
mod zsh;

use supervise_init::core::Signal;

use super::options::{Kind, Row, TABLE};
use super::subcommands;
use crate::outfit::{capabilities, limits};

/// What `supervise completions` takes.
pub(super) const SHELLS: &str = "bash|zsh|fish";

/// Whom a script is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub(super) fn named(word: &str) -> Option<Shell> {
        match word {
            "bash" => Some(Shell::Bash),
            "zsh" => Some(Shell::Zsh),
            "fish" => Some(Shell::Fish),
            _ => None,
        }
    }
}

/// The whole script.
pub(super) fn script(shell: Shell) -> String {
    let filled = match shell {
        Shell::Bash => bash::script(),
        Shell::Zsh => zsh::script(),
        Shell::Fish => fish::script(),
    };
    filled
        .replace("@signals@", &joined(Signal::names(), " "))
        .replace("@limits@", &joined(limits::NAMES, " "))
        .replace("@capabilities@", &joined(capabilities::NAMES, " "))
}

/// The function of each script that completes such values.
fn function(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Signal => "signal",
        Kind::Ladder => "ladder",
        Kind::Rewrites => "rewrites",
        Kind::Codes => "codes",
        Kind::Time => "time",
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::User => "user",
        Kind::Variable => "variable",
        Kind::Limits => "limits",
        Kind::Capabilities => "capabilities",
        Kind::Command => "command_name",
        Kind::Readiness => "ready",
        Kind::Choice | Kind::Any => return None,
    })
}

/// `main|group|tree` as words.
fn choices(value: &str) -> String {
    value.replace('|', " ")
}

/// The rows of the init and of all subcommands with a long option that takes a value.
fn valued() -> impl Iterator<Item = &'static Row> {
    let others = subcommands::TABLE.iter().flat_map(|row| row.options);
    TABLE.iter().chain(others).filter(|row| row.value.is_some() && !row.long.is_empty())
}

fn joined<'w>(words: impl IntoIterator<Item = &'w str>, between: &str) -> String {
    words.into_iter().collect::<Vec<_>>().join(between)
}

/// In single quotes, as all three shells read them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
