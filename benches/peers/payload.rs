//! What runs under the inits when more is asked of it than to exit: this binary again, by a first word of its own.
//!
//! It speaks over its descriptors 0 and 1, one byte a message. It says `READY`, then obeys: every byte read is an order
//! to do its work once, answered with `DONE`; at the end of file it exits. So a payload whose bench is gone, goes too.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::ExitCode;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, pipe};

use crate::sys::fork_and;

/// The first word that makes this binary a payload.
pub(crate) const WORD: &str = "as-payload";
/// The payload is up.
pub(crate) const READY: u8 = b'r';
/// An order was carried out.
pub(crate) const DONE: u8 = b'd';
/// An order could not be carried out; the reason is on stderr.
pub(crate) const FAILED: u8 = b'f';

/// What a payload is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Sleeps.
    Sleep,
    /// The same, when it has said by sd_notify(3) that it is ready.
    Notify,
    /// Answers each SIGUSR1 with the monotonic time at which it came.
    Echo,
    /// Before it is ready, makes orphans that sleep; when ordered to, ends them all by one event.
    Burst(usize),
    /// When ordered to, makes orphans that exit at once, one after another.
    Stream(usize),
    /// Before it is ready, makes children that are dead and not reaped; when ordered to, orphans them all at once.
    Dead(usize),
}

impl Kind {
    /// The words that make this binary such a payload.
    pub(crate) fn words(self) -> Vec<String> {
        let (name, count) = match self {
            Self::Sleep => ("sleep", 0),
            Self::Notify => ("notify", 0),
            Self::Echo => ("echo", 0),
            Self::Burst(count) => ("burst", count),
            Self::Stream(count) => ("stream", count),
            Self::Dead(count) => ("dead", count),
        };
        vec![WORD.to_owned(), name.to_owned(), count.to_string()]
    }

    fn parse(name: Option<String>, count: Option<String>) -> Option<Self> {
        let count = count?.parse().ok()?;
        match name?.as_str() {
            "sleep" => Some(Self::Sleep),
            "notify" => Some(Self::Notify),
            "echo" => Some(Self::Echo),
            "burst" => Some(Self::Burst(count)),
            "stream" => Some(Self::Stream(count)),
            "dead" => Some(Self::Dead(count)),
            _ => None,
        }
    }
}

/// Is the payload that `words`, without [`WORD`], ask for.
pub(crate) fn main(mut words: impl Iterator<Item = String>) -> ExitCode {
    let Some(kind) = Kind::parse(words.next(), words.next()) else {
        eprintln!("peers: unknown payload");
        return ExitCode::from(125);
    };
    match live(kind) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("peers: payload {kind:?}: {cause}");
            let _ = io::stdout().write_all(&[FAILED]);
            ExitCode::FAILURE
        }
    }
}

fn live(kind: Kind) -> io::Result<()> {
    match kind {
        Kind::Sleep => obey(|| Ok(())),
        Kind::Notify => {
            say(b"READY=1")?;
            obey(|| Ok(()))
        }
        Kind::Echo => echo(),
        Kind::Burst(count) => {
            let (wait, release) = pipe()?;
            let mut wait = io::PipeReader::from(wait);
            let mut release = Some(release);
            let nursery = fork_and(|| {
                drop(release.take());
                (0..count).all(|_| fork_and(|| u8::from(wait.read(&mut [0]).is_err())).is_ok()).into()
            })?;
            ended_with_yes(nursery)?;
            obey(|| {
                drop(release.take());
                Ok(())
            })
        }
        // Each middle process exits right after its fork, so what it made is adopted.
        Kind::Stream(count) => obey(|| {
            (0..count).try_for_each(|_| {
                let middle = fork_and(|| u8::from(fork_and(|| 0).is_ok()))?;
                ended_with_yes(middle)
            })
        }),
        Kind::Dead(count) => {
            let (mut told, tell) = io::pipe()?;
            let (mut wait, release) = io::pipe()?;
            let mut release = Some(release);
            let nursery = fork_and(|| {
                drop(release.take());
                nurse(count, tell, &mut wait)
            })?;
            // End of file without a byte: the nursery failed and said so by its exit.
            if told.read(&mut [0])? == 0 {
                return ended_with_yes(nursery);
            }
            obey(|| {
                drop(release.take());
                ended_with_yes(nursery)
            })
        }
    }
}

/// By sd_notify(3), to a name in no file system.
fn say(what: &[u8]) -> io::Result<()> {
    let address = std::env::var("NOTIFY_SOCKET").map_err(io::Error::other)?;
    let name = address.strip_prefix('@').ok_or_else(|| io::Error::other(format!("{address} is no abstract name")))?;
    UnixDatagram::unbound()?.send_to_addr(what, &SocketAddr::from_abstract_name(name)?).map(drop)
}

/// Makes `count` children, sees each of them dead without reaping it, says so, and exits at the end of `wait`.
fn nurse(count: usize, mut tell: io::PipeWriter, wait: &mut io::PipeReader) -> u8 {
    let made: nix::Result<Vec<Pid>> = (0..count).map(|_| fork_and(|| 0)).collect();
    let dead = |pid: &Pid| waitid(Id::Pid(*pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).is_ok();
    let all = made.is_ok_and(|pids| pids.iter().all(dead));
    let _ = all && tell.write_all(&[DONE]).and_then(|()| wait.read(&mut [0])).is_ok();
    all.into()
}

/// The exit code 1 says that a middle process did all it was made for.
fn ended_with_yes(pid: Pid) -> io::Result<()> {
    match waitpid(pid, None)? {
        nix::sys::wait::WaitStatus::Exited(_, 1) => Ok(()),
        other => Err(io::Error::other(format!("a process that makes orphans ended with {other:?}"))),
    }
}

fn obey(mut work: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let (mut orders, mut answers) = (io::stdin(), io::stdout());
    let mut say = |word| answers.write_all(&[word]).and_then(|()| answers.flush());
    say(READY)?;
    while orders.read(&mut [0])? == 1 {
        work()?;
        say(DONE)?;
    }
    Ok(())
}

fn echo() -> io::Result<()> {
    let (mut wanted, mut answers) = (SigSet::empty(), io::stdout());
    wanted.add(Signal::SIGUSR1);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), None)?;
    answers.write_all(&[READY])?;
    answers.flush()?;
    loop {
        wanted.wait()?;
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        // Two words, as the kernel writes a timespec: `stamp` of the tiny payloads has the same form.
        let words = [now.tv_sec().to_ne_bytes(), now.tv_nsec().to_ne_bytes()];
        answers.write_all(words.as_flattened())?;
        answers.flush()?;
    }
}
