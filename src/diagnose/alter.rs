//! Why something could not be changed for the command: which option asked for it, and what it needs.

use std::fmt;

use supervise_init::sys::{Alteration, Errno};

use crate::outfit::is_setgroups_denied;
use crate::outfit::limits::{NAMES, shown};

/// An alteration that the kernel refused. Shown as one fragment.
#[derive(Debug)]
pub(crate) struct Refused {
    alteration: Alteration,
    errno: Errno,
    needs: &'static str,
}

impl Refused {
    pub(super) fn new(alteration: Alteration, errno: Errno) -> Refused {
        Refused { alteration, errno, needs: needs(alteration, errno.0) }
    }
}

/// What would help.
fn needs(alteration: Alteration, errno: i32) -> &'static str {
    match (alteration, errno) {
        (Alteration::Groups(_), libc::EPERM) if is_setgroups_denied() => {
            " (this user namespace forbids it: /proc/self/setgroups says deny)"
        }
        (Alteration::Groups(_) | Alteration::Gid(_), libc::EPERM) => " (needs root, or CAP_SETGID)",
        (Alteration::Uid(_), libc::EPERM) => " (needs root, or CAP_SETUID)",
        (Alteration::Groups(_) | Alteration::Gid(_), libc::EINVAL) => {
            " (this user namespace has no such group: see /proc/self/gid_map)"
        }
        (Alteration::Uid(_), libc::EINVAL) => " (this user namespace has no such user: see /proc/self/uid_map)",
        (Alteration::Limit { .. }, libc::EPERM) => {
            " (raising a hard limit needs CAP_SYS_RESOURCE, and nofile ends at /proc/sys/fs/nr_open)"
        }
        (Alteration::DropBounding(_), libc::EPERM) => {
            " (needs root, or CAP_SETPCAP; without it, --no-new-privs keeps new ones from the command)"
        }
        (Alteration::WorkingDirectory(_), libc::EACCES) => " (the command's user must be able to enter it)",
        (_, libc::EPERM | libc::ENOSYS) => " (a seccomp filter?)",
        _ => "",
    }
}

/// There may be 65,536 of them.
fn shown_groups(groups: &[u32]) -> String {
    let (shown, rest) = groups.split_at(groups.len().min(8));
    let shown = shown.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.alteration {
            Alteration::NewSession => f.write_str("--setsid: cannot begin a session"),
            Alteration::Umask(mode) => write!(f, "--umask {mode:03o}: cannot set it"),
            Alteration::Limit { resource, soft, hard } => {
                let name = NAMES.get(resource as usize).copied().unwrap_or("?");
                write!(f, "--rlimit {name}={}:{}: cannot set it", shown(soft), shown(hard))
            }
            Alteration::DropBounding(_) | Alteration::DropCapabilities(_) => {
                f.write_str("--cap-drop: cannot drop capabilities")
            }
            Alteration::Groups(groups) => write!(f, "--user: cannot set the groups {}", shown_groups(groups)),
            Alteration::Gid(gid) => write!(f, "--user: cannot become group {gid}"),
            Alteration::Uid(uid) => write!(f, "--user: cannot become user {uid}"),
            Alteration::WorkingDirectory(path) => {
                write!(f, "--workdir {}: cannot change to it", path.to_string_lossy())
            }
            Alteration::NoNewPrivileges => f.write_str("--no-new-privs: cannot set it"),
        }?;
        write!(f, ": {}{}; the command was not started", self.errno, self.needs)
    }
}

#[cfg(test)]
mod tests {
    use super::shown_groups;

    #[test]
    fn of_many_groups_the_first_are_shown() {
        assert_eq!(shown_groups(&[7]), "7");
        assert_eq!(shown_groups(&[1, 2, 3, 4, 5, 6, 7, 8]), "1,2,3,4,5,6,7,8");
        assert_eq!(shown_groups(&[9; 65_536]), "9,9,9,9,9,9,9,9 and 65528 more");
    }
}
