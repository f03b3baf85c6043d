//! Signals by the raw `rt_sig*` system calls. A musl libc leaves 32 to 34 out of its sets, its `sigaction` refuses
//! them and its `sigprocmask` reports a blocked 34 as clear.

use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;

use super::clock::timespec;
use super::errno::{Errno, cerr};
use super::memory::Pages;
use super::process::{Pid, this_process};
use super::raw::system_call;
use crate::core::request::Program;
use crate::core::{Received, Sender, Signal};

/// A set of signals as the kernel has it: bit n - 1 is signal n.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigSet(u64);

/// The kernel's `sigset_t` in bytes, which every raw call is told.
const SET_SIZE: usize = size_of::<SigSet>();

impl SigSet {
    /// All 64. The kernel leaves SIGKILL and SIGSTOP out by itself.
    pub const ALL: SigSet = SigSet(u64::MAX);

    /// None.
    pub const NONE: SigSet = SigSet(0);

    /// The set with `signal`.
    pub const fn with(self, signal: Signal) -> SigSet {
        SigSet(self.0 | (1 << (signal.number() - 1)))
    }

    /// The set without `signal`.
    pub const fn without(self, signal: Signal) -> SigSet {
        SigSet(self.0 & !(1 << (signal.number() - 1)))
    }

    /// The set of these bits, as /proc/PID/status shows them.
    pub const fn from_bits(bits: u64) -> SigSet {
        SigSet(bits)
    }

    /// The bits of the set.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.number() - 1)) != 0
    }
}

/// What of our signal state at entry the payload gets back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pub(super) mask: SigSet,
    pub(super) child_signal: Disposition,
}

impl Entry {
    /// The signals that were blocked.
    pub const fn mask(self) -> SigSet {
        self.mask
    }

    /// The same, with these signals blocked.
    pub const fn with_mask(self, mask: SigSet) -> Entry {
        Entry { mask, ..self }
    }

    /// The same, with nothing said of SIGCHLD.
    pub const fn without_child_signal(self) -> Entry {
        Entry { child_signal: Disposition::Default, ..self }
    }
}

/// What SIGCHLD does. With SIG_IGN the kernel reaps our children itself and their status is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Disposition {
    Default,
    Ignored,
}

/// The kernel's `struct sigaction` for rt_sigaction(2), which no libc exports.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: SigSet,
}

/// Blocks every signal and lets SIGCHLD be seen, and says what both were. The first thing that a process 1 does: a
/// signal that finds neither a handler nor a mask in it is lost.
///
/// # Errors
/// The kernel's, from a filter that knows no signals.
pub fn block_all() -> Result<Entry, Errno> {
    let mask = set_mask(SigSet::ALL)?;
    Ok(Entry { mask, child_signal: set_child_signal(Disposition::Default)? })
}

/// rt_sigprocmask(2), SIG_SETMASK: sets the mask and returns the former.
///
/// # Errors
/// The kernel's, from a filter that knows no signals.
pub fn set_mask(mask: SigSet) -> Result<SigSet, Errno> {
    let mut former = SigSet(0);
    // SAFETY: both sets have the size that is told, and live through the call.
    cerr(unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut former, SET_SIZE)
    })?;
    Ok(former)
}

/// rt_sigaction(2) of SIGCHLD: sets its disposition and returns the former.
pub(super) fn set_child_signal(disposition: Disposition) -> Result<Disposition, Errno> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignored => libc::SIG_IGN,
    };
    let action = KernelAction { handler, flags: 0, restorer: 0, mask: SigSet(0) };
    let mut former = KernelAction { handler: 0, flags: 0, restorer: 0, mask: SigSet(0) };
    // SAFETY: both have the kernel's layout and live through the call; no handler is installed.
    cerr(unsafe {
        libc::syscall(libc::SYS_rt_sigaction, libc::SIGCHLD, &raw const action, &raw mut former, SET_SIZE)
    })?;
    Ok(if former.handler == libc::SIG_IGN { Disposition::Ignored } else { Disposition::Default })
}

/// Makes the signals 1 to 31 do what they do by default, whatever our caller had them do. Blocked ones wait all the same.
pub fn forget_dispositions() {
    for signal in Signal::all().filter(|signal| signal.number() <= 31 && signal.can_be_caught()) {
        set_action(signal, &DEFAULT);
    }
}

