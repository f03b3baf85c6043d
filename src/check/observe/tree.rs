//! The processes of a run: found below the stage, each followed by a descriptor of its own, so that its end is seen and
//! its number is never taken for another's.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::Pid;

use super::descriptors::{self, Descriptors};
use super::picture::{executed, look_at, unseen};
use super::stage::children_of;
use crate::check::record::{Ended, EndedBy, Process, SAME_MOMENT, State};
use crate::check::safe;
use crate::check::scenario::Mode;
use crate::proc::{Stat, place};
use crate::sys::processes::{self, pidfd};

/// Where the tokens of processes begin.
pub(super) const FIRST_TOKEN: u64 = 1000;

/// Who is dead so long and not reaped is a zombie; before that its parent may be busy.
const UNREAPED: Duration = Duration::from_secs(1);

/// Of more than these, what was seen when they came has to do: thousands would take seconds.
pub(super) const MOST_PICTURES: usize = 500;

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
    /// What it had open when the signal was sent, or when the time was over; or why that is not known.
    pub(super) open: Result<Descriptors, &'static str>,
    /// How the kernel has told that it ended, and when.
    told: Option<Status>,
    pub(super) told_at: Option<Duration>,
    /// Whether process 1 was on its way out when it ended.
    with_root: bool,
    /// Whether it had ended before it could be seen what it executes.
    is_unnamed: bool,
}

/// Who is sent a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whom {
    It,
    /// All of the process group that it leads.
    Group,
}

impl Seen {
    /// Sends it one, also where it is not followed by a descriptor.
    pub(super) fn send(&self, whom: Whom, signal: Signal) -> Result<(), Errno> {
        let pid = Pid::new(self.process.pid).ok_or(Errno::ESRCH)?;
        let send = |fd: BorrowedFd<'_>| match whom {
            Whom::It => processes::signal(fd, signal),
            Whom::Group => processes::signal_group(fd, pid, signal),
        };
        if let Some(fd) = &self.pidfd {
            return send(fd.as_fd());
        }
        let fd = pidfd(pid)?;
        // Nobody reaps it but its parent, so the number may be another's by now.
        let is_it = Stat::read(self.process.pid)
            .is_some_and(|stat| stat.parent == self.process.parent || stat.session == self.process.session);
        if is_it { send(fd.as_fd()) } else { Err(Errno::ESRCH) }
    }

    /// What it has open now.
    pub(super) fn look_into(&mut self) {
        let hidden = "we may not look into it (ptrace(2): another user's, or not dumpable)";
        self.open = descriptors::of(self.process.pid).ok_or(hidden);
    }

    /// Whether it has ended, or is on its way out, whoever has told of that so far. Its first thread alone may have ended:
    /// that one lives.
    pub(super) fn has_ended(&self) -> bool {
        self.life != Life::Lives
            || self.pidfd.as_ref().is_some_and(|pidfd| processes::has_ended(pidfd.as_fd()))
            || Stat::read(self.process.pid).is_none_or(|stat| stat.is_exiting)
    }
}

/// All that were seen, the first process first.
pub(super) struct Tree {
    stage: Pid,
    /// The words of the command, a NUL behind each.
    command: Vec<u8>,
    pub(super) seen: Vec<Seen>,
    /// The last one of each number.
    by_pid: HashMap<i32, usize>,
    /// Those that are ours.
    pub(super) excluded: Option<i32>,
    living: usize,
    /// How many more may be followed by a descriptor.
    room: usize,
    /// Whether that was not enough.
    pub(super) is_crowded: bool,
    pub(super) most: usize,
    /// Whether one could not be looked into.
    pub(super) is_closed: bool,
    /// So many of the first, main and what is in front of it, were told to stop.
    pub(super) told: usize,
}

