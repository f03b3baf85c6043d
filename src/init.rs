//! The init of one command: from checked options to the machine, and from how it ended to our exit code.

use std::ffi::CStr;

use log::{LevelFilter, debug, error, warn};
use supervise_init::core::{
    Group, JobControl, KillMode, OnSignalDeath, Outcome, Policy, Record, Scope, Signal, Single, StartError,
};
use supervise_init::driver::{self, ForwardTo, Purpose, Setting, Slot};
use supervise_init::sys::{
    self, Entry, Environment, Format, Pid, Placement, Program, Static, Tty, Words, controlling_tty, parent, session,
    session_of, talks_to_terminal, this_process,
};

use crate::cli::hooks::Hooks;
use crate::cli::{self, Options, Variables};
use crate::hooks::{Around, Plan};
use crate::outfit::Ready;
use crate::report::{NotStarted, Report};
use crate::{diagnose, end};

/// What the environment told us.
pub(crate) struct Surroundings {
    ourselves: Pid,
    path: Option<&'static CStr>,
    log: Option<&'static CStr>,
    log_format: Option<&'static CStr>,
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
            variables: Variables::default(),
            pid_entries: [None; 2],
        };
        environment.retain(|entry| found.look_at(entry));
        found
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
        Err(code) => return code,
    };
    let program = Program {
        words,
        first: options.command,
        environment: ready.environment,
        path: ready.path,
        pid_entries: surroundings.pid_entries,
        named: None,
        entry,
        placement: place.placement,
        alterations: ready.alterations,
    };
    let mut alone = [Slot::new(program, options.forward_to, place.tty)];
    let mut plan = options.hooks.as_deref().map(|hooks| plan(hooks, alone[0], surroundings, options, ready.outside));
    let (slots, before): (&mut [Slot<'_>], &[_]) = match &mut plan {
        Some(plan) => (&mut plan.slots, &plan.limits),
        None => (&mut alone, &[]),
    };
    let mut machine = Single::new(Policy {
        before,
        forwarding: &options.forwarding,
        exit_map: &options.exit_map,
        group: place.group,
        job_control: place.job_control,
        scope: place.scope,
        ladder: &options.ladder,
        on_signal_death: place.on_signal_death,
    });
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
    };
    let outcome = driver::run(&mut machine, slots, setting);
    let slots = plan.as_ref().map_or(&alone[..], |plan| &plan.slots);
    conclude(outcome, slots, report.as_ref().zip(record.as_deref()))
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

/// What has to be right before anything starts, and where we stand. The error is the code to end with.
#[inline(never)]
fn prepare(
    environment: Environment,
    surroundings: &Surroundings,
    options: &Options,
) -> Result<(Option<Report>, Place, Ready), u8> {
    surroundings.set_level(options.level);
    let ready = dress(environment, surroundings, options)?;
    let report = open_report(options)?;
    if let Some(signal) = options.parent_death {
        follow_parent(signal, surroundings.ourselves);
    }
    let place = Place::new(surroundings, options);
    if place.scope == Scope::Tree
        && let Err(errno) = sys::set_subreaper()
    {
        warn!("cannot become a subreaper: {errno}; orphans of the command go elsewhere");
    }
    Ok((report, place, ready))
}

/// Looks up what the command is given, or says why it cannot be had and returns the code to end with.
fn dress(environment: Environment, surroundings: &Surroundings, options: &Options) -> Result<Ready, u8> {
    let Some(outfit) = &options.outfit else {
        return Ok(Ready { environment, outside: environment, path: surroundings.path, alterations: None });
    };
    outfit.prepare(environment, surroundings.path).map_err(|wrong| {
        error!("{wrong}");
        cli::exit::FAILURE
    })
}

