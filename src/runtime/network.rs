//! A container's network: its loopback, and, without any privilege, the way out by a program of the host that speaks for
//! it: pasta (passt.top) or slirp4netns (github.com/rootless-containers/slirp4netns).
//!
//! 1. Who is started here ends with us, also if we are killed: slirp4netns when its exit descriptor is closed, pasta by
//!    its parent-death signal.
//! 2. It is ready when it says so: slirp4netns writes to its ready descriptor, pasta its number to a FIFO, both after
//!    the last thing that they set up.
//! 3. No service on the host's own loopback is within reach of the container.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use supervise_init::sys::{self, Pid};

use crate::sys::network::set_interface_up;
use crate::sys::processes::{pidfd, tie};

mod error;

pub(crate) use error::Error;

/// Brings up the loopback of the network namespace that we are in.
///
/// # Errors
/// [`Error::Loopback`]: we may not, or there is no such interface.
pub(crate) fn bring_up_loopback() -> Result<(), Error> {
    set_interface_up(c"lo").map_err(Error::Loopback)
}

/// Who connects a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tool {
    Pasta,
    Slirp4netns,
}

impl Tool {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Tool::Pasta => "pasta",
            Tool::Slirp4netns => "slirp4netns",
        }
    }

    /// In the order in which they are tried. pasta does not copy what passes through; but root's pasta becomes nobody,
    /// and some versions cannot enter a namespace then.
    fn in_order(is_root: bool) -> [Tool; 2] {
        if is_root { [Tool::Slirp4netns, Tool::Pasta] } else { [Tool::Pasta, Tool::Slirp4netns] }
    }

    /// Where it is, if it is installed.
    pub(crate) fn find(self, path: &OsStr) -> Option<PathBuf> {
        std::env::split_paths(path).map(|folder| folder.join(self.name())).find(|file| file.is_file())
    }

    /// The name server that it is for the container.
    pub(crate) const fn name_server(self) -> &'static str {
        match self {
            Tool::Pasta => "169.254.1.1",
            Tool::Slirp4netns => "10.0.2.3",
        }
    }

    /// Its words, for the network namespace of a process. `ready` and `exit` are what it gets for these.
    fn words(self, pid: Pid, is_root: bool, ready: &Ready) -> Vec<String> {
        let mut words: Vec<String> = match (self, ready) {
            (Tool::Pasta, _) => {
                let quiet = ["--foreground", "--quiet", "--config-net", "--no-map-gw"];
                let closed = ["--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"];
                let dns = ["--dns-forward", self.name_server()];
                quiet.into_iter().chain(closed).chain(dns).map(str::to_owned).collect()
            }
            (Tool::Slirp4netns, _) => {
                ["--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox"].map(str::to_owned).into()
            }
        };
        if self == Tool::Pasta && is_root {
            // Otherwise it becomes nobody.
            words.extend(["--runas", "0"].map(str::to_owned));
        }
        match ready {
            Ready::Fifo(path, _) => words.extend(["--pid".to_owned(), path.to_string_lossy().into_owned()]),
            Ready::Pipe { ready, exit, .. } => {
                words.push(format!("--ready-fd={}", ready.as_raw_fd()));
                words.push(format!("--exit-fd={}", exit.as_raw_fd()));
            }
        }
        words.push(pid.to_string());
        if self == Tool::Slirp4netns {
            words.push("tap0".to_owned());
        }
        words
    }
}

/// How it will say that it is ready.
enum Ready {
    /// pasta opens it to write its number.
    Fifo(PathBuf, File),
    /// The ends that slirp4netns gets, and ours: `reader` is readable when it is ready, and it ends when `hold` is
    /// closed.
    Pipe { ready: OwnedFd, exit: OwnedFd, reader: File, hold: OwnedFd },
}

impl Ready {
    fn new(tool: Tool, folder: &Path) -> io::Result<Ready> {
        if tool == Tool::Slirp4netns {
            let ((reader, ready), (exit, hold)) = (io::pipe()?, io::pipe()?);
            let reader = File::from(OwnedFd::from(reader));
            return Ok(Ready::Pipe { ready: ready.into(), exit: exit.into(), reader, hold: hold.into() });
        }
        let path = folder.join("network.ready");
        let _ = fs::remove_file(&path);
        mkfifo(&path, Mode::from_bits_truncate(0o600))?;
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
        Ok(Ready::Fifo(path, reader))
    }
}

