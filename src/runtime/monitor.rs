//! What stays outside: it starts process 1, passes signals on, and ends as that does.
//!
//! 1. All signals are blocked from before process 1 exists until the end, and taken one after the other: none is lost, and
//!    the death of a container that ends at once is seen.
//! 2. The container's process group is its own, wherever it stands: root in it signals that.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use log::{debug, error, warn};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid as NixPid, pipe2, setpgid};
use supervise_init::core::{Received, Sender, Signal, Status};
use supervise_init::sys::{
    Pages, Pid, SigSet, Sleep, Tty, Wake, controlling_tty, send, talks_to_terminal, this_process,
};

use super::apply::{self, Site, Why};
use super::cgroup::{Host, Limits};
use super::host::OnHost;
use super::ids;
use super::job::{Job, Told};
use super::plan::Step;
use super::spec::Namespaces;
use super::submounts::LeftOut;
use super::unfit::users::check_user_namespaces;
use crate::cli::exit;
use crate::end;
use crate::sys::{self, Waiting, start_contained};

/// Where the container stands to our terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// It has the foreground that we had.
    Foreground(Tty),
    /// In a pipeline the terminal may be a neighbour's, in the background it is our shell's. It gets it when it needs it.
    Behind(Tty),
    /// It has none.
    Apart,
}

impl Standing {
    fn find() -> Standing {
        match controlling_tty() {
            Some(tty) if tty.is_ours() && talks_to_terminal() => Standing::Foreground(tty),
            Some(tty) => Standing::Behind(tty),
            None => Standing::Apart,
        }
    }

    /// In the process that becomes process 1.
    fn take(self) {
        let ourselves = NixPid::from_raw(0);
        // It fails for no process that has just been made.
        let _ = setpgid(ourselves, ourselves);
        if let Standing::Foreground(tty) = self {
            // SIGTTOU is blocked. A terminal that is gone has no foreground.
            let _ = tty.set_foreground(this_process().number());
        }
    }

    /// That of a container which stands so.
    fn job(self, child: Pid) -> Job {
        let tty = match self {
            Standing::Foreground(tty) | Standing::Behind(tty) => Some(tty),
            Standing::Apart => None,
        };
        Job::new(child, tty, matches!(self, Standing::Foreground(_)))
    }
}

/// What becomes of a signal that we get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Forward,
    /// To all of the container's group: the terminal has sent it to all of ours.
    Press,
    /// With the container.
    Stop,
    /// With the terminal, where our group has been given that.
    GoOn,
    Nothing,
}

fn answer(received: Received) -> Answer {
    match (received.signal, received.sender) {
        (Signal::CHLD, _) => Answer::Nothing,
        // Of a line to who has ended meanwhile.
        (Signal::PIPE, Sender::Kernel) => Answer::Nothing,
        (signal, Sender::Kernel) if signal.is_job_stop() => Answer::Stop,
        (Signal::INT | Signal::QUIT | Signal::WINCH, Sender::Kernel) => Answer::Press,
        (Signal::CONT, _) => Answer::GoOn,
        // That the terminal is gone is told to the session's leader alone.
        _ => Answer::Forward,
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    Code(u8),
    /// Before there was a process 1: nothing of the image has run.
    Unmade(u8),
    /// It is to be set up again.
    Reboot,
}

/// Which start it is: what was said at the first is not said again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    First,
    Again,
}

/// Why what has to be done from outside was not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unserved {
    Failed(String),
    /// This signal was for the container, which has not begun.
    Asked(i32),
}

/// A container that is to be.
pub(super) struct Container<'a> {
    pub(super) steps: &'a [Step],
    pub(super) namespaces: &'a Namespaces,
    pub(super) limits: &'a Limits,
    pub(super) id: &'a str,
    /// The directories that an overlay is made of.
    pub(super) overlaid: &'a [PathBuf],
    /// Where helpers are looked for.
    pub(super) path: Option<&'a OsStr>,
}

