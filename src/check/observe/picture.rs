//! What a process is like, as /proc shows it.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use supervise_init::core::Signal;
use supervise_init::sys::SigSet;

use super::tree::{Life, Seen};
use crate::check::judge::{Handling, handling_of};
use crate::check::record::{AtDeadline, Dispositions, Process, State};
use crate::check::safe;
use crate::proc::{
    self, Sitting, Stat, WaitsFor, is_shell, read_by_signalfd, read_file, read_text, threads, waits_for,
};

/// The file of the program that the process at this [place](proc::place) executes. `None`: it is gone, or we may not look.
pub(super) fn executed(place: &str) -> Option<String> {
    fs::read_link(format!("{place}/exe")).ok().map(|path| safe::line(path.as_os_str().as_bytes()))
}

/// What it is like. `None`: it is gone.
pub(super) fn look_at(pid: i32, at: Duration) -> Option<Process> {
    let stat = Stat::read(pid)?;
    let place = proc::place(pid);
    // Everybody may read that, as long as there is such a process.
    let comm = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let words = fs::read(format!("{place}/cmdline")).unwrap_or_default();
    let comm = safe::name(comm.strip_suffix(b"\n").unwrap_or(&comm));
    let status = read_file(&format!("/proc/{pid}/status"));
    let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")?.rsplit('\t').next()?.parse().ok());
    Some(Process {
        pid,
        inside,
        parent: stat.parent,
        started_by: None,
        is_main: false,
        is_as_given: false,
        is_shell: is_shell(pid, &comm, &String::from_utf8_lossy(&words)),
        words: if words.is_empty() { comm.clone() } else { safe::words(&words) },
        comm,
        exe: executed(&place),
        group: stat.group,
        session: stat.session,
        first_seen_at: at,
        executed_at: None,
        signals: dispositions(pid),
        pipes: Vec::new(),
        stdio: [None; 3],
        state: state_of(stat.state),
        at_deadline: None,
        ended: None,
    })
}

/// One that was gone before it could be looked at: what is sure of a copy of its parent.
pub(super) fn unseen(pid: i32, parent: &Process, at: Duration) -> Process {
    Process {
        pid,
        inside: None,
        parent: parent.pid,
        started_by: Some(parent.pid),
        is_main: false,
        is_as_given: false,
        first_seen_at: at,
        executed_at: None,
        signals: None,
        pipes: Vec::new(),
        stdio: [None; 3],
        state: State::Able,
        at_deadline: None,
        ended: None,
        ..parent.clone()
    }
}

fn state_of(letter: u8) -> State {
    match letter {
        b'T' | b't' => State::Stopped,
        b'D' => State::Stuck,
        b'Z' | b'X' => State::Zombie,
        _ => State::Able,
    }
}

/// What it is like when its time is over, of which [some](proc::stuck) are stuck.
pub(super) fn at_deadline(seen: &Seen, signal: Signal, stuck: &[Sitting]) -> AtDeadline {
    let pid = seen.process.pid;
    let (stat, waits_for) = (Stat::read(pid), waits_for(pid));
    let state = match seen.life {
        Life::Lives => stat.as_ref().map_or(State::Zombie, |stat| state_of(stat.state)),
        Life::Dead | Life::Reaped => State::Zombie,
    };
    // Who has been elsewhere since writes, reads or starts something, and is not stuck.
    let is_moving = state == State::Stuck && stuck.iter().all(|sitting| sitting.pid != pid);
    let state = if is_moving { State::Able } else { state };
    let ticks = stat.map_or(0, |stat| stat.ticks.saturating_sub(seen.ticks));
    let signals = dispositions(pid);
    AtDeadline {
        state,
        is_pending: signals.is_some_and(|now| now.pending.contains(signal)),
        is_handled: signals
            .is_some_and(|now| matches!(handling_of(now, signal), Handling::Caught | Handling::Signalfd)),
        waits_for,
        is_running: threads(pid).iter().any(|thread| matches!(thread.state, b'R' | b'D')),
        busy: Duration::from_millis(ticks.saturating_mul(10)),
    }
}

/// The same where there is no time to look: there are thousands.
pub(super) fn unlooked(seen: &Seen) -> AtDeadline {
    let state = if seen.life == Life::Lives { seen.process.state } else { State::Zombie };
    let (is_pending, is_handled, is_running) = (false, false, false);
    AtDeadline { state, is_pending, is_handled, waits_for: WaitsFor::Else, is_running, busy: Duration::ZERO }
}

/// Whether it catches also what hardly anybody has a handler for: Go's runtime does (os/signal, "Default behavior of
/// signals in Go programs").
pub(super) fn catches_all(pid: i32) -> bool {
    const ODD: [i32; 5] = [libc::SIGTRAP, libc::SIGSYS, libc::SIGPROF, libc::SIGPWR, libc::SIGXCPU];
    let caught = dispositions(pid).map(|signals| signals.caught);
    caught.is_some_and(|caught| ODD.into_iter().filter_map(Signal::new).all(|odd| caught.contains(odd)))
}

/// Of all its threads together.
fn dispositions(pid: i32) -> Option<Dispositions> {
    let threads = threads(pid);
    let first: &proc::Status = threads.iter().find(|status| status.thread == pid).or(threads.first())?;
    let (mut pending, mut blocked) = (first.pending_for_all, u64::MAX);
    for thread in &threads {
        pending |= thread.pending;
        blocked &= thread.blocked;
    }
    let waits = |thread: &proc::Status| {
        thread.thread != pid && read_text(pid, &format!("task/{}/wchan", thread.thread)).starts_with("do_sigtimedwait")
    };
    Some(Dispositions {
        caught: SigSet::from_bits(first.caught),
        ignored: SigSet::from_bits(first.ignored),
        blocked: SigSet::from_bits(blocked),
        pending: SigSet::from_bits(pending),
        by_signalfd: SigSet::from_bits(if blocked == 0 { 0 } else { read_by_signalfd(pid) }),
        waits_for_signals: waits_for(pid) == WaitsFor::Signal || threads.iter().any(waits),
    })
}
