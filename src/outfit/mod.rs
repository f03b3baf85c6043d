//! What the command is given that we were not: a user, a directory, an environment, limits. Everything that can be
//! looked up is looked up before the start, with our own rights; the child then makes a list of alterations in order, and
//! one of them that is refused ends the start.
//!
//! 1. We stay who we are: the alterations are the command's alone. (Only, where its user is another one, we are not
//!    dumpable from then on.)
//! 2. What needs rights comes before they are given up.

pub(crate) mod capabilities;
mod environment;
mod file;
pub(crate) mod limits;
pub(crate) mod streams;
mod unfit;
mod users;

use std::ffi::CStr;

use log::warn;
use nix::unistd::{Uid, geteuid, getuid};
use supervise_init::sys::{Alteration, Alterations, Capabilities, Environment, has_capability};

pub(crate) use self::unfit::Unfit;
use self::users::User;
use crate::cli::{Given, Wrong};

/// A value, and where it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) given: Given,
    pub(crate) value: &'static CStr,
}

impl Asked {
    /// The group of that name or number.
    pub(crate) fn group(self) -> Result<u32, Wrong> {
        let spec = [b":", self.value.to_bytes()].concat();
        users::look_up(&spec).map(|user| user.gid).map_err(|why| self.unfit(why))
    }

    fn unfit(self, why: Unfit) -> Wrong {
        Wrong::Unfit(self.given, self.value, Box::new(why))
    }
}

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Outfit {
    pub(crate) user: Option<Asked>,
    pub(crate) workdir: Option<&'static CStr>,
    pub(crate) clear_env: bool,
    pub(crate) env_files: Vec<Asked>,
    /// `NAME=VALUE` or `NAME`.
    pub(crate) env: Vec<&'static CStr>,
    /// Names and patterns, with commas between them.
    pub(crate) env_from_files: Vec<Asked>,
    pub(crate) umask: Option<u32>,
    limits: Vec<limits::Limit>,
    pub(crate) dropped: Capabilities,
    pub(crate) no_new_privileges: bool,
    pub(crate) new_session: bool,
}

/// What was asked for, looked up: what the child is started with. It lives as long as we do.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) environment: Environment,
    /// The same for what runs around the command with our rights: HOME is ours.
    pub(crate) outside: Environment,
    /// The value of the command's own PATH.
    pub(crate) path: Option<&'static CStr>,
    pub(crate) alterations: Option<&'static Alterations>,
    /// Whether the command's user is another one than ours.
    pub(crate) becomes_another: bool,
}

impl Outfit {
    /// The later one counts.
    pub(crate) fn limit(&mut self, limit: limits::Limit) {
        self.limits.retain(|(number, ..)| *number != limit.0);
        self.limits.push(limit);
    }

    /// Looks everything up. `ours` is the environment that is passed on otherwise, with its PATH.
    pub(crate) fn prepare(&self, ours: Environment, path: Option<&'static CStr>) -> Result<Ready, Wrong> {
        let user = self.user.map(|asked| users::look_up(asked.value.to_bytes()).map_err(|why| asked.unfit(why)));
        let user = user.transpose()?;
        let (environment, outside, path) = if self.changes_environment() {
            environment::build(self, &ours, user.as_ref())?
        } else {
            (ours, ours, path)
        };
        user.iter().for_each(warn_if_out_of_reach);
        let becomes_another = user.as_ref().is_some_and(|user| !user.is_us());
        let list = self.alterations(user);
        let alterations = (!list.is_empty()).then(|| &*Box::leak(Box::new(Alterations { list: list.leak() })));
        Ok(Ready { environment, outside, path, alterations, becomes_another })
    }

    /// What the options say of the environment of a container, which begins with `base`: of the host's comes only what
    /// they name. What is about files inside is left to its process 1.
    pub(crate) fn environment_of_container(
        &self,
        base: &[&'static CStr],
        host: &Environment,
    ) -> Result<Vec<&'static CStr>, Wrong> {
        environment::of_container(self, base, host)
    }

