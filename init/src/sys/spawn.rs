//! Starting a program: a child that shares our memory until it has become the program (clone(2) with CLONE_VM and
//! CLONE_VFORK), because copying page tables is most of what fork(2) costs. `libc::vfork` would return twice into the
//! same Rust frame; a child with a stack of its own does not.
//!
//! We sleep until the child has executed the program or given up, so its group exists before any signal is forwarded,
//! and what went wrong stands in the shared memory. An emulator or a filter may make a plain fork of it: then it comes
//! through a close-on-exec pipe. (Where there is neither, a program that does not start ends with 127 without a word.)

use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt::Write as _;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, AtomicU8, Ordering::Relaxed};

use super::alter::Alterations;
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::helper::fork;
use super::log::Line;
use super::process::{Pid, this_process};
use super::session::{Tty, new_session};
use super::signals::{Disposition, Entry, set_child_signal, set_mask};
use super::words::{Environment, Words};
use crate::core::{StartError, Step};

/// Which process group the program is put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Ours.
    Inherited,
    /// One that it leads.
    OwnGroup,
    /// One that it leads, in the foreground of this terminal.
    Foreground(Tty),
    /// That of a session that it leads. What it reads from becomes its controlling terminal, if it can.
    Session,
}

/// What to start, prepared: nothing is allocated or looked up in the child.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The command line that it is part of.
    pub words: Words,
    /// Where in `words` its own begin; not 0.
    pub first: usize,
    /// Its environment.
    pub environment: Environment,
    /// The value of PATH; none: the default one.
    pub path: Option<&'static CStr>,
    /// Entries of `environment` (`LISTEN_PID=`, `WATCHDOG_PID=`) that are to name a pid.
    pub pid_entries: [Option<&'static CStr>; 2],
    /// Whose pid that is; none: the program's own.
    pub named: Option<Pid>,
    /// A descriptor that it has beside what it inherits.
    pub given: Option<Given>,
    /// The signal state that it gets.
    pub entry: Entry,
    /// Its process group.
    pub placement: Placement,
    /// What else is changed before it is executed.
    pub alterations: Option<&'static Alterations>,
}

/// A descriptor of ours that the program has by another number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Given {
    /// Ours.
    pub fd: i32,
    /// By which number it has it.
    pub number: i32,
}

/// Where programs are looked for if PATH is not set: what docker sets it to.
pub const DEFAULT_PATH: &CStr = c"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How far below a local of ours the stack of a child begins: what clone(2)'s wrapper uses, and the red zone of 128 bytes
/// that the x86_64 ABI allows, are far smaller.
const BELOW: usize = 1024;

/// What the child is given, and where it leaves what went wrong.
struct Work<'a> {
    program: &'a Program,
    /// The writing end of the pipe.
    pipe: Option<i32>,
    /// Where the entries stand that are to name the child's pid.
    pid_places: [Option<*mut *mut c_char>; 2],
    /// How far the child came, if it shares our memory: 0 if it does not.
    step: AtomicU8,
    errno: AtomicI32,
    /// Why it has no controlling terminal.
    no_terminal: AtomicI32,
}

/// What becomes of the pipe that a failure could have come through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pipe {
    /// It is closed.
    Closed,
    /// It stays open: all descriptors are closed soon, by one call.
    LeftOpen,
}

/// A program that was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Started {
    /// Its number.
    pub pid: Pid,
    /// Why the session that it leads has no controlling terminal, if it leads one and that is known.
    pub no_terminal: Option<Errno>,
}

/// The child shares our memory and has begun.
const BEGUN: u8 = 1;

/// A step that failed, as one byte.
const STEPS: [(u8, Step); 4] = [(2, Step::Exec), (3, Step::ExecForeign), (4, Step::ExecShell), (5, Step::Give)];

/// What the first of the alterations is as one byte; the others follow.
const FIRST_ALTERATION: u8 = 6;

/// A step of the child as one byte; 0 is none.
fn byte_of(step: Step) -> u8 {
    match step {
        Step::Alter(place) => FIRST_ALTERATION.saturating_add(place),
        step => STEPS.into_iter().find(|(_, other)| *other == step).map_or(0, |(byte, _)| byte),
    }
}

fn step_of(byte: u8) -> Option<Step> {
    match byte.checked_sub(FIRST_ALTERATION) {
        Some(place) => Some(Step::Alter(place)),
        None => STEPS.into_iter().find(|(other, _)| *other == byte).map(|(_, step)| step),
    }
}

