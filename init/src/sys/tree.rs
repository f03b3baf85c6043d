//! What is left when the main program has ended: everything in the namespace of a PID 1, our descendants otherwise.
//!
//! Descendants are found through /proc, by following each process's parents up to us. Where the kernel has pidfds, each
//! is signalled by one that was opened before the process was found to be ours, so that a number that is used again in
//! between is never signalled.
//!
//! A shell may have started children in the process that then became us (`supervise ... > >(tee log)`,
//! `daemon & exec supervise ...`). They are no leftovers of the program, and are neither told nor waited for.

mod processes;

use core::fmt;

pub use self::processes::is_signalled_by;
use self::processes::{Entries, Stat, parse_number, status_line};
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::process::Pid;
use super::session::process_group_of;
use super::signals::{send, send_namespace};
use super::wait::has_children;
use crate::core::{Left, Scope, Signal};

/// Why descendants cannot be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// /proc cannot be read.
    NoProc(Errno),
    /// /proc shows another PID namespace than ours: its numbers are other processes here.
    OtherNamespace,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::NoProc(errno) => write!(f, "cannot read /proc: {errno}"),
            TreeError::OtherNamespace => f.write_str("/proc is that of another PID namespace"),
        }
    }
}

/// What is left in a scope.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    scope: Scope,
    ourselves: Pid,
    /// Children that we had before we started any.
    inherited: [Option<Pid>; Rest::INHERITED],
    has_inherited: bool,
    /// Helpers of our own: one that explains, one that makes known, one that speaks for clients, one that looks after main.
    helpers: [Option<Pid>; 6],
    /// The process group of a check, in which all were killed.
    killed: Option<Pid>,
}

/// Whether anybody was there to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// At least one.
    Somebody,
    /// None.
    Nobody,
}

/// What a process is to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kin {
    /// The program has started it, or what it has started has. It may have ended, and not be reaped yet.
    Ours,
    /// Somebody else has.
    Foreign,
    /// There is none of that number any more, or none is seen.
    Gone,
}

/// A process that is left, with a pidfd where the kernel has them and no filter refuses them.
struct Process {
    pid: Pid,
    stat: Stat,
    pidfd: Option<Fd>,
}

impl Process {
    fn send(&self, signal: Signal) {
        // It has ended in the meantime, or changed its user: nothing that we could mend.
        let _ = match &self.pidfd {
            Some(pidfd) => send_pidfd(pidfd, Some(signal)),
            None => send(self.pid, signal),
        };
    }

    /// `SigIgn` in /proc/PID/status (proc_pid_status(5)).
    fn ignores(&self, signal: Signal) -> bool {
        let mut buffer = [0; 2048];
        let ignored = status_line(self.pid, b"SigIgn:", &mut buffer)
            .and_then(|line| u64::from_str_radix(core::str::from_utf8(line).ok()?, 16).ok());
        ignored.is_some_and(|ignored| ignored & (1 << (signal.number() - 1)) != 0)
    }
}

impl Rest {
    /// More children than this that were there before us are taken for the program's.
    const INHERITED: usize = 32;

    /// To be made before the first program is started.
    pub fn new(scope: Scope, ourselves: Pid) -> Rest {
        let (inherited, has_inherited) = ([None; Rest::INHERITED], false);
        let mut rest = Rest { scope, ourselves, inherited, has_inherited, helpers: [None; 6], killed: None };
        // A PID 1 takes all with it when it ends, so it tells all.
        if scope == Scope::Tree && has_children() {
            rest.find_inherited();
        }
        rest
    }

    /// Not in our caller's frame, which stays in memory: its buffers are needed here only.
    #[inline(never)]
    fn find_inherited(&mut self) {
        let mut found = [None; Rest::INHERITED];
        let mut places = found.iter_mut();
        // Without /proc nothing is told later either.
        let _ = self.for_each(|process| {
            if process.stat.parent == self.ourselves.number()
                && let Some(place) = places.next()
            {
                *place = Some(process.pid);
            }
        });
        self.inherited = found;
        self.has_inherited = true;
    }

    /// What is left is looked for there from now on.
    pub fn set_scope(&mut self, scope: Scope) {
        self.scope = scope;
    }

    /// A helper of ours is none of the program's processes. (A PID 1's signals to all reach it all the same, blocked.)
    pub fn set_helper(&mut self, helper: Option<Pid>) {
        self.helpers[0] = helper;
    }

    /// The same of the one that makes something known, and of the one that speaks for clients.
    pub fn set_others(&mut self, others: [Option<Pid>; 2]) {
        [self.helpers[1], self.helpers[2]] = others;
    }

    /// The same of the one that looks after main, and of what it has left in its process group, where that was killed.
    pub fn set_prober(&mut self, prober: Option<Pid>, killed: Option<Pid>) {
        (self.helpers[3], self.killed) = (prober, killed);
    }

    /// The same of those that take descriptors away from our two sockets.
    pub fn set_takers(&mut self, takers: [Option<Pid>; 2]) {
        [self.helpers[4], self.helpers[5]] = takers;
    }

