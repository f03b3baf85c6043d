//! The words of `supervise check`.

mod wrong;

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use supervise_init::core::Signal;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id};
use super::subcommands::Row;
use super::wrong::{Given, Wrong};
use super::{Request, choice, maps, named, stop, value};
use crate::check::scenario::{Extension, Format, Mode, OkExit, Order, Ready, Target, Way};
use crate::wait_for;
pub(crate) use wrong::WrongCheck;

/// What was said so far.
struct Said {
    order: Order,
    profile: Option<Profile>,
    grace: Option<Duration>,
    target: Option<Target>,
    level: Option<LevelFilter>,
}

/// Who would stop the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Profile {
    /// And podman.
    Docker,
    Kubernetes,
    Systemd,
}

impl Profile {
    /// What they do unless they are told otherwise: docker-stop(1), podman-stop(1), terminationGracePeriodSeconds,
    /// TimeoutStopSec= and KillMode= of systemd.
    fn settings(self) -> (Duration, Target) {
        let (seconds, target) = match self {
            Profile::Docker => (10, Target::Main),
            Profile::Kubernetes => (30, Target::Main),
            Profile::Systemd => (90, Target::Tree),
        };
        (Duration::from_secs(seconds), target)
    }
}

/// `supervise check [OPTIONS] [--] COMMAND [ARG]...`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let options = subcommand.shown_options();
    let mut said = Said::default();
    let mut explained = Vec::new();
    let mut at = 2;
    while let Some(word) = words.get(at) {
        let unknown = || Wrong::unknown_to_runner(subcommand, word, &options);
        let row = match word.to_bytes() {
            b"--" => {
                at += 1;
                break;
            }
            [b'-', b'-', ..] => {
                let (row, attached) = named(word, options.iter().copied()).ok_or_else(unknown)?;
                let value = value(words, &mut at, row, attached)?;
                if row.id == Id::Explain {
                    explained.push(value.to_str().map_err(|_| Wrong::NotUtf8(Given::Option(row), value))?);
                } else {
                    said.set(row, value)?;
                }
                row
            }
            [b'-', letter] => {
                let row = options.iter().copied().find(|row| row.short == Some(char::from(*letter)));
                let row = row.ok_or_else(unknown)?;
                said.set(row, c"")?;
                row
            }
            [b'-', _, ..] => return Err(unknown()),
            _ => break,
        };
        match row.id {
            Id::Help if word == c"-h" => return Ok(Request::Print(Print::ShortHelp(Some(subcommand)))),
            Id::Help => return Ok(Request::Print(Print::LongHelp(Some(subcommand)))),
            _ => at += 1,
        }
    }
    if !explained.is_empty() {
        return Ok(Request::Explain(explained));
    }
    if at >= words.count() {
        return Err(WrongCheck::NoCommand.into());
    }
    Ok(Request::Check(Box::new(said.settle(at)), said.level))
}

impl Default for Said {
    fn default() -> Said {
        let (grace, target) = Profile::Docker.settings();
        let order = Order {
            modes: vec![Mode::Pid1, Mode::Child],
            signals: vec![Signal::TERM],
            target,
            grace,
            extension: Extension::Unheard,
            ready: Ready::Quiet,
            ready_timeout: Duration::from_secs(30),
            repeat: 1,
            also: vec![Way::StoppedFirst],
            state_dirs: Vec::new(),
            ok_exit: Vec::new(),
            format: Format::Text,
            is_strict: false,
            command: 0,
        };
        Said { order, profile: None, grace: None, target: None, level: None }
    }
}

impl Said {
    fn set(&mut self, row: &'static options::Row, word: &'static CStr) -> Result<(), Wrong> {
        let given = Given::Option(row);
        let text = || word.to_str().map_err(|_| Wrong::NotUtf8(given, word));
        let order = &mut self.order;
        match row.id {
            Id::As => order.modes = list(text()?, |part| mode(given, word, part))?,
            Id::SignalToSend => order.signals = list(text()?, |part| signal(given, text()?, part))?,
            Id::Target => self.target = Some(choice(given, text()?, target_named)?),
            Id::GraceOfCheck => self.grace = Some(some_time(given, text()?)?),
            Id::Profile => self.profile = Some(choice(given, text()?, profile_named)?),
            Id::Ready => order.ready = ready(given, word)?,
            Id::ReadyTimeout => order.ready_timeout = some_time(given, text()?)?,
            Id::Repeat => order.repeat = number(given, text()?)?,
            Id::Also => order.also = also(given, text()?)?,
            Id::StateDir => order.state_dirs.push(Path::new(OsStr::from_bytes(word.to_bytes()))),
            Id::OkExitOfCheck => order.ok_exit = list(text()?, |part| ok_exit(given, text()?, part))?,
            Id::Strict => order.is_strict = true,
            Id::FormatOfCheck => order.format = choice(given, text()?, format_named)?,
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            _ => {}
        }
        Ok(())
    }

    fn settle(&self, command: usize) -> Order {
        let (grace, target) = self.profile.unwrap_or(Profile::Docker).settings();
        Order {
            grace: self.grace.unwrap_or(grace),
            target: self.target.unwrap_or(target),
            extension: match self.profile {
                Some(Profile::Systemd) => Extension::Granted,
                Some(Profile::Docker | Profile::Kubernetes) | None => Extension::Unheard,
            },
            command,
            ..self.order.clone()
        }
    }
}

