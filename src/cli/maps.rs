//! `FROM=TO` pairs of signals and of exit codes.

use supervise_init::core::{ExitMap, Forwarding, Signal};

use super::wrong::{Given, Wrong};

/// `--rewrite FROM=TO,...`
pub(crate) fn rewrite(given: Given, forwarding: &mut Forwarding, pairs: &'static str) -> Result<(), Wrong> {
    for pair in pairs.split(',') {
        let (from, to) = pair.split_once('=').ok_or(Wrong::NotAPair(given, pairs))?;
        let from = forwarded(given, pairs, from)?;
        let to = if to.eq_ignore_ascii_case("ignore") { None } else { Some(signal(given, pairs, to)?) };
        forwarding.rewrite(from, to);
    }
    Ok(())
}

/// `--exit-map FROM=TO,...`: `FROM` is a code or, by its name, a signal.
pub(crate) fn exit_map(given: Given, map: &mut ExitMap, pairs: &'static str) -> Result<(), Wrong> {
    for pair in pairs.split(',') {
        let (from, to) = pair.split_once('=').ok_or(Wrong::NotAPair(given, pairs))?;
        let to = code(given, pairs, to)?;
        if from.starts_with(|first: char| first.is_ascii_digit()) {
            map.map_code(code(given, pairs, from)?, to);
        } else {
            let signal = Signal::parse(from).ok_or(Wrong::NeitherCodeNorSignal(given, pairs, from))?;
            map.map_signal(signal, to);
        }
    }
    Ok(())
}

/// `--parent-death SIGNAL`.
pub(crate) fn parent_death(given: Given, word: &'static str) -> Result<Signal, Wrong> {
    forwarded(given, word, word)
}

/// A signal that the command can get by us: the kernel acts on KILL and STOP itself, and CHLD is about our children.
fn forwarded(given: Given, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    let signal = signal(given, whole, word)?;
    if signal.can_be_caught() && signal != Signal::CHLD {
        Ok(signal)
    } else {
        Err(Wrong::NeverForwarded { given, whole, signal })
    }
}

/// A signal within the value `whole` of an option.
pub(super) fn signal(given: Given, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    Signal::parse(word).ok_or(Wrong::NotASignal { given, whole, word })
}

fn code(given: Given, whole: &'static str, word: &'static str) -> Result<u8, Wrong> {
    // A sign is no digit.
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits).ok_or(Wrong::NotACode(given, whole, word))
}
