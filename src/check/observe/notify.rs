//! The socket of sd_notify(3). Its name is in no file system: nothing is left of it when we end, and it can be reached
//! from every mount namespace and by every user.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::check::record::Notify;
use crate::check::safe;

/// Who listens, and what was heard.
pub(super) struct Hearing {
    socket: UnixDatagram,
    pub(super) found: Notify,
}

impl Hearing {
    /// By that name, without the `@` that it has in NOTIFY_SOCKET.
    pub(super) fn open(name: &str) -> io::Result<Hearing> {
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Hearing { socket, found: Notify::default() })
    }

    /// What it has asked for while it started is not for its stop.
    pub(super) fn begin_stop(&mut self) {
        self.found.extended_until = None;
    }

    /// Takes one message. What it says, made safe to print.
    pub(super) fn read(&mut self, at: Duration) -> Option<String> {
        let mut some = [0; 4096];
        let count = self.socket.recv(&mut some).ok()?;
        let bytes = some.get(..count).unwrap_or_default();
        self.found.is_used = true;
        for line in bytes.split(|byte| *byte == b'\n') {
            match line {
                b"READY=1" => drop(self.found.ready_at.get_or_insert(at)),
                b"STOPPING=1" => drop(self.found.stopping_at.get_or_insert(at)),
                [b'S', b'T', b'A', b'T', b'U', b'S', b'=', text @ ..] => self.found.status = Some(safe::line(text)),
                _ => {
                    let until = extension(line).map(|time| at.saturating_add(time));
                    self.found.extended_until = self.found.extended_until.max(until);
                }
            }
        }
        Some(safe::line(&bytes.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect::<Vec<_>>()))
    }
}

impl AsFd for Hearing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn extension(line: &[u8]) -> Option<Duration> {
    let number = std::str::from_utf8(line.strip_prefix(b"EXTEND_TIMEOUT_USEC=")?).ok()?;
    number.parse().ok().map(Duration::from_micros)
}
