//! A timer on the wall clock, which follows the clock when that is set (timer_create(2)).

use super::errno::{Errno, cerr};

/// The timer. It sends SIGIO, as descriptors do that have something for us.
#[derive(Clone, Copy, Debug)]
pub struct Alarm(libc::c_int);

/// The kernel's `struct sigevent`, which is 64 bytes long.
#[repr(C)]
struct KernelEvent {
    value: u64,
    signal: libc::c_int,
    notify: libc::c_int,
    rest: [u64; 6],
}

impl Alarm {
    /// One that is not set.
    ///
    /// # Errors
    /// The kernel's: a filter, a limit.
    pub fn new() -> Result<Alarm, Errno> {
        let event = KernelEvent { value: 0, signal: libc::SIGIO, notify: libc::SIGEV_SIGNAL, rest: [0; 6] };
        let mut id: libc::c_int = 0;
        // SAFETY: the kernel reads one event of its own layout and writes one integer.
        cerr(unsafe { libc::syscall(libc::SYS_timer_create, libc::CLOCK_REALTIME, &raw const event, &raw mut id) })?;
        Ok(Alarm(id))
    }

    /// Sets it to that time, in microseconds since 1970, or unsets it.
    pub fn set(self, when: Option<u64>) {
        // A time that is over is due at once; only 0 would mean never.
        let when = when.map_or(0, |when| when.max(1));
        let value = libc::timespec {
            tv_sec: (when / 1_000_000).cast_signed(),
            tv_nsec: ((when % 1_000_000) * 1000).cast_signed(),
        };
        let setting = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        let nothing: *mut libc::itimerspec = core::ptr::null_mut();
        // SAFETY: the kernel reads one setting; the former is not asked for. It fails for no timer of ours.
        unsafe { libc::syscall(libc::SYS_timer_settime, self.0, libc::TIMER_ABSTIME, &raw const setting, nothing) };
    }
}
