//! getopt(3) and getopt_long(3) as the GNU C library has them, because it reads the words of the programs whose names we
//! have: options behind the command's name (unless POSIXLY_CORRECT is set, or the program stops at the first word),
//! clusters, abbreviated long options, and the library's own messages.

use std::ffi::CStr;
use std::fmt;

use supervise_init::sys::Words;

use crate::places;

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    None,
    Required,
}

/// What a program's options are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// By their letters.
    pub(crate) short: &'a [(u8, Value)],
    /// By their names, with the letter that each stands for; what is not ASCII cannot be typed. Without any, `--` begins no long option.
    pub(crate) long: &'a [(&'static str, u8)],
}

impl Known<'_> {
    fn short(&self, letter: u8) -> Option<Value> {
        self.short.iter().find(|(known, _)| *known == letter).map(|(_, value)| *value)
    }
}

/// Where options may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Before `--`.
    Anywhere,
    /// Before the first word that is none.
    First,
}

/// What is wrong with a word, in the library's words without the program's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    InvalidLetter(u8),
    NoValueForLetter(u8),
    Unrecognized(String),
    Ambiguous(String, Vec<&'static str>),
    UnwantedValue(&'static str),
    NoValue(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::InvalidLetter(letter) => write!(f, "invalid option -- '{}'", char::from(*letter)),
            Fault::NoValueForLetter(letter) => {
                write!(f, "option requires an argument -- '{}'", char::from(*letter))
            }
            Fault::Unrecognized(word) => write!(f, "unrecognized option '{word}'"),
            Fault::Ambiguous(word, possible) => {
                write!(f, "option '{word}' is ambiguous; possibilities:")?;
                possible.iter().try_for_each(|name| write!(f, " '--{name}'"))
            }
            Fault::UnwantedValue(name) => write!(f, "option '--{name}' doesn't allow an argument"),
            Fault::NoValue(name) => write!(f, "option '--{name}' requires an argument"),
        }
    }
}

/// The words of a command line, read one option after the other.
pub(crate) struct Getopt<'a> {
    words: &'a Words,
    known: Known<'a>,
    order: Order,
    /// The next word, and where in it the next letter of a cluster is.
    at: usize,
    letter: usize,
    /// The operands so far, up to where the present run of them begins: most often there is one run only.
    earlier: Vec<&'static CStr>,
    run: Option<usize>,
}

