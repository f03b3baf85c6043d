//! Where our cgroups are: what /proc/self/cgroup and /proc/self/mountinfo say of it (cgroups(7), proc_pid_mountinfo(5)).
//! A machine may have each controller in a hierarchy of its own (v1), all in one (v2), or some here and some there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// What most of these files have room in.
const ROOM: usize = 16 << 10;

/// Which kind of hierarchy, and so which files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    One,
    Two,
}

/// What a machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    None,
    One,
    /// Both are mounted. A controller is in one of them.
    Hybrid,
    Two,
}

/// The files that say where our cgroups are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// /proc/self/cgroup
    pub(crate) groups: String,
    /// /proc/self/mountinfo
    pub(crate) mounts: String,
}

impl Host {
    /// This machine, as we see it. Without a /proc there are no cgroups.
    pub(crate) fn ours() -> Host {
        let read = |path| {
            // The size of such a file is not known before; by small pieces the kernel would make it anew for each.
            let mut text = Vec::with_capacity(ROOM);
            // What was read is what there is.
            let _ = File::open(path).and_then(|mut file| file.read_to_end(&mut text));
            String::from_utf8(text).unwrap_or_else(|text| String::from_utf8_lossy(text.as_bytes()).into_owned())
        };
        Host { groups: read("/proc/self/cgroup"), mounts: read("/proc/self/mountinfo") }
    }

    /// What is mounted here.
    pub(crate) fn layout(&self) -> Layout {
        let mut seen = (false, false);
        for mount in self.mounts.lines().filter_map(Mount::parse) {
            seen.0 |= mount.kind == "cgroup";
            seen.1 |= mount.kind == "cgroup2";
        }
        match seen {
            (false, false) => Layout::None,
            (true, false) => Layout::One,
            (true, true) => Layout::Hybrid,
            (false, true) => Layout::Two,
        }
    }

    /// Where something is mounted.
    pub(crate) fn mount_points(&self) -> impl Iterator<Item = PathBuf> {
        self.mounts.lines().filter_map(Mount::parse).map(|mount| unescaped(mount.point))
    }

    /// The directory of our own cgroup in the v2 hierarchy, or in the v1 hierarchy of this controller, and where that
    /// hierarchy is mounted.
    pub(crate) fn directory(&self, version: Version, controller: &str) -> Option<Place> {
        let has_it = |list: &str| list.split(',').any(|name| name == controller);
        let group = self.groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (hierarchy, controllers) = (fields.next()?, fields.next()?);
            let fits = match version {
                Version::One => has_it(controllers),
                Version::Two => hierarchy == "0",
            };
            fields.next().filter(|_| fits)
        })?;
        self.mounts.lines().filter_map(Mount::parse).find_map(|mount| {
            let fits = match version {
                Version::One => mount.kind == "cgroup" && has_it(mount.options),
                Version::Two => mount.kind == "cgroup2",
            };
            // A container may see its own cgroup mounted, and itself under its name outside.
            let below = group.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or_default();
            let top = unescaped(mount.point);
            let below = below.trim_start_matches('/');
            // Without a slash at its end, because it is shown.
            fits.then(|| Place { directory: if below.is_empty() { top.clone() } else { top.join(below) }, top })
        })
    }

    /// The cgroup of ours whose kills for want of memory are counted, and how many there were.
    pub(crate) fn memory(&self) -> Option<(Version, PathBuf, u64)> {
        // On a hybrid machine the memory controller is in one of the two.
        [Version::Two, Version::One].into_iter().find_map(|version| {
            let directory = self.directory(version, "memory")?.directory;
            let kills = oom_kills(version, &directory)?;
            Some((version, directory, kills))
        })
    }

    /// The hierarchy that has the controller, and our directory in it. In v2 our own cgroup must have been given it.
    pub(crate) fn home(&self, controller: &str) -> Option<(Version, Place)> {
        let is_there =
            |place: &Place| words(&place.directory.join("cgroup.controllers")).contains(&controller.to_owned());
        let two = self.directory(Version::Two, controller).filter(is_there);
        two.map(|place| (Version::Two, place))
            .or_else(|| self.directory(Version::One, controller).map(|place| (Version::One, place)))
    }
}

