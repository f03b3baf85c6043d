//! `docker stop` of real services under each init, measured and written as a table: of
//! `SUPERVISE_TABLE_ROUNDS` rounds (one, if not said), the median.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::docker::Docker;
use crate::images::DEBIAN;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::world::{World, cache, supervise};

/// What docker waits for before it kills.
const PATIENCE: Duration = Duration::from_secs(10);
/// The exit code of what docker had to kill.
const KILLED: Option<i32> = Some(137);

/// A script that says `ready` (or what `READY` says) when it runs.
struct Service {
    name: &'static str,
    user: &'static str,
    script: &'static str,
    ready: (&'static str, usize),
    /// The exit code under any init.
    code: i32,
    /// Whether it ends on SIGTERM as process 1 too, where only what is handled has an effect.
    handles_term: bool,
    /// How many of its processes say `worker done` when they had time to finish.
    workers: usize,
}

const SERVICES: [Service; 5] = [
    Service {
        name: "nginx",
        user: "root",
        script: "exec nginx -g 'daemon off; error_log stderr notice;'",
        ready: ("start worker process ", 1),
        code: 0,
        handles_term: true,
        workers: 0,
    },
    Service {
        name: "redis-server",
        user: "redis",
        script: "cd /var/lib/redis; exec redis-server --save 60 1",
        ready: ("Ready to accept connections", 1),
        code: 0,
        handles_term: true,
        workers: 0,
    },
    Service {
        name: "postgres",
        user: "postgres",
        script: "exec /usr/lib/postgresql/*/bin/postgres -D /var/lib/postgresql/*/main \
            -c config_file=\"$(echo /etc/postgresql/*/main/postgresql.conf)\"",
        ready: ("ready to accept connections", 1),
        code: 0,
        handles_term: true,
        workers: 0,
    },
    Service {
        name: "bash with two background workers",
        user: "root",
        script: r#"
            worker() {
                trap 'for ((i = 0; i < 50000; i++)); do :; done; echo worker done; exit' TERM
                echo ready
                while :; do sleep 1000 & wait; done
            }
            worker & worker & wait"#,
        ready: ("ready", 2),
        code: 143,
        handles_term: false,
        workers: 2,
    },
    Service {
        name: "python3 -m http.server",
        user: "root",
        script: "exec python3 -u -m http.server",
        ready: ("Serving HTTP", 1),
        code: 143,
        handles_term: false,
        workers: 0,
    },
];

/// An init, its program in the image (none: the service is process 1 itself), and how many of the
/// workers it lets finish where that is certain.
struct Init {
    name: &'static str,
    program: Option<&'static str>,
    saves: Option<usize>,
}

const INITS: [Init; 5] = [
    Init { name: "no init", program: None, saves: Some(0) },
    Init { name: "tini", program: Some("/usr/bin/tini"), saves: Some(0) },
    // It tells its session and exits at once: who is faster is a matter of luck.
    Init { name: "dumb-init", program: Some("/usr/bin/dumb-init"), saves: None },
    Init { name: "catatonit", program: Some("/usr/bin/catatonit"), saves: Some(0) },
    Init { name: "supervise", program: Some("/supervise"), saves: Some(2) },
];

/// One cell.
struct Stop {
    took: Duration,
    code: Option<i32>,
    saved: usize,
}

pub(crate) fn the_stop_table(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    let rounds = std::env::var("SUPERVISE_TABLE_ROUNDS").map_or(Ok(1), |rounds| rounds.parse()).map_err(failed)?.max(1);
    let mut table = String::from("| `docker stop` of |");
    INITS.iter().for_each(|init| table += &format!(" {} |", init.name));
    table += &format!("\n|---{}|\n", "|---".repeat(INITS.len()));
    let mut wrong = Vec::new();
    for service in &SERVICES {
        table += &format!("| {} |", service.name);
        for init in &INITS {
            let mut stops = (0..rounds).map(|_| stop(docker, service, init)).collect::<Result<Vec<_>, _>>()?;
            for reason in stops.iter().filter_map(|stop| objection(stop, service, init)) {
                wrong.push(format!("{} under {}: {reason}", service.name, init.name));
            }
            stops.sort_by_key(|stop| stop.took);
            write!(table, " {} |", shown(&stops[rounds / 2], service)).map_err(failed)?;
        }
        table.push('\n');
    }
    println!("{table}");
    fs::write(cache().join("stop-table.md"), &table).map_err(failed)?;
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn stop(docker: &Docker, service: &Service, init: &Init) -> Result<Stop, Trouble> {
    let binary = format!("{}:/supervise:ro", supervise().display());
    let entrypoint = format!("--entrypoint={}", init.program.unwrap_or("bash"));
    let mut words = vec!["--user", service.user, "--volume", &binary, &entrypoint, DEBIAN];
    if init.program.is_some() {
        words.extend(["--", "bash"]);
    }
    let mut container = docker.run(&[&words[..], &["-c", service.script]].concat())?;
    container.wait_for(service.ready.0, service.ready.1)?;
    let took = container.stop()?;
    let ended = container.wait()?;
    Ok(Stop { took, code: ended.code, saved: ended.count("worker done") })
}

fn shown(stop: &Stop, service: &Service) -> String {
    let code = stop.code.map_or("?".into(), |code| code.to_string());
    let mut cell = format!("{:.1} s, {code}", stop.took.as_secs_f32());
    if stop.code == KILLED {
        cell += ", killed";
    }
    if service.workers > 0 {
        cell += &format!("; {} of {} workers finished", stop.saved, service.workers);
    }
    cell
}

/// What must hold on any machine, however slow.
fn objection(stop: &Stop, service: &Service, init: &Init) -> Option<String> {
    let by_itself = init.program.is_some() || service.handles_term;
    let expected = if by_itself { Some(service.code) } else { KILLED };
    if stop.code != expected {
        return Some(format!("exit code {:?} instead of {expected:?}", stop.code));
    }
    if by_itself && stop.took >= PATIENCE {
        return Some(format!("took {:?}", stop.took));
    }
    match init.saves {
        Some(saves) if stop.saved != saves.min(service.workers) => Some(format!("{} workers finished", stop.saved)),
        _ => None,
    }
}
