//! What a container is made of: each part by itself, with plain values in and one error a part.
//!
//! `rights` says what its processes may do.

pub(crate) mod rights;
