//! What a container is made of: each part by itself, with plain values in and one error a part.
//!
//! `cgroup` limits what its processes use of the machine, `rights` says what they may do.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "`supervise run` will use the rest"))]
pub(crate) mod cgroup;
pub(crate) mod rights;
