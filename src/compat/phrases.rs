//! What the GNU C library calls signals and errors: the other inits print its words, and scripts read them.

use supervise_init::core::Signal;
use supervise_init::sys::Errno;

/// strsignal(3) of 1 to 31.
const SIGNALS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

/// strsignal(3): a phrase, and for a real-time signal the number that follows it.
pub(super) fn of_signal(signal: Signal) -> (&'static str, Option<u8>) {
    let number = signal.number();
    match (SIGNALS.get(usize::from(number).wrapping_sub(1)), number.checked_sub(34)) {
        (Some(phrase), _) => (phrase, None),
        (None, Some(offset)) => ("Real-time signal ", Some(offset)),
        (None, None) => ("Unknown signal ", Some(number)),
    }
}

/// strerror(3), of what execve(2), fork(2) and a terminal's calls answer where other C libraries use other words.
const ERRORS: [(i32, &str); 13] = [
    (libc::ENOTTY, "Inappropriate ioctl for device"),
    (libc::ELOOP, "Too many levels of symbolic links"),
    (libc::ENOEXEC, "Exec format error"),
    (libc::EAGAIN, "Resource temporarily unavailable"),
    (libc::ENOMEM, "Cannot allocate memory"),
    (libc::EIO, "Input/output error"),
    (libc::ETXTBSY, "Text file busy"),
    (libc::ENAMETOOLONG, "File name too long"),
    (libc::ELIBBAD, "Accessing a corrupted shared library"),
    (libc::EMFILE, "Too many open files"),
    (libc::EBUSY, "Device or resource busy"),
    (libc::ECHILD, "No child processes"),
    (libc::ETIMEDOUT, "Connection timed out"),
];

/// strerror(3).
pub(super) fn of_error(errno: Errno) -> &'static str {
    let known = ERRORS.iter().find(|(number, _)| *number == errno.0).map(|(_, phrase)| *phrase);
    known.unwrap_or_else(|| errno.phrase())
}

#[cfg(test)]
mod tests {
    use supervise_init::core::Signal;
    use supervise_init::sys::Errno;

    use super::{of_error, of_signal};

    #[test]
    fn signals_have_the_phrases_of_a_shell() {
        let phrase = |number| Signal::new(number).map(of_signal);
        assert_eq!(phrase(15), Some(("Terminated", None)));
        assert_eq!(phrase(1), Some(("Hangup", None)));
        assert_eq!(phrase(31), Some(("Bad system call", None)));
        assert_eq!(phrase(33), Some(("Unknown signal ", Some(33))));
        assert_eq!(phrase(40), Some(("Real-time signal ", Some(6))));
    }

    #[test]
    fn errors_have_the_phrases_of_the_gnu_c_library() {
        for (errno, phrase) in [
            (libc::ENOENT, "No such file or directory"),
            (libc::EACCES, "Permission denied"),
            (libc::ENOTDIR, "Not a directory"),
            (libc::E2BIG, "Argument list too long"),
            (libc::EPERM, "Operation not permitted"),
            (libc::EINVAL, "Invalid argument"),
            (libc::ENXIO, "No such device or address"),
            (libc::ENFILE, "Too many open files in system"),
        ] {
            assert_eq!(of_error(Errno(errno)), phrase);
        }
    }
}
