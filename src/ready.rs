//! How the command says that it is ready: where it is heard, and what its environment says of that.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{debug, error, warn};
use supervise_init::driver::Hearing;
use supervise_init::sys::{self, Environment, Errno, Notify};

use crate::cli::Options;
use crate::cli::ready::{Asked, How};
use crate::outfit::Ready;
use crate::places;
use crate::surroundings::Surroundings;

/// Where it is heard as the process 1 of root.
const DIRECTORY: &CStr = c"/run/supervise";
const SOCKET: &CStr = c"/run/supervise/notify";

/// The variables of sd_notify(3) and sd_watchdog_enabled(3).
const NOTIFY_SOCKET: &[u8] = b"NOTIFY_SOCKET=";
const WATCHDOG: [&[u8]; 2] = [b"WATCHDOG_USEC=", b"WATCHDOG_PID="];

/// Whose pid the watchdog is for: filled in when the command is started.
const WATCHDOG_PID: &CStr = c"WATCHDOG_PID=";

/// How the command is heard.
pub(crate) struct Heard {
    /// It is large, and would stay in our caller's frame.
    pub(crate) hearing: Box<Hearing>,
    /// The entry of its environment that is to name its pid, beside what we were given.
    pub(crate) watchdog_pid: Option<&'static CStr>,
}

/// Opens what it is heard by, and says so in its environment. `None`: nobody wants to know whether it is ready. What
/// cannot be had is said. Not in our caller's frame, which stays in memory.
#[inline(never)]
pub(crate) fn open(options: &Options, surroundings: &Surroundings, ready: &mut Ready) -> Result<Option<Heard>, ()> {
    let Some((asked, how)) = options.ready.as_deref().and_then(|asked| Some((asked, asked.how?))) else {
        return Ok(None);
    };
    let above = surroundings.notify_socket().filter(|address| !address.is_empty());
    let number = if let How::Descriptor(number) = how { Some(number) } else { None };
    let mut hearing = Box::<Hearing>::default();
    (hearing.number, hearing.above) = (number, above);
    // Who runs us and wants to hear whether the command is alive hears it by us.
    let is_heard = matches!(how, How::SdNotify) || above.is_some();
    hearing.is_watched = above.is_some() && ready.environment.value("WATCHDOG_USEC").is_some();
    if is_heard {
        let socket = offer(surroundings).map_err(|errno| {
            error!("cannot make a socket for sd_notify: {errno}; nothing was started");
        })?;
        debug!(event = "notify-socket"; "the command is heard by {}", socket.address().to_string_lossy());
        hearing.socket = Some(socket);
    }
    ready.environment = tell(&ready.environment, hearing.socket.as_ref(), asked);
    ready.outside = without(&ready.outside, &[NOTIFY_SOCKET]);
    Ok(Some(Heard { hearing, watchdog_pid: asked.watchdog.map(|_| WATCHDOG_PID) }))
}

/// By a path, which can be reached by all that see our files; else by a name that is in no file system.
fn offer(surroundings: &Surroundings) -> Result<Notify, Errno> {
    let ourselves = surroundings.ourselves();
    if let Some((directory, path)) = place(surroundings) {
        match Notify::offer(path, Some(directory), ourselves) {
            Ok(socket) => return Ok(socket),
            Err(Errno::NOT_OURS) => {
                let (path, why) = (path.to_string_lossy(), Errno::NOT_OURS);
                warn!("cannot make {path}: {why}; using an abstract socket");
            }
            Err(errno) => debug!("cannot make {}: {errno}; using an abstract socket", path.to_string_lossy()),
        }
    }
    // Others of our number may be in the same network namespace.
    let name = format!("@supervise-{ourselves}-{:x}/notify", sys::microseconds_since_1970());
    Notify::offer(Box::leak(CString::new(name).unwrap_or_default().into_boxed_c_str()), None, ourselves)
}

/// The directory, and the path in it. Of a child of root there is none: another user that it becomes has no way to it,
/// and what is killed would leave it there.
fn place(surroundings: &Surroundings) -> Option<(&'static CStr, &'static CStr)> {
    match (surroundings.is_pid_1(), sys::effective_user()) {
        (true, 0) => Some((DIRECTORY, SOCKET)),
        (false, 0) => None,
        (_, _) => {
            let mut directory = PathBuf::from(OsStr::from_bytes(surroundings.runtime_dir()?.to_bytes()));
            directory.push(format!("supervise-{}", surroundings.ourselves()));
            let leak = |path: &Path| {
                CString::new(path.as_os_str().as_bytes()).ok().map(|path| &*Box::leak(path.into_boxed_c_str()))
            };
            Some((leak(&directory)?, leak(&directory.join("notify"))?))
        }
    }
}

/// The command's environment: our socket in the place of another one, and our watchdog.
fn tell(environment: &Environment, socket: Option<&Notify>, asked: &Asked) -> Environment {
    let entry = |name: &[u8], value: &[u8]| {
        let text = CString::new([name, value].concat()).unwrap_or_default();
        &*Box::leak(text.into_boxed_c_str())
    };
    let mut removed = vec![NOTIFY_SOCKET];
    let mut added: Vec<&'static CStr> = Vec::new();
    added.extend(socket.map(|socket| entry(NOTIFY_SOCKET, socket.address().to_bytes())));
    if let Some(time) = asked.watchdog {
        removed.extend(WATCHDOG);
        added.extend([entry(WATCHDOG[0], microseconds(time).as_bytes()), WATCHDOG_PID]);
    }
    let kept: Vec<_> = environment.entries().filter(|entry| !is_one_of(entry, &removed)).chain(added).collect();
    Environment::new(places(kept.len()), kept).unwrap_or(*environment)
}

fn microseconds(time: Duration) -> String {
    time.as_micros().to_string()
}

fn without(environment: &Environment, names: &[&[u8]]) -> Environment {
    let kept: Vec<_> = environment.entries().filter(|entry| !is_one_of(entry, names)).collect();
    Environment::new(places(kept.len()), kept).unwrap_or(*environment)
}

fn is_one_of(entry: &CStr, names: &[&[u8]]) -> bool {
    names.iter().any(|name| entry.to_bytes().starts_with(name))
}
