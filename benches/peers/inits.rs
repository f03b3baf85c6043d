//! Who is measured: the peers in the order of the table, then `supervise`.
//!
//! Four peers come from Debian's packages. `dumb-init-musl` is what its project publishes, a static musl build; it is
//! rebuilt once from PyPI's source distribution with the flags of its Makefile, and kept in `bench` beside the build
//! profiles' directories.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Doing, Error, Result};

/// One column of the table.
#[derive(Clone, Debug)]
pub(crate) struct Init {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    /// What its manual asks for where it is not PID 1: without it tini warns that it will not reap, and does not.
    pub(crate) beside: &'static [&'static str],
    /// What else it is given, wherever it is.
    pub(crate) options: &'static [&'static str],
}

/// The column that is judged, and the only one that is not a peer.
pub(crate) const OURS: &str = "supervise";
/// The peer that the start is judged by.
pub(crate) const MUSL: &str = "dumb-init-musl";

/// Every column, in order.
pub(crate) const NAMES: [&str; 6] = ["tini", "tini-static", "dumb-init", "catatonit", MUSL, OURS];

const SOURCE: &str =
    "dumb-init==1.2.5 --hash=sha256:2881d15410cc9f175e20a252c2f24331f5ba05c6a8340954d152ff58435e4ca9\n";

/// The columns as found; `None` where a peer is not installed or could not be built.
pub(crate) fn find() -> Vec<Option<Init>> {
    NAMES.into_iter().map(find_one).collect()
}

fn find_one(name: &'static str) -> Option<Init> {
    let path = match name {
        OURS => copy_of_ours().inspect_err(|error| eprintln!("peers: {error}")).ok()?,
        MUSL => cache().join(MUSL),
        debian => Path::new("/usr/bin").join(debian),
    };
    let beside: &[&str] = if name.starts_with("tini") { &["-s"] } else { &[] };
    path.is_file().then_some(Init { name, path, beside, options: &[] })
}

/// The binary as it is installed: copied. What the linker has written, piece by piece, lies in smaller pieces in the
/// page cache, of which the start of a program maps fewer at once: the very same bytes started 0.94 to 0.98 times as fast as
/// dumb-init-musl, or 1.06 to 1.10 times, by who had written the file.
fn copy_of_ours() -> Result<PathBuf> {
    let built = env::var_os("SUPERVISE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_supervise").into(), PathBuf::from);
    let copy = cache().join(OURS);
    fs::create_dir_all(cache()).doing("create", cache().display())?;
    // What is executed still cannot be written to, and is not what is to be measured.
    let _ = fs::remove_file(&copy);
    fs::copy(&built, &copy).doing("copy", built.display())?;
    Ok(copy)
}

/// Where built peers and payloads are kept from run to run.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

/// Builds what is not installed but built. Needs the network the first time only.
pub(crate) fn prepare() -> Result<()> {
    let (dir, made) = (cache(), cache().join(MUSL));
    if made.is_file() {
        return Ok(());
    }
    let work = dir.join("dumb-init-source");
    fs::create_dir_all(&work).doing("create", work.display())?;
    fs::write(work.join("wanted"), SOURCE).doing("write to", work.display())?;
    // The hash makes pip refuse anything but the release that the figures are about.
    run(&work, "python3 -m pip download --quiet --no-binary dumb-init --no-deps --require-hashes -r wanted")?;
    run(&work, "tar -xzf dumb-init-1.2.5.tar.gz --strip-components=1")?;
    run(&work, "musl-gcc -std=gnu99 -static -s -Wall -Werror -O3 -o dumb-init dumb-init.c")?;
    // Renamed into place when complete, so that a build which was cut off is not taken for a peer.
    fs::rename(work.join("dumb-init"), &made).doing("rename to", made.display())
}

fn run(dir: &Path, command: &str) -> Result<()> {
    let mut words = command.split(' ');
    let failed = |why: String| Error::Failed { command: command.to_owned(), why };
    let mut built = Command::new(words.next().unwrap_or_default());
    built.args(words).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    let out = built.output().map_err(|cause| failed(cause.to_string()))?;
    match out.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&out.stderr).lines().last().unwrap_or("no reason given").into())),
    }
}
