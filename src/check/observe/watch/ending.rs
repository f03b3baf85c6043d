//! The end of a run: what is still to be taken in, and the record.

use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::sys::epoll::{EpollEvent, EpollTimeout};
use supervise_init::core::{Status, Time};
use supervise_init::sys::now;

use super::super::Interrupted;
use super::super::held::tell_memory_from_process_1;
use super::super::picture::{at_deadline, unlooked};
use super::super::stage::{DEATH, wait_for};
use super::super::tree::{FIRST_TOKEN, Life, MOST_PICTURES, Seen};
use super::{STDERR, STDOUT, State, TURN, Watch};
use crate::check::judge::{Handling, handling};
use crate::check::record::{Facility, Hindrance, Missing, Outcome, Run, What};
use crate::check::scenario::Mode;
use crate::proc::{Sitting, Stat, stuck, threads};

/// How main ended, if it was on its way out before the signal came: the default action would have ended it otherwise.
/// Between the last look and the signal there is always a moment.
fn left_before(run: &Run) -> Option<Status> {
    /// Later it may have a handler that it had not when it was looked at.
    const SOON: Duration = Duration::from_millis(100);
    let main = run.processes.first().filter(|_| run.scenario.mode == Mode::Child)?;
    let ended = main.ended?;
    let is_soon = ended.at.saturating_sub(run.signal_at?) < SOON;
    let is_default = handling(main, run.scenario.signal) == Some(Handling::Default);
    ended.status.filter(|status| is_soon && is_default && matches!(status, Status::Exited(_)))
}

