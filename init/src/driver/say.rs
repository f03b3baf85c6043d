//! What the loop says of itself: one line an event, with the fields of the JSON form.

use core::fmt;

use log::{debug, error, info, warn};

use super::{Purpose, Slot};
use crate::core::{Event, Fault, Outcome, Received, Sender, Signal, StartError, Status};
use crate::sys::{self, Errno, Pid};

pub(super) fn log_sent(sent: Result<(), Errno>, who: Purpose, pid: Pid, signal: Signal) {
    match sent {
        Ok(()) => {
            debug!(event = "forwarded", signal = signal.number(), pid = pid.number(); "sent {signal} to {who} (pid {pid})");
        }
        Err(errno) => warn!("cannot send {signal} to {who} (pid {pid}): {errno}; it goes on without"),
    }
}

pub(super) fn log_event(event: Event) {
    if let Event::Signalled(received) = event
        && log::log_enabled!(log::Level::Debug)
    {
        log_signal(received);
    }
    if event == Event::Deadline {
        debug!(event = "deadline"; "a deadline is reached");
    }
}

pub(super) fn log_signal(received: Received) {
    let Received { signal, sender } = received;
    let number = signal.number();
    match sender {
        Sender::Process { pid, uid, .. } => match sys::comm(pid) {
            Some(name) => {
                debug!(event = "signal", signal = number, from = "process", pid = pid, uid = uid, comm = name.as_str(); "got {signal} from pid {pid} ({name}, uid {uid})");
            }
            None => {
                debug!(event = "signal", signal = number, from = "process", pid = pid, uid = uid; "got {signal} from {sender}");
            }
        },
        Sender::Client { pid, uid } => {
            debug!(event = "signal", signal = number, from = "process", pid = pid, uid = uid; "got {signal} from {sender}");
        }
        Sender::Kernel => debug!(event = "signal", signal = number, from = "kernel"; "got {signal} from {sender}"),
        Sender::Outside => debug!(event = "signal", signal = number, from = "outside"; "got {signal} from {sender}"),
        Sender::Ourselves => {
            debug!(event = "signal", signal = number, from = "ourselves"; "got {signal} from {sender}")
        }
    }
}

/// Where main was started, our end is as its own was.
pub(super) fn log_outcome(outcome: Outcome, main: Option<&Slot<'_>>) {
    match outcome {
        Outcome::Code(code) => debug!(event = "exit", code = code; "ending with code {code}"),
        Outcome::Signal(signal) => {
            let as_did = if main.is_some_and(Slot::has_begun) { "the main program" } else { "the hook" };
            debug!(event = "exit", signal = signal.number(); "ending by {signal}, as {as_did} did")
        }
        Outcome::Again => debug!(event = "again"; "beginning again"),
        Outcome::Reboot => debug!(event = "exit"; "ending by reboot(2)"),
        // The one who started us says why.
        Outcome::NotStarted(..) => {}
    }
}

/// What is wrong with a hook, and what comes of it. What was asked for is no fault.
pub(super) fn log_blame(slot: &Slot<'_>, fault: Fault) {
    let (who, title) = (slot.purpose(), slot.title());
    let comes = match who {
        Purpose::PreStop => "the stop goes on",
        Purpose::Main | Purpose::PreStart => "the command is not started",
    };
    match (who, fault) {
        (_, Fault::Ended(Status::Exited(_))) if slot.speaks() => {}
        (_, Fault::StopAsked) => info!(event = "hook", hook = who.field(); "{title} {fault}; {comes}"),
        (_, Fault::NotStarted(StartError { errno, .. })) => {
            let (name, errno) = (slot.program().name().to_str().unwrap_or_default(), Errno(errno));
            warn!(event = "hook", hook = who.field(); "{title} {fault}: cannot run {name}: {errno}; {comes}");
        }
        (Purpose::PreStop, _) => warn!(event = "hook", hook = who.field(); "{title} {fault}; {comes}"),
        (Purpose::Main | Purpose::PreStart, _) => {
            error!(event = "hook", hook = who.field(); "{title} {fault}; {comes}")
        }
    }
}

/// `None` is an orphan.
pub(super) fn log_end(who: Option<Purpose>, pid: Pid, status: Status) {
    let Some(who) = who else { return log_end_of("orphan", &"an orphan", pid, status) };
    log_end_of(who.field(), &who, pid, status);
}

/// Of what a check has started and left.
pub(super) fn log_end_of_check(pid: Pid, status: Status) {
    log_end_of("check", &"what a check has left", pid, status);
}

fn log_end_of(field: &str, words: &dyn fmt::Display, pid: Pid, status: Status) {
    match status {
        Status::Exited(code) => {
            debug!(event = "ended", who = field, pid = pid.number(), code = code; "{words} (pid {pid}) ended with code {code}");
        }
        Status::Signaled(signal) => {
            debug!(event = "ended", who = field, pid = pid.number(), signal = signal.number(); "{words} (pid {pid}) was ended by {signal}");
        }
    }
}
