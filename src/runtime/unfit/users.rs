//! Why a user cannot have a user namespace, or only one id in it (user_namespaces(7)).

use std::fmt;
use std::fs;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use supervise_init::core::Status;
use supervise_init::sys;

use crate::runtime::ids::{has_tools, range};
use crate::sys::{Waiting, find_end, reap, start_copy};

/// Which switch forbids it, with the way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoUserNamespace {
    /// Debian's and Arch's sysctl.
    Switched,
    /// The limit is 0, as on Red Hat 7.
    LimitZero,
    /// There are as many as the limit allows.
    LimitReached,
    /// Ubuntu's since 23.10: it is made, and has no rights.
    Restricted,
    /// A filter, as that of a container around us.
    Filtered,
    TooDeep,
    /// A kernel without.
    NotBuilt,
    /// EPERM: who is in a chroot can make none.
    Other(Errno),
}

impl fmt::Display for NoUserNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot make a user namespace: {}", self.reason())
    }
}

impl NoUserNamespace {
    /// Without what it is about.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            NoUserNamespace::Switched => {
                "this kernel keeps them from users; run `sysctl kernel.unprivileged_userns_clone=1` as root, or supervise"
            }
            NoUserNamespace::LimitZero => {
                "their limit is 0; run `sysctl user.max_user_namespaces=15000` as root, or run supervise as root"
            }
            NoUserNamespace::LimitReached => {
                "there are as many as the limit allows; raise it: `sysctl user.max_user_namespaces=...` as root"
            }
            NoUserNamespace::Restricted => {
                "AppArmor takes all rights in it; give supervise a profile with `userns,`, or run `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0` as root"
            }
            NoUserNamespace::Filtered => {
                "a seccomp filter around us refuses it; start that container with --security-opt seccomp=unconfined"
            }
            NoUserNamespace::TooDeep => "there are 32 around us, and no more fit into each other",
            NoUserNamespace::NotBuilt => "this kernel has none (CONFIG_USER_NS); run supervise as root",
            NoUserNamespace::Other(Errno::EPERM) => {
                "operation not permitted (in a chroot, or forbidden by a security module)"
            }
            NoUserNamespace::Other(errno) => sys::Errno(errno as i32).phrase(),
        }
    }
}

/// Where it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    Made(Errno),
    /// It was made, and what needs a right in it is refused.
    Used(Errno),
}

/// What the kernel says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Switches {
    /// kernel.unprivileged_userns_clone
    clone: Option<u64>,
    /// user.max_user_namespaces
    most: Option<u64>,
    /// kernel.apparmor_restrict_unprivileged_userns
    restricted: Option<u64>,
    /// `Seccomp:` in /proc/self/status is 2.
    filtered: bool,
}

impl Switches {
    fn ours() -> Switches {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Switches {
            clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            most: number("/proc/sys/user/max_user_namespaces"),
            restricted: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            filtered: status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])),
        }
    }

    /// The one behind a refusal. What is for users only does not keep root out.
    fn behind(self, refused: Refused, is_root: bool) -> NoUserNamespace {
        match refused {
            Refused::Used(_) if self.restricted.is_some_and(|on| on != 0) => NoUserNamespace::Restricted,
            Refused::Made(Errno::ENOSPC) if self.most == Some(0) => NoUserNamespace::LimitZero,
            Refused::Made(Errno::ENOSPC) => NoUserNamespace::LimitReached,
            Refused::Made(Errno::EUSERS) => NoUserNamespace::TooDeep,
            Refused::Made(Errno::EINVAL | Errno::ENOSYS) => NoUserNamespace::NotBuilt,
            Refused::Made(Errno::EPERM) if self.clone == Some(0) && !is_root => NoUserNamespace::Switched,
            Refused::Made(Errno::EPERM) | Refused::Used(Errno::EPERM) if self.filtered => NoUserNamespace::Filtered,
            Refused::Made(errno) | Refused::Used(errno) => NoUserNamespace::Other(errno),
        }
    }
}

/// Makes a user namespace in a child, and a mount namespace in it, which needs a right there.
///
/// # Errors
/// Why not.
pub(crate) fn check_user_namespaces() -> Result<(), NoUserNamespace> {
    let refused = try_one().err();
    refused.map_or(Ok(()), |refused| Err(Switches::ours().behind(refused, geteuid().is_root())))
}