/// A cgroup's directory, and the one where its hierarchy is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) top: PathBuf,
}

/// One line of mountinfo.
struct Mount<'l> {
    root: &'l str,
    point: &'l str,
    kind: &'l str,
    options: &'l str,
}

impl<'l> Mount<'l> {
    fn parse(line: &'l str) -> Option<Mount<'l>> {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // Fields that there may be or not end with a dash.
        fields.find(|field| *field == "-")?;
        let (kind, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Mount { root, point, kind, options })
    }
}

/// A path as mountinfo writes it: a blank is `\040`.
pub(in crate::runtime) fn unescaped(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// The words of a file, none where it cannot be read.
pub(super) fn words(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// How many processes the kernel has killed in a memory cgroup for want of memory, and those below it in v2
/// (`memory.events`; `memory.oom_control`, Linux 4.13).
pub(super) fn oom_kills(version: Version, directory: &Path) -> Option<u64> {
    let file = match version {
        Version::One => "memory.oom_control",
        Version::Two => "memory.events",
    };
    let text = fs::read_to_string(directory.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    const ONE: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n36 31 0:33 / /a\\040b\\134c rw - cgroup c rw,cpu,cpuacct\n";

    fn directory(version: Version, controller: &str, groups: &str, mounts: &str) -> Option<PathBuf> {
        let host = Host { groups: groups.to_owned(), mounts: mounts.to_owned() };
        host.directory(version, controller).map(|place| place.directory)
    }

    #[test]
    fn our_cgroup_is_found_where_it_is_mounted() {
        let own = "41 31 0:38 /docker/7f /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        for (version, groups, mounts, found) in [
            (Version::Two, "0::/user.slice/a.scope\n", TWO, "/sys/fs/cgroup/user.slice/a.scope"),
            // A container with a cgroup namespace, then one without, whose cgroup alone is mounted.
            (Version::Two, "0::/\n", TWO, "/sys/fs/cgroup/"),
            (Version::Two, "0::/docker/7f\n", own, "/sys/fs/cgroup/"),
            (Version::Two, "0::/docker/7f/a\n", own, "/sys/fs/cgroup/a"),
            (Version::Two, "0::/\n", own, "/sys/fs/cgroup/"),
            (Version::One, "4:memory:/api/7f\n1:cpu:/\n0::/\n", ONE, "/sys/fs/cgroup/memory/api/7f"),
        ] {
            assert_eq!(directory(version, "memory", groups, mounts), Some(found.into()));
        }
        // Two controllers in one hierarchy, at a path with a blank and a backslash.
        let found = directory(Version::One, "cpuacct", "2:cpu,cpuacct:/x:y\n", ONE);
        assert_eq!(found, Some(PathBuf::from("/a b\\c/x:y")));
    }

    #[test]
    fn no_cgroup_is_found_where_there_is_none() {
        for (groups, mounts) in
            [("", ""), ("0::/\n", ""), ("4:memory:/\n", "1 1 0:1 / / rw - tmpfs tmpfs rw\n"), ("0", "-")]
        {
            assert_eq!(directory(Version::One, "memory", groups, mounts), None);
            assert_eq!(directory(Version::Two, "memory", groups, mounts), None);
        }
        // A name is not a part of a name.
        assert_eq!(directory(Version::One, "cpu", "2:cpuset:/\n", ONE), None);
    }

    #[test]
    fn the_layout_is_what_is_mounted() {
        let tmpfs = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n";
        for (mounts, layout) in [
            (tmpfs.to_owned(), Layout::None),
            (ONE.to_owned(), Layout::One),
            (format!("{tmpfs}{ONE}{TWO}"), Layout::Hybrid),
            (TWO.to_owned(), Layout::Two),
        ] {
            assert_eq!(Host { groups: String::new(), mounts }.layout(), layout);
        }
    }
}
