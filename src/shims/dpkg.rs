//! What dpkg knows of a path, and its diversions (dpkg-divert(1)): asked for and changed by its own programs.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use supervise_init::core::Status;
use supervise_init::sys::{Errno, SigSet};

use super::trouble::Trouble;
use crate::sys::{Heard, hear_program};

const DIVERT: &CStr = c"/usr/bin/dpkg-divert";
const QUERY: &CStr = c"/usr/bin/dpkg-query";

/// What a package brings by one name is unpacked by another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Diversion {
    pub(super) of: PathBuf,
    pub(super) to: PathBuf,
    /// The package that wants it so; otherwise it is the administrator, as we are.
    pub(super) by: Option<String>,
}

/// Whether a file that is there is moved as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moves {
    TheFile,
    Nothing,
}

/// Its programs.
pub(super) struct Dpkg {
    /// The signals that are blocked in them.
    blocked: SigSet,
}

impl Dpkg {
    /// Whether they are there.
    pub(super) fn find(blocked: SigSet) -> Option<Dpkg> {
        let is_there = |program: &CStr| program.to_str().is_ok_and(|path| Path::new(path).is_file());
        (is_there(DIVERT) && is_there(QUERY)).then_some(Dpkg { blocked })
    }

    /// All that are diverted.
    pub(super) fn diversions(&self) -> Result<Vec<Diversion>, Trouble> {
        let heard = self.call("dpkg-divert", DIVERT, &[c"--list"])?;
        match heard.status {
            Status::Exited(0) => Ok(heard.text.lines().filter_map(read_diversion).collect()),
            _ => Err(Trouble::Dpkg("dpkg-divert", complaint(&heard))),
        }
    }

    /// Those of the paths that a package has.
    pub(super) fn owned<'a>(&self, paths: &[&'a Path]) -> Result<Vec<&'a Path>, Trouble> {
        let Some(words) =
            paths.iter().map(|path| CString::new(path.as_os_str().as_bytes()).ok()).collect::<Option<Vec<_>>>()
        else {
            return Ok(Vec::new());
        };
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let words: Vec<&CStr> = [c"--search"].into_iter().chain(words.iter().map(CString::as_c_str)).collect();
        let heard = self.call("dpkg-query", QUERY, &words)?;
        match heard.status {
            // 1: for some of them there is none.
            Status::Exited(0 | 1) => {
                let is_owned = |path: &&'a Path| heard.text.lines().any(|line| owns(line, path));
                Ok(paths.iter().copied().filter(is_owned).collect())
            }
            _ => Err(Trouble::Dpkg("dpkg-query", complaint(&heard))),
        }
    }

    pub(super) fn add(&self, of: &Path, to: &Path, moves: Moves) -> Result<(), Trouble> {
        let left = Vec::new();
        self.change(c"--add", of, to, moves).map_err(|said| Trouble::Divert { path: of.to_owned(), said, left })
    }

    pub(super) fn remove(&self, of: &Path, to: &Path, moves: Moves) -> Result<(), Trouble> {
        self.change(c"--remove", of, to, moves).map_err(|said| Trouble::Restore(of.to_owned(), said))
    }

    fn change(&self, order: &CStr, of: &Path, to: &Path, moves: Moves) -> Result<(), String> {
        let word = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        let rename = if moves == Moves::TheFile { c"--rename" } else { c"--no-rename" };
        let words = [c"--local", c"--quiet", rename, c"--divert", &word(to), order, &word(of)];
        match hear_program(DIVERT, &words, self.blocked) {
            Ok(Heard { status: Status::Exited(0), .. }) => Ok(()),
            Ok(heard) => Err(complaint(&heard)),
            Err(errno) => Err(format!("dpkg-divert cannot be run: {}", Errno(errno as i32))),
        }
    }

    fn call(&self, name: &'static str, program: &CStr, words: &[&CStr]) -> Result<Heard, Trouble> {
        hear_program(program, words, self.blocked).map_err(|errno| Trouble::Call(name, Errno(errno as i32)))
    }
}

/// As `dpkg-divert --list` writes it.
fn read_diversion(line: &str) -> Option<Diversion> {
    let (is_local, line) = match line.strip_prefix("local ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (of, rest) = line.strip_prefix("diversion of ")?.split_once(" to ")?;
    let (to, by) = match is_local {
        true => (rest, None),
        false => rest.rsplit_once(" by ").map(|(to, by)| (to, Some(by.to_owned())))?,
    };
    Some(Diversion { of: of.into(), to: to.into(), by })
}

/// Whether this is a line of `dpkg-query --search` by which a package has the path.
fn owns(line: &str, path: &Path) -> bool {
    let is_diversion = line.starts_with("diversion by ") || line.starts_with("local diversion ");
    !is_diversion && line.split_once(": ").is_some_and(|(_, file)| Path::new(file) == path)
}

/// What it said of its failure, in one line.
fn complaint(heard: &Heard) -> String {
    let lines: Vec<&str> = heard.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.join(" ");
    match (said.strip_prefix("dpkg-divert: error: "), heard.status) {
        (Some(said), _) => said.to_owned(),
        (None, Status::Exited(code)) if said.is_empty() => format!("it ended with code {code}"),
        (None, Status::Signaled(signal)) => format!("it died of {signal}"),
        (None, Status::Exited(_)) => said,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use supervise_init::core::{Signal, Status};

    use super::{Diversion, Heard, complaint, owns, read_diversion};

    #[test]
    fn diversions_are_read_as_dpkg_divert_lists_them() {
        let sh = Diversion { of: "/bin/sh".into(), to: "/bin/sh.distrib".into(), by: Some("dash".to_owned()) };
        assert_eq!(read_diversion("diversion of /bin/sh to /bin/sh.distrib by dash"), Some(sh));
        let ours = Diversion { of: "/sbin/halt".into(), to: "/sbin/halt.other".into(), by: None };
        assert_eq!(read_diversion("local diversion of /sbin/halt to /sbin/halt.other"), Some(ours));
        for line in ["", "diversion of /bin/sh", "No diversion matching *"] {
            assert_eq!(read_diversion(line), None, "{line}");
        }
    }

    #[test]
    fn a_package_has_what_dpkg_query_says_so_of() {
        let path = Path::new("/sbin/halt");
        for line in ["systemd-sysv: /sbin/halt", "one, other:amd64: /sbin/halt"] {
            assert!(owns(line, path), "{line}");
        }
        for line in [
            "local diversion from: /sbin/halt",
            "diversion by molly-guard from: /sbin/halt",
            "systemd-sysv: /sbin/halt.other",
            "dpkg-query: no path found matching pattern /sbin/halt",
        ] {
            assert!(!owns(line, path), "{line}");
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        let killed = Status::Signaled(Signal::KILL);
        for (text, status, said) in [
            (
                "dpkg-divert: error: rename involves\n  different file\n",
                Status::Exited(2),
                "rename involves different file",
            ),
            ("", Status::Exited(2), "it ended with code 2"),
            ("whatever\n", killed, "it died of SIGKILL"),
            ("no room\n", Status::Exited(1), "no room"),
        ] {
            assert_eq!(complaint(&Heard { status, text: text.to_owned() }), said);
        }
    }
}