    /// Whether an option by itself gives this variable.
    pub(crate) fn sets(&self, name: &[u8]) -> bool {
        self.env.iter().any(|word| word.to_bytes().split(|byte| *byte == b'=').next() == Some(name))
    }

    fn changes_environment(&self) -> bool {
        let lists = [self.env.is_empty(), self.env_files.is_empty(), self.env_from_files.is_empty()];
        self.clear_env || self.user.is_some() || lists.contains(&false)
    }

    fn alterations(&self, user: Option<User>) -> Vec<Alteration> {
        let mut list = Vec::new();
        list.extend(self.new_session.then_some(Alteration::NewSession));
        list.extend(self.umask.map(Alteration::Umask));
        // Only root may raise hard limits, and drop from the bounding set.
        list.extend(self.limits.iter().map(|(number, soft, hard)| Alteration::Limit {
            resource: u32::from(*number),
            soft: *soft,
            hard: *hard,
        }));
        let dropped = Some(self.dropped).filter(|dropped| !dropped.is_empty());
        list.extend(dropped.map(Alteration::DropBounding));
        // The user last: nobody else may change groups.
        match user {
            Some(user) if !user.is_us() => list.extend([
                Alteration::Groups(user.groups.leak()),
                Alteration::Gid(user.gid),
                Alteration::Uid(user.uid),
            ]),
            // Other groups go where one was named, unless they are a pod's and cannot be left.
            Some(user) if user.alone && !user.has_our_groups() && can_set_groups() => {
                list.push(Alteration::Groups(user.groups.leak()));
            }
            _ => {}
        }
        // As that user: a folder that it cannot enter is of no use to it, and a network's file system may know it only.
        list.extend(self.workdir.map(Alteration::WorkingDirectory));
        list.extend(dropped.map(Alteration::DropCapabilities));
        // Last: a security module may refuse more to who has it.
        list.extend(self.no_new_privileges.then_some(Alteration::NoNewPrivileges));
        list
    }
}

/// Numbers of capabilities(7).
const CAP_KILL: u32 = 5;
const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;

fn can_set_groups() -> bool {
    has_capability(CAP_SETGID) && !is_setgroups_denied()
}

/// Whether our user namespace forbids setgroups(2), also to its root (user_namespaces(7)).
pub(crate) fn is_setgroups_denied() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|word| word.starts_with(b"deny"))
}

/// Another user's processes get signals of those who have CAP_KILL only (kill(2)). Who cannot become that user is told
/// so at the start.
fn warn_if_out_of_reach(user: &User) {
    let ours = [getuid(), geteuid()].map(Uid::as_raw);
    if !ours.contains(&user.uid) && has_capability(CAP_SETUID) && !has_capability(CAP_KILL) {
        warn!(
            "without CAP_KILL the command, as user {}, cannot be sent signals, stopped or killed by us; give supervise \
             CAP_KILL",
            user.uid
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Outfit;
    use super::users::User;
    use supervise_init::sys::{Alteration, Capabilities};

    #[test]
    fn what_needs_rights_comes_before_they_are_given_up() {
        let mut outfit = Outfit {
            workdir: Some(c"/srv"),
            umask: Some(0o27),
            dropped: Capabilities(1),
            no_new_privileges: true,
            new_session: true,
            ..Outfit::default()
        };
        outfit.limit((7, 1, 1));
        outfit.limit((7, 1, 2));
        let user = User { uid: 4_000_000_000, gid: 7, groups: vec![7, 8], alone: false, home: c"/".into() };
        let order = [
            Alteration::NewSession,
            Alteration::Umask(0o27),
            Alteration::Limit { resource: 7, soft: 1, hard: 2 },
            Alteration::DropBounding(Capabilities(1)),
            Alteration::Groups(&[7, 8]),
            Alteration::Gid(7),
            Alteration::Uid(4_000_000_000),
            Alteration::WorkingDirectory(c"/srv"),
            Alteration::DropCapabilities(Capabilities(1)),
            Alteration::NoNewPrivileges,
        ];
        assert_eq!(outfit.alterations(Some(user)), order);
    }
}
