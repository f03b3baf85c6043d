//! `FROM=TO` pairs of signals and of exit codes.

use supervise_init::core::{ExitMap, Forwarding, Signal};

use super::wrong::Wrong;

/// `--rewrite FROM=TO,...`
pub(crate) fn rewrite(forwarding: &mut Forwarding, pairs: &'static str) -> Result<(), Wrong> {
    const OPTION: &str = "rewrite";
    for pair in pairs.split(',') {
        let (from, to) = pair.split_once('=').ok_or(Wrong::NotAPair(OPTION, pairs))?;
        let from = forwarded(OPTION, pairs, from)?;
        let to = if to.eq_ignore_ascii_case("ignore") { None } else { Some(signal(OPTION, pairs, to)?) };
        forwarding.rewrite(from, to);
    }
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
            let signal = Signal::parse(from).ok_or(Wrong::NeitherCodeNorSignal(pairs, from))?;
            map.map_signal(signal, to);
        }
    }
    Ok(())
}

/// `--parent-death SIGNAL`.
pub(crate) fn parent_death(word: &'static str) -> Result<Signal, Wrong> {
    forwarded("parent-death", word, word)
}

/// A signal that the command can get by us: the kernel acts on KILL and STOP itself, and CHLD is about our children.
fn forwarded(option: &'static str, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    let signal = signal(option, whole, word)?;
    if signal.can_be_caught() && signal != Signal::CHLD {
        Ok(signal)
    } else {
        Err(Wrong::NeverForwarded { option, whole, signal })
    }
}

/// A signal within the value `whole` of an option.
fn signal(option: &'static str, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    Signal::parse(word).ok_or(Wrong::NotASignal { option, whole, word })
}

fn code(whole: &'static str, word: &'static str) -> Result<u8, Wrong> {
    // A sign is no digit.
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits).ok_or(Wrong::NotACode(whole, word))
}
