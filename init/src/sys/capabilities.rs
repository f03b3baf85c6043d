//! What the calling thread may do: capabilities(7), as raw as capget(2), capset(2) and prctl(2) have them.

use super::errno::{Errno, cerr};

/// A set of capabilities: bit n is capability n (capabilities(7)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities(pub u64);

/// capset(2)'s header for sets of 64 bits.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// Half of the three sets, as capset(2) has them.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityHalf {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// _LINUX_CAPABILITY_VERSION_3 (Linux 2.6.26), for ourselves.
const OURS: CapabilityHeader = CapabilityHeader { version: 0x2008_0522, pid: 0 };

/// The three sets that capset(2) changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapabilitySets {
    /// What the kernel looks at.
    pub effective: Capabilities,
    /// What may be made effective.
    pub permitted: Capabilities,
    /// What a program may be given by its file.
    pub inheritable: Capabilities,
}

impl CapabilitySets {
    /// Those of the calling thread (capget(2)).
    ///
    /// # Errors
    /// The kernel's: a filter.
    pub fn ours() -> Result<CapabilitySets, Errno> {
        let mut header = OURS;
        let mut halves = [CapabilityHalf::default(); 2];
        // SAFETY: the kernel reads the header and writes two halves, which is what that version is about.
        cerr(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) })?;
        let [low, high] = halves;
        let whole = |low: u32, high: u32| Capabilities(u64::from(low) | u64::from(high) << 32);
        Ok(CapabilitySets {
            effective: whole(low.effective, high.effective),
            permitted: whole(low.permitted, high.permitted),
            inheritable: whole(low.inheritable, high.inheritable),
        })
    }

    /// Makes them the calling thread's (capset(2)). What is not inheritable any more is not ambient either.
    ///
    /// # Errors
    /// EPERM: one that is not permitted now, or inheritable beyond the bounding set.
    pub fn set(self) -> Result<(), Errno> {
        let mut header = OURS;
        let half = |shift: u32| CapabilityHalf {
            effective: (self.effective.0 >> shift) as u32,
            permitted: (self.permitted.0 >> shift) as u32,
            inheritable: (self.inheritable.0 >> shift) as u32,
        };
        let halves = [half(0), half(32)];
        // SAFETY: the kernel reads the header and two halves.
        cerr(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) }).map(|_| ())
    }
}

/// Whether the capability of that number (capabilities(7)) is in our effective set. If that cannot be asked, it is.
pub fn has_capability(number: u32) -> bool {
    CapabilitySets::ours().map_or(true, |sets| sets.effective.has(number))
}

/// What a program that we execute can get at most (PR_CAPBSET_READ in prctl(2)). The kernel does not count those that it
/// does not know.
pub fn bounding_set() -> Capabilities {
    // The first that the kernel does not know is the end.
    let known = (0..64).map_while(|number| Some((number, is_in_bounding_set(number)?)));
    Capabilities(known.filter(|(_, is_in)| *is_in).fold(0, |set, (number, _)| set | 1 << number))
}

/// `None` where the kernel does not know it.
fn is_in_bounding_set(number: u32) -> Option<bool> {
    // SAFETY: takes integers and touches no memory of ours.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(number), 0_u64, 0_u64, 0_u64) } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

impl Capabilities {
    /// Every one, also those that a later kernel will have.
    pub const ALL: Capabilities = Capabilities(u64::MAX);

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the capability of that number is among them.
    pub const fn has(self, number: u32) -> bool {
        self.0 & 1_u64.wrapping_shl(number) != 0
    }

    /// Takes them out of the bounding set for good (PR_CAPBSET_DROP in prctl(2)).
    ///
    /// # Errors
    /// EPERM without CAP_SETPCAP, if one is still in it.
    pub fn drop_bounding(self) -> Result<(), Errno> {
        for number in (0..64).filter(|number| self.has(*number)) {
            // SAFETY: takes integers and touches no memory of ours.
            let dropped = cerr(i64::from(unsafe {
                libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0_u64, 0_u64, 0_u64)
            }));
            let Err(errno) = dropped else { continue };
            match is_in_bounding_set(number) {
                Some(true) => return Err(errno),
                // What is not there need not be dropped.
                Some(false) => {}
                // Nor what this kernel does not know, and it knows none behind that.
                None => break,
            }
        }
        Ok(())
    }

    /// Takes them out of the other sets.
    pub(super) fn drop_from_sets(self) -> Result<(), Errno> {
        let sets = CapabilitySets::ours()?;
        let without = |set: Capabilities| Capabilities(set.0 & !self.0);
        CapabilitySets {
            effective: without(sets.effective),
            permitted: without(sets.permitted),
            inheritable: without(sets.inheritable),
        }
        .set()
    }
}
