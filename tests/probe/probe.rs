//! The payload of the end-to-end tests: verbs in sequence on its command line, done in that order.
//!
//!     probe block TERM ready await TERM say bye exit 3
//!
//! It does nothing that it was not asked to do, so that what it reports is what it was given. A verb that takes words
//! is followed by them; `fork` and `daemon` take the verbs up to their `end`; `exec` and `count` take what comes after
//! `--`. Past the last verb the probe ends with 0. Its own failures end it with 97 and one line on stderr.

#![no_main]

mod process;
mod report;
mod signals;
mod status;
mod sys;

use std::fs::File;
use std::io::Write;

use sys::Word;

/// The exit code for wrong use, and for a system call that a verb needed and did not get.
const OWN_FAILURE: i32 = 97;

/// What a verb takes from the words behind it.
enum Takes {
    /// As many words.
    Words(usize),
    /// Verbs up to the `end` that belongs to it.
    Block,
    /// `--`, and everything after it.
    Rest,
}

/// One row of the table: how the verb is called, what it takes and what does it.
struct Verb(&'static str, Takes, fn(&mut Probe, &[Word]));

const VERBS: &[Verb] = &[
    // Words.
    Verb("say", Takes::Words(1), |probe, words| probe.say(&text(words[0]))),
    Verb("ready", Takes::Words(0), |probe, _| probe.say("ready")),
    Verb("name", Takes::Words(1), |probe, words| probe.name = Some(text(words[0]))),
    Verb("out", Takes::Words(1), |probe, words| probe.write_to(words[0])),
    Verb("read", Takes::Words(0), |_, _| report::read_line()),
    // Signals.
    Verb("ignore", Takes::Words(1), |_, words| signals::ignore(words[0])),
    Verb("default", Takes::Words(1), |_, words| signals::default(words[0])),
    Verb("block", Takes::Words(1), |_, words| signals::block(words[0])),
    Verb("unblock", Takes::Words(1), |_, words| signals::unblock(words[0])),
    Verb("raise", Takes::Words(2), |_, words| signals::raise(words[0], words[1])),
    Verb("send", Takes::Words(3), |_, words| signals::send(words[0], words[1], words[2])),
    Verb("await", Takes::Words(1), |_, words| signals::wait_for(words[0])),
    Verb("report-until", Takes::Words(1), |probe, words| report::report_until(probe, words[0])),
    Verb("tally-until", Takes::Words(1), |probe, words| report::tally_until(probe, words[0])),
    // What was handed on.
    Verb("status", Takes::Words(0), |probe, _| status::print(probe)),
    Verb("foreground", Takes::Words(0), |probe, _| status::print_foreground(probe)),
    Verb("count", Takes::Rest, report::count),
    // The process itself.
    Verb("close", Takes::Words(1), |_, words| must("close", sys::close(number(words[0])))),
    Verb("open", Takes::Words(2), |_, words| must("open", sys::open_as(number(words[0]), words[1]))),
    Verb("limit", Takes::Words(3), |_, words| process::limit(words[0], words[1], words[2])),
    Verb("chdir", Takes::Words(1), |_, words| must("chdir", nix::unistd::chdir(words[0]))),
    Verb("rmdir", Takes::Words(1), |_, words| must("rmdir", std::fs::remove_dir(text(words[0])))),
    Verb("setsid", Takes::Words(0), |_, _| must("setsid", nix::unistd::setsid().map(drop))),
    Verb("setpgid", Takes::Words(0), |_, _| process::own_group()),
    Verb("wait", Takes::Words(0), |_, _| process::wait_forever()),
    Verb("exit", Takes::Words(1), |_, words| sys::exit(number(words[0]))),
    Verb("die", Takes::Words(1), |_, words| process::die(words[0])),
    Verb("dump", Takes::Words(1), |_, words| process::dump(words[0])),
    // Other processes.
    Verb("fork", Takes::Block, process::fork),
    Verb("daemon", Takes::Block, process::daemon),
    Verb("join", Takes::Words(0), |probe, _| {
        process::join(probe);
    }),
    Verb("tell-end", Takes::Words(0), |probe, _| process::tell_end(probe)),
    Verb("children", Takes::Words(0), |probe, _| status::print_children(probe)),
    Verb("orphans", Takes::Words(1), |_, words| process::orphans(number(words[0]), None)),
    Verb("storm", Takes::Words(2), |_, words| process::orphans(number(words[0]), Some(number(words[1])))),
    Verb("burst", Takes::Words(1), |_, words| process::burst(number(words[0]))),
    Verb("bomb", Takes::Words(0), |_, _| process::bomb()),
    Verb("comet", Takes::Words(0), |_, _| process::comet()),
    Verb("exec", Takes::Rest, |_, words| process::exec(words)),
];

/// What lasts from verb to verb.
pub(crate) struct Probe {
    /// What each line begins with, to tell processes apart.
    name: Option<String>,
    /// Where lines go instead of stdout.
    out: Option<File>,
    /// The child that was forked last.
    forked: i32,
}

impl Probe {
    /// Writes one line at once and in one call, so that lines of several processes do not mix.
    pub(crate) fn say(&mut self, line: &str) {
        let line = match &self.name {
            Some(name) => format!("{name}: {line}\n"),
            None => format!("{line}\n"),
        };
        // Nobody may be reading any more, which is no concern of the payload.
        let _ = match &mut self.out {
            Some(file) => file.write(line.as_bytes()),
            None => nix::unistd::write(std::io::stdout(), line.as_bytes()).map_err(Into::into),
        };
    }

    fn write_to(&mut self, path: Word) {
        self.out = Some(must("open", File::options().append(true).open(text(path))));
    }

    fn run(&mut self, mut words: &[Word]) {
        while let Some((name, behind)) = words.split_first() {
            let name = text(name);
            let Some(Verb(_, takes, does)) = VERBS.iter().find(|verb| verb.0 == name) else {
                fail(&format!("unknown verb {name}"));
            };
            let (operands, rest) = take(&name, takes, behind);
            does(self, operands);
            words = rest;
        }
    }
}

/// Splits what a verb takes from what follows it.
fn take<'a>(name: &str, takes: &Takes, words: &'a [Word]) -> (&'a [Word], &'a [Word]) {
    match takes {
        Takes::Words(count) if *count <= words.len() => words.split_at(*count),
        Takes::Words(count) => fail(&format!("{name} takes {count} words")),
        Takes::Block => {
            let mut depth = 1;
            for (at, word) in words.iter().enumerate() {
                match word.to_bytes() {
                    b"fork" | b"daemon" => depth += 1,
                    b"end" => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    return (&words[..at], &words[at + 1..]);
                }
            }
            fail(&format!("{name} without its end"))
        }
        Takes::Rest if words.first().is_some_and(|word| word.to_bytes() == b"--") => (&words[1..], &[]),
        Takes::Rest => fail(&format!("{name} takes -- and words")),
    }
}

/// What C's `main` does: every word after the program's name is one of the language above.
pub(crate) fn begin(words: &[Word]) -> i32 {
    Probe { name: None, out: None, forked: 0 }.run(words.get(1..).unwrap_or_default());
    0
}

/// Ends the probe with its own failure.
pub(crate) fn fail(what: &str) -> ! {
    eprintln!("probe: {what}");
    sys::exit(OWN_FAILURE)
}

/// The value of a call that a verb cannot do without.
pub(crate) fn must<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| fail(&format!("cannot {what}: {error}")))
}

pub(crate) fn text(word: Word) -> String {
    word.to_string_lossy().into_owned()
}

pub(crate) fn number<N: std::str::FromStr>(word: Word) -> N {
    text(word).parse().unwrap_or_else(|_| fail(&format!("not a number: {}", text(word))))
}
