//! The same case on another init, and on supervise called by that init's name: both give the same answer, or the
//! difference has a name and supervise gives the answer that is promised instead.
//!
//! 1. Both are started by the same words, with a link of the init's name first in `PATH`, so that no text differs by
//!    where the file lies.
//! 2. Pids but 1 are numbered in the order in which they are first seen: `N1`, `N2`. Which process says something is
//!    left out: ours says for its child what that died of.
//! 3. A difference that has gone is a failure too.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::launch::{Init, Launch, Place};
use super::running::{Ended, Running};
use super::{Exit, Scene, note, probe, skip};

/// An init whose place supervise takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original {
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
}

/// Whose answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Original,
    /// supervise by that name.
    Ours,
    /// The same, told to do as the original does where we know better.
    Strict,
}

/// How our answer may differ from the original's. In what is promised, `*` stands for any text.
#[derive(Clone, Debug)]
enum Differs {
    Nowhere,
    /// By default. Strict, it is the original's.
    ByDefault(&'static str, String),
    /// In strictness too: one text stands for another in what else is the original's.
    InText(&'static str, &'static str, &'static str),
    /// In strictness too: what the original does there is of use to nobody.
    Always(&'static str, String),
}

/// What answers a case.
pub(crate) type Ask = fn(&Play) -> String;

/// One row of a table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    what: &'static str,
    line: String,
    env: Vec<(&'static str, String)>,
    places: &'static [Place],
    entered: &'static str,
    behind: Vec<String>,
    by_path: bool,
    ask: Ask,
    differs: Differs,
}

/// A command line, whose end and words are compared.
pub(crate) fn run(line: &str) -> Case {
    asked("", line, |play| play.told(&play.launch().end()))
}

/// A command line that something is found out about.
pub(crate) fn asked(what: &'static str, line: &str, ask: Ask) -> Case {
    Case {
        what,
        line: line.to_owned(),
        env: Vec::new(),
        places: &[Place::Child],
        entered: "",
        behind: Vec::new(),
        by_path: false,
        ask,
        differs: Differs::Nowhere,
    }
}

impl Case {
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Case {
        self.env.push((name, value.to_owned()));
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Case {
        self.places = match place {
            Place::Child => &[Place::Child],
            Place::Pid1 => &[Place::Pid1],
            Place::UserPid1 => &[Place::UserPid1],
        };
        self
    }

    /// As a child of the test, and as PID 1.
    pub(crate) fn both(mut self) -> Case {
        self.places = &[Place::Child, Place::Pid1];
        self
    }

    /// Verbs of the probe that prepare the process.
    pub(crate) fn entered(mut self, verbs: &'static str) -> Case {
        self.entered = verbs;
        self
    }

    /// A command that becomes the init.
    pub(crate) fn behind(mut self, words: &[&str]) -> Case {
        self.behind = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// With its whole path as its first word.
    pub(crate) fn by_path(mut self) -> Case {
        self.by_path = true;
        self
    }

    pub(crate) fn differs(mut self, reason: &'static str, ours: &str) -> Case {
        self.differs = Differs::ByDefault(reason, ours.to_owned());
        self
    }

    pub(crate) fn differs_in(mut self, reason: &'static str, theirs: &'static str, ours: &'static str) -> Case {
        self.differs = Differs::InText(reason, theirs, ours);
        self
    }

    pub(crate) fn always_differs(mut self, reason: &'static str, ours: &str) -> Case {
        self.differs = Differs::Always(reason, ours.to_owned());
        self
    }

    /// Why the answers differ.
    fn reason(&self) -> Option<&'static str> {
        match self.differs {
            Differs::Nowhere => None,
            Differs::ByDefault(reason, _) | Differs::InText(reason, ..) | Differs::Always(reason, _) => Some(reason),
        }
    }

    /// What is wrong with our answer.
    fn verdict(&self, who: Who, original: &str, answer: &str) -> Option<String> {
        let (reason, promised) = match &self.differs {
            Differs::ByDefault(reason, promised) if who == Who::Ours => (reason, promised),
            Differs::InText(reason, theirs, ours) => (reason, &original.replace(theirs, ours)),
            Differs::Always(reason, promised) => (reason, promised),
            _ if answer == original => return None,
            _ => return Some("not the original's".to_owned()),
        };
        if !matches(promised, answer) {
            return Some(format!("not what is promised ({reason}): {promised:?}"));
        }
        (answer == original).then(|| format!("a difference that has gone: {reason}"))
    }
}

/// One case with one of the inits.
pub(crate) struct Play<'c> {
    pub(crate) scene: Scene,
    pub(crate) who: Who,
    pub(crate) place: Place,
    original: Original,
    case: &'c Case,
}

impl<'c> Play<'c> {
    pub(crate) fn new(original: Original, who: Who, place: Place, case: &'c Case) -> Play<'c> {
        let play = Play { scene: Scene::new(), who, place, original, case };
        let file = match who {
            Who::Original => PathBuf::from(original.file),
            Who::Ours | Who::Strict => Init::Supervise.path().expect("cargo built it"),
        };
        fs::create_dir(play.folder("bin")).expect("the scene is new");
        symlink(file, play.link()).expect("the folder is ours");
        if case.line.contains("{folder}") || case.env.iter().any(|(_, value)| value.contains("{folder}")) {
            play.files();
        }
        play
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.scene.folder().join(name)
    }

    /// The init's file by the name that it is called by.
    pub(crate) fn link(&self) -> PathBuf {
        self.folder("bin").join(self.original.name)
    }

    /// Programs that do not start, or not like others.
    fn files(&self) {
        self.scene.executable("script", b"exit 7\n");
        self.scene.executable("empty", b"");
        self.scene.executable("lost", b"#!/no/such/interpreter\n");
        // For a machine that nobody has here.
        self.scene.executable("alien", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x12\x34\x01\0\0\0");
        fs::write(self.folder("bin/data"), b"exit 7\n").expect("the folder is writable");
        fs::write(self.folder("data"), b"exit 7\n").expect("the folder is writable");
        symlink("loop", self.folder("loop")).expect("the folder is writable");
    }

    /// The case's words, from the init's name on.
    pub(crate) fn words(&self) -> Vec<String> {
        let link = self.link().display().to_string();
        let name = if self.case.by_path { link } else { self.original.name.to_owned() };
        let written = split(&self.case.line).into_iter().map(|word| self.written(&word));
        self.case.behind.iter().cloned().chain([name]).chain(written).collect()
    }

    fn written(&self, word: &str) -> String {
        let folder = self.scene.folder().display().to_string();
        word.replace("{probe}", &probe().display().to_string()).replace("{folder}", &folder)
    }

    /// Variables that the case and whose answer it is ask for.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut all = vec![("PATH", format!("{}:{path}", self.folder("bin").display()))];
        all.extend(self.case.env.iter().map(|(name, value)| (*name, self.written(value))));
        if self.who == Who::Strict {
            all.push(("SUPERVISE_STRICT", "1".to_owned()));
        }
        all
    }

    pub(crate) fn launch(&self) -> Launch<'_> {
        self.launch_of(&self.words())
    }

    /// Other words than the case's own, in its place and with its variables.
    pub(crate) fn launch_of(&self, words: &[String]) -> Launch<'_> {
        let launch = self.scene.bare().place(self.place).called(self.original.name).argv(words);
        let launch = if self.case.entered.is_empty() { launch } else { launch.entered_with(self.case.entered) };
        self.variables().iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }

    /// Starts it, and waits until its payload is ready.
    #[track_caller]
    pub(crate) fn ready(&self) -> Running<'_> {
        let mut running = self.launch().spawn();
        // What an init says on stdout has its name in brackets.
        let line = std::iter::from_fn(|| Some(running.line())).find(|line| !line.starts_with('['));
        assert_eq!(line.as_deref(), Some("ready"));
        running
    }

    /// How it ended and what it said, with nothing in it that is another in each run.
    pub(crate) fn told(&self, ended: &Ended) -> String {
        let out = ended.stdout.iter().map(|line| format!("out: {line}"));
        let err = ended.stderr.iter().map(|line| format!("err: {line}"));
        let lines: Vec<String> = [code(ended.exit)].into_iter().chain(out).chain(err).collect();
        self.anonymous(&lines)
    }

    /// The lines, with pids by their order and the scene's folder by its name.
    pub(crate) fn anonymous(&self, lines: &[impl AsRef<str>]) -> String {
        let folder = self.scene.folder().display().to_string();
        let mut pids = Vec::new();
        // What the tests themselves put there; that ours is not passed on is a test of its own.
        let set = ["env PROBE_SCENE=", "env SUPERVISE_STRICT=", "env SUPERVISE_REQUESTS="];
        let ours = |line: &&str| set.iter().any(|variable| line.contains(variable));
        let lines = lines.iter().map(AsRef::as_ref).filter(|line| !ours(line));
        let lines: Vec<String> = lines.map(|line| numbered(&line.replace(&folder, "{folder}"), &mut pids)).collect();
        lines.join("\n")
    }
}

pub(crate) fn code(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// What stands before the pid of whoever speaks.
const BEFORE_A_SPEAKER: [&str; 2] = ["tini (", "catatonit:"];

/// What stands before another pid, or before another number that is new in each run.
const BEFORE_A_PID: [&str; 10] =
    ["pid '", "pid: '", "pid=", "PID ", "PID=", "pid1 (", "process ", "pid ", "gid ", "sid "];
const BEFORE_OTHERS: [&str; 1] = ["pipe:["];

fn numbered(line: &str, pids: &mut Vec<String>) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let behind = |texts: &[&str]| digits > 0 && texts.iter().any(|text| done.ends_with(text));
        let number = &rest[..digits];
        if behind(&BEFORE_A_SPEAKER) {
            done.push('N');
        } else if behind(&BEFORE_OTHERS) || (behind(&BEFORE_A_PID) && number != "1") {
            let known = pids.iter().position(|pid| pid == number).unwrap_or(pids.len());
            if known == pids.len() {
                pids.push(number.to_owned());
            }
            done.push_str(&format!("N{}", known + 1));
        } else {
            done.push_str(&rest[..digits.max(next.len_utf8())]);
        }
        rest = &rest[digits.max(next.len_utf8())..];
    }
    done
}

