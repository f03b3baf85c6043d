//! `docker stop` of real services under each init, measured and written as a table: of
//! `SUPERVISE_TABLE_ROUNDS` rounds (one, if not said), the median.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::catalogue::{
    BUSY_GUNICORN, BUSY_NGINX, BUSY_SHELL_FORM, NGINX, NPM, PLAIN_NODE, POSTGRES, PYTHON, REDIS, VISITED_POSTGRES,
    WORKERS,
};
use crate::docker::Stopping;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::service::{Process1, Running, Service, Stop, Visitor, start};
use crate::world::{World, cache};

/// What docker waits for before it kills.
const PATIENCE: Duration = Duration::from_secs(10);
/// The exit code of what docker had to kill.
const KILLED: i32 = 137;

struct Row {
    name: &'static str,
    service: &'static Service,
    /// What our init is told; the others have no such options.
    options: &'static [&'static str],
    /// How many of its processes say `saved` when they had time to.
    savers: usize,
    /// Under no init, under another, and under ours.
    ends: [End; 3],
}

/// What must come of a stop on any machine, however slow: an exit code, and how many saved their work or were answered.
#[derive(Clone, Copy)]
struct End(i32, usize);

const ROWS: [Row; 11] = [
    Row { name: "nginx", service: &NGINX, options: &[], savers: 0, ends: [End(0, 0); 3] },
    Row {
        name: "nginx with a request in flight; supervise `--stop-signal QUIT`",
        service: &BUSY_NGINX,
        options: &["--stop-signal", "QUIT"],
        savers: 0,
        ends: [End(0, 0), End(0, 0), End(0, 1)],
    },
    Row { name: "redis-server", service: &REDIS, options: &[], savers: 0, ends: [End(0, 0); 3] },
    Row { name: "postgres", service: &POSTGRES, options: &[], savers: 0, ends: [End(0, 0); 3] },
    Row {
        name: "postgres with an idle client; supervise `--stop-signal TERM:2s,INT:5s,KILL`",
        service: &VISITED_POSTGRES,
        options: &["--stop-signal", "TERM:2s,INT:5s,KILL"],
        savers: 0,
        ends: [End(KILLED, 0), End(KILLED, 0), End(0, 0)],
    },
    Row {
        name: "gunicorn with a request in flight",
        service: &BUSY_GUNICORN,
        options: &[],
        savers: 0,
        ends: [End(0, 1); 3],
    },
    Row {
        name: "the same in shell form, `gunicorn ...; echo ended`",
        service: &BUSY_SHELL_FORM,
        options: &[],
        savers: 0,
        ends: [End(KILLED, 0), End(143, 0), End(143, 1)],
    },
    Row {
        name: "node without a handler",
        service: &PLAIN_NODE,
        options: &[],
        savers: 0,
        ends: [End(KILLED, 0), End(143, 0), End(143, 0)],
    },
    Row {
        name: "npm start, of a node that saves its work in half a second",
        service: &NPM,
        options: &[],
        savers: 1,
        // As process 1 npm cannot die of the signal, and calls that an error.
        ends: [End(1, 0), End(143, 0), End(143, 1)],
    },
    Row {
        name: "bash with two background workers",
        service: &WORKERS,
        options: &[],
        savers: 2,
        ends: [End(KILLED, 0), End(143, 0), End(143, 2)],
    },
    Row {
        name: "python3 -m http.server",
        service: &PYTHON,
        options: &[],
        savers: 0,
        ends: [End(KILLED, 0), End(143, 0), End(143, 0)],
    },
];

/// An init and its program in the image.
enum Init {
    None,
    Other(&'static str),
    /// It tells its session and exits at once: who is faster is a matter of luck.
    Lucky(&'static str),
    Ours,
}

const INITS: [Init; 5] =
    [Init::None, Init::Other("tini"), Init::Lucky("dumb-init"), Init::Other("catatonit"), Init::Ours];

impl Init {
    const fn name(&self) -> &'static str {
        match self {
            Self::None => "no init",
            Self::Other(name) | Self::Lucky(name) => name,
            Self::Ours => "supervise",
        }
    }

    const fn process_1(&self, row: &Row) -> Process1<'static> {
        match self {
            Self::None => Process1::Command,
            Self::Other(name) | Self::Lucky(name) => Process1::Init(name, &[]),
            Self::Ours => Process1::Init("/supervise", row.options),
        }
    }

