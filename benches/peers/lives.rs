//! Starting the command again, and looking after it: what no peer does. A table of its own.
//!
//! **Restart** is the time from the first instruction of a life of the payload, which says when that was and ends, to the
//! first instruction of the next one: the payload's own end, and from its death to its exec again. It is compared, within
//! each round, with the plain start: from just before the spawn of supervise to the first instruction of its payload.
//!
//! **Memory** is what process 1 keeps between two health checks when it has done some, with `--restart`; and what it keeps
//! when the command has said by sd_notify(3) that it is ready.

use std::io::pipe;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::error::{Doing, Result};
use crate::inits::{Init, OURS};
use crate::memory;
use crate::payload::Kind as Payload;
use crate::place::Ahead;
use crate::proc::sleep_of;
use crate::run::{Place, Talking, Watch, command, nanoseconds, poll_until, read_by_deadline, start};
use crate::table::{Judged, Kind, RESOLUTION, Verdict, judged, median, ratios};
use crate::timing::{interleave, start_command};
use crate::tiny;

/// The lives of one run, whose median is one sample.
const LIVES: usize = 9;
/// As many restarts.
const RESTARTS: &[&str] = &["--restart", "always", "--restart-delay", "0", "--restart-limit", "8/1h"];
/// The most that a restart may take of a plain start.
const TIMES: f64 = 2.0;

/// Restarts at hand, and a check ten times a second.
const LOOKED_AFTER: &[&str] = &["--restart", "always", "--health", "exec:true"];
const INTERVAL: &[&str] = &["--health-interval", "100ms"];
/// So often process 1 has slept when some checks are over.
const SLEPT: u64 = 40;
/// kB that it may have then.
const MOST: f64 = 1024.0;

/// What the command says of itself is heard.
const HEARD: &[&str] = &["--ready", "sd_notify"];
/// kB that it may have when it has slept so often.
const MOST_HEARD: f64 = 160.0;

/// Measures and prints them; returns what they come to.
pub(crate) fn measure(inits: &[Option<Init>], rounds: usize, times: usize) -> Result<Vec<Judged>> {
    let Some(ours) = inits.iter().flatten().find(|init| init.name == OURS) else { return Ok(vec![]) };
    println!("\n| the lives of a command | | |\n|---|---|---|");
    let restart = restarts(ours, rounds)?;
    let samples = (0..times).map(|_| looked_after(ours)).collect::<Result<Vec<f64>>>()?;
    let checked = resident("resident memory with --restart and --health, kB", &samples, MOST);
    let samples = (0..times).map(|_| heard(ours)).collect::<Result<Vec<f64>>>()?;
    let heard = resident("resident memory with --ready sd_notify, kB", &samples, MOST_HEARD);
    Ok(vec![restart, checked, heard])
}

fn resident(what: &str, samples: &[f64], most: f64) -> Judged {
    let resident = median(samples).unwrap_or(f64::NAN);
    told(what, Kind::Exact, resident, judged(resident <= most, format!("{resident:.0} <= {most}")))
}

fn told(what: &str, kind: Kind, figure: f64, verdict: Verdict) -> Judged {
    let how = match &verdict {
        Verdict::Met(how) => format!("{how}: met"),
        Verdict::Missed(how) => format!("{how}: **missed**"),
        Verdict::Told | Verdict::Unjudged => String::new(),
    };
    println!("| {what} | {figure:.*} | {how} |", usize::from(kind == Kind::Timed));
    Judged { what: what.to_owned(), kind, verdict, empty: Vec::new() }
}

/// From one life to the next, beside plain starts.
fn restarts(ours: &Init, rounds: usize) -> Result<Judged> {
    let _ahead = Ahead::of_others();
    let payload = tiny::stamp()?;
    let again = Init { options: RESTARTS, ..ours.clone() };
    let mut columns = interleave(2, rounds, |which| {
        Some(match which {
            0 => {
                start_command(command(Some(ours), Place::Beside, &payload, &[]), Place::Beside).map(|(start, _)| start)
            }
            _ => restart_once(&again, &payload),
        })
    })
    .into_iter()
    .flatten();
    let plain = columns.next().unwrap_or_else(|| Ok(Vec::new()))?;
    let restarts = columns.next().unwrap_or_else(|| Ok(Vec::new()))?;
    let ratio = median(&ratios(&restarts, &plain)).unwrap_or(f64::NAN);
    let verdict = judged(ratio <= TIMES + RESOLUTION, format!("{ratio:.2} <= {TIMES} x the plain start"));
    let what =
        format!("restart, from a start to the next one, us (plain start {:.0})", median(&plain).unwrap_or(f64::NAN));
    Ok(told(&what, Kind::Timed, median(&restarts).unwrap_or(f64::NAN), verdict))
}

/// Microseconds from life to life, in the middle.
fn restart_once(init: &Init, payload: &Path) -> Result<f64> {
    let mut command = command(Some(init), Place::Beside, payload, &[]);
    let (mut stamps, write) = pipe().doing("make", "a pipe")?;
    command.stdout(OwnedFd::from(write));
    let running = start(command, Place::Beside, Watch::Free)?;
    let mut times = Vec::with_capacity(LIVES);
    for _ in 0..LIVES {
        times.push(nanoseconds(read_by_deadline(&mut stamps, &running.name)?));
    }
    running.wait_success()?;
    let between: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1e3).collect();
    Ok(median(&between).unwrap_or(f64::NAN))
}

/// kB that process 1 has between two checks.
fn looked_after(ours: &Init) -> Result<f64> {
    let options = [LOOKED_AFTER, INTERVAL].concat();
    let init = Init { options: options.leak(), ..ours.clone() };
    memory::write_back(&init.path)?;
    let talking = Talking::ready(Some(&init), Place::First, Payload::Sleep)?;
    let pid = talking.running.pid;
    poll_until("some checks", init.name, || Ok(sleep_of(pid)?.1 >= SLEPT))?;
    memory::once_asleep(pid, init.name).map(|memory| memory.resident)
}

/// kB that an init has whose command has said that it is ready. Not as process 1, whose socket would be in the machine's /run.
fn heard(ours: &Init) -> Result<f64> {
    let init = Init { options: HEARD, ..ours.clone() };
    memory::write_back(&init.path)?;
    let talking = Talking::ready(Some(&init), Place::Beside, Payload::Notify)?;
    memory::once_asleep(talking.running.pid, init.name).map(|memory| memory.resident)
}
