//! Which file or folder on the way to the command keeps the user out that the command was to run as.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use supervise_init::sys::{Alteration, Program};

/// Whom the command was to run as.
#[derive(Debug, Default)]
pub(super) struct Identity {
    uid: u32,
    groups: Vec<u32>,
}

impl Identity {
    /// `None` if it is ours, or that of root, whom permissions do not keep out.
    pub(super) fn of(program: &Program) -> Option<Identity> {
        let mut identity = Identity::default();
        for alteration in program.alterations?.list {
            match alteration {
                Alteration::Uid(uid) => identity.uid = *uid,
                Alteration::Groups(groups) => identity.groups = groups.to_vec(),
                _ => {}
            }
        }
        (identity.uid != 0).then_some(identity)
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// The first, from the root on, that the permissions close to it. (What access lists say is not looked at.)
    pub(super) fn closed(&self, path: &Path) -> Option<PathBuf> {
        let mut on_the_way: Vec<&Path> = path.ancestors().collect();
        on_the_way.reverse();
        on_the_way.into_iter().find(|path| self.is_closed(path)).map(Path::to_owned)
    }

    fn is_closed(&self, path: &Path) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return false };
        let mode = metadata.permissions().mode();
        // One of the three counts, also if another would give more (path_resolution(7)).
        let bit = match () {
            () if metadata.uid() == self.uid => 0o100,
            () if self.groups.contains(&metadata.gid()) => 0o010,
            () => 0o001,
        };
        mode & bit == 0
    }
}
