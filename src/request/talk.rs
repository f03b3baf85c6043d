//! The control socket of process 1: one datagram there, one back.
//!
//! What comes back comes to a name of the kernel's choice, which is one of our network namespace alone. Where process 1 is in
//! another, or where that cannot be seen, it comes to a file beside the control socket, if we may have one there.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use supervise_init::core::request::{Message, Reply};
use supervise_init::sys::{ANSWERS, Environment, Errno};

use super::process_1;
use super::sys::{introduce, name_anyhow, receive_with_descriptor};

/// Where process 1 has it, if it is root.
const PATH: &str = "/run/supervise/ctl";
/// Where it has it otherwise, in $XDG_RUNTIME_DIR.
const OF_A_USER: &str = "supervise-1/ctl";

/// How long process 1 may take: it answers within one turn of its loop, and most often at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nobody listens at any of these.
    NotThere(Vec<(PathBuf, Errno)>),
    /// The same, and there is one more place, which only a variable names.
    NowhereToLook(Vec<(PathBuf, Errno)>),
    /// We may not ask there.
    Forbidden(PathBuf),
    /// Somebody listens, who could not answer here.
    Elsewhere(PathBuf),
    /// Somebody listens, and says nothing.
    Silent(PathBuf),
    /// What was said is no answer.
    Strange(PathBuf),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::NotThere(tried) => f.write_str(&listed(tried)),
            Unanswered::NowhereToLook(tried) => {
                write!(f, "{}; it is not root's, and XDG_RUNTIME_DIR is not set", listed(tried))
            }
            Unanswered::Forbidden(path) => {
                let whose = if is_of_root(path) { "root's and --ctl-group's" } else { "its user's" };
                write!(f, "{}: permission denied; it is {whose}", path.display())
            }
            Unanswered::Elsewhere(path) => write!(
                f,
                "{}: it could not answer to this network namespace; ask in its own, by docker exec or \
                 `nsenter --all --target PID`",
                path.display()
            ),
            Unanswered::Silent(path) => {
                write!(f, "{}: no answer within {PATIENCE:?}; it may be done all the same", path.display())
            }
            Unanswered::Strange(path) => write!(f, "{}: the answer is none of this supervise's", path.display()),
        }
    }
}

fn listed(tried: &[(PathBuf, Errno)]) -> String {
    tried.iter().map(|(path, errno)| format!("{}: {errno}", path.display())).collect::<Vec<_>>().join("; ")
}

/// Whether process 1 has its socket there if it is root.
pub(super) fn is_of_root(path: &Path) -> bool {
    path == Path::new(PATH)
}

/// Where process 1 may listen.
fn places(environment: &Environment) -> Vec<PathBuf> {
    let entries = environment.entries();
    let of_user = entries.filter_map(|entry| entry.to_bytes().strip_prefix(b"XDG_RUNTIME_DIR="));
    let of_user = of_user.filter_map(|dir| std::str::from_utf8(dir).ok()).filter(|dir| dir.starts_with('/'));
    let of_user = of_user.take(1).map(|dir| Path::new(dir).join(OF_A_USER));
    [PathBuf::from(PATH)].into_iter().chain(of_user).collect()
}

/// Says it to process 1, wherever that listens.
pub(super) fn ask(message: &Message, environment: &Environment) -> Result<Reply, Unanswered> {
    ask_in(&places(environment), message, PATIENCE).map_err(where_else)
}

/// Where it may be besides.
fn where_else(why: Unanswered) -> Unanswered {
    match why {
        Unanswered::NotThere(tried) if tried.len() == 1 && process_1::other_user().is_some() => {
            Unanswered::NowhereToLook(tried)
        }
        why => why,
    }
}

/// Asks to be told what happens. With the answer comes a socket for that, if there is one for us.
pub(super) fn subscribe(
    message: &Message,
    environment: &Environment,
) -> Result<(Line, Reply, Option<OwnedFd>), Unanswered> {
    first_of(&places(environment), |place| {
        let line = Line::open(place, PATIENCE)?;
        let (reply, socket) = line.subscribe(message)?;
        Ok((line, reply, socket))
    })
    .map_err(where_else)
}

/// Asks at the first of the places where somebody is.
fn ask_in(places: &[PathBuf], message: &Message, patience: Duration) -> Result<Reply, Unanswered> {
    first_of(places, |place| ask_at(place, message, patience))
}

fn first_of<T>(places: &[PathBuf], ask: impl Fn(&Path) -> Result<T, Unanswered>) -> Result<T, Unanswered> {
    let mut tried = Vec::new();
    for place in places {
        match ask(place) {
            Err(Unanswered::NotThere(nobody)) => tried.extend(nobody),
            answered => return answered,
        }
    }
    Err(Unanswered::NotThere(tried))
}

