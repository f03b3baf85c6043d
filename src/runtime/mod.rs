//! What a container is made of: each part by itself, with plain values in and one error a part.
//!
//! `cgroup` limits what its processes use of the machine, `rights` says what they may do, `network` connects them.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "`supervise run` will use the rest"))]
pub(crate) mod cgroup;
#[cfg_attr(not(test), expect(dead_code, reason = "`supervise run` will start it"))]
pub(crate) mod network;
pub(crate) mod rights;
