//! The init of one command: from checked options to the machine, and from how it ended to our exit code.

use std::time::Duration;

use log::{debug, error, warn};
use supervise_init::core::request::{Health, News, Readiness};
use supervise_init::core::{Outcome, Policy, Record, Scope, Signal, StartError, Status, Step};
use supervise_init::driver::{Kept, Listener, Offer, Purpose, Slot};
use supervise_init::sys::{self, Entry, Environment, Pid, Program, SigSet, Static, Words, parent, session, session_of};

use crate::cli::hooks::Hooks;
use crate::cli::{self, Options};
use crate::conduct::{Orphans, Signals};
use crate::diagnose::stop::Settings;
use crate::health::{self, Around};
use crate::hooks::{Around as AroundHooks, Plan};
use crate::lives::{self, Home, Lives};
use crate::outfit::{Ready, streams};
use crate::place::Place;
use crate::ready::{self, Heard};
use crate::report::{NotStarted, Report};
use crate::surroundings::Surroundings;
use crate::{compat, diagnose, end, offer};

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
    let Prepared { report, place, ready, offer, heard } = match prepare(environment, surroundings, options) {
        Ok(prepared) => prepared,
        Err(()) => return failure(options),
    };
    let conduct = options.conduct;
    compat::leave_terminal(conduct.grouping, surroundings.ourselves());
    let [listen, watchdog] = surroundings.pid_entries;
    let program = Program {
        words,
        first: options.command,
        environment: ready.environment,
        path: ready.path,
        pid_entries: [
            listen.filter(|_| conduct.names_pid[0]),
            heard.as_ref().and_then(|heard| heard.watchdog_pid).or(watchdog.filter(|_| conduct.names_pid[1])),
        ],
        named: None,
        given: None,
        entry: hand_on(entry, if surroundings.is_in_our_container() { Signals::Reset } else { conduct.signals }),
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
    let policy = policy(before, &place, offer.is_some(), surroundings, options);
    let mut record = if report.is_some() { RECORD.put(Record::EMPTY) } else { None };
    if offer.is_some_and(|offer| offer.bus.is_some()) {
        crate::request::warn_of_root();
    }
    let mut listener = open_listener(offer, surroundings);
    let restarts = lives::restarts(options);
    let is_sought_again = offer.is_some() || restarts.is_some() || options.health.is_some() || options.ready.is_some();
    let home = if is_sought_again { Home::remembered(kept(options)) } else { Home::forgotten(kept(options)) };
    let around = Around { environment: ready.outside, blocked: program.entry.mask(), home: home.path() };
    let mut care = health::care(options, around, heard.map(|heard| heard.hearing));
    listener.iter_mut().for_each(|listener| note_what_is_asked(listener, options));
    let settings = if conduct.voice.is_some() { Settings::Variables } else { Settings::Options };
    let lives = Lives { policy, program, surroundings, home, spared: report.as_ref(), settings };
    let outcome = lives.live(slots, record.as_deref_mut(), listener.as_deref_mut(), care.as_deref_mut(), restarts);
    if let Some(care) = &mut care {
        care.say_end();
    }
    if let Some(listener) = listener {
        listener.publish(News::Exit(code_of(outcome)));
        listener.close();
    }
    // Behind the listener, whose socket is in the directory that was made for this one.
    if let Some(care) = care {
        care.close();
    }
    let slots = plan.as_ref().map_or(&alone[..], |plan| &plan.slots);
    conclude(outcome, slots, report.as_ref().zip(record.as_deref()), surroundings, options)
}

/// Before the first start: what nobody asks for is not told.
#[inline(never)]
fn note_what_is_asked(listener: &mut Listener<'_>, options: &Options) {
    if options.ready.as_ref().is_some_and(|ready| ready.how.is_some()) {
        listener.publish(News::Readiness(Readiness::NotReady));
    }
    if options.health.as_ref().is_some_and(|health| health.target.is_some()) {
        listener.publish(News::Health(Health::Starting));
    }
}

/// What of our caller's we hold on to: each life of the command is given what the first one was.
fn kept(options: &Options) -> Kept {
    let Kept { descriptors, directory } = options.conduct.kept;
    Kept { descriptors: descriptors || options.restarting().is_some(), directory }
}

/// What we listen to. On the stack it would stay in memory where there is nothing to listen to.
static LISTENER: Static<Listener<'static>> = Static::new();

