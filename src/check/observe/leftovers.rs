//! Files that are left of a run and are in the way of the next start: pid, lock and socket files, and those that were being
//! made. What was there before and has not changed is not of this run.
//!
//! Known without being told: sockets that its processes listened at, such files that they had open, and pid files in the
//! usual places that hold the number of one of them and that one of them has written, as root is told, or else that are called
//! like it. A number alone proves nothing: those of other namespaces are the same small ones. All else needs the directory
//! to be named (`--state-dir`).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use supervise_init::sys::Pid;

use super::listeners::Listeners;
use super::tree::Tree;
use super::writers::{Writers, Written};
use crate::check::record::Process;
use crate::check::safe;
use crate::runtime::cgroup::Host;

/// Where programs put their pid files, unless they are told otherwise (FHS 3.0, hier(7)).
const USUAL: [&str; 3] = ["/run", "/var/run", "/tmp"];

/// So deep the usual places are looked at, and a directory of state.
const USUAL_DEPTH: usize = 2;
const DEPTH: usize = 16;

/// More entries of a directory and those in it are not looked at.
const MOST: usize = 20_000;

/// More are not told of.
const TOLD: usize = 20;

/// The times of files are those of the kernel's last tick (CONFIG_HZ is 100 at least).
const TICK: Duration = Duration::from_millis(10);

/// Which file it is, and what state of it.
type Id = (u64, u64, i64, i64);

/// What there was before.
pub(super) struct Leftovers {
    began: SystemTime,
    state_dirs: Vec<PathBuf>,
    before: HashMap<PathBuf, Id>,
    writers: Option<Writers>,
}

/// Whose file it is by the number in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    Ours,
    Other,
    Unknown,
}

impl Leftovers {
    /// Before the command is executed. `alone` is who will be that, where nobody else is in its mount namespace.
    pub(super) fn look(state_dirs: &[PathBuf], alone: Option<Pid>) -> Leftovers {
        let mut leftovers = Leftovers {
            began: SystemTime::now().checked_sub(TICK).unwrap_or(SystemTime::UNIX_EPOCH),
            state_dirs: state_dirs.to_vec(),
            before: HashMap::new(),
            writers: alone.and_then(|root| Writers::watch(root, &USUAL.map(PathBuf::from))),
        };
        let all = in_all(state_dirs, DEPTH, is_left_over).0.into_iter().chain(pid_files());
        leftovers.before = all.map(|(path, file)| (path, id(&file))).collect();
        leftovers
    }

    /// When nothing of it lives: what is left, what may be somebody else's, and why something could not be seen; made safe to
    /// print.
    pub(super) fn find(&self, tree: &Tree, listeners: &Listeners) -> (Vec<String>, Vec<String>, Option<String>) {
        let mut found: Vec<PathBuf> = Vec::new();
        let is_new = |(path, file): &(PathBuf, Metadata)| self.before.get(path) != Some(&id(file));
        let (of_state, why_not) = in_all(&self.state_dirs, DEPTH, is_left_over);
        found.extend(of_state.into_iter().filter(is_new).map(|(path, _)| path));
        found.extend(listeners.paths().filter(|path| is_socket(path)).map(Path::to_owned));
        let named = tree.seen.iter().filter_map(|seen| seen.open.as_ref().ok()).flat_map(|open| &open.named);
        found.extend(named.filter(|path| self.is_of_this_run(path)).cloned());
        let mut others = Vec::new();
        let written = self.writers.as_ref().and_then(Writers::written);
        for (path, file) in pid_files().into_iter().filter(is_new) {
            match owner((&path, &file), tree, written.as_ref()) {
                Owner::Ours => found.push(path),
                Owner::Unknown => others.push(path),
                Owner::Other => {}
            }
        }
        let found: HashSet<PathBuf> = found.into_iter().map(canonical).collect();
        let others = others.into_iter().map(canonical).filter(|path| !found.contains(path)).collect();
        (told(found), told(others), why_not.or_else(|| listeners.unfound()))
    }

    /// Whether it is there, and was made since, or changed.
    fn is_of_this_run(&self, path: &Path) -> bool {
        let changed = |file: &Metadata| {
            let [seconds, rest] = [file.ctime(), file.ctime_nsec()].map(|number| u64::try_from(number).unwrap_or(0));
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(rest)
        };
        fs::symlink_metadata(path).is_ok_and(|file| changed(&file) >= self.began)
    }
}

/// Whose a pid file is, where that can be said.
fn owner((path, file): (&Path, &Metadata), tree: &Tree, written: Option<&Written>) -> Owner {
    let Some(number) = number_in(path) else { return Owner::Other };
    let is_its = |process: &&Process| process.pid == number || process.inside == Some(number);
    let mut owners = tree.seen.iter().map(|seen| &seen.process).filter(is_its).peekable();
    match written {
        _ if owners.peek().is_none() => Owner::Other,
        Some(written) if written.contains(&(file.dev(), file.ino())) => Owner::Ours,
        Some(_) => Owner::Other,
        None if owners.any(|process| is_called_like(path, process)) => Owner::Ours,
        None => Owner::Unknown,
    }
}

fn told(paths: HashSet<PathBuf>) -> Vec<String> {
    let mut told: Vec<String> = paths.iter().map(|path| safe::line(path.as_os_str().as_bytes())).collect();
    told.sort_unstable();
    told.truncate(TOLD);
    told
}

