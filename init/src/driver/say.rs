//! What the loop says of itself: one line an event, with the fields of the JSON form.

use log::{debug, warn};

use crate::core::{Event, Outcome, Received, Sender, Signal, Status};
use crate::sys::{self, Errno, Pid};

pub(super) fn log_sent(sent: Result<(), Errno>, pid: Pid, signal: Signal) {
    match sent {
        Ok(()) => {
            debug!(event = "forwarded", signal = signal.number(), pid = pid.number(); "sent {signal} to the main program (pid {pid})");
        }
        Err(errno) => warn!("cannot send {signal} to the main program (pid {pid}): {errno}; it goes on without"),
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
        Sender::Process { pid, uid } => match sys::comm(pid) {
            Some(name) => {
                debug!(event = "signal", signal = number, from = "process", pid = pid, uid = uid, comm = name.as_str(); "got {signal} from pid {pid} ({name}, uid {uid})");
            }
            None => {
                debug!(event = "signal", signal = number, from = "process", pid = pid, uid = uid; "got {signal} from {sender}");
            }
        },
        Sender::Kernel => debug!(event = "signal", signal = number, from = "kernel"; "got {signal} from {sender}"),
        Sender::Outside => debug!(event = "signal", signal = number, from = "outside"; "got {signal} from {sender}"),
        Sender::Ourselves => {
            debug!(event = "signal", signal = number, from = "ourselves"; "got {signal} from {sender}")
        }
    }
}

pub(super) fn log_outcome(outcome: Outcome) {
    match outcome {
        Outcome::Code(code) => debug!(event = "exit", code = code; "ending with code {code}"),
        Outcome::Signal(signal) => {
            debug!(event = "exit", signal = signal.number(); "ending by {signal}, as the main program did")
        }
        // The one who started us says why.
        Outcome::NotStarted(_) => {}
    }
}

/// Who has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Main,
    Orphan,
}

pub(super) fn log_end(who: Who, pid: Pid, status: Status) {
    let (field, words) = match who {
        Who::Main => ("main", "the main program"),
        Who::Orphan => ("orphan", "an orphan"),
    };
    match status {
        Status::Exited(code) => {
            debug!(event = "ended", who = field, pid = pid.number(), code = code; "{words} (pid {pid}) ended with code {code}");
        }
        Status::Signaled(signal) => {
            debug!(event = "ended", who = field, pid = pid.number(), signal = signal.number(); "{words} (pid {pid}) was ended by {signal}");
        }
    }
}
