//! The lives of the command, one after the other: by a reboot, or by a restart when it has ended by itself.

use std::ffi::CStr;
use std::time::Duration;

use log::{info, warn};
use supervise_init::core::request::{News, Unstarted, Wish};
use supervise_init::core::{
    Course, Death, Failure, Life, Limit, Next, Outcome, Policy, Record, Restarts, Resting, Signal, Single, Status,
};
use supervise_init::driver::{self, Care, Kept, Listener, Setting, Slot};
use supervise_init::sys::{self, Helper, Line, Program, Static};

use crate::cli::Options;
use crate::diagnose;
use crate::diagnose::stop::Settings;
use crate::report::Report;
use crate::surroundings::Surroundings;

/// What all of them have in common.
pub(crate) struct Lives<'a> {
    pub(crate) policy: Policy<'a>,
    pub(crate) program: Program,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) home: Home,
    pub(crate) spared: Option<&'a Report>,
    pub(crate) settings: Settings,
}

/// What is remembered of restarts. On the stack it would stay in memory where there are none.
static RESTARTS: Static<Restarts> = Static::new();

/// `None`: the command is started once, but for reboots. Not in our caller's frame, which stays in memory.
#[inline(never)]
pub(crate) fn restarts(options: &Options) -> Option<&'static mut Restarts> {
    let policy = options.restarting()?;
    if let (Some(limit), Some(shortest)) = (policy.limit, policy.shortest_to_limit())
        && shortest >= limit.within
    {
        let Limit { most, within } = limit;
        warn!(
            "a command that ends at once never reaches --restart-limit {most}/{within:?}: with the delays before them {} restarts take {shortest:?} at least; say a longer time, or a shorter --restart-delay or --restart-max-delay",
            u32::from(most) + 1
        );
    }
    RESTARTS.put(Restarts::new(policy))
}

impl Lives<'_> {
    /// From the first start of the first to the end of all that the last one left.
    pub(crate) fn live<'l>(
        &self,
        slots: &mut [Slot<'_>],
        mut record: Option<&mut Record>,
        mut listener: Option<&mut Listener<'l>>,
        mut care: Option<&mut Care<'l>>,
        mut restarts: Option<&mut Restarts>,
    ) -> Outcome {
        loop {
            let (outcome, course, wish) =
                self.live_once(slots, record.as_deref_mut(), listener.as_deref_mut(), care.as_deref_mut());
            if let Some(why) = unstarted(outcome, course) {
                publish(listener.as_deref_mut(), News::NotStarted(why));
            }
            let beginning = match (outcome, &mut restarts) {
                (Outcome::Again, _) => Beginning::asked(wish),
                (outcome, Some(restarts)) => match self.rest(restarts, slots, listener.as_deref_mut(), outcome, course)
                {
                    Rested::Again(beginning) => beginning,
                    Rested::End(outcome) => return outcome,
                },
                (outcome, None) => return outcome,
            };
            if let Some(restarts) = restarts.as_deref_mut().filter(|_| beginning != Beginning::ByPolicy) {
                restarts.forget(course.life());
            }
            begin_again(slots, record.as_deref_mut(), listener.as_deref_mut(), &self.home, beginning);
        }
    }

    /// From the first start to the end of all.
    fn live_once<'l>(
        &self,
        slots: &mut [Slot<'_>],
        record: Option<&mut Record>,
        listener: Option<&mut Listener<'l>>,
        care: Option<&mut Care<'l>>,
    ) -> (Outcome, Course, Option<Wish>) {
        let Lives { policy, program, surroundings, settings, .. } = *self;
        let mut machine = if slots.is_empty() { Single::without_main(policy) } else { Single::new(policy) };
        let context = diagnose::stop::Context {
            ourselves: surroundings.ourselves(),
            scope: policy.scope,
            kill_mode: policy.ladder.kill_mode,
            program,
            settings,
        };
        let explain = |situation: &driver::Situation<'_>| diagnose::stop::explain(situation, &context);
        let setting = Setting { explain: Some(&explain), record, care, ..self.setting(listener) };
        let outcome = driver::run(&mut machine, slots, setting);
        (outcome, machine.course(), machine.wish())
    }

    /// What comes after a life, and the time until then.
    #[inline(never)]
    fn rest<'l>(
        &self,
        restarts: &mut Restarts,
        slots: &[Slot<'_>],
        mut listener: Option<&mut Listener<'l>>,
        outcome: Outcome,
        course: Course,
    ) -> Rested {
        let now = sys::now();
        let life = course.life();
        let delay = match restarts.ended(now, life) {
            Next::Again(delay) => delay,
            Next::Stay => return Rested::End(outcome),
            Next::GiveUp(limit) => {
                say_giving_up(limit, life);
                publish(listener, News::GivenUp(u64::from(restarts.count())));
                return Rested::End(outcome);
            }
        };
        say_why(slots, outcome);
        say_restart(course, delay.as_millis(), restarts.count());
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        publish(listener.as_deref_mut(), News::Restarting(milliseconds));
        if delay.is_zero() {
            return Rested::Again(Beginning::ByPolicy);
        }
        let keys =
            [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TSTP].into_iter().filter(|key| sys::is_ignored(*key));
        let mut resting = keys.fold(Resting::new(self.policy, now.after(delay), outcome), Resting::ignoring);
        match driver::run(&mut resting, &mut [], self.setting(listener)) {
            Outcome::Again if resting.is_over() => Rested::Again(Beginning::ByPolicy),
            Outcome::Again => Rested::Again(Beginning::asked(resting.wish())),
            outcome => Rested::End(outcome),
        }
    }

    /// Where we stand in each.
    fn setting<'s, 'l>(&'s self, listener: Option<&'s mut Listener<'l>>) -> Setting<'s, 'l> {
        Setting {
            scope: self.policy.scope,
            ourselves: self.surroundings.ourselves(),
            explain: None,
            record: None,
            spared: self.spared.map(Report::file),
            kept: self.home.kept,
            listener,
            care: None,
        }
    }
}

