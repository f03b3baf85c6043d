//! The connections: who is heard, for how long, and when nobody is left.
//!
//! 1. At most [`MOST`] connections are open, of which others than root have at most [`OF_USERS`]: nobody keeps root out.
//! 2. Who does not come to a first message in time is dropped, and so is who says nothing more.
//! 3. Who is dropped for what it has said, or has not, is told of in one line, and so is what keeps us from accepting.
//! 4. A turn has an end: who comes and goes at once keeps nobody from being heard, and no failure is tried again at once.
//! 5. Process 1 is asked for an end when the client has ended, or has had the time for it.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use supervise_init::core::request::{Client, Message, Reply};
use supervise_init::driver::Sockets;
use supervise_init::sys::{Errno, Fd, comm, microseconds_since_1970};

use super::super::talk::{Line, Unanswered};
use super::guest::{Fault, Guest, World};
use super::sys;
use super::words::{self, Meant};

/// More connections wait until others are gone.
const MOST: usize = 16;
/// How many of them others than root may have.
const OF_USERS: usize = 8;
/// How long it may take to come to a first message.
const FIRST: Duration = Duration::from_secs(5);
/// How long nothing may be said after that.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a client may take from its answer to its end.
const PARTING: Duration = Duration::from_millis(300);
/// How long we wait for somebody.
const IDLE: Duration = Duration::from_secs(5);
/// How long one line about who was dropped stands for others.
const QUIET: Duration = Duration::from_secs(10);
/// How many are accepted from one socket in one turn.
const OF_A_TURN: usize = 64;
/// How long nobody is accepted when that has failed: who waits would wake us again at once.
const PAUSE: Duration = Duration::from_secs(1);
/// More than this is not kept for who does not read.
const UNREAD: usize = 256 * 1024;

/// Why nobody can be served any more.
#[derive(Debug)]
pub(super) enum Trouble {
    Unanswered(Unanswered),
    Poll(io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unanswered(why) => write!(f, "cannot ask process 1: {why}"),
            Trouble::Poll(error) => write!(f, "poll(2): {error}"),
        }
    }
}

/// Who speaks for clients.
pub(super) struct Speaker {
    listeners: Vec<UnixListener>,
    seats: Vec<Seat>,
    process_1: Process1,
    complained: Option<Instant>,
    /// Nobody is accepted before.
    deaf_until: Option<Instant>,
}

/// A connection.
struct Seat {
    /// `None`: the client has closed it.
    stream: Option<UnixStream>,
    guest: Guest,
    began: Instant,
    /// When something was said last.
    heard: Instant,
    farewell: Option<Farewell>,
}

/// An end that process 1 will be asked for.
struct Farewell {
    message: Message,
    /// Tells of the client's end. `None`: that its connection is closed has to do.
    client: Option<Fd>,
    until: Instant,
}

/// Process 1, and what else is around.
struct Process1 {
    line: Line,
}

impl World for Process1 {
    fn ask(&mut self, message: &Message) -> Result<Reply, Unanswered> {
        self.line.ask(message)
    }

    fn meant(&self, pid: i32) -> Meant {
        words::meant(pid)
    }

    fn now(&self) -> u64 {
        microseconds_since_1970()
    }
}

impl Speaker {
    /// Who speaks on these sockets, and asks by that line.
    pub(super) fn new(sockets: Sockets, line: Line) -> Speaker {
        let listeners = sockets.into_iter().flatten().map(sys::listener).collect();
        Speaker { listeners, seats: Vec::new(), process_1: Process1 { line }, complained: None, deaf_until: None }
    }

    /// Speaks until nobody has come for some time.
    pub(super) fn run(&mut self) -> Result<(), Trouble> {
        let mut alone_since = Instant::now();
        loop {
            let now = Instant::now();
            if !self.seats.is_empty() {
                alone_since = now;
            } else if now >= alone_since + IDLE {
                return Ok(());
            }
            self.deaf_until = self.deaf_until.filter(|until| now < *until);
            let of_seats = self.seats.iter().map(Seat::deadline).min().unwrap_or(alone_since + IDLE);
            let deadline = self.deaf_until.map_or(of_seats, |until| until.min(of_seats));
            let mut asked = self.asked();
            sys::wait(&mut asked, deadline.saturating_duration_since(now)).map_err(Trouble::Poll)?;
            let of_seats = &asked[self.listeners.len()..];
            let mut kept = Vec::with_capacity(MOST);
            for (seat, found) in std::mem::take(&mut self.seats).into_iter().zip(of_seats.chunks(2)) {
                kept.extend(self.attend(seat, found[0].revents, found[1].revents)?);
            }
            self.seats = kept;
            self.accept();
        }
    }

    /// What is waited for: the listeners, and two of each seat.
    fn asked(&self) -> Vec<libc::pollfd> {
        let entry = |fd: Option<RawFd>, events| libc::pollfd { fd: fd.unwrap_or(-1), events, revents: 0 };
        let hears = self.seats.len() < MOST && self.deaf_until.is_none();
        let listeners = self.listeners.iter().map(|listener| entry(hears.then(|| listener.as_raw_fd()), libc::POLLIN));
        let seats = self.seats.iter().flat_map(|seat| {
            let writing = if seat.guest.out.is_empty() { 0 } else { libc::POLLOUT };
            let client = seat.farewell.as_ref().and_then(|farewell| farewell.client.as_ref());
            let stream = seat.stream.as_ref().map(UnixStream::as_raw_fd);
            [entry(stream, libc::POLLIN | writing), entry(client.map(Fd::raw), libc::POLLIN)]
        });
        listeners.chain(seats).collect()
    }