fn ask_at(path: &Path, message: &Message, patience: Duration) -> Result<Reply, Unanswered> {
    Line::open(path, patience)?.ask(message)
}

/// A line to process 1.
#[derive(Debug)]
pub(super) struct Line {
    socket: UnixDatagram,
    path: PathBuf,
    /// Where it is answered, if that is a file.
    back: Option<PathBuf>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(back) = &self.back {
            // Nobody is asked any more.
            let _ = fs::remove_file(back);
        }
    }
}

impl Line {
    /// Opens it. From here on nobody else can send to us. Process 1 may take so long for each answer.
    pub(super) fn open(path: &Path, patience: Duration) -> Result<Line, Unanswered> {
        Line::open_to(path, patience, is_near(path))
    }

    fn open_to(path: &Path, patience: Duration, is_near: io::Result<bool>) -> Result<Line, Unanswered> {
        let unnamed =
            Line::unnamed(path).and_then(|line| line.connected(patience)).map_err(|error| failed(path, error))?;
        if let Ok(true) = is_near {
            return Ok(unnamed);
        }
        match (Line::beside(path).and_then(|line| line.connected(patience)), is_near) {
            (Ok(beside), _) => Ok(beside),
            (Err(_), Ok(_)) => Err(Unanswered::Elsewhere(path.to_owned())),
            (Err(_), Err(_)) => Ok(unnamed),
        }
    }

    /// Answered at a name of the kernel's choice.
    fn unnamed(path: &Path) -> io::Result<Line> {
        let socket = UnixDatagram::unbound()?;
        name_anyhow(&socket)?;
        Ok(Line { socket, path: path.to_owned(), back: None })
    }

    /// Answered at a file beside the socket.
    fn beside(path: &Path) -> io::Result<Line> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let back = path.with_file_name(format!("{ANSWERS}{}-{:x}", std::process::id(), now.as_nanos()));
        Ok(Line { socket: UnixDatagram::bind(&back)?, path: path.to_owned(), back: Some(back) })
    }

    fn connected(self, patience: Duration) -> io::Result<Line> {
        introduce(&self.socket)?;
        self.socket.set_write_timeout(Some(patience))?;
        self.socket.set_read_timeout(Some(patience))?;
        self.socket.connect(&self.path)?;
        if let Some(back) = &self.back {
            // Process 1 may be another user.
            fs::set_permissions(back, Permissions::from_mode(0o666))?;
        }
        Ok(self)
    }

    /// Asks. After an error another answer may be this one's.
    pub(super) fn ask(&self, message: &Message) -> Result<Reply, Unanswered> {
        again(|| self.socket.send(&message.encode())).map_err(|error| failed(&self.path, error))?;
        // One more than an answer has: what is longer must not look like one.
        let mut answer = [0; Reply::SIZE + 1];
        let length = again(|| self.socket.recv(&mut answer)).map_err(|error| match failed(&self.path, error) {
            // It was there when we asked.
            Unanswered::NotThere(_) => Unanswered::Silent(self.path.clone()),
            other => other,
        })?;
        let reply = Reply::decode(answer.get(..length).unwrap_or_default());
        reply.ok_or_else(|| Unanswered::Strange(self.path.clone()))
    }

    /// Asks for what comes with a socket.
    fn subscribe(&self, message: &Message) -> Result<(Reply, Option<OwnedFd>), Unanswered> {
        again(|| self.socket.send(&message.encode())).map_err(|error| failed(&self.path, error))?;
        let mut answer = [0; Reply::SIZE + 1];
        let (length, socket) = loop {
            match receive_with_descriptor(&self.socket, &mut answer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break done.map_err(|error| failed(&self.path, error))?,
            }
        };
        let reply = Reply::decode(answer.get(..length).unwrap_or_default());
        let reply = reply.ok_or_else(|| Unanswered::Strange(self.path.clone()))?;
        Ok((reply, socket))
    }

    /// The number of its descriptor.
    pub(super) fn raw(&self) -> i32 {
        self.socket.as_raw_fd()
    }
}

/// Whether the socket there is one of our network namespace, by its name: the two last words of it, as the way there may
/// be written in several ways.
fn is_near(path: &Path) -> io::Result<bool> {
    let name: PathBuf = path.components().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let name = [b"/", name.as_os_str().as_bytes()].concat();
    Ok(fs::read("/proc/net/unix")?.split(|byte| *byte == b'\n').any(|line| line.ends_with(&name)))
}