/// With commas between them; what is said twice counts once.
fn list<T: PartialEq>(whole: &'static str, read: impl Fn(&'static str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let mut found = Vec::new();
    for part in whole.split(',') {
        let part = read(part)?;
        if !found.contains(&part) {
            found.push(part);
        }
    }
    Ok(found)
}

fn mode(given: Given, whole: &'static CStr, word: &'static str) -> Result<Mode, Wrong> {
    let found = [Mode::Pid1, Mode::Child, Mode::Init].into_iter().find(|mode| mode.name() == word);
    found.ok_or_else(|| WrongCheck::NotAMode(given, whole.to_str().unwrap_or_default(), word).into())
}

/// `none` stands alone.
fn also(given: Given, whole: &'static str) -> Result<Vec<Way>, Wrong> {
    if whole == "none" {
        return Ok(Vec::new());
    }
    if whole.split(',').any(|part| part == "none") {
        return Err(WrongCheck::NotNone(given, whole).into());
    }
    list(whole, |part| {
        let found = [Way::StoppedFirst, Way::Visited].into_iter().find(|way| way.name() == part);
        found.ok_or_else(|| WrongCheck::NotAWay(given, whole, part).into())
    })
}

fn signal(given: Given, whole: &'static str, word: &'static str) -> Result<Signal, Wrong> {
    let signal = maps::signal(given, whole, word)?;
    match signal {
        Signal::KILL => Err(WrongCheck::Unheard(given, whole).into()),
        Signal::STOP | Signal::CONT | Signal::CHLD => Err(WrongCheck::Untellable(given, whole, signal).into()),
        // Stopped it is, and not told.
        _ if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal.number().into()) => {
            Err(WrongCheck::Untellable(given, whole, signal).into())
        }
        _ => Ok(signal),
    }
}

fn target_named(word: &str) -> Option<Target> {
    [Target::Main, Target::Group, Target::Tree].into_iter().find(|target| target.name() == word)
}

fn profile_named(word: &str) -> Option<Profile> {
    match word {
        "docker" | "podman" => Some(Profile::Docker),
        "kubernetes" => Some(Profile::Kubernetes),
        "systemd" => Some(Profile::Systemd),
        _ => None,
    }
}

fn format_named(word: &str) -> Option<Format> {
    match word {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        "junit" => Some(Format::Junit),
        "tap" => Some(Format::Tap),
        _ => None,
    }
}

fn some_time(given: Given, word: &'static str) -> Result<Duration, Wrong> {
    match stop::time(given, word)? {
        Duration::ZERO => Err(WrongCheck::NoTime(given, word).into()),
        time => Ok(time),
    }
}

fn number(given: Given, word: &'static str) -> Result<u32, Wrong> {
    let number = word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    number.filter(|number| (1..=1000).contains(number)).ok_or_else(|| WrongCheck::NotANumber(given, word).into())
}

/// A code, or a signal by its name: a number is never one here.
pub(super) fn ok_exit(given: Given, whole: &'static str, word: &'static str) -> Result<OkExit, Wrong> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number, word.parse()) {
        (true, Ok(code)) => Ok(OkExit::Code(code)),
        (true, Err(_)) => Err(Wrong::NotACode(given, whole, word)),
        (false, _) => match Signal::parse(word) {
            Some(signal) => Ok(OkExit::Signal(signal)),
            None => Err(Wrong::NeitherCodeNorSignal(given, whole, word)),
        },
    }
}

fn ready(given: Given, word: &'static CStr) -> Result<Ready, Wrong> {
    let text = || word.to_str().map_err(|_| Wrong::NotUtf8(given, word));
    let after = |kind: &str| text().map(|text| text.strip_prefix(kind).unwrap_or_default());
    match word.to_bytes() {
        b"sd_notify" => Ok(Ready::SdNotify),
        [b'f', b'd', b':', ..] => {
            let fd = after("fd:")?.parse().ok().filter(|fd| (3..=1000).contains(fd));
            fd.map(Ready::Fd).ok_or_else(|| WrongCheck::NotADescriptor(given, word).into())
        }
        [b'l', b'o', b'g', b':', ..] => {
            let pattern = after("log:")?;
            match regex_lite::Regex::new(pattern) {
                Ok(_) => Ok(Ready::Log(pattern)),
                Err(why) => Err(WrongCheck::NotARegex(given, word, why.to_string()).into()),
            }
        }
        [b'd', b'e', b'l', b'a', b'y', b':', ..] => stop::time_in(given, text()?, after("delay:")?).map(Ready::Delay),
        bytes
            if [&b"tcp:"[..], b"unix:", b"http:", b"https:", b"file:", b"exec:"]
                .iter()
                .any(|kind| bytes.starts_with(kind)) =>
        {
            match wait_for::Target::parse(word) {
                Ok(_) => Ok(Ready::Probe(word)),
                Err(why) => Err(WrongCheck::NotReady(given, word, why).into()),
            }
        }
        _ => Err(WrongCheck::NotAReady(given, word).into()),
    }
}
