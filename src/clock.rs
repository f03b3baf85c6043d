//! Times as people read them.
#![expect(unsafe_code, reason = "the C library alone knows the container's time zone")]

use std::ffi::CStr;
use std::mem::MaybeUninit;

/// A time in microseconds since 1970, as systemd writes it in the container's time zone: `Sun 2030-03-17 17:46:40 UTC`.
pub(crate) fn local(microseconds: u64) -> String {
    let seconds = i64::try_from(microseconds / 1_000_000).unwrap_or(i64::MAX);
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: reads one time and fills in one `tm`; a process of one thread, so nobody changes TZ meanwhile.
    if unsafe { libc::localtime_r(&raw const seconds, parts.as_mut_ptr()) }.is_null() {
        return format!("{seconds} s after 1970");
    }
    let mut text = [0_u8; 64];
    // SAFETY: the format ends with a NUL, the buffer has the length that is said, and `parts` was filled in.
    unsafe {
        libc::strftime(text.as_mut_ptr().cast(), text.len(), c"%a %Y-%m-%d %H:%M:%S %Z".as_ptr(), parts.as_ptr())
    };
    CStr::from_bytes_until_nul(&text).unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_time_is_written_as_systemd_writes_it() {
        let text = local(1_900_000_000_000_000);
        assert!(text.starts_with("Sun 2030-03-17 ") || text.contains("2030-03-1"), "{text}");
        assert!(local(u64::MAX).len() > 4);
    }
}
