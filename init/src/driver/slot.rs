//! The programs that a machine may start: main, and what runs before it and before a stop.

use core::fmt;

use log::debug;

use super::ForwardTo;
use crate::core::{StartError, Status, Terminal};
use crate::sys::{self, Given, Holder, Pid, Pipe, Placement, Program, Started};

/// What a program is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The command itself.
    Main,
    /// Something before it is started.
    PreStart,
    /// Something before it is told to stop.
    PreStop,
}

impl Purpose {
    /// The word for it in the JSON form of the log.
    pub(super) fn field(self) -> &'static str {
        match self {
            Purpose::Main => "main",
            Purpose::PreStart => "pre-start",
            Purpose::PreStop => "pre-stop",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Main => "the main program",
            // A hook, or a wait.
            Purpose::PreStart => "the pre-start step",
            Purpose::PreStop => "the pre-stop hook",
        })
    }
}

/// A program that the machine may start, and whether it runs.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    program: Program,
    /// What is done in a copy of ourselves instead of executing the program.
    call: Option<&'a dyn Fn() -> u8>,
    purpose: Purpose,
    /// How messages name it; empty: as the program is named.
    title: &'a str,
    pub(super) forward_to: ForwardTo,
    /// Our controlling terminal, if the program has a group of its own that can be in its foreground.
    tty: Option<sys::Tty>,
    pub(super) pid: Option<Pid>,
    /// Its number, also when it has ended.
    pub(super) number: Option<Pid>,
    pub(super) has_terminal: bool,
}

impl<'a> Slot<'a> {
    /// The main program, which does not run yet.
    pub const fn new(program: Program, forward_to: ForwardTo, tty: Option<sys::Tty>) -> Slot<'a> {
        let has_terminal = matches!(program.placement, Placement::Foreground(_));
        let (call, purpose, title) = (None, Purpose::Main, "");
        Slot { program, call, purpose, title, forward_to, tty, pid: None, number: None, has_terminal }
    }

    /// The same as a hook. Messages name it by its `title`.
    pub const fn hook(self, purpose: Purpose, title: &'a str) -> Slot<'a> {
        Slot { purpose, title, ..self }
    }

    /// The same with something done in a copy of ourselves, which ends with its result as the exit code, instead of a
    /// program that is executed.
    pub const fn calling(self, call: &'a dyn Fn() -> u8) -> Slot<'a> {
        Slot { call: Some(call), ..self }
    }

    /// It does not run, as before its first start.
    pub fn rewind(&mut self) {
        (self.pid, self.number) = (None, None);
        self.has_terminal = matches!(self.program.placement, Placement::Foreground(_));
        self.keep_behind();
    }

    /// What is executed.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Whom a forwarded signal reaches.
    pub fn forward_to(&self) -> ForwardTo {
        self.forward_to
    }

    /// Whether it says itself what goes wrong.
    pub(super) fn speaks(&self) -> bool {
        self.call.is_some()
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// How messages name it.
    pub fn title(&self) -> &str {
        match self.title {
            "" => self.program.name().to_str().unwrap_or("the main program"),
            title => title,
        }
    }

    /// Whether it was started, and may have ended since.
    pub(super) fn has_begun(&self) -> bool {
        self.number.is_some()
    }

    /// Looks again whether the terminal is ours to hand on: while a hook or an earlier life ran, our caller may have put us
    /// behind.
    pub(super) fn keep_behind(&mut self) {
        if let Placement::Foreground(tty) = self.program.placement
            && !tty.is_ours()
        {
            self.program.placement = Placement::OwnGroup;
            self.has_terminal = false;
        }
    }

    /// Starts it. `main` is the pid of the main program, if that runs; `given` is what it has besides.
    pub(super) fn start(&mut self, main: Option<Pid>, given: Option<Given>, pipe: Pipe) -> Result<Pid, StartError> {
        (self.program.named, self.program.given) = (main, given);
        let pid = match self.call {
            None => {
                let Started { pid, no_terminal } = sys::spawn(&self.program, pipe)?;
                if let Some(errno) = no_terminal {
                    debug!(event = "no-terminal", errno = errno.0; "the command has no controlling terminal: {errno}");
                }
                pid
            }
            Some(call) => sys::spawn_copy(&self.program, call)?,
        };
        self.pid = Some(pid);
        self.number = Some(pid);
        Ok(pid)
    }

    /// Takes the terminal back, if the program has it, or what it has started, or nobody who lives. Otherwise it stays
    /// where it is: a shell may have taken it while we were stopped. (What has it may also be a job of what is left, and
    /// gone at our end.) Whether it was there to be taken.
    pub(super) fn take_terminal(&mut self) -> bool {
        if let (Some(tty), Some(main)) = (self.tty, self.number)
            && self.has_terminal
        {
            let holder = tty.holder(main);
            self.has_terminal = holder == Holder::Other;
            if matches!(holder, Holder::Below | Holder::Gone) {
                // A terminal that is gone needs nobody in its foreground.
                let _ = tty.set_foreground(sys::process_group());
                return true;
            }
        }
        false
    }

    /// Takes the terminal back from groups that a program in ours has made and cannot have given it back for: it has
    /// died of a signal. (Who waits for it in a script would be in the background for good.)
    pub(super) fn take_terminal_of_the_dead(&self, main: Pid, status: Status) {
        if self.program.placement == Placement::Inherited
            && let Status::Signaled(_) = status
            && let Some(tty) = sys::controlling_tty()
            && tty.holder(main) == Holder::Below
        {
            let _ = tty.set_foreground(sys::process_group());
        }
    }

    /// Hands the terminal on, if we have it: continued by `fg`, we are in the foreground; by `bg`, we are not.
    pub(super) fn give_terminal(&mut self) {
        if let (Some(tty), Some(pid)) = (self.tty, self.pid)
            && tty.is_ours()
        {
            self.has_terminal = tty.set_foreground(pid.number()).is_ok();
            if !self.has_terminal {
                // Not to be tried again at each stop that comes of it.
                self.tty = None;
            }
        }
    }

    /// What we and the program are to our controlling terminal.
    pub(super) fn terminal(&self, pid: Pid) -> Terminal {
        match self.tty {
            Some(tty) if tty.is_ours() => Terminal::Ours,
            _ => sys::terminal(pid),
        }
    }
}
