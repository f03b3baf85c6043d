//! Where the loop stands, and what is done beside the machine's orders.

use core::time::Duration;

use super::{Care, Listener};
use crate::core::{Record, Scope, Slow};
use crate::sys::{Fd, Pid};

/// Whom a forwarded signal reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardTo {
    /// The program alone.
    Main,
    /// Its process group.
    Group,
}

/// Where we stand, and what is done beside the machine's orders.
pub struct Setting<'a, 'l> {
    /// What is told when a program has ended.
    pub scope: Scope,
    /// Our own number.
    pub ourselves: Pid,
    /// Explains what takes long, in a process of its own. `None`: nothing is explained.
    pub explain: Option<&'a dyn Fn(&Situation<'_>)>,
    /// Where what happens is remembered. `None`: nowhere.
    pub record: Option<&'a mut Record>,
    /// The one descriptor of ours that stays open.
    pub spared: Option<&'a Fd>,
    /// What of our caller's we hold on to while main runs.
    pub kept: Kept,
    /// What we listen to beside signals. `None`: nothing.
    pub listener: Option<&'a mut Listener<'l>>,
    /// What looks after main while it runs. `None`: nobody.
    pub care: Option<&'a mut Care<'l>>,
}

/// What our caller gave us and the program has, and what we hold on to besides: by default nothing, so that neither a
/// socket nor a file system stays in use by us.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// The descriptors from 3 on.
    pub descriptors: bool,
    /// The working directory.
    pub directory: bool,
}

/// What a helper process is to explain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Situation<'a> {
    /// What takes long.
    pub slow: Slow,
    /// The main program, or what was its number if it has ended.
    pub main: Pid,
    /// How long ago what is slow was told.
    pub waited: Duration,
    /// How long it has until it is told again, or killed; `None`: nothing more is done here.
    pub next: Option<Duration>,
    /// Children that were there before the program: they are none of its processes.
    pub inherited: &'a [Option<Pid>],
}
