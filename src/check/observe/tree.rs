//! The processes of a run: found below the stage, each followed by a descriptor of its own, so that its end is seen and
//! its number is never taken for another's.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::{Pid, SigSet};

use super::stage::children_of;
use crate::check::record::{Dispositions, Ended, EndedBy, Process, State};
use crate::check::safe;
use crate::proc::{self, Stat, WaitsFor, is_shell, read_by_signalfd, read_file, threads, waits_for};
use crate::sys::processes::{self, pidfd};

/// Where the tokens of processes begin.
pub(super) const FIRST_TOKEN: u64 = 1000;

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    Lives,
    /// It has ended, and its parent has not reaped it.
    Dead,
    Reaped,
}

/// One that was seen.
pub(super) struct Seen {
    pub(super) process: Process,
    pub(super) life: Life,
    pub(super) pidfd: Option<OwnedFd>,
    /// CPU time when the signal was sent, in hundredths of a second.
    pub(super) ticks: u64,
}

/// All that were seen, the first process first.
pub(super) struct Tree {
    stage: Pid,
    pub(super) seen: Vec<Seen>,
    /// Those that are not reaped, by their numbers.
    by_pid: HashMap<i32, usize>,
    pub(super) most: usize,
}

impl Tree {
    pub(super) fn new(stage: Pid) -> Tree {
        Tree { stage, seen: Vec::new(), by_pid: HashMap::new(), most: 0 }
    }

    /// Follows it from now on. Its place; `None` if it is followed already, or gone.
    pub(super) fn add(&mut self, pid: i32, at: Duration, epoll: &Epoll) -> Option<usize> {
        if self.by_pid.contains_key(&pid) {
            return None;
        }
        // Before it is looked at: what is read is then of the process that is followed.
        let fd = pidfd(Pid::new(pid)?).ok();
        let process = look_at(pid, at)?;
        let place = self.seen.len();
        if let Some(fd) = &fd {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST_TOKEN + place as u64);
            let _ = epoll.add(fd, event);
        }
        self.by_pid.insert(pid, place);
        self.seen.push(Seen { process, life: Life::Lives, pidfd: fd, ticks: 0 });
        self.most = self.most.max(self.living().count());
        Some(place)
    }

    /// Looks for new ones below those that are known. Their places.
    pub(super) fn look(&mut self, at: Duration, epoll: &Epoll) -> Vec<usize> {
        let mut new = Vec::new();
        let mut parents: Vec<i32> = vec![self.stage.number()];
        parents.extend(self.living().map(|seen| seen.process.pid));
        while let Some(parent) = parents.pop() {
            for child in children_of(parent) {
                if let Some(place) = self.add(child, at, epoll) {
                    new.push(place);
                    parents.push(child);
                }
            }
        }
        new
    }

    pub(super) fn living(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.life == Life::Lives)
    }

    /// What it is like now, before the signal.
    pub(super) fn look_again(&mut self) {
        for seen in self.seen.iter_mut().filter(|seen| seen.life == Life::Dead) {
            seen.process.state = State::Zombie;
        }
        for seen in self.seen.iter_mut().filter(|seen| seen.life == Life::Lives) {
            if let Some(now) = look_at(seen.process.pid, seen.process.first_seen_at) {
                seen.process = Process { is_main: seen.process.is_main, ..now };
                seen.ticks = Stat::read(seen.process.pid).map_or(0, |stat| stat.ticks);
            }
        }
    }

    /// Its descriptor tells that something has become of it. Whether it has ended just now.
    pub(super) fn tell(&mut self, place: usize, flags: EpollFlags, at: Duration, epoll: &Epoll) -> bool {
        let Some(seen) = self.seen.get_mut(place) else { return false };
        let Some(fd) = &seen.pidfd else { return false };
        let ends = seen.life == Life::Lives;
        if ends {
            seen.life = Life::Dead;
            seen.process.ended = Some(Ended { at, status: None, by: EndedBy::Itself });
            // That it is reaped is told without being asked for.
            let mut event = EpollEvent::new(EpollFlags::empty(), FIRST_TOKEN + place as u64);
            let _ = epoll.modify(fd, &mut event);
        }
        if flags.contains(EpollFlags::EPOLLHUP) && seen.life != Life::Reaped {
            seen.life = Life::Reaped;
            let status = processes::end_of(fd.as_fd()).ok().flatten();
            if let (Some(ended), Some(status)) = (&mut seen.process.ended, status) {
                ended.status = Some(status);
            }
            let _ = epoll.delete(fd);
            seen.pidfd = None;
            self.by_pid.remove(&seen.process.pid);
        }
        ends
    }

    /// Who has ended it, now that its status is known or will not be. `is_root_exiting` asks whether process 1 is on its
    /// way out.
    pub(super) fn judge_end(
        &mut self,
        place: usize,
        signal: Option<Signal>,
        was_killed: bool,
        is_root_exiting: impl FnOnce() -> bool,
    ) {
        let Some(Ended { status, by, .. }) = self.seen.get_mut(place).and_then(|seen| seen.process.ended.as_mut())
        else {
            return;
        };
        *by = match *status {
            Some(Status::Signaled(Signal::KILL)) if was_killed => EndedBy::Us,
            Some(Status::Signaled(Signal::KILL)) if place != 0 && is_root_exiting() => EndedBy::Kernel,
            Some(Status::Signaled(other)) if Some(other) == signal => EndedBy::Signal,
            _ => EndedBy::Itself,
        };
    }
}

