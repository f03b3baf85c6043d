//! errno(3) with its text.

use core::ffi::CStr;
use core::fmt;

/// Why the kernel refused, as in errno(3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

impl Errno {
    /// There is no room where something was to be put, and waiting was not wanted (EAGAIN).
    pub const FULL: Errno = Errno(libc::EAGAIN);

    /// None of the kernel's: a directory is not ours alone, and what stands in it could be anybody's.
    pub const NOT_OURS: Errno = Errno(i32::MAX);

    /// The reason of the system call that just failed.
    pub(super) fn last() -> Errno {
        // SAFETY: the C library gives each thread a valid place for it.
        Errno(unsafe { *libc::__errno_location() })
    }

    /// strerror(3), as the C library that we are linked with has it.
    pub fn phrase(self) -> &'static str {
        if self == Errno::NOT_OURS {
            return "its directory belongs to another user, or others may write to it";
        }
        // Beyond, the text may not stay.
        if !(0..=libc::EHWPOISON).contains(&self.0) {
            return "unknown error";
        }
        // SAFETY: takes an integer; the answer is a string that is never null.
        let text = unsafe { libc::strerror(self.0) };
        // SAFETY: it ends with a NUL, and that of a number which is known stays.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("unknown error")
    }
}

/// `result`, or the reason where it is -1.
pub(super) fn cerr(result: i64) -> Result<i64, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.phrase();
        // Inside a sentence: "Permission denied" loses its capital, "I/O error" keeps it.
        let mut letters = text.chars();
        match (letters.next(), letters.clone().next()) {
            (Some(first), Some(second)) if second.is_ascii_lowercase() || second == ' ' => {
                write!(f, "{}{}", first.to_ascii_lowercase(), letters.as_str())
            }
            _ => f.write_str(text),
        }
    }
}
