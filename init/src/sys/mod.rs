//! The kernel, one function per system call, as raw as process 1 needs it: signals are 64-bit sets (a libc hides
//! some), wait statuses carry real-time signals, and no call allocates.
//!
//! The only place of this crate with `unsafe`.
#![expect(unsafe_code, reason = "system calls; everything above this module forbids it")]

mod alarm;
mod alter;
mod ancillary;
mod capabilities;
mod clock;
mod control;
mod errno;
mod fds;
mod fifo;
mod files;
mod helper;
mod log;
mod mail;
mod memory;
mod notify;
mod outlet;
mod process;
mod raw;
mod session;
mod signals;
mod spawn;
mod stream;
mod tree;
mod wait;
mod words;

pub use self::alarm::Alarm;
pub use self::alter::{Alteration, Alterations};
pub use self::capabilities::{Capabilities, CapabilitySets, bounding_set, has_capability};
pub use self::clock::{microseconds_since_1970, now};
pub use self::control::{ANSWERS, Control, Door, Peer};
pub use self::errno::Errno;
pub use self::fds::{Fd, close_from_3};
pub use self::fifo::Fifo;
pub use self::files::{Directory, OwnFile, make_directory, make_link, remove_directory, unlink};
pub use self::helper::Helper;
pub use self::log::{
    Format, JsonText, Line, Output, STDERR, install as install_log, set_format as set_log_format, write_at_once,
};
pub use self::mail::Mail;
pub use self::memory::{Pages, Static};
pub use self::notify::{Datagram, Notified, Notify, notification_pipe, notify, notify_within, read_notification};
pub use self::outlet::{Outlet, Sent};
pub use self::process::{
    Pid, change_dir_to_root, change_directory, comm, effective_user, is_subreaper, parent, send_parent_death_signal,
    set_subreaper, this_process, working_directory,
};
pub use self::session::{
    Holder, Left as LeftTerminal, Tty, controlling_tty, lead_process_group, leave_terminal, process_group,
    process_group_of, session, session_of, talks_to_terminal, terminal,
};
pub use self::signals::{
    Entry, SigSet, Sleep, Wake, block_all, die_of, forget_dispositions, is_group, is_ignored, send, send_from_parent,
    send_group, set_mask, stop_ourselves,
};
pub use self::spawn::{DEFAULT_PATH, Given, Pipe, Placement, Program, Started, become_program, spawn, spawn_copy};
pub use self::stream::Stream;
pub use self::tree::{Kin, Rest, Told, TreeError, is_signalled_by};
pub use self::wait::{
    Change, Reaped, ended_child, has_children, is_child, reap, reap_child, reap_in_group, wait_child, was_continued,
};
pub use self::words::{Environment, Words};
