//! The root filesystems, which `tests/roots` makes, and what their clients say where no systemd runs.

use std::path::PathBuf;

use nix::unistd::geteuid;

/// A root with its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// systemd 252.
    Bookworm,
    /// systemd 257.
    Trixie,
    /// The same with a D-Bus daemon.
    TrixieWithBus,
    /// systemd of today. It moves, so it is made by `tests/setup --sid` only.
    Sid,
    /// sysvinit 3.06, in bookworm.
    Sysvinit,
    /// A static busybox, and nothing else.
    Busybox,
}

/// Those that every run needs.
const NEEDED: [Root; 5] = [Root::Bookworm, Root::Trixie, Root::TrixieWithBus, Root::Sysvinit, Root::Busybox];

impl Root {
    /// As a case calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Root::Bookworm => "bookworm",
            Root::Trixie => "trixie",
            Root::TrixieWithBus => "trixie with a bus",
            Root::Sid => "sid",
            Root::Sysvinit => "sysvinit's bookworm",
            Root::Busybox => "busybox",
        }
    }

    /// Where it is.
    pub(crate) fn path(self) -> PathBuf {
        let folder = match self {
            Root::Bookworm => "bookworm-systemd",
            Root::Trixie => "trixie-systemd",
            Root::TrixieWithBus => "trixie-dbus",
            Root::Sid => "sid-systemd",
            Root::Sysvinit => "bookworm-sysvinit",
            Root::Busybox => "busybox",
        };
        let roots = std::env::var_os("SUPERVISE_TEST_ROOTS").map(PathBuf::from);
        roots.unwrap_or_else(|| PathBuf::from("/var/cache/supervise-tests/roots")).join(folder).join("root")
    }

    /// Whether it has been made.
    pub(crate) fn exists(self) -> bool {
        self.path().with_file_name("recipe").is_file()
    }

    /// What a client of systemd's says each time it finds that systemd does not run.
    pub(crate) fn not_booted(self) -> [&'static str; 2] {
        let second = match self {
            Root::Bookworm => "Failed to connect to bus: Host is down",
            _ => "Failed to connect to system scope bus via local transport: Host is down",
        };
        ["System has not been booted with systemd as init system (PID 1). Can't operate.", second]
    }
}

/// Why the cases cannot run here, if they cannot.
pub(crate) fn lacking() -> Option<String> {
    if !geteuid().is_root() {
        return Some("root filesystems are entered, which needs root".into());
    }
    let missing = NEEDED.into_iter().find(|root| !root.exists())?;
    Some(format!("{} is not there; tests/setup makes it", missing.path().display()))
}
