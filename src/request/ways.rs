//! The ways to process 1 where it has no control socket: sysvinit's records in `/run/initctl`, and systemd's signals.
//!
//! 1. What is no FIFO is not written to: a file there would take every request and do nothing.
//! 2. A process 1 that is no supervise, or one that takes no requests, gets no signal: it may mean anything to that one.
//! 3. An exit code goes by neither: it would be lost.
//! 4. A signal is sent when we have ended: the stop that it begins may end everything before we could end with 0.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::unistd::geteuid;
use supervise_init::core::Signal;
use supervise_init::core::request::{Haste, Request, Wish};
use supervise_init::sys::{self, Errno, Helper, Pid};

use super::process_1;

/// Why a way leads nowhere.
#[derive(Debug)]
pub(super) enum Barred {
    /// We may not go it.
    Forbidden,
    Initctl(&'static str, Errno),
    NotAFifo(&'static str),
    /// What there is no room for an exit code in.
    WithoutCode(&'static str),
    /// Process 1 has this name.
    Foreign(String),
    /// Process 1 is a supervise that takes no signal for a request, because of this.
    Deaf(&'static str),
    /// What tells whether it does.
    Unseen(&'static str, Errno),
    Signal(Errno),
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Barred::Forbidden => f.write_str("permission denied"),
            Barred::Initctl(path, errno) => write!(f, "{path}: {errno}"),
            Barred::NotAFifo(path) => write!(f, "{path} is no FIFO"),
            Barred::WithoutCode(way) => write!(f, "{way} has no room for an exit code"),
            Barred::Foreign(name) if name.is_empty() => f.write_str("who process 1 is cannot be seen"),
            Barred::Foreign(name) => write!(f, "process 1 is {name:?} and no supervise"),
            Barred::Deaf(why) => {
                write!(f, "process 1 {why}, so it takes no signals for requests; stop the container from outside")
            }
            Barred::Unseen(path, errno) => {
                write!(f, "whether process 1 takes signals for requests cannot be seen: {path}: {errno}")
            }
            Barred::Signal(errno) => write!(f, "kill(2): {errno}"),
        }
    }
}

/// Where the FIFO is.
const FIFO: &str = "/run/initctl";
/// Where it was before systemd 239.
const OLD_FIFO: &str = "/dev/initctl";

/// sysvinit's `struct init_request`.
const RECORD: usize = 384;
const MAGIC: u32 = 0x0309_1969;
const RUNLEVEL: u32 = 1;
const SET_VARIABLE: u32 = 6;

fn record(command: u32, level: u8, data: &[u8]) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    let words = [MAGIC, command, u32::from(level), 0].into_iter().flat_map(u32::to_ne_bytes);
    for (to, from) in bytes.iter_mut().zip(words.chain(data.iter().copied())) {
        *to = from;
    }
    bytes
}

/// The records that ask for it. What 0 means is said in one before: an earlier one may have said otherwise.
fn records_of(wish: Wish) -> Option<Vec<u8>> {
    let off = |data| [record(SET_VARIABLE, 0, data), record(RUNLEVEL, b'0', b"")].concat();
    match wish {
        Wish::Halt => Some(off(b"INIT_HALT=HALT")),
        Wish::Poweroff => Some(off(b"INIT_HALT=POWEROFF")),
        Wish::Reboot => Some(record(RUNLEVEL, b'6', b"").to_vec()),
        // They know nothing of it.
        Wish::Exit(_) | Wish::Restart | Wish::Stop => None,
    }
}

/// Asks for an orderly end by records.
pub(super) fn write_end(wish: Wish) -> Result<(), Barred> {
    match records_of(wish) {
        Some(records) => write(&records),
        // Nothing is written. Where there is none, that is the cause.
        None => write(b"").and(Err(Barred::WithoutCode(FIFO))),
    }
}

/// Asks for a runlevel by a record.
pub(super) fn write_runlevel(level: u8) -> Result<(), Barred> {
    write(&record(RUNLEVEL, level, b""))
}

fn write(records: &[u8]) -> Result<(), Barred> {
    // Whatever somebody has made of its permissions.
    if !geteuid().is_root() {
        return Err(Barred::Forbidden);
    }
    match write_to(FIFO, Path::new(FIFO), records) {
        // Only then: what is there and does not work is the truth.
        Err(missing @ Barred::Initctl(_, Errno(libc::ENOENT))) => {
            match write_to(OLD_FIFO, Path::new(OLD_FIFO), records) {
                Err(Barred::Initctl(_, Errno(libc::ENOENT))) => Err(missing),
                done => done,
            }
        }
        done => done,
    }
}

fn write_to(name: &'static str, path: &Path, records: &[u8]) -> Result<(), Barred> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::PermissionDenied => Barred::Forbidden,
        _ => Barred::Initctl(name, Errno(error.raw_os_error().unwrap_or(libc::EIO))),
    };
    // A link's end is another's, but that /dev/initctl is most often a link to the first.
    let there = if name == OLD_FIFO { fs::metadata(path) } else { fs::symlink_metadata(path) };
    if !there.map_err(failed)?.file_type().is_fifo() {
        return Err(Barred::NotAFifo(name));
    }
    // Without a reader this fails with ENXIO, instead of waiting for one. It is close-on-exec.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut fifo = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(failed)?;
    if !fifo.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(Barred::NotAFifo(name));
    }
    // All of it at once, or nothing: it is less than PIPE_BUF.
    fifo.write_all(records).map_err(failed)
}

