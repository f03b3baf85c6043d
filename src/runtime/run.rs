//! From what was ordered to a plan, and to its end.

use std::ffi::{CStr, CString, OsStr};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, stderr, stdin, stdout};
use std::os::fd::{AsFd as _, AsRawFd as _, IntoRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use log::{debug, error, warn};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::geteuid;
use supervise_init::sys::{Capabilities, Environment, Output, close_from_3, has_capability};

use super::apply;
use super::ids;
use super::kept::{self, Kept};
use super::monitor::{Container, Ended, Start};
use super::plan::{self, Step};
use super::rights::capabilities as rights;
use super::spec::{Asked, Changes, Process, Spec};
use crate::cli::run::Order;
use crate::cli::{Wrong, exit, help};
use crate::outfit::Outfit;
use crate::surroundings::Surroundings;

/// Where programs are looked for: the last place has the clients of process 1, for images without.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Does what was ordered, and returns the code to end with.
#[inline(never)]
pub(crate) fn run(order: &Order, environment: Environment, surroundings: &Surroundings) -> u8 {
    // What our caller has open is not for the container, and ours are numbered above the standard streams.
    close_from_3(&[]);
    keep_standard_streams();
    if let Some(name) = directory_among_streams() {
        error!(
            "standard {name} is a directory, by which the container would reach the host's files; redirect it, as to /dev/null"
        );
        return exit::FAILURE;
    }
    let asked = &order.asked;
    let needs_user_namespace = asked.user_namespace || !is_root();
    let capabilities = capabilities(asked, needs_user_namespace);
    let process = match process(order, environment, surroundings, capabilities) {
        Ok(process) => process,
        Err(wrong) => {
            error!("{wrong}");
            return exit::FAILURE;
        }
    };
    if let Some(signal) = order.options.parent_death
        && let Err(errno) = supervise_init::sys::send_parent_death_signal(signal)
    {
        warn!("cannot follow the death of our parent: {errno}; it will go unnoticed");
    }
    let id = new_id();
    let hostname = asked.hostname.clone().unwrap_or_else(|| id.clone());
    let spec = Spec::new(asked, hostname, needs_user_namespace.then(ids::ours), process);
    let steps = plan::steps(&spec);
    if asked.dry_run {
        return print(&steps);
    }
    let mut kept = match claim(asked, &steps) {
        Ok(kept) => kept,
        Err(why) => {
            error!("{why}");
            return exit::FAILURE;
        }
    };
    let container = Container {
        steps: &steps,
        namespaces: &spec.namespaces,
        limits: &spec.limits,
        id: &id,
        overlaid: if asked.changes == Changes::InPlace { &[] } else { &asked.layers },
        path: surroundings.path.map(|path| OsStr::from_bytes(path.to_bytes())),
    };
    let mut start = Start::First;
    loop {
        match container.live(start) {
            Ended::Code(code) => return code,
            Ended::Unmade(code) => {
                if let Some(kept) = kept {
                    kept.give_back();
                }
                return code;
            }
            Ended::Reboot => {
                debug!(event = "reboot"; "the container asked for a reboot; setting it up again");
                start = Start::Again;
                if let Some(kept) = &mut kept {
                    kept.note_used();
                }
            }
        }
    }
}

/// A descriptor of ours must not be taken for one of them.
fn keep_standard_streams() {
    while let Ok(null) = open("/dev/null", OFlag::O_RDWR, Mode::empty()) {
        if null.as_raw_fd() > 2 {
            break;
        }
        // It is open as long as we are.
        let _ = null.into_raw_fd();
    }
}

/// The name of a standard stream that is a directory: /proc/self/fd/0 leads out of any root.
fn directory_among_streams() -> Option<&'static str> {
    let (input, output, errors) = (stdin(), stdout(), stderr());
    let streams = [("input", input.as_fd()), ("output", output.as_fd()), ("error", errors.as_fd())];
    let is_directory = |fd| fstat(fd).is_ok_and(|file| file.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits());
    streams.into_iter().find(|(_, fd)| is_directory(*fd)).map(|(name, _)| name)
}

/// Whether we may make namespaces without being somebody else in them.
fn is_root() -> bool {
    /// capabilities(7).
    const CAP_SYS_ADMIN: u32 = 21;
    geteuid().is_root() && has_capability(CAP_SYS_ADMIN)
}

