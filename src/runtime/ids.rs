//! The ids of a user namespace: which there are, and their maps, which have to be written from outside.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use log::{debug, error};
use nix::errno::Errno;
use nix::unistd::{getegid, geteuid};
use supervise_init::core::Status;
use supervise_init::sys::{self, Pid};

use super::spec::{Ids, Mapper, Mapping};
use super::unfit::users::range_for;
use crate::cli::exit;
use crate::sys::{Waiting, execute, find_end, reap, start_copy};

/// Those of root's that a user namespace of root has: all, each as itself. Its rights are the namespace's alone.
fn all() -> Vec<Mapping> {
    vec![Mapping { inside: 0, outside: 0, size: u32::MAX }]
}

/// Root inside is we, and nobody else is there.
fn ourselves(id: u32) -> Vec<Mapping> {
    vec![Mapping { inside: 0, outside: id, size: 1 }]
}

/// Root inside is we, and the others are those that the administrator has given us.
fn with_range(id: u32, (first, size): (u32, u32)) -> Vec<Mapping> {
    vec![Mapping { inside: 0, outside: id, size: 1 }, Mapping { inside: 1, outside: first, size }]
}

/// The ids of a user namespace of ours.
pub(super) fn ours() -> Ids {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    if user == 0 && sys::has_capability(CAP_SETUID) {
        return Ids { users: all(), groups: all(), by: Mapper::Ourselves };
    }
    match range_for(user) {
        Ok([users, groups]) => {
            debug!(event = "ids"; "{} users and {} groups by newuidmap and newgidmap", users.1, groups.1);
            Ids { users: with_range(user, users), groups: with_range(group, groups), by: Mapper::Tools }
        }
        Err(why) => {
            debug!(event = "ids"; "{why}");
            Ids { users: ourselves(user), groups: ourselves(group), by: Mapper::Ourselves }
        }
    }
}

/// Whether we are in a user namespace that somebody has made.
pub(super) fn are_in_user_namespace() -> bool {
    /// PROC_USER_INIT_INO of linux/proc_ns.h.
    const INITIAL: u64 = 0xEFFF_FFFD;
    fs::metadata("/proc/self/ns/user").is_ok_and(|namespace| namespace.ino() != INITIAL)
}

/// Whether group 5, which terminals belong to, is one of the user namespace: of this one, or of ours.
pub(super) fn have_terminals_group(ids: Option<&Ids>) -> bool {
    const TTY: u32 = 5;
    let has = |map: &Mapping| map.inside <= TTY && TTY - map.inside < map.size;
    match ids {
        Some(ids) => ids.groups.iter().any(has),
        None => fs::read_to_string("/proc/self/gid_map").map_or(true, |map| maps(&map).any(|map| has(&map))),
    }
}

/// The lines of such a file.
fn maps(text: &str) -> impl Iterator<Item = Mapping> {
    text.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(inside)), Some(Ok(outside)), Some(Ok(size))) => Some(Mapping { inside, outside, size }),
            _ => None,
        }
    })
}

/// capabilities(7).
const CAP_SETUID: u32 = 7;

/// Where a helper that is set-user-ID is looked for: not in a PATH that anybody may set.
const PLACES: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

fn tool(name: &str) -> Option<CString> {
    let path = PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists())?;
    CString::new(path.into_os_string().into_encoded_bytes()).ok()
}

pub(super) fn has_tools() -> bool {
    tool("newuidmap").is_some() && tool("newgidmap").is_some()
}

/// The first range of the user, by its name or number (subuid(5)).
pub(super) fn range(path: &str, user: u32) -> Option<(u32, u32)> {
    let text = fs::read_to_string(path).ok()?;
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|passwd| name_of(&passwd, user));
    range_in(&text, name.as_deref(), user)
}

fn name_of(passwd: &str, user: u32) -> Option<String> {
    let line = passwd.lines().find(|line| line.split(':').nth(2).is_some_and(|uid| uid.parse() == Ok(user)))?;
    line.split(':').next().map(str::to_owned)
}

