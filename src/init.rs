//! The init of one command: from checked options to the machine, and from how it ended to our exit code.

use std::ffi::CStr;

use log::{LevelFilter, debug, error, warn};
use supervise_init::core::{Outcome, Policy, Record, Scope, Signal, Single, StartError};
use supervise_init::driver::{self, Purpose, Setting, Slot};
use supervise_init::sys::{
    self, Entry, Environment, Format, Pid, Program, SigSet, Static, Words, parent, session, session_of, this_process,
};

use crate::cli::hooks::Hooks;
use crate::cli::{self, Options, Variables};
use crate::conduct::{Orphans, Signals};
use crate::hooks::{Around, Plan};
use crate::outfit::Ready;
use crate::place::Place;
use crate::report::{NotStarted, Report};
use crate::{compat, diagnose, end};

/// What the environment told us.
pub(crate) struct Surroundings {
    ourselves: Pid,
    path: Option<&'static CStr>,
    log: Option<&'static CStr>,
    log_format: Option<&'static CStr>,
    strict: Option<&'static CStr>,
    variables: Variables,
    pid_entries: [Option<&'static CStr>; 2],
}

/// What sysvinit tells its children about itself, which is not true below us.
const OF_ANOTHER_INIT: [&[u8]; 3] = [b"RUNLEVEL=", b"PREVLEVEL=", b"INIT_VERSION="];

impl Surroundings {
    /// Reads the environment once and takes out of it what is not the payload's.
    pub(crate) fn take(environment: &mut Environment) -> Surroundings {
        let ourselves = this_process();
        let mut found = Surroundings {
            ourselves,
            path: None,
            log: None,
            log_format: None,
            strict: None,
            variables: Variables::default(),
            pid_entries: [None; 2],
        };
        environment.retain(Surroundings::may_be_read, |entry| found.look_at(entry));
        found
    }

    /// The first bytes of what is looked at.
    fn may_be_read(first: u8) -> bool {
        matches!(first, b'P' | b'S' | b'L' | b'W' | b'R' | b'I')
    }

    /// Whether the entry is the payload's.
    fn look_at(&mut self, entry: &'static CStr) -> bool {
        let bytes = entry.to_bytes();
        match bytes.first() {
            Some(b'P') if bytes.starts_with(b"PATH=") => self.path = after(entry, b"PATH="),
            Some(b'S') if bytes.starts_with(b"SUPERVISE_") => return !self.take_variable(entry),
            // sd_listen_fds(3) and sd_watchdog_enabled(3) compare these with the reader's own pid.
            Some(b'L') if self.names_us(bytes, b"LISTEN_PID=") => self.pid_entries[0] = Some(entry),
            Some(b'W') if self.names_us(bytes, b"WATCHDOG_PID=") => self.pid_entries[1] = Some(entry),
            Some(b'R' | b'P' | b'I') if self.is_pid_1() => {
                return !OF_ANOTHER_INIT.iter().any(|name| bytes.starts_with(name));
            }
            _ => {}
        }
        true
    }

    /// Whether the entry is a variable of ours. Others that begin so are somebody else's: Kubernetes makes
    /// `SUPERVISE_PORT` for a service of that name.
    fn take_variable(&mut self, entry: &'static CStr) -> bool {
        let Some(pair) = after(entry, b"SUPERVISE_") else { return false };
        let bytes = pair.to_bytes();
        let Some(length) = bytes.iter().position(|byte| *byte == b'=') else { return false };
        let value = CStr::from_bytes_with_nul(pair.to_bytes_with_nul().get(length + 1..).unwrap_or_default()).ok();
        let place = match bytes.get(..length).unwrap_or_default() {
            b"LOG" => &mut self.log,
            b"LOG_FORMAT" => &mut self.log_format,
            b"STRICT" => &mut self.strict,
            name => match cli::place_of_variable(name).and_then(|place| self.variables.get_mut(place)) {
                Some(place) => place,
                None => return false,
            },
        };
        // The first counts, as for getenv(3).
        *place = place.or(value);
        true
    }