/// Whether `signal` is ignored, by rt_sigaction(2). One that is blocked waits all the same.
pub fn is_ignored(signal: Signal) -> bool {
    let nothing: *const KernelAction = ptr::null();
    let mut action = KernelAction { handler: 0, flags: 0, restorer: 0, mask: SigSet(0) };
    let number = i32::from(signal.number());
    // SAFETY: nothing is set; `action` has the kernel's layout and lives through the call.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, nothing, &raw mut action, SET_SIZE) };
    action.handler == libc::SIG_IGN
}

/// Takes back the signal that a write of ours has caused. It is nobody's request: forwarded it would end the payload,
/// and a log line about it would cause the next one. The kernel sends it to the thread, and what waits for the thread
/// is taken before what waits for the process, so a SIGPIPE from elsewhere stays.
pub(super) fn take_back_of_write(errno: Errno) {
    let signal = match errno {
        Errno(libc::EPIPE) => libc::SIGPIPE,
        Errno(libc::EFBIG) => libc::SIGXFSZ,
        _ => return,
    };
    let set = SigSet(1 << (signal - 1));
    let at_once = timespec(Duration::ZERO);
    let nothing: *mut libc::siginfo_t = ptr::null_mut();
    // SAFETY: the set has the size that is told, the timeout lives through the call, and who sent it is not asked.
    unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const set, nothing, &raw const at_once, SET_SIZE) };
}

/// What tells us of a helper's end. A real-time signal is queued, and takes the place of no other; and that it comes
/// from a child's end (`si_code`) tells it from one that is somebody's request.
pub(super) const HELPER_ENDED: Signal = Signal::RTMAX;

/// Why we are awake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// A signal came.
    Signal(Received),
    /// A helper has ended.
    Helper,
    /// The time is over, or nothing has happened.
    Nothing,
    /// We may not wait for signals (a seccomp filter), and have not slept.
    Refused(Errno),
}

/// Our sleep.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    ourselves: Pid,
    unneeded: Option<Pages>,
}

impl Sleep {
    /// Before the first one.
    pub const fn new(ourselves: Pid) -> Sleep {
        Sleep { ourselves, unneeded: None }
    }

    /// The next sleep gives these pages of the program back, and with them the stack that the start has used.
    pub fn give_back(&mut self, unneeded: Option<Pages>) {
        self.unneeded = unneeded;
    }

    /// rt_sigtimedwait(2): takes one pending signal of the set, the lowest first, sleeping until there is one or the
    /// `timeout` is over (none: for ever).
    ///
    /// One function with its system calls inline, because each page of code that runs between giving pages back and
    /// falling asleep would bring its neighbours back: the kernel maps up to 64 kB around a fault.
    #[inline(never)]
    pub fn wait_signal(&mut self, set: SigSet, timeout: Option<Duration>) -> Wake {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let timeout = timeout.map(timespec);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        if let Some(pages) = self.unneeded.take() {
            let stack = Pages::of_the_stack_below(info.as_ptr().addr());
            // SAFETY: below our own frame and its red zone, only frames that have returned have been.
            unsafe { stack.give_back() };
            // SAFETY: pages of the file that are never written to: the next access reads the same bytes again.
            unsafe { pages.give_back() };
        }
        let arguments = [
            ptr::from_ref(&set).expose_provenance(),
            info.as_mut_ptr().expose_provenance(),
            timeout.expose_provenance(),
            SET_SIZE,
        ];
        // SAFETY: the set has the size that is told, `info` has room for a siginfo_t, `timeout` is null or lives on.
        let number = unsafe { system_call(libc::SYS_rt_sigtimedwait, arguments) };
        match Signal::new(number as i32) {
            Some(signal) => {
                // SAFETY: all zeros are a valid siginfo_t, and the kernel has filled in what it knows.
                let info = unsafe { info.assume_init() };
                let child_ended = matches!(info.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED);
                if signal == HELPER_ENDED && child_ended {
                    return Wake::Helper;
                }
                Wake::Signal(Received { signal, sender: self.sender(&info) })
            }
            // EINTR: we were stopped and continued.
            None if matches!(-number as i32, libc::EAGAIN | libc::EINTR) => Wake::Nothing,
            None => Wake::Refused(Errno(-number as i32)),
        }
    }

    /// Takes this signal, if it waits.
    pub fn take(&mut self, signal: Signal) -> bool {
        let set = SigSet(!SigSet::ALL.without(signal).0);
        matches!(self.wait_signal(set, Some(Duration::ZERO)), Wake::Signal(_))
    }

