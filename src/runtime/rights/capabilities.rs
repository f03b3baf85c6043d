//! The capabilities of a container: docker's 14, what `--cap-add` and `--cap-drop` make of them, less what we have not
//! ourselves (capabilities(7)).

use std::fmt;

use nix::errno::Errno;
use nix::sys::prctl::set_keepcaps;
use supervise_init::sys::{self, Capabilities, CapabilitySets, bounding_set};

use crate::outfit::Unfit;
use crate::outfit::capabilities::{NAMES, named};
use crate::sys::rights::raise_ambient;

/// What docker, podman and the OCI runtimes' examples give: chown, dac_override, fowner, fsetid, kill, setgid, setuid,
/// setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap (docker's documentation, "Runtime
/// privilege and Linux capabilities").
pub(crate) const DEFAULT: Capabilities = set(&[0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31]);

/// Those that have a name.
const KNOWN: Capabilities = Capabilities((1 << NAMES.len()) - 1);

const fn set(numbers: &[u32]) -> Capabilities {
    let (mut bits, mut rest) = (0, numbers);
    while let [number, more @ ..] = rest {
        bits |= 1 << *number;
        rest = more;
    }
    Capabilities(bits)
}

/// The words of `--cap-add`, or those of `--cap-drop`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Words {
    /// `ALL` was among them.
    all: bool,
    by_name: Capabilities,
}

impl Words {
    /// One more value: `ALL` or names, with or without `CAP_`, in any case, with commas between them.
    pub(crate) fn take(&mut self, value: &str) -> Result<(), Unfit> {
        for word in value.split(',') {
            match named(word)? {
                Capabilities::ALL => self.all = true,
                Capabilities(one) => self.by_name.0 |= one,
            }
        }
        Ok(())
    }
}

/// What a container gets, and what it was to get and cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Resolved {
    pub(crate) granted: Capabilities,
    pub(crate) missing: Missing,
}

/// In docker's order: an added `ALL` is all but what is dropped by name; a dropped `ALL` leaves what is added; otherwise
/// the default is less what is dropped and more what is added. `have` is what can be given at all.
pub(crate) fn resolve(add: Words, drop: Words, have: Capabilities) -> Resolved {
    let wanted = match (add.all, drop.all) {
        (true, _) => KNOWN.0 & !drop.by_name.0,
        (false, true) => add.by_name.0,
        (false, false) => DEFAULT.0 & !drop.by_name.0 | add.by_name.0,
    };
    Resolved { granted: Capabilities(wanted & have.0), missing: Missing(Capabilities(wanted & !have.0)) }
}

/// What we can give where we are: what our programs can get and we may make effective. A new user namespace gives its
/// first process all there are, whatever is missing outside (user_namespaces(7)).
///
/// # Errors
/// The kernel's: a filter.
pub(crate) fn ours() -> Result<Capabilities, sys::Errno> {
    Ok(Capabilities(bounding_set().0 & CapabilitySets::ours()?.permitted.0))
}

/// The same inside of a user namespace that will be new.
pub(crate) const IN_A_NEW_USER_NAMESPACE: Capabilities = KNOWN;

/// What was wanted and cannot be given. Shown as a warning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Missing(pub(crate) Capabilities);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = names(self.0).map(|name| format!("CAP_{}", name.to_ascii_uppercase())).collect();
        let them = if names.len() == 1 { "it" } else { "them" };
        write!(f, "cannot give {}: supervise does not have {them} itself; going on without", names.join(", "))
    }
}

/// Their names in capabilities(7), without `CAP_`.
pub(crate) fn names(set: Capabilities) -> impl Iterator<Item = &'static str> {
    (0..).zip(NAMES).filter(move |(number, _)| set.has(*number)).map(|(_, name)| name)
}

/// The five sets of a process, in the OCI runtime specification's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sets {
    pub(crate) bounding: Capabilities,
    pub(crate) effective: Capabilities,
    pub(crate) permitted: Capabilities,
    pub(crate) inheritable: Capabilities,
    pub(crate) ambient: Capabilities,
}

