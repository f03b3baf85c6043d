//! What a client was called with, where it does not say that itself: systemd's `shutdown` that cannot reach logind asks
//! systemd for an end at once, whatever time it was given (up to version 257 and beyond; Debian's 252 does not).

use std::ffi::CString;
use std::fs;

use supervise_init::sys::Words;

use super::super::{Called, Deed, shutdown};

/// What its words mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Meant {
    /// What it asks for.
    AsAsked,
    /// What another way has lost.
    Instead(Deed),
    /// What these are cannot be seen, or cannot be understood.
    Unknown(String),
}

/// What a client of that number means by asking for an end. It waits for our answer, so it is still what it was.
pub(super) fn meant(pid: i32) -> Meant {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(words) if !words.is_empty() => read(&words),
        Ok(_) => Meant::Unknown("what it was called with is empty".to_owned()),
        Err(error) => Meant::Unknown(format!("what it was called with cannot be read: {error}")),
    }
}

/// Words that each end with a zero.
fn read(bytes: &[u8]) -> Meant {
    let words = bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|byte| *byte == 0);
    let words: Vec<CString> = words.filter_map(|word| CString::new(word).ok()).collect();
    let name = words.first().map(|word| word.to_bytes()).unwrap_or_default();
    if name.rsplit(|byte| *byte == b'/').next() != Some(b"shutdown") {
        return Meant::AsAsked;
    }
    // For as long as we run, which is not long.
    let places = crate::places(words.len());
    let words = words.into_iter().map(|word| &*Box::leak(word.into_boxed_c_str()));
    let Some(words) = Words::new(places, words) else { return Meant::Unknown("it has too many words".to_owned()) };
    match shutdown::read(Called::Alone, &words) {
        Ok(wanted) if matches!(wanted.deed, Deed::End(_)) => Meant::AsAsked,
        Ok(wanted) => Meant::Instead(wanted.deed),
        Err(refusal) => Meant::Unknown(refusal.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::time::When;
    use super::{Deed, Meant, read};

    fn words(line: &str) -> Meant {
        read(&[line.replace(' ', "\0").as_bytes(), b"\0"].concat())
    }

    #[test]
    fn the_words_of_a_shutdown_count_and_those_of_others_do_not() {
        for line in
            ["poweroff", "/usr/bin/systemctl poweroff", "telinit 0", "noshutdown +5", "shutdown now", "shutdown -r +0"]
        {
            assert_eq!(words(line), Meant::AsAsked, "{line}");
        }
        for (line, seconds) in [("shutdown +5", 300), ("/usr/sbin/shutdown", 60), ("/sbin/shutdown -r 7 bye", 420)] {
            let meant = words(line);
            let Meant::Instead(Deed::Schedule(_, When::In { seconds: found }, _)) = meant else { panic!("{meant:?}") };
            assert_eq!(found, seconds, "{line}");
        }
        assert!(matches!(words("shutdown 23:59"), Meant::Instead(Deed::Schedule(_, When::At { hour: 23, .. }, _))));
        assert!(matches!(words("shutdown -k now"), Meant::Instead(Deed::Warn(..))));
    }

    #[test]
    fn what_cannot_be_understood_ends_nothing() {
        assert!(matches!(words("shutdown tomorrow"), Meant::Unknown(_)));
        assert!(matches!(super::meant(i32::MAX), Meant::Unknown(_)));
    }
}
