//! Pages that a sleeping process 1 need not hold.

use core::ptr;

use super::errno::Errno;

/// The kernel's page size on x86_64; madvise(2) wants its start aligned, and refuses harmlessly where pages are larger.
const PAGE: usize = 4096;

/// Gives the pages of our code and constants back (madvise(2), MADV_DONTNEED): they are the file's, and what the
/// sleeping process needs of them comes back with its next fault.
///
/// # Errors
/// The kernel's; nothing has changed then.
pub fn give_back_what_was_read() -> Result<(), Errno> {
    // SAFETY: takes an integer, cannot fail.
    let (first, count) = unsafe { (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM)) };
    let first: *const libc::Elf64_Phdr = ptr::with_exposed_provenance(first as usize);
    if first.is_null() {
        return Ok(());
    }
    // SAFETY: the kernel maps this many program headers there with the executable, for good.
    let headers = unsafe { core::slice::from_raw_parts(first, count as usize) };
    let readable = headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0);
    // Not position-independent: the addresses in the file are those in memory. Segments follow each other.
    let start = readable.clone().map(|h| h.p_vaddr).min().unwrap_or(0) as usize & !(PAGE - 1);
    let end = readable.map(|h| h.p_vaddr + h.p_memsz).max().unwrap_or(0) as usize;
    // SAFETY: read-only mappings of a file lose nothing: the next access reads the same bytes again.
    let result = unsafe {
        libc::madvise(ptr::with_exposed_provenance_mut(start), end.saturating_sub(start), libc::MADV_DONTNEED)
    };
    if result == -1 { Err(Errno::last()) } else { Ok(()) }
}