    /// The options that the environment gives.
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    fn names_us(&self, entry: &[u8], name: &[u8]) -> bool {
        let value = entry.strip_prefix(name).and_then(|value| std::str::from_utf8(value).ok());
        value.is_some_and(|value| value.parse() == Ok(self.ourselves.number()))
    }

    /// Where programs are looked for.
    pub(crate) fn search_path(&self) -> &'static CStr {
        self.path.unwrap_or(sys::DEFAULT_PATH)
    }

    pub(crate) fn ourselves(&self) -> Pid {
        self.ourselves
    }

    /// Whether all is to be as another init does it; the error is what is neither yes nor no.
    pub(crate) fn strict(&self) -> Result<bool, &'static CStr> {
        let Some(value) = self.strict.filter(|value| !value.is_empty()) else { return Ok(false) };
        cli::yes_or_no(value.to_str().unwrap_or_default()).ok_or(value)
    }

    /// Whether it is said what is to be logged.
    pub(crate) fn has_level(&self) -> bool {
        self.log.is_some_and(|word| !word.is_empty())
    }

    /// From here on lines can be logged.
    pub(crate) fn install_log(&self) {
        sys::install_log(LevelFilter::Warn, self.format().unwrap_or(Format::Text));
    }

    /// What is logged will look as it should, by whatever log.
    pub(crate) fn prepare_log(&self) {
        sys::set_log_format(self.format().unwrap_or(Format::Text));
    }

    pub(crate) fn is_pid_1(&self) -> bool {
        self.ourselves.number() == 1
    }

    /// As `SUPERVISE_LOG_FORMAT` says; what it cannot mean is text, and `None`.
    pub(crate) fn format(&self) -> Option<Format> {
        let Some(word) = self.log_format.filter(|word| !word.is_empty()) else { return Some(Format::Text) };
        word.to_str().ok().and_then(crate::format_named)
    }

    /// What is logged from here on: as it is `asked` for, else as `SUPERVISE_LOG` says.
    pub(crate) fn set_level(&self, asked: Option<LevelFilter>) {
        let level = asked.unwrap_or_else(|| self.level());
        // Why nothing was started is always said.
        log::set_max_level(level.max(LevelFilter::Error));
        if self.format().is_none()
            && let Some(word) = self.log_format
        {
            warn!("SUPERVISE_LOG_FORMAT={}: no log format (text, json); taken as text", word.to_string_lossy());
        }
    }

    /// As `SUPERVISE_LOG` says. Our environment may be another program's: what it cannot mean is no error.
    fn level(&self) -> LevelFilter {
        let Some(word) = self.log else { return LevelFilter::Warn };
        match word.to_str().map(str::parse) {
            Ok(Ok(level)) => level,
            // A compose file sets what it has no value for to nothing.
            _ if word.is_empty() => LevelFilter::Warn,
            _ => {
                warn!(
                    "SUPERVISE_LOG={}: no log level (off, error, warn, info, debug, trace); taken as warn",
                    word.to_string_lossy()
                );
                LevelFilter::Warn
            }
        }
    }
}

