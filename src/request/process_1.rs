//! Process 1, as others can see it: whether it is a supervise, and one that takes signals for requests.
//!
//! 1. Its words and its environment are read as it has read them itself, by the same functions.
//! 2. What cannot be seen is not guessed: a signal that is no request there is forwarded, and kills what runs.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use nix::unistd::{Gid, Uid, getegid, geteuid, setfsgid, setfsuid};
use supervise_init::sys::{Environment, Errno, Words};

use super::ways::Barred;
use crate::cli;
use crate::surroundings::Surroundings;
use crate::{Name, called_as, places};

const WORDS: &str = "/proc/1/cmdline";
const ENVIRONMENT: &str = "/proc/1/environ";

/// Whether it is what we are, by its own name or by whatever other.
pub(super) fn is_supervise() -> bool {
    name() == "supervise" || is_our_executable()
}

pub(super) fn name() -> String {
    let name = fs::read("/proc/1/comm").unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

fn is_our_executable() -> bool {
    let file = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file("/proc/1/exe").is_some_and(|theirs| file("/proc/self/exe") == Some(theirs))
}

/// The user that it is, if that is not root.
pub(super) fn other_user() -> Option<u32> {
    fs::metadata("/proc/1").ok().map(|process| process.uid()).filter(|uid| *uid != 0)
}

/// Whether a supervise that was started so takes signals for requests.
pub(super) fn hears_signals() -> Result<(), Barred> {
    judge(strings(WORDS)?, strings(ENVIRONMENT)?)
}

fn judge(words: Vec<&'static CStr>, environment: Vec<&'static CStr>) -> Result<(), Barred> {
    let words = Words::new(places(words.len()), words);
    let environment = Environment::new(places(environment.len()), environment);
    let (Some(words), Some(mut environment)) = (words, environment) else { return Err(Barred::Deaf("has no words")) };
    if let Some(Name::Init(_)) = called_as(&words) {
        return Err(Barred::Deaf("has another init's name"));
    }
    match cli::parse(&words, Surroundings::take(&mut environment).variables()) {
        Ok(cli::Request::Run(options)) if options.requests => Ok(()),
        Ok(cli::Request::Run(_)) => Err(Barred::Deaf("has --requests off")),
        // It runs nothing, or is of another version.
        Ok(_) | Err(_) => Err(Barred::Deaf("has words that are none of an init's")),
    }
}

/// The strings of the file, each of which a NUL ends.
fn strings(path: &'static str) -> Result<Vec<&'static CStr>, Barred> {
    let bytes = read_as_its_user(path)
        .map_err(|error| Barred::Unseen(path, Errno(error.raw_os_error().unwrap_or(libc::EIO))))?;
    let strings =
        bytes.split_inclusive(|byte| *byte == 0).filter_map(|string| CString::from_vec_with_nul(string.to_vec()).ok());
    Ok(strings.map(|string| &*Box::leak(string.into_boxed_c_str())).collect())
}

/// Root without CAP_SYS_PTRACE, as docker has it, may not look at the environment of another user's process, but that user
/// may (ptrace(2), `PTRACE_MODE_READ_FSCREDS`).
fn read_as_its_user(path: &str) -> io::Result<Vec<u8>> {
    if let Ok(process) = fs::metadata("/proc/1") {
        // The group first: who is not root any more may not change it.
        setfsgid(Gid::from_raw(process.gid()));
        setfsuid(Uid::from_raw(process.uid()));
    }
    let bytes = fs::read(path);
    setfsuid(geteuid());
    setfsgid(getegid());
    bytes
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};

    use super::{Barred, judge};

    fn leaked(line: &str) -> Vec<&'static CStr> {
        let leak = |word| &*Box::leak(CString::new(word).expect("no NUL").into_boxed_c_str());
        line.split_whitespace().map(leak).collect()
    }

    #[test]
    fn a_signal_goes_only_to_who_takes_it_for_a_request() {
        for (words, environment, deaf) in [
            ("supervise -- sleep 9", "PATH=/bin", None),
            ("/sbin/init -v sleep --requests off", "", None),
            ("supervise --requests on -- sleep 9", "SUPERVISE_REQUESTS=off", None),
            ("supervise wait-for file:/x -- sleep 9", "SUPERVISE_STRICT=1", None),
            ("supervise --requests off -- sleep 9", "", Some("has --requests off")),
            ("supervise --requests=off -- sleep 9", "SUPERVISE_REQUESTS=on", Some("has --requests off")),
            ("supervise -- sleep 9", "A=b SUPERVISE_REQUESTS=off", Some("has --requests off")),
            ("/sbin/docker-init -- sleep 9", "", Some("has another init's name")),
            ("tini sleep 9", "SUPERVISE_STRICT=1", Some("has another init's name")),
            ("supervise wait-for file:/x", "", Some("has words that are none of an init's")),
            ("supervise --of-tomorrow -- sleep 9", "", Some("has words that are none of an init's")),
            ("", "", Some("has words that are none of an init's")),
        ] {
            let said = match judge(leaked(words), leaked(environment)) {
                Ok(()) => None,
                Err(Barred::Deaf(why)) => Some(why),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(said, deaf, "{words}; {environment}");
        }
    }
}