/// The words of a line, of which '...' is one. Commas between words are for the reader.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(|word| word.trim_end_matches(',').to_owned())),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// Whether a text is as written, where `*` stands for anything.
fn matches(written: &str, text: &str) -> bool {
    let Some((head, rest)) = written.split_once('*') else { return written == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what follows has the more room.
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

/// What an answer begins with that is none.
const NO_ANSWER: &str = "no answer, because";

/// What the harness says when its patience is at an end.
const IN_VAIN: &str = "waited in vain";

/// An answer, also where finding it failed: the other cases are to be heard too.
fn answer(original: Original, who: Who, place: Place, case: &Case) -> String {
    let asked = catch_unwind(AssertUnwindSafe(|| (case.ask)(&Play::new(original, who, place, case))));
    asked.unwrap_or_else(|why| {
        let why = why.downcast_ref::<String>().map_or("?", String::as_str);
        format!("{NO_ANSWER} {why}")
    })
}

/// The lines of one that the other has not, up to as many as can be read.
fn difference(theirs: &str, ours: &str) -> String {
    let only = |who: &str, of: &str, other: &str| -> Vec<String> {
        let lines = of.lines().filter(|line| !other.lines().any(|known| known == *line));
        lines.take(12).map(|line| format!("  {who}: {line}")).collect()
    };
    let mut lines = only("theirs", theirs, ours);
    lines.extend(only("ours", ours, theirs));
    if lines.is_empty() { format!("  both, perhaps in another order: {ours}") } else { lines.join("\n") }
}

/// Requires of each case that ours is the same as the original, or differs as it is said.
#[track_caller]
pub(crate) fn compare(original: Original, cases: &[Case]) {
    if !Path::new(original.file).exists() {
        skip(&format!("{} is not installed", original.file));
        return;
    }
    for reason in cases.iter().filter_map(Case::reason).collect::<BTreeSet<_>>() {
        note(&format!("{}: {reason}", original.name));
    }
    let (mut wrong, mut in_vain) = (Vec::new(), false);
    for (case, place) in cases.iter().flat_map(|case| case.places.iter().map(move |place| (case, *place))) {
        // Each wait takes its whole time: one tells enough.
        if in_vain {
            wrong.push("the cases that follow are not asked".to_owned());
            break;
        }
        let theirs = answer(original, Who::Original, place, case);
        assert!(!theirs.starts_with(NO_ANSWER), "of the original, to {} {}: {theirs}", case.what, case.line);
        for who in [Who::Ours, Who::Strict] {
            if in_vain {
                break;
            }
            let ours = answer(original, who, place, case);
            if let Some(verdict) = case.verdict(who, &theirs, &ours) {
                in_vain |= ours.contains(IN_VAIN);
                let Case { what, line, env, .. } = case;
                let asked = format!("{what}: {env:?} {} {line}, {place:?}, {who:?}", original.name);
                wrong.push(format!("{asked}: {verdict}\n{}", difference(&theirs, &ours)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Which signals the command finds blocked and ignored.
pub(crate) fn signal_state(play: &Play) -> String {
    let ended = play.launch().end();
    let state = ended.stdout.into_iter().filter(|line| line.starts_with("mask ") || line.starts_with("ignored "));
    state.collect::<Vec<_>>().join(", ")
}