impl Program {
    /// The name that it was asked for by.
    pub fn name(&self) -> &'static CStr {
        self.words.get(self.first).unwrap_or(c"")
    }

    /// Where it is looked for: PATH, or what docker would set it to.
    pub fn search_path(&self) -> &'static CStr {
        self.path.unwrap_or(DEFAULT_PATH)
    }
}

/// Starts `program` and returns when it runs; then `left` becomes of the pipe.
///
/// # Errors
/// What failed; the child is gone then.
pub fn spawn(program: &Program, left: Pipe) -> Result<Started, StartError> {
    let pipe = Fd::pipe().ok().and_then(|pipe| apart_from(pipe, program.given));
    let work = Work {
        program,
        pipe: pipe.as_ref().map(|(_, writing)| writing.raw()),
        pid_places: program.pid_entries.map(|entry| program.environment.place_of(entry?)),
        step: AtomicU8::new(0),
        errno: AtomicI32::new(0),
        no_terminal: AtomicI32::new(0),
    };
    let argv = program.words.from(program.first);
    // SAFETY: `argv` is not the first word of its array, so one slot is before it; reading both is reading pointers.
    let slots = unsafe { [*argv.sub(1), *argv] };
    let child = clone_child(&work);
    // A script without an interpreter made the child change these two, in our memory.
    // SAFETY: as above.
    unsafe { *argv.sub(1) = slots[0] };
    // SAFETY: as above.
    unsafe { *argv = slots[1] };
    for (place, entry) in work.pid_places.into_iter().zip(program.pid_entries) {
        if let (Some(place), Some(entry)) = (place, entry) {
            // SAFETY: the place of this very entry, which the child made point to its own stack.
            unsafe { *place = entry.as_ptr().cast_mut() };
        }
    }
    let pid = child.map_err(|Errno(errno)| StartError { step: Step::Fork, errno })?;
    match outcome(&work, pipe, left) {
        None => {
            let no_terminal = Some(Errno(work.no_terminal.load(Relaxed))).filter(|errno| errno.0 != 0);
            Ok(Started { pid, no_terminal })
        }
        Some(failed) => {
            // SAFETY: takes integers and a null pointer. The child has ended or is about to.
            unsafe { libc::waitpid(pid.number(), core::ptr::null_mut(), 0) };
            Err(failed)
        }
    }
}

/// The pipe, with its writing end by another number than that which the child gives away.
fn apart_from(pipe: (Fd, Fd), given: Option<Given>) -> Option<(Fd, Fd)> {
    let (reading, writing) = pipe;
    match given {
        Some(Given { number, .. }) if writing.raw() == number => {
            Some((reading, writing.copy_above(number.saturating_add(1)).ok()?))
        }
        _ => Some((reading, writing)),
    }
}

/// Does `work` in a copy of ourselves that is placed as `program` would be and has its mask, and returns its pid. SIGCHLD
/// does there what it does by default: the work may have children of its own to wait for.
///
/// # Errors
/// There is no process for it.
pub fn spawn_copy(program: &Program, work: &dyn Fn() -> u8) -> Result<Pid, StartError> {
    let done = || {
        let _ = place(program.placement);
        let _ = set_mask(program.entry.mask);
        work()
    };
    let pid = fork(libc::SIGCHLD, done).map_err(|Errno(errno)| StartError { step: Step::Fork, errno })?;
    if program.placement != Placement::Inherited {
        // Whichever of the two comes first: a signal may be sent to the group at once.
        // SAFETY: takes two integers and touches no memory of ours.
        unsafe { libc::setpgid(pid.number(), pid.number()) };
    }
    Ok(pid)
}

/// What failed in the child, once it has executed the program or given up.
fn outcome(work: &Work<'_>, pipe: Option<(Fd, Fd)>, left: Pipe) -> Option<StartError> {
    let mut report = [work.step.load(Relaxed), 0, 0, 0, 0];
    report[1..].copy_from_slice(&work.errno.load(Relaxed).to_ne_bytes());
    if report[0] == BEGUN && left == Pipe::LeftOpen {
        core::mem::forget(pipe);
    } else if report[0] == 0
        && let Some((reading, writing)) = pipe
    {
        // It shares nothing with us. Executing the program closes its end of the pipe, and nothing comes.
        drop(writing);
        if reading.read(&mut report) != Ok(report.len()) {
            return None;
        }
    }
    let [step, errno @ ..] = report;
    Some(StartError { step: step_of(step)?, errno: i32::from_ne_bytes(errno) })
}

