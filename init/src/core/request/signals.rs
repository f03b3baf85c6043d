//! Which signals are requests. We are an init that forwards: a signal is passed on unless it is known to be one. The
//! numbers are systemd's (systemd(1), Signals), LXC's, busybox's and finit's; the sender is known by its name only,
//! because a client is often gone when we look.

use super::{Ask, Request, Wish};
use crate::core::{Sender, Signal};

/// Who sent a signal, by its name (/proc/PID/comm).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Program {
    /// `poweroff`.
    Poweroff,
    /// `halt`.
    Halt,
    /// `reboot`.
    Reboot,
    /// `shutdown`.
    Shutdown,
    /// `telinit`, `init` or `systemctl`, who mean something else by a SIGTERM.
    Manager,
    /// `init` that means sysvinit's "open your FIFO again" by SIGUSR1.
    Init,
    /// `busybox`, whatever it was called as.
    Busybox,
    /// Another.
    Other,
}

impl Program {
    /// The program of that name.
    pub fn named(name: &str) -> Program {
        match name {
            "poweroff" => Program::Poweroff,
            "halt" => Program::Halt,
            "reboot" => Program::Reboot,
            "shutdown" => Program::Shutdown,
            "telinit" | "systemctl" => Program::Manager,
            "init" => Program::Init,
            "busybox" => Program::Busybox,
            _ => Program::Other,
        }
    }
}

/// What runs the container, as it says itself (`container=` in the environment of process 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Manager {
    /// LXC or systemd-nspawn: it means a reboot by SIGINT, and sees to a reboot(2).
    OfSystems,
    /// docker, podman, Kubernetes, or who says nothing.
    Other,
}

impl Ask {
    /// What the signal asks for, if anything.
    pub fn of_signal(signal: Signal, sender: Sender, manager: Manager) -> Option<Ask> {
        use Program::{Busybox, Halt, Init, Manager as Telinit, Poweroff, Reboot, Shutdown};
        let (inside, program) = match sender {
            Sender::Client { .. } => return None,
            Sender::Process { program, .. } => (true, program),
            Sender::Kernel | Sender::Outside | Sender::Ourselves => (false, Program::Other),
        };
        let end = |wish| Some(Ask::End(Request::orderly(wish)));
        let at_once = |wish| Some(Ask::End(Request::immediate(wish)));
        match (signal.number(), program) {
            (37, _) => end(Wish::Halt),
            (38, _) => end(Wish::Poweroff),
            (39..=41, _) => end(Wish::Reboot),
            (47, _) => at_once(Wish::Halt),
            (48, _) => at_once(Wish::Poweroff),
            (49..=51, _) => at_once(Wish::Reboot),
            _ if signal == Signal::PWR => end(Wish::Poweroff),
            _ if signal == Signal::INT => {
                let asks = sender == Sender::Outside && manager == Manager::OfSystems;
                if asks { end(Wish::Reboot) } else { None }
            }
            (_, Telinit | Init) if signal == Signal::TERM && inside => Some(Ask::Reexecute),
            (_, Reboot | Busybox) if signal == Signal::TERM && inside => end(Wish::Reboot),
            (_, Poweroff | Shutdown | Halt | Busybox) if signal == Signal::USR2 && inside => end(Wish::Poweroff),
            (_, Halt | Busybox) if signal == Signal::USR1 && inside => end(Wish::Halt),
            (_, Init) if signal == Signal::USR1 && inside => Some(Ask::Reopen),
            _ => None,
        }
    }

    /// Whether it matters who sent the signal.
    pub const fn depends_on_sender(signal: Signal) -> bool {
        matches!(signal, Signal::TERM | Signal::USR1 | Signal::USR2)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Ask, Manager, Program};
    use crate::core::request::{Request, Wish};
    use crate::core::{Sender, Signal};

    const INSIDE: fn(Program) -> Sender = |program| Sender::Process { pid: 7, uid: 0, program };
    const ALL: [Program; 8] = [
        Program::Poweroff,
        Program::Halt,
        Program::Reboot,
        Program::Shutdown,
        Program::Manager,
        Program::Init,
        Program::Busybox,
        Program::Other,
    ];

    fn asked(number: i32, name: &str) -> Option<Ask> {
        by(number, INSIDE(Program::named(name)))
    }

    fn by(number: i32, sender: Sender) -> Option<Ask> {
        Ask::of_signal(Signal::new(number).expect("it is one"), sender, Manager::Other)
    }

    #[test]
    fn systemds_signals_are_requests_whoever_sends_them() {
        for sender in ALL.map(INSIDE).into_iter().chain([Sender::Outside]) {
            let wishes: Vec<_> = (37..=41).chain(47..=51).map(|number| by(number, sender)).collect();
            let [halt, poweroff, reboot] = [Wish::Halt, Wish::Poweroff, Wish::Reboot].map(Request::orderly);
            let now = [Wish::Halt, Wish::Poweroff, Wish::Reboot].map(Request::immediate);
            let expected = [halt, poweroff, reboot, reboot, reboot, now[0], now[1], now[2], now[2], now[2]];
            assert_eq!(wishes, expected.map(|request| Some(Ask::End(request))));
            assert_eq!(by(30, sender), Some(Ask::End(poweroff)));
        }
    }

    #[test]
    fn what_comes_from_outside_or_from_a_mere_kill_is_forwarded() {
        for number in [10, 12, 15] {
            for sender in [Sender::Outside, Sender::Kernel, Sender::Ourselves] {
                assert_eq!(by(number, sender), None);
            }
            for name in ["kill", "sh", "bash", "docker", "nginx", ""] {
                assert_eq!(asked(number, name), None, "{number} {name}");
            }
        }
    }

    #[test]
    fn clients_are_known_by_their_names() {
        let end = |wish| Some(Ask::End(Request::orderly(wish)));
        for (number, name, expected) in [
            (15, "reboot", end(Wish::Reboot)),
            (15, "busybox", end(Wish::Reboot)),
            (15, "telinit", Some(Ask::Reexecute)),
            (15, "init", Some(Ask::Reexecute)),
            (15, "systemctl", Some(Ask::Reexecute)),
            (15, "poweroff", None),
            (12, "poweroff", end(Wish::Poweroff)),
            (12, "shutdown", end(Wish::Poweroff)),
            (12, "halt", end(Wish::Poweroff)),
            (12, "busybox", end(Wish::Poweroff)),
            (12, "reboot", None),
            (10, "halt", end(Wish::Halt)),
            (10, "busybox", end(Wish::Halt)),
            (10, "init", Some(Ask::Reopen)),
            (10, "poweroff", None),
            (1, "busybox", None),
            (2, "busybox", None),
        ] {
            assert_eq!(asked(number, name), expected, "{number} {name}");
        }
    }

    #[test]
    fn only_managers_of_systems_mean_a_reboot_by_an_interrupt() {
        for (manager, sender, expected) in [
            (Manager::OfSystems, Sender::Outside, Some(Ask::End(Request::orderly(Wish::Reboot)))),
            (Manager::OfSystems, Sender::Kernel, None),
            (Manager::OfSystems, INSIDE(Program::Busybox), None),
            (Manager::Other, Sender::Outside, None),
        ] {
            assert_eq!(Ask::of_signal(Signal::INT, sender, manager), expected);
        }
    }
}
