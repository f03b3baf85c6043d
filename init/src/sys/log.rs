//! Log lines on fd 2: built on the stack, written whole, never waited for.
//!
//! fd 2 is shared with the payload, so O_NONBLOCK is not ours to set. `pwritev2(RWF_NOWAIT)` does without (pipes and
//! sockets); where the kernel or the file knows no RWF_NOWAIT, a terminal is opened anew, and a file never blocks. A
//! line that cannot be written at once is lost, and the next one that can says how many were.

use core::ffi::c_char;
use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use log::{Level, LevelFilter, Log, Metadata, Record, kv};

use super::clock::since_1970;
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::signals::take_back_of_write;

/// What a log line looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `supervise: ...`
    Text,
    /// One JSON object a line: `time` (seconds since 1970), `level`, the event's fields, `message`.
    Json,
}

/// Longer lines are cut. A pipe takes this much in one piece (PIPE_BUF is 4096).
const LONGEST: usize = 1024;

/// The log that [`install`] installs. Another one may pass its records on to it.
pub static STDERR: Stderr = Stderr { json: AtomicU8::new(0), lost: AtomicU32::new(0) };

/// What is logged goes to fd 2.
#[derive(Debug)]
pub struct Stderr {
    json: AtomicU8,
    lost: AtomicU32,
}

/// Where a line goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// fd 1.
    Stdout,
    /// fd 2.
    Stderr,
}

impl Output {
    fn fd(self) -> i32 {
        match self {
            Output::Stdout => libc::STDOUT_FILENO,
            Output::Stderr => libc::STDERR_FILENO,
        }
    }

    /// The same open file by a name.
    fn path(self) -> &'static core::ffi::CStr {
        match self {
            Output::Stdout => c"/proc/self/fd/1",
            Output::Stderr => c"/proc/self/fd/2",
        }
    }
}

/// How lines look from now on.
pub fn set_format(format: Format) {
    STDERR.json.store(u8::from(format == Format::Json), Relaxed);
}

/// Sends what is logged from now on to fd 2.
pub fn install(level: LevelFilter, format: Format) {
    set_format(format);
    // It fails if a logger is installed already: ours, as nobody else installs one.
    let _ = log::set_logger(&STDERR);
    log::set_max_level(level);
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            let message = format_args!("{lost} log lines are lost: stderr did not take them");
            let mut loss = Record::builder();
            let line = self.line(&loss.level(Level::Warn).args(message).build());
            if write_at_once(Output::Stderr, line.bytes()).is_err() {
                self.lost.store(lost.saturating_add(1), Relaxed);
                return;
            }
        }
        if write_at_once(Output::Stderr, self.line(record).bytes()).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self) {}
}

impl Stderr {
    fn line(&self, record: &Record<'_>) -> Line<LONGEST> {
        if self.json.load(Relaxed) == 0 { text(record) } else { json(record) }
    }
}

fn text(record: &Record<'_>) -> Line<LONGEST> {
    let mut line = Line::new();
    let kind = if record.level() == Level::Warn { "warning: " } else { "" };
    // A line that is too long is cut, and says so.
    let _ = write!(PlainText(&mut line), "supervise: {kind}{}", record.args());
    line.end("...\n", "\n");
    line
}

fn json(record: &Record<'_>) -> Line<LONGEST> {
    let mut line = Line::new();
    let time = since_1970();
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let _ = write!(line, "{{\"time\":{}.{:06},\"level\":\"{level}\"", time.as_secs(), time.subsec_micros());
    // Fields are few and short; the message, which may hold a path, comes last and is cut to fit.
    let _ = record.key_values().visit(&mut Fields(&mut line));
    line.push_bytes(b",\"message\":\"");
    let _ = write!(JsonText(&mut line), "{}", record.args());
    line.push_bytes(b"\"}\n");
    line
}

struct Fields<'a>(&'a mut Line<LONGEST>);

impl<'kvs> kv::VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        // Our fields are numbers and texts. Whatever else a value can be (a float) would bring its formatting along.
        if let Some(number) = value.to_i64() {
            write!(self.0, ",\"{key}\":{number}")?;
        } else if let Some(text) = value.to_borrowed_str() {
            write!(self.0, ",\"{key}\":\"")?;
            // Cut where it is too long; the quote still fits.
            let _ = JsonText(self.0).write_str(text);
            self.0.push_bytes(b"\"");
        }
        Ok(())
    }
}

/// Writes control characters as escapes: a command's name must not make a second line, or draw on a terminal.
struct PlainText<'a>(&'a mut Line<LONGEST>);

impl fmt::Write for PlainText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if letter.is_control() {
                write!(self.0, "{}", letter.escape_default())?
            } else {
                self.0.write_char(letter)?
            }
        }
        Ok(())
    }
}

/// Escapes as RFC 8259, section 7, and leaves room for the end of the object.
#[derive(Debug)]
pub struct JsonText<'a, const N: usize>(pub &'a mut Line<N>);

