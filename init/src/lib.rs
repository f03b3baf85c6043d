//! What is process 1 of a container.
#![no_std]