    /// Children that we had before we started any, and that have not ended.
    pub fn inherited(&self) -> &[Option<Pid>] {
        &self.inherited
    }

    /// A child has ended. Its number may be used again.
    pub fn forget(&mut self, pid: Pid) {
        if !self.has_inherited {
            return;
        }
        for place in &mut self.inherited {
            if *place == Some(pid) {
                *place = None;
            }
        }
    }

    /// Whether the program has left anything, given that we still have children.
    pub fn is_any(&self) -> Left {
        if self.killed.is_none() && self.inherited.iter().all(Option::is_none) {
            return Left::Some;
        }
        let mut left = Left::None;
        let ourselves = self.ourselves.number();
        // Whatever is left is a child of ours, or below one; what others have started in our namespace is neither.
        match self.for_each(|process| {
            if process.stat.parent == ourselves {
                left = Left::Some;
            }
        }) {
            Ok(()) => left,
            Err(_) => Left::Some,
        }
    }

    /// Tells everything that is left to end: SIGTERM, and SIGCONT for what is stopped. What ignores SIGTERM gets SIGHUP:
    /// an interactive shell does, and ends by the latter. (Others would be killed by it in the middle of what they do
    /// on SIGTERM.) Says whether there is anybody.
    ///
    /// # Errors
    /// Descendants cannot be found. A PID 1 needs /proc for the shells only.
    pub fn tell_to_end(&self) -> Result<Told, TreeError> {
        match self.scope {
            Scope::Namespace => {
                // ESRCH: nobody is there. Nothing else can be refused to a PID 1 within its namespace.
                if send_namespace(Signal::TERM).is_err() {
                    return Ok(Told::Nobody);
                }
                let _ = send_namespace(Signal::CONT);
                // Without /proc such shells are killed in the end.
                let _ = self.for_each(|process| {
                    if process.ignores(Signal::TERM) {
                        process.send(Signal::HUP);
                    }
                });
                Ok(Told::Somebody)
            }
            Scope::Tree => {
                let mut told = Told::Nobody;
                self.for_each(|process| {
                    process.send(Signal::TERM);
                    process.send(Signal::CONT);
                    if process.ignores(Signal::TERM) {
                        process.send(Signal::HUP);
                    }
                    told = Told::Somebody;
                })?;
                Ok(told)
            }
        }
    }

    /// Sends the signal to everything that is left.
    ///
    /// # Errors
    /// Descendants cannot be found. A PID 1 needs no /proc.
    pub fn signal(&self, signal: Signal) -> Result<(), TreeError> {
        match self.scope {
            Scope::Namespace => {
                // ESRCH: nobody is there.
                let _ = send_namespace(signal);
                Ok(())
            }
            Scope::Tree => self.for_each(|process| process.send(signal)),
        }
    }

    /// Kills everything that is left. Descendants are stopped first: what is stopped cannot fork, so that what forks
    /// faster than we can look is caught, and keeps the places that a limit gives it instead of making room for more.
    ///
    /// # Errors
    /// Descendants cannot be found. A PID 1 needs no /proc: the kernel kills all at once, and no fork comes in between.
    pub fn kill(&self) -> Result<(), TreeError> {
        if self.scope == Scope::Tree {
            self.stop(None)?;
        }
        self.signal(Signal::KILL)
    }

    /// Kills a child of ours that has not been reaped, and all that is below it, stopped first as above. What has left
    /// its tree (a daemon) is one of those that are left.
    ///
    /// # Errors
    /// What is below it cannot be found. The child itself is killed all the same.
    pub fn kill_tree(&self, root: Pid) -> Result<(), TreeError> {
        // It has ended: nothing that we could mend.
        let _ = send(root, Signal::STOP);
        let killed = self.stop(Some(root)).and_then(|()| self.kill_below(root));
        let _ = send(root, Signal::KILL);
        killed
    }

    /// Kills what is below the root and stopped. All are found before any is killed: the children of one that is
    /// dead are ours, and not below the root any more.
    #[inline(never)]
    fn kill_below(&self, root: Pid) -> Result<(), TreeError> {
        /// What is more than this is most likely left, and ends with what is.
        const MOST: usize = 64;
        let mut all = [const { None }; MOST];
        let mut places = all.iter_mut();
        self.for_each_below(Some(root), |process| {
            if let Some(place) = places.next() {
                *place = Some(process);
            }
        })?;
        all.iter().flatten().for_each(|process: &Process| process.send(Signal::KILL));
        Ok(())
    }

