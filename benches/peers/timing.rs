//! The timed rows. Each round takes every subject once, so that what else the machine does falls on all of them alike;
//! a round is the unit that figures are paired by. The order is shuffled anew for each: a subject starts faster after a
//! small one than after a large one, and in a fixed order the same binary in two columns differs by a tenth.
//!
//! Bench, inits and payloads are of the real-time class meanwhile. As ordinary processes on a busy machine they wait
//! for others, and not equally long: dumb-init makes a session, which the kernel's autogroups count as another user;
//! its start came out anywhere between 1.2 and 5 times the figure of a quiet machine.
//!
//! **Added start time** is the time from just before the spawn of the init to the first instruction of its payload,
//! which reads the clock itself, less the same time of the payload alone in the same round. It is what a container's
//! user waits for: the exec of the init, its preparation, its fork and the payload's exec. What the init still does
//! beside the payload, and after it, is in the row **whole run**: from the spawn until the init is reaped, less the
//! same for the payload alone.
//!
//! **Forwarding** is the time from just before a SIGUSR1 is sent to the init until the payload has it, all on one CPU:
//! on several, most of it is the waking of an idle CPU, and where the kernel happens to put each pair of processes
//! makes a difference of half between two runs of the same init.
//!
//! **CPU per orphan** is the scheduler's sum for the init alone, from before the first orphan until none is left. The
//! init has a CPU of its own for the same reason: beside a payload on the same CPU it is woken less often.

use std::io::pipe;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};

use crate::error::{Doing, Result};
use crate::inits::Init;
use crate::payload::Kind;
use crate::place::{Ahead, Pinned};
use crate::proc::{children, cpu_time};
use crate::run::{Place, Talking, Watch, command, nanoseconds, poll_until, read_by_deadline, start};
use crate::table::Columns;
use crate::tiny;

/// A row and the same measured without any init.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) bare: Vec<f64>,
    pub(crate) columns: Columns,
}

/// Takes `rounds` rounds; an init that fails once is out, and its reason kept.
pub(crate) fn interleave(count: usize, rounds: usize, mut sample: impl FnMut(usize) -> Option<Result<f64>>) -> Columns {
    let mut columns: Columns = (0..count).map(|_| Some(Ok(Vec::with_capacity(rounds)))).collect();
    let mut order: Vec<usize> = (0..count).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        random.shuffle(&mut order);
        for &which in &order {
            if let Some(Ok(samples)) = &mut columns[which] {
                match sample(which) {
                    Some(Ok(value)) => samples.push(value),
                    Some(Err(error)) => columns[which] = Some(Err(error)),
                    None => columns[which] = None,
                }
            }
        }
    }
    columns
}

/// Marsaglia's xorshift: the same orders in each run, and no relation between neighbours.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, self.below(last + 1));
        }
    }
}

/// Takes the column without an init, the first, off.
pub(crate) fn split(mut columns: Columns) -> Result<Compared> {
    let bare = columns.remove(0).unwrap_or_else(|| Ok(Vec::new()))?;
    Ok(Compared { bare, columns })
}

/// Microseconds to the payload's first instruction, and until the init is reaped.
pub(crate) fn starts(inits: &[Option<Init>], rounds: usize) -> Result<(Compared, Compared)> {
    let _ahead = Ahead::of_others();
    let payload = tiny::stamp()?;
    let mut wholes: Columns = (0..=inits.len()).map(|_| Some(Ok(Vec::new()))).collect();
    let columns = interleave(inits.len() + 1, rounds, |which| {
        let init = match which.checked_sub(1) {
            None => None,
            Some(at) => Some(inits[at].as_ref()?),
        };
        let once = start_once(init, &payload);
        Some(once.map(|(to_payload, whole)| {
            if let Some(Ok(samples)) = &mut wholes[which] {
                samples.push(whole);
            }
            to_payload
        }))
    });
    let (Compared { bare, columns }, whole) = (split(columns)?, split(wholes)?);
    // An init that failed has no whole run either; its error is told once, with the first row.
    let kept = columns.iter().zip(whole.columns).map(|(start, whole)| match start {
        Some(Ok(_)) => whole,
        _ => None,
    });
    let whole = Compared { columns: less(kept.collect(), &whole.bare), bare: whole.bare };
    Ok((Compared { columns: less(columns, &bare), bare }, whole))
}

