//! The sockets that take connections when the signal is sent, and when each of them closes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::record::{Listener, What};
use crate::check::safe;
use crate::proc::read_file;

/// So often it is looked whether they are open, in the first second after the signal and later.
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_millis(100);

/// The kernel's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    Tcp,
    Tcp6,
    Unix,
}

const TABLES: [Table; 3] = [Table::Tcp, Table::Tcp6, Table::Unix];

impl Table {
    fn file(self) -> &'static str {
        match self {
            Table::Tcp => "/proc/self/net/tcp",
            Table::Tcp6 => "/proc/self/net/tcp6",
            Table::Unix => "/proc/self/net/unix",
        }
    }

    /// The inode and the address of each line that is of a listening socket.
    fn entry(self, line: &str) -> Option<(u64, String)> {
        let mut words = line.split_whitespace();
        match self {
            Table::Tcp | Table::Tcp6 => {
                // TCP_LISTEN.
                let address = words.nth(1)?;
                (words.nth(1)? == "0A").then_some(())?;
                Some((words.nth(5)?.parse().ok()?, address_of(address)?))
            }
            Table::Unix => {
                // SO_ACCEPTCON.
                (words.nth(3)? == "00010000").then_some(())?;
                let inode = words.nth(2)?.parse().ok()?;
                let path = words.next().unwrap_or("(no name)");
                Some((inode, format!("unix {}", safe::line(path.as_bytes()))))
            }
        }
    }

    fn read(self) -> Vec<(u64, String)> {
        read_file(self.file()).lines().skip(1).filter_map(|line| self.entry(line)).collect()
    }
}

/// `0100007F:1F90`, in words of the machine's order.
fn address_of(text: &str) -> Option<String> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<[u8; 4]>> = address
        .as_bytes()
        .chunks(8)
        .map(|word| Some(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()))
        .collect();
    let bytes = words?.concat();
    match (<[u8; 4]>::try_from(&bytes[..]), <[u8; 16]>::try_from(&bytes[..])) {
        (Ok(four), _) => Some(format!("tcp {}:{port}", Ipv4Addr::from(four))),
        (_, Ok(six)) => Some(format!("tcp [{}]:{port}", Ipv6Addr::from(six))),
        _ => None,
    }
}

/// The path of a socket that was bound by a relative one.
fn relative(address: &str) -> Option<&str> {
    address.strip_prefix("unix ").filter(|path| !path.starts_with(['/', '@', '(']))
}

/// With the directory that one of these processes is in, where the socket is there. It may have been bound in another one.
fn absolute(address: String, pids: &[i32]) -> String {
    let Some(path) = relative(&address) else { return address };
    let is_socket = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let places = pids.iter().filter_map(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).ok());
    match places.map(|place| place.join(path)).find(is_socket) {
        Some(path) => format!("unix {}", safe::line(path.as_os_str().as_bytes())),
        None => address,
    }
}

/// All that listens where we are: the inodes of the sockets, and their addresses.
pub(super) fn listening() -> Vec<(u64, String)> {
    TABLES.into_iter().flat_map(Table::read).collect()
}

/// Those of a run.
#[derive(Default)]
pub(super) struct Listeners {
    found: Vec<(Table, u64, Listener)>,
    told_at: Duration,
    is_over: bool,
}

impl Listeners {
    /// Those of these inodes, each with who has it.
    pub(super) fn find(inodes: &HashMap<u64, Vec<i32>>, told_at: Duration) -> Listeners {
        let mut found = Vec::new();
        if !inodes.is_empty() {
            for table in TABLES {
                let ours = table.read().into_iter().filter_map(|(inode, address)| {
                    let pids = inodes.get(&inode)?.clone();
                    let address = absolute(address, &pids);
                    Some((table, inode, Listener { address, pids, closed_at: None }))
                });
                found.extend(ours);
            }
        }
        Listeners { found, told_at, is_over: false }
    }

    /// How long after the last look the next one is due. `None`: nothing is open, or it matters no more.
    pub(super) fn pause(&self, at: Duration) -> Option<Duration> {
        let is_open = !self.is_over && self.found.iter().any(|(_, _, listener)| listener.closed_at.is_none());
        is_open.then(|| if at.saturating_sub(self.told_at) < Duration::from_secs(1) { SOON } else { LATER })
    }

    /// Looks which have closed.
    pub(super) fn look(&mut self, at: Duration) -> Vec<What> {
        let mut closed = Vec::new();
        for table in TABLES {
            let ours =
                || self.found.iter().filter(|(other, _, listener)| *other == table && listener.closed_at.is_none());
            if ours().next().is_none() {
                continue;
            }
            let open = table.read();
            for (other, inode, listener) in &mut self.found {
                if *other == table && listener.closed_at.is_none() && !open.iter().any(|(open, _)| open == inode) {
                    listener.closed_at = Some(at);
                    closed.push(What::Closed { pid: listener.closer(), address: listener.address.clone() });
                }
            }
        }
        closed
    }

    /// Main has ended: what closes now was open to its end.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// Of all that can be come to, also those that have closed.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        let all = self.found.iter().map(|(_, _, listener)| &listener.address);
        all.filter(|address| relative(address).is_none()).cloned()
    }

    /// That a file could not be found.
    pub(super) fn unfound(&self) -> Option<String> {
        let path = self.found.iter().find_map(|(_, _, listener)| relative(&listener.address))?;
        Some(format!("the socket {path} was bound in a directory that is not known"))
    }

    /// Where those of unix(7) are in the file system.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let all = self.found.iter().filter_map(|(_, _, listener)| listener.address.strip_prefix("unix "));
        all.filter(|path| path.starts_with('/')).map(Path::new)
    }

    pub(super) fn finish(self) -> Vec<Listener> {
        self.found.into_iter().map(|(_, _, listener)| listener).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, address_of};

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(address_of("0100007F:1F90").as_deref(), Some("tcp 127.0.0.1:8080"));
        assert_eq!(address_of("00000000000000000000000001000000:0050").as_deref(), Some("tcp [::1]:80"));
        assert_eq!(address_of("0100007F"), None);
        assert_eq!(address_of("0100007F0100007F:1"), None);
    }

    #[test]
    fn only_listening_sockets_are_found() {
        let line = |state: &str| format!(" 0: 0100007F:1F90 00000000:0000 {state} 0:0 00:0 0 0 0 777 1 x");
        assert_eq!(Table::Tcp.entry(&line("0A")), Some((777, "tcp 127.0.0.1:8080".to_owned())));
        assert_eq!(Table::Tcp.entry(&line("01")), None);
        let line = |flags: &str| format!("0000: 00000002 00000000 {flags} 0001 01 777 /run/x");
        assert_eq!(Table::Unix.entry(&line("00010000")), Some((777, "unix /run/x".to_owned())));
        assert_eq!(Table::Unix.entry(&line("00000000")), None);
    }
}