/// An option: its letter, and its value if it has one.
pub(crate) type Found = (u8, Option<&'static CStr>);

impl<'a> Getopt<'a> {
    pub(crate) fn new(words: &'a Words, known: Known<'a>, order: Order) -> Getopt<'a> {
        Getopt::from(1, words, known, order)
    }

    /// The words from the `first` on.
    pub(crate) fn from(first: usize, words: &'a Words, known: Known<'a>, order: Order) -> Getopt<'a> {
        Getopt { words, known, order, at: first, letter: 0, earlier: Vec::new(), run: None }
    }

    /// The next option; `None` behind the last.
    pub(crate) fn next_option(&mut self) -> Option<Result<Found, Fault>> {
        if self.letter > 0 {
            return Some(self.next_letter());
        }
        loop {
            let word = self.words.get(self.at)?;
            match word.to_bytes() {
                b"--" => {
                    self.end_run();
                    self.at += 1;
                    self.run = Some(self.at);
                    // Everything behind it is an operand.
                    self.at = self.words.count();
                    return None;
                }
                [b'-', b'-', ..] if !self.known.long.is_empty() => {
                    self.end_run();
                    self.at += 1;
                    return Some(self.long(word));
                }
                [b'-', _, ..] => {
                    self.end_run();
                    self.letter = 1;
                    return Some(self.next_letter());
                }
                _ if self.order == Order::First => {
                    self.run = Some(self.at);
                    self.at = self.words.count();
                    return None;
                }
                _ => {
                    self.run.get_or_insert(self.at);
                    self.at += 1;
                }
            }
        }
    }

    /// Options stand behind operands.
    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            self.earlier.extend((run..self.at).filter_map(|at| self.words.get(at)));
        }
    }

    fn next_letter(&mut self) -> Result<Found, Fault> {
        let word = self.words.get(self.at).unwrap_or_default();
        let letter = word.to_bytes().get(self.letter).copied().unwrap_or_default();
        self.letter += 1;
        let rest = word.to_bytes_with_nul().get(self.letter..).unwrap_or_default();
        let is_last = rest.len() <= 1;
        // Others stand for names alone.
        let value = self.known.short(letter).filter(|_| letter.is_ascii());
        if is_last || value == Some(Value::Required) {
            self.letter = 0;
            self.at += 1;
        }
        match value {
            None => Err(Fault::InvalidLetter(letter)),
            Some(Value::None) => Ok((letter, None)),
            Some(Value::Required) if !is_last => Ok((letter, CStr::from_bytes_with_nul(rest).ok())),
            Some(Value::Required) => {
                let value = self.words.get(self.at).ok_or(Fault::NoValueForLetter(letter))?;
                self.at += 1;
                Ok((letter, Some(value)))
            }
        }
    }

    fn long(&mut self, word: &'static CStr) -> Result<Found, Fault> {
        let bytes = word.to_bytes_with_nul().get(2..).unwrap_or_default();
        let length = bytes.iter().position(|byte| matches!(byte, b'=' | 0)).unwrap_or(0);
        let (name, rest) = bytes.split_at(length);
        let begins = |known: &&(&'static str, u8)| known.0.as_bytes().starts_with(name);
        let exact = self.known.long.iter().find(|known| known.0.as_bytes() == name);
        let mut possible = self.known.long.iter().filter(begins);
        let shown = || word.to_string_lossy().into_owned();
        let (name, letter) = match (exact, possible.next(), possible.next()) {
            (Some(known), ..) | (None, Some(known), None) => *known,
            (None, None, _) => return Err(Fault::Unrecognized(shown())),
            (None, Some(_), Some(_)) => {
                let all = self.known.long.iter().filter(begins).map(|known| known.0).collect();
                return Err(Fault::Ambiguous(shown(), all));
            }
        };
        let attached = match rest {
            [b'=', value @ ..] => CStr::from_bytes_with_nul(value).ok(),
            _ => None,
        };
        match (self.known.short(letter), attached) {
            (Some(Value::Required), Some(value)) => Ok((letter, Some(value))),
            (Some(Value::Required), None) => {
                let value = self.words.get(self.at).ok_or(Fault::NoValue(name))?;
                self.at += 1;
                Ok((letter, Some(value)))
            }
            (_, Some(_)) => Err(Fault::UnwantedValue(name)),
            (_, None) => Ok((letter, None)),
        }
    }

    /// What is no option, in its order, once there is no other option.
    pub(crate) fn operands(mut self) -> Vec<&'static CStr> {
        // What is behind `--` ends where the words do, as every last run.
        self.at = self.words.count();
        self.end_run();
        self.earlier
    }

    /// The command: words, and where in them it begins. `None` if there is no operand.
    pub(crate) fn command(mut self) -> Option<(Words, usize)> {
        let end = self.words.count();
        if self.earlier.is_empty() {
            return self.run.filter(|run| *run < end).map(|run| (*self.words, run));
        }
        self.end_run();
        // Something has to stand before it: a shell that runs it as a script takes that place.
        let words = [c""].into_iter().chain(self.earlier.iter().copied());
        Words::new(places(self.earlier.len() + 1), words).map(|words| (words, 1))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};

    use supervise_init::sys::Words;

    use super::{Fault, Getopt, Known, Order, Value};
    use crate::places;

    const SHORT: &[(u8, Value)] = &[(b'v', Value::None), (b's', Value::None), (b'e', Value::Required)];
    const LONG: &[(&str, u8)] = &[("verbose", b'v'), ("version", b's'), ("else", b'e')];

    fn words(line: &str) -> Words {
        let all: Vec<&'static CStr> = ["init"]
            .into_iter()
            .chain(line.split_whitespace())
            .map(|word| &*Box::leak(CString::new(word).expect("no NUL").into_boxed_c_str()))
            .collect();
        Words::new(places(all.len()), all).expect("there is room")
    }

    /// The options and the command, or what was wrong.
    fn read(line: &str, long: &'static [(&'static str, u8)], order: Order) -> Result<(String, String), String> {
        let words = words(line);
        let mut getopt = Getopt::new(&words, Known { short: SHORT, long }, order);
        let mut options = String::new();
        while let Some(found) = getopt.next_option() {
            let (letter, value) = found.map_err(|fault: Fault| fault.to_string())?;
            options.push(char::from(letter));
            options += &value.map_or_else(String::new, |value| format!("={}", value.to_string_lossy()));
        }
        let command = getopt.command().map_or_else(Vec::new, |(words, first)| {
            (first..words.count()).filter_map(|at| words.get(at)).map(|word| word.to_string_lossy()).collect()
        });
        Ok((options, command.join(" ")))
    }

    #[test]
    fn options_stand_anywhere_up_to_the_two_dashes() {
        for (line, options, command) in [
            ("true", "", "true"),
            ("-v true", "v", "true"),
            ("-vs -- true -v", "vs", "true -v"),
            ("prog -- -v", "", "prog -v"),
            ("prog -v arg -s -- -x y", "vs", "prog arg -x y"),
            ("prog -e 7 arg", "e=7", "prog arg"),
            ("-ve7 prog", "ve=7", "prog"),
            ("- x", "", "- x"),
            ("-- -- true", "", "-- true"),
            ("", "", ""),
            ("--", "", ""),
            ("-v --", "v", ""),
        ] {
            assert_eq!(read(line, &[], Order::Anywhere), Ok((options.into(), command.into())), "{line}");
        }
    }

    #[test]
    fn options_end_at_the_first_word_where_the_order_says_so() {
        for (line, options, command) in
            [("true -v", "", "true -v"), ("-v a -- b", "v", "a -- b"), ("-v -- -s", "v", "-s")]
        {
            assert_eq!(read(line, LONG, Order::First), Ok((options.into(), command.into())), "{line}");
        }
    }

    #[test]
    fn long_options_may_be_abbreviated() {
        for (line, options) in
            [("--verb", "v"), ("--verbose", "v"), ("--e=", "e="), ("--el 7", "e=7"), ("--else=7", "e=7")]
        {
            assert_eq!(read(line, LONG, Order::First), Ok((options.into(), String::new())), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_the_c_library_says_it() {
        for (line, said) in [
            ("-z", "invalid option -- 'z'"),
            ("-vz", "invalid option -- 'z'"),
            ("-e", "option requires an argument -- 'e'"),
            ("--yolo=1", "unrecognized option '--yolo=1'"),
            ("--ver", "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"),
            ("--verbose=1", "option '--verbose' doesn't allow an argument"),
            ("--els", "option '--else' requires an argument"),
        ] {
            assert_eq!(read(line, LONG, Order::First), Err(said.into()), "{line}");
        }
        assert_eq!(read("--version", &[], Order::Anywhere), Err("invalid option -- '-'".into()));
    }
}