/// The child's stack is what lies below ours, which the kernel adds as it is used: of an array of ours every page would be
/// touched, and cleared, before the child runs. The deepest it gets is a path of PATH_MAX bytes and a line for a pid.
#[inline(never)]
fn clone_child(work: &Work<'_>) -> Result<Pid, Errno> {
    let mut here = MaybeUninit::<usize>::uninit();
    // 16-byte aligned as the ABI asks.
    let top = here.as_mut_ptr().expose_provenance().saturating_sub(BELOW) & !15;
    let clone = |flags: c_int| {
        let argument = core::ptr::from_ref(work).cast_mut().cast::<c_void>();
        let stack = core::ptr::with_exposed_provenance_mut(top);
        // SAFETY: `child` never returns. With CLONE_VFORK we sleep, with `work` alive and nothing of ours in the stack
        // below, until it has executed or ended (a handler of a signal could use it, and all are blocked); without
        // CLONE_VM it has a copy of both.
        cerr(i64::from(unsafe { libc::clone(child, stack, flags | libc::SIGCHLD, argument) }))
    };
    // A filter may refuse flags that it does not know.
    let pid = clone(libc::CLONE_VM | libc::CLONE_VFORK).or_else(|errno| match errno {
        Errno(libc::EPERM | libc::EINVAL | libc::ENOSYS) => clone(0),
        _ => Err(errno),
    })?;
    Pid::new(pid as i32).ok_or(Errno(libc::ESRCH))
}

