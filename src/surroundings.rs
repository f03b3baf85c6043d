//! What the environment told us, and took with it: what is ours is not the command's.

use std::ffi::CStr;

use log::{LevelFilter, warn};
use supervise_init::core::request::Manager;
use supervise_init::sys::{self, Environment, Format, Pid, Static, this_process};

use crate::cli::{self, Variables};

/// What the environment told us.
pub(crate) struct Surroundings {
    ourselves: Pid,
    pub(crate) path: Option<&'static CStr>,
    log: Option<&'static CStr>,
    log_format: Option<&'static CStr>,
    strict: Option<&'static CStr>,
    runtime_dir: Option<&'static CStr>,
    manager: Manager,
    /// We are the process 1 of a container that `supervise run` has made.
    in_our_container: bool,
    /// `None`: the environment gives no options.
    variables: Option<&'static mut Variables>,
    pub(crate) pid_entries: [Option<&'static CStr>; 2],
}

/// On the stack they would stay in memory where there are none.
static VARIABLES: Static<Variables> = Static::new();

/// What sysvinit tells its children about itself, which is not true below us.
const OF_ANOTHER_INIT: [&[u8]; 3] = [b"RUNLEVEL=", b"PREVLEVEL=", b"INIT_VERSION="];

impl Surroundings {
    /// Reads the environment once and takes out of it what is not the payload's.
    pub(crate) fn take(environment: &mut Environment) -> Surroundings {
        let ourselves = this_process();
        let mut found = Surroundings {
            ourselves,
            path: None,
            log: None,
            log_format: None,
            strict: None,
            runtime_dir: None,
            manager: Manager::Other,
            in_our_container: false,
            variables: None,
            pid_entries: [None; 2],
        };
        environment.retain(Surroundings::may_be_read, |entry| found.look_at(entry));
        found
    }

    /// The first bytes of what is looked at.
    fn may_be_read(first: u8) -> bool {
        matches!(first, b'P' | b'S' | b'L' | b'W' | b'R' | b'I' | b'X' | b'c')
    }

    /// Whether the entry is the payload's.
    fn look_at(&mut self, entry: &'static CStr) -> bool {
        let bytes = entry.to_bytes();
        match bytes.first() {
            Some(b'P') if bytes.starts_with(b"PATH=") => self.path = after(entry, b"PATH="),
            Some(b'X') if bytes.starts_with(b"XDG_RUNTIME_DIR=") => {
                self.runtime_dir = after(entry, b"XDG_RUNTIME_DIR=").filter(|path| !path.is_empty());
            }
            Some(b'c') if matches!(bytes, b"container=lxc" | b"container=systemd-nspawn") => {
                self.manager = Manager::OfSystems;
            }
            Some(b'c') if bytes == b"container=supervise" => self.in_our_container = self.is_pid_1(),
            Some(b'S') if bytes.starts_with(b"SUPERVISE_") => return !self.take_variable(entry),
            // sd_listen_fds(3) and sd_watchdog_enabled(3) compare these with the reader's own pid.
            Some(b'L') if self.names_us(bytes, b"LISTEN_PID=") => self.pid_entries[0] = Some(entry),
            Some(b'W') if self.names_us(bytes, b"WATCHDOG_PID=") => self.pid_entries[1] = Some(entry),
            Some(b'R' | b'P' | b'I') if self.is_pid_1() => {
                return !OF_ANOTHER_INIT.iter().any(|name| bytes.starts_with(name));
            }
            _ => {}
        }
        true
    }

    /// Whether the entry is a variable of ours. Others that begin so are somebody else's: Kubernetes makes
    /// `SUPERVISE_PORT` for a service of that name.
    fn take_variable(&mut self, entry: &'static CStr) -> bool {
        let Some(pair) = after(entry, b"SUPERVISE_") else { return false };
        let bytes = pair.to_bytes();
        let Some(length) = bytes.iter().position(|byte| *byte == b'=') else { return false };
        let value = CStr::from_bytes_with_nul(pair.to_bytes_with_nul().get(length + 1..).unwrap_or_default()).ok();
        let place = match bytes.get(..length).unwrap_or_default() {
            b"LOG" => &mut self.log,
            b"LOG_FORMAT" => &mut self.log_format,
            b"STRICT" => &mut self.strict,
            name => match cli::place_of_variable(name).and_then(|place| self.variables_to_change().get_mut(place)) {
                Some(place) => place,
                None => return false,
            },
        };
        // The first counts, as for getenv(3).
        *place = place.or(value);
        true
    }