fn range_in(text: &str, name: Option<&str>, user: u32) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let (first, size) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let is_ours = Some(owner) == name || owner.parse() == Ok(user);
        (is_ours && size > 0 && fields.next().is_none()).then_some((first, size))
    })
}

/// Why the maps could not be written.
#[derive(Debug)]
pub(super) enum Unmapped {
    File(String, io::Error),
    Tool(&'static str, Errno),
    /// It has said why.
    Refused(&'static str),
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmapped::File(path, error) => write!(f, "{path}: {error}"),
            Unmapped::Tool(tool, errno) => write!(f, "{tool}: {}", sys::Errno(*errno as i32)),
            Unmapped::Refused(tool) => write!(f, "{tool} refuses; what it says of that stands above"),
        }
    }
}

/// Writes the maps of that process.
pub(super) fn write(ids: &Ids, of: Pid) -> Result<(), Unmapped> {
    match ids.by {
        Mapper::Ourselves => {
            let path = |name: &str| format!("/proc/{of}/{name}");
            let put =
                |path: String, content: &str| fs::write(&path, content).map_err(|error| Unmapped::File(path, error));
            // Who maps one group without rights has to give up setgroups(2) (user_namespaces(7)).
            if ids.groups.iter().all(|map| map.size == 1) {
                put(path("setgroups"), "deny")?;
            }
            put(path("gid_map"), &lines(&ids.groups))?;
            put(path("uid_map"), &lines(&ids.users))
        }
        Mapper::Tools => {
            call("newgidmap", &ids.groups, of)?;
            call("newuidmap", &ids.users, of)
        }
    }
}

/// In one write each, as the kernel wants it.
fn lines(maps: &[Mapping]) -> String {
    maps.iter().map(|Mapping { inside, outside, size }| format!("{inside} {outside} {size}\n")).collect()
}

/// In a copy of ourselves that becomes it. What it has to say it says on our stderr.
fn call(name: &'static str, maps: &[Mapping], of: Pid) -> Result<(), Unmapped> {
    let path = tool(name).ok_or(Unmapped::Tool(name, Errno::ENOENT))?;
    let numbers = maps.iter().flat_map(|map| [map.inside, map.outside, map.size]).map(|number| number.to_string());
    let words = [name.to_owned(), of.to_string()].into_iter().chain(numbers);
    let words: Vec<CString> = words.filter_map(|word| CString::new(word).ok()).collect();
    let words: Vec<&CStr> = words.iter().map(AsRef::as_ref).collect();
    let tool = start_copy(|| {
        error!("cannot execute {name}: {}", sys::Errno(execute(&path, &words, &[]) as i32));
        exit::FAILURE
    });
    let tool = tool.map_err(|errno| Unmapped::Tool(name, errno))?;
    let status = find_end(tool, Waiting::Block);
    reap(tool);
    match status {
        Some(Status::Exited(0)) => Ok(()),
        _ => Err(Unmapped::Refused(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::{maps, name_of, range_in};
    use crate::runtime::spec::Mapping;

    #[test]
    fn the_kernels_maps_are_read() {
        let text = "         0       1000          1\n         1     100000      65536\n";
        let expected =
            [Mapping { inside: 0, outside: 1000, size: 1 }, Mapping { inside: 1, outside: 100_000, size: 65_536 }];
        assert_eq!(maps(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_range_is_the_users_by_name_or_by_number() {
        let text = "# none\nother:1:2\nme:100000:65536\nme:1:1\n1001:5:6\nbad:x:1\nempty:7:0\n";
        assert_eq!(range_in(text, Some("me"), 1000), Some((100_000, 65_536)));
        assert_eq!(range_in(text, None, 1001), Some((5, 6)));
        assert_eq!(range_in(text, Some("empty"), 7), None);
        assert_eq!(range_in(text, None, 1000), None);
        assert_eq!(name_of("root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/:", 1000).as_deref(), Some("me"));
    }
}