/// Says and writes down how it went, and ends as main did.
#[inline(never)]
fn conclude(outcome: Outcome, slots: &[Slot<'_>], report: Option<(&Report, &Record)>) -> u8 {
    let Some(main) = slots.first() else { return cli::exit::FAILURE };
    let unstarted = match outcome {
        Outcome::NotStarted(child, why) => slots.get(usize::from(child.0)).map(|slot| not_started(slot, why)),
        Outcome::Code(_) | Outcome::Signal(_) => None,
    };
    if let Some((report, record)) = report {
        let prevented = record.prevented().and_then(|(hook, fault)| {
            let text = format!("{} {fault}; the command was not started", slots.get(usize::from(hook.0))?.title());
            // The outcome has the code.
            Some(NotStarted { text, code: cli::exit::FAILURE })
        });
        report.write(record, main.program().name(), unstarted.as_ref().or(prevented.as_ref()), outcome);
    }
    if let Some(NotStarted { text, code }) = unstarted {
        error!("{text}");
        return code;
    }
    match outcome {
        Outcome::Code(code) => code,
        Outcome::Signal(signal) => end::die_of(signal),
        Outcome::NotStarted(..) => cli::exit::FAILURE,
    }
}

/// Why the command, or what is to run before it, could not be started.
fn not_started(slot: &Slot<'_>, why: StartError) -> NotStarted {
    let program = slot.program();
    // A subcommand is the first word only; who misspells one elsewhere rather means another program.
    let meant = |word: &str| {
        let is_main = slot.purpose() == Purpose::Main;
        let meant = cli::suggest::nearest_subcommand(word).filter(|_| is_main);
        meant.filter(|meant| program.first == 1 || *meant == word)
    };
    let reason = diagnose::start::explain(program, why, meant);
    let text = match slot.purpose() {
        Purpose::Main => reason.to_string(),
        Purpose::PreStart | Purpose::PreStop => {
            format!("{reason}; it was to run {}; the command was not started", slot.title())
        }
    };
    NotStarted { text, code: reason.code() }
}

/// Where a report's matter is kept, if one is asked for.
static RECORD: Static<Record> = Static::new();

/// Opens the report's file, or says why it cannot be and returns the code to end with.
fn open_report(options: &Options) -> Result<Option<Report>, u8> {
    let Some(path) = options.exit_report else { return Ok(None) };
    match Report::open(path, options.exit_report_format) {
        Ok(report) if report.file().is_an_output() => {
            let path = path.to_string_lossy();
            error!(
                "cannot write an exit report to {path}: stdout or stderr goes there and would be overwritten; nothing was started"
            );
            Err(cli::exit::FAILURE)
        }
        Ok(report) => Ok(Some(report)),
        Err(errno) => {
            error!("cannot write an exit report to {}: {errno}; nothing was started", path.to_string_lossy());
            Err(cli::exit::FAILURE)
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

/// Where we and the command stand: process groups, sessions, PID namespaces.
struct Place {
    tty: Option<Tty>,
    placement: Placement,
    group: Group,
    job_control: JobControl,
    scope: Scope,
    on_signal_death: OnSignalDeath,
}

impl Place {
    /// Where the command stands.
    fn new(surroundings: &Surroundings, options: &Options) -> Place {
        let place = Place::of_hooks(surroundings, options);
        // It makes the group itself, and leaves the terminal.
        if has_new_session(options) { Place { placement: Placement::Inherited, tty: None, ..place } } else { place }
    }

    /// Where what runs around it stands: the same, but in our session.
    fn of_hooks(surroundings: &Surroundings, options: &Options) -> Place {
        let is_pid_1 = surroundings.is_pid_1();
        let leads_session = session() == surroundings.ourselves.number();
        // In our caller's group pipelines, pagers and Ctrl-C work as without us. A session's leader has no caller
        // whose group it could share, and the kernel tells it alone that its terminal is gone.
        let needs_group = options.forward_to == ForwardTo::Group || options.ladder.kill_mode == KillMode::Group;
        let is_apart = leads_session || needs_group || has_new_session(options);
        let group = if is_apart { Group::Own } else { Group::Shared };
        let tty = if group == Group::Own { controlling_tty() } else { None };
        let placement = match (group, tty) {
            (Group::Shared, _) => Placement::Inherited,
            // In a pipeline the terminal may be a neighbour's, such as a pager's in our group. Who needs it there is
            // stopped at the first use, and gets it then.
            (Group::Own, Some(tty)) if tty.is_ours() && (leads_session || talks_to_terminal()) => {
                Placement::Foreground(tty)
            }
            (Group::Own, _) => Placement::OwnGroup,
        };
        // A PID 1 cannot stop, so no shell could see that a group of its own has.
        let unseen = leads_session || (is_pid_1 && group == Group::Own);
        Place {
            placement,
            group,
            tty,
            job_control: if unseen { JobControl::Nobody } else { JobControl::Caller },
            scope: if is_pid_1 { Scope::Namespace } else { Scope::Tree },
            on_signal_death: if is_pid_1 { OnSignalDeath::Code } else { OnSignalDeath::DieOfIt },
        }
    }
}

fn has_new_session(options: &Options) -> bool {
    options.outfit.as_ref().is_some_and(|outfit| outfit.new_session)
}
