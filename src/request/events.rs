//! `supervise ctl events`: what happens, a line each, for people and for programs.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;
use supervise_init::core::request::{
    Asked, By, Dispatch, Haste, Health, Motive, News, Origin, Readiness, Reply, Stage, Standing, Unstarted, Way,
};
use supervise_init::core::{Failure, Heard, Name, Signal, Status};
use supervise_init::sys::{self, Output};

use super::act::outlast_the_stop;
use super::status::{json_fields, name as standing_name, quoted};
use super::time::written;
use crate::cli::{exit, help};

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Lines,
    Json,
}

/// What the fields of the objects are named and mean.
const SCHEMA: u32 = 1;

/// Our end of what process 1 tells us.
pub(super) struct Reader {
    socket: OwnedFd,
    /// The number of the signal by which somebody wants us to end; 0: nobody does.
    told: Arc<AtomicUsize>,
    /// What is blocked while we wait; `None`: what is blocked anyway.
    mask: Option<SigSet>,
}

/// What a wait has come to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Read {
    News(Dispatch),
    /// Process 1 has ended.
    End,
    /// Nothing has come within the limit.
    Late,
    /// Nothing has come, and somebody wants us to end, by this signal.
    Told(u8),
    /// Nothing has come, and nobody reads any more what is written.
    Unread,
}

/// Whether it is looked at who reads what is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    ToStdout,
}

impl Reader {
    pub(super) fn new(socket: OwnedFd) -> Reader {
        Reader { socket, told: Arc::default(), mask: None }
    }

    /// What comes next, within so long.
    pub(super) fn next(&self, limit: Option<Duration>) -> Read {
        self.wait(limit, Written::Nothing)
    }

