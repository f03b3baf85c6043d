//! What the processes of a container may do.

pub(crate) mod capabilities;
pub(crate) mod seccomp;
