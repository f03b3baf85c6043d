//! The words of `telinit`, of `init` where it is not process 1, and of `runlevel`.

use std::ffi::CStr;

use supervise_init::core::request::Wish;
use supervise_init::sys::Words;

use super::words::Taken;
use super::{Called, Deed, End, Force, Notice, Refusal, Wanted};
use crate::cli::options::{Id, RUNLEVEL, TELINIT};

const HELP: [(u8, Id); 1] = [(b'h', Id::Help)];
/// What may stand there.
const LEVELS: &str = "0 1 2 3 4 5 6 S s a b c q u";

pub(super) fn read(called: Called, words: &Words) -> Result<Wanted, Refusal> {
    let given = Taken { rows: &TELINIT, letters: &HELP, names: &[] }.read(called, words)?;
    if given.has(Id::Help) {
        return Ok(Deed::Help.into());
    }
    let mut off = Wish::Poweroff;
    for (id, value) in &given.options {
        if *id == Id::SetVariable
            && let Some(value) = value.and_then(variable)
        {
            off = value;
        }
    }
    let word = match &given.operands[..] {
        // Variables alone are for a request that comes later, and ours say theirs themselves.
        [] if given.has(Id::SetVariable) => return Ok(Deed::Nothing.into()),
        [] => return Err(Refusal(format!("which runlevel? it is one of {LEVELS}"))),
        [word] => *word,
        [..] => return Err(Refusal("too many arguments".to_owned())),
    };
    let notice = Notice { wall: !given.has(Id::NoWall), text: String::new() };
    let end = |wish| Deed::End(End { wish, force: Force::None, sync: true, notice });
    Ok(Wanted::from(match word.to_bytes() {
        b"0" => end(off),
        b"6" => end(Wish::Reboot),
        [level @ (b'1'..=b'5' | b's' | b'S' | b'a'..=b'c' | b'A'..=b'C')] => Deed::Runlevel(*level),
        b"q" | b"Q" | b"u" | b"U" => Deed::Upkeep,
        _ => return Err(Refusal(format!("{:?} is no runlevel; it is one of {LEVELS}", word.to_string_lossy()))),
    }))
}

/// What sysvinit's variable says of runlevel 0.
fn variable(word: &CStr) -> Option<Wish> {
    match word.to_bytes().strip_prefix(b"INIT_HALT")? {
        b"=HALT" => Some(Wish::Halt),
        b"" | [b'=', ..] => Some(Wish::Poweroff),
        _ => None,
    }
}

/// `runlevel` takes what it is given: sysvinit's takes a file.
pub(super) fn read_runlevel(called: Called, words: &Words) -> Result<Wanted, Refusal> {
    let given = Taken { rows: &RUNLEVEL, letters: &HELP, names: &[] }.read(called, words)?;
    Ok(if given.has(Id::Help) { Deed::Help } else { Deed::UnknownRunlevel }.into())
}

#[cfg(test)]
mod tests {
    use super::super::words::of_line;
    use super::{Called, Deed, Refusal, Wanted, Wish, read, read_runlevel};

    fn asked(line: &str) -> Result<Wanted, Refusal> {
        read(Called::Alone, &of_line(&line.split_whitespace().collect::<Vec<_>>()))
    }

    #[test]
    fn runlevels_0_and_6_end_all() {
        for (line, wish) in [
            ("0", Wish::Poweroff),
            ("6", Wish::Reboot),
            ("-t 5 0", Wish::Poweroff),
            ("-e INIT_HALT=HALT 0", Wish::Halt),
            ("0 -eINIT_HALT=HALT", Wish::Halt),
            ("-e INIT_HALT=POWEROFF 0", Wish::Poweroff),
            ("-e INIT_HALT=HALT -e INIT_HALT 0", Wish::Poweroff),
            ("-e INIT_HALTS=HALT 0", Wish::Poweroff),
            ("-e INIT_HALT=HALT 6", Wish::Reboot),
        ] {
            let wanted = asked(line).expect("it is understood");
            assert!(matches!(wanted.deed, Deed::End(end) if end.wish == wish), "{line}");
        }
    }

    #[test]
    fn other_runlevels_are_left_to_process_1() {
        for level in ["1", "2", "3", "4", "5", "s", "S", "a", "b", "c", "A", "B", "C"] {
            assert_eq!(asked(level), Ok(Deed::Runlevel(level.as_bytes()[0]).into()));
        }
    }

    #[test]
    fn what_package_scripts_do_is_harmless() {
        for line in ["q", "Q", "u", "U", "-t 3 u"] {
            assert_eq!(asked(line), Ok(Deed::Upkeep.into()), "{line}");
        }
        assert_eq!(asked("-e INIT_FOO=x"), Ok(Deed::Nothing.into()));
    }

    #[test]
    fn what_is_no_runlevel_is_refused() {
        for (line, said) in [
            ("", "which runlevel? it is one of 0 1 2 3 4 5 6 S s a b c q u"),
            ("-t 5", "which runlevel? it is one of 0 1 2 3 4 5 6 S s a b c q u"),
            ("9", "\"9\" is no runlevel; it is one of 0 1 2 3 4 5 6 S s a b c q u"),
            ("00", "\"00\" is no runlevel; it is one of 0 1 2 3 4 5 6 S s a b c q u"),
            ("poweroff", "\"poweroff\" is no runlevel; it is one of 0 1 2 3 4 5 6 S s a b c q u"),
            ("0 6", "too many arguments"),
            ("-x 0", "invalid option -- 'x'"),
            ("-t", "option requires an argument -- 't'"),
        ] {
            assert_eq!(asked(line), Err(Refusal(said.to_owned())), "{line}");
        }
    }

    #[test]
    fn runlevel_knows_none() {
        for (line, deed) in [(vec![], Deed::UnknownRunlevel), (vec!["/run/utmp"], Deed::UnknownRunlevel)] {
            assert_eq!(read_runlevel(Called::Alone, &of_line(&line)), Ok(deed.into()));
        }
        assert_eq!(read_runlevel(Called::Alone, &of_line(&["--help"])), Ok(Deed::Help.into()));
    }
}
