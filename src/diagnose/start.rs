//! Why a command does not start. The kernel says ENOENT for a file that is there but whose interpreter is not, EACCES
//! for a directory, ENOEXEC for another machine's program; this looks at the file and says which.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use supervise_init::core::{StartError, Step};
use supervise_init::sys::{Alteration, Errno, Program};

use super::access::Identity;
use super::alter::Refused;
use super::program::{Elf, read_start, script_interpreter};
use crate::cli::exit;

/// Why the command did not start, as one line.
#[derive(Debug)]
pub(crate) enum Reason {
    NoProcess(String, Errno),
    NotChanged(Refused),
    /// The descriptor by which it is to say that it is ready.
    NotGiven(String, Errno),
    NotFound(String),
    /// The word, and the word of supervise's own that may have been meant.
    NotInPath(String, Option<&'static str>),
    Gone(String),
    Directory(PathBuf),
    /// One that a program of the same name would take (daemontools).
    ServiceDirectory(PathBuf),
    NotExecutable(PathBuf),
    /// The command, what keeps its user out, and who that is.
    Closed(PathBuf, PathBuf, u32),
    TooManyProcesses(PathBuf, u32),
    NoInterpreter(PathBuf, String),
    BadInterpreter(PathBuf, Box<Reason>),
    CarriageReturn(PathBuf, String),
    NoLoader(PathBuf, String),
    Foreign(PathBuf, String),
    NotAProgram(PathBuf),
    NotAScript(PathBuf, Errno),
    Other(PathBuf, Errno),
}

impl Reason {
    /// What we end with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // Not the command's fault: there was no process to execute it in.
            Reason::NoProcess(..) | Reason::NotChanged(_) | Reason::NotGiven(..) | Reason::TooManyProcesses(..) => {
                exit::FAILURE
            }
            Reason::NotFound(_)
            | Reason::NotInPath(..)
            | Reason::Gone(_)
            | Reason::NoInterpreter(..)
            | Reason::CarriageReturn(..)
            | Reason::NoLoader(..) => exit::NOT_FOUND,
            Reason::BadInterpreter(_, reason) => reason.code(),
            Reason::Directory(_)
            | Reason::ServiceDirectory(_)
            | Reason::NotExecutable(_)
            | Reason::Closed(..)
            | Reason::Foreign(..)
            | Reason::NotAProgram(_)
            | Reason::NotAScript(..)
            | Reason::Other(..) => exit::NOT_EXECUTABLE,
        }
    }
}