impl Container<'_> {
    /// Makes it and watches it to its end.
    pub(super) fn live(&self, start: Start) -> Ended {
        let standing = Standing::find();
        let mut on_host = OnHost::default();
        let ended = match self.start(standing, &mut on_host) {
            Ok((mut job, _lifeline)) => {
                // Meanwhile it sets itself up.
                self.look_around(start, &mut on_host);
                watch(&mut job)
            }
            Err(code) => Ended::Unmade(code),
        };
        on_host.remove();
        ended
    }

    /// Starts it. What is returned beside it is the line that is closed when we die.
    fn start(&self, standing: Standing, on_host: &mut OnHost) -> Result<(Job, OwnedFd), u8> {
        let failed = |errno: Errno| {
            let step = self.steps.first().map_or_else(String::new, Step::to_string);
            error!("cannot {step}: {}", self.hinted(errno));
            exit::FAILURE
        };
        on_host.limit(self.limits, self.id);
        // Each write is read by itself (O_DIRECT in pipe(2)).
        let (far, near) = pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT).map_err(failed)?;
        let by_monitor = self.steps.contains(&Step::JoinNetwork);
        let monitor = if by_monitor { sys::processes::pidfd(this_process()).ok() } else { None };
        let mut ends = Some((far, near, monitor));
        let child = start_contained(self.namespaces.flags(), || {
            standing.take();
            let Some((far, near, monitor)) = ends.take() else { return exit::FAILURE };
            drop(near);
            match apply::all(self.steps, &mut Site::new(far, monitor)) {
                // The monitor has said why, or is gone.
                Ok(()) | Err((_, Why::MonitorGone)) => {}
                Err((_, Why::Unfit(why))) => {
                    error!("{why}");
                    return why.code();
                }
                Err((step, why)) => error!("cannot {step}: {}", self.explained(step, why)),
            }
            exit::FAILURE
        });
        let child = child.map_err(failed)?;
        // As it does itself: whichever of us is first.
        let leader = NixPid::from_raw(child.number());
        let _ = setpgid(leader, leader);
        // Before there is a command that could be stopped.
        let job = standing.job(child);
        let Some((far, near, _)) = ends else { return Err(exit::FAILURE) };
        drop(far);
        if let Err(why) = self.serve(child, &near, on_host) {
            let code = match why {
                Unserved::Asked(signal) => {
                    Signal::new(signal).map_or(exit::FAILURE, |signal| Status::Signaled(signal).shell_code())
                }
                Unserved::Failed(why) => {
                    error!("{why}");
                    exit::FAILURE
                }
            };
            // It waits for us, finds the line closed, and ends.
            drop(near);
            let _ = sys::find_end(child, Waiting::Block);
            sys::reap(child);
            return Err(code);
        }
        Ok((job, near))
    }

    /// What is worth knowing, and does not have to be known before it begins.
    fn look_around(&self, start: Start, on_host: &mut OnHost) {
        let host = Host::ours();
        if start == Start::First
            && let Some(left_out) = LeftOut::find(&host.mounts, self.overlaid)
        {
            warn!("{left_out}");
        }
        on_host.remove_left_behind(&host);
    }

    /// Why there are no namespaces.
    fn hinted(&self, errno: Errno) -> String {
        let text = supervise_init::sys::Errno(errno as i32);
        match (errno, &self.namespaces.user) {
            (Errno::EPERM, None) => format!("{text} (needs CAP_SYS_ADMIN, or --user-ns)"),
            (_, Some(_)) => match check_user_namespaces() {
                Err(why) => why.to_string(),
                // It may be about another one of them.
                Ok(()) => format!("{text} (the limits are in /proc/sys/user/max_*_namespaces)"),
            },
            (Errno::ENOSPC, None) => format!("{text} (the limits are in /proc/sys/user/max_*_namespaces)"),
            _ => text.to_string(),
        }
    }

    /// Why a step could not be done. With the first that needs a right it shows that a user namespace gives none.
    fn explained(&self, step: &Step, why: Why) -> String {
        match (step, &self.namespaces.user, why) {
            (Step::CutPropagation, Some(_), Why::Kernel(Errno::EPERM)) => match check_user_namespaces() {
                Err(no_rights) => no_rights.to_string(),
                Ok(()) => Why::Kernel(Errno::EPERM).to_string(),
            },
            (_, _, why) => why.to_string(),
        }
    }

    /// What has to be done from outside, in the order in which it is waited for.
    fn serve(&self, child: Pid, line: &OwnedFd, on_host: &mut OnHost) -> Result<(), Unserved> {
        // Who has ended meanwhile has said why.
        let tell = |word: &str| {
            let _ = nix::unistd::write(line, format!("{word}\n").as_bytes());
        };
        if self.steps.contains(&Step::AwaitMonitor) {
            on_host.place(child).map_err(|error| Unserved::Failed(error.to_string()))?;
            if let Some(ids) = &self.namespaces.user {
                let failed = |why| Unserved::Failed(format!("cannot map the ids of the user namespace: {why}"));
                ids::write(ids, child).map_err(failed)?;
            }
            tell("go");
        }
        if self.steps.contains(&Step::JoinNetwork) {
            // We stay in it: nothing of ours is about a network.
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
                Unserved::Failed(format!("cannot make a new net namespace: {}", self.hinted(errno)))
            })?;
            tell("made");
        }
        if self.steps.contains(&Step::AwaitNetwork) {
            tell(on_host.connect(child, self.path, self.id)?);
        }
        Ok(())
    }
}

