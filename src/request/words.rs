//! A client's options, read as getopt_long(3) reads them, by the rows that its help is made of.

use std::ffi::CStr;

use supervise_init::sys::Words;

use super::{Called, Refusal};
use crate::cli::options::{Id, Row};
use crate::getopt::{Fault, Getopt, Known, Order, Value};

/// What a client takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) rows: &'static [Row],
    /// More letters, and what they are.
    pub(super) letters: &'static [(u8, Id)],
    /// More names, of no effect.
    pub(super) names: &'static [&'static str],
}

/// The options of a command line, each with its value, and the other words.
pub(super) struct Given {
    pub(super) options: Vec<(Id, Option<&'static CStr>)>,
    pub(super) operands: Vec<&'static CStr>,
}

/// Letters that nobody types stand for what has none: getopt takes them for long options only.
const FIRST_UNTYPED: u8 = 0x80;

impl Taken {
    /// Reads the words.
    pub(super) fn read(self, called: Called, words: &Words) -> Result<Given, Fault> {
        let mut short = Vec::new();
        let mut long = Vec::new();
        let mut ids = Vec::new();
        let mut untyped = FIRST_UNTYPED..;
        for row in self.rows {
            let typed = row.short.and_then(|letter| u8::try_from(letter).ok());
            let Some(letter) = typed.or_else(|| untyped.next()) else { continue };
            short.push((letter, if row.value.is_some() { Value::Required } else { Value::None }));
            ids.push((letter, row.id));
            if !row.long.is_empty() {
                long.push((row.long, letter));
            }
        }
        for (letter, id) in self.letters {
            short.push((*letter, Value::None));
            ids.push((*letter, *id));
        }
        if let Some(letter) = untyped.next() {
            short.push((letter, Value::None));
            ids.push((letter, Id::Accepted));
            long.extend(self.names.iter().map(|name| (*name, letter)));
        }
        let known = Known { short: &short, long: &long };
        let mut getopt = Getopt::from(called.first(), words, known, Order::Anywhere);
        let mut options = Vec::new();
        while let Some(found) = getopt.next_option() {
            let (letter, value) = found?;
            options.extend(ids.iter().find(|(known, _)| *known == letter).map(|(_, id)| (*id, value)));
        }
        Ok(Given { options, operands: getopt.operands() })
    }
}

impl Given {
    /// Whether the option is there.
    pub(super) fn has(&self, id: Id) -> bool {
        self.options.iter().any(|(given, _)| *given == id)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal(fault.to_string())
    }
}

/// The words of a test's line, behind a client's name.
#[cfg(test)]
pub(super) fn of_line(line: &[&str]) -> Words {
    let leaked = |word: &&str| &*Box::leak(std::ffi::CString::new(*word).expect("no NUL").into_boxed_c_str());
    let all: Vec<&'static CStr> = [c"client"].into_iter().chain(line.iter().map(leaked)).collect();
    Words::new(crate::places(all.len()), all).expect("there is room")
}

#[cfg(test)]
mod tests {
    use super::{Id, Taken, of_line};
    use crate::cli::options::{SHUTDOWN, SYSTEMCTL};
    use crate::request::Called;

    const TAKEN: Taken = Taken { rows: &SHUTDOWN, letters: &[(b'a', Id::Accepted)], names: &["fast"] };

    fn read(line: &str) -> Result<(Vec<Id>, String), String> {
        let words = of_line(&line.split_whitespace().collect::<Vec<_>>());
        let given = TAKEN.read(Called::Alone, &words).map_err(|fault| fault.to_string())?;
        let operands = super::super::joined(&given.operands);
        Ok((given.options.into_iter().map(|(id, _)| id).collect(), operands))
    }

    #[test]
    fn letters_are_bundled_and_names_abbreviated() {
        for (line, ids, operands) in [
            ("-hk now", vec![Id::PoweroffUnlessHalt, Id::OnlyWarn], "now"),
            ("now -r -- -k x", vec![Id::Reboot], "now -k x"),
            ("-t3 -t 4 now", vec![Id::Accepted, Id::Accepted], "now"),
            ("--rebo --no +5 bye bye", vec![Id::Reboot, Id::NoWall], "+5 bye bye"),
            ("-a --fast", vec![Id::Accepted, Id::Accepted], ""),
        ] {
            assert_eq!(read(line), Ok((ids, operands.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_is_no_option_is_said_as_the_c_library_says_it() {
        for (line, said) in [
            ("-x", "invalid option -- 'x'"),
            ("--frob", "unrecognized option '--frob'"),
            ("-t", "option requires an argument -- 't'"),
            ("--h", "option '--h' is ambiguous; possibilities: '--halt' '--help'"),
            ("--halt=1", "option '--halt' doesn't allow an argument"),
        ] {
            assert_eq!(read(line), Err(said.to_owned()), "{line}");
        }
    }

    #[test]
    fn letters_that_stand_for_names_cannot_be_typed() {
        let untyped: Vec<u8> = (0x80..=0xff).collect();
        for byte in untyped {
            let word = std::ffi::CString::new([b'-', byte]).expect("no NUL");
            let words = super::Words::new(crate::places(2), [c"systemctl", Box::leak(word.into_boxed_c_str())]);
            let taken = Taken { rows: &SYSTEMCTL, letters: &[], names: &["system"] };
            assert!(taken.read(Called::Alone, &words.expect("there is room")).is_err(), "{byte}");
        }
    }
}