    fn sender(&self, info: &libc::siginfo_t) -> Sender {
        // kill(2), sigqueue(3) and tgkill(2) say who; everything else is from the kernel (sigaction(2), si_code).
        if !matches!(info.si_code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL) {
            return Sender::Kernel;
        }
        // SAFETY: these three codes fill in pid and uid.
        let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
        if pid == 0 {
            Sender::Outside
        } else if pid == self.ourselves.number() {
            Sender::Ourselves
        } else {
            Sender::Process { pid, uid, program: Program::Other }
        }
    }
}

/// kill(2) of one process.
///
/// # Errors
/// ESRCH if there is none, EPERM if we may not.
pub fn send(pid: Pid, signal: Signal) -> Result<(), Errno> {
    kill(pid.number(), signal)
}

/// kill(2) of the process group that `leader` leads.
///
/// # Errors
/// ESRCH if there is none, EPERM if we may signal none of its members.
pub fn send_group(leader: Pid, signal: Signal) -> Result<(), Errno> {
    kill(-leader.number(), signal)
}

/// Whether anybody is in the process group of that number, alive or to be reaped.
pub fn is_group(leader: Pid) -> bool {
    // SAFETY: takes integers and touches no memory of ours. Without a signal kill(2) only looks.
    cerr(i64::from(unsafe { libc::kill(-leader.number(), 0) })) != Err(Errno(libc::ESRCH))
}

/// kill(2) of every process of our PID namespace but us. Only for PID 1: elsewhere that is every process of the user.
pub(super) fn send_namespace(signal: Signal) -> Result<(), Errno> {
    kill(-1, signal)
}

/// Stops ourselves by the default action of `by`, so that whoever waits for us sees that one; returns when somebody has
/// continued us. A PID 1 is not stopped, nor is an orphaned process group by another signal than SIGSTOP.
pub fn stop_ourselves(by: Signal) {
    let former = if by == Signal::STOP { None } else { Some(set_action(by, &DEFAULT)) };
    // It fails for neither.
    let _ = kill(this_process().number(), by);
    if let Some(former) = former {
        // It is delivered here, with what of it waited already.
        let _ = set_mask(SigSet::ALL.without(by));
        let _ = set_mask(SigSet::ALL);
        set_action(by, &former);
    }
}

/// Sends ourselves `signal` as the kernel does for a parent that has died: not as our own, which is nobody's request.
///
/// # Errors
/// The kernel's: too many signals wait already.
pub fn send_from_parent(ourselves: Pid, signal: Signal) -> Result<(), Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: all zeros are a valid siginfo_t; its code is then SI_USER and its sender pid 0, outside.
    let info = unsafe { info.assume_init_mut() };
    info.si_signo = i32::from(signal.number());
    info.si_code = libc::SI_QUEUE;
    // SAFETY: integers and a siginfo_t that lives through the call. To itself a process may send any code.
    cerr(unsafe {
        libc::syscall(libc::SYS_rt_sigqueueinfo, ourselves.number(), i32::from(signal.number()), ptr::from_mut(info))
    })
    .map(|_| ())
}

/// Ends us by the signal's default action. Returns where that does not end a process.
pub fn die_of(signal: Signal) {
    // It fails for KILL, which needs none.
    set_action(signal, &DEFAULT);
    // Neither fails for what a child of ours has just died of.
    let _ = kill(this_process().number(), signal);
    let _ = set_mask(SigSet::ALL.without(signal));
}

/// Ends us by SIGALRM after so many seconds (alarm(2)), also in the middle of what a signal can interrupt.
pub(super) fn die_of_alarm(seconds: u32) {
    set_action(Signal::ALRM, &DEFAULT);
    // SAFETY: takes an integer and touches no memory of ours.
    unsafe { libc::alarm(seconds) };
    let _ = set_mask(SigSet::ALL.without(Signal::ALRM));
}

/// The default action.
const DEFAULT: KernelAction = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: SigSet(0) };

/// rt_sigaction(2): sets what the signal does and returns what it did; the same where that is refused.
fn set_action(signal: Signal, action: &KernelAction) -> KernelAction {
    let mut former = KernelAction { ..*action };
    let number = i32::from(signal.number());
    // SAFETY: both have the kernel's layout and live through the call; no handler is ever installed by us.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, ptr::from_ref(action), &raw mut former, SET_SIZE) };
    former
}

fn kill(target: i32, signal: Signal) -> Result<(), Errno> {
    let arguments = [target as usize, usize::from(signal.number()), 0, 0];
    // SAFETY: takes two integers and touches no memory of ours.
    match unsafe { system_call(libc::SYS_kill, arguments) } {
        0 => Ok(()),
        refused => Err(Errno(-refused as i32)),
    }
}
