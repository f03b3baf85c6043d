//! A program in plain Rust that people tell to stop: with a handler as they write it, or without one.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

fn main() -> io::Result<()> {
    let (mut told, handler) = UnixStream::pair()?;
    let has_handler = std::env::args().nth(1).is_some_and(|word| word == "handler");
    if has_handler {
        signal_hook::low_level::pipe::register(libc::SIGTERM, handler.try_clone()?)?;
    }
    println!("ready");
    // What writes to it is open to the end, so that only a signal is heard.
    told.read_exact(&mut [0])?;
    drop(handler);
    println!("drained");
    io::stdout().flush()
}