impl Sets {
    /// For root, who gets what the bounding set holds with each program. Nothing is inheritable: a file's inheritable
    /// set would give it to others than root (CVE-2022-24769).
    pub(crate) const fn of_root(granted: Capabilities) -> Sets {
        let none = Capabilities(0);
        Sets { bounding: granted, effective: granted, permitted: granted, inheritable: none, ambient: none }
    }

    /// For another user, who keeps them through execve(2) only if they are ambient.
    #[cfg(test)]
    pub(crate) const fn of_user(granted: Capabilities) -> Sets {
        Sets { inheritable: granted, ambient: granted, ..Sets::of_root(granted) }
    }

    /// Makes them ours for good. `become_user` changes groups and users in between: before, the bounding set can still
    /// be lowered; after, nobody can gain what was given up. Returns what the kernel does not let us make ambient.
    ///
    /// # Errors
    /// What could not be done, and the kernel's reason. The process must not go on then.
    pub(crate) fn apply(&self, become_user: impl FnOnce() -> Result<(), Errno>) -> Result<Capabilities, Error> {
        let nix = |errno: sys::Errno| Errno::from_raw(errno.0);
        Capabilities(!self.bounding.0).drop_bounding().map_err(|errno| Error::Bounding(nix(errno)))?;
        // Otherwise the change of the user would take all of them (capabilities(7)).
        set_keepcaps(true).map_err(Error::Keep)?;
        become_user().map_err(Error::User)?;
        set_keepcaps(false).map_err(Error::Keep)?;
        let sets =
            CapabilitySets { effective: self.effective, permitted: self.permitted, inheritable: self.inheritable };
        sets.set().map_err(|errno| Error::Set(nix(errno)))?;
        let refused = (0..64).filter(|number| self.ambient.has(*number) && raise_ambient(*number).is_err());
        Ok(Capabilities(refused.fold(0, |set, number| set | 1 << number)))
    }
}