/// Docker's, and what is asked for beyond them, as far as they can be had. What the command alone is to lack, its init
/// takes from it.
fn capabilities(asked: &Asked, user_namespace: bool) -> Capabilities {
    let have = match user_namespace {
        true => rights::IN_A_NEW_USER_NAMESPACE,
        // Where we cannot ask, the kernel says what we cannot give.
        false => rights::ours().unwrap_or(rights::IN_A_NEW_USER_NAMESPACE),
    };
    let resolved = rights::resolve(asked.capabilities, rights::Words::default(), have);
    if !resolved.missing.0.is_empty() {
        warn!("{}", resolved.missing);
    }
    resolved.granted
}

/// 12 hexadecimal digits.
fn new_id() -> String {
    let mut bytes = [0; 6];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if let Err(error) = read {
        debug!(event = "id"; "cannot read /dev/urandom: {error}; the hostname is made of our number and the time");
        let now = supervise_init::sys::microseconds_since_1970().rotate_left(20) ^ u64::from(std::process::id());
        bytes.copy_from_slice(now.to_le_bytes().get(..6).unwrap_or(&[0; 6]));
    }
    bytes.iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// The init inside: its words, its command and its environment.
fn process(
    order: &Order,
    host: Environment,
    surroundings: &Surroundings,
    capabilities: Capabilities,
) -> Result<Process, Wrong> {
    let path = format!("{PATH}:{}", apply::DIRECTORY);
    let mut base = vec![entry(path), c"HOME=/root", c"container=supervise"];
    base.extend(host.value("TERM").map(|term| entry(format!("TERM={}", term.to_string_lossy()))));
    let nothing = Outfit::default();
    let outfit = order.options.outfit.as_deref().unwrap_or(&nothing);
    let mut environment = outfit.environment_of_container(&base, &host)?;
    let named = order.variables.iter().map(|(name, value)| (name.as_str(), Some(*value)));
    for (name, value) in named.chain(surroundings.log_variables()) {
        environment.extend(value.map(|value| entry([name.as_bytes(), b"=", value.to_bytes()].concat())));
    }
    let directory = outfit.workdir.map_or(Path::new("/"), |path| Path::new(OsStr::from_bytes(path.to_bytes())));
    let mut words = vec![c"supervise".to_owned()];
    words.extend(order.passed.iter().map(|word| CString::from(*word)));
    if outfit.user.is_some() && outfit.sets(b"HOME") {
        // What was given by itself wins over what /etc/passwd says.
        words.extend([c"--env".to_owned(), c"HOME".to_owned()]);
    }
    Ok(Process {
        words,
        command: order.command.iter().map(|word| CString::from(*word)).collect(),
        environment: environment.into_iter().map(CString::from).collect(),
        directory: Path::new("/").join(directory),
        capabilities,
        filter: order.asked.filter,
        no_new_privileges: !order.asked.new_privileges,
        serves_requests: order.options.requests,
    })
}

/// For good. There is no zero byte in it.
fn entry(text: impl Into<Vec<u8>>) -> &'static CStr {
    Box::leak(CString::new(text).unwrap_or_default().into_boxed_c_str())
}

/// What `--upper` names, when all that it is for is there.
fn claim(asked: &Asked, steps: &[Step]) -> Result<Option<Kept>, String> {
    let Changes::Kept(dir) = &asked.changes else { return Ok(None) };
    let sources = asked.layers.iter().chain(asked.binds.iter().map(|bind| &bind.source));
    kept::check_sources(sources).map_err(|why| {
        let step = steps.iter().find(|step| matches!(step, Step::OpenSources(..)));
        format!("cannot {}: {why}", step.map_or_else(String::new, Step::to_string))
    })?;
    let kept = Kept::claim(dir, &asked.layers);
    kept.map(Some).map_err(|why| format!("cannot keep what is written in {}: {why}", dir.display()))
}

/// `--dry-run`.
fn print(steps: &[Step]) -> u8 {
    let mut text = String::new();
    for (number, step) in (1..).zip(steps) {
        let _ = writeln!(text, "{number:>2}. {step}: {}", step.reason());
    }
    match help::write(Output::Stdout, text.as_bytes()) {
        Ok(()) => exit::SUCCESS,
        Err(errno) => {
            error!("cannot write to stdout: {}", supervise_init::sys::Errno(errno as i32));
            exit::FAILURE
        }
    }
}
