//! `supervise features`: what this kernel gives this user for containers. What can be tried is tried, in children whose
//! namespaces end with them; nothing of the machine is changed.

mod attempt;
mod print;

use std::fs::File;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::{AccessFlags, access, geteuid};
use supervise_init::sys::{self, has_capability};

use self::attempt::By;
use super::cgroup::{Host, Layout, Version};
use super::network::Tool;
use super::rights::capabilities::{self, Words};
use super::unfit::{Kernel, users};
use crate::cli::help;
use crate::sys::{ask_clone3, landlock_version};

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Prints it all; returns the code to end with.
#[inline(never)]
pub(crate) fn run(format: Format) -> u8 {
    let sections = sections();
    let text = match format {
        Format::Text => print::text(&sections),
        Format::Json => print::json(&sections),
    };
    help::print_text(&text)
}

/// What was found about one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    /// It is there; how, if that is to be said.
    Yes(String),
    /// It is not, and why.
    No(String),
    Told(String),
    List(Vec<String>),
}

/// Things that belong together, by the names that they have in JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Section {
    name: &'static str,
    features: Vec<(&'static str, Answer)>,
}

fn sections() -> Vec<Section> {
    let is_root = geteuid().is_root() && has_capability(CAP_SYS_ADMIN);
    let by = if is_root { By::Root } else { By::User };
    vec![
        Section { name: "kernel", features: kernel() },
        Section { name: "namespaces", features: namespaces(by) },
        Section { name: "mounts", features: mounts(by) },
        Section { name: "calls", features: calls() },
        Section { name: "cgroups", features: cgroups() },
        Section { name: "ids", features: ids(by) },
        Section { name: "network", features: network() },
        Section { name: "capabilities", features: vec![("missing", missing_capabilities(by))] },
    ]
}

/// capabilities(7).
const CAP_SYS_ADMIN: u32 = 21;

fn answer(tried: Result<(), Errno>) -> Answer {
    match tried {
        Ok(()) => Answer::Yes(String::new()),
        Err(errno) => Answer::No(sys::Errno(errno as i32).to_string()),
    }
}

fn kernel() -> Vec<(&'static str, Answer)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = Kernel::ours();
    vec![
        ("release", Answer::Told(release.trim().to_owned())),
        ("machine", Answer::Told(std::env::consts::ARCH.to_owned())),
        ("user", Answer::Told(geteuid().to_string())),
        ("emulators", Answer::List(kernel.handlers().map(str::to_owned).collect())),
    ]
}

fn namespaces(by: By) -> Vec<(&'static str, Answer)> {
    let user = match users::check_user_namespaces() {
        Ok(()) => Answer::Yes(String::new()),
        Err(why) => Answer::No(why.reason().to_owned()),
    };
    let others = [
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mount", CloneFlags::CLONE_NEWNS),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("network", CloneFlags::CLONE_NEWNET),
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
        // nix has no name for CLONE_NEWTIME (Linux 5.6).
        ("time", CloneFlags::from_bits_retain(0x80)),
    ];
    let others = others.map(|(name, kind)| (name, answer(attempt::namespace(by, kind))));
    [("user", user)].into_iter().chain(others).collect()
}

fn mounts(by: By) -> Vec<(&'static str, Answer)> {
    let how = if by == By::User { "with userxattr" } else { "" };
    let overlay = attempt::overlay(by);
    vec![
        ("overlay", if overlay.is_ok() { Answer::Yes(how.to_owned()) } else { answer(overlay) }),
        ("mapped ids", answer(attempt::mapped_mount(by))),
        ("new calls", answer(attempt::mount_calls(by))),
    ]
}

fn calls() -> Vec<(&'static str, Answer)> {
    let landlock = match landlock_version() {
        Ok(version) => Answer::Yes(format!("version {version}")),
        Err(errno) => Answer::No(sys::Errno(errno as i32).to_string()),
    };
    vec![
        ("clone3", answer(ask_clone3())),
        ("openat2", answer(attempt::lookup())),
        ("pidfd", answer(attempt::pidfd())),
        ("seccomp", answer(attempt::filter())),
        ("landlock", landlock),
    ]
}

/// Which kind of hierarchy there is, and where each limit could be set: in a group that we may make.
fn cgroups() -> Vec<(&'static str, Answer)> {
    let host = Host::ours();
    let layout = match host.layout() {
        Layout::None => "none",
        Layout::One => "v1",
        Layout::Hybrid => "v1 and v2",
        Layout::Two => "v2",
    };
    let limits = [("memory", "memory"), ("cpus", "cpu"), ("pids", "pids")];
    let limits = limits.map(|(name, controller)| {
        let found = match host.home(controller) {
            None => Answer::No(format!("the {controller} controller is not here for us")),
            Some((version, place)) => match access(&place.directory, AccessFlags::W_OK) {
                Ok(()) => Answer::Yes(if version == Version::One { "v1".to_owned() } else { "v2".to_owned() }),
                Err(errno) => Answer::No(format!("{}: {}", place.directory.display(), sys::Errno(errno as i32))),
            },
        };
        (name, found)
    });
    [("hierarchy", Answer::Told(layout.to_owned()))].into_iter().chain(limits).collect()
}

/// What a user namespace of this user can have besides itself.
fn ids(by: By) -> Vec<(&'static str, Answer)> {
    let range = match (by, users::range_for(geteuid().as_raw())) {
        // It maps them itself.
        (By::Root, _) => Answer::Yes("all".to_owned()),
        (By::User, Ok([(first, count), _])) => Answer::Yes(format!("{count} from {first}")),
        (By::User, Err(why)) => Answer::No(why.reason()),
    };
    vec![("range", range)]
}

/// What both make the interface by.
const TUN: &str = "/dev/net/tun";

fn network() -> Vec<(&'static str, Answer)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |tool: Tool| match tool.find(&path) {
        None => Answer::No("not installed".to_owned()),
        Some(file) => match File::options().read(true).write(true).open(TUN) {
            Ok(_) => Answer::Yes(file.display().to_string()),
            Err(error) => {
                let errno = sys::Errno(error.raw_os_error().unwrap_or(libc::EIO));
                Answer::No(format!("{} needs {TUN}: {errno}", file.display()))
            }
        },
    };
    [Tool::Pasta, Tool::Slirp4netns].map(|tool| (tool.name(), found(tool))).into()
}

/// Of those that docker gives by default.
fn missing_capabilities(by: By) -> Answer {
    let have = match by {
        By::Root => capabilities::ours().unwrap_or(capabilities::IN_A_NEW_USER_NAMESPACE),
        By::User => capabilities::IN_A_NEW_USER_NAMESPACE,
    };
    let missing = capabilities::resolve(Words::default(), Words::default(), have).missing;
    Answer::List(capabilities::names(missing.0).map(str::to_owned).collect())
}
