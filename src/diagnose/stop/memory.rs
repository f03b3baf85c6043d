//! Whether the kernel has killed in our cgroup for want of memory: its own count (cgroup v2: `memory.events`, v1:
//! `memory.oom_control`), found as /proc/self/cgroup and /proc/self/mountinfo say.

use std::fmt;

use super::read::read_file;

/// What a memory cgroup counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kills {
    pub(super) count: u64,
    /// In bytes; `None`: it sets none.
    pub(super) limit: Option<u64>,
}

/// Which hierarchy, and so which files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    One,
    Two,
}

/// The kills in our cgroup, if its files can be read.
pub(super) fn kills() -> Option<Kills> {
    let groups = read_file("/proc/self/cgroup");
    let mounts = read_file("/proc/self/mountinfo");
    // On a hybrid machine the memory controller is in one of the two.
    [Version::Two, Version::One].into_iter().find_map(|version| read(version, &directory(version, &groups, &mounts)?))
}

/// Where our cgroup is mounted (cgroups(7), proc_pid_mountinfo(5)).
fn directory(version: Version, groups: &str, mounts: &str) -> Option<String> {
    let is_memory = |list: &str| list.split(',').any(|name| name == "memory");
    let group = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers) = (fields.next()?, fields.next()?);
        let fits = match version {
            Version::One => is_memory(controllers),
            Version::Two => hierarchy == "0",
        };
        fields.next().filter(|_| fits)
    })?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        // Fields that there may be or not end with a dash.
        fields.find(|field| *field == "-")?;
        let (kind, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = match version {
            Version::One => kind == "cgroup" && is_memory(options),
            Version::Two => kind == "cgroup2",
        };
        // A container may see its own cgroup mounted, and itself under its name outside.
        let below = group.strip_prefix(root.trim_end_matches('/')).unwrap_or_default();
        fits.then(|| format!("{mount}/{}", below.trim_start_matches('/')))
    })
}

fn read(version: Version, directory: &str) -> Option<Kills> {
    let (counts, limit) = match version {
        Version::One => ("memory.oom_control", "memory.limit_in_bytes"),
        Version::Two => ("memory.events", "memory.max"),
    };
    let counts = read_file(&format!("{directory}/{counts}"));
    let count = counts.lines().find_map(|line| line.strip_prefix("oom_kill "))?.parse().ok()?;
    Some(Kills { count, limit: parse_limit(&read_file(&format!("{directory}/{limit}"))) })
}

/// `max` in v2; in v1 a number that no machine has.
fn parse_limit(text: &str) -> Option<u64> {
    const NO_LIMIT: u64 = 1 << 62;
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills = if self.count == 1 { "kill" } else { "kills" };
        write!(f, "its cgroup has counted {} such {kills} since it was made, ", self.count)?;
        match self.limit {
            Some(limit) => write!(f, "limit {}", Bytes(limit)),
            None => f.write_str("without a limit of its own"),
        }
    }
}

impl Kills {
    /// What helps.
    pub(super) fn cure(&self) -> &'static str {
        match self.limit {
            Some(_) => "raise the limit (docker run --memory, resources.limits.memory), or let it use less",
            None => "give the machine more memory, or let it use less",
        }
    }
}

/// `512 MiB`, `1.5 GiB`; rounded down.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let Some((shift, unit)) = UNITS.into_iter().find(|(shift, _)| self.0 >> shift > 0) else {
            return write!(f, "{} bytes", self.0);
        };
        match (self.0 >> shift, (((self.0 >> (shift - 10)) & 1023) * 10) >> 10) {
            (whole, 0) => write!(f, "{whole} {unit}"),
            (whole, tenth) => write!(f, "{whole}.{tenth} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Version, directory, parse_limit};

    #[test]
    fn our_cgroup_is_found_where_it_is_mounted() {
        let v2 = "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let own = "41 31 0:38 /docker/7f /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let v1 =
            "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n36 31 0:33 / /c rw - cgroup c rw,cpu\n";
        for (version, groups, mounts, found) in [
            (Version::Two, "0::/user.slice/a.scope\n", v2, "/sys/fs/cgroup/user.slice/a.scope"),
            // A container with a cgroup namespace, then one without, whose cgroup alone is mounted.
            (Version::Two, "0::/\n", v2, "/sys/fs/cgroup/"),
            (Version::Two, "0::/docker/7f\n", own, "/sys/fs/cgroup/"),
            (Version::Two, "0::/docker/7f/a\n", own, "/sys/fs/cgroup/a"),
            (Version::Two, "0::/\n", own, "/sys/fs/cgroup/"),
            (Version::One, "4:memory:/api/7f\n1:cpu:/\n0::/\n", v1, "/sys/fs/cgroup/memory/api/7f"),
        ] {
            assert_eq!(directory(version, groups, mounts).as_deref(), Some(found));
        }
    }

    #[test]
    fn no_cgroup_is_found_where_there_is_none() {
        for (groups, mounts) in
            [("", ""), ("0::/\n", ""), ("4:memory:/\n", "1 1 0:1 / / rw - tmpfs tmpfs rw\n"), ("0", "-")]
        {
            assert_eq!(directory(Version::One, groups, mounts), None);
            assert_eq!(directory(Version::Two, groups, mounts), None);
        }
    }

    #[test]
    fn no_limit_is_no_number() {
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit("9223372036854771712\n"), None);
        assert_eq!(parse_limit("536870912\n"), Some(512 << 20));
    }

    #[test]
    fn bytes_are_said_in_the_largest_unit() {
        for (bytes, text) in [(512 << 20, "512 MiB"), (3 << 29, "1.5 GiB"), (1000, "1000 bytes"), (1536, "1.5 KiB")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