impl Reason {
    /// Whether the kernel's own word says it all.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self,
            Reason::NoProcess(..)
                | Reason::NotFound(_)
                | Reason::NotInPath(..)
                | Reason::Directory(_)
                | Reason::NotExecutable(_)
                | Reason::Other(..)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoProcess(name, errno) => {
                write!(f, "cannot start {name}: cannot fork: {errno}")?;
                f.write_str(match errno.0 {
                    libc::EAGAIN => " (a limit is reached: ulimit -u, or pids of the cgroup)",
                    _ => "",
                })
            }
            Reason::NotFound(name) => write!(f, "cannot run {name}: no such file or directory"),
            Reason::NotInPath(name, _) if name.contains(' ') => {
                write!(f, "cannot run {name:?}: not found in PATH (it is one word; were several meant?)")
            }
            Reason::NotInPath(name, None) if name.starts_with("--") => write!(
                f,
                "cannot run {name}: not found in PATH; an option stands before the `--` (of an ENTRYPOINT too), or is a \
                 variable, as SUPERVISE_GRACE is --grace"
            ),
            Reason::NotInPath(name, None) => write!(f, "cannot run {name}: not found in PATH"),
            Reason::NotInPath(name, Some(meant)) if name == meant => {
                write!(f, "cannot run {name}: not found in PATH; a subcommand stands first: supervise {name} ...")
            }
            Reason::NotInPath(name, Some(meant)) => {
                write!(f, "cannot run {name}: not found in PATH; did you mean `supervise {meant}`?")
            }
            Reason::Gone(name) => write!(f, "cannot run {name}: the working directory does not exist any more"),
            Reason::Directory(path) => write!(f, "cannot run {}: is a directory", path.display()),
            Reason::ServiceDirectory(path) => {
                let path = path.display();
                write!(f, "cannot run {path}: is a directory; as daemontools' supervise would do it, say: supervise ")?;
                write!(f, "--restart always --restart-delay 1s --restart-max-delay 1s --workdir {path} -- ./run")
            }
            Reason::NotExecutable(path) => {
                write!(f, "cannot run {}: no permission to execute it (chmod +x?)", path.display())
            }
            Reason::NotChanged(refused) => refused.fmt(f),
            Reason::NotGiven(name, errno) => {
                write!(f, "cannot give {name} the descriptor of --ready: {errno}; raise --rlimit nofile")
            }
            Reason::Closed(path, closed, uid) if path == closed => {
                write!(f, "cannot run {}: user {uid} has no permission to execute it", path.display())
            }
            Reason::Closed(path, closed, uid) => {
                write!(f, "cannot run {}: user {uid} has no permission to enter {}", path.display(), closed.display())
            }
            Reason::TooManyProcesses(path, uid) => {
                write!(
                    f,
                    "cannot run {}: user {uid} has as many processes as its limit allows (--rlimit nproc)",
                    path.display()
                )
            }
            Reason::NoInterpreter(path, interpreter) => {
                write!(f, "cannot run {}: its interpreter {interpreter} does not exist", path.display())
            }
            Reason::BadInterpreter(path, reason) => {
                write!(f, "{reason}; it is the interpreter of {}", path.display())
            }
            Reason::CarriageReturn(path, interpreter) => write!(
                f,
                "cannot run {}: its first line ends with a carriage return, so its interpreter would be {interpreter:?} \
                 (convert its line ends: sed -i 's/\\r$//')",
                path.display()
            ),
            Reason::NoLoader(path, loader) => write!(
                f,
                "cannot run {}: its dynamic loader {loader} does not exist (it is linked for another C library)",
                path.display()
            ),
            Reason::Foreign(path, machine) => write!(
                f,
                "cannot run {}: it is a program for {machine}, and this machine is {}",
                path.display(),
                std::env::consts::ARCH
            ),
            Reason::NotAProgram(path) => write!(
                f,
                "cannot run {}: it is for this machine, but no program (an object file, a core dump, or damaged)",
                path.display()
            ),
            Reason::NotAScript(path, errno) => write!(
                f,
                "cannot run {}: it names no interpreter, and /bin/sh cannot be run for it: {errno}",
                path.display()
            ),
            Reason::Other(path, errno) => {
                write!(f, "cannot run {}: {errno}", path.display())?;
                f.write_str(match errno.0 {
                    // "Limits on size of arguments and environment" in execve(2).
                    libc::E2BIG => {
                        " (its words and variables may take a quarter of --rlimit stack together, and at most 6 MB)"
                    }
                    _ => "",
                })
            }
        }
    }
}

/// Looks for the reason behind `why`. Nothing was started, so that we may go where the program was looked for. `meant`
/// knows the words of our own that a name may have been meant for.
pub(crate) fn explain(program: &Program, why: StartError, meant: impl FnOnce(&str) -> Option<&'static str>) -> Reason {
    let errno = Errno(why.errno);
    let alterations = program.alterations.map_or(&[][..], |alterations| alterations.list);
    if let Step::Alter(place) = why.step
        && let Some(alteration) = alterations.get(usize::from(place))
    {
        return Reason::NotChanged(Refused::new(*alteration, errno));
    }
    for alteration in alterations {
        if let Alteration::WorkingDirectory(path) = alteration {
            // The child could; where we cannot, relative names are just not found.
            let _ = std::env::set_current_dir(OsStr::from_bytes(path.to_bytes()));
        }
    }
    let reason = explain_exec(program.name(), program.search_path(), why, meant);
    match Identity::of(program) {
        Some(identity) => closed_to_its_user(&identity, errno, reason),
        None => reason,
    }
}

/// What the kernel's word means where the command was to run as somebody else.
fn closed_to_its_user(identity: &Identity, errno: Errno, reason: Reason) -> Reason {
    let (Reason::Other(file, _) | Reason::BadInterpreter(file, _)) = &reason else { return reason };
    // Relative to where it was looked for, and shown so.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let closed = (errno.0 == libc::EACCES).then(|| identity.closed(&file)).flatten();
    match (reason, closed) {
        (_, Some(closed)) => Reason::Closed(file, closed, identity.uid()),
        (Reason::BadInterpreter(script, why), None) => {
            Reason::BadInterpreter(script, Box::new(closed_to_its_user(identity, errno, *why)))
        }
        // The limit is looked at when a new user executes its first program (execve(2), EAGAIN).
        (_, None) if errno.0 == libc::EAGAIN => Reason::TooManyProcesses(file, identity.uid()),
        (reason, None) => reason,
    }
}

