//! What we offer to those inside who ask for a shutdown: where, to whom, and what people are told of it.

use std::ffi::{CStr, CString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use log::warn;
use supervise_init::core::OnReboot;
use supervise_init::core::request::{Manager, Notice, Plan, Wish};
use supervise_init::driver::{Offer, Places, Sockets};
use supervise_init::sys::{self, Door};

use crate::cli::{Options, Wrong};
use crate::surroundings::Surroundings;

/// Where sysvinit's clients, and systemd's up to version 257, find process 1.
const INITCTL: &CStr = c"/run/initctl";
/// Where our clients find a process 1 of root.
const CONTROL: &CStr = c"/run/supervise/ctl";
/// pam_nologin(8) and login(1) let root in alone while it is there.
const NOLOGIN: &CStr = c"/run/nologin";
/// What they say to anybody else.
const CLOSED: &str = "\
System is going down. Unprivileged users are not permitted to log in anymore. For technical details, see pam_nologin(8).
";

/// What systemd's clients look for (sd_booted(3), and src/libsystemd/sd-bus in systemd).
const SYSTEMD: Places = Places {
    directory: c"/run/systemd",
    booted: c"/run/systemd/system",
    private: c"/run/systemd/private",
    bus_directory: c"/run/dbus",
    bus: c"/run/dbus/system_bus_socket",
};

/// What is offered, if anything is: only process 1 is asked, and one that does all as another init does offers nothing.
pub(crate) fn of(surroundings: &Surroundings, options: &Options) -> Result<Option<Offer>, Wrong> {
    let is_strict = options.conduct.voice.is_some_and(|voice| voice.is_strict());
    let is_asked = surroundings.is_pid_1() && options.requests && !is_strict;
    let owner = sys::effective_user();
    if options.systemd_compat && !(is_asked && owner == 0) {
        let needs = match (surroundings.is_pid_1(), owner) {
            (false, _) => "we are not PID 1",
            (true, 0) => "no requests are taken",
            (true, _) => "we are not root",
        };
        warn!("--systemd-compat is for a PID 1 of root that takes requests, and {needs}; going on without");
    }
    if !is_asked {
        return Ok(None);
    }
    let door = match options.ctl_group {
        None => Door::Everybody,
        Some(group) => Door::Group(group.group()?),
    };
    let control = match surroundings.runtime_dir().filter(|_| owner != 0) {
        None => Some((c"/run/supervise", CONTROL)),
        Some(directory) => own_control(directory),
    };
    Ok(Some(Offer {
        initctl: (owner == 0).then_some((INITCTL, c"/run")),
        link: (c"/dev/initctl", c"/dev"),
        control,
        door,
        bus: (options.systemd_compat && owner == 0).then_some(&SYSTEMD),
        nologin: (NOLOGIN, CLOSED),
        owner,
        is_missed: is_supervised(options) || options.ctl_group.is_some(),
    }))
}

/// Whether more is asked for than an init.
fn is_supervised(options: &Options) -> bool {
    options.restart.as_ref().is_some_and(|restart| restart.policy().is_some())
        || options.health.as_ref().is_some_and(|health| health.target.is_some())
        || options.ready.as_ref().is_some_and(|ready| ready.how.is_some())
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

/// Speaks for systemd's clients, in a process of its own, and returns the code to end with.
pub(crate) fn speak(sockets: Sockets) -> u8 {
    crate::request::speak(sockets, path(CONTROL))
}

/// Makes it known to people, in a process of its own.
pub(crate) fn make_known(notice: &Notice) {
    match notice {
        Notice::Scheduled(_) | Notice::Closing(_) => {}
        Notice::Warning(plan) => tell(&warning(plan)),
        Notice::Ending(plan) => tell(&with_text(plan, &format!("The system will {} now!", verb(plan)))),
        Notice::Cancelled(plan) => tell(&with_text(plan, "System shutdown has been cancelled")),
    }
}

fn path(path: &'static CStr) -> &'static Path {
    Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()))
}

/// As logind words it.
fn warning(plan: &Plan) -> String {
    with_text(plan, &format!("The system will {} at {}!", verb(plan), crate::request::written(plan.when)))
}

fn verb(plan: &Plan) -> &'static str {
    match plan.request.wish {
        Wish::Halt => "halt",
        Wish::Poweroff | Wish::Exit(_) => "power off",
        Wish::Reboot => "reboot",
        Wish::Restart => "restart",
        Wish::Stop => "stop",
    }
}

/// The sentence, under what whoever wants that has to say.
fn with_text(plan: &Plan, sentence: &str) -> String {
    match plan.text.as_str() {
        "" => sentence.to_owned(),
        text => format!("{text}\n{sentence}"),
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
