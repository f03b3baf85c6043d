//! What std and nix cannot do safely: work between fork and exec, fork itself, leaving without clean-up; and the
//! scheduling class.
//!
//! The bench and its payload are single-threaded; every block below rests on that.
#![expect(unsafe_code, reason = "fork, exec hooks and _exit have no safe form, sched_setscheduler no wrapper")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::unistd::{ForkResult, Pid, fork};

/// What a child does between fork and exec.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A /proc of its own PID namespace, as every container has; an init must not read the outer one.
    MountProc,
    /// An empty /run: an init that makes sockets or FIFOs there makes them for itself alone.
    MountRun,
    /// Last, because the exec that follows is then the first stop.
    TraceMe,
}

/// Adds `steps`, in their order, to what the child of `command` does before its exec.
pub(crate) fn before_exec(command: &mut Command, steps: Vec<Step>) {
    let run = move || steps.iter().try_for_each(|step| take(*step)).map_err(io::Error::from);
    // SAFETY: the parent is single-threaded, so no lock can be held by a thread that the child does not have; `run`
    // makes only system calls, on string literals and values that exist before the fork.
    unsafe { command.pre_exec(run) };
}

fn take(step: Step) -> nix::Result<()> {
    const NONE: Option<&str> = None;
    match step {
        Step::MountProc => {
            unshare(CloneFlags::CLONE_NEWNS)?;
            // Before any mount: otherwise ours would show up outside.
            mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
            mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), NONE)
        }
        Step::MountRun => mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("size=1m")),
        Step::TraceMe => ptrace::traceme(),
    }
}

/// The scheduling class of this process and of what it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    Ordinary,
    /// The lowest real-time priority: before every ordinary process.
    RealTime,
}

/// Moves this process to `class`.
pub(crate) fn schedule(class: Class) -> nix::Result<()> {
    let (policy, priority) = match class {
        Class::Ordinary => (libc::SCHED_OTHER, 0),
        Class::RealTime => (libc::SCHED_FIFO, 1),
    };
    // The raw call, because musl's function of this name only answers ENOSYS.
    // SAFETY: the kernel reads one int from the pointer, and `priority` lives until the call returns.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    Errno::result(answer).map(drop)
}

/// Forks; the child runs `work` and exits with what it returns.
pub(crate) fn fork_and(work: impl FnOnce() -> u8) -> nix::Result<Pid> {
    // SAFETY: this process has one thread, so the child may do whatever the parent may.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => exit_at_once(work()),
    }
}

/// Ends this process without running exit handlers or flushing what a parent has buffered.
pub(crate) fn exit_at_once(code: u8) -> ! {
    // SAFETY: takes an integer, touches no memory of ours and does not return.
    unsafe { libc::_exit(code.into()) }
}