/// The same for the execution of the command.
fn explain_exec(name: &CStr, path: &CStr, why: StartError, meant: impl FnOnce(&str) -> Option<&'static str>) -> Reason {
    let errno = Errno(why.errno);
    // An empty word would not be seen.
    let word = if name.is_empty() { "\"\"".to_owned() } else { name.to_string_lossy().into_owned() };
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    let file = find(name, path, why.errno);
    match (why.step, file) {
        (Step::Fork | Step::Alter(_), _) => Reason::NoProcess(word, errno),
        (Step::Give, _) => Reason::NotGiven(word, errno),
        (Step::ExecForeign, file) => foreign(file.unwrap_or_else(|| name.into())),
        (Step::ExecShell, file) => Reason::NotAScript(file.unwrap_or_else(|| name.into()), errno),
        (Step::Exec, Some(file)) => not_executed(file, errno, INTERPRETERS),
        // A folder in PATH that may not be searched (EACCES) hides nothing that we could name.
        // What daemontools' supervise is given.
        (Step::Exec, None) if is_bare(name) && name.join("run").is_file() => Reason::ServiceDirectory(name.into()),
        (Step::Exec, None) if is_bare(name) => {
            let meant = meant(&word);
            Reason::NotInPath(word, meant)
        }
        (Step::Exec, None) if why.errno != libc::ENOENT => Reason::Other(name.into(), errno),
        (Step::Exec, None) if name.is_relative() && std::env::current_dir().is_err() => Reason::Gone(word),
        (Step::Exec, None) => Reason::NotFound(word),
    }
}

fn is_bare(name: &Path) -> bool {
    !name.as_os_str().is_empty() && !name.as_os_str().as_bytes().contains(&b'/')
}

/// The file that the kernel meant: the name itself, or the first in PATH that exists. One that was refused is rather
/// a file than a directory of that name.
pub(crate) fn find(name: &Path, path: &CStr, errno: i32) -> Option<PathBuf> {
    if !is_bare(name) {
        return fs::metadata(name).is_ok().then(|| name.into());
    }
    let path = OsStr::from_bytes(path.to_bytes());
    let files = || std::env::split_paths(path).map(|directory| directory.join(name)).filter(|file| file.exists());
    let refused = |file: &PathBuf| errno == libc::EACCES && !file.is_dir();
    files().find(refused).or_else(|| files().next())
}

/// An interpreter may be a script itself; so many the kernel follows (execve(2)).
const INTERPRETERS: u32 = 4;

fn not_executed(file: PathBuf, errno: Errno, deeper: u32) -> Reason {
    if file.is_dir() {
        return if file.join("run").is_file() { Reason::ServiceDirectory(file) } else { Reason::Directory(file) };
    }
    if errno.0 == libc::EACCES && !can_be_executed(&file) {
        return Reason::NotExecutable(file);
    }
    let start = read_start(&file);
    let loader = Elf::parse(&start).and_then(|elf| elf.loader(&start));
    match (errno.0, script_interpreter(&start), loader) {
        (libc::ENOENT, Some(interpreter), _) if interpreter.ends_with('\r') => {
            Reason::CarriageReturn(file, interpreter)
        }
        (libc::ENOENT, Some(interpreter), _) if !Path::new(&interpreter).exists() => {
            Reason::NoInterpreter(file, interpreter)
        }
        (libc::ENOENT | libc::EACCES, Some(interpreter), _) if deeper > 0 => {
            Reason::BadInterpreter(file, Box::new(not_executed(interpreter.into(), errno, deeper - 1)))
        }
        (libc::ENOENT, None, Some(loader)) => Reason::NoLoader(file, loader),
        _ => Reason::Other(file, errno),
    }
}

fn can_be_executed(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn foreign(file: PathBuf) -> Reason {
    match Elf::parse(&read_start(&file)).map(|elf| elf.machine()) {
        Some(machine) if machine == std::env::consts::ARCH => Reason::NotAProgram(file),
        Some(machine) => Reason::Foreign(file, machine),
        // Its magic is all that is right about it.
        None => Reason::Foreign(file, "no machine (its ELF header is damaged)".to_owned()),
    }
}