/// As many as may be open, but for what we need ourselves.
fn room() -> usize {
    const OURS: u64 = 64;
    /// The command, and the init in front of it.
    const ALWAYS: usize = 2;
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((u64::MAX, 0));
    usize::try_from(limit.saturating_sub(OURS)).unwrap_or(usize::MAX).max(ALWAYS)
}

impl Tree {
    pub(super) fn new(stage: Pid, command: Vec<u8>) -> Tree {
        Tree {
            stage,
            command,
            seen: Vec::new(),
            by_pid: HashMap::new(),
            excluded: None,
            living: 0,
            room: room(),
            is_crowded: false,
            most: 0,
            is_closed: false,
            told: 0,
        }
    }

    fn is_followed(&self, pid: i32) -> bool {
        self.by_pid.get(&pid).and_then(|place| self.seen.get(*place)).is_some_and(|seen| seen.life != Life::Reaped)
    }

    /// Follows it from now on. Its place; `None` if it is followed already, or gone.
    pub(super) fn add(&mut self, pid: i32, at: Duration, epoll: &Epoll) -> Option<usize> {
        if self.is_followed(pid) || self.excluded == Some(pid) {
            return None;
        }
        // Before it is looked at: what is read is then of the process that is followed.
        let fd = Pid::new(pid).filter(|_| self.room > 0).and_then(|pid| pidfd(pid).ok());
        let process = look_at(pid, at)?;
        let token = FIRST_TOKEN + self.seen.len() as u64;
        self.is_crowded |= self.room == 0;
        if let Some(fd) = &fd {
            self.room -= 1;
            let _ = epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token));
        }
        Some(self.push(process, fd))
    }

    fn push(&mut self, process: Process, pidfd: Option<OwnedFd>) -> usize {
        let place = self.seen.len();
        self.by_pid.insert(process.pid, place);
        let (life, open) = (Life::Lives, Err("it was not looked into before it ended"));
        self.seen.push(Seen {
            process,
            life,
            pidfd,
            ticks: 0,
            open,
            told: None,
            told_at: None,
            with_root: false,
            is_unnamed: false,
        });
        self.living += 1;
        self.most = self.most.max(self.living);
        place
    }

    /// The kernel tells of a fork. Its place, if it is one of ours.
    pub(super) fn fork(&mut self, parent: i32, child: i32, at: Duration, epoll: &Epoll) -> Option<usize> {
        /// A number is not used again so soon.
        const SOON: Duration = Duration::from_millis(500);
        let is_ours = |seen: &Seen| seen.process.ended.is_none_or(|ended| at.saturating_sub(ended.at) < SOON);
        let parent = self.by_pid.get(&parent).and_then(|place| self.seen.get(*place)).filter(|seen| is_ours(seen));
        let of_parent = parent.map(|parent| unseen(child, &parent.process, at))?;
        let started_by = of_parent.started_by;
        let is_new = !self.is_followed(child) && self.excluded != Some(child);
        let place = is_new.then(|| self.add(child, at, epoll).unwrap_or_else(|| self.push(of_parent, None)));
        // Looked at, it may have another parent by now; found by a look, nobody has told of it before.
        if let Some(seen) = self.by_pid.get(&child).and_then(|place| self.seen.get_mut(*place)) {
            seen.process.started_by = started_by;
        }
        place
    }

    /// The kernel tells of an execution.
    pub(super) fn exec(&mut self, pid: i32, at: Duration) {
        let Some(place) = self.by_pid.get(&pid).copied() else { return };
        let is_told = place < self.told;
        let Some(seen) = self.seen.get_mut(place) else { return };
        if seen.life == Life::Lives {
            seen.process.executed_at = Some(at);
            let signals = seen.process.signals;
            look_anew(seen);
            if is_told {
                // What it was like when it was told counts.
                seen.process.signals = signals;
            }
            seen.is_unnamed = Stat::read(pid).is_none_or(|stat| stat.is_exiting);
        }
    }

    /// Names main by the words of the command, where it was gone before its own were seen.
    pub(super) fn name(&mut self, place: usize) {
        /// The kernel's TASK_COMM_LEN, without its NUL.
        const LONGEST: usize = 15;
        let Some(seen) = self.seen.get_mut(place).filter(|seen| seen.is_unnamed) else { return };
        let words = self.command.as_slice();
        let first = words.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        seen.process = Process {
            comm: safe::name(name.get(..LONGEST).unwrap_or(name)),
            words: safe::words(words),
            exe: None,
            is_shell: false,
            signals: None,
            ..seen.process.clone()
        };
    }

    /// Whether main is still what was given: it may have executed something else, or be what a script is executed by.
    pub(super) fn compare(&mut self, place: usize) {
        let given = safe::words(&self.command);
        if let Some(Seen { process, .. }) = self.seen.get_mut(place) {
            process.is_as_given = process.words == given || process.words.ends_with(&format!(" {given}"));
        }
    }

    /// The kernel tells of the end of a thread; with the status of the process, if it is the first one. Its place, if the
    /// process has ended with that just now.
    pub(super) fn end(&mut self, pid: i32, status: Option<Status>, at: Duration) -> Option<usize> {
        let place = *self.by_pid.get(&pid)?;
        let seen = self.seen.get_mut(place)?;
        let goes_on = match &seen.pidfd {
            Some(pidfd) => !processes::has_ended(pidfd.as_fd()),
            None => seen.life == Life::Lives && Stat::read(pid).is_some_and(|stat| !matches!(stat.state, b'Z' | b'X')),
        };
        if goes_on {
            return None;
        }
        if seen.told.is_none()
            && (seen.life != Life::Reaped || seen.process.ended.is_some_and(|ended| ended.status.is_none()))
        {
            seen.told = status;
        }
        // It is the kernel's own time, whenever we were woken; until we are, that of the last thread.
        seen.told_at = if seen.life == Life::Lives { Some(at) } else { seen.told_at.or(Some(at)) };
        if let Some(ended) = &mut seen.process.ended {
            ended.at = ended.at.min(at);
        }
        if seen.pidfd.is_some() || seen.life != Life::Lives {
            return None;
        }
        // There was nothing to follow it by.
        self.living = self.living.saturating_sub(1);
        seen.life = Life::Reaped;
        seen.process.ended = Some(Ended { at, status: seen.told, by: EndedBy::Itself });
        Some(place)
    }

    /// Looks for new ones below those that are known. Their places.
    pub(super) fn look(&mut self, at: Duration, epoll: &Epoll) -> Vec<usize> {
        let mut new = Vec::new();
        let mut parents: Vec<i32> = vec![self.stage.number()];
        parents.extend(self.living().map(|seen| seen.process.pid));
        while let Some(parent) = parents.pop() {
            for child in children_of(parent) {
                // One that was seen to end, without a descriptor, and is not reaped.
                if self.is_known_dead(child) {
                    continue;
                }
                if let Some(place) = self.add(child, at, epoll) {
                    new.push(place);
                    parents.push(child);
                }
            }
        }
        new
    }

    fn is_known_dead(&self, pid: i32) -> bool {
        let is_dead = |stat: Stat| matches!(stat.state, b'Z' | b'X');
        self.by_pid.contains_key(&pid) && !self.is_followed(pid) && Stat::read(pid).is_some_and(is_dead)
    }

    /// What those execute that nobody may have told of.
    pub(super) fn see_executions(&mut self, at: Duration) {
        let is_another = |process: &&Process| executed(&place(process.pid)).is_some_and(|exe| Some(exe) != process.exe);
        let all = self.living().take(MOST_PICTURES).map(|seen| &seen.process).filter(is_another);
        let pids: Vec<i32> = all.map(|process| process.pid).collect();
        pids.into_iter().for_each(|pid| self.exec(pid, at));
    }

    /// Those that there was no descriptor for, and that are not there any more. Their places.
    pub(super) fn look_for_ends(&mut self, at: Duration) -> Vec<usize> {
        let mut ended = Vec::new();
        for (place, seen) in self.seen.iter_mut().enumerate() {
            let is_gone = || Stat::read(seen.process.pid).is_none_or(|stat| matches!(stat.state, b'Z' | b'X'));
            if seen.life == Life::Lives && seen.pidfd.is_none() && is_gone() {
                seen.life = Life::Reaped;
                seen.process.ended = Some(Ended { at, status: None, by: EndedBy::Itself });
                ended.push(place);
            }
        }
        self.living = self.living.saturating_sub(ended.len());
        ended
    }

    pub(super) fn living(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.life == Life::Lives)
    }

    /// What all are like now, before the signal; and the sockets that they have, each with who has it.
    pub(super) fn look_again(&mut self) -> HashMap<u64, Vec<i32>> {
        let mut sockets: HashMap<u64, Vec<i32>> = HashMap::new();
        for seen in self.seen.iter_mut().filter(|seen| seen.life == Life::Lives).take(MOST_PICTURES) {
            look_anew(seen);
            seen.look_into();
            match &seen.open {
                Ok(open) => {
                    for inode in &open.sockets {
                        sockets.entry(*inode).or_default().push(seen.process.pid);
                    }
                    seen.process.pipes.clone_from(&open.pipes);
                    seen.process.stdio = open.stdio;
                }
                Err(_) => self.is_closed |= Stat::read(seen.process.pid).is_some_and(|stat| stat.state != b'Z'),
            }
        }
        sockets
    }

    /// Its descriptor tells that something has become of it. Whether it has ended just now. `is_root_leaving` asks whether
    /// process 1 is on its way out.
    pub(super) fn tell(
        &mut self,
        place: usize,
        flags: EpollFlags,
        at: Duration,
        epoll: &Epoll,
        is_root_leaving: impl FnOnce() -> bool,
    ) -> bool {
        let Some(seen) = self.seen.get_mut(place) else { return false };
        let Some(fd) = &seen.pidfd else { return false };
        let ends = seen.life == Life::Lives;
        if ends {
            seen.life = Life::Dead;
            seen.with_root = place != 0 && is_root_leaving();
            seen.process.ended = Some(Ended { at: seen.told_at.unwrap_or(at), status: None, by: EndedBy::Itself });
            self.living = self.living.saturating_sub(1);
            // That it is reaped is told without being asked for.
            let mut event = EpollEvent::new(EpollFlags::empty(), FIRST_TOKEN + place as u64);
            let _ = epoll.modify(fd, &mut event);
        }
        if flags.contains(EpollFlags::EPOLLHUP) && seen.life != Life::Reaped {
            seen.life = Life::Reaped;
            seen.told = processes::end_of(fd.as_fd()).ok().flatten().or(seen.told);
            let _ = epoll.delete(fd);
            seen.pidfd = None;
            self.room += 1;
            if seen.process.ended.is_some_and(|ended| at.saturating_sub(ended.at) >= UNREAPED) {
                seen.process.state = State::Zombie;
            } else if seen.process.state == State::Zombie {
                // It was looked at in the moment between its end and its reaping.
                seen.process.state = State::Able;
            }
        }
        ends
    }

    /// How long it takes until all that are dead and not reaped have been so for long, if any has not.
    pub(super) fn until_zombies(&self, at: Duration) -> Option<Duration> {
        let dead = self.seen.iter().skip(1).filter(|seen| seen.life == Life::Dead);
        let age = |seen: &Seen| seen.process.ended.map(|ended| at.saturating_sub(ended.at));
        dead.filter_map(age).min().filter(|age| *age < UNREAPED).map(|age| UNREAPED.saturating_sub(age))
    }

    /// Who has been dead for long and is not reaped.
    pub(super) fn note_zombies(&mut self, at: Duration) {
        for seen in self.seen.iter_mut().filter(|seen| seen.life == Life::Dead) {
            if seen.process.ended.is_some_and(|ended| at.saturating_sub(ended.at) >= UNREAPED) {
                seen.process.state = State::Zombie;
            }
        }
    }

    /// The files that were being written by who was killed, by us or with process 1; when all is settled. And of whom that
    /// is not known, and why.
    pub(super) fn written_when_killed(&self) -> (Vec<String>, Option<(i32, &'static str)>) {
        /// More are not told of.
        const MOST: usize = 20;
        let (mut files, mut unknown): (Vec<String>, _) = (Vec::new(), None);
        for seen in &self.seen {
            let why_not = match (seen.process.ended.map(|ended| ended.by), &seen.open) {
                (Some(EndedBy::Us), open) => open.as_ref().err().copied(),
                (Some(EndedBy::Kernel), _) => Some("it was killed with process 1, and looked at before that alone"),
                _ => continue,
            };
            unknown = unknown.or(why_not.map(|why| (seen.process.pid, why)));
            for file in seen.open.iter().flat_map(|open| &open.written) {
                if files.len() < MOST && !files.contains(file) {
                    files.push(file.clone());
                }
            }
        }
        (files, unknown)
    }

    /// How each has ended, and who has ended it, now that all is known.
    /// `mode` tells whose process 1 is the first one.
    pub(super) fn settle(&mut self, mode: Mode, signal: Option<Signal>, killed_at: Option<Duration>) {
        let root = self.seen.first().filter(|_| mode == Mode::Pid1).and_then(|root| root.process.ended);
        let root_end = root.map(|ended| ended.at).filter(|at| killed_at.is_none_or(|killed_at| *at < killed_at));
        for (place, seen) in self.seen.iter_mut().enumerate() {
            let Some(ended) = &mut seen.process.ended else { continue };
            ended.status = ended.status.or(seen.told);
            let is_ours = killed_at.is_some_and(|killed_at| ended.at >= killed_at);
            // What process 1 kills and then waits for dies in the same moment, as we see it at times and at times not.
            let is_near = place != 0 && root_end.is_some_and(|end| end.saturating_sub(ended.at) < SAME_MOMENT);
            ended.by = match ended.status {
                // Who lived when we killed all, and of whom nobody tells more, was killed as well.
                Some(Status::Signaled(Signal::KILL)) | None if is_ours => EndedBy::Us,
                Some(Status::Signaled(Signal::KILL)) if seen.with_root || is_near => EndedBy::Kernel,
                Some(Status::Signaled(other)) if Some(other) == signal => EndedBy::Signal,
                _ => EndedBy::Itself,
            };
        }
    }
}

