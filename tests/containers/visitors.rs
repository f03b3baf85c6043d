//! Who is there when a service is stopped: a client whose request is not answered yet, or one that is
//! connected and idle.
//!
//! A request goes through a directory that the container has as `/shared`: the client is here and
//! connects to the service's socket `front`, and the service asks `upstream`, which is here too. So
//! the request is in flight for exactly as long as this side wants, on any machine.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::docker::{Container, Docker};
use crate::runner::Trouble;
use crate::sandbox::failed;
use crate::world;

/// The end of the answer, which a client has only if it has all of it.
const LAST_WORDS: &str = "the whole answer\n";
/// It ends a hang, it measures nothing.
const LIMIT: Duration = Duration::from_secs(60);
const LIMIT_MS: u16 = 60_000;

/// A directory that is shared with a container, and the upstream server in it.
pub(crate) struct Shared {
    path: PathBuf,
    directory: File,
    upstream: UnixListener,
}

impl Shared {
    /// `files` are names and contents of what the service finds in it.
    pub(crate) fn new(files: &[(&str, &str)]) -> Result<Self, Trouble> {
        let path = world::new_directory("shared")?;
        // The services have users of their own.
        let everybody = || Permissions::from_mode(0o777);
        fs::set_permissions(&path, everybody()).map_err(failed)?;
        for (name, content) in files {
            fs::write(path.join(name), content).map_err(failed)?;
        }
        let directory = File::open(&path).map_err(failed)?;
        let upstream = UnixListener::bind(in_directory(&directory, "upstream")).map_err(failed)?;
        fs::set_permissions(path.join("upstream"), everybody()).map_err(failed)?;
        Ok(Self { path, directory, upstream })
    }

    /// What `docker run --volume` is told.
    pub(crate) fn volume(&self) -> String {
        format!("{}:/shared", self.path.display())
    }

    /// Sends a request and returns when the service has passed it on to its upstream server.
    pub(crate) fn request(&self) -> Result<Request, Trouble> {
        let mut client = UnixStream::connect(in_directory(&self.directory, "front")).map_err(failed)?;
        client.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").map_err(failed)?;
        let mut asked = [PollFd::new(self.upstream.as_fd(), PollFlags::POLLIN)];
        if poll(&mut asked, PollTimeout::from(LIMIT_MS)).map_err(failed)? == 0 {
            return Err(Trouble::Failed("the service does not ask its upstream server".into()));
        }
        Ok(Request { client, upstream: self.upstream.accept().map_err(failed)?.0 })
    }
}

/// A path short enough for the name of a socket, wherever the directory is.
fn in_directory(directory: &File, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", directory.as_raw_fd())
}

/// A request that waits for its answer.
pub(crate) struct Request {
    client: UnixStream,
    upstream: UnixStream,
}

impl Request {
    /// Lets the upstream server answer; returns whether the client then had the whole answer.
    pub(crate) fn answer(mut self) -> Result<bool, Trouble> {
        let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{LAST_WORDS}", LAST_WORDS.len());
        // The service may have ended meanwhile; what counts is what the client has.
        drop(self.upstream.write_all(answer.as_bytes()));
        // Not closed yet: what was asked has not been read, so that would be a reset, which overtakes the answer.
        drop(self.upstream.shutdown(Shutdown::Write));
        let mut got = Vec::new();
        match self.client.read_to_end(&mut got) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(failed(error)),
            _ => Ok(got.ends_with(LAST_WORDS.as_bytes())),
        }
    }
}

/// A session of `psql` that asks nothing.
pub(crate) struct IdleClient {
    psql: Child,
}

impl IdleClient {
    /// Returns when it is connected.
    pub(crate) fn connect(docker: &Docker, container: &Container) -> Result<Self, Trouble> {
        let mut psql = docker
            .command(["exec", "--interactive", "--user=postgres", &container.name, "psql", "--no-psqlrc", "-At"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        // The pipe stays open in `psql`: at its end the session would end too.
        psql.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(b"select 'connected';\n")).map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = psql.stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        let client = Self { psql };
        if line == "connected\n" { Ok(client) } else { Err(Trouble::Failed(format!("psql said `{line}`"))) }
    }
}

impl Drop for IdleClient {
    fn drop(&mut self) {
        drop(self.psql.stdin.take());
        // It ends with its server at the latest.
        drop(self.psql.wait());
    }
}