#[inline(never)]
fn open_listener(offer: Option<Offer>, surroundings: &Surroundings) -> Option<&'static mut Listener<'static>> {
    LISTENER.put(Listener::open(offer?, surroundings.ourselves(), &offer::make_known, &offer::speak))
}

/// The code that our end is told with. Why a command could not be started is looked into later.
fn code_of(outcome: Outcome) -> Option<u8> {
    match outcome {
        Outcome::Code(code) => Some(code),
        Outcome::Signal(signal) => Some(Status::Signaled(signal).shell_code()),
        Outcome::NotStarted(..) => None,
        Outcome::Again | Outcome::Reboot => Some(end::REBOOTED),
    }
}

/// What the options, our name and our place decide.
fn policy<'a>(
    before: &'a [Option<Duration>],
    place: &Place,
    is_asked: bool,
    surroundings: &Surroundings,
    options: &'a Options,
) -> Policy<'a> {
    let conduct = options.conduct;
    Policy {
        before,
        forwarding: &options.forwarding,
        exit_map: options.exit_map(),
        group: place.group,
        job_control: place.job_control,
        scope: place.scope,
        ladder: &options.ladder,
        on_signal_death: place.on_signal_death,
        hurry: conduct.hurry,
        parting: conduct.parting,
        may_restart: options.may_restart(),
        // Another init forwards its signals whatever they mean.
        requests: (is_asked && conduct.voice.is_none()).then_some(surroundings.manager()),
        on_reboot: offer::on_reboot(surroundings, options),
    }
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
    let around = AroundHooks { environment, placement, group, tty };
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

/// What is right, and where we stand.
struct Prepared {
    report: Option<Report>,
    place: Place,
    ready: Ready,
    offer: Option<Offer>,
    heard: Option<Heard>,
}

/// What has to be right before anything starts. What is not is said.
#[inline(never)]
fn prepare(environment: Environment, surroundings: &Surroundings, options: &Options) -> Result<Prepared, ()> {
    surroundings.set_level(options.level);
    if let Some(voice) = options.conduct.voice {
        voice.listen();
    }
    let mut ready = dress(environment, surroundings, options)?;
    let report = open_report(options)?;
    let offer = offer::of(surroundings, options).map_err(|wrong| error!("{wrong}"))?;
    if let Some(signal) = options.parent_death {
        follow_parent(signal, surroundings.ourselves());
    }
    let heard = ready::open(options, surroundings, &mut ready)?;
    let place = Place::new(surroundings, options);
    if place.scope == Scope::Tree && options.conduct.orphans == Orphans::Adopted {
        match sys::set_subreaper() {
            Ok(()) => debug!(event = "subreaper"; "orphans of the command will be our children"),
            Err(errno) => warn!("cannot become a subreaper: {errno}; orphans of the command go elsewhere"),
        }
    }
    Ok(Prepared { report, place, ready, offer, heard })
}

/// Looks up what the command is given, or says why it cannot be had.
fn dress(environment: Environment, surroundings: &Surroundings, options: &Options) -> Result<Ready, ()> {
    let Some(outfit) = &options.outfit else {
        let (outside, path) = (environment, surroundings.path);
        return Ok(Ready { environment, outside, path, alterations: None, becomes_another: false });
    };
    let ready = outfit.prepare(environment, surroundings.path).map_err(|wrong| error!("{wrong}"))?;
    // Of another container they are given to who is to have them by its manager.
    if ready.becomes_another && surroundings.is_in_our_container() {
        streams::open_to_all();
    }
    Ok(ready)
}

/// Says and writes down how it went, and ends as main did.
#[inline(never)]
fn conclude(
    outcome: Outcome,
    slots: &[Slot<'_>],
    report: Option<(&Report, &Record)>,
    surroundings: &Surroundings,
    options: &Options,
) -> u8 {
    let Some(main) = slots.first() else { return failure(options) };
    let unstarted = match outcome {
        Outcome::NotStarted(child, why) => slots.get(usize::from(child.0)).map(|slot| not_started(slot, why, options)),
        Outcome::Code(_) | Outcome::Signal(_) | Outcome::Again | Outcome::Reboot => None,
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
        Outcome::Again | Outcome::Reboot if surroundings.is_in_our_container() => end::tell_reboot(),
        Outcome::Again | Outcome::Reboot => end::reboot(),
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
            // To those inits what has executed nothing is a child that has ended so.
            let is_childs = matches!(why.step, Step::Exec | Step::ExecForeign | Step::ExecShell);
            let mapped = options.exit_map().get(Status::Exited(code)).filter(|_| is_childs);
            let code = mapped.unwrap_or(code);
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