fn look_anew(seen: &mut Seen) {
    if let Some(now) = look_at(seen.process.pid, seen.process.first_seen_at) {
        let Process { is_main, ended, executed_at, started_by, stdio, .. } = seen.process;
        let pipes = std::mem::take(&mut seen.process.pipes);
        seen.process = Process { is_main, ended, executed_at, started_by, pipes, stdio, ..now };
        seen.ticks = Stat::read(seen.process.pid).map_or(0, |stat| stat.ticks);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::sys::epoll::EpollCreateFlags;

    use super::*;

    #[test]
    fn who_has_ended_is_seen_before_anybody_tells() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat is there");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a new one");
        let number = child.id().cast_signed();
        let mut tree = Tree::new(Pid::new(number).expect("it lives"), Vec::new());
        assert_eq!(tree.add(number, Duration::ZERO, &epoll), Some(0));
        assert!(!tree.seen[0].has_ended());
        // That closes what it reads.
        drop(child.stdin.take());
        while !processes::has_ended(tree.seen[0].pidfd.as_ref().expect("it was followed").as_fd()) {
            std::thread::yield_now();
        }
        assert!(tree.seen[0].has_ended() && tree.seen[0].life == Life::Lives);
        child.wait().expect("it is ours");
        assert!(tree.seen[0].has_ended());
    }
}