    fn accept(&mut self) {
        for at in 0..self.listeners.len() {
            for _ in 0..OF_A_TURN {
                if self.seats.len() >= MOST || self.deaf_until.is_some() {
                    return;
                }
                match self.listeners[at].accept() {
                    Ok((stream, _)) => self.welcome(stream),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Who has gone before it was accepted.
                    Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(error) => {
                        self.deaf_until = Some(Instant::now() + PAUSE);
                        let errno = Errno(error.raw_os_error().unwrap_or(libc::EIO));
                        self.complain(&format!("cannot accept a connection to the systemd bus: {errno}; it waits"));
                    }
                }
            }
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        let users = self.seats.iter().filter(|seat| seat.guest.who.uid != 0).count();
        let why = match (sys::peer(&stream), stream.set_nonblocking(true)) {
            // Who is outside has no number here, and no business.
            (Some((pid, uid)), Ok(())) if pid > 0 && (uid == 0 || users < OF_USERS) => {
                let now = Instant::now();
                let guest = Guest::new(Client { pid, uid, name: name_of(pid) });
                self.seats.push(Seat { stream: Some(stream), guest, began: now, heard: now, farewell: None });
                return;
            }
            (Some((pid, _)), _) if pid > 0 => "too many others than root have connected",
            _ => "who has connected is not in this container",
        };
        self.complain_of_dropped(why);
    }

    /// Looks after a connection; `None`: it is over.
    fn attend(&mut self, mut seat: Seat, stream: i16, client: i16) -> Result<Option<Seat>, Trouble> {
        if stream != 0
            && let Err(why) = seat.read(&mut self.process_1)
        {
            match why {
                Fault::Unanswered(why) => return Err(Trouble::Unanswered(why)),
                Fault::Broken(why) => {
                    self.complain_of_dropped(&format!(
                        "what pid {} (uid {}) said is no D-Bus: {why}",
                        seat.guest.who.pid, seat.guest.who.uid
                    ));
                    seat.stream = None;
                }
            }
        }
        seat.write();
        let now = Instant::now();
        if let Some(farewell) = seat.farewell.take_if(|farewell| {
            let is_closed = seat.stream.is_none() && farewell.client.is_none();
            client != 0 || is_closed || now >= farewell.until
        }) {
            self.process_1.ask(&farewell.message).map_err(Trouble::Unanswered)?;
        }
        if seat.stream.is_some() && seat.farewell.is_none() && now >= seat.deadline() {
            let Client { pid, uid, .. } = seat.guest.who;
            let what = match seat.guest.is_talking() {
                false => format!("has come to no first message in {} s", FIRST.as_secs()),
                true => format!("has said nothing for {} s", SILENCE.as_secs()),
            };
            self.complain_of_dropped(&format!("pid {pid} (uid {uid}) {what}"));
            seat.stream = None;
        }
        Ok((seat.stream.is_some() || seat.farewell.is_some()).then_some(seat))
    }

    fn complain_of_dropped(&mut self, why: &str) {
        self.complain(&format!("dropped a connection to the systemd bus: {why}"));
    }

    /// Says what is wrong, but not each time.
    fn complain(&mut self, what: &str) {
        let now = Instant::now();
        if self.complained.is_none_or(|last| now >= last + QUIET) {
            self.complained = Some(now);
            log::warn!("{what}; saying no more of its kind for 10 s");
        }
    }
}

impl Seat {
    /// When it is to be looked after at the latest.
    fn deadline(&self) -> Instant {
        match &self.farewell {
            Some(farewell) => farewell.until,
            None if self.guest.is_talking() => self.heard + SILENCE,
            None => self.began + FIRST,
        }
    }

    fn read(&mut self, process_1: &mut Process1) -> Result<(), Fault> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut buffer = [0; 16 * 1024];
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(_) => 0,
        };
        if count == 0 {
            self.stream = None;
            return Ok(());
        }
        self.heard = Instant::now();
        self.guest.hear(&buffer[..count], process_1)?;
        if let Some(message) = self.guest.ending.take() {
            let client = Fd::of_process(self.guest.who.pid).ok();
            self.farewell = Some(Farewell { message, client, until: self.heard + PARTING });
        }
        Ok(())
    }

    fn write(&mut self) {
        let out = &mut self.guest.out;
        while let Some(stream) = &mut self.stream
            && !out.is_empty()
        {
            match stream.write(out) {
                Ok(count) if count > 0 => drop(out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && out.len() <= UNREAD => return,
                _ => self.stream = None,
            }
        }
    }
}

/// What a process is called.
fn name_of(pid: i32) -> [u8; 15] {
    let mut name = [0; 15];
    if let Some(comm) = comm(pid) {
        name.iter_mut().zip(comm.as_str().bytes()).for_each(|(to, from)| *to = from);
    }
    name
}