/// What could not be done to the capabilities of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Bounding(Errno),
    Keep(Errno),
    User(Errno),
    Set(Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, errno) = match self {
            Error::Bounding(errno) => ("drop capabilities from the bounding set", errno),
            Error::Keep(errno) => ("keep capabilities through a change of the user", errno),
            Error::User(errno) => ("become the container's user", errno),
            Error::Set(errno) => ("set capabilities", errno),
        };
        write!(f, "cannot {what}: {}", sys::Errno(*errno as i32))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::process::Command;

    use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

    use super::*;
    use crate::sys::before_exec;

    fn words(values: &[&str]) -> Words {
        let mut words = Words::default();
        values.iter().for_each(|value| words.take(value).expect("they are capabilities"));
        words
    }

    fn granted(add: &[&str], drop: &[&str]) -> Vec<&'static str> {
        names(resolve(words(add), words(drop), Capabilities::ALL).granted).collect()
    }

    #[test]
    fn the_default_is_dockers() {
        let docker = [
            "chown",
            "dac_override",
            "fowner",
            "fsetid",
            "kill",
            "setgid",
            "setuid",
            "setpcap",
            "net_bind_service",
            "net_raw",
            "sys_chroot",
            "mknod",
            "audit_write",
            "setfcap",
        ];
        assert_eq!(granted(&[], &[]), docker);
    }

    #[test]
    fn words_are_applied_in_dockers_order() {
        assert_eq!(granted(&["CAP_NET_ADMIN,kill"], &["all"]), ["kill", "net_admin"]);
        assert_eq!(granted(&["ALL"], &["ALL"]).len(), 41);
        // What is dropped and added is added; but not where all are.
        assert!(granted(&["chown"], &["chown"]).contains(&"chown"));
        assert!(!granted(&["All", "chown"], &["chown"]).contains(&"chown"));
        assert_eq!(granted(&[], &["Chown,cap_kill"]).len(), 12);
    }

    #[test]
    fn what_we_do_not_have_is_said() {
        let have = Capabilities(!(1 << 24 | 1 << 13));
        let one = resolve(words(&["sys_resource"]), words(&["net_raw"]), have);
        assert_eq!(one.granted.0, DEFAULT.0 & !(1 << 13));
        assert_eq!(
            one.missing.to_string(),
            "cannot give CAP_SYS_RESOURCE: supervise does not have it itself; going on without"
        );
        let two = resolve(words(&["all"]), words(&[]), have).missing.to_string();
        assert!(two.starts_with("cannot give CAP_NET_RAW, CAP_SYS_RESOURCE: supervise does not have them"), "{two}");
        assert!(resolve(words(&[]), words(&[]), Capabilities::ALL).missing.0.is_empty());
    }

    #[test]
    fn unknown_words_are_refused_with_what_was_meant() {
        for (value, said) in [("kill,sysadmin", "did you mean sys_admin?"), ("", "names of capabilities(7)")] {
            let why = Words::default().take(value).expect_err(value).to_string();
            assert!(why.contains(said), "{why}");
        }
    }

    /// The sets of a program that is executed by who has these.
    fn status(sets: Sets, uid: u32) -> HashMap<String, u64> {
        let mut command = Command::new("cat");
        before_exec(command.arg("/proc/self/status"), move || {
            let refused = sets.apply(|| {
                let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
                setgroups(&[gid])?;
                setresgid(gid, gid, gid)?;
                setresuid(uid, uid, uid)
            });
            refused
                .map_err(|_| Errno::EPERM)
                .and_then(|refused| if refused.is_empty() { Ok(()) } else { Err(Errno::EACCES) })
        });
        let output = command.output().expect("it is executed");
        let text = String::from_utf8(output.stdout).expect("it is text");
        let field = |line: &str| {
            let (name, value) = line.split_once(":\t")?;
            Some((name.strip_prefix("Cap")?.to_owned(), u64::from_str_radix(value, 16).ok()?))
        };
        text.lines().filter_map(field).collect()
    }

    #[test]
    fn a_program_has_what_was_granted_and_nothing_else() {
        if !geteuid().is_root() {
            assert!(std::env::var("CI").is_err(), "not root");
            return eprintln!("skipped: only root has capabilities to give");
        }
        let granted = resolve(words(&["sys_ptrace"]), words(&["net_raw"]), ours().expect("no filter")).granted;
        assert_eq!(granted.0, DEFAULT.0 & !(1 << 13) | 1 << 19, "this machine has them");
        let seen = status(Sets::of_root(granted), 0);
        let expected = [("Bnd", granted.0), ("Eff", granted.0), ("Prm", granted.0), ("Inh", 0), ("Amb", 0)];
        assert_eq!(seen, expected.into_iter().map(|(name, set)| (name.to_owned(), set)).collect());
        // As another user: all of them, without a file that gives them.
        let few = Capabilities(1 << 10);
        let seen = status(Sets::of_user(few), 4711);
        assert!(seen.len() == 5 && seen.values().all(|set| *set == few.0), "{seen:?}");
        // And none where it is not asked for.
        let seen = status(Sets::of_root(few), 4711);
        assert_eq!((seen["Bnd"], seen["Eff"], seen["Prm"]), (few.0, 0, 0));
    }

    #[test]
    fn a_new_user_namespace_has_them_all() {
        let words = ["--user", "--map-root-user", "grep", "CapBnd", "/proc/self/status"];
        let output = Command::new("unshare").args(words).output().expect("util-linux is installed");
        let all = format!("CapBnd:\t{:016x}\n", IN_A_NEW_USER_NAMESPACE.0);
        assert_eq!(String::from_utf8_lossy(&output.stdout), all, "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn what_is_outside_of_the_bounding_set_cannot_be_had() {
        if !geteuid().is_root() {
            assert!(std::env::var("CI").is_err(), "not root");
            return eprintln!("skipped: only root has capabilities to give");
        }
        let mut command = Command::new("true");
        before_exec(&mut command, || {
            let only_setpcap = Sets::of_root(Capabilities(1 << 8));
            only_setpcap.apply(|| Ok(())).map_err(|_| Errno::EPERM)?;
            let more = Sets::of_root(Capabilities(1 << 8 | 1 << 21));
            // What the test waits for is an error of its own.
            match more.apply(|| Ok(())) {
                Err(Error::Set(Errno::EPERM)) => Err(Errno::EXFULL),
                _ => Ok(()),
            }
        });
        let why = command.spawn().err().and_then(|error| error.raw_os_error());
        assert_eq!(why, Some(libc::EXFULL));
    }
}
