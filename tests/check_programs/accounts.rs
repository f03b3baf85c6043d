//! How the processes of a PID namespace ended, by the kernel's own books: process accounting (acct(2), acct(5)), which
//! writes a record of each process that ends, also of those that the kernel kills because process 1 has ended.

use std::fs;
use std::path::Path;

use crate::harness::Exit;

/// A process that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// In its namespace.
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) exit: Exit,
}

/// What turns the accounting on, in the namespace of who executes it: python, as a shell has no word for it.
pub(crate) const BEGIN: &str = "import ctypes, sys; sys.exit(ctypes.CDLL(None).acct(sys.argv[1].encode()))";

/// The size of a record of the third version.
const RECORD: usize = 64;

/// What the file has. The namespace must be gone: the last records are written by its end.
#[track_caller]
pub(crate) fn read(file: &Path) -> Vec<Entry> {
    let bytes = fs::read(file).expect("the file was made before");
    let entries: Vec<Entry> = bytes.chunks_exact(RECORD).map(entry).collect();
    // An empty book would tell that nobody was killed.
    assert!(!entries.is_empty(), "the kernel keeps no accounts in {}", file.display());
    entries
}

fn entry(record: &[u8]) -> Entry {
    let number = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().expect("it is four bytes"));
    assert_eq!(record[1] & 0x0f, 3, "another version of the records");
    let name = record[48..].split(|byte| *byte == 0).next().unwrap_or_default();
    // As wait(2) has it.
    let status = number(4);
    let exit = match status & 0x7f {
        0 => Exit::Code((status >> 8 & 0xff).cast_signed()),
        signal => Exit::Signal(signal.cast_signed()),
    };
    Entry { pid: number(16), name: String::from_utf8_lossy(name).into_owned(), exit }
}
