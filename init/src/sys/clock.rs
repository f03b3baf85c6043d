//! Clocks.

use core::time::Duration;

use crate::core::Time;

/// The monotonic clock (clock_gettime(2)); it stands still while the machine is suspended.
pub fn now() -> Time {
    Time::from_start(read(libc::CLOCK_MONOTONIC))
}

/// Time since 1970 (UTC).
pub(super) fn since_1970() -> Duration {
    read(libc::CLOCK_REALTIME)
}

/// The wall clock's time since 1970 (UTC), in microseconds.
pub fn microseconds_since_1970() -> u64 {
    let time = since_1970();
    time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros()))
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours and of the type that the call fills; it cannot fail for these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // Less than a second, which the compiler must see: a carry could overflow, and that would panic.
    let nanoseconds = time.tv_nsec.clamp(0, 999_999_999) as u32;
    Duration::new(time.tv_sec.cast_unsigned(), nanoseconds)
}

/// A timeout as the kernel takes it.
pub(super) fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos().cast_signed()),
    }
}
