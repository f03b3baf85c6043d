//! `supervise`: everything around process 1. The process itself is the crate `supervise-init`.
