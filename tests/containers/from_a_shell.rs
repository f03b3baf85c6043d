//! Real services that a shell runs: supervise is not process 1 there, and finds its descendants itself.

use crate::catalogue::{NPM, VISITED_POSTGRES};
use crate::docker::Ended;
use crate::runner::{Outcome, Trouble};
use crate::service::{Process1, Service, start};
use crate::world::World;

const TINI: Process1 = Process1::Init("tini", &[]);

/// A job of a shell, which tells what became of it.
macro_rules! job {
    ($command:literal) => {
        &[
            "bash",
            "-c",
            concat!(
                "set -m; ",
                $command,
                " & echo $! >pid; wait $!; echo ended with $?; pgrep -x 'postgres|node' >/dev/null && echo left behind"
            ),
        ]
    };
}

const LADDER: Service = Service {
    command: job!("/supervise --stop-signal TERM:500ms,INT:8s,KILL -- bash postgres.sh"),
    ..VISITED_POSTGRES
};
const PLAIN: Service = Service { command: job!("npm start"), ..NPM };
const SUPERVISED: Service = Service { command: job!("/supervise -- npm start"), ..NPM };

pub(crate) fn postgres_with_an_idle_client_ends_by_the_second_rung(world: &World) -> Outcome {
    let ended = terminate(world, &LADDER)?;
    assert_eq!((ended.count("ended with 0"), ended.count("left behind")), (1, 0), "{ended:?}");
    assert_eq!(ended.count("received fast shutdown request"), 1, "{ended:?}");
    assert_eq!(ended.count("database system is shut down"), 1, "{ended:?}");
    Ok(())
}

pub(crate) fn npm_leaves_nothing_behind(world: &World) -> Outcome {
    let ended = terminate(world, &PLAIN)?;
    assert_eq!((ended.count("saved"), ended.count("left behind")), (0, 1), "{ended:?}");
    let ended = terminate(world, &SUPERVISED)?;
    assert_eq!((ended.count("saved"), ended.count("left behind")), (1, 0), "{ended:?}");
    // The shell sees that a signal has ended it.
    assert_eq!(ended.count("ended with 143"), 1, "{ended:?}");
    Ok(())
}

/// Sends SIGTERM to the job alone.
fn terminate(world: &World, service: &Service) -> Result<Ended, Trouble> {
    let mut running = start(world, service, TINI)?;
    running.container.exec("until [ -s /shared/pid ]; do :; done; kill -TERM $(cat /shared/pid)")?;
    running.container.wait_for_end()
}
