//! What systemd's clients have said, as strace(1) shows it: the same of 252, 257 and 262.

pub(super) const HANDSHAKE: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

pub(super) const HELLO: &[u8] = b"l\x01\0\x01\0\0\0\0\x01\0\0\0m\0\0\0\x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0\x03\x01s\0\x05\0\0\0Hello\0\0\0\x02\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0\x06\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0";

/// `shutdown +5 going down`
pub(super) const WALL: &[u8] = b"l\x01\0\x01\x14\0\0\0\x02\0\0\0\x88\0\0\0\x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\x03\x01s\0\x0e\0\0\0SetWallMessage\0\0\x02\x01s\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\x08\x01g\0\x02sb\0\x0a\0\0\0going down\0\0\x01\0\0\0";
pub(super) const SCHEDULE: &[u8] = b"l\x01\0\x01\x18\0\0\0\x03\0\0\0\x90\0\0\0\x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\x03\x01s\0\x10\0\0\0ScheduleShutdown\0\0\0\0\0\0\0\0\x02\x01s\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\x08\x01g\0\x02st\0\x08\0\0\0poweroff\0\0\0\0ebLr@a\x06\0";
pub(super) const SCHEDULED_FOR: u64 = u64::from_le_bytes(*b"ebLr@a\x06\0");
pub(super) const SHOW: &[u8] = b"l\x01\0\x01:\0\0\0\x04\0\0\0\x80\0\0\0\x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\x03\x01s\0\x03\0\0\0Get\0\0\0\0\0\x02\x01s\0\x1f\0\0\0org.freedesktop.DBus.Properties\0\x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\x08\x01g\0\x02ss\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\x11\0\0\0ScheduledShutdown\0";
pub(super) const CANCEL: &[u8] = b"l\x01\0\x01\0\0\0\0\x03\0\0\0\x87\0\0\0\x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\x03\x01s\0\x17\0\0\0CancelScheduledShutdown\0\x02\x01s\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0";

/// `systemctl poweroff`
pub(super) const POWEROFF: &[u8] = b"l\x01\x04\x01\x08\0\0\0\x03\0\0\0\x8f\0\0\0\x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\x03\x01s\0\x11\0\0\0PowerOffWithFlags\0\0\0\0\0\0\0\x02\x01s\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\x08\x01g\0\x01t\0\0\0\0\0\0\0\0\0\0";

/// `poweroff`, where logind cannot be reached.
pub(super) const START: &[u8] = b"l\x01\0\x01-\0\0\0\x01\0\0\0\xa0\0\0\0\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\x03\x01s\0\x09\0\0\0StartUnit\0\0\0\0\0\0\0\x02\x01s\0 \0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0\x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\x08\x01g\0\x02ss\0\x0f\0\0\0poweroff.target\0\x14\0\0\0replace-irreversibly\0";
pub(super) const GET_UNIT: &[u8] = b"l\x01\0\x01\x14\0\0\0\x02\0\0\0\x97\0\0\0\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\x03\x01s\0\x07\0\0\0GetUnit\0\x02\x01s\0 \0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0\x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\x08\x01g\0\x01s\0\0\x0f\0\0\0poweroff.target\0";

/// `systemctl exit 3`
pub(super) const EXIT_CODE: &[u8] = b"l\x01\x04\x01\x01\0\0\0\x01\0\0\0\x9f\0\0\0\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\x03\x01s\0\x0b\0\0\0SetExitCode\0\0\0\0\0\x02\x01s\0 \0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0\x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\x08\x01g\0\x01y\0\0\x03";
pub(super) const START_EXIT: &[u8] = b"l\x01\x04\x01)\0\0\0\x02\0\0\0\xa0\0\0\0\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\x03\x01s\0\x09\0\0\0StartUnit\0\0\0\0\0\0\0\x02\x01s\0 \0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\0\0\0\0\x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\x08\x01g\0\x02ss\0\x0b\0\0\0exit.target\0\x14\0\0\0replace-irreversibly\0";

/// `systemctl is-system-running`
pub(super) const STATE: &[u8] = b"l\x01\x04\x018\0\0\0\x01\0\0\0\x90\0\0\0\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0\0\0\0\0\0\0\x03\x01s\0\x03\0\0\0Get\0\0\0\0\0\x02\x01s\0\x1f\0\0\0org.freedesktop.DBus.Properties\0\x06\x01s\0\x18\0\0\0org.freedesktop.systemd1\0\0\0\0\0\0\0\0\x08\x01g\0\x02ss\0 \0\0\0org.freedesktop.systemd1.Manager\0\0\0\0\x0b\0\0\0SystemState\0";

/// All of them.
pub(super) const CALLS: [&[u8]; 11] =
    [HELLO, WALL, SCHEDULE, SHOW, CANCEL, POWEROFF, START, GET_UNIT, EXIT_CODE, START_EXIT, STATE];