    fn wait(&self, limit: Option<Duration>, written: Written) -> Read {
        let until = limit.map(|limit| Instant::now() + limit);
        let stdout = io::stdout();
        // Of who reads a pipe or a socket the kernel tells without being asked, and of a file nobody is ever gone.
        let mut asked =
            [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let count = if written == Written::ToStdout { 2 } else { 1 };
        loop {
            // What is there already is read first.
            match (self.read(), self.told.load(Relaxed)) {
                (Some(read), _) => return read,
                (None, 0) => {}
                (None, number) => return Read::Told(number as u8),
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Read::Late;
            }
            let asked = asked.get_mut(..count).unwrap_or_default();
            // A wait that fails is over, and what it was for is looked at again.
            let is_over = ppoll(asked, left.map(TimeSpec::from_duration), self.mask).is_err();
            let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
            let is_gone = |asked: &PollFd<'_>| asked.revents().is_some_and(|told| told.intersects(gone));
            if !is_over && asked.get(1).is_some_and(is_gone) {
                return Read::Unread;
            }
        }
    }

    /// `None`: there is nothing.
    fn read(&self) -> Option<Read> {
        loop {
            // One more than there can be: what is longer must not look like one.
            let mut bytes = [0; Dispatch::SIZE + 1];
            match nix::unistd::read(&self.socket, &mut bytes) {
                Ok(0) => return Some(Read::End),
                Ok(count) => {
                    // What a later version tells of may be nothing that we know.
                    if let Some(dispatch) = Dispatch::decode(bytes.get(..count).unwrap_or_default()) {
                        return Some(Read::News(dispatch));
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                Err(_) => return Some(Read::End),
            }
        }
    }

    /// From here on SIGTERM and SIGHUP, by which a stop tells everybody to end, are heard while we wait, and at no other time.
    fn listen_to_signals(&mut self) -> io::Result<()> {
        let mask = SigSet::thread_get_mask()?;
        outlast_the_stop();
        for signal in [Signal::TERM, Signal::HUP] {
            // Who started us may want that we outlast it (nohup(1)).
            if !sys::is_ignored(signal) {
                let number = signal.number();
                signal_hook::flag::register_usize(number.into(), Arc::clone(&self.told), number.into())?;
            }
        }
        self.mask = Some(mask);
        Ok(())
    }

    /// Forgets that somebody wants us to end.
    fn go_on(&self) {
        self.told.store(0, Relaxed);
    }
}

/// Prints how things stand, and then what happens, until process 1 ends or nobody reads it any more. Whoever tells us to
/// end ends us, but for a stop: it tells everybody, and is what we are here to see.
pub(super) fn print(form: Form, reply: &Reply, mut reader: Reader) -> u8 {
    if let Err(error) = reader.listen_to_signals() {
        log::warn!("cannot catch signals: {error}; a stop ends this too soon");
    }
    let mut stops = reply.standing == Standing::Stopping;
    let (mut line, mut is_over) = (first(form, reply), false);
    loop {
        if let Err(errno) = help::write(Output::Stdout, line.as_bytes()) {
            log::error!("cannot write to stdout: {}", sys::Errno(errno as i32));
            return exit::FAILURE;
        }
        if is_over {
            return exit::SUCCESS;
        }
        line = match reader.wait(None, Written::ToStdout) {
            Read::News(dispatch) => {
                is_over = matches!(dispatch.news, News::Exit(_));
                stops = match dispatch.news {
                    News::Stopping { .. } | News::Ended { .. } | News::Exit(_) => true,
                    News::Started { .. } | News::Restarting(_) => false,
                    _ => stops,
                };
                lines_of(form, &dispatch)
            }
            Read::Told(_) if stops => {
                reader.go_on();
                String::new()
            }
            // As a program that does nothing about it.
            Read::Told(number) => return 128 + number,
            // As who writes more to it.
            Read::Unread => return 128 + libc::SIGPIPE as u8,
            Read::End | Read::Late => return exit::SUCCESS,
        };
    }
}

/// What is told first: how things stand.
fn first(form: Form, reply: &Reply) -> String {
    let wall = sys::microseconds_since_1970();
    let monotonic = sys::now().since(supervise_init::core::Time::from_start(Duration::ZERO)).as_nanos();
    let monotonic = u64::try_from(monotonic).unwrap_or(u64::MAX);
    match form {
        Form::Json => format!("{}{}}}\n", head("state", wall, monotonic), json_fields(reply)),
        Form::Lines => {
            let mut said = format!("it is {}", standing_name(reply.standing));
            if reply.main > 0 {
                let _ = write!(said, " (pid {})", reply.main);
            }
            said_at(wall, &said)
        }
    }
}

/// A line, or two where some before it are lost.
fn lines_of(form: Form, dispatch: &Dispatch) -> String {
    let Dispatch { wall, monotonic, lost, .. } = *dispatch;
    match (form, lost) {
        (Form::Json, 0) => json(dispatch),
        (Form::Json, _) => format!("{},\"count\":{lost}}}\n{}", head("lost", wall, monotonic), json(dispatch)),
        (Form::Lines, 0) => said_at(wall, &text(&dispatch.news)),
        (Form::Lines, _) => {
            let missing = format!("{lost} events before this one are lost: they were not read in time");
            said_at(wall, &missing) + &said_at(wall, &text(&dispatch.news))
        }
    }
}

fn said_at(wall: u64, said: &str) -> String {
    format!("{}  {said}\n", written(wall))
}

fn head(event: &str, wall: u64, monotonic: u64) -> String {
    let (at, of_at) = (wall / 1_000_000, wall % 1_000_000);
    let monotonic = monotonic / 1000;
    let (seconds, microseconds) = (monotonic / 1_000_000, monotonic % 1_000_000);
    format!(
        "{{\"schema\":{SCHEMA},\"event\":\"{event}\",\"at\":{at}.{of_at:06},\"monotonic\":{seconds}.{microseconds:06}"
    )
}

fn json(dispatch: &Dispatch) -> String {
    let (event, fields) = match dispatch.news {
        News::Started { pid, restarts } => ("started", format!(",\"pid\":{pid},\"restarts\":{restarts}")),
        News::Followed { pid, former } => ("followed", format!(",\"pid\":{pid},\"former\":{former}")),
        News::Readiness(readiness) => (readiness_name(readiness), String::new()),
        News::Health(health) => (health_event(health), String::new()),
        News::Said(said) => ("status", format!(",\"text\":{}", quoted(said.as_str()))),
        News::Stopping { step, signal, by } => {
            let signal = signal.map_or_else(|| "null".to_owned(), |signal| format!("\"{signal}\""));
            ("stopping", format!(",\"step\":\"{}\",\"signal\":{signal},\"by\":{}", step_name(step), by_json(by)))
        }
        News::Killed { pid, name } => ("killed", format!(",\"pid\":{pid},\"comm\":{}", quoted(&shown(&name)))),
        News::Ended { pid, status, by } => {
            ("ended", format!(",\"pid\":{pid},{},\"by\":{}", status_json(status), by_json(by)))
        }
        News::NotStarted(why) => ("not-started", format!(",\"error\":{}", quoted(&reason(why)))),
        News::Restarting(wait) => ("restarting", format!(",\"milliseconds\":{wait}")),
        News::GivenUp(restarts) => ("given-up", format!(",\"restarts\":{restarts}")),
        News::Forwarded { signal, by } => {
            ("forwarded", format!(",\"signal\":\"{signal}\",\"number\":{},\"by\":{}", signal.number(), by_json(by)))
        }
        News::Requested { what, heard, by } => {
            let what = quoted(&asked_text(what));
            ("request", format!(",\"what\":{what},\"result\":\"{}\",\"by\":{}", heard_name(heard), by_json(by)))
        }
        News::Exit(Some(code)) => ("exit", format!(",\"code\":{code}")),
        News::Exit(None) => ("exit", ",\"code\":null".to_owned()),
    };
    format!("{}{fields}}}\n", head(event, dispatch.wall, dispatch.monotonic))
}

fn text(news: &News) -> String {
    match *news {
        News::Started { pid, restarts: 0 } => format!("started as pid {pid}"),
        News::Started { pid, restarts } => format!("started as pid {pid} (restart {restarts})"),
        News::Followed { pid, former } => format!("goes on as pid {pid}; pid {former} has ended"),
        News::Readiness(readiness) => readiness_name(readiness).replace('-', " "),
        News::Health(Health::Starting) => "its health is checked".to_owned(),
        News::Health(health) => health_name(health).to_owned(),
        News::Said(said) => format!("says {:?}", said.as_str()),
        News::Stopping { step, signal, by } => {
            let told = match (step, signal) {
                (Stage::PreStart, _) => "a stop: the hook before the start is told to end".to_owned(),
                (Stage::PreStop, _) => "a stop: its hook runs first".to_owned(),
                (Stage::Delay, _) => "a stop: the delay runs first".to_owned(),
                (Stage::Signal, Some(signal)) => format!("told to stop with {signal}"),
                (Stage::Signal, None) => "told to stop".to_owned(),
                (Stage::Wait, _) => "what it left behind is waited for".to_owned(),
                (Stage::Leftovers, _) => "what it left behind is told to end".to_owned(),
            };
            told + &by_text(by)
        }
        News::Killed { pid, name } => format!("pid {pid} ({}) is killed", shown(&name).escape_debug()),
        News::Ended { pid, status: Status::Exited(code), by } => {
            format!("pid {pid} has ended with code {code}{}", by_text(by))
        }
        News::Ended { pid, status: Status::Signaled(signal), by } => {
            format!("pid {pid} was ended by {signal}{}", by_text(by))
        }
        News::NotStarted(why) => format!("could not be started: {}", reason(why)),
        News::Restarting(wait) => format!("starting it again in {wait} ms"),
        News::GivenUp(restarts) => format!("giving up after {restarts} restarts"),
        News::Forwarded { signal, by } => format!("{signal} is passed on{}", by_text(by)),
        News::Requested { what, heard, by } => {
            let comes = match heard {
                Heard::Begun => "",
                Heard::UnderWay => "; all are being stopped already",
                Heard::Ignored => "; there is nothing to do",
            };
            format!("{} asked for{}{comes}", asked_text(what), by_text(by))
        }
        News::Exit(Some(code)) => format!("process 1 ends with code {code}"),
        News::Exit(None) => "process 1 ends: the command could not be started".to_owned(),
    }
}

/// Why it could not be started, as far as that is told; its log line says more.
pub(super) fn reason(why: Unstarted) -> String {
    match why {
        Unstarted::Refused(errno) => sys::Errno(errno.into()).to_string(),
        Unstarted::Unprepared => "what is to run before it has failed".to_owned(),
    }
}

/// `,"code":7` or `,"signal":"SIGKILL"`, without the comma.
pub(super) fn status_json(status: Status) -> String {
    match status {
        Status::Exited(code) => format!("\"code\":{code}"),
        Status::Signaled(signal) => format!("\"signal\":\"{signal}\""),
    }
}

pub(super) fn readiness_name(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::NotReady => "not-ready",
        Readiness::Ready => "ready",
        Readiness::Reloading => "reloading",
        Readiness::Stopping => "stops-itself",
    }
}

pub(super) fn health_name(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

fn health_event(health: Health) -> &'static str {
    match health {
        Health::Starting => "health-starting",
        health => health_name(health),
    }
}

/// As the exit report names the rungs.
fn step_name(step: Stage) -> &'static str {
    match step {
        Stage::PreStart => "pre-start",
        Stage::PreStop => "pre-stop",
        Stage::Delay => "delay",
        Stage::Signal => "signal",
        Stage::Wait => "wait",
        Stage::Leftovers => "leftovers",
    }
}

fn heard_name(heard: Heard) -> &'static str {
    match heard {
        Heard::Begun => "begun",
        Heard::UnderWay => "under-way",
        Heard::Ignored => "ignored",
    }
}

