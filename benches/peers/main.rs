//! `cargo bench`: `supervise` against the other inits, as ratios in one run on one machine.
//!
//! ```text
//! cargo bench                          the full form, some minutes: prints the table; 1 if any target is missed
//! cargo bench -- --short               for CI, under a minute: the timed rows are told but do not fail
//! cargo bench -- --only start,idle     some rows (sizes start memory instructions calls forward reap idle dead), the table
//!                                      of our names (names), that of restarts and health checks (lives), that of what
//!                                      becomes another user (users), or those of containers (containers)
//! SUPERVISE_BIN=FILE cargo bench       judges that binary instead of the one just built
//! ```
//!
//! A peer that is missing leaves its column empty and is named on stderr; with `CI=true` that fails the run. Needs root
//! (or a kernel that gives user namespaces), Debian's tini, dumb-init, catatonit and gosu, and for the first run
//! musl-tools and python3-pip.
//!
//! 1. Everything that is measured runs in a PID namespace of the bench (made by `unshare --kill-child`, which the bench
//!    becomes), with an empty /run: whatever happens, no process and no file outlives it.
//! 2. Exact rows (counts, memory, sizes) are gates everywhere; timed rows only in the full form, on a quiet machine.

mod containers;
mod error;
mod inits;
mod link;
mod lives;
mod memory;
mod names;
mod payload;
mod place;
mod proc;
mod run;
mod sys;
mod table;
mod timing;
mod tiny;
mod trace;
mod users;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::unistd::geteuid;

use error::{Doing, Result};
use inits::Init;
use payload::Kind as Payload;
use run::Place;
use table::{Columns, Judged, Kind, Row, Target, Verdict, median};
use timing::Compared;

/// The first word of the bench once it is in its namespaces.
const INSIDE: &str = "inside";

/// The names of the rows, or groups of rows, in the order of the table.
const ROWS: [&str; 9] = ["start", "memory", "instructions", "calls", "forward", "reap", "idle", "dead", "sizes"];

/// The name of the table of what becomes another user.
const USERS: &str = "users";

/// The name of the table of those that supervise can be called.
const CALLED: &str = "names";

/// The name of the table of restarts and health checks.
const LIVES: &str = "lives";

/// The name of the tables of containers.
const CONTAINERS: &str = "containers";

/// How much of everything.
#[derive(Clone, Debug)]
struct Scale {
    short: bool,
    only: Vec<String>,
    starts: usize,
    forwards: usize,
    reapings: usize,
    orphans: usize,
    exact: usize,
    idle: Duration,
}

/// At once, in the last row.
const DEAD: usize = 10_000;

fn main() -> ExitCode {
    let mut words = env::args().skip(1).peekable();
    if words.next_if(|word| word == payload::WORD).is_some() {
        return payload::main(words);
    }
    let inside = words.next_if(|word| word == INSIDE).is_some();
    let words: Vec<String> = words.collect();
    // `cargo test --all-targets` runs a bench too, and does not say this word.
    if !words.iter().any(|word| word == "--bench") {
        eprintln!("peers: run by `cargo bench`; nothing to test");
        return ExitCode::SUCCESS;
    }
    let Some(scale) = Scale::parse(&words) else {
        eprintln!(
            "peers: usage: cargo bench -- [--short] [--only {},{CALLED},{LIVES},{USERS},{CONTAINERS}]",
            ROWS.join(",")
        );
        return ExitCode::from(125);
    };
    let done = if inside { measure_all(&scale) } else { go_inside(&words) };
    done.unwrap_or_else(|error| {
        eprintln!("peers: {error}");
        ExitCode::from(125)
    })
}

impl Scale {
    fn parse(words: &[String]) -> Option<Self> {
        let (mut short, mut only) = (false, Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--short" => short = true,
                "--only" => only.extend(words.next()?.split(',').map(str::to_owned)),
                _ => return None,
            }
        }
        if only.iter().any(|name| ![&ROWS[..], &[USERS, CALLED, LIVES, CONTAINERS]].concat().contains(&name.as_str())) {
            return None;
        }
        let (starts, forwards, reapings, orphans, exact) =
            if short { (60, 5000, 5, 1000, 3) } else { (600, 20_000, 21, 1000, 5) };
        let idle = Duration::from_secs(if short { 2 } else { 10 });
        Some(Self { short, only, starts, forwards, reapings, orphans, exact, idle })
    }

    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == row)
    }
}