fn failed(path: &Path, error: io::Error) -> Unanswered {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::PermissionDenied, _) => Unanswered::Forbidden(path.to_owned()),
        // Its queue is full, or nothing came.
        (ErrorKind::WouldBlock | ErrorKind::TimedOut, _) => Unanswered::Silent(path.to_owned()),
        (_, errno) => Unanswered::NotThere(vec![(path.to_owned(), Errno(errno.unwrap_or(libc::EIO)))]),
    }
}

/// A job's Ctrl-Z and `fg` interrupt a call that has a timeout.
fn again(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use supervise_init::core::request::{Answer, Facts, Message, Reply, Request, Standing, Text, Verb, Wish};

    use super::{Errno, PATIENCE, Unanswered, ask_at, ask_in};

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("supervise-talk-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).expect("the folder is ours");
            Folder(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("ctl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn message(verb: Verb) -> Message {
        let request = Request::orderly(Wish::Poweroff);
        Message { verb, request, wall: true, when: 1 << 50, client: None, text: Text::new("bye") }
    }

    /// An answer of a process 1 that runs.
    pub(in crate::request) fn reply(answer: Answer) -> Reply {
        Reply {
            answer,
            standing: Standing::Running,
            scheduled: None,
            main: 7,
            restarts: 0,
            up: 1500,
            facts: Facts::NONE,
        }
    }

    /// Answers one message with these bytes, and says what it was.
    fn answering(socket: UnixDatagram, bytes: Vec<u8>) -> JoinHandle<Option<Message>> {
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            let (length, from) = socket.recv_from(&mut buffer).expect("somebody asks");
            socket.send_to_addr(&bytes, &from).expect("it waits for the answer");
            Message::decode(&buffer[..length])
        })
    }

    #[test]
    fn a_message_is_answered_at_an_address_of_the_kernels_choice() {
        for (verb, answer) in [(Verb::End, Answer::Accepted), (Verb::Cancel, Answer::NothingScheduled)] {
            let folder = Folder::new();
            let server = UnixDatagram::bind(folder.socket()).expect("the folder is ours");
            let server = answering(server, reply(answer).encode().to_vec());
            let answered = ask_at(&folder.socket(), &message(verb), PATIENCE).expect("it is answered");
            assert_eq!(answered, reply(answer));
            assert_eq!(server.join().expect("it was asked"), Some(message(verb)));
        }
    }

    #[test]
    fn where_nobody_is_the_next_place_is_asked() {
        let folder = Folder::new();
        let (file, stale) = (folder.0.join("file"), folder.0.join("stale"));
        fs::write(&file, "").expect("the folder is ours");
        // A socket that nobody has open any more.
        drop(UnixDatagram::bind(&stale).expect("the folder is ours"));
        let nobody = [folder.0.join("missing"), file.join("ctl"), stale];
        let answered = ask_in(&nobody, &message(Verb::Status), PATIENCE);
        let Err(Unanswered::NotThere(tried)) = answered else { panic!("{answered:?}") };
        let errnos = [libc::ENOENT, libc::ENOTDIR, libc::ECONNREFUSED].map(Errno);
        assert_eq!(tried, nobody.iter().cloned().zip(errnos).collect::<Vec<_>>());
        let server = UnixDatagram::bind(folder.socket()).expect("the folder is ours");
        let server = answering(server, reply(Answer::Accepted).encode().to_vec());
        let places: Vec<PathBuf> = nobody.into_iter().chain([folder.socket()]).collect();
        assert!(ask_in(&places, &message(Verb::Status), PATIENCE).is_ok());
        assert!(server.join().is_ok());
    }

    #[test]
    fn who_says_nothing_is_not_waited_for_for_ever() {
        let folder = Folder::new();
        let _server = UnixDatagram::bind(folder.socket()).expect("the folder is ours");
        let patience = Duration::from_millis(1);
        // Until its queue is full, and then too.
        for _ in 0..20 {
            let answered = ask_at(&folder.socket(), &message(Verb::End), patience);
            assert!(matches!(answered, Err(Unanswered::Silent(_))), "{answered:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        let good = reply(Answer::Accepted).encode().to_vec();
        for bytes in [b"".to_vec(), b"ok".to_vec(), good[1..].to_vec(), [&good[..], b"x"].concat(), vec![0; 900]] {
            let folder = Folder::new();
            let server = answering(UnixDatagram::bind(folder.socket()).expect("the folder is ours"), bytes);
            let answered = ask_at(&folder.socket(), &message(Verb::End), PATIENCE);
            assert!(matches!(answered, Err(Unanswered::Strange(_))), "{answered:?}");
            assert!(server.join().is_ok());
        }
    }
}
