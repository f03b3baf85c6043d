//! Files that people name, read before anything is started and with every signal blocked: nothing here may wait for
//! what may never come, or read without end.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, read_link};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

/// The largest file of variables, users or groups, in bytes.
pub(super) const LARGEST: u64 = 16 * 1024 * 1024;

/// What the file holds; `None` if that is more than `most` bytes. A pipe that is open already is read to its end
/// (`--env-file <(command)`). A FIFO is refused: to open one, or to read it, waits for a writer.
pub(super) fn read(path: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut options = OpenOptions::new();
    // Close-on-exec by itself.
    let options = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let mut file = options.open(OsStr::from_bytes(path))?;
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() {
        file = waiting(&file)?;
    } else if kind.is_block_device() {
        return Err(io::Error::other("it is a disk; give a file"));
    }
    let mut content = Vec::new();
    match file.take(most + 1).read_to_end(&mut content) {
        // A terminal, say.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other("it is a device that must be waited for; give a file"))
        }
        Err(error) => Err(error),
        Ok(_) => Ok((content.len() as u64 <= most).then_some(content)),
    }
}

/// The same pipe, read with waiting, if it is one without a name: then whoever opened it is there to end it. Without
/// /proc no path leads to such a pipe.
fn waiting(pipe: &File) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    if read_link(&path).is_ok_and(|target| target.as_os_str().as_bytes().starts_with(b"pipe:")) {
        // To open it anew is how to be rid of O_NONBLOCK; it does not wait, as a FIFO would (fifo(7)).
        return File::open(path);
    }
    Err(io::Error::other("it is a FIFO, which could be waited for without end; give a file, or <(command)"))
}
