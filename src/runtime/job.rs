//! Ctrl-Z in a container that has the foreground of our terminal.
//!
//! A process 1 cannot be stopped from inside, and tells nobody outside that its command was. So a witness of ours is in the
//! group of the container: it is stopped as that is, by the terminal or by a program that stops its own group, and then we
//! stop all of it, and ourselves, for our shell to see. A shell inside has groups of its own for its jobs, and the witness
//! is in none of these.

use log::debug;
use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid as NixPid, getppid, pause, setpgid};
use supervise_init::core::Signal;
use supervise_init::sys::{
    Pid, SigSet, Tty, close_from_3, process_group, send, send_group, set_mask, stop_ourselves, this_process,
};

use crate::cli::exit;
use crate::sys::{Waiting, end_by_panic, find_end, reap, start_copy};

/// It is there until this is dropped.
#[derive(Debug)]
pub(super) struct Witness {
    pid: Pid,
    container: Pid,
    tty: Tty,
}

impl Witness {
    /// In the group that this process leads.
    ///
    /// # Errors
    /// The kernel's, where there can be no more processes.
    pub(super) fn start(container: Pid, tty: Tty) -> Result<Witness, Errno> {
        let parent = this_process();
        let pid = start_copy(|| stand_by(container, parent))?;
        Ok(Witness { pid, container, tty })
    }

    /// By which signal it was stopped, if it was.
    pub(super) fn was_stopped(&self) -> Option<Signal> {
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(NixPid::from_raw(self.pid.number())), flags) {
            Ok(WaitStatus::Stopped(_, by)) => Signal::new(by as i32),
            _ => None,
        }
    }

    /// Stops the container and our group by that, until somebody lets us go on.
    pub(super) fn stop_all(&self, by: Signal) {
        debug!(event = "pause", signal = by.number(); "stopping the container and ourselves by {by}");
        let group = process_group();
        // Process 1 is stopped because it comes from outside; first, because it lets a command that was stopped go on.
        // Each of these fails only where nobody is left.
        let _ = send(self.container, Signal::STOP);
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let _ = waitid(Id::Pid(NixPid::from_raw(self.container.number())), flags);
        let _ = send_group(self.container, Signal::STOP);
        // In the background it is our shell's.
        if self.tty.foreground() == Ok(self.container.number()) {
            let _ = self.tty.set_foreground(group);
        }
        // A script that has started us gets it as if it had the foreground; for us it waits until the next line.
        let _ = Pid::new(group).map(|group| send_group(group, by));
        stop_ourselves(by);
        if self.tty.is_ours() {
            let _ = self.tty.set_foreground(self.container.number());
        }
        let _ = send_group(self.container, Signal::CONT);
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