fn asked_text(what: Asked) -> String {
    let immediate = |haste| if haste == Haste::Immediate { "immediate " } else { "" };
    match what {
        Asked::End(request) => format!("{}{}", immediate(request.haste), request.wish),
        Asked::Schedule(wish) => format!("{wish} at a time"),
        Asked::Cancel => "cancelling what is scheduled".to_owned(),
        Asked::Warn(wish) => format!("warning of a {wish}"),
        Asked::Reload => "reload".to_owned(),
        Asked::Reexecute => "re-execution".to_owned(),
        Asked::Reopen => "opening /run/initctl again".to_owned(),
        Asked::Runlevel(level) => format!("runlevel {}", char::from(level)),
    }
}

fn cause_name(motive: Motive) -> Option<&'static str> {
    Some(match motive {
        Motive::Nothing => return None,
        Motive::Asked(Way::Signal(_)) => "signal",
        Motive::Asked(Way::Initctl) => "initctl",
        Motive::Asked(Way::Control) => "control",
        Motive::Asked(Way::Bus) => "bus",
        Motive::Asked(Way::Schedule) => "schedule",
        Motive::MaxTime => "max-time",
        Motive::Failed(Failure::NotReady) => "not-ready",
        Motive::Failed(Failure::Watchdog) => "watchdog",
        Motive::Failed(Failure::Unhealthy(_)) => "unhealthy",
    })
}