impl<const N: usize> fmt::Write for JsonText<'_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        /// `\u0000`, the longest escape, then `"}` and a line feed.
        const ROOM: usize = 6 + 3;
        for letter in text.chars() {
            if self.0.room() < ROOM {
                return Err(fmt::Error);
            }
            match letter {
                '"' => self.0.push_bytes(b"\\\""),
                '\\' => self.0.push_bytes(b"\\\\"),
                control if control < ' ' => write!(self.0, "\\u{:04x}", u32::from(control))?,
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Text on the stack. What does not fit is cut off.
#[derive(Clone, Copy)]
pub struct Line<const N: usize> {
    bytes: [u8; N],
    length: usize,
    truncated: bool,
}

impl<const N: usize> Line<N> {
    /// An empty one.
    pub const fn new() -> Line<N> {
        Line { bytes: [0; N], length: 0, truncated: false }
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text, up to what is not UTF-8.
    pub fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes()) {
            Ok(text) => text,
            Err(error) => {
                let valid = self.bytes().get(..error.valid_up_to()).unwrap_or_default();
                core::str::from_utf8(valid).unwrap_or_default()
            }
        }
    }

    pub(super) fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut c_char {
        self.bytes.as_mut_ptr().cast()
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// How many bytes more it can hold.
    pub fn room(&self) -> usize {
        N - self.length
    }

    /// Has it filled by somebody who knows a place and its size, and says how much that was.
    pub(super) fn fill(&mut self, fill: impl FnOnce(*mut u8, usize) -> usize) {
        self.length = fill(self.bytes.as_mut_ptr(), N).min(N);
    }

    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.room());
        self.truncated |= count < bytes.len();
        let place = self.bytes.get_mut(self.length..self.length + count).unwrap_or_default();
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.length += count;
    }

    /// What others named themselves, without what could draw on a terminal.
    pub fn push_lossy(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push_bytes(&[if byte.is_ascii_graphic() || *byte == b' ' { *byte } else { b'?' }]);
        }
    }

    /// Ends the line with `otherwise`, or if it is full with `if_cut`, in its last bytes.
    pub fn end(&mut self, if_cut: &str, otherwise: &str) {
        if self.truncated || self.room() < otherwise.len() {
            self.length = N - if_cut.len();
            self.push_bytes(if_cut.as_bytes());
        } else {
            self.push_bytes(otherwise.as_bytes());
        }
    }
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Line<N> {
        Line::new()
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_bytes(text.as_bytes());
        if self.truncated { Err(fmt::Error) } else { Ok(()) }
    }
}

impl<const N: usize> fmt::Display for Line<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Line<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Writes a line as log lines are: whole, without waiting, and with no SIGPIPE left behind.
///
/// # Errors
/// The kernel's. EAGAIN: it could not be written at once, and is lost.
pub fn write_at_once(to: Output, line: &[u8]) -> Result<(), Errno> {
    write_somehow(to, line).inspect_err(|errno| take_back_of_write(*errno))
}

fn write_somehow(to: Output, line: &[u8]) -> Result<(), Errno> {
    match write_no_wait(to.fd(), line) {
        Err(Errno(libc::EAGAIN | libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM)) => {}
        other => return other,
    }
    let mut status = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` has room for what the kernel writes.
    cerr(i64::from(unsafe { libc::fstat(to.fd(), status.as_mut_ptr()) }))?;
    // SAFETY: all zeros are a valid stat, and the kernel has filled it in.
    let kind = unsafe { status.assume_init() }.st_mode & libc::S_IFMT;
    // A terminal blocks while it is held with Ctrl-S; opened anew, it has flags of its own.
    if kind == libc::S_IFCHR
        && let Ok(anew) = Fd::open(to.path(), libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY)
    {
        return write_in_turn(anew.raw(), line);
    }
    if kind == libc::S_IFREG || takes_a_line(to.fd()) { write(to.fd(), line) } else { Err(Errno(libc::EAGAIN)) }
}

/// pwritev2(2) at the file's own position, without waiting.
fn write_no_wait(fd: i32, line: &[u8]) -> Result<(), Errno> {
    let part = libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() };
    let here: libc::c_long = -1;
    // SAFETY: one part, which is one slice that the kernel only reads.
    cerr(unsafe { libc::syscall(libc::SYS_pwritev2, fd, &raw const part, 1, here, here, libc::RWF_NOWAIT) }).map(|_| ())
}

/// poll(2): a pipe that is ready takes PIPE_BUF bytes at once.
fn takes_a_line(fd: i32) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, which is ours.
    unsafe { libc::poll(&raw mut asked, 1, 0) == 1 && asked.revents & libc::POLLOUT != 0 }
}

/// Somebody may be writing to the terminal in this moment, who has it for that long: then it takes nothing, as if it were
/// held. Lets others run a few times before that is believed.
fn write_in_turn(fd: i32, line: &[u8]) -> Result<(), Errno> {
    const TURNS: u32 = 32;
    for _ in 0..TURNS {
        match write(fd, line) {
            // SAFETY: no arguments, touches no memory of ours.
            Err(Errno(libc::EAGAIN)) => unsafe { libc::sched_yield() },
            other => return other,
        };
    }
    write(fd, line)
}

fn write(fd: i32, line: &[u8]) -> Result<(), Errno> {
    // SAFETY: the pointer and the length are of one slice.
    cerr(unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) } as i64).map(|_| ())
}