/// Whether the name of a pid file is that of the process, or in its words: `php8.2-fpm.pid` of php-fpm8.2, `crond.pid` of
/// cron, `supervisord.pid` of `python3 /usr/bin/supervisord`.
fn is_called_like(path: &Path, process: &Process) -> bool {
    /// Less is in many names.
    const SHORTEST: usize = 3;
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, comm) = (letters(name.split(".pid").next().unwrap_or_default()), letters(&process.comm));
    let is_in = |short: &str, long: &str| short.len() >= SHORTEST && long.contains(short);
    is_in(&stem, &comm) || is_in(&comm, &stem) || is_in(&stem, &letters(&process.words))
}

/// A name that says what the file is for: `x.pid`, `x.lock`, `.x.tmp.17`, `x.part`.
pub(super) fn is_telling(name: &OsStr) -> bool {
    const KINDS: [&[u8]; 9] = [b"pid", b"lock", b"lck", b"sock", b"socket", b"tmp", b"temp", b"part", b"partial"];
    let name = name.as_bytes();
    name.starts_with(b"temp-") || name.split(|byte| *byte == b'.').any(|part| KINDS.contains(&part))
}

/// Of a directory of state.
fn is_left_over(name: &OsStr, file: &Metadata) -> bool {
    file.file_type().is_socket() || (file.is_file() && is_telling(name))
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

fn pid_files() -> Vec<(PathBuf, Metadata)> {
    let is_pid_file = |name: &OsStr, file: &Metadata| {
        file.is_file() && name.as_bytes().split(|byte| *byte == b'.').any(|part| part == b"pid")
    };
    // Much of them is others'.
    in_all(&USUAL.map(PathBuf::from), USUAL_DEPTH, is_pid_file).0
}

/// The number that it begins with, as all pid files do.
fn number_in(path: &Path) -> Option<i32> {
    /// More is no pid file.
    const LONGEST: u64 = 4096;
    let is_short = fs::symlink_metadata(path).is_ok_and(|file| file.len() <= LONGEST);
    let text = is_short.then(|| fs::read_to_string(path).ok()).flatten()?;
    text.split_whitespace().next()?.parse().ok()
}

fn id(file: &Metadata) -> Id {
    (file.dev(), file.ino(), file.mtime(), file.mtime_nsec())
}

/// /var/run is /run in most places.
fn canonical(path: PathBuf) -> PathBuf {
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    parent.zip(path.file_name()).map_or_else(|| path.clone(), |(parent, name)| parent.join(name))
}

/// What of these directories and those in them is of that kind. No link is followed but to a directory that was named, and
/// nothing is looked at that is mounted in one: its file system may never answer. And why not all could be looked at.
fn in_all(
    places: &[PathBuf],
    depth: usize,
    is_it: impl Fn(&OsStr, &Metadata) -> bool,
) -> (Vec<(PathBuf, Metadata)>, Option<String>) {
    let (mut found, mut why_not) = (Vec::new(), None);
    let mut left = MOST;
    let mounted: HashSet<PathBuf> = Host::ours().mount_points().collect();
    let places: HashSet<PathBuf> = places.iter().map(|place| canonical_directory(place)).collect();
    let mut todo: Vec<(PathBuf, usize)> = places.into_iter().map(|place| (place, depth)).collect();
    while let Some((directory, depth)) = todo.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                why_not.get_or_insert_with(|| unread(&directory, &error));
                continue;
            }
        };
        for entry in entries.flatten() {
            if left == 0 {
                let place = safe::line(directory.as_os_str().as_bytes());
                why_not.get_or_insert_with(|| format!("{place} has more entries than the {MOST} that are looked at"));
                break;
            }
            left -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            if mounted.contains(&entry.path()) {
                continue;
            }
            if kind.is_dir() && depth > 1 {
                todo.push((entry.path(), depth - 1));
            } else if let Some(file) = entry.metadata().ok().filter(|file| is_it(&entry.file_name(), file)) {
                found.push((entry.path(), file));
            }
        }
    }
    (found, why_not)
}

fn unread(directory: &Path, error: &io::Error) -> String {
    let errno = supervise_init::sys::Errno(error.raw_os_error().unwrap_or(libc::EIO));
    format!("cannot read {}: {errno}", safe::line(directory.as_os_str().as_bytes()))
}

fn canonical_directory(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use std::path::Path;

    use super::{is_called_like, is_telling};
    use crate::check::made_up::process;

    #[test]
    fn a_pid_file_is_of_who_is_called_like_it() {
        let is_of = |name: &str, words: &str| is_called_like(&Path::new("/run").join(name), &process(words));
        for (name, words) in [
            ("nginx.pid", "nginx: master process nginx -g daemon off;"),
            ("php8.2-fpm.pid", "php-fpm8.2 -F"),
            ("crond.pid", "cron -f"),
            ("supervisord.pid", "python3 /usr/bin/supervisord -c x"),
            ("app.pid", "sh -c echo $$ >/run/app.pid; sleep 9"),
        ] {
            assert!(is_of(name, words), "{name} {words}");
        }
        for (name, words) in [("foreign.pid", "e143 0"), ("sshd.pid", "sh run"), ("x.pid", "exec"), (".pid", "app")] {
            assert!(!is_of(name, words), "{name} {words}");
        }
    }

    #[test]
    fn a_name_says_that_a_file_is_in_the_way() {
        for name in
            ["nginx.pid", "postmaster.pid", ".s.PGSQL.5432.lock", "lock", "x.tmp.17", "tmp.Ab1", "a.part", "temp-7.rdb"]
        {
            assert!(is_telling(OsStr::new(name)), "{name}");
        }
        for name in ["pidgin", "clock.rs", "data", "template.html", "LOCK", "x.socks", "party"] {
            assert!(!is_telling(OsStr::new(name)), "{name}");
        }
    }
}
