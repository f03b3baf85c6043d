//! What we offer to those inside who ask for a shutdown: where, to whom, and what people are told of it.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use supervise_init::core::OnReboot;
use supervise_init::core::request::{Manager, Notice, Plan, Wish};
use supervise_init::driver::Offer;
use supervise_init::sys::{self, Door};

use crate::cli::{Options, Wrong};
use crate::surroundings::Surroundings;

/// Where sysvinit's clients, and systemd's up to version 257, find process 1.
const INITCTL: &CStr = c"/run/initctl";
/// pam_nologin(8) and login(1) let root in alone while it is there.
const NOLOGIN: &CStr = c"/run/nologin";

/// What is offered, if anything is: only process 1 is asked, and one that does all as another init does offers nothing.
pub(crate) fn of(surroundings: &Surroundings, options: &Options) -> Result<Option<Offer>, Wrong> {
    let is_strict = options.conduct.voice.is_some_and(|voice| voice.is_strict());
    if !surroundings.is_pid_1() || !options.requests || is_strict {
        return Ok(None);
    }
    let owner = sys::effective_user();
    let door = match options.ctl_group {
        None => Door::Everybody,
        Some(group) => Door::Group(group.group()?),
    };
    let control = match surroundings.runtime_dir().filter(|_| owner != 0) {
        None => Some((c"/run/supervise", c"/run/supervise/ctl")),
        Some(directory) => own_control(directory),
    };
    Ok(Some(Offer {
        initctl: (owner == 0).then_some((INITCTL, c"/run")),
        link: c"/dev/initctl",
        control,
        door,
        stale: &[NOLOGIN],
        owner,
    }))
}

/// Of a process 1 that is not root's.
#[inline(never)]
fn own_control(runtime: &'static CStr) -> Option<(&'static CStr, &'static CStr)> {
    let mut directory = PathBuf::from(std::ffi::OsStr::from_bytes(runtime.to_bytes()));
    directory.push("supervise-1");
    let leak =
        |path: &Path| CString::new(path.as_os_str().as_bytes()).ok().map(|path| &*Box::leak(path.into_boxed_c_str()));
    Some((leak(&directory)?, leak(&directory.join("ctl"))?))
}

/// What a reboot is where nobody has said so: who runs whole systems sees to a reboot(2).
pub(crate) fn on_reboot(surroundings: &Surroundings, options: &Options) -> OnReboot {
    options.on_reboot.unwrap_or(match surroundings.manager() {
        Manager::OfSystems => OnReboot::System,
        Manager::Other if surroundings.is_in_our_container() => OnReboot::System,
        Manager::Other => OnReboot::Restart,
    })
}

/// Makes it known, in a process of its own.
pub(crate) fn make_known(notice: &Notice) {
    match notice {
        Notice::Scheduled(_) => {}
        Notice::Warning(plan) => tell(&warning(plan)),
        Notice::Closing(plan) => close_logins(plan),
        Notice::Cancelled(plan) => {
            // Nobody may have been told yet, which is no harm.
            let _ = fs::remove_file(path(NOLOGIN));
            if plan.wall {
                tell("System shutdown has been cancelled");
            }
        }
    }
}

fn path(path: &'static CStr) -> &'static Path {
    Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()))
}

/// As logind words it.
fn warning(plan: &Plan) -> String {
    let verb = match plan.request.wish {
        Wish::Halt => "halt",
        Wish::Poweroff => "power off",
        Wish::Reboot => "reboot",
    };
    let mut text = plan.text.as_str().to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = write!(text, "The system will {verb} at {}!", crate::request::written(plan.when));
    text
}

/// Others may have closed them already, for reasons of their own.
fn close_logins(_: &Plan) {
    const TEXT: &str = "\
System is going down. Unprivileged users are not permitted to log in anymore. For technical details, see pam_nologin(8).
";
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path(NOLOGIN));
    if let Err(error) = file.and_then(|mut file| file.write_all(TEXT.as_bytes())) {
        log::debug!("cannot close logins: {error}");
    }
}

/// Writes to every terminal of the container that takes it at once.
fn tell(text: &str) {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let now = crate::request::written(sys::microseconds_since_1970());
    let mut message = format!("\r\n\u{7}Broadcast message from supervise@{} ({now}):\r\n\r\n", host.trim());
    for line in text.lines() {
        // What draws on terminals is not for others to write there.
        message.extend(line.chars().filter(|letter| !letter.is_control()));
        message.push_str("\r\n");
    }
    message.push_str("\r\n");
    for terminal in terminals() {
        let file = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(&terminal);
        // One that takes nothing belongs to nobody who reads.
        let _ = file.and_then(|mut file| file.write(message.as_bytes()));
    }
}

fn terminals() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/dev/pts").into_iter().flatten().flatten();
    let is_number = |entry: &fs::DirEntry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
    entries.filter(is_number).map(|entry| entry.path()).chain([PathBuf::from("/dev/console")])
}