/// A tool that runs and is ready. It is ended when this goes.
#[derive(Debug)]
pub(crate) struct Running {
    tool: Tool,
    child: Child,
    /// Readable when it has ended.
    pidfd: OwnedFd,
    /// What slirp4netns lives by.
    hold: Option<OwnedFd>,
}

/// Connects the network namespace of a process. `folder` is one of the container's own, that only we write to; `path` is
/// where the tools are looked for. Waits at most so long.
///
/// # Errors
/// [`Error::NotInstalled`]; [`Error::Each`]: why each of them has not become ready; [`Error::Asked`]: we are to end.
pub(crate) fn start(pid: Pid, path: &OsStr, folder: &Path, limit: Duration) -> Result<Running, Error> {
    let is_root = geteuid().is_root();
    let mut tried = Vec::new();
    for tool in Tool::in_order(is_root) {
        let Some(file) = tool.find(path) else { continue };
        match begin(tool, Command::new(file), (pid, is_root), folder, limit) {
            Err(error @ Error::Asked(_)) => return Err(error),
            Err(error) => tried.push(error),
            running => return running,
        }
    }
    Err(if tried.is_empty() { Error::NotInstalled } else { Error::Each(tried) })
}

/// Starts the tool by this command, to which its words are added, and waits until it is ready.
fn begin(
    tool: Tool,
    mut command: Command,
    (pid, is_root): (Pid, bool),
    folder: &Path,
    limit: Duration,
) -> Result<Running, Error> {
    let cannot = |error: io::Error| Error::Start(tool, sys::Errno(error.raw_os_error().unwrap_or(libc::EIO)));
    let end = Instant::now() + limit;
    let log = folder.join("network.log");
    let output = File::create(&log).map_err(cannot)?;
    let ready = Ready::new(tool, folder).map_err(cannot)?;
    command.args(tool.words(pid, is_root, &ready)).stdin(Stdio::null());
    command.stdout(output.try_clone().map_err(cannot)?).stderr(output);
    let kept = match &ready {
        Ready::Pipe { ready, exit, .. } => vec![ready.as_raw_fd(), exit.as_raw_fd()],
        Ready::Fifo(..) => Vec::new(),
    };
    tie(&mut command, kept);
    let mut child = command.spawn().map_err(cannot)?;
    let (reader, hold, fifo) = match ready {
        Ready::Pipe { reader, hold, ready, exit } => {
            // Its own from here on: what we kept open would never hang up.
            drop((ready, exit));
            (reader, Some(hold), None)
        }
        Ready::Fifo(path, reader) => (reader, None, Some(path)),
    };
    let opened = Pid::new(child.id().cast_signed()).ok_or(Errno::ESRCH).and_then(pidfd);
    let pidfd = opened.inspect_err(|_| drop(child.kill())).map_err(|errno| cannot(errno.into()))?;
    let mut running = Running { tool, child, pidfd, hold };
    let outcome = running.wait_ready(reader, end);
    let text = fs::read_to_string(&log).unwrap_or_default();
    [Some(log), fifo].into_iter().flatten().for_each(|file| drop(fs::remove_file(file)));
    match outcome {
        Outcome::Ready => Ok(running),
        Outcome::Ended => Err(Error::Ended(tool, last_line(&text))),
        Outcome::Late => Err(Error::Late(tool, limit)),
        Outcome::Asked(signal) => Err(Error::Asked(signal)),
    }
}

/// Readable when one has come of the signals that ask for an end, if these are blocked.
fn requests() -> Result<SignalFd, Errno> {
    let mut mask = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP].into_iter().for_each(|signal| mask.add(signal));
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Ready,
    Ended,
    Late,
    /// By this signal, which is taken.
    Asked(i32),
}

impl Running {
    /// Which one it is.
    pub(crate) fn tool(&self) -> Tool {
        self.tool
    }

