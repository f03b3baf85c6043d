//! Sessions, process groups and terminals.

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::process::{Pid, this_process};
use super::wait::has_children_in;
use crate::core::Terminal;

/// One of our standard streams that is our controlling terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tty(i32);

/// Whose group is in the foreground of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// Ours.
    Ours,
    /// The program's, or one with a child of ours in it.
    Below,
    /// Nobody's: the group is gone.
    Gone,
    /// Another, or one that our PID namespace does not show.
    Other,
}

/// getpgrp(2); 0 if its leader is outside our PID namespace.
pub fn process_group() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getpgrp() }
}

/// getpgid(2): the process group that a process is in, or was when it ended.
pub fn process_group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: takes an integer and touches no memory of ours.
    Pid::new(unsafe { libc::getpgid(pid.number()) })
}

/// setpgid(2): a process group of its own for this process.
pub fn lead_process_group() {
    // SAFETY: takes integers; fails only for who leads a session.
    unsafe { libc::setpgid(0, 0) };
}

/// getsid(2) of ourselves; 0 if its leader is outside our PID namespace.
pub fn session() -> i32 {
    // SAFETY: takes an integer; cannot fail for ourselves.
    unsafe { libc::getsid(0) }
}

/// getsid(2) of another process, if there is one; 0 if it has none, or its leader is outside our PID namespace.
pub fn session_of(pid: Pid) -> Option<i32> {
    // SAFETY: takes an integer and touches no memory of ours.
    Some(unsafe { libc::getsid(pid.number()) }).filter(|session| *session >= 0)
}

/// setsid(2), and what is read from becomes the new session's terminal, if it is one and no other session's (TIOCSCTTY
/// in ioctl_tty(2)).
///
/// # Errors
/// Why there is no terminal. To be called by who leads no group.
pub(super) fn new_session() -> Result<(), Errno> {
    // SAFETY: no arguments, touches no memory of ours.
    unsafe { libc::setsid() };
    // SAFETY: takes integers and touches no memory of ours.
    cerr(i64::from(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) })).map(|_| ())
}

/// What came of leaving a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Nobody's session has it any more, so that another can have it.
    Terminal,
    /// Only we have left it.
    Session,
}

/// Gives up our controlling terminal, if what we read from is that (TIOCNOTTY in ioctl_tty(2)). To the foreground group of
/// a session whose leader does that the kernel sends SIGHUP and SIGCONT.
///
/// # Errors
/// ENOTTY if it is not.
pub fn leave_terminal() -> Result<Left, Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    cerr(i64::from(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNOTTY) }))?;
    Ok(if session() == this_process().number() { Left::Terminal } else { Left::Session })
}

/// Our controlling terminal, if it is among our standard streams.
pub fn controlling_tty() -> Option<Tty> {
    (0..3).map(Tty).find(|tty| tty.foreground().is_ok())
}

/// Whether our controlling terminal is what we read from and what we write to.
pub fn talks_to_terminal() -> bool {
    [Tty(libc::STDIN_FILENO), Tty(libc::STDOUT_FILENO)].into_iter().all(|tty| tty.foreground().is_ok())
}

/// What we and our child are to our controlling terminal, on whatever descriptor it is.
pub fn terminal(child: Pid) -> Terminal {
    let Ok(tty) = Fd::open(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK) else {
        return Terminal::None;
    };
    match Tty(tty.raw()).foreground() {
        Ok(group) if group == process_group() || group == child.number() => Terminal::Foreground,
        Ok(_) => Terminal::Background,
        Err(_) => Terminal::None,
    }
}

impl Tty {
    /// tcgetpgrp(3).
    ///
    /// # Errors
    /// ENOTTY if it is not our controlling terminal.
    pub fn foreground(self) -> Result<i32, Errno> {
        let mut group = 0;
        // SAFETY: the kernel writes one pid_t to `group`.
        cerr(i64::from(unsafe { libc::ioctl(self.0, libc::TIOCGPGRP, &raw mut group) }))?;
        Ok(group)
    }

    /// Whether we are in its foreground. Only then may we hand it on: taking it would stop the shell that put us in
    /// the background.
    pub fn is_ours(self) -> bool {
        self.foreground() == Ok(process_group())
    }

    /// Whose group is in the foreground, if `main` is the program's number.
    pub fn holder(self, main: Pid) -> Holder {
        match self.foreground() {
            Ok(group) if group == process_group() => Holder::Ours,
            // Groups 0 and less cannot be asked after.
            Ok(group) if group <= 0 => Holder::Other,
            Ok(group) if group == main.number() || has_children_in(group) => Holder::Below,
            // SAFETY: takes two integers and touches no memory of ours; signal 0 only asks.
            Ok(group) => match cerr(i64::from(unsafe { libc::kill(-group, 0) })) {
                Err(Errno(libc::ESRCH)) => Holder::Gone,
                Ok(_) | Err(_) => Holder::Other,
            },
            Err(_) => Holder::Other,
        }
    }

    /// tcsetpgrp(3). SIGTTOU must be blocked or ignored if we may be in the background.
    ///
    /// # Errors
    /// The kernel's: the terminal is gone, or the group is not of our session.
    pub fn set_foreground(self, group: i32) -> Result<(), Errno> {
        // SAFETY: the kernel reads one pid_t from `group`.
        cerr(i64::from(unsafe { libc::ioctl(self.0, libc::TIOCSPGRP, &raw const group) })).map(|_| ())
    }
}