/// Why the command could not be started, if it could not.
fn unstarted(outcome: Outcome, course: Course) -> Option<Unstarted> {
    match (outcome, course.life().death) {
        (Outcome::NotStarted(_, why), _) => Some(Unstarted::Refused(u8::try_from(why.errno).unwrap_or_default())),
        (_, Death::Unprepared | Death::NotStarted) => Some(Unstarted::Unprepared),
        _ => None,
    }
}

/// Tells whoever wants to know.
fn publish(listener: Option<&mut Listener<'_>>, news: News) {
    if let Some(listener) = listener {
        listener.publish(news);
    }
}

/// How a rest ends.
enum Rested {
    Again(Beginning),
    End(Outcome),
}

/// Why it could not be started, in a process of its own: that is looked for in many a file, and is not to stay in our memory.
fn say_why(slots: &[Slot<'_>], outcome: Outcome) {
    const LOOKING: Duration = Duration::from_secs(1);
    let Outcome::NotStarted(child, why) = outcome else { return };
    let Some(slot) = slots.get(usize::from(child.0)) else { return };
    let say = || warn!(event = "restart"; "{}", diagnose::start::explain(slot.program(), why, |_| None));
    if let Ok(helper) = Helper::start(say) {
        helper.end(LOOKING);
    }
}

/// Why the command begins again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// The policy of restarts says so.
    ByPolicy,
    /// Somebody has asked for that.
    Restart,
    /// All begins again, as far as a container can.
    Reboot,
}

impl Beginning {
    /// What somebody who has asked for it means by it.
    fn asked(wish: Option<Wish>) -> Beginning {
        if wish == Some(Wish::Reboot) { Beginning::Reboot } else { Beginning::Restart }
    }
}

fn say_restart(course: Course, milliseconds: u128, count: u32) {
    let life = course.life();
    let ended = Ended(life);
    match life.death {
        // As a daemon does: it would be started and stopped for ever.
        Death::Ended(Status::Exited(0)) if course.has_left() => {
            warn!(event = "restart", count; "the command {ended}; starting it again in {milliseconds} ms (restart {count}); what it left behind was stopped: a daemon must be told to stay in the foreground");
        }
        Death::Ended(Status::Exited(0)) => {
            info!(event = "restart", count; "the command {ended}; starting it again in {milliseconds} ms (restart {count})");
        }
        _ => {
            warn!(event = "restart", count; "the command {ended}; starting it again in {milliseconds} ms (restart {count})");
        }
    }
}

fn say_giving_up(limit: Limit, life: Life) {
    let (most, within, ended) = (limit.most, limit.within, Ended(life));
    let restarts = if most == 1 { "restart" } else { "restarts" };
    warn!(event = "give-up", limit = most; "the command {ended}, after {most} {restarts} within {within:?}; giving up");
}

/// How a life has ended, in words.
struct Ended(Life);

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.death {
            Death::Ended(Status::Exited(code)) => write!(f, "has ended with code {code}"),
            Death::Ended(Status::Signaled(signal)) => write!(f, "was ended by {signal}"),
            Death::NotStarted | Death::Unprepared => f.write_str("could not be started"),
            Death::Failed(failure) => f.write_str(match failure {
                Failure::NotReady => "was not ready in time",
                Failure::Watchdog => "had not said in time that it is alive",
                Failure::Unhealthy(_) => "was not healthy",
            }),
            Death::Asked => f.write_str("has ended as it was asked to"),
        }
    }
}

/// Where we were started: the command begins there each time.
pub(crate) struct Home {
    path: Option<&'static CStr>,
    kept: Kept,
}

/// Where its path is kept.
static HOME: Static<Line<1024>> = Static::new();

impl Home {
    /// Its path, if it is needed and can be had.
    pub(crate) fn path(&self) -> Option<&'static CStr> {
        self.path
    }

    /// Where the command is started once, nobody goes back there.
    pub(crate) fn forgotten(kept: Kept) -> Home {
        Home { path: None, kept }
    }

    /// Where it may be started again. What is `/` need not be left.
    pub(crate) fn remembered(kept: Kept) -> Home {
        let path = HOME.put(Line::new()).and_then(|line| sys::working_directory(line));
        Home { path, kept: Kept { directory: kept.directory || path == Some(c"/"), ..kept } }
    }
}

/// All is as it was before the first start.
#[inline(never)]
fn begin_again(
    slots: &mut [Slot<'_>],
    record: Option<&mut Record>,
    listener: Option<&mut Listener<'_>>,
    home: &Home,
    beginning: Beginning,
) {
    slots.iter_mut().for_each(Slot::rewind);
    if let Some(record) = record {
        *record = Record::EMPTY;
    }
    if let Some(listener) = listener {
        listener.count_restart();
        if beginning == Beginning::Reboot {
            listener.forget_plan();
        }
    }
    let back = home.path.map(sys::change_directory);
    if let (Some(path), Some(Err(errno))) = (home.path, back) {
        warn!("cannot go back to {}: {errno}; beginning again in /", path.to_string_lossy());
    }
}