/// What it is like. `None`: it is gone.
fn look_at(pid: i32, at: Duration) -> Option<Process> {
    let stat = Stat::read(pid)?;
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let (comm, words) = (file("comm"), file("cmdline"));
    let comm_text = safe::name(comm.strip_suffix(b"\n").unwrap_or(&comm));
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let status = read_file(&format!("/proc/{pid}/status"));
    let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")?.rsplit('\t').next()?.parse().ok());
    let state = match stat.state {
        b'T' | b't' => State::Stopped,
        b'D' => State::Stuck,
        b'Z' | b'X' => State::Zombie,
        _ => State::Able,
    };
    Some(Process {
        pid,
        inside,
        parent: stat.parent,
        is_main: false,
        is_shell: is_shell(pid, &comm_text, &String::from_utf8_lossy(&words)),
        words: if words.is_empty() { comm_text.clone() } else { safe::words(&words) },
        comm: comm_text,
        exe: exe.map(|path| safe::line(path.as_os_str().as_bytes())),
        group: stat.group,
        session: stat.session,
        first_seen_at: at,
        signals: dispositions(pid),
        state,
        at_deadline: None,
        ended: None,
    })
}

/// Of all its threads together.
pub(super) fn dispositions(pid: i32) -> Option<Dispositions> {
    let threads = threads(pid);
    let first: &proc::Status = threads.iter().find(|status| status.thread == pid).or(threads.first())?;
    let (mut pending, mut blocked) = (first.pending_for_all, u64::MAX);
    for thread in &threads {
        pending |= thread.pending;
        blocked &= thread.blocked;
    }
    let waits = waits_for(pid) == WaitsFor::Signal
        || threads.iter().any(|thread| thread.thread != pid && thread_waits_for_signal(pid, thread.thread));
    Some(Dispositions {
        caught: SigSet::from_bits(first.caught),
        ignored: SigSet::from_bits(first.ignored),
        blocked: SigSet::from_bits(blocked),
        pending: SigSet::from_bits(pending),
        by_signalfd: SigSet::from_bits(if blocked == 0 { 0 } else { read_by_signalfd(pid) }),
        waits_for_signals: waits,
    })
}

fn thread_waits_for_signal(pid: i32, thread: i32) -> bool {
    proc::read_text(pid, &format!("task/{thread}/wchan")).starts_with("do_sigtimedwait")
}