fn after(entry: &'static CStr, name: &[u8]) -> Option<&'static CStr> {
    CStr::from_bytes_with_nul(entry.to_bytes_with_nul().get(name.len()..)?).ok()
}

/// Runs the command to its end.
///
/// The frame of this function stays in memory as long as the command runs, so what comes before and after has frames of
/// its own.
#[inline(never)]
pub(crate) fn run(
    words: Words,
    environment: Environment,
    entry: Entry,
    surroundings: &Surroundings,
    options: &Options,
) -> u8 {
    let (report, place, ready) = match prepare(environment, surroundings, options) {
        Ok(prepared) => prepared,
        Err(()) => return failure(options),
    };
    let conduct = options.conduct;
    compat::leave_terminal(conduct.grouping, surroundings.ourselves);
    let program = Program {
        words,
        first: options.command,
        environment: ready.environment,
        path: ready.path,
        pid_entries: surroundings.pid_entries,
        named: None,
        entry: hand_on(entry, conduct.signals),
        placement: place.placement,
        alterations: ready.alterations,
    };
    let mut alone = [Slot::new(program, options.forward_to, place.tty)];
    let mut plan = options.hooks.as_deref().map(|hooks| plan(hooks, alone[0], surroundings, options, ready.outside));
    let (slots, before): (&mut [Slot<'_>], &[_]) = match &mut plan {
        _ if !conduct.has_main => (&mut [], &[]),
        Some(plan) => (&mut plan.slots, &plan.limits),
        None => (&mut alone, &[]),
    };
    let policy = Policy {
        before,
        forwarding: &options.forwarding,
        exit_map: &options.exit_map,
        group: place.group,
        job_control: place.job_control,
        scope: place.scope,
        ladder: &options.ladder,
        on_signal_death: place.on_signal_death,
        hurry: conduct.hurry,
        parting: conduct.parting,
    };
    let mut machine = if conduct.has_main { Single::new(policy) } else { Single::without_main(policy) };
    let mut record = if report.is_some() { RECORD.put(Record::EMPTY) } else { None };
    let context = diagnose::stop::Context {
        ourselves: surroundings.ourselves,
        scope: place.scope,
        kill_mode: options.ladder.kill_mode,
        program,
    };
    let setting = Setting {
        scope: place.scope,
        ourselves: surroundings.ourselves,
        explain: Some(&|situation| diagnose::stop::explain(situation, &context)),
        record: record.as_deref_mut(),
        spared: report.as_ref().map(Report::file),
        kept: conduct.kept,
    };
    let outcome = driver::run(&mut machine, slots, setting);
    let slots = plan.as_ref().map_or(&alone[..], |plan| &plan.slots);
    conclude(outcome, slots, report.as_ref().zip(record.as_deref()), options)
}

/// Not in our caller's frame, which stays in memory.
#[inline(never)]
fn plan<'a>(
    hooks: &'a Hooks,
    main: Slot<'a>,
    surroundings: &Surroundings,
    options: &Options,
    environment: Environment,
) -> Box<Plan<'a>> {
    let Place { placement, group, tty, .. } = Place::of_hooks(surroundings, options);
    let around = Around { environment, placement, group, tty };
    Box::new(Plan::new(hooks, main, around))
}

/// What our own failures end with.
fn failure(options: &Options) -> u8 {
    if options.conduct.voice.is_some() { compat::FAILURE } else { cli::exit::FAILURE }
}

/// The signal state that the command gets, of that which we were given.
fn hand_on(entry: Entry, signals: Signals) -> Entry {
    match signals {
        Signals::AsGiven => entry,
        Signals::Blocking(more) => entry.with_mask(SigSet::from_bits(entry.mask().bits() | more.bits())),
        Signals::Reset => {
            sys::forget_dispositions();
            entry.without_child_signal().with_mask(SigSet::NONE)
        }
    }
}

/// What has to be right before anything starts, and where we stand. What is not is said.
#[inline(never)]
fn prepare(
    environment: Environment,
    surroundings: &Surroundings,
    options: &Options,
) -> Result<(Option<Report>, Place, Ready), ()> {
    surroundings.set_level(options.level);
    if let Some(voice) = options.conduct.voice {
        voice.listen();
    }
    let ready = dress(environment, surroundings, options)?;
    let report = open_report(options)?;
    if let Some(signal) = options.parent_death {
        follow_parent(signal, surroundings.ourselves);
    }
    let place = Place::new(surroundings, options);
    if place.scope == Scope::Tree && options.conduct.orphans == Orphans::Adopted {
        match sys::set_subreaper() {
            Ok(()) => debug!(event = "subreaper"; "orphans of the command will be our children"),
            Err(errno) => warn!("cannot become a subreaper: {errno}; orphans of the command go elsewhere"),
        }
    }
    Ok((report, place, ready))
}

/// Looks up what the command is given, or says why it cannot be had.
fn dress(environment: Environment, surroundings: &Surroundings, options: &Options) -> Result<Ready, ()> {
    let Some(outfit) = &options.outfit else {
        return Ok(Ready { environment, outside: environment, path: surroundings.path, alterations: None });
    };
    outfit.prepare(environment, surroundings.path).map_err(|wrong| error!("{wrong}"))
}

