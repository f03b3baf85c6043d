//! Explanations of what the kernel says in one word.

mod access;
mod alter;
pub(crate) mod program;
pub(crate) mod start;
pub(crate) mod stop;