/// What the child does. Only system calls from here on: no lock, no allocation, nothing of ours is changed but what
/// [`spawn`] puts back.
extern "C" fn child(work: *mut c_void) -> c_int {
    // SAFETY: the parent passes a `Work` that outlives this child's use of its memory.
    let work = unsafe { &*work.cast_const().cast::<Work<'_>>() };
    work.step.store(BEGUN, Relaxed);
    let mut pid_lines = [Line::new(), Line::new()];
    if let Err(Errno(errno)) = place(work.program.placement) {
        work.no_terminal.store(errno, Relaxed);
    }
    name_the_pid(work, &mut pid_lines);
    let failed = dress_and_exec(work.program);
    let step = byte_of(failed.step);
    work.step.store(step, Relaxed);
    work.errno.store(failed.errno, Relaxed);
    if let Some(pipe) = work.pipe {
        let mut report = [step, 0, 0, 0, 0];
        report[1..].copy_from_slice(&failed.errno.to_ne_bytes());
        // SAFETY: the pointer and the length are of one array. Five bytes fit into an empty pipe.
        unsafe { libc::write(pipe, report.as_ptr().cast(), report.len()) };
    }
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// Becomes `program`, placed as it is to be, and returns only if it could not. For a copy of ourselves that ends then: what
/// was changed stays so.
pub fn become_program(program: &Program) -> StartError {
    // A refusal leaves it where it is.
    let _ = place(program.placement);
    dress_and_exec(program)
}

fn dress_and_exec(program: &Program) -> StartError {
    let refused = give(program.given).err().map(|Errno(errno)| StartError { step: Step::Give, errno });
    match refused.or_else(|| alter(program.alterations)) {
        Some(failed) => failed,
        None => {
            restore(program.entry);
            exec(program)
        }
    }
}

/// A refusal leaves the program in our group: the weaker thing, and signals then go to the program alone. The error is
/// why a session of its own has no terminal.
fn place(placement: Placement) -> Result<(), Errno> {
    match placement {
        Placement::Inherited => {}
        Placement::OwnGroup => own_group(),
        Placement::Foreground(tty) => {
            own_group();
            // SIGTTOU is still blocked. A terminal that is gone has no foreground.
            let _ = tty.set_foreground(this_process().number());
        }
        Placement::Session => return new_session(),
    }
    Ok(())
}

fn own_group() {
    // SAFETY: takes two integers and touches no memory of ours.
    unsafe { libc::setpgid(0, 0) };
}

fn name_the_pid(work: &Work<'_>, lines: &mut [Line<40>; 2]) {
    for ((entry, place), line) in work.program.pid_entries.into_iter().zip(work.pid_places).zip(lines) {
        let (Some(entry), Some(place)) = (entry, place) else { continue };
        let name = entry.to_str().ok().and_then(|text| text.split('=').next()).unwrap_or_default();
        // It fits: these names are short.
        let _ = write!(line, "{name}={}\0", work.program.named.unwrap_or_else(this_process));
        // SAFETY: the place of the entry in the environment; `spawn` puts the entry back. The line lives until exec.
        unsafe { *place = line.as_mut_ptr() };
    }
}

/// dup2(2): the program has it open.
fn give(given: Option<Given>) -> Result<(), Errno> {
    let Some(Given { fd, number }) = given else { return Ok(()) };
    // SAFETY: takes integers and touches no memory of ours; what had that number in the child is no use to the program.
    cerr(i64::from(unsafe { libc::dup2(fd, number) }))?;
    // Where the two are one, it is close-on-exec still.
    // SAFETY: takes integers.
    cerr(i64::from(unsafe { libc::fcntl(number, libc::F_SETFD, 0) })).map(|_| ())
}

/// The first change that is refused, if one is.
fn alter(alterations: Option<&'static Alterations>) -> Option<StartError> {
    let list = alterations.map_or(&[][..], |alterations| alterations.list);
    (0..).zip(list).find_map(|(place, alteration)| {
        alteration.make().err().map(|Errno(errno)| StartError { step: Step::Alter(place), errno })
    })
}

/// Dispositions first, the mask last: a signal that waits behind the mask must find what the program would have had.
fn restore(entry: Entry) {
    // Neither fails where setting them at our own start did not.
    if entry.child_signal == Disposition::Ignored {
        let _ = set_child_signal(Disposition::Ignored);
    }
    let _ = set_mask(entry.mask);
}

/// execvp(3): returns only if no file could be executed.
fn exec(program: &Program) -> StartError {
    let name = program.name();
    if name.to_bytes().contains(&b'/') || name.is_empty() {
        return exec_file(program, name.as_ptr());
    }
    let mut refused = None;
    for directory in program.search_path().to_bytes().split(|byte| *byte == b':') {
        let mut path = Line::<{ libc::PATH_MAX as usize }>::new();
        // An empty entry is the working directory (environ(7)).
        path.push_bytes(directory);
        path.push_bytes(if directory.is_empty() { b"./" } else { b"/" });
        path.push_bytes(name.to_bytes_with_nul());
        if path.is_truncated() {
            continue;
        }
        let failed = exec_file(program, path.as_ptr());
        match failed.errno {
            // Not in this directory, or the directory is not there.
            libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ESTALE | libc::ETIMEDOUT | libc::ENAMETOOLONG => {}
            // Another directory may have one that we may execute.
            libc::EACCES => refused = Some(failed),
            _ => return failed,
        }
    }
    refused.unwrap_or(StartError { step: Step::Exec, errno: libc::ENOENT })
}

fn exec_file(program: &Program, path: *const c_char) -> StartError {
    let argv = program.words.from(program.first);
    // SAFETY: `path` ends with a NUL, both arrays with a null pointer.
    unsafe { libc::execve(path, argv.cast_const().cast(), program.environment.as_ptr()) };
    match Errno::last() {
        Errno(libc::ENOEXEC) if is_elf(path) => StartError { step: Step::ExecForeign, errno: libc::ENOEXEC },
        Errno(libc::ENOEXEC) => exec_script(program, path),
        Errno(errno) => StartError { step: Step::Exec, errno },
    }
}

fn is_elf(path: *const c_char) -> bool {
    let mut magic = [0; 4];
    // SAFETY: the caller's string ends with a NUL.
    let file = Fd::open(unsafe { CStr::from_ptr(path) }, libc::O_RDONLY);
    file.is_ok_and(|file| file.read(&mut magic) == Ok(4)) && magic == *b"\x7fELF"
}

/// What shells and execvp(3) do with a file that is neither a program nor names its interpreter.
fn exec_script(program: &Program, path: *const c_char) -> StartError {
    let shell = c"/bin/sh";
    let argv = program.words.from(program.first);
    // SAFETY: the program is not the first of the words, so one slot is before it.
    let with_shell = unsafe { argv.sub(1) };
    // SAFETY: as above; `spawn` puts both slots back.
    unsafe { *with_shell = shell.as_ptr().cast_mut() };
    // SAFETY: as above.
    unsafe { *argv = path.cast_mut() };
    // SAFETY: the string ends with a NUL, both arrays with a null pointer.
    unsafe { libc::execve(shell.as_ptr(), with_shell.cast_const().cast(), program.environment.as_ptr()) };
    StartError { step: Step::ExecShell, errno: Errno::last().0 }
}
