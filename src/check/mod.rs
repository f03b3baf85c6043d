//! The shutdown tester: what a program does when it is told to stop, and why.
//!
//! `scenario` is what is asked for, `record` what was seen, `finding` what is said of it; [`judge`] makes the last of the
//! two before it and looks at nothing else, so what it says can be tested without a process.

pub(crate) mod explain;
pub(crate) mod finding;
pub(crate) mod judge;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod scenario;

#[cfg(test)]
mod made_up;