    const fn end(&self, row: &Row) -> End {
        let [none, other, ours] = row.ends;
        match self {
            Self::None => none,
            Self::Other(_) | Self::Lucky(_) => other,
            Self::Ours => ours,
        }
    }
}

/// A cell whose stops have all begun.
struct Cell<'w> {
    row: &'static Row,
    init: &'static Init,
    stops: Vec<Progress<'w>>,
}

enum Progress<'w> {
    /// One that docker will kill: nothing happens meanwhile, so others can be measured.
    Begun(Running<'w>, Stopping),
    Ended(Stop),
}

pub(crate) fn the_stop_table(world: &World) -> Outcome {
    let rounds = std::env::var("SUPERVISE_TABLE_ROUNDS").map_or(Ok(1), |rounds| rounds.parse()).map_err(failed)?.max(1);
    let mut cells = Vec::new();
    for (row, init) in ROWS.iter().flat_map(|row| INITS.iter().map(move |init| (row, init))) {
        let stops = (0..rounds).map(|_| begin(world, row, init)).collect::<Result<Vec<_>, _>>()?;
        cells.push(Cell { row, init, stops });
    }
    let mut table = String::from("| `docker stop` of |");
    INITS.iter().for_each(|init| table += &format!(" {} |", init.name()));
    table += &format!("\n|---{}|", "|---".repeat(INITS.len()));
    let mut wrong = Vec::new();
    for Cell { row, init, stops } in cells {
        if matches!(init, Init::None) {
            write!(table, "\n| {} |", row.name).map_err(failed)?;
        }
        let mut stops = stops.into_iter().map(end).collect::<Result<Vec<_>, _>>()?;
        for reason in stops.iter().filter_map(|stop| objection(stop, row, init)) {
            wrong.push(format!("{} under {}: {reason}", row.name, init.name()));
        }
        stops.sort_by_key(|stop| stop.took);
        write!(table, " {} |", shown(&stops[rounds / 2], row)).map_err(failed)?;
    }
    println!("{table}");
    fs::write(cache().join("stop-table.md"), table + "\n").map_err(failed)?;
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn begin<'w>(world: &'w World, row: &Row, init: &Init) -> Result<Progress<'w>, Trouble> {
    let mut running = start(world, row.service, init.process_1(row))?;
    let stopping = running.container.begin_stop(&[]);
    if init.end(row).0 == KILLED {
        return Ok(Progress::Begun(running, stopping));
    }
    running.see_stop(stopping).map(Progress::Ended)
}

fn end(progress: Progress) -> Result<Stop, Trouble> {
    match progress {
        Progress::Begun(mut running, stopping) => running.see_stop(stopping),
        Progress::Ended(stop) => Ok(stop),
    }
}

fn shown(stop: &Stop, row: &Row) -> String {
    let code = stop.ended.code.map_or("?".into(), |code| code.to_string());
    let mut cell = format!("{:.1} s, {code}", stop.took.as_secs_f32());
    if stop.ended.code == Some(KILLED) {
        cell += ", killed";
    }
    match (row.savers, stop.ended.lines("saved")) {
        (0, _) => {}
        (1, 0) => cell += "; not saved",
        (1, _) => cell += "; saved",
        (savers, saved) => cell += &format!("; {saved} of {savers} workers finished"),
    }
    if matches!(row.service.visitor, Visitor::Request(_)) {
        cell += if stop.answered { "; answered" } else { "; request cut off" };
    }
    cell
}

/// What must hold on any machine, however slow.
fn objection(stop: &Stop, row: &Row, init: &Init) -> Option<String> {
    let End(code, done) = init.end(row);
    if stop.ended.code != Some(code) {
        return Some(format!("exit code {:?} instead of {code}:\n{}", stop.ended.code, stop.ended.output));
    }
    if code != KILLED && stop.took >= PATIENCE {
        return Some(format!("took {:?}", stop.took));
    }
    let found = stop.ended.lines("saved") + usize::from(stop.answered);
    let wrong = !matches!(init, Init::Lucky(_)) && found != done;
    wrong.then(|| format!("{found} instead of {done} finished:\n{}", stop.ended.output))
}
