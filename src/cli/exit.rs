//! Our own exit codes. Main's is computed in the core.

/// What was waited for was not ready in time (as timeout(1) has it).
pub(crate) const TIMED_OUT: u8 = 124;
/// Wrong use, or we ourselves failed (as docker, env(1) and timeout(1) have it).
pub(crate) const FAILURE: u8 = 125;
/// The command cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The command, or the interpreter that it names, does not exist.
pub(crate) const NOT_FOUND: u8 = 127;
/// We did what was asked.
pub(crate) const SUCCESS: u8 = 0;
/// A client of process 1 could not do what it was asked, or knows that all is not well (as theirs end too).
pub(crate) const NOT_DONE: u8 = 1;
/// `supervise check`: a check failed.
pub(crate) const CHECK_FAILED: u8 = 1;
/// `supervise check`: the program was not seen to be told to stop, so nothing can be said.
pub(crate) const INCONCLUSIVE: u8 = 2;
