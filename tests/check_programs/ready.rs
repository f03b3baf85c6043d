//! When a program is ready, in the words of `--ready`, found out without the checker.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

/// What tells that it is.
pub(crate) enum Ready {
    /// A connection is accepted.
    Tcp(String),
    Unix(String),
    /// The output has this text.
    Log(String),
    File(String),
    /// `READY=1` comes on this socket.
    Notified(UnixDatagram),
}

impl Ready {
    /// Reads the words. The socket for what is said by sd_notify(3) is made in the folder.
    pub(crate) fn new(words: &str, folder: &Path) -> Ready {
        let (kind, rest) = words.split_once(':').unwrap_or((words, ""));
        let rest = rest.to_owned();
        match kind {
            "tcp" => Ready::Tcp(rest),
            "unix" => Ready::Unix(rest),
            "log" => Ready::Log(rest),
            "file" => Ready::File(rest),
            "sd_notify" => {
                let path = folder.join("notify");
                let _ = fs::remove_file(&path);
                let socket = UnixDatagram::bind(&path).expect("the folder is ours");
                fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("the socket is ours");
                socket.set_nonblocking(true).expect("it is a socket");
                Ready::Notified(socket)
            }
            _ => panic!("no such readiness: {words}"),
        }
    }

    /// Where the program finds the socket, if it has to know.
    pub(crate) fn variable(&self) -> Option<(&'static str, PathBuf)> {
        let Ready::Notified(socket) = self else { return None };
        let address = socket.local_addr().expect("it is bound");
        Some(("NOTIFY_SOCKET", address.as_pathname().expect("it has a path").to_owned()))
    }

    /// Whether it is so now.
    pub(crate) fn is(&mut self, written: &dyn Fn() -> String) -> bool {
        match self {
            Ready::Tcp(address) => TcpStream::connect(&*address).is_ok(),
            Ready::Unix(path) => UnixStream::connect(path).is_ok(),
            Ready::Log(text) => written().contains(&*text),
            Ready::File(path) => Path::new(path).exists(),
            Ready::Notified(socket) => {
                let mut text = [0; 1024];
                let read = socket.recv(&mut text).unwrap_or_default();
                text[..read].split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
            }
        }
    }
}