/// What each sample has over the bare one of its round.
pub(crate) fn less(columns: Columns, bare: &[f64]) -> Columns {
    let over = |samples: Vec<f64>| samples.iter().zip(bare).map(|(sample, bare)| sample - bare).collect();
    columns.into_iter().map(|column| Some(column?.map(over))).collect()
}

fn start_once(init: Option<&Init>, payload: &Path) -> Result<(f64, f64)> {
    start_command(command(init, Place::Beside, payload, &[]), Place::Beside)
}

/// Microseconds to the first instruction of a payload that says when that was, and until all is over.
pub(crate) fn start_command(mut command: Command, place: Place) -> Result<(f64, f64)> {
    let (mut stamps, write) = pipe().doing("make", "a pipe")?;
    command.stdout(OwnedFd::from(write));
    let began = now()?;
    let running = start(command, place, Watch::Free)?;
    let payload_at = nanoseconds(read_by_deadline(&mut stamps, &running.name)?);
    running.wait_success()?;
    let ended = now()?;
    Ok(((payload_at - began) / 1e3, (ended - began) / 1e3))
}

/// Microseconds from a signal to the init until its payload has it; bare is a signal straight to the payload.
pub(crate) fn forwards(inits: &[Option<Init>], rounds: usize) -> Result<Compared> {
    let (_here, _ahead) = (Pinned::here()?, Ahead::of_others());
    let bare = std::iter::once(Some(Talking::ready(None, Place::First, Kind::Echo)));
    let rest = inits.iter().map(|init| Some(Talking::ready(Some(init.as_ref()?), Place::First, Kind::Echo)));
    let mut subjects: Vec<Option<Result<Talking>>> = bare.chain(rest).collect();
    let columns = interleave(subjects.len(), rounds, |which| match subjects[which].take()? {
        Ok(mut talking) => {
            let sample = forward_once(&mut talking);
            subjects[which] = Some(Ok(talking));
            Some(sample)
        }
        Err(error) => Some(Err(error)),
    });
    split(columns)
}

fn forward_once(talking: &mut Talking) -> Result<f64> {
    let sent = now()?;
    kill(talking.running.pid, Signal::SIGUSR1).doing("signal", &talking.running.name)?;
    Ok((talking.read_time()? - sent) / 1e3)
}

/// Microseconds of the init's CPU time per orphan of `kind`, as PID 1.
pub(crate) fn reaping(inits: &[Option<Init>], rounds: usize, kind: Kind, orphans: usize) -> Result<Columns> {
    let (here, _ahead) = (Pinned::here()?, Ahead::of_others());
    Ok(interleave(inits.len(), rounds, |which| Some(reap_once(inits[which].as_ref()?, kind, orphans, &here))))
}

fn reap_once(init: &Init, kind: Kind, orphans: usize, here: &Pinned) -> Result<f64> {
    let mut talking = Talking::ready(Some(init), Place::First, kind)?;
    let pid = talking.running.pid;
    here.move_away(pid)?;
    let before = cpu_time(pid)?;
    talking.order()?;
    // The payload is the one child that stays.
    poll_until("end of the reaping", init.name, || Ok(children(pid)? == 1))?;
    Ok((cpu_time(pid)? - before) / 1e3 / orphans as f64)
}

/// How many of `orphans` that were dead when the init got them are still there when it has gone quiet.
pub(crate) fn left_of_dead(init: &Init, orphans: usize) -> Result<f64> {
    let mut talking = Talking::ready(Some(init), Place::First, Kind::Dead(orphans))?;
    let pid = talking.running.pid;
    talking.order()?;
    let mut last = usize::MAX;
    let mut since = 0;
    poll_until("end of the reaping", init.name, || {
        let left = children(pid)?.saturating_sub(1);
        since = if left == last { since + 1 } else { 0 };
        last = left;
        // Quiet for some 300 ms with orphans left: it has given up on them.
        Ok(left == 0 || since > 100)
    })?;
    Ok(last as f64)
}

fn now() -> Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).doing("read", "the clock")?;
    Ok((time.tv_sec() * 1_000_000_000 + time.tv_nsec()) as f64)
}
