//! Where in the v2 hierarchy a group with limits can be made. A group that gives controllers to those in it may have no
//! processes of its own ("No Internal Process Constraint" in cgroup-v2.rst), and ours has us.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use supervise_init::sys::this_process;

use super::place::{Place, words};
use super::trouble::{Why, errno};

/// We have left our group for one in it, so that it may give its controllers on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Moved {
    from: PathBuf,
    to: PathBuf,
}

impl Moved {
    /// Undoes it, unless others have groups there by now: without controllers these would lose their limits.
    pub(super) fn back(self) {
        let entries = fs::read_dir(&self.from).into_iter().flatten().flatten();
        if entries.filter(|entry| entry.path().is_dir()).any(|entry| entry.path() != self.to) {
            return;
        }
        let control = self.from.join("cgroup.subtree_control");
        let taken: Vec<String> = words(&control).iter().map(|name| format!("-{name}")).collect();
        // What fails leaves us where we are, and the group goes with whoever has made the one around it.
        let _ = fs::write(control, taken.join(" "));
        let _ = enter(&self.from);
        let _ = fs::remove_dir(&self.to);
    }
}

/// The group to make one in that has these controllers: our own, which may cost us our place in it, or that around it.
pub(super) fn parent(place: &Place, controllers: &[&str]) -> Result<(PathBuf, Option<Moved>), Why> {
    let own = place.directory.as_path();
    if gives(own, controllers) {
        return Ok((own.to_owned(), None));
    }
    match give(own, controllers) {
        Ok(()) => Ok((own.to_owned(), None)),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) && has_only_us(own) => {
            let moved = make_room(own, controllers)?;
            Ok((own.to_owned(), Some(moved)))
        }
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => match own.parent() {
            Some(around) if own.starts_with(&place.top) && own != place.top && gives(around, controllers) => {
                Ok((around.to_owned(), None))
            }
            _ => Err(Why::Occupied(own.to_owned())),
        },
        Err(error) => Err(Why::NotOurs(own.to_owned(), errno(&error))),
    }
}

/// Leaves our group for a new one in it.
fn make_room(own: &Path, controllers: &[&str]) -> Result<Moved, Why> {
    let moved = Moved { from: own.to_owned(), to: own.join(format!("supervise-{}", this_process())) };
    let not_ours = |error: io::Error| Why::NotOurs(own.to_owned(), errno(&error));
    fs::create_dir(&moved.to).map_err(not_ours)?;
    match enter(&moved.to).and_then(|()| give(own, controllers)) {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.back();
            Err(not_ours(error))
        }
    }
}

fn gives(group: &Path, controllers: &[&str]) -> bool {
    let given = words(&group.join("cgroup.subtree_control"));
    controllers.iter().all(|controller| given.iter().any(|name| name == controller))
}

fn give(group: &Path, controllers: &[&str]) -> io::Result<()> {
    let all: Vec<String> = controllers.iter().map(|name| format!("+{name}")).collect();
    fs::write(group.join("cgroup.subtree_control"), all.join(" "))
}

fn has_only_us(group: &Path) -> bool {
    words(&group.join("cgroup.procs")) == [this_process().to_string()]
}

fn enter(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), this_process().to_string())
}
