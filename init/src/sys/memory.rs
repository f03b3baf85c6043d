//! Pages that a sleeping process 1 need not hold, and can give back (madvise(2), MADV_DONTNEED): our code and
//! constants, which are the file's and come back with the next fault; and the part of the stack that the start has
//! used and nobody will read again.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::raw::system_call;

/// The kernel's page size on x86_64. Where pages are larger, madvise(2) refuses what is not aligned, and nothing is
/// lost but the saving.
const PAGE: usize = 4096;

/// How far down the stack has been used: by a child's stack of 16 kB, and what called it.
const DEPTH: usize = 16 * PAGE;

/// What lies this close below a local of the caller may be in use: the rest of its frame, and the red zone that the
/// x86_64 ABI allows below it. Both are far smaller.
const IN_USE: usize = PAGE;

/// Memory for a value that costs nothing until it is used.
#[derive(Debug)]
pub struct Static<T> {
    memory: UnsafeCell<MaybeUninit<T>>,
    taken: AtomicBool,
}

// SAFETY: the memory is reached through `put` alone, which gives it to one taker.
unsafe impl<T: Send> Sync for Static<T> {}

impl<T> Static<T> {
    /// For a `static`.
    pub const fn new() -> Static<T> {
        Static { memory: UnsafeCell::new(MaybeUninit::uninit()), taken: AtomicBool::new(false) }
    }

    /// Puts the value there, once.
    #[expect(clippy::mut_from_ref, reason = "the flag lets one caller have it, and that one for good")]
    pub fn put(&'static self, value: T) -> Option<&'static mut T> {
        if self.taken.swap(true, Relaxed) {
            return None;
        }
        // SAFETY: the flag has just been set by us, so nobody else has a reference or will get one.
        Some(unsafe { &mut *self.memory.get() }.write(value))
    }
}

impl<T> Default for Static<T> {
    fn default() -> Static<T> {
        Static::new()
    }
}

/// Pages that can be given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pages {
    start: usize,
    length: usize,
}

impl Pages {
    /// Our code and constants, by the program headers that the kernel mapped.
    pub fn of_the_program() -> Option<Pages> {
        // SAFETY: takes an integer, cannot fail.
        let first = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
        // SAFETY: as above.
        let count = unsafe { libc::getauxval(libc::AT_PHNUM) } as usize;
        let first: *const libc::Elf64_Phdr = ptr::with_exposed_provenance(first);
        if first.is_null() {
            return None;
        }
        // SAFETY: the kernel maps this many program headers there with the executable, for good.
        let headers = unsafe { core::slice::from_raw_parts(first, count) };
        let segments = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let (written, constant) = (
            segments.clone().filter(|header| header.p_flags & libc::PF_W != 0),
            segments.filter(|header| header.p_flags & libc::PF_W == 0),
        );
        // Not position-independent: the addresses in the file are those in memory.
        let start = constant.clone().map(|header| header.p_vaddr).min()? as usize & !(PAGE - 1);
        let end = constant.map(|header| header.p_vaddr.saturating_add(header.p_memsz)).max()? as usize;
        let end = end.saturating_add(PAGE - 1) & !(PAGE - 1);
        // Linkers put what is written behind the rest. One that does not would have its data given back.
        if (written.map(|header| header.p_vaddr).min()? as usize & !(PAGE - 1)) < end {
            return None;
        }
        Some(Pages { start, length: end.saturating_sub(start) })
    }

    /// The stack below the caller's frame, `here` being in that frame.
    #[inline(always)]
    pub(super) fn of_the_stack_below(here: usize) -> Pages {
        let end = here.saturating_sub(IN_USE) & !(PAGE - 1);
        Pages { start: end.saturating_sub(DEPTH), length: DEPTH }
    }

    /// Gives them back; a refusal costs nothing but the saving.
    ///
    /// # Safety
    /// Nothing in them is read again that was written since the program began.
    #[inline(always)]
    pub(super) unsafe fn give_back(self) {
        // SAFETY: the caller vouches for the contents; a range that is not mapped is refused.
        unsafe { system_call(libc::SYS_madvise, [self.start, self.length, libc::MADV_DONTNEED as usize, 0]) };
    }
}
