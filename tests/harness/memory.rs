//! A cgroup with little memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A memory cgroup of the test's own, removed with it.
pub(crate) struct Group {
    folder: PathBuf,
    limit: &'static str,
}

impl Group {
    /// Directly below the root, whose processes do not stand in the way of a controller.
    pub(crate) fn make(name: &str, bytes: u64) -> Result<Group, String> {
        let name = format!("supervise-test-{}-{name}", std::process::id());
        let (v1, v2) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let is_v1 = v1.join("memory.limit_in_bytes").exists();
        if !is_v1 && !v2.join("cgroup.controllers").exists() {
            return Err("no memory cgroup is mounted".into());
        }
        let said = |error: io::Error| error.to_string();
        if !is_v1 {
            // It may be so already, and then it may be refused.
            let _ = fs::write(v2.join("cgroup.subtree_control"), "+memory");
        }
        let group = Group {
            folder: if is_v1 { v1 } else { v2 }.join(name),
            limit: if is_v1 { "memory.limit_in_bytes" } else { "memory.max" },
        };
        fs::create_dir(&group.folder).map_err(said)?;
        group.allow(bytes).map_err(said)?;
        if !is_v1 {
            // What is put on the disk instead counts for itself, if at all.
            let _ = fs::write(group.folder.join("memory.swap.max"), "0");
        }
        Ok(group)
    }

    pub(crate) fn allow(&self, bytes: u64) -> io::Result<()> {
        fs::write(self.folder.join(self.limit), bytes.to_string())
    }

    /// A command that puts itself there and becomes its operand.
    pub(crate) fn enter(&self) -> [String; 4] {
        let procs = self.folder.join("cgroup.procs");
        ["sh".into(), "-c".into(), format!("echo 0 >{} && exec \"$@\"", procs.display()), "sh".into()]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process may be on its way out.
        let end = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&self.folder).is_err() && Instant::now() < end {}
    }
}
