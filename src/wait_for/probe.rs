//! One try of one target. In a process of its own: what is called here may block as long as it likes.

use std::ffi::CStr;
use std::fmt;
use std::fs;
use std::io::{self, PipeWriter, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use log::{Level, log_enabled};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid, setpgid};
use supervise_init::sys::{Errno, SigSet};

use super::target::{Endpoint, Kind, Target};
use crate::sys::{Output, become_shell};

/// A try, and where it says how far it has come: a line each, the last of which is why the target is not ready.
struct Try {
    said: PipeWriter,
    /// When it is over.
    end: Instant,
}

/// Which process group a try is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    /// One of its own, so that all that `exec:` starts can be killed.
    Own,
    /// Ours, which somebody else kills as a whole.
    Shared,
}

/// How a try is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) group: Group,
    /// The signals that are blocked in what `exec:` starts.
    pub(crate) blocked: SigSet,
    /// What that is given; `None`: what we were.
    pub(crate) environment: Option<&'static [&'static CStr]>,
}

impl Manner {
    /// As `wait-for` has it.
    pub(crate) const fn alone(blocked: SigSet) -> Manner {
        Manner { group: Group::Own, blocked, environment: None }
    }
}

/// Why a target is not ready.
type NotReady = String;

/// What an answer may have before its status: other answers that announce it (RFC 9110, 15.2).
const LONGEST_HEAD: usize = 16 * 1024;

/// How much of an answer's rest is taken, and how long it may take to come: a server that finds the connection reset
/// complains in its log.
const LONGEST_REST: u64 = 64 * 1024;
const REST_TIME: Duration = Duration::from_millis(100);

/// Tries `target` once, at most for `limit`. The code of the process: 0 if it is ready.
pub(super) fn run(target: &Target, said: PipeWriter, limit: Duration, parent: Pid, manner: Manner) -> u8 {
    if manner.group == Group::Own {
        // Nobody minds if it is there already.
        let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    }
    let _ = set_pdeathsig(Signal::SIGKILL);
    if getppid() != parent {
        return 1;
    }
    let mut this = Try { said, end: Instant::now() + limit };
    let ready = match target.kind {
        Kind::Tcp(endpoint) => this.connect(endpoint).map(drop),
        Kind::Unix(path) => this.unix(path),
        Kind::Http { endpoint, authority, path } => this.http(endpoint, authority, path),
        Kind::File(path) => fs::metadata(path).map(drop).map_err(|error| text_of(&error)),
        Kind::Exec(command) => Err(exec(command, manner)),
    };
    match ready {
        Ok(()) => 0,
        Err(why) => {
            this.say(format_args!("{why}"));
            1
        }
    }
}

impl Try {
    fn say(&mut self, what: fmt::Arguments<'_>) {
        // Who does not read it has ended.
        let _ = writeln!(self.said, "{what}");
    }