/// Until it has ended.
fn watch(job: &mut Job) -> Ended {
    let child = job.container;
    let mut sleep = Sleep::new(this_process());
    // A container may live for long, and the start of one is most of what we are made of.
    sleep.give_back(Pages::of_the_program());
    let mut waiting = Waiting::Look;
    loop {
        match sleep.wait_signal(SigSet::ALL, None) {
            Wake::Signal(received) => match answer(received) {
                Answer::Forward => pass(received.signal, child),
                Answer::Press => job.press(received.signal),
                Answer::Stop => job.stop(received.signal, Told::OurGroup, &mut sleep),
                Answer::GoOn => {
                    job.proceed();
                    pass(received.signal, child);
                }
                Answer::Nothing => {}
            },
            Wake::Helper | Wake::Nothing => {}
            Wake::Refused(errno) => {
                warn!("cannot wait for signals: {errno}; none is passed on");
                waiting = Waiting::Block;
            }
        }
        if let Some(status) = sys::find_end(child, waiting) {
            let ended = ended(child, status);
            sys::reap(child);
            return ended;
        }
        job.look(&mut sleep);
    }
}

/// Before it is reaped: then its name can still be read.
fn ended(child: Pid, status: Status) -> Ended {
    match status {
        status if has_executed_nothing(child) => Ended::Unmade(status.shell_code()),
        // What the kernel makes of a reboot(2) inside (pid_namespaces(7), reboot(2)): a restart, and everything else.
        Status::Signaled(Signal::HUP) => Ended::Reboot,
        Status::Signaled(Signal::INT) => Ended::Code(exit::SUCCESS),
        Status::Exited(end::REBOOTED) if has_name_of_reboot(child) => Ended::Reboot,
        status => Ended::Code(status.shell_code()),
    }
}

/// As the kernel notes it (proc_pid_stat(5), field 9). By its code alone it cannot be told from a command that ends with 125.
fn has_executed_nothing(child: Pid) -> bool {
    /// linux/sched.h.
    const PF_FORKNOEXEC: u32 = 0x40;
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let flags = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(6)?.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & PF_FORKNOEXEC != 0)
}

fn has_name_of_reboot(child: Pid) -> bool {
    let name = fs::read(format!("/proc/{child}/comm"));
    name.is_ok_and(|name| name.strip_suffix(b"\n") == Some(end::REBOOTS.to_bytes()))
}

fn pass(signal: Signal, child: Pid) {
    debug!(event = "forward"; "{signal} is passed on to the container");
    if let Err(errno) = send(child, signal) {
        warn!("cannot pass {signal} on to the container (pid {child}): {errno}");
    }
}