fn by_json(by: By) -> String {
    let Some(cause) = cause_name(by.cause) else { return "null".to_owned() };
    let mut out = format!("{{\"cause\":\"{cause}\"");
    if let Motive::Asked(way @ Way::Signal(_)) = by.cause {
        let _ = write!(out, ",\"signal\":\"{way}\"");
    }
    let from = match by.origin {
        Origin::Unknown => None,
        Origin::Kernel => Some("kernel"),
        Origin::Outside => Some("outside"),
        Origin::Ourselves => Some("ourselves"),
        Origin::Process { .. } => Some("process"),
    };
    if let Some(from) = from {
        let _ = write!(out, ",\"from\":\"{from}\"");
    }
    if let Origin::Process { pid, uid, name } = by.origin {
        let _ = write!(out, ",\"pid\":{pid},\"uid\":{uid}");
        let name = shown(&name);
        if !name.is_empty() {
            let _ = write!(out, ",\"comm\":{}", quoted(&name));
        }
    }
    out + "}"
}

fn by_text(by: By) -> String {
    let way = match by.cause {
        Motive::Nothing => return String::new(),
        Motive::Asked(way) => way,
        Motive::MaxTime => return ", because its longest time is over".to_owned(),
        Motive::Failed(Failure::NotReady) => return ", because it was not ready in time".to_owned(),
        Motive::Failed(Failure::Watchdog) => return ", because it did not say that it is alive".to_owned(),
        Motive::Failed(Failure::Unhealthy(_)) => return ", because it is unhealthy".to_owned(),
    };
    let who = match by.origin {
        Origin::Unknown => return format!(", by {way}"),
        Origin::Kernel => "the kernel".to_owned(),
        Origin::Outside => "somebody outside".to_owned(),
        Origin::Ourselves => "itself".to_owned(),
        Origin::Process { pid, uid, name } => {
            let name = shown(&name);
            let name = if name.is_empty() { "a process that is gone".into() } else { name.escape_debug().to_string() };
            format!("{name} (pid {pid}, uid {uid})")
        }
    };
    format!(", by {who} through {way}")
}

/// The name up to its zero.
fn shown(name: &Name) -> String {
    let bytes = name.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}
