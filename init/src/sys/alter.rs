//! What is changed about a child before it becomes the program: data, prepared by the parent, in the order in which
//! the child makes it so.
//!
//! Every change is a raw system call on the calling process alone. A C library's `setuid` would make all threads do
//! the same by signals and locks, and the child runs in its parent's memory. One thing is the memory's and so the
//! parent's too: once the child has changed its user, both are no longer dumpable (PR_SET_DUMPABLE in prctl(2)), which
//! keeps ours from being read by others than root.

use core::ffi::CStr;

use super::capabilities::Capabilities;
use super::errno::{Errno, cerr};
use super::raw::system_call;

/// One change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alteration {
    /// setsid(2). The child must not lead a group yet.
    NewSession,
    /// umask(2), in the kernel's nine bits.
    Umask(u32),
    /// prlimit(2) of the resource of that number (RLIMIT_NOFILE ...); `u64::MAX` is no limit.
    Limit {
        /// Its number.
        resource: u32,
        /// What is enforced.
        soft: u64,
        /// What it can be raised to.
        hard: u64,
    },
    /// PR_CAPBSET_DROP (capabilities(7)): no program that the child executes gets these. Needs CAP_SETPCAP unless they
    /// are gone already.
    DropBounding(Capabilities),
    /// setgroups(2).
    Groups(&'static [u32]),
    /// setresgid(2), all three.
    Gid(u32),
    /// setresuid(2), all three. Who was 0 and is not any more has no capabilities left (capabilities(7)).
    Uid(u32),
    /// chdir(2).
    WorkingDirectory(&'static CStr),
    /// capset(2): out of the effective, permitted and inheritable sets, and so out of the ambient one.
    DropCapabilities(Capabilities),
    /// PR_SET_NO_NEW_PRIVS (prctl(2)): set-user-ID bits and file capabilities give nothing any more.
    NoNewPrivileges,
}

/// The changes to a program's surroundings, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alterations {
    /// At most 250.
    pub list: &'static [Alteration],
}

impl Alteration {
    /// Makes it so, for the calling process.
    ///
    /// # Errors
    /// The kernel's: what it takes to be allowed that.
    pub fn make(self) -> Result<(), Errno> {
        match self {
            Alteration::NewSession => call(libc::SYS_setsid, [0; 4]),
            Alteration::Umask(mask) => call(libc::SYS_umask, [mask as usize, 0, 0, 0]),
            Alteration::Limit { resource, soft, hard } => {
                let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
                call(libc::SYS_prlimit64, [0, resource as usize, (&raw const limit).expose_provenance(), 0])
            }
            Alteration::DropBounding(capabilities) => capabilities.drop_bounding(),
            Alteration::Groups(groups) => {
                call(libc::SYS_setgroups, [groups.len(), groups.as_ptr().expose_provenance(), 0, 0])
            }
            Alteration::Gid(gid) => call(libc::SYS_setresgid, [gid as usize, gid as usize, gid as usize, 0]),
            Alteration::Uid(uid) => call(libc::SYS_setresuid, [uid as usize, uid as usize, uid as usize, 0]),
            Alteration::WorkingDirectory(path) => call(libc::SYS_chdir, [path.as_ptr().expose_provenance(), 0, 0, 0]),
            Alteration::DropCapabilities(capabilities) => capabilities.drop_from_sets(),
            // SAFETY: takes integers and touches no memory of ours.
            Alteration::NoNewPrivileges => cerr(i64::from(unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0_u64, 0_u64, 0_u64)
            }))
            .map(|_| ()),
        }
    }
}

/// A system call that only reads what its pointers lead to.
fn call(number: i64, arguments: [usize; 4]) -> Result<(), Errno> {
    // SAFETY: of the calls above each gets what its manual page asks for, and pointers to memory that outlives it; none
    // writes to memory of ours.
    let answer = unsafe { system_call(number, arguments) };
    if answer < 0 { Err(Errno((answer as i32).wrapping_neg())) } else { Ok(()) }
}
