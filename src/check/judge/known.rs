//! Programs that are known to take a signal in a way of their own.

use supervise_init::core::Signal;

use super::super::record::Process;

/// What is special in a program's stop by some signal.
pub(super) struct Known {
    comm: &'static str,
    signal: Signal,
    pub(super) means: &'static str,
    pub(super) cure: &'static str,
}

const KNOWN: [Known; 4] = [
    Known {
        comm: "postgres",
        signal: Signal::TERM,
        means: "SIGTERM is its smart shutdown, which waits until every client has left",
        cure: "stop it by its fast shutdown: STOPSIGNAL SIGINT, or supervise --stop-signal INT",
    },
    Known {
        comm: "uwsgi",
        signal: Signal::TERM,
        means: "SIGTERM makes it load its workers again",
        cure: "start it with --die-on-term, or stop it by SIGQUIT",
    },
    Known { comm: "mariadbd", signal: Signal::INT, means: "it takes no notice of SIGINT", cure: "stop it by SIGTERM" },
    Known {
        comm: "svscan",
        signal: Signal::TERM,
        means: "it takes no notice of SIGTERM as process 1",
        cure: "start it under an init: supervise --kill-mode tree -- svscan",
    },
];

/// What is special in the stop of this program by this signal.
pub(super) fn known(main: &Process, signal: Signal) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.comm == main.comm && known.signal == signal)
}
