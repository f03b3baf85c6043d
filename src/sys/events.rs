//! Forks, executions and ends of processes as they happen: the kernel's proc connector (linux/cn_proc.h). It tells of the
//! whole machine, root alone before Linux 6.6, and only who is in the first user and PID namespaces.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use supervise_init::core::Time;

/// What has happened to a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProcessEvent {
    Forked {
        parent: i32,
        child: i32,
    },
    Executed {
        pid: i32,
    },
    /// One of its threads has ended, its last one or not. With what that was, as wait(2) has it.
    ThreadEnded {
        pid: i32,
        thread: i32,
        raw: i32,
    },
}

/// Our ear.
#[derive(Debug)]
pub(crate) struct Connector {
    socket: OwnedFd,
    counts: Counts,
    /// What came behind some that were lost.
    kept: Option<Message>,
}

/// The number of the next message of each processor, by the processor's own, once there was one: where it is another, the
/// kernel had no memory for those between, which it tells nobody. (A map of this type is there already, and needs no more
/// code.)
#[derive(Default, Debug)]
struct Counts(HashMap<i32, usize>);

impl Counts {
    /// Whether none is missing before that message.
    fn see(&mut self, message: &[u8]) -> bool {
        let word = |at: usize| message.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        // `seq` of the connector's header, `cpu` of the event.
        let (Some(number), Some(cpu)) = (word(24), word(HEADERS + 4)) else { return true };
        let cpu = cpu.cast_signed();
        // An answer to us has none.
        let next = if cpu < 0 { None } else { self.0.insert(cpu, number.wrapping_add(1) as usize) };
        next.is_none_or(|next| next == number as usize)
    }
}

/// What one message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Event(Time, ProcessEvent),
    /// About something else.
    Other,
    /// Some were lost: there was no room for them here, or no memory in the kernel.
    Lost,
    /// That is all for now.
    None,
}

/// Netlink's header and the connector's, before the event itself.
const HEADERS: usize = 36;

/// linux/cn_proc.h.
const ACKNOWLEDGED: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const EXIT: u32 = 0x8000_0000;

impl Connector {
    /// Begins to listen.
    ///
    /// # Errors
    /// EPERM: root alone may, or we are in a namespace; EPROTONOSUPPORT: the kernel was built without.
    pub(crate) fn open() -> Result<Connector, Errno> {
        /// linux/netlink.h, linux/connector.h.
        const NETLINK_CONNECTOR: i32 = 11;
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: takes integers and touches no memory of ours.
        let socket = Errno::result(unsafe { libc::socket(libc::AF_NETLINK, kind, NETLINK_CONNECTOR) })?;
        // SAFETY: new, and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let room: libc::c_int = 8 << 20;
        for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
            let (value, size) = ((&raw const room).cast(), size_of_val(&room) as libc::socklen_t);
            // SAFETY: an integer of the size that is told. Where it is refused, the usual room has to do.
            unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, size) };
        }
        // SAFETY: all zeros are a valid `sockaddr_nl`: integers.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = libc::CN_IDX_PROC;
        let size = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: an address of the size that is told.
        Errno::result(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) })?;
        let mut connector = Connector { socket, counts: Counts::default(), kept: None };
        connector.subscribe()?;
        // The answer is there when the call returns; in a namespace there is none.
        match connector.read() {
            Message::Other => Ok(connector),
            Message::Event(..) => Ok(connector),
            Message::None | Message::Lost => Err(Errno::EPERM),
        }
    }

    /// PROC_CN_MCAST_LISTEN.
    fn subscribe(&self) -> Result<(), Errno> {
        const LISTEN: u32 = 1;
        let mut message = [0_u8; HEADERS + 4];
        let mut put = |at: usize, bytes: &[u8]| message[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &(HEADERS as u32 + 4).to_ne_bytes());
        put(4, &(libc::NLMSG_DONE as u16).to_ne_bytes());
        put(16, &libc::CN_IDX_PROC.to_ne_bytes());
        // CN_VAL_PROC.
        put(20, &1_u32.to_ne_bytes());
        put(32, &4_u16.to_ne_bytes());
        put(36, &LISTEN.to_ne_bytes());
        let (bytes, length) = (message.as_ptr().cast(), message.len());
        // SAFETY: the pointer and the length are of one array.
        Errno::result(unsafe { libc::send(self.socket.as_raw_fd(), bytes, length, 0) }).map(drop)
    }

    /// Takes one message.
    pub(crate) fn read(&mut self) -> Message {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        let mut buffer = [0_u8; 512];
        let (bytes, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the pointer and the length are of one array.
        match Errno::result(unsafe { libc::recv(self.socket.as_raw_fd(), bytes, length, 0) }) {
            Ok(count) => {
                let message = buffer.get(..count as usize).unwrap_or_default();
                let parsed = parse(message.get(HEADERS..).unwrap_or_default());
                if self.counts.see(message) {
                    return parsed;
                }
                self.kept = Some(parsed);
                Message::Lost
            }
            Err(Errno::ENOBUFS) => Message::Lost,
            Err(_) => Message::None,
        }
    }
}

impl AsFd for Connector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `struct proc_event`.
fn parse(event: &[u8]) -> Message {
    let word = |at: usize| event.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let number = |at: usize| word(at).map(u32::cast_signed);
    let nanoseconds = || event.get(8..16)?.try_into().ok().map(u64::from_ne_bytes);
    let found = || {
        let at = Time::from_start(Duration::from_nanos(nanoseconds()?));
        // Of a thread the two numbers of the subject differ.
        let event = match word(0)? {
            FORK if number(24)? == number(28)? => ProcessEvent::Forked { parent: number(20)?, child: number(28)? },
            EXEC => ProcessEvent::Executed { pid: number(20)? },
            EXIT => ProcessEvent::ThreadEnded { pid: number(20)?, thread: number(16)?, raw: number(24)? },
            _ => return None,
        };
        Some(Message::Event(at, event))
    };
    match word(0) {
        // It may say that it was refused.
        Some(ACKNOWLEDGED) if word(16) != Some(0) => Message::None,
        _ => found().unwrap_or(Message::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, HEADERS};

    fn message(cpu: u32, number: u32) -> Vec<u8> {
        let mut message = vec![0; HEADERS + 40];
        message[24..28].copy_from_slice(&number.to_ne_bytes());
        message[HEADERS + 4..HEADERS + 8].copy_from_slice(&cpu.to_ne_bytes());
        message
    }

    #[test]
    fn a_message_that_is_missing_is_noticed_on_its_processor_alone() {
        let mut counts = Counts::default();
        let mut see = |cpu, number| counts.see(&message(cpu, number));
        // What came before we listened is nobody's loss.
        assert!(see(1, 7) && see(0, 100) && see(1, 8) && see(0, 101));
        assert!(!see(1, 10) && see(1, 11) && see(0, 102));
        assert!(!see(0, 101) && see(0, 102));
        assert!(see(3, u32::MAX) && see(3, 0) && !see(3, 2));
        // The answer to our own message has a number of ours, and no processor.
        assert!(see(u32::MAX, 0) && see(u32::MAX, 0) && see(u32::MAX, 9));
    }

    #[test]
    fn what_is_too_short_is_nobodys_loss() {
        assert!((0..HEADERS + 8).all(|length| Counts::default().see(&message(0, 1)[..length])));
    }
}