    /// The options that the environment gives.
    pub(crate) fn variables(&self) -> &Variables {
        self.variables.as_deref().unwrap_or(&cli::NO_VARIABLES)
    }

    /// The same, now that there is one.
    fn variables_to_change(&mut self) -> &mut Variables {
        self.variables.get_or_insert_with(|| crate::room(&VARIABLES, || cli::NO_VARIABLES))
    }

    fn names_us(&self, entry: &[u8], name: &[u8]) -> bool {
        let value = entry.strip_prefix(name).and_then(|value| std::str::from_utf8(value).ok());
        value.is_some_and(|value| value.parse() == Ok(self.ourselves.number()))
    }

    /// Where programs are looked for.
    pub(crate) fn search_path(&self) -> &'static CStr {
        self.path.unwrap_or(sys::DEFAULT_PATH)
    }

    pub(crate) fn ourselves(&self) -> Pid {
        self.ourselves
    }

    /// Whether all is to be as another init does it; the error is what is neither yes nor no.
    pub(crate) fn strict(&self) -> Result<bool, &'static CStr> {
        let Some(value) = self.strict.filter(|value| !value.is_empty()) else { return Ok(false) };
        cli::yes_or_no(value.to_str().unwrap_or_default()).ok_or(value)
    }

    /// Where files of a user who is not root go while that one is logged in.
    pub(crate) fn runtime_dir(&self) -> Option<&'static CStr> {
        self.runtime_dir
    }

    /// What runs the container.
    pub(crate) fn manager(&self) -> Manager {
        self.manager
    }

    /// Whether `supervise run` watches us from outside.
    pub(crate) fn is_in_our_container(&self) -> bool {
        self.in_our_container
    }

    /// What the environment says of the log, as `run` passes it on.
    pub(crate) fn log_variables(&self) -> [(&'static str, Option<&'static CStr>); 2] {
        [("SUPERVISE_LOG", self.log), ("SUPERVISE_LOG_FORMAT", self.log_format)]
    }

    /// Whether it is said what is to be logged.
    pub(crate) fn has_level(&self) -> bool {
        self.log.is_some_and(|word| !word.is_empty())
    }

    /// From here on lines can be logged.
    pub(crate) fn install_log(&self) {
        sys::install_log(LevelFilter::Info, self.format().unwrap_or(Format::Text));
    }

    /// What is logged will look as it should, by whatever log.
    pub(crate) fn prepare_log(&self) {
        sys::set_log_format(self.format().unwrap_or(Format::Text));
    }

    pub(crate) fn is_pid_1(&self) -> bool {
        self.ourselves.number() == 1
    }

    /// As `SUPERVISE_LOG_FORMAT` says; what it cannot mean is text, and `None`.
    pub(crate) fn format(&self) -> Option<Format> {
        let Some(word) = self.log_format.filter(|word| !word.is_empty()) else { return Some(Format::Text) };
        word.to_str().ok().and_then(crate::format_named)
    }

    /// What is logged from here on: as it is `asked` for, else as `SUPERVISE_LOG` says.
    pub(crate) fn set_level(&self, asked: Option<LevelFilter>) {
        let level = asked.unwrap_or_else(|| self.level());
        // Why nothing was started is always said.
        log::set_max_level(level.max(LevelFilter::Error));
        if self.format().is_none()
            && let Some(word) = self.log_format
        {
            warn!("SUPERVISE_LOG_FORMAT={}: no log format (text, json); taken as text", word.to_string_lossy());
        }
    }

    /// As `SUPERVISE_LOG` says. Our environment may be another program's: what it cannot mean is no error.
    fn level(&self) -> LevelFilter {
        let Some(word) = self.log else { return LevelFilter::Info };
        match word.to_str().map(str::parse) {
            Ok(Ok(level)) => level,
            // A compose file sets what it has no value for to nothing.
            _ if word.is_empty() => LevelFilter::Info,
            _ => {
                warn!(
                    "SUPERVISE_LOG={}: no log level (off, error, warn, info, debug, trace); taken as info",
                    word.to_string_lossy()
                );
                LevelFilter::Info
            }
        }
    }
}

fn after(entry: &'static CStr, name: &[u8]) -> Option<&'static CStr> {
    CStr::from_bytes_with_nul(entry.to_bytes_with_nul().get(name.len()..)?).ok()
}
