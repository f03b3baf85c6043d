//! The standard streams of a user who is not the one that we were given them as. A pipe belongs to who made it, and is open
//! to that user alone: `/dev/stdout` cannot be opened by another one, though it is open already.

use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd as _, BorrowedFd};

use log::debug;
use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod};
use nix::sys::statfs::{FsType, fstatfs};

/// statfs(2).
const PIPEFS: FsType = FsType(0x5049_5045);

/// Lets every user open those that are pipes. Who is not the same user finds no way to them but by a descriptor that is
/// open (proc_pid_fd(5)); and they stay their maker's, who may use them after us. What has a name, also a FIFO, and what is
/// a terminal, is the host's and stays as it is.
pub(crate) fn open_to_all() {
    let (input, output, errors) = (stdin(), stdout(), stderr());
    for fd in [input.as_fd(), output.as_fd(), errors.as_fd()] {
        if let Err(errno) = open_pipe_to_all(fd) {
            debug!(event = "streams"; "a pipe among the standard streams stays closed to the user: {}", errno.desc());
        }
    }
}

fn open_pipe_to_all(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    match fstatfs(fd)?.filesystem_type() {
        PIPEFS => fchmod(fd, Mode::from_bits_truncate(0o666)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd as _, BorrowedFd};

    use nix::sys::stat::{Mode, fchmod, fstat};
    use nix::unistd::{mkfifo, pipe};

    use super::open_pipe_to_all;

    #[test]
    fn a_pipe_is_opened_to_all_and_nothing_that_has_a_name() {
        let mode = |file: BorrowedFd<'_>| fstat(file).expect("it is open").st_mode & 0o777;
        let (read, write) = pipe().expect("there are descriptors");
        open_pipe_to_all(read.as_fd()).expect("it is ours");
        assert_eq!(mode(write.as_fd()), 0o666, "both ends are one file");
        let folder = std::env::temp_dir().join(format!("streams-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("it is new");
        mkfifo(&folder.join("fifo"), Mode::from_bits_truncate(0o600)).expect("it is new");
        File::create(folder.join("file")).expect("it is new");
        for name in ["fifo", "file"] {
            let file = File::options().read(true).write(true).open(folder.join(name)).expect("it is there");
            fchmod(&file, Mode::from_bits_truncate(0o600)).expect("it is ours");
            open_pipe_to_all(file.as_fd()).expect("nothing is done");
            assert_eq!(mode(file.as_fd()), 0o600, "{name}");
        }
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
