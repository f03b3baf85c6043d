//! `supervise run`: a container of a root filesystem.
//!
//! `spec` says what it is made of, in the words of the OCI runtime specification; `plan` makes of that a list of steps, each
//! with its reason, which `--dry-run` prints; `apply` does them in their order, in the process that then becomes the process
//! 1 inside; `monitor` is what stays outside, and `job` what that does when a Ctrl-Z stops the container.
//!
//! `cgroup` limits what its processes use of the machine, `rights` says what they may do, `network` connects them.
//! `unfit` says beforehand why a command or a user cannot have what a container needs, `features` what there is.
//!
//! 1. What is mounted is mounted in the mount namespace of the container, and vanishes with it: nothing has to be undone,
//!    however it ends.
//! 2. No path of the image is followed beyond its root: it is looked up by descriptor (openat2(2), RESOLVE_IN_ROOT), and
//!    what was looked up is what is mounted on.
//! 3. Nothing of the image is executed while something of the host is open.
//! 4. What is on the host all the same, a cgroup and the directory of a network's helper, is removed by the monitor; where
//!    that was killed, the next one removes the cgroup.

mod apply;
pub(crate) mod cgroup;
pub(crate) mod features;
mod host;
mod ids;
mod job;
mod kept;
pub(crate) mod left_behind;
mod monitor;
pub(crate) mod network;
mod plan;
pub(crate) mod rights;
mod run;
mod spec;
mod submounts;
pub(crate) mod unfit;

pub(crate) use self::apply::DIRECTORY;
pub(crate) use self::run::run;
pub(crate) use self::spec::{Asked, Bind, Changes, Filter, Network, Tmpfs};