/// Becomes PID 1 of a namespace that ends with it. What needs the network is done before.
fn go_inside(words: &[String]) -> Result<ExitCode> {
    if let Err(error) = inits::prepare() {
        eprintln!("peers: warning: cannot build {}: {error}", inits::MUSL);
    }
    let itself = env::current_exe().doing("find", "the bench's own file")?;
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--").arg(itself).arg(INSIDE).args(words);
    Err(command.exec()).doing("run", "unshare")
}

fn measure_all(scale: &Scale) -> Result<ExitCode> {
    const NONE: Option<&str> = None;
    link::look();
    if let Err(cause) = mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), NONE) {
        eprintln!("peers: warning: cannot hide /run: {cause}; an init may leave files there");
    }
    let inits = inits::find();
    let missing: Vec<&str> =
        inits::NAMES.into_iter().zip(&inits).filter(|(_, init)| init.is_none()).map(|p| p.0).collect();
    for name in &missing {
        eprintln!("peers: warning: {name} is not here; its column stays empty");
    }
    let mut rows = Vec::new();
    for name in ROWS.into_iter().filter(|name| scale.wants(name)) {
        eprintln!("peers: measuring {name}");
        rows.extend(measure(name, scale, &inits)?);
    }
    conditions(scale);
    if !rows.is_empty() {
        table::print(&rows);
    }
    let mut judged: Vec<Judged> = rows.iter().map(Row::judged).collect();
    if scale.wants(CALLED) {
        eprintln!("peers: measuring {CALLED}");
        judged.extend(names::measure(&inits, scale.starts, scale.exact)?);
    }
    if scale.wants(LIVES) {
        eprintln!("peers: measuring {LIVES}");
        judged.extend(lives::measure(&inits, scale.starts, scale.exact)?);
    }
    if scale.wants(USERS) {
        eprintln!("peers: measuring {USERS}");
        users::print(&inits, scale.starts)?;
    }
    if scale.wants(CONTAINERS) {
        eprintln!("peers: measuring {CONTAINERS}");
        judged.extend(containers::measure(&inits, scale.starts)?);
    }

    Ok(judge(scale, &judged))
}

fn measure(name: &str, scale: &Scale, inits: &[Option<Init>]) -> Result<Vec<Row>> {
    use Kind::{Exact, Timed};
    let exact = |measure: &dyn Fn(&Init) -> Result<f64>| each(inits, scale.exact, measure);
    Ok(match name {
        "start" => {
            let (start, whole) = timing::starts(inits, scale.starts)?;
            let label = |what, of: &Compared| format!("{what}, us (payload alone {:.0})", bare(of));
            vec![
                Row::new(label("added start time", &start), Timed, Target::OfMusl(1.0), start.columns),
                Row::new(label("added to the whole run", &whole), Timed, Target::None, whole.columns),
            ]
        }
        "memory" => vec![
            Row::new("resident memory, kB", Exact, Target::AtMost(100.0), exact(&resident)),
            Row::new("of it private and dirty, kB", Exact, Target::AtMost(40.0), exact(&private_dirty)),
        ],
        "instructions" => vec![
            Row::new(
                "instructions to the first fork",
                Exact,
                Target::AtMost(12_000.0),
                exact(&|init| trace::instructions(init, Place::Beside)),
            ),
            // How much one of them maps is the kernel's choice, and what it has in memory another program's.
            Row::new("page faults to the first fork", Exact, Target::None, exact(&trace::page_faults)),
        ],
        "calls" => {
            let calls = |place| exact(&move |init: &Init| trace::system_calls(init, place));
            vec![
                Row::new("system calls, start to end", Exact, Target::AtMost(20.0), calls(Place::Beside)),
                // 17, and 17 for the FIFO, the socket and the way back for a reboot.
                Row::new("the same as PID 1", Exact, Target::AtMost(34.0), calls(Place::First)),
            ]
        }
        "forward" => {
            let forward = timing::forwards(inits, scale.forwards)?;
            let label = format!("forwarding one signal, us (direct {:.1})", bare(&forward));
            vec![Row::new(label, Timed, Target::OfBest(1.05), forward.columns)]
        }
        "reap" => {
            let cpu = |kind| timing::reaping(inits, scale.reapings, kind, scale.orphans);
            let (stream, burst) = (cpu(Payload::Stream(scale.orphans))?, cpu(Payload::Burst(scale.orphans))?);
            vec![
                // Woken less often than in a burst's storm, the peers reap several at once as well, at half the cost of
                // a lone orphan; what is left to us is near the price of wait4(2) itself. On a quiet machine it is 0.5.
                Row::new("CPU per orphan of a stream, us", Timed, Target::OfBest(0.6), stream),
                Row::new("CPU per orphan of a burst, us", Timed, Target::OfBest(0.4), burst),
            ]
        }
        "idle" => vec![idle(scale, inits)],
        "dead" => {
            let left = each(inits, 1, &|init: &Init| timing::left_of_dead(init, DEAD));
            vec![Row::new(format!("left of {DEAD} dead orphans"), Exact, Target::AtMost(0.0), left)]
        }
        _ => vec![Row::new("size of the file, kB of 1000", Exact, Target::Below(1500.0), each(inits, 1, &size))],
    })
}