    fn left(&self) -> Duration {
        // Zero is refused where it would mean for ever.
        self.end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// A connection to the first address of the host that takes one.
    fn connect(&mut self, Endpoint { host, port }: Endpoint) -> Result<TcpStream, NotReady> {
        let addresses = self.resolve(host, port)?;
        let mut why = None;
        for (tried, address) in (0..).zip(&addresses) {
            self.say(format_args!("no answer from {address}"));
            // One that is silent leaves the others their share.
            let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_sub(tried).max(1);
            let error = match TcpStream::connect_timeout(address, self.left() / shares) {
                // To a free port of our own host the kernel may connect us from that very port: to ourselves.
                Ok(stream) if stream.local_addr().is_ok_and(|ours| ours == *address) => {
                    io::Error::from_raw_os_error(libc::ECONNREFUSED)
                }
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            // That we have no IPv6 says nothing about a host that has both.
            let no_way = [libc::EADDRNOTAVAIL, libc::ENETUNREACH, libc::EAFNOSUPPORT].map(Some);
            if why.is_none() || !no_way.contains(&error.raw_os_error()) {
                why = Some(format!("{address}: {}", text_of(&error)));
            }
        }
        Err(why.unwrap_or_else(|| format!("{host} has no address")))
    }

    /// The addresses of a host.
    ///
    /// Names are looked up by the C library. musl's does it by itself, from /etc/hosts and /etc/resolv.conf, also in a
    /// static binary; a static glibc would load NSS modules of the root filesystem and crash, so a build with one
    /// refuses names before it gets here.
    fn resolve(&mut self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NotReady> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        self.say(format_args!("cannot resolve {host}: no answer from a name server"));
        match (host, port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => {
                // std hands on gai_strerror(3) alone; these are musl's words.
                let text = error.to_string();
                let why = match text.rsplit(": ").next().unwrap_or_default() {
                    "Name does not resolve" => "no such name",
                    "Name has no usable address" => "the name has no address",
                    "Try again" => "no answer from a name server",
                    "Non-recoverable error" => "the name server refuses to answer",
                    other => other,
                };
                Err(format!("cannot resolve {host}: {why}"))
            }
        }
    }

    fn unix(&mut self, path: &Path) -> Result<(), NotReady> {
        // connect(2) waits while the queue is full.
        self.say(format_args!("its queue of connections is full"));
        UnixStream::connect(path).map(drop).map_err(|error| text_of(&error))
    }

    fn http(&mut self, endpoint: Endpoint, authority: &str, path: &str) -> Result<(), NotReady> {
        let mut stream = self.connect(endpoint)?;
        self.say(format_args!("it took the connection and has not answered"));
        let slash = if path.starts_with('/') { "" } else { "/" };
        let request = format!(
            "GET {slash}{path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: supervise/{}\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        let answer = stream.write_all(request.as_bytes()).and_then(|()| read_head(&mut stream));
        let status = status(&answer.map_err(|error| text_of(&error))?)?;
        let _ = stream.set_read_timeout(Some(REST_TIME));
        let _ = io::copy(&mut stream.take(LONGEST_REST), &mut io::sink());
        // A redirection is an answer, and shows that the server is up: so Kubernetes sees it.
        if (200..400).contains(&status) { Ok(()) } else { Err(format!("status {status}")) }
    }
}

/// The bytes of an answer up to its final status, or what there is.
fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut some = [0; 1024];
    loop {
        let count = match stream.read(&mut some) {
            // It may reset the connection behind an answer that we have.
            Err(_) if status(&head).is_ok() => 0,
            other => other?,
        };
        head.extend_from_slice(some.get(..count).unwrap_or_default());
        if count == 0 || head.len() >= LONGEST_HEAD || final_line(&head).is_some_and(|line| line.contains(&b'\n')) {
            return Ok(head);
        }
    }
}

/// What follows the answers that only announce another: 100 Continue, 103 Early Hints.
fn final_line(mut head: &[u8]) -> Option<&[u8]> {
    while head.starts_with(b"HTTP/1.") && head.get(8..10) == Some(b" 1") {
        let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        head = head.get(end + 4..)?;
    }
    Some(head)
}

/// The status that an answer begins with (RFC 9112, 4).
fn status(answer: &[u8]) -> Result<u16, NotReady> {
    let line = final_line(answer).unwrap_or_default();
    if line.is_empty() {
        return Err("it closed the connection without an answer".into());
    }
    let number = match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', number @ ..] => number.get(..3),
        _ => None,
    };
    let is_whole = line.get(12).is_none_or(|byte| byte.is_ascii_whitespace());
    let number = number.filter(|digits| is_whole && digits.iter().all(u8::is_ascii_digit));
    let status = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| "what it answers is not HTTP".into())
}

/// Becomes the shell. Returns only where there is none.
fn exec(command: &CStr, manner: Manner) -> NotReady {
    // Tried twice a second, its words would drown all others; and stdout is the command's.
    let output = if log_enabled!(Level::Debug) { Output::Stderr } else { Output::None };
    let errno = become_shell(command, output, manner.blocked, manner.environment);
    format!("cannot run /bin/sh: {}", Errno(errno as i32))
}

/// An error in our own words.
fn text_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno(number).to_string(),
        None if error.kind() == io::ErrorKind::TimedOut => "no answer".into(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_read_where_an_answer_begins() {
        let cases: [(&[u8], Result<u16, &str>); 12] = [
            (b"HTTP/1.1 200 OK\r\n", Ok(200)),
            (b"HTTP/1.0 404 Not Found\r\n\r\nHTTP/1.1 200 OK\r\n", Ok(404)),
            (b"HTTP/1.1 204\r\n", Ok(204)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\n", Ok(500)),
            (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 301 M\r\n", Ok(301)),
            (b"HTTP/1.1 100 Continue\r\n\r\n", Err("it closed")),
            (b"", Err("it closed")),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Err("what it answers is not HTTP")),
            (b"HTTP/1.1 2000 OK\r\n", Err("what it answers is not HTTP")),
            (b"HTTP/1.1 +20 OK\r\n", Err("what it answers is not HTTP")),
            (b"HTTP/2 200\r\n", Err("what it answers is not HTTP")),
            (b"5\r\nhello\r\n0\r\n\r\n", Err("what it answers is not HTTP")),
        ];
        for (answer, expected) in cases {
            match (status(answer), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }
}