    /// Its number, for who reaps all children.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Until it says so, or ends.
    fn wait_ready(&mut self, mut reader: File, end: Instant) -> Outcome {
        let mut can_still_say = true;
        // Without it an end that is asked for waits for ours.
        let requests = requests().ok();
        loop {
            let asked = requests.as_ref().and_then(|requests| requests.read_signal().ok()?);
            if let Some(signal) = asked.and_then(|signal| i32::try_from(signal.ssi_signo).ok()) {
                return Outcome::Asked(signal);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Outcome::Late;
            }
            let ended = PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN);
            let mut asked = vec![ended];
            // In the second place: it has said something, or never will.
            let said = if can_still_say { PollFlags::POLLIN } else { PollFlags::empty() };
            asked.push(PollFd::new(if can_still_say { reader.as_fd() } else { self.pidfd.as_fd() }, said));
            asked.extend(requests.as_ref().map(|requests| PollFd::new(requests.as_fd(), PollFlags::POLLIN)));
            // In whole milliseconds, and never none before the end.
            let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut asked, left);
            let has_ended = asked.first().and_then(PollFd::any) == Some(true);
            let has_closed = asked.get(1).and_then(PollFd::any) == Some(true);
            // Who has closed it without a word is about to end.
            can_still_say &= !has_closed;
            match () {
                () if has_closed && matches!(reader.read(&mut [0; 16]), Ok(1..)) => return Outcome::Ready,
                () if has_ended => return Outcome::Ended,
                () => {}
            }
        }
    }

    /// Ends it, and waits for that at most so long, then kills it.
    pub(crate) fn stop(mut self, limit: Duration) {
        self.hold = None;
        if self.tool == Tool::Pasta {
            let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
            // It is our child and not reaped yet, so the number is its own.
            let _ = kill(pid, Signal::SIGTERM);
        }
        let mut asked = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut asked, PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hold = None;
        let _ = self.child.kill();
        // Another may have reaped it.
        let _ = self.child.wait();
    }
}

