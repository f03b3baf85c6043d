//! Health checks, as they are done in a process of their own.

use std::ffi::CStr;
use std::time::Duration;

use log::{debug, warn};
use supervise_init::core::{self, Checks, Probe};
use supervise_init::driver::{Care, Hearing};
use supervise_init::sys::{Environment, SigSet, Static, change_directory, now};

use crate::cli::Options;
use crate::cli::exit;
use crate::cli::ready::{self, How};
use crate::sys::end_by_panic;
use crate::wait_for::{Group, Manner, Target, try_once};

/// How a check is done.
struct Check {
    /// What shows that the command does its work.
    health: Option<(Target, Checks)>,
    /// What shows that it is ready.
    readiness: Option<Target>,
    blocked: SigSet,
    home: Option<&'static CStr>,
    environment: &'static [&'static CStr],
}

/// What those who look have of us: they run as we were started, with the variables of the command.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) environment: Environment,
    /// The signals that we were given blocked.
    pub(crate) blocked: SigSet,
    /// Where we were started, if we have left that.
    pub(crate) home: Option<&'static CStr>,
}

/// On the stack it would stay in memory where there is nothing to look after.
static CARE: Static<Care<'static>> = Static::new();

/// What looks after the command, if anything is to. Not in our caller's frame, which stays in memory.
#[inline(never)]
pub(crate) fn care(
    options: &Options,
    around: Around,
    hearing: Option<Box<Hearing>>,
) -> Option<&'static mut Care<'static>> {
    let health = options.health.as_deref().filter(|health| health.target.is_some());
    let terms = options.ready.as_deref().and_then(ready::Asked::terms);
    if health.is_none() && terms.is_none() {
        return None;
    }
    let readiness = options.ready.as_deref().and_then(|asked| match asked.how? {
        How::Target(target) => Some(target),
        How::SdNotify | How::Descriptor(_) => None,
    });
    let checks = health.map(|health| health.checks);
    let entries: Vec<_> = around.environment.entries().collect();
    let check = Check {
        health: health.and_then(|health| Some((health.target?, health.checks))),
        readiness,
        blocked: around.blocked,
        home: around.home,
        environment: entries.leak(),
    };
    let look = Box::leak(Box::new(move |probe| check.look(probe)));
    CARE.put(Care::new(core::Care::new(terms, checks), look, hearing.map_or_else(Hearing::default, |hearing| *hearing)))
}

impl Check {
    /// One look. The code of the process: 0 if all is well.
    fn look(&self, probe: Probe) -> u8 {
        end_by_panic();
        if let Some(home) = self.home {
            // Who started us may have removed it.
            let _ = change_directory(home);
        }
        let manner = Manner { group: Group::Shared, blocked: self.blocked, environment: Some(self.environment) };
        match (probe, self.health, self.readiness) {
            (Probe::Health { nth }, Some((target, checks)), _) => check_health(&target, &checks, nth, manner),
            (Probe::Readiness { left }, _, Some(target)) => try_readiness(&target, left, manner),
            // It is looked for nothing else.
            (Probe::Health { .. } | Probe::Readiness { .. }, ..) => exit::FAILURE,
        }
    }
}

fn check_health(target: &Target, checks: &Checks, nth: Option<u32>, manner: Manner) -> u8 {
    let Err(why) = try_once(target, checks.timeout, manner) else { return exit::SUCCESS };
    let retries = checks.retries;
    match nth {
        Some(nth) => {
            warn!(event = "check", failure = nth; "the health check {target} has failed ({nth} of {retries}): {why}");
        }
        None => debug!(event = "check"; "the health check {target} has failed, which does not count: {why}"),
    }
    exit::FAILURE
}

/// Ready within what is left it must be. One that hangs is cut before, to say why.
fn try_readiness(target: &Target, left: Option<Duration>, manner: Manner) -> u8 {
    let began = now();
    let limit = left.map_or(core::Readiness::TRY, |left| core::Readiness::TRY.min(left - left / 8));
    let Err(why) = try_once(target, limit, manner) else { return exit::SUCCESS };
    let next = now().since(began).saturating_add(core::Readiness::INTERVAL);
    if left.is_some_and(|left| next >= left) {
        warn!(event = "try"; "{target} is not ready: {why}");
    } else {
        debug!(event = "try"; "{target} is not ready: {why}");
    }
    exit::FAILURE
}
