//! What process 1 offers to those who ask.

use core::ffi::CStr;

use super::Places;
use crate::sys::Door;

/// What is offered, and where.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The FIFO, and the directory that it is in.
    pub initctl: Option<(&'static CStr, &'static CStr)>,
    /// Another name of the FIFO, and the directory that it is in.
    pub link: (&'static CStr, &'static CStr),
    /// The control socket's directory, and its path in that.
    pub control: Option<(&'static CStr, &'static CStr)>,
    /// Who may use the control socket.
    pub door: Door,
    /// What systemd's clients look for.
    pub bus: Option<&'static Places>,
    /// The file that closes logins while it is there, and what it says. One that an earlier run has left is removed.
    pub nologin: (&'static CStr, &'static str),
    /// The user whose word counts as root's.
    pub owner: u32,
    /// Somebody is likely to look for the control socket: that there is none is to be said.
    pub is_missed: bool,
}