fn try_one() -> Result<(), Refused> {
    /// Added to the number of an error in the namespace; all that can come are below.
    const USED: u8 = 128;
    let number = |errno: Errno| u8::try_from(errno as i32).unwrap_or(USED - 1);
    let child = start_copy(|| match unshare(CloneFlags::CLONE_NEWUSER) {
        Err(errno) => number(errno),
        Ok(()) => unshare(CloneFlags::CLONE_NEWNS).err().map_or(0, |errno| USED | number(errno)),
    });
    let child = child.map_err(Refused::Made)?;
    let status = find_end(child, Waiting::Block);
    reap(child);
    match status {
        Some(Status::Exited(0)) | None => Ok(()),
        Some(Status::Exited(code)) if code & USED != 0 => Err(Refused::Used(Errno::from_raw((code & !USED).into()))),
        Some(Status::Exited(code)) => Err(Refused::Made(Errno::from_raw(code.into()))),
        // A filter that kills.
        Some(Status::Signaled(_)) => Err(Refused::Made(Errno::EPERM)),
    }
}

/// Why a user has one id alone in its namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoRange {
    NoTools,
    /// The file without a line for this user.
    NoLine(&'static str, u32),
}

impl fmt::Display for NoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the container has one user and one group: {}", self.reason())
    }
}

impl NoRange {
    /// Without what comes of it.
    pub(crate) fn reason(&self) -> String {
        match self {
            NoRange::NoTools => "newuidmap and newgidmap are not installed (apt-get install uidmap)".to_owned(),
            NoRange::NoLine(file, user) => {
                format!("{file} has no line for user {user}; as root add `{user}:100000:65536` to it")
            }
        }
    }
}

/// The ids that the administrator has given this user: the first and how many, of users and of groups.
///
/// # Errors
/// What is missing.
pub(crate) fn range_for(user: u32) -> Result<[(u32, u32); 2], NoRange> {
    const FILES: [&str; 2] = ["/etc/subuid", "/etc/subgid"];
    if !has_tools() {
        return Err(NoRange::NoTools);
    }
    let of = |file| range(file, user).ok_or(NoRange::NoLine(file, user));
    Ok([of(FILES[0])?, of(FILES[1])?])
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn each_refusal_is_traced_to_its_switch() {
        let none = Switches::default();
        let filtered = Switches { filtered: true, ..none };
        let debian = Switches { clone: Some(0), ..none };
        let made = Refused::Made;
        for (switches, refused, is_root, why) in [
            (debian, made(Errno::EPERM), false, NoUserNamespace::Switched),
            (debian, made(Errno::EPERM), true, NoUserNamespace::Other(Errno::EPERM)),
            (Switches { most: Some(0), ..none }, made(Errno::ENOSPC), false, NoUserNamespace::LimitZero),
            (Switches { most: Some(9), ..none }, made(Errno::ENOSPC), false, NoUserNamespace::LimitReached),
            (Switches { restricted: Some(1), ..none }, Refused::Used(Errno::EPERM), false, NoUserNamespace::Restricted),
            (
                Switches { restricted: Some(0), ..none },
                Refused::Used(Errno::EPERM),
                false,
                NoUserNamespace::Other(Errno::EPERM),
            ),
            (filtered, made(Errno::EPERM), true, NoUserNamespace::Filtered),
            (filtered, made(Errno::EUSERS), false, NoUserNamespace::TooDeep),
            (none, made(Errno::EINVAL), false, NoUserNamespace::NotBuilt),
            (Switches { clone: Some(1), ..none }, made(Errno::EPERM), false, NoUserNamespace::Other(Errno::EPERM)),
        ] {
            assert_eq!(switches.behind(refused, is_root), why);
        }
        assert!(NoUserNamespace::Switched.to_string().contains("kernel.unprivileged_userns_clone=1"));
    }

    #[test]
    fn what_util_linux_can_make_we_can_make() {
        let made = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
        let made = made.expect("util-linux is installed").success();
        assert_eq!(check_user_namespaces().is_ok(), made);
    }

    #[test]
    fn a_user_without_a_line_is_told_which() {
        // A number that no line has.
        let error = range_for(4_000_000_001).expect_err("nobody has that number");
        assert!(error == NoRange::NoTools || error == NoRange::NoLine("/etc/subuid", 4_000_000_001), "{error}");
        assert!(NoRange::NoLine("/etc/subgid", 7).to_string().ends_with("as root add `7:100000:65536` to it"));
    }
}