/// Asks for an end by a signal, which is sent when we have ended.
pub(super) fn signal(request: Request) -> Result<(), Barred> {
    if !process_1::is_supervise() {
        return Err(Barred::Foreign(process_1::name()));
    }
    let (Some(process_1), Some(signal)) = (Pid::new(1), number_of(request).and_then(Signal::new)) else {
        return Err(Barred::WithoutCode("a signal"));
    };
    let failed = |errno: Errno| if errno.0 == libc::EPERM { Barred::Forbidden } else { Barred::Signal(errno) };
    let may_send = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process_1.number()), None);
    may_send.map_err(|errno| failed(Errno(errno as i32)))?;
    process_1::hears_signals()?;
    after_our_end(|| sys::send(process_1, signal)).map_err(failed)
}

/// Does it in a process of its own when we have ended, or at once where there can be none.
fn after_our_end(act: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    let Ok((mut reader, writer)) = io::pipe() else { return act() };
    let mut writer = Some(writer);
    let started = Helper::start(|| {
        writer.take();
        // Ours is closed by our end alone (_exit(2)), with which our code stands fast. Nobody is left to hear of an error.
        let _ = reader.read(&mut [0]);
        let _ = act();
        stay_to_be_seen();
    });
    match started {
        Ok(_) => {
            std::mem::forget(writer);
            Ok(())
        }
        Err(_) => act(),
    }
}

/// How long process 1 may take to look at who has asked, before it says so. Most often the stop ends us before.
const SEEING: Duration = Duration::from_secs(1);

/// Its name is gone with the process, and who has called us shall not wait for what we have open.
fn stay_to_be_seen() {
    for descriptor in 0..=2 {
        let _ = nix::unistd::close(descriptor);
    }
    let mut told = SigSet::empty();
    told.add(nix::sys::signal::SIGTERM);
    // It cannot fail with signals that there are.
    let _ = told.thread_unblock();
    thread::sleep(SEEING);
}

/// systemd's numbers (systemd(1), "Signals"), counted from 34.
fn number_of(request: Request) -> Option<i32> {
    let orderly = match request.wish {
        Wish::Halt => 37,
        Wish::Poweroff => 38,
        Wish::Reboot => 39,
        Wish::Exit(_) | Wish::Restart | Wish::Stop => return None,
    };
    Some(match request.haste {
        Haste::Orderly => orderly,
        Haste::Immediate => orderly + 10,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::Read as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::process::Command;

    use supervise_init::core::request::{Ask, Found, Initctl, Manager, Program};
    use supervise_init::core::{Sender, Signal};

    use super::{Barred, Errno, Haste, Request, Wish, number_of, record, records_of, write_to};

    const WISHES: [Wish; 3] = [Wish::Halt, Wish::Poweroff, Wish::Reboot];

    /// What process 1 reads from them.
    fn read_back(mut bytes: &[u8]) -> Vec<Found> {
        // A halt was spoken of before.
        let mut reader = Initctl::default();
        assert!(reader.take(&record(super::SET_VARIABLE, 0, b"INIT_HALT=HALT")).is_some());
        let mut found = Vec::new();
        while let Some((what, rest)) = reader.take(bytes) {
            found.push(what);
            bytes = rest;
        }
        found
    }

    #[test]
    fn process_1_reads_from_the_records_what_was_asked_for() {
        for wish in WISHES {
            let found = read_back(&records_of(wish).expect("it has records"));
            assert_eq!(found.last(), Some(&Found::Ask(Ask::End(Request::orderly(wish)))));
            assert!(!found.contains(&Found::Garbage));
        }
        assert_eq!(read_back(&record(1, b'3', b"")), [Found::Ask(Ask::Runlevel(b'3'))]);
    }

    #[test]
    fn process_1_takes_the_signal_for_what_was_asked_for() {
        let sender = Sender::Process { pid: 7, uid: 0, program: Program::Other };
        for wish in WISHES {
            for haste in [Haste::Orderly, Haste::Immediate] {
                let request = Request { wish, haste };
                let signal = number_of(request).and_then(Signal::new).expect("it is one");
                assert_eq!(Ask::of_signal(signal, sender, Manager::Other), Some(Ask::End(request)));
            }
        }
    }

    #[test]
    fn a_code_goes_by_no_way_that_would_lose_it() {
        assert_eq!(records_of(Wish::Exit(3)), None);
        for request in [Request::orderly(Wish::Exit(3)), Request::immediate(Wish::Exit(0))] {
            assert_eq!(number_of(request), None);
        }
    }

    #[test]
    fn only_a_fifo_with_a_reader_is_written_to() {
        let folder = std::env::temp_dir().join(format!("supervise-ways-{}", std::process::id()));
        fs::create_dir(&folder).expect("the folder is ours");
        let (fifo, file) = (folder.join("fifo"), folder.join("file"));
        File::create(&file).expect("the folder is ours");
        let halt = records_of(Wish::Halt).expect("it has records");
        let written = write_to("file", &file, &halt);
        assert!(matches!(written, Err(Barred::NotAFifo("file"))), "{written:?}");
        assert_eq!(fs::read(&file).expect("it is there"), b"");
        let missing = write_to("none", &folder.join("none"), b"x");
        assert!(matches!(missing, Err(Barred::Initctl("none", Errno(libc::ENOENT)))), "{missing:?}");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("coreutils are there").success());
        let unread = write_to("fifo", &fifo, b"x");
        assert!(matches!(unread, Err(Barred::Initctl("fifo", Errno(libc::ENXIO)))), "{unread:?}");
        // As process 1 opens it.
        let flags = libc::O_NONBLOCK;
        let mut reader =
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(&fifo).expect("it is there");
        write_to("fifo", &fifo, &halt).expect("it has a reader");
        let mut buffer = [0; 4096];
        let length = reader.read(&mut buffer).expect("it was written to");
        assert_eq!(&buffer[..length], halt);
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