/// What a program said last.
fn last_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !line.starts_with("Failed to send"))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::sys::before_exec;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn skip(why: &str) {
        assert!(std::env::var("CI").is_err(), "{why}");
        eprintln!("skipped: {why}");
    }

    /// A folder of our own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("supervise-test-net-{test}-{}", std::process::id()));
            fs::create_dir(&path).expect("the name is new");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A process in a network namespace of its own, which ends with its standard input.
    struct Inside(Child);

    impl Inside {
        fn start(wrapper: &[&str]) -> Inside {
            let words = wrapper.iter().chain(&["sh", "-c", "echo ready; exec cat"]);
            let words: Vec<&str> = words.copied().collect();
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("util-linux is installed");
            let mut line = [0; 6];
            child.stdout.as_mut().expect("a pipe").read_exact(&mut line).expect("it is ready");
            Inside(child)
        }

        fn pid(&self) -> Pid {
            Pid::new(self.0.id().cast_signed()).expect("a number above 0")
        }

        /// The interfaces in its namespace.
        fn interfaces(&self) -> Vec<String> {
            let text = fs::read_to_string(format!("/proc/{}/net/dev", self.pid())).expect("it runs");
            text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn the_loopback_of_a_new_namespace_is_brought_up() {
        let script = "
import socket
server = socket.create_server(('127.0.0.1', 0))
socket.create_connection(server.getsockname()).send(b'x')
print(server.accept()[0].recv(1))";
        let connects = |brings_up: bool| {
            let mut command = Command::new("/usr/bin/python3");
            before_exec(command.args(["-c", script]), move || {
                let user = if geteuid().is_root() { CloneFlags::empty() } else { CloneFlags::CLONE_NEWUSER };
                unshare(user | CloneFlags::CLONE_NEWNET)?;
                let brought_up = if brings_up { bring_up_loopback() } else { Ok(()) };
                brought_up.map_err(|_| Errno::EXFULL)
            });
            let output = command.output().expect("it is executed");
            output.stdout == b"b'x'\n"
        };
        assert!(connects(true));
        assert!(!connects(false));
    }

    #[test]
    fn there_is_no_interface_of_another_name() {
        assert_eq!(set_interface_up(c"nosuch0"), Err(Errno::ENODEV));
        // Longer than a name can be.
        assert_eq!(set_interface_up(c"a-name-of-more-than-15-letters"), Err(Errno::ENODEV));
    }

    #[test]
    fn where_neither_is_installed_it_is_said_with_the_way_out() {
        let folder = Folder::new("none");
        let error = start(sys::this_process(), folder.0.as_os_str(), &folder.0, PATIENCE).expect_err("there is none");
        assert_eq!(error, Error::NotInstalled);
        assert!(error.to_string().contains("apt-get install passt"), "{error}");
    }

    #[test]
    fn who_ends_before_it_is_ready_is_quoted() {
        let folder = Folder::new("ends");
        for (tool, said) in [(Tool::Pasta, "no such device"), (Tool::Slirp4netns, "cannot open it")] {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo first; echo {said} >&2; exit 1")]);
            let error = begin(tool, command, (sys::this_process(), true), &folder.0, PATIENCE).expect_err("it ends");
            assert_eq!(error, Error::Ended(tool, said.to_owned()));
        }
        let mut command = Command::new("sh");
        command.args(["-c", "exec cat /dev/zero >/dev/null"]);
        let limit = Duration::from_millis(20);
        let error = begin(Tool::Pasta, command, (sys::this_process(), true), &folder.0, limit).expect_err("it is late");
        assert_eq!(error, Error::Late(Tool::Pasta, limit));
        assert_eq!(fs::read_dir(&folder.0).expect("it is ours").count(), 0);
    }

    /// An address of this machine that is not its loopback's; nothing is sent.
    fn our_address() -> Option<String> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("198.51.100.1:9").ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    }

    #[test]
    fn root_is_connected_by_slirp4netns() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let (Some(_), true) = (Tool::Slirp4netns.find(&path), geteuid().is_root()) else {
            return skip("not root, or no slirp4netns (tests/setup installs it)");
        };
        let Some(address) = our_address() else { return skip("this machine has no network") };
        let folder = Folder::new("slirp");
        let inside = Inside::start(&["unshare", "--net"]);
        assert_eq!(inside.interfaces(), ["lo"]);
        let running = start(inside.pid(), &path, &folder.0, PATIENCE).expect("it becomes ready");
        assert_eq!((running.tool(), inside.interfaces().len()), (Tool::Slirp4netns, 2));
        let server = std::net::TcpListener::bind("0.0.0.0:0").expect("a port is free");
        let port = server.local_addr().expect("it is bound").port().to_string();
        let connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).send(b'hello')";
        let client = |address: &str| {
            let words =
                ["--net", "--target", &inside.pid().to_string(), "/usr/bin/python3", "-c", connect, address, &port]
                    .map(str::to_owned);
            Command::new("nsenter").args(words).stderr(Stdio::null()).status().expect("util-linux is installed")
        };
        assert!(client(&address).success());
        let mut text = [0; 5];
        server.accept().expect("it has connected").0.read_exact(&mut text).expect("it has sent");
        assert_eq!(&text, b"hello");
        // The gateway would be the host's loopback.
        assert!(!client("10.0.2.2").success());
        let pid = running.pid();
        running.stop(PATIENCE);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert_eq!(inside.interfaces(), ["lo"]);
    }

    #[test]
    fn a_user_is_connected_by_pasta() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let (Some(file), true) = (Tool::Pasta.find(&path), geteuid().is_root()) else {
            return skip("not root, which becomes that user, or no pasta (tests/setup installs it)");
        };
        if our_address().is_none() {
            return skip("this machine has no network");
        }
        let folder = Folder::new("pasta");
        let user = ["setpriv", "--reuid", "4711", "--regid", "4711", "--clear-groups"];
        std::os::unix::fs::chown(&folder.0, Some(4711), None).expect("we are root");
        let inside = Inside::start(&[&user[..], &["unshare", "--user", "--map-root-user", "--net"]].concat());
        // Where /dev/net/tun is root's alone, this user has one of its own.
        let mut command = Command::new("unshare");
        let device = "mount -t tmpfs none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun";
        let fifo = "chown 4711 \"$0\"/network.ready && cd / && exec \"$@\"";
        command.args(["--mount", "sh", "-c", &format!("{device} && {fifo}")]).arg(&folder.0).args(user).arg(file);
        let who = (inside.pid(), false);
        let running = begin(Tool::Pasta, command, who, &folder.0, PATIENCE).expect("it becomes ready");
        assert_eq!(inside.interfaces().len(), 2);
        let pid = running.pid();
        running.stop(PATIENCE);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert_eq!(inside.interfaces(), ["lo"]);
    }
}
