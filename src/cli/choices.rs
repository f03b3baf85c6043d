//! The words of options that take one of a few.

use supervise_init::core::{KillMode, Leftovers, OnReboot};
use supervise_init::driver::ForwardTo;

use super::wrong::{Given, Wrong};

pub(super) fn forward_to_named(word: &str) -> Option<ForwardTo> {
    match word {
        "main" => Some(ForwardTo::Main),
        "group" => Some(ForwardTo::Group),
        _ => None,
    }
}

pub(super) fn kill_mode_named(word: &str) -> Option<KillMode> {
    match word {
        "main" => Some(KillMode::Main),
        "group" => Some(KillMode::Group),
        "tree" => Some(KillMode::Tree),
        _ => None,
    }
}

pub(super) fn on_reboot_named(word: &str) -> Option<OnReboot> {
    match word {
        "restart" => Some(OnReboot::Restart),
        "exit" => Some(OnReboot::Exit),
        "system" => Some(OnReboot::System),
        _ => None,
    }
}

pub(super) fn on_or_off(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

pub(super) fn leftovers_named(word: &str) -> Option<Leftovers> {
    match word {
        "stop" => Some(Leftovers::Stop),
        "wait" => Some(Leftovers::Wait),
        "leave" => Some(Leftovers::Leave),
        _ => None,
    }
}

pub(super) fn choice<T>(given: Given, word: &'static str, named: fn(&str) -> Option<T>) -> Result<T, Wrong> {
    named(word).ok_or(Wrong::NotAChoice(given, word))
}
