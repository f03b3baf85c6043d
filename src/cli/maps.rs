//! `FROM=TO` pairs of signals and of exit codes.

use supervise_init::core::{ExitMap, Forwarding, Signal};

use super::wrong::Wrong;

/// `--rewrite FROM=TO`.
pub(crate) fn rewrite(forwarding: &mut Forwarding, pair: &'static str) -> Result<(), Wrong> {
    const OPTION: &str = "rewrite";
    let (from, to) = pair.split_once('=').ok_or(Wrong::NotAPair(OPTION, pair))?;
    let from = signal(OPTION, pair, from)?;
    if !from.can_be_caught() {
        return Err(Wrong::CannotBeCaught(pair, from));
    }
    let to = if to.eq_ignore_ascii_case("ignore") { None } else { Some(signal(OPTION, pair, to)?) };
    forwarding.rewrite(from, to);
    Ok(())
}

/// `--exit-map FROM=TO,...`: `FROM` is a code or, by its name, a signal.
pub(crate) fn exit_map(map: &mut ExitMap, pairs: &'static str) -> Result<(), Wrong> {
    const OPTION: &str = "exit-map";
    for pair in pairs.split(',') {
        let (from, to) = pair.split_once('=').ok_or(Wrong::NotAPair(OPTION, pairs))?;
        let to = code(pairs, to)?;
        if from.starts_with(|first: char| first.is_ascii_digit()) {
            map.map_code(code(pairs, from)?, to);
        } else {
            map.map_signal(signal(OPTION, pairs, from)?, to);
        }
    }
    Ok(())
}

/// A signal within the value `whole` of an option.
pub(crate) fn signal(option: &'static str, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    Signal::parse(word).ok_or(Wrong::NotASignal { option, whole, word })
}

fn code(whole: &'static str, word: &'static str) -> Result<u8, Wrong> {
    word.parse().map_err(|_| Wrong::NotACode(whole, word))
}
