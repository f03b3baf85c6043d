//! What the processes of a container may do.

pub(crate) mod capabilities;
#[cfg_attr(not(test), expect(dead_code, reason = "`supervise run` will load it"))]
pub(crate) mod seccomp;
