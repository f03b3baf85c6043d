//! What is limited, and which files say so in each kind of hierarchy.

use std::fmt;

/// What a container may use of the machine. `None` is no limit of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Limits {
    /// In bytes; nothing is swapped out.
    pub(crate) memory: Option<u64>,
    /// In thousandths of a processor.
    pub(crate) cpus: Option<u64>,
    /// Processes and threads.
    pub(crate) pids: Option<u64>,
}

/// One of them, by the option that sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    Memory,
    Cpus,
    Pids,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Memory => "--memory",
            Limit::Cpus => "--cpus",
            Limit::Pids => "--pids",
        })
    }
}

/// What one limit needs, for both kinds of hierarchy: the files in the order in which they are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) limit: Limit,
    pub(crate) controller: &'static str,
    pub(crate) one: Vec<File>,
    pub(crate) two: Vec<File>,
}

/// A file and what is written into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) need: Need,
}

/// Whether a limit holds without a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    Must,
    /// A kernel may be without it: too old, or without swap.
    IfThere,
}

/// The time over which the kernel counts a group's use of the processors, in microseconds: its own default.
const PERIOD: u64 = 100_000;
/// The kernel refuses a quota below this.
const LEAST_QUOTA: u64 = 1000;

impl Limits {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Limits::default()
    }

    /// What is written for them (cgroup-v2.rst; cgroup-v1/memory.rst, scheduler/sched-bwc.rst).
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let memory = self.memory.map(|bytes| Wanted {
            limit: Limit::Memory,
            controller: "memory",
            // The limit with swap may not be below the other one at any time.
            one: vec![must("memory.limit_in_bytes", bytes), if_there("memory.memsw.limit_in_bytes", bytes)],
            // Not `memory.oom.group`: process 1 outlives a command that is killed, tells the rest to end, and may start it
            // again.
            two: vec![must("memory.max", bytes), if_there("memory.swap.max", 0)],
        });
        let cpus = self.cpus.map(|thousandths| {
            let quota = thousandths.saturating_mul(PERIOD / 1000).max(LEAST_QUOTA);
            Wanted {
                limit: Limit::Cpus,
                controller: "cpu",
                one: vec![must("cpu.cfs_period_us", PERIOD), must("cpu.cfs_quota_us", quota)],
                two: vec![must("cpu.max", format!("{quota} {PERIOD}"))],
            }
        });
        let pids = self.pids.map(|count| Wanted {
            limit: Limit::Pids,
            controller: "pids",
            one: vec![must("pids.max", count)],
            two: vec![must("pids.max", count)],
        });
        [memory, cpus, pids].into_iter().flatten().collect()
    }
}

impl fmt::Display for Limits {
    /// As a step of a plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("make a cgroup with at most")?;
        let memory = self.memory.map(|bytes| format!(" {} kB of memory", bytes >> 10));
        let cpus = self.cpus.map(|thousandths| format!(" {}.{:03} processors", thousandths / 1000, thousandths % 1000));
        let pids = self.pids.map(|count| format!(" {count} processes"));
        f.write_str(&[memory, cpus, pids].into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

fn must(name: &'static str, value: impl ToString) -> File {
    File { name, value: value.to_string(), need: Need::Must }
}

fn if_there(name: &'static str, value: impl ToString) -> File {
    File { name, value: value.to_string(), need: Need::IfThere }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files and values, those that may be missing in brackets.
    fn written(files: &[File]) -> String {
        let text = |file: &File| match file.need {
            Need::Must => format!("{}={}", file.name, file.value),
            Need::IfThere => format!("[{}={}]", file.name, file.value),
        };
        files.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn each_limit_has_its_files_in_both_kinds_of_hierarchy() {
        let limits = Limits { memory: Some(64 << 20), cpus: Some(1500), pids: Some(20) };
        let wanted = limits.wanted();
        let seen: Vec<_> = wanted.iter().map(|it| (it.controller, written(&it.one), written(&it.two))).collect();
        let expected = [
            (
                "memory",
                "memory.limit_in_bytes=67108864, [memory.memsw.limit_in_bytes=67108864]",
                "memory.max=67108864, [memory.swap.max=0]",
            ),
            ("cpu", "cpu.cfs_period_us=100000, cpu.cfs_quota_us=150000", "cpu.max=150000 100000"),
            ("pids", "pids.max=20", "pids.max=20"),
        ];
        assert_eq!(seen, expected.map(|(name, one, two)| (name, one.to_owned(), two.to_owned())));
        let little = Limits { cpus: Some(1), ..Limits::default() };
        assert_eq!(written(&little.wanted()[0].two), "cpu.max=1000 100000");
    }

    #[test]
    fn only_what_is_limited_is_written() {
        let needs = |limits: Limits| limits.wanted().iter().map(|it| it.controller).collect::<Vec<_>>();
        assert!(Limits::default().is_empty() && needs(Limits::default()).is_empty());
        assert_eq!(needs(Limits { pids: Some(1), memory: Some(1), cpus: None }), ["memory", "pids"]);
    }
}