impl Watch<'_> {
    /// Nobody tells when it ended: who sees that long after the end of its time was not awake then.
    pub(super) fn doubt_lateness(&mut self, time: Time) {
        const LATE: Duration = Duration::from_millis(100);
        let late = self.deadline.filter(|_| self.state == State::Told).map(|deadline| time.since(deadline));
        if let Some(late) = late.filter(|late| *late >= LATE) {
            self.run.outcome = Outcome::Hindered(Hindrance::Suspended(late));
        }
    }

    pub(super) fn kill(&mut self, time: Time) {
        self.look(time);
        if self.connector.is_none() {
            self.tree.see_executions(self.at(time));
        }
        let stuck = self.find_stuck();
        let mut count = 0;
        let main_lives = self.tree.seen.first().is_some_and(|root| root.life == Life::Lives);
        for seen in self.tree.seen.iter_mut().filter(|seen| seen.life != Life::Reaped) {
            count += usize::from(seen.life == Life::Lives);
            if count > MOST_PICTURES {
                seen.process.at_deadline = Some(unlooked(seen));
                seen.open = Err("there were more at the end than are all looked into");
                continue;
            }
            let found = at_deadline(seen, self.scenario.signal, &stuck);
            if seen.life == Life::Lives {
                seen.process.state = found.state;
                // Who was orphaned while main lives may be main's by now; later it is of interest whose it was.
                if main_lives {
                    let parent = Stat::read(seen.process.pid).map(|stat| stat.parent);
                    seen.process.parent = parent.unwrap_or(seen.process.parent);
                }
                seen.look_into();
            }
            seen.process.at_deadline = Some(found);
        }
        let time = now();
        self.killed_at = Some(self.at(time));
        self.tree.note_zombies(self.at(time));
        self.held.kill();
        self.stage.kill();
        self.note(time, What::Killed { count });
        self.deadline = Some(time.after(DEATH));
    }

    /// Those that no signal interrupts.
    fn find_stuck(&self) -> Vec<Sitting> {
        /// A disk that is busy, or held back, takes shorter than a second for one thing, and who starts a program by
        /// vfork(2) far shorter.
        const MOMENTS: u32 = 10;
        let living = self.tree.living().take(MOST_PICTURES).map(|seen| seen.process.pid);
        let sits = |pid: &i32| Stat::read(*pid).is_some_and(|stat| stat.state == b'D');
        let sitting = living.filter(sits).flat_map(|pid| Sitting::among(pid, &threads(pid)));
        stuck(sitting.collect(), MOMENTS, |moment| {
            // Who asks us to end need not wait for this.
            if let Some(asked) = self.asked.as_ref().map(|asked| asked.as_fd()) {
                wait_for(asked, asked, moment);
            }
        })
    }

    /// What is left to be taken in when nothing lives, and the record.
    pub(in crate::check::observe) fn finish(mut self) -> Result<Run, Interrupted> {
        let mut events = [EpollEvent::empty(); TURN];
        while let Ok(count) = self.epoll.wait(&mut events, EpollTimeout::ZERO) {
            self.hear_all();
            let processes = events.iter().take(count).filter(|event| event.data() >= FIRST_TOKEN);
            let places: Vec<_> = processes.map(|event| (event.data() - FIRST_TOKEN, event.events())).collect();
            if places.is_empty() {
                break;
            }
            for (place, flags) in places {
                self.see_process(place as usize, flags, now());
            }
        }
        for token in [STDOUT, STDERR] {
            self.hear(token, now())?;
        }
        // Nobody tells of these.
        self.tree.look_for_ends(self.at(now()));
        match self.stage_has_ended {
            true => self.stage.reap(),
            // It ends when what the kernel holds lets go.
            false => self.stage.leave(),
        }
        match self.is_asked {
            Some(signal) => Err(Interrupted::Asked(signal)),
            None => Ok(self.into_record()),
        }
    }

    fn into_record(mut self) -> Run {
        let mut run = self.run;
        self.tree.settle(self.scenario.mode, run.signal_at.map(|_| self.scenario.signal), self.killed_at);
        let status_of = |seen: &Seen| seen.process.ended.and_then(|ended| ended.status);
        if let Some(root) = self.tree.seen.first_mut()
            && let Some(ended) = &mut root.process.ended
            && ended.status.is_none()
        {
            ended.status = self.stage.root_status();
        }
        if let (Outcome::EndedBefore(status), Some(found)) =
            (&mut run.outcome, self.tree.seen.first().and_then(status_of))
        {
            *status = found;
        }
        if self.tree.seen.iter().any(|seen| seen.life == Life::Reaped && status_of(seen).is_none()) {
            let why = match self.tree.is_crowded {
                true => "some were followed by no descriptor (ulimit -Hn)",
                false => "this kernel does not tell how processes of others end (Linux 6.15 does)",
            };
            let why = why.to_owned();
            run.missing.push(Missing { facility: Facility::GrandchildStatus, why });
        }
        if self.tree.is_crowded {
            let why = "not so many descriptors may be open as there were processes (ulimit -Hn): some were looked for \
                       from time to time"
                .to_owned();
            run.missing.push(Missing { facility: Facility::Descriptors, why });
        }
        let at = now().since(self.began);
        run.connections = self.visits.map(|visits| visits.finish(at)).unwrap_or_default();
        self.held.finish(&mut run);
        let (written, unknown) = self.tree.written_when_killed();
        run.files.open_when_killed = (unknown.is_none() || !written.is_empty()).then_some(written);
        if let Some((pid, why)) = unknown {
            let why = format!("what pid {pid} had open for writing is not known: {why}");
            run.missing.push(Missing { facility: Facility::Files, why });
        }
        let (left, others, why_not) = self.leftovers.find(&self.tree, &self.listeners);
        run.missing.extend(why_not.map(|why| Missing { facility: Facility::Files, why }));
        (run.files.left, run.files.perhaps_left) = (Some(left), others);
        run.most_processes = self.tree.most;
        run.injected_orphan = self.orphan.and_then(|orphan| orphan.found());
        run.notify = self.hearing.map(|hearing| hearing.found).unwrap_or_default();
        run.output = self.output.finish();
        run.listeners = self.listeners.finish();
        let main = usize::from(run.scenario.mode == Mode::Init).min(self.tree.seen.len().saturating_sub(1));
        self.tree.name(main);
        self.tree.compare(main);
        run.processes = self.tree.seen.into_iter().map(|seen| seen.process).collect();
        tell_memory_from_process_1(&mut run);
        if let Some(main) = run.processes.get_mut(main) {
            main.is_main = true;
        }
        run.processes.swap(0, main);
        if let Some(status) = left_before(&run) {
            (run.outcome, run.signal_at) = (Outcome::EndedBefore(status), None);
        }
        // What happened at one time stays in the order of its notes.
        let mut events: Vec<_> = run.events.drain(..).enumerate().collect();
        events.sort_unstable_by_key(|(place, event)| (event.at, *place));
        run.events = events.into_iter().map(|(_, event)| event).collect();
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::made_up::{DIED_OF_TERM, process, run};
    use crate::check::scenario::Mode;
    use supervise_init::core::Signal;

    #[test]
    fn who_exits_where_the_signal_would_have_killed_it_was_on_its_way_out() {
        const ZERO: Status = Status::Exited(0);
        let of = |mode, process| left_before(&run(mode, vec![process]));
        assert_eq!(of(Mode::Child, process("sleep 1").ends(1, ZERO)), Some(ZERO));
        assert_eq!(of(Mode::Child, process("sleep 1").ends(100, ZERO)), None);
        assert_eq!(of(Mode::Child, process("sleep 1").ends(1, DIED_OF_TERM)), None);
        assert_eq!(of(Mode::Child, process("app").catches(Signal::TERM).ends(1, ZERO)), None);
        // Process 1 does not have that default action.
        assert_eq!(of(Mode::Pid1, process("sleep 1").ends(1, ZERO)), None);
    }
}