/// Measures each init `times` times.
fn each(inits: &[Option<Init>], times: usize, measure: &dyn Fn(&Init) -> Result<f64>) -> Columns {
    let column = |init: &Init| (0..times).map(|_| measure(init)).collect();
    inits.iter().map(|init| init.as_ref().map(column)).collect()
}

fn resident(init: &Init) -> Result<f64> {
    memory::at_first_sleep(init).map(|memory| memory.resident)
}

fn private_dirty(init: &Init) -> Result<f64> {
    memory::at_first_sleep(init).map(|memory| memory.private_dirty)
}

fn size(init: &Init) -> Result<f64> {
    fs::metadata(&init.path).doing("read the size of", init.path.display()).map(|file| file.len() as f64 / 1e3)
}

fn idle(scale: &Scale, inits: &[Option<Init>]) -> Row {
    let seconds = scale.idle.as_secs_f64();
    let columns = trace::idle(inits, scale.idle).into_iter();
    let columns = columns.map(|column| Some(column?.map(|calls| vec![calls * 10.0 / seconds]))).collect();
    let said = if scale.short { format!(" (scaled from {seconds:.0} s)") } else { String::new() };
    Row::new(format!("idle system calls in 10 s{said}"), Kind::Exact, Target::AtMost(0.0), columns)
}

fn bare(compared: &Compared) -> f64 {
    median(&compared.bare).unwrap_or(f64::NAN)
}

/// What the figures depend on.
fn conditions(scale: &Scale) {
    let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let form = if scale.short { "short" } else { "full" };
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    println!("{form} form, kernel {kernel}, {cpus} CPUs, load {load}; kB of memory are 1024 bytes\n");
}

/// Names what fails the run.
fn judge(scale: &Scale, all: &[Judged]) -> ExitCode {
    let ci = env::var_os("CI").is_some_and(|value| value == "true");
    let mut failed = false;
    for Judged { what, kind, verdict, empty } in all {
        let gate = *kind == Kind::Exact || !scale.short;
        match verdict {
            Verdict::Missed(how) if gate => {
                eprintln!("peers: missed: {what}: {how}");
                failed = true;
            }
            Verdict::Missed(how) => eprintln!("peers: warning: missed, timed on a busy machine: {what}: {how}"),
            Verdict::Told | Verdict::Met(_) | Verdict::Unjudged => {}
        }
        // Without a figure of our own nothing was reached; a peer may be missing outside CI.
        for name in empty {
            eprintln!("peers: {what}: {name} was not measured");
            failed |= ci || *name == inits::OURS;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
