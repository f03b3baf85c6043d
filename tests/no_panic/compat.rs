//! What speaks as another init in process 1: the files of `supervise` itself, as far as they do that.

use supervise_init::core::Signal;
use supervise_init::sys::{SigSet, Words};

#[path = "../../src/compat/phrases.rs"]
mod phrases;
#[path = "../../src/compat/voice.rs"]
mod voice;

/// As `supervise` has them.
const FAILURE: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Other {
    Tini,
    DumbInit,
    Catatonit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Better,
    Strict,
}

/// Installs one of them as the log, with every branch of what it says open to the optimizer, and has it say what it
/// says outside of the loop.
pub(crate) fn speak(words: &Words, count: i32) -> u8 {
    let speech = voice::Speech {
        init: match count {
            20 => Other::Tini,
            21 => Other::DumbInit,
            _ => Other::Catatonit,
        },
        manner: if count > 22 { Manner::Strict } else { Manner::Better },
        verbosity: count.unsigned_abs(),
        needs: if count > 23 { log::LevelFilter::Trace } else { log::LevelFilter::Info },
        names_reaped: count > 24,
        warns_of_place: count > 25,
        registers: count > 26,
        rewritten: Signal::new(count).map_or(SigSet::ALL, |signal| SigSet::NONE.with(signal)),
        term: Signal::new(count),
        has_session: count > 27,
        by_variables: [count > 28, count > 29],
        command: words.get(1).unwrap_or_default(),
    };
    let Some(voice) = voice::install(speech) else { return FAILURE };
    voice.begin();
    voice.listen();
    let phrase = phrases::of_error(supervise_init::sys::Errno(count));
    let name = words.get(2).and_then(|word| word.to_str().ok()).unwrap_or("?");
    match (voice.is_silent(), voice.is_strict()) {
        (true, _) => voice.not_forked(phrase),
        (false, true) => voice.not_executed(name, supervise_init::sys::Errno(count), phrase),
        (false, false) => 0,
    }
}
