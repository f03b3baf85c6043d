//! System calls without a function of the C library around them, for the few on the way from a signal to the program
//! that it is for: every page of code that this way touches costs time, and memory while we sleep.

use core::arch::asm;

/// A system call with up to four arguments; the kernel's own answer, `-errno` where it fails.
///
/// # Safety
/// What the system call of that number demands of its arguments.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn system_call(number: i64, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let answer;
    // SAFETY: the convention of the x86_64 kernel (syscall(2)): rcx and r11 are overwritten, the stack is not used.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => answer, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer
}

/// A system call with up to four arguments; the kernel's own answer, `-errno` where it fails.
///
/// # Safety
/// What the system call of that number demands of its arguments.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) unsafe fn system_call(number: i64, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let answer;
    // SAFETY: the convention of the aarch64 kernel (syscall(2)): only x0 is overwritten, the stack is not used.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => answer, in("x1") b, in("x2") c, in("x3") d,
             options(nostack));
    }
    answer
}
