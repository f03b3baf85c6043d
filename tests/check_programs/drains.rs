//! A program in plain Rust that people tell to stop: with a handler as they write it, or without one. `slowly` has more to
//! do at its end than others wait for.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let (mut told, handler) = UnixStream::pair()?;
    let way = std::env::args().nth(1).unwrap_or_default();
    if ["handler", "slowly"].contains(&way.as_str()) {
        signal_hook::low_level::pipe::register(libc::SIGTERM, handler.try_clone()?)?;
    }
    println!("ready");
    // What writes to it is open to the end, so that only a signal is heard.
    told.read_exact(&mut [0])?;
    drop(handler);
    if way == "slowly" {
        thread::sleep(Duration::from_secs(3));
    }
    println!("drained");
    io::stdout().flush()
}
