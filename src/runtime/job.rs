//! The container as a job of whoever has started us.
//!
//! 1. Its process group is its own: who is root in it can signal that group, and no process of the host is in it but the
//!    witness.
//! 2. What the terminal sends to our group reaches us alone, and we hand it on to that of the container.
//! 3. A process 1 cannot be stopped from inside, and tells nobody outside that its command was. So the witness is in the
//!    group of the container: it is stopped as that is, by the terminal or by a program that stops its own group, and then we
//!    stop all of it, and ourselves, for our shell to see. A shell inside has groups of its own for its jobs, and the witness
//!    is in none of these.

use log::{debug, warn};
use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid as NixPid, getppid, pause, setpgid};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::{
    Holder, Pid, SigSet, Sleep, Tty, close_from_3, process_group, send, send_group, set_mask, stop_ourselves,
    this_process,
};

use crate::cli::exit;
use crate::sys::processes::send_as_kernel;
use crate::sys::{Waiting, end_by_panic, find_end, reap, start_copy};

/// The container's group, and ours.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) container: Pid,
    tty: Option<Tty>,
    /// Whether it gets the terminal whenever our group has that: there are no neighbours in the group who may need it.
    is_in_front: bool,
    /// Whether we have given it the terminal, and not taken it back.
    has_terminal: bool,
    witness: Option<Witness>,
}

impl Job {
    /// Of the group that this process leads, with the terminal that it has, or could use.
    pub(super) fn new(container: Pid, tty: Option<Tty>, is_in_front: bool) -> Job {
        let mut job = Job { container, tty, is_in_front, has_terminal: is_in_front, witness: None };
        job.start_witness();
        job
    }

    /// Where there is no terminal nobody continues what was stopped.
    fn start_witness(&mut self) {
        let failed = |errno: Errno| {
            warn!(
                "cannot watch for Ctrl-Z: {}; it stops the command for good",
                supervise_init::sys::Errno(errno as i32)
            );
        };
        self.witness = self.tty.and_then(|_| Witness::start(self.container).map_err(failed).ok());
    }

    /// A key, or a new size: as if the terminal had sent it to the container's group. Process 1 takes it for the kernel's,
    /// and does not pass it on to a command that has it already.
    pub(super) fn press(&self, signal: Signal) {
        debug!(event = "forward"; "{signal} of the terminal is passed on to the container's group");
        // While it is stopped process 1 takes nothing, and so what is sent first and second is one for it.
        self.stop_process_1();
        // Each of these fails only where nobody is left.
        let _ = send_as_kernel(self.container, signal);
        let _ = send_group(self.container, signal);
        let _ = send_as_kernel(self.container, Signal::CONT);
    }

    /// Looks whether it was stopped, and does what its shell has to see.
    pub(super) fn look(&mut self, sleep: &mut Sleep) {
        match self.witness.as_ref().and_then(Witness::was_stopped) {
            // `fg` gave the terminal to our group without a word; or, in a pipeline, it is the first to read there.
            Some(Signal::TTIN | Signal::TTOU) if self.give_terminal() => self.go_on(),
            Some(by) => self.stop(by, Told::Container, sleep),
            // Root inside has killed all of that group.
            None if self.witness.as_ref().is_some_and(Witness::was_killed) => self.start_witness(),
            None => {}
        }
    }

    /// Stops the container and our group by that, until somebody lets us go on.
    pub(super) fn stop(&mut self, by: Signal, told: Told, sleep: &mut Sleep) {
        // Nobody could continue an orphaned group, and only SIGSTOP stops one. That is not for who is inside to decide.
        let by = if by == Signal::STOP { Signal::TSTP } else { by };
        debug!(event = "pause", signal = by.number(); "stopping the container and ourselves by {by}");
        // Each of these fails only where nobody is left. First process 1, because it lets a command that was stopped go on.
        self.stop_process_1();
        let _ = send_group(self.container, Signal::STOP);
        let needs_terminal = self.take_terminal() || self.is_in_front || matches!(by, Signal::TTIN | Signal::TTOU);
        if told == Told::Container {
            // A script that has started us gets it as if it had the foreground; for us it waits until the next line.
            let _ = Pid::new(process_group()).map(|group| send_group(group, by));
        }
        stop_ourselves(by);
        let was_stopped = sleep.take(Signal::CONT);
        let has_terminal = needs_terminal && self.give_terminal();
        if has_terminal || was_stopped || by == Signal::TSTP {
            self.go_on();
        } else {
            // It would only try again, for ever.
            let _ = send(self.container, Signal::CONT);
            let _ = self.witness.as_ref().map(|witness| send(witness.pid, Signal::CONT));
        }
    }

