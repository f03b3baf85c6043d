//! Clients that come after the signal, to each socket that takes connections: what becomes of them. Each is a copy of
//! ourselves, as connect(2) may block; it sends a request of HTTP, which other protocols answer by an error or an end.
//!
//! 1. In a run of its own that is asked for: a program may wait for a client that it would not have had.
//! 2. One at a time for each socket, at a few moments: a load is none of it.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{self, UnixStream};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use supervise_init::core::{Signal, Time};
use supervise_init::sys::{Pid, close_from_3, send, send_parent_death_signal};

use crate::check::record::{Connection, Served};
use crate::sys::{pipe, reap, start_copy};

/// Where their tokens begin.
pub(super) const FIRST: u64 = 100;

/// More sockets are not visited.
const MOST: usize = 8;

/// When one comes, in milliseconds after the signal. Who comes while a socket is being closed says nothing.
const MOMENTS: [u64; 8] = [50, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000];

/// When all is dead, what is still open ends in so short a time.
const LAST: Duration = Duration::from_secs(1);

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// All of a run.
pub(super) struct Visits {
    doors: Vec<Door>,
    told_at: Time,
    /// Of the moments.
    next: usize,
    /// `None`: it could not be come to.
    found: Vec<Option<Connection>>,
}

/// One socket, and who is there.
struct Door {
    address: String,
    guest: Option<Guest>,
}

struct Guest {
    pid: Pid,
    hears: PipeReader,
    /// Its place in what was found.
    place: usize,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It is not reaped, so the number is its own.
        let _ = send(self.pid, Signal::KILL);
        reap(self.pid);
    }
}

impl Visits {
    /// Of the sockets at these addresses.
    pub(super) fn begin(addresses: impl Iterator<Item = String>, told_at: Time) -> Visits {
        let doors = addresses.take(MOST).map(|address| Door { address, guest: None }).collect();
        Visits { doors, told_at, next: 0, found: Vec::new() }
    }

    /// When the next one comes. `None`: nobody does.
    pub(super) fn next(&self) -> Option<Time> {
        let moment = MOMENTS.get(self.next).filter(|_| !self.doors.is_empty())?;
        Some(self.told_at.after(Duration::from_millis(*moment)))
    }

    /// Its time has come: to each socket where nobody is any more.
    pub(super) fn come(&mut self, at: Duration, epoll: &Epoll) {
        self.next += 1;
        for (door, number) in self.doors.iter_mut().zip(FIRST..).filter(|(door, _)| door.guest.is_none()) {
            let Ok(guest) = Guest::send_to(&door.address, self.found.len()) else { continue };
            let _ = epoll.add(&guest.hears, EpollEvent::new(EpollFlags::EPOLLIN, number));
            door.guest = Some(guest);
            let address = door.address.clone();
            self.found.push(Some(Connection { address, at, ended_at: None, served: Served::Unanswered }));
        }
    }

    /// One has told how it ended.
    pub(super) fn hear(&mut self, token: u64, at: Duration, epoll: &Epoll) {
        let Some(door) = self.doors.get_mut((token - FIRST) as usize) else { return };
        let Some(guest) = door.guest.take() else { return };
        let _ = epoll.delete(&guest.hears);
        take_in(&guest, &mut self.found, at);
    }

    /// Nobody comes any more: main has ended.
    pub(super) fn end(&mut self) {
        self.next = MOMENTS.len();
    }

    /// When all of the run is dead.
    pub(super) fn finish(mut self, at: Duration) -> Vec<Connection> {
        for guest in self.doors.iter_mut().filter_map(|door| door.guest.take()) {
            let mut polled = [PollFd::new(guest.hears.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut polled, PollTimeout::try_from(LAST).unwrap_or(PollTimeout::ZERO));
            take_in(&guest, &mut self.found, at);
        }
        self.found.into_iter().flatten().collect()
    }
}

fn take_in(guest: &Guest, found: &mut [Option<Connection>], at: Duration) {
    let mut word = [0];
    let mut hears = &guest.hears;
    let Some(place) = found.get_mut(guest.place) else { return };
    match (hears.read(&mut word), &mut *place) {
        // It has nothing to tell.
        (Ok(0), _) => *place = None,
        (Ok(_), Some(connection)) => {
            let served = Served::ALL.into_iter().find(|served| *served as u8 == word[0]);
            (connection.served, connection.ended_at) = (served.unwrap_or(connection.served), Some(at));
        }
        // It waits.
        (_, _) => {}
    }
}

impl Guest {
    fn send_to(address: &str, place: usize) -> Result<Guest, Errno> {
        let (hears, says) = pipe().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
        fcntl(&hears, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let pid = start_copy(|| be_guest(address, &says))?;
        Ok(Guest { pid, hears, place })
    }
}

fn be_guest(address: &str, mut says: &PipeWriter) -> u8 {
    let _ = send_parent_death_signal(Signal::KILL);
    close_from_3(&[Some(says.as_raw_fd())]);
    let served = visit(address);
    u8::from(served.is_none_or(|served| says.write_all(&[served as u8]).is_err()))
}

/// `None`: it could not be come to, whoever is there.
fn visit(address: &str) -> Option<Served> {
    Some(match address.split_once(' ') {
        Some(("tcp", address)) => match address.parse().ok().and_then(connect) {
            Some(stream) => ask(stream),
            None => Served::Refused,
        },
        Some((_, path)) => {
            let stream = match path.strip_prefix('@') {
                Some(name) => {
                    net::SocketAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name))
                }
                None => UnixStream::connect(path),
            };
            match stream {
                Ok(stream) => ask(stream),
                // Nobody listens, or it was taken away.
                Err(error) if [Some(libc::ECONNREFUSED), Some(libc::ENOENT)].contains(&error.raw_os_error()) => {
                    Served::Refused
                }
                Err(_) => return None,
            }
        }
        None => return None,
    })
}

fn connect(mut address: SocketAddr) -> Option<TcpStream> {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let stream = TcpStream::connect(address).ok()?;
    // To a free port the kernel may connect us from that very port.
    (stream.local_addr().ok()? != address).then_some(stream)
}

fn ask(mut stream: impl io::Read + io::Write) -> Served {
    // SIGPIPE is blocked.
    if stream.write_all(REQUEST).is_err() {
        return Served::Reset;
    }
    match stream.read(&mut [0; 512]) {
        Ok(0) => Served::Closed,
        Ok(_) => Served::Answered,
        Err(_) => Served::Reset,
    }
}
