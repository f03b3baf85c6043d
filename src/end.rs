//! Our own end, when main died of a signal and we are not PID 1: a shell or make(1) looks for a death by signal, and
//! goes on with its loop after a mere 130.

use log::warn;
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use supervise_init::core::{Signal, Status};
use supervise_init::sys;

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