    fn go_on(&self) {
        let _ = send_group(self.container, Signal::CONT);
    }

    /// Because it comes from outside.
    fn stop_process_1(&self) {
        let _ = send(self.container, Signal::STOP);
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let _ = waitid(Id::Pid(NixPid::from_raw(self.container.number())), flags);
    }

    /// Somebody has continued our group.
    pub(super) fn proceed(&mut self) {
        if self.is_in_front {
            self.give_terminal();
        }
    }

    /// Whether our group had the terminal to give.
    fn give_terminal(&mut self) -> bool {
        // SIGTTOU is blocked.
        let given = self.tty.is_some_and(|tty| tty.is_ours() && tty.set_foreground(self.container.number()).is_ok());
        self.has_terminal |= given;
        given
    }

    /// Whether it had the terminal. In the background that is our shell's.
    fn take_terminal(&mut self) -> bool {
        let taken = self.tty.filter(|tty| tty.foreground() == Ok(self.container.number()));
        if let Some(tty) = taken {
            let _ = tty.set_foreground(process_group());
            self.has_terminal = false;
        }
        taken.is_some()
    }
}

impl Drop for Job {
    /// When the container has ended.
    fn drop(&mut self) {
        self.witness = None;
        // From the container, which is no more, and from nobody else: it may be our shell's again.
        if let Some(tty) = self.tty
            && self.has_terminal
            && tty.holder(this_process()) == Holder::Gone
        {
            // SIGTTOU is blocked. A terminal that is gone has no foreground.
            let _ = tty.set_foreground(process_group());
        }
    }
}

/// Who was told to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// The container's group.
    Container,
    /// Ours.
    OurGroup,
}

/// It is there until this is dropped.
#[derive(Debug)]
struct Witness {
    pid: Pid,
}

impl Witness {
    /// In the group that this process leads.
    ///
    /// # Errors
    /// The kernel's, where there can be no more processes.
    fn start(container: Pid) -> Result<Witness, Errno> {
        let parent = this_process();
        let pid = start_copy(|| stand_by(container, parent))?;
        // As it does itself: whichever of us is first.
        let _ = setpgid(NixPid::from_raw(pid.number()), NixPid::from_raw(container.number()));
        Ok(Witness { pid })
    }

    /// By which signal it was stopped, if it was.
    fn was_stopped(&self) -> Option<Signal> {
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(NixPid::from_raw(self.pid.number())), flags) {
            Ok(WaitStatus::Stopped(_, by)) => Signal::new(by as i32),
            _ => None,
        }
    }

    fn was_killed(&self) -> bool {
        matches!(find_end(self.pid, Waiting::Look), Some(Status::Signaled(_)))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = send(self.pid, Signal::KILL);
        let _ = find_end(self.pid, Waiting::Block);
        reap(self.pid);
    }
}

/// What the witness does.
fn stand_by(container: Pid, parent: Pid) -> u8 {
    end_by_panic();
    close_from_3(&[]);
    let is_in = setpgid(NixPid::from_raw(0), NixPid::from_raw(container.number()));
    // The signal is for the thread that starts us: who has died before gives none.
    let is_followed = set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    if is_in.is_err() || is_followed.is_err() || getppid().as_raw() != parent.number() {
        return exit::FAILURE;
    }
    // What else the container gets is not for us.
    let stops = [Signal::TSTP, Signal::TTIN, Signal::TTOU];
    let _ = set_mask(stops.into_iter().fold(SigSet::ALL, SigSet::without));
    loop {
        pause();
    }
}
