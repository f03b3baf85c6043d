//! The cgroup of a container: made below our own, with its limits, in whatever hierarchies the machine has.
//!
//! 1. A limit that cannot be had is returned with its reason, never dropped silently.
//! 2. A process is put into it before it runs anything, so that nothing of it escapes the limits.
//! 3. Nothing stays: [`Group::remove`] takes away what was made, with what the container has made in it.
//! 4. A process is killed by a pidfd that was opened while the group had it, never by a number alone.

mod ending;
mod limits;
mod place;
#[cfg(test)]
mod real_tests;
mod trouble;
mod two;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use supervise_init::sys::Pid;

pub(crate) use self::limits::Limits;
use self::limits::{File, Need, Wanted};
use self::place::oom_kills;
pub(super) use self::place::unescaped;
pub(crate) use self::place::{Host, Layout, Version};
use self::trouble::errno;
pub(crate) use self::trouble::{Error, NotEnforced, Why};
use self::two::Moved;

/// A container's cgroup: a directory for each hierarchy that has a limit.
#[derive(Debug, Default)]
pub(crate) struct Group {
    parts: Vec<Part>,
    moved: Option<Moved>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    version: Version,
    directory: PathBuf,
    /// The controllers whose limits hold here.
    controllers: Vec<&'static str>,
}

impl Group {
    /// Makes it below our own groups, by this name, and sets its limits: as many as can be had.
    pub(crate) fn make(host: &Host, name: &str, limits: &Limits) -> (Group, Vec<NotEnforced>) {
        Group::make_for(host, name, limits.wanted())
    }

    fn make_for(host: &Host, name: &str, wanted: Vec<Wanted>) -> (Group, Vec<NotEnforced>) {
        let (mut group, mut troubles) = (Group::default(), Vec::new());
        let mut two = Vec::new();
        for it in wanted {
            match host.home(it.controller) {
                None => troubles.push(NotEnforced { limit: it.limit, why: Why::NoController(it.controller) }),
                // Those of v2 share a group, which is made when all are known.
                Some((Version::Two, place)) => two.push((it, place)),
                Some((Version::One, place)) => {
                    let made = group.add(Version::One, &place.directory.join(name), &it);
                    troubles.extend(made.err().map(|why| NotEnforced { limit: it.limit, why }));
                }
            }
        }
        let controllers: Vec<&str> = two.iter().map(|(it, _)| it.controller).collect();
        if let Some((_, place)) = two.first() {
            match two::parent(place, &controllers) {
                Ok((parent, moved)) => {
                    group.moved = moved;
                    for (it, _) in &two {
                        let made = group.add(Version::Two, &parent.join(name), it);
                        troubles.extend(made.err().map(|why| NotEnforced { limit: it.limit, why }));
                    }
                }
                Err(why) => {
                    troubles.extend(two.iter().map(|(it, _)| NotEnforced { limit: it.limit, why: why.clone() }));
                }
            }
        }
        (group, troubles)
    }

    /// Makes it below our own groups, by this name, without limits: in v2, to hold its processes together, and where the
    /// kernel counts what it kills for want of memory. And why there is none in v2.
    pub(crate) fn make_without_limits(host: &Host, name: &str) -> (Group, Option<Why>) {
        let mut group = Group::default();
        let two = host.directory(Version::Two, "").ok_or(Why::NotMounted);
        let two = two.and_then(|place| {
            let directory = place.directory.join(name);
            make_directory(&directory)?;
            // Ours may give the controller on, to groups in it.
            let counts = oom_kills(Version::Two, &directory).is_some();
            let controllers = if counts { vec!["memory"] } else { Vec::new() };
            group.parts.push(Part { version: Version::Two, directory, controllers });
            Ok(())
        });
        let directory = host.directory(Version::One, "memory").map(|place| place.directory.join(name));
        if let Some(directory) = directory.filter(|directory| make_directory(directory).is_ok()) {
            group.parts.push(Part { version: Version::One, directory, controllers: vec!["memory"] });
        }
        (group, two.err())
    }