    /// Stops everything below the root, or below us.
    fn stop(&self, root: Option<Pid>) -> Result<(), TreeError> {
        /// A process that was told to stop but has not come to it yet cannot fork either, and looks as if it ran.
        const LOOKS: u32 = 8;
        for _ in 0..LOOKS {
            let mut running = 0_u32;
            self.for_each_below(root, |process| {
                if !process.stat.is_stopped() {
                    process.send(Signal::STOP);
                    running = running.saturating_add(1);
                }
            })?;
            if running == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Calls `tell` with the pid and name of each process that is left.
    ///
    /// # Errors
    /// They cannot be found.
    pub fn name(&self, mut tell: impl FnMut(Pid, &str)) -> Result<(), TreeError> {
        self.for_each(|process| tell(process.pid, process.stat.comm()))
    }

    /// What the process of that number is to the program, whatever our scope is.
    pub fn kin(&self, pid: Pid) -> Kin {
        if pid == self.ourselves || self.helpers.contains(&Some(pid)) {
            return Kin::Foreign;
        }
        if check_proc(self.ourselves).is_err() {
            return Kin::Gone;
        }
        match Stat::read(pid) {
            None => Kin::Gone,
            Some(stat) if self.is_below(pid, &stat, None) => Kin::Ours,
            Some(_) => Kin::Foreign,
        }
    }

    /// Whether that one is below the process `above`, which may be one of many that are ours.
    pub fn is_below_of(&self, pid: Pid, above: Pid) -> bool {
        Stat::read(pid).is_some_and(|stat| self.is_below(pid, &stat, Some(above)))
    }

    /// Goes through all living processes of the scope.
    fn for_each(&self, mut found: impl FnMut(&Process)) -> Result<(), TreeError> {
        self.for_each_below(None, |process| found(&process))
    }

    /// The same below that root.
    fn for_each_below(&self, root: Option<Pid>, mut found: impl FnMut(Process)) -> Result<(), TreeError> {
        check_proc(self.ourselves)?;
        let has_pidfds = Fd::of_process(self.ourselves.number()).and_then(|pidfd| send_pidfd(&pidfd, None)).is_ok();
        let directory = Fd::open(c"/proc", libc::O_RDONLY | libc::O_DIRECTORY).map_err(TreeError::NoProc)?;
        let mut entries = Entries::new(&directory);
        while let Some(pid) = entries.next_pid().map_err(TreeError::NoProc)? {
            if pid == self.ourselves || self.helpers.contains(&Some(pid)) || self.is_killed(pid) {
                continue;
            }
            let pidfd = if has_pidfds { Fd::of_process(pid.number()).ok() } else { None };
            // It has ended since the entry was read.
            if has_pidfds && pidfd.is_none() {
                continue;
            }
            if let Some(stat) = self.find(pid, root) {
                found(Process { pid, stat, pidfd });
            }
        }
        Ok(())
    }

    /// Whether it is what a check has left. Where that hangs in the kernel, there is nothing more to be done about it.
    fn is_killed(&self, pid: Pid) -> bool {
        self.killed.is_some() && process_group_of(pid) == self.killed
    }

    /// The living process of that number, if it is of the scope, or below the root.
    fn find(&self, pid: Pid, root: Option<Pid>) -> Option<Stat> {
        /// How often a process may be handed to another parent while we look.
        const MOVES: u32 = 8;
        let mut stat = Stat::read(pid).filter(|stat| !stat.is_zombie())?;
        if self.scope == Scope::Namespace && root.is_none() {
            return Some(stat);
        }
        for _ in 0..MOVES {
            let below = self.is_below(pid, &stat, root);
            // A parent that has ended on the way may have left its number to another process.
            let again = Stat::read(pid).filter(|stat| !stat.is_zombie())?;
            if again.parent == stat.parent {
                return below.then_some(again);
            }
            stat = again;
        }
        None
    }

    /// Whether the chain of parents leads to the root; or to us, by a child that was not there before us.
    fn is_below(&self, pid: Pid, stat: &Stat, root: Option<Pid>) -> bool {
        /// No chain is longer; a race with dying processes must not make one endless.
        const DEEPEST: u32 = 4096;
        let (mut child, mut parent) = (pid, stat.parent);
        for _ in 0..DEEPEST {
            match root {
                Some(root) if parent == root.number() => return true,
                Some(_) => {}
                None if parent == self.ourselves.number() => return !self.inherited.contains(&Some(child)),
                None => {}
            }
            let Some(next) = Pid::new(parent).filter(|pid| pid.number() != 1) else { return false };
            let Some(stat) = Stat::read(next) else { return false };
            (child, parent) = (next, stat.parent);
        }
        false
    }
}

/// pidfd_send_signal(2) (Linux 5.1); without a signal it only tries.
fn send_pidfd(pidfd: &Fd, signal: Option<Signal>) -> Result<(), Errno> {
    let number = signal.map_or(0, |signal| libc::c_int::from(signal.number()));
    let nothing: *const libc::siginfo_t = core::ptr::null();
    // SAFETY: integers and a null pointer, which pidfd_send_signal(2) takes for kill(2)'s information.
    cerr(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.raw(), number, nothing, 0) }).map(|_| ())
}

/// /proc/self names us as its own namespace does.
pub(super) fn check_proc(ourselves: Pid) -> Result<(), TreeError> {
    let mut target = [0_u8; 16];
    // SAFETY: a constant string with a NUL; the pointer and the length are of one array.
    let length =
        cerr(unsafe { libc::readlink(c"/proc/self".as_ptr(), target.as_mut_ptr().cast(), target.len()) } as i64)
            .map_err(TreeError::NoProc)?;
    let number = target.get(..length as usize).and_then(parse_number);
    if number == Some(ourselves.number()) { Ok(()) } else { Err(TreeError::OtherNamespace) }
}
