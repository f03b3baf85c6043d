//! Explanations of what the kernel says in one word.

pub(crate) mod start;
pub(crate) mod stop;