    /// One limit in one hierarchy.
    fn add(&mut self, version: Version, directory: &Path, wanted: &Wanted) -> Result<(), Why> {
        let at = self.parts.iter().position(|part| part.directory == *directory);
        if at.is_none() {
            make_directory(directory)?;
            self.parts.push(Part { version, directory: directory.to_owned(), controllers: Vec::new() });
        }
        let files = match version {
            Version::One => &wanted.one,
            Version::Two => &wanted.two,
        };
        files.iter().try_for_each(|file| write_limit(directory, file))?;
        let part = self.parts.iter_mut().find(|part| part.directory == *directory);
        part.into_iter().for_each(|part| part.controllers.push(wanted.controller));
        Ok(())
    }

    /// Puts a process, and what it will start, into the group. It must not have run anything of the container yet.
    ///
    /// # Errors
    /// [`Error::Enter`]: it is gone, or the group's owner may not take it from where it is.
    pub(crate) fn enter(&self, pid: Pid) -> Result<(), Error> {
        self.parts.iter().try_for_each(|part| {
            fs::write(part.directory.join("cgroup.procs"), pid.to_string())
                .map_err(|error| Error::Enter(part.directory.clone(), errno(&error)))
        })
    }

    /// How many of its processes the kernel has killed because its memory was used up. `None`: it does not count that.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let memory = self.parts.iter().find(|part| part.controllers.contains(&"memory"))?;
        oom_kills(memory.version, &memory.directory)
    }

    /// Whether there is nothing of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many processes are in it.
    pub(crate) fn count(&self) -> usize {
        self.parts.iter().map(|part| ending::count(&part.directory)).max().unwrap_or(0)
    }

    /// Kills all that is in it, where the kernel does so at once (`cgroup.kill`, Linux 5.14).
    pub(crate) fn kill_at_once(&self) {
        for part in self.parts.iter().filter(|part| part.version == Version::Two) {
            ending::kill_at_once(&part.directory);
        }
    }

    /// Its directories, for who removes them when we cannot. Empty: no limit holds, and there is no group.
    #[cfg(test)]
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.directory.as_path())
    }

    /// The group that had these directories, when who has made it is gone.
    pub(crate) fn left_behind(directories: impl IntoIterator<Item = PathBuf>) -> Group {
        let part = |directory: PathBuf| {
            let is_two = directory.join("cgroup.events").exists();
            let version = if is_two { Version::Two } else { Version::One };
            Part { version, directory, controllers: Vec::new() }
        };
        Group { parts: directories.into_iter().map(part).collect(), moved: None }
    }

    /// Kills all that is in it, and waits for their end at most so long.
    ///
    /// # Errors
    /// [`Error::Kill`] or [`Error::Alive`]: what is still in it.
    pub(crate) fn kill(&self, limit: Duration) -> Result<(), Error> {
        // A bomb does not fork faster than it is killed if it cannot fork at all.
        for part in self.parts.iter().filter(|part| part.version == Version::One && part.controllers.contains(&"pids"))
        {
            let _ = fs::write(part.directory.join("pids.max"), "0");
        }
        self.parts.iter().try_for_each(|part| ending::kill(&part.directory, limit))
    }

    /// Removes it, when nothing runs in it any more; waits for that at most so long.
    ///
    /// # Errors
    /// [`Error::Remove`]: what could not be removed first.
    pub(crate) fn remove(mut self, limit: Duration) -> Result<(), Error> {
        // All are tried, also behind one that stays.
        let removed: Vec<_> = self.parts.iter().map(|part| ending::remove(&part.directory, limit)).collect();
        if let Some(moved) = self.moved.take() {
            moved.back();
        }
        removed.into_iter().collect()
    }
}

/// Makes the directory, in place of one that was left by a container of that name.
fn make_directory(directory: &Path) -> Result<(), Why> {
    let not_ours = |error: io::Error| {
        let parent = directory.parent().unwrap_or(directory);
        Why::NotOurs(parent.to_owned(), errno(&error))
    };
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            ending::remove(directory, Duration::ZERO).map_err(|_| Why::InUse(directory.to_owned()))?;
            fs::create_dir(directory).map_err(not_ours)
        }
        made => made.map_err(not_ours),
    }
}

fn write_limit(directory: &Path, file: &File) -> Result<(), Why> {
    let path = directory.join(file.name);
    match fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut to| io::Write::write_all(&mut to, file.value.as_bytes()))
    {
        Err(error) if file.need == Need::IfThere && error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Why::Refused { file: path, value: file.value.clone(), errno: errno(&error) }),
        Ok(()) => Ok(()),
    }
}
