//! Our own end, when main died of a signal and we are not PID 1: a shell or make(1) looks for a death by signal, and
//! goes on with its loop after a mere 130.

use std::ffi::CStr;

use log::warn;
use nix::sys::prctl::set_dumpable;
use nix::sys::reboot::RebootMode;
use nix::sys::resource::{Resource, setrlimit};
use supervise_init::core::{OnReboot, Signal, Status};
use supervise_init::sys;

/// Calls reboot(2), by which whoever runs the container is told; where we may not, the code says so that runc makes of it.
pub(crate) fn reboot() -> u8 {
    // It does not return where it is allowed.
    let Err(errno) = nix::sys::reboot::reboot(RebootMode::RB_AUTOBOOT);
    warn!("cannot call reboot(2): {}; ending with {REBOOTED}", errno.desc().to_ascii_lowercase());
    REBOOTED
}

/// What `supervise run` is told by that a container is to be set up again: its process 1 has this name and ends with
/// [`REBOOTED`]. Nobody else can give it that name (proc(5), /proc/PID/comm), and nothing of the outside has to be open in
/// it.
pub(crate) const REBOOTS: &CStr = c"reboot";
/// How it ends then.
pub(crate) const REBOOTED: u8 = OnReboot::CODE;

/// Tells the `supervise run` that watches us.
pub(crate) fn tell_reboot() -> u8 {
    if let Err(errno) = nix::sys::prctl::set_name(REBOOTS) {
        warn!("cannot tell supervise run to begin again: {}; ending with {REBOOTED}", sys::Errno(errno as i32));
    }
    REBOOTED
}

/// Ends us by `signal`, without a core dump of ours; where we survive it, 128 + n is left.
pub(crate) fn die_of(signal: Signal) -> u8 {
    // Main has dumped its own, if any; ours would replace it. One of the two is enough, and both may be refused.
    let refused = setrlimit(Resource::RLIMIT_CORE, 0, 0).and(set_dumpable(false)).err();
    if let Some(errno) = refused {
        warn!("cannot forbid a core dump of our own: {}", sys::Errno(errno as i32));
    }
    // It knows neither real-time signals nor PWR and STKFLT, and survives IO.
    let _ = signal_hook::low_level::emulate_default_handler(i32::from(signal.number()));
    sys::die_of(signal);
    Status::Signaled(signal).shell_code()
}
