//! What is about the process itself, which becomes process 1.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use log::debug;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, Gid, Uid, access, read, setgroups, setresgid, setresuid};

use supervise_init::sys::Capabilities;

use super::inside::Links;
use super::{Site, Why, clients};
use crate::outfit::is_setgroups_denied;
use crate::runtime::rights::capabilities::Sets;
use crate::runtime::spec::Process;
use crate::runtime::unfit::{self, Kernel};
use crate::sys;

/// Waits until the maps are written and our cgroup is ours.
pub(super) fn await_monitor(site: &Site) -> Result<(), Why> {
    wait_line(site).map(|_| ())
}

/// Waits until the monitor has made a network namespace and is in it, and follows.
pub(super) fn join_network(site: &mut Site) -> Result<(), Why> {
    wait_line(site)?;
    let joined = match site.monitor.take() {
        // Linux 5.8.
        Some(monitor) => setns(&monitor, CloneFlags::CLONE_NEWNET),
        None => Err(Errno::ENOSYS),
    };
    joined.or_else(|errno| {
        debug!(event = "network"; "the network namespace of the monitor cannot be joined: {}; making another", errno.desc());
        unshare(CloneFlags::CLONE_NEWNET).map_err(Why::from)
    })
}

/// Everybody may send what ping sends (icmp(7)), and listen on every port. The files are those of the network namespace
/// that we are in, whoever has mounted /proc; what of it cannot be is as the kernel has it.
pub(super) fn open_to_users() -> Result<(), Why> {
    for (name, value) in [("ping_group_range", "0 2147483647"), ("ip_unprivileged_port_start", "0")] {
        // EINVAL: a group that our user namespace does not have.
        if let Err(error) = fs::write(Path::new("/proc/sys/net/ipv4").join(name), value) {
            debug!(event = "network"; "net.ipv4.{name} stays as it is: {error}");
        }
    }
    Ok(())
}

/// Waits until there is a network, and takes down its name server.
pub(super) fn await_network(site: &mut Site) -> Result<(), Why> {
    site.name_server = Some(wait_line(site)?);
    Ok(())
}

/// What the monitor writes, which is read as it was written (O_DIRECT in pipe(2)).
fn wait_line(site: &Site) -> Result<String, Why> {
    let mut line = [0; 64];
    // It is closed when the monitor gives up, or is gone.
    match read(&site.lifeline, &mut line)? {
        0 => Err(Why::MonitorGone),
        count => Ok(String::from_utf8_lossy(line.get(..count).unwrap_or_default()).trim_end().to_owned()),
    }
}

/// Takes the ids of root.
pub(super) fn become_root() -> Result<(), Why> {
    let (user, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    forget_groups()
}

/// The caller's groups stay only where the kernel lets nobody leave them (user_namespaces(7)).
fn forget_groups() -> Result<(), Why> {
    match setgroups(&[]) {
        Err(Errno::EPERM) if is_setgroups_denied() => Ok(()),
        other => other.map_err(Why::from),
    }
}

/// Whether the kernel can run the command, as far as that can be told from its files.
pub(super) fn check_command(site: &Site, process: &Process) -> Result<(), Why> {
    let root = site.root()?;
    let bytes = |text: &CStr| OsStr::from_bytes(text.to_bytes()).to_owned();
    let command = match process.command.first() {
        Some(command) => bytes(command),
        None if root.find(Path::new("/bin/bash"), OFlag::empty(), Links::Followed).is_ok() => "/bin/bash".into(),
        None => "/bin/sh".into(),
    };
    let path = process.environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
    let path = path.map(String::from_utf8_lossy).unwrap_or_default();
    let root = root.root().try_clone().map_err(|_| Why::Kernel(Errno::EMFILE))?;
    unfit::check(root, Path::new(&command), &path, &process.directory, &Kernel::ours())
        .map_err(|why| Why::Unfit(Box::new(unfit::explain_missing(why, &site.layers))))
}

/// A session keyring of its own, where there are keys.
pub(super) fn forget_keys() -> Result<(), Why> {
    match sys::join_new_keyring() {
        Err(errno @ (Errno::ENOSYS | Errno::EPERM | Errno::EACCES)) => {
            // Then there are no keys, or nobody inside can ask for them either.
            debug!(event = "keys"; "no session keyring is made: {}", errno.desc());
            Ok(())
        }
        other => other.map_err(Why::from),
    }
}

/// Root keeps these, and gives them to all that it runs.
pub(super) fn drop_rights(kept: Capabilities) -> Result<(), Why> {
    Sets::of_root(kept).apply(|| Ok(())).map(|_| ()).map_err(Why::Rights)
}

/// The kernel kills us when the monitor dies; if that has happened already, its end of the line is closed. (Its number
/// says nothing: a parent in another PID namespace is 0.)
pub(super) fn follow_monitor(site: &Site) -> Result<(), Why> {
    set_pdeathsig(Signal::SIGKILL)?;
    let mut line = [PollFd::new(site.lifeline.as_fd(), PollFlags::POLLIN)];
    match poll(&mut line, PollTimeout::ZERO)? {
        0 => Ok(()),
        _ => Err(Why::MonitorGone),
    }
}

/// Becomes process 1.
pub(super) fn execute(process: &Process) -> Result<(), Why> {
    umask(Mode::from_bits_truncate(0o022));
    let mut words: Vec<&CStr> = process.words.iter().map(AsRef::as_ref).collect();
    words.push(c"--");
    match process.command.is_empty() {
        true => words.push(shell()),
        false => words.extend(process.command.iter().map(AsRef::<CStr>::as_ref)),
    }
    let environment: Vec<&CStr> = process.environment.iter().map(AsRef::as_ref).collect();
    Err(Why::Kernel(sys::execute(clients::FILE, &words, &environment)))
}

/// The image's.
fn shell() -> &'static CStr {
    let bash = Path::new("/bin/bash");
    if access(bash, AccessFlags::X_OK).is_ok() { c"/bin/bash" } else { c"/bin/sh" }
}