/// Says and writes down how it went, and ends as main did.
#[inline(never)]
fn conclude(outcome: Outcome, slots: &[Slot<'_>], report: Option<(&Report, &Record)>, options: &Options) -> u8 {
    let Some(main) = slots.first() else { return failure(options) };
    let unstarted = match outcome {
        Outcome::NotStarted(child, why) => slots.get(usize::from(child.0)).map(|slot| not_started(slot, why, options)),
        Outcome::Code(_) | Outcome::Signal(_) => None,
    };
    if let Some((report, record)) = report {
        let prevented = record.prevented().and_then(|(hook, fault)| {
            let text = format!("{} {fault}; the command was not started", slots.get(usize::from(hook.0))?.title());
            // The outcome has the code.
            Some(NotStarted { text, code: failure(options), is_said: false })
        });
        report.write(record, main.program().name(), unstarted.as_ref().or(prevented.as_ref()), outcome);
    }
    if let Some(NotStarted { text, code, is_said }) = unstarted {
        if !is_said {
            error!("{text}");
        }
        return code;
    }
    match outcome {
        Outcome::Code(code) => code,
        Outcome::Signal(signal) => end::die_of(signal),
        Outcome::NotStarted(..) => failure(options),
    }
}

/// Why the command, or what is to run before it, could not be started.
fn not_started(slot: &Slot<'_>, why: StartError, options: &Options) -> NotStarted {
    let program = slot.program();
    // A subcommand is the first word only; who misspells one elsewhere rather means another program.
    let meant = |word: &str| {
        let is_main = slot.purpose() == Purpose::Main;
        let meant = cli::suggest::nearest_subcommand(word).filter(|_| is_main);
        meant.filter(|meant| program.first == 1 || *meant == word)
    };
    let reason = diagnose::start::explain(program, why, meant);
    match (slot.purpose(), options.conduct.voice) {
        (Purpose::Main, Some(voice)) => {
            let code = compat::explain_start(voice, program.name(), why, &reason);
            NotStarted { text: reason.to_string(), code, is_said: true }
        }
        (Purpose::Main, None) => NotStarted { text: reason.to_string(), code: reason.code(), is_said: false },
        (Purpose::PreStart | Purpose::PreStop, voice) => {
            let text = format!("{reason}; it was to run {}; the command was not started", slot.title());
            let code = if voice.is_some() { compat::FAILURE } else { reason.code() };
            NotStarted { text, code, is_said: false }
        }
    }
}

/// Where a report's matter is kept, if one is asked for.
static RECORD: Static<Record> = Static::new();

/// Opens the report's file, or says why it cannot be.
fn open_report(options: &Options) -> Result<Option<Report>, ()> {
    let Some(path) = options.exit_report else { return Ok(None) };
    match Report::open(path, options.exit_report_format) {
        Ok(report) if report.file().is_an_output() => {
            let path = path.to_string_lossy();
            error!(
                "cannot write an exit report to {path}: stdout or stderr goes there and would be overwritten; nothing was started"
            );
            Err(())
        }
        Ok(report) => Ok(Some(report)),
        Err(errno) => {
            error!("cannot write an exit report to {}: {errno}; nothing was started", path.to_string_lossy());
            Err(())
        }
    }
}

/// Has the kernel send us `signal` when our parent dies, and sends it ourselves if that has happened already: before we
/// asked, which its number shows, or before we began, which its session does.
fn follow_parent(signal: Signal, ourselves: Pid) {
    let before = parent();
    if let Err(errno) = sys::send_parent_death_signal(signal) {
        warn!("cannot follow the death of our parent: {errno}; it will go unnoticed");
        return;
    }
    if parent() != before || before.is_some_and(|parent| is_foster(parent, ourselves)) {
        debug!(event = "orphaned"; "our parent has died already; acting as if {signal} had come");
        // It waits behind our mask until the command runs.
        if let Err(errno) = sys::send_from_parent(ourselves, signal) {
            warn!("our parent has died already, but {signal} cannot be sent to ourselves: {errno}; going on without");
        }
    }
}

/// Whether we were given to another parent before we could look: who does not lead a session is in its parent's, unless
/// that parent began a new one after it had started us, which only a daemon does.
fn is_foster(parent: Pid, ourselves: Pid) -> bool {
    let session = session();
    session != ourselves.number() && session_of(parent).is_some_and(|other| other != session)
}
