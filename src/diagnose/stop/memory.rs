//! Whether the kernel has killed in our cgroup for want of memory: its own count (cgroup v2: `memory.events`, v1:
//! `memory.oom_control`), found as /proc/self/cgroup and /proc/self/mountinfo say.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::runtime::cgroup::{Host, Version};

/// What a memory cgroup counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kills {
    pub(super) count: u64,
    /// In bytes; `None`: it sets none.
    pub(super) limit: Option<u64>,
}

/// The kills in our cgroup, if its files can be read.
pub(super) fn kills() -> Option<Kills> {
    let (version, directory, count) = Host::ours().memory()?;
    Some(Kills { count, limit: limit(version, &directory) })
}

fn limit(version: Version, directory: &Path) -> Option<u64> {
    let file = match version {
        Version::One => "memory.limit_in_bytes",
        Version::Two => "memory.max",
    };
    parse_limit(&fs::read_to_string(directory.join(file)).unwrap_or_default())
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
    use super::{Bytes, parse_limit};

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
