//! `supervise run` against others that make a container of a directory. A table of its own, because those are no inits.
//!
//! All have the same small root, in which `/bin/true` is a file of 200 bytes that tells when it began, and exits. Each is
//! asked for as much of what `supervise run` does unasked as it can: new pid, mount, uts, ipc, cgroup and net namespaces,
//! a root directory of its own, /proc, /sys read-only, /dev with terminals, shared memory and message queues, a /run and
//! a /tmp in memory, a hostname, /etc/hosts and /etc/hostname.
//!
//! - **bubblewrap** does that, but for a sysfs of its own (it binds the host's), and has a process 1 that reaps. It masks
//!   nothing, and has no overlay, no filter of system calls (it would load one that is given to it, compiled) and no
//!   clients of process 1 over the image's. So it has much less to do; `--writable` is as near to it as we come.
//! - **crun** does all of that, and masks and protects the same paths, without overlay, filter, clients and an init. It is
//!   told to make no cgroup, as `supervise run` makes none without limits; with one it takes twice as long.
//! - **unshare** makes the namespaces and mounts /proc, and nothing else: what is under the figures of all.
//!
//! What is measured is the time from just before the spawn to the payload's first instruction, and until all is over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::mount::{MntFlags, umount2};

use crate::error::{Doing, Result};
use crate::inits::{Init, OURS, cache};
use crate::memory::{once_asleep, write_back};
use crate::payload::{Kind as Payload, READY};
use crate::place::Ahead;
use crate::proc::{self, Memory};
use crate::run::{ENVIRONMENT, Place, Talking, Watch};
use crate::table::{Columns, Judged, Kind, RESOLUTION, Verdict, judged, lower_end, median, ratios};
use crate::timing::{interleave, start_command};
use crate::tiny;

/// Who makes a container, and by which words; the command follows them.
struct Way {
    name: &'static str,
    program: &'static str,
    words: &'static [&'static str],
}

/// Stands for the directory that it is made of, and for the one that holds that.
const ROOT: &str = "{root}";
const BUNDLE: &str = "{bundle}";

const NEAREST: &[&str] = &[
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup",
    "--unshare-net",
    "--die-with-parent",
    "--hostname",
    "box",
    "--bind",
    ROOT,
    "/",
    "--proc",
    "/proc",
    "--ro-bind",
    "/sys",
    "/sys",
    "--dev",
    "/dev",
    "--mqueue",
    "/dev/mqueue",
    "--tmpfs",
    "/run",
    "--tmpfs",
    "/tmp",
    "--ro-bind",
    "{bundle}/hosts",
    "/etc/hosts",
    "--ro-bind",
    "{bundle}/hostname",
    "/etc/hostname",
    "--cap-drop",
    "ALL",
    "--cap-add",
    "CAP_KILL",
    "--",
];

/// The first is what is judged, by those that follow it.
const WAYS: [Way; 5] = [
    Way { name: "supervise run", program: OURS, words: &["run", ROOT, "--"] },
    Way { name: "bubblewrap", program: "bwrap", words: NEAREST },
    Way {
        name: "crun",
        program: "crun",
        // What it runs is in its configuration.
        words: &["--cgroup-manager=disabled", "run", "--bundle", BUNDLE, "bench"],
    },
    Way { name: "supervise run --writable", program: OURS, words: &["run", "--writable", ROOT, "--"] },
    Way {
        name: "unshare",
        program: "unshare",
        words: &["--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--net", "--mount-proc", "--"],
    },
];

/// How many times what the one of that place takes, supervise may take at most.
const TARGETS: [(usize, f64); 2] = [(1, 1.0), (2, 0.6)];

/// At rest, in kB: process 1, of that what is its alone, and the monitor.
const PROCESS_1: f64 = 100.0;
const PRIVATE: f64 = 40.0;
const MONITOR: f64 = 1000.0;

/// At once.
const MANY: usize = 200;
/// The first and the last of them, whose starts are compared.
const SOME: usize = 50;
/// How many times what the first ones take, the last ones may take: pivot_root(2) looks at every process of the machine, of
/// which there are 600 then. That is 0.4 ms; bubblewrap's start grows by as much.
const GROWTH: f64 = 1.3;

/// Measures and prints them; returns what they come to.
pub(crate) fn measure(inits: &[Option<Init>], rounds: usize) -> Result<Vec<Judged>> {
    let Some(ours) = inits.iter().flatten().find(|init| init.name == OURS) else { return Ok(vec![]) };
    let bundle = Bundle::make()?;
    // crun 1.8 does not run where both versions of cgroups have controllers. The mounts that we see are ours.
    let _ = umount2("/sys/fs/cgroup/unified", MntFlags::MNT_DETACH);
    let mut all = starts(ours, &bundle, rounds)?;
    all.extend(rest(ours, &bundle)?);
    all.extend(many(ours, &bundle)?);
    Ok(all)
}

/// A root filesystem, and what lies beside it.
struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    fn make() -> Result<Bundle> {
        let folder = cache().join("container");
        let root = folder.join("root");
        // What a run that was cut off has left may be of another version.
        let _ = fs::remove_dir_all(&folder);
        for name in ["bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp"] {
            fs::create_dir_all(root.join(name)).doing("create", name)?;
        }
        let write = |path: PathBuf, text: &str| fs::write(&path, text).doing("write", path.display());
        for name in ["hosts", "hostname"] {
            write(folder.join(name), "127.0.0.1 localhost\n")?;
            write(root.join("etc").join(name), "")?;
        }
        write(folder.join("config.json"), include_str!("containers/config.json"))?;
        let itself = std::env::current_exe().doing("find", "the bench's own file")?;
        for (from, name) in [(tiny::stamp()?, "true"), (itself, "payload")] {
            let to = root.join("bin").join(name);
            fs::copy(&from, &to).doing("copy", from.display())?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).doing("change the mode of", to.display())?;
        }
        Ok(Bundle { folder })
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

impl Way {
    fn is_ours(&self) -> bool {
        self.program == OURS
    }

    /// Its file.
    fn find(&self, ours: &Init) -> Option<PathBuf> {
        match self.is_ours() {
            true => Some(ours.path.clone()),
            false => ["/usr/bin", "/usr/sbin"]
                .map(|folder| Path::new(folder).join(self.program))
                .into_iter()
                .find(|it| it.is_file()),
        }
    }

    fn command(&self, program: &Path, bundle: &Bundle) -> Command {
        let (root, folder) = (bundle.root().display().to_string(), bundle.folder.display().to_string());
        let payload = if self.program == "unshare" { bundle.root().join("bin/true") } else { "/bin/true".into() };
        let mut command = Command::new(program);
        command.args(self.words.iter().map(|word| word.replace(ROOT, &root).replace(BUNDLE, &folder)));
        if self.words.last() == Some(&"--") {
            command.arg(payload);
        }
        quiet(&mut command);
        command
    }
}

/// Microseconds of each to the payload's first instruction and to the end.
fn starts(ours: &Init, bundle: &Bundle, rounds: usize) -> Result<Vec<Judged>> {
    let _ahead = Ahead::of_others();
    let files = WAYS.map(|way| way.find(ours));
    for (way, _) in WAYS.iter().zip(&files).filter(|(_, file)| file.is_none()) {
        eprintln!("peers: warning: {} is not here to be compared with", way.name);
    }
    let mut wholes: Vec<Vec<f64>> = WAYS.iter().map(|_| Vec::with_capacity(rounds)).collect();
    let columns = interleave(WAYS.len(), rounds, |which| {
        let command = WAYS[which].command(files[which].as_deref()?, bundle);
        Some(start_command(command, Place::Beside).map(|(to_payload, whole)| {
            wholes[which].push(whole);
            to_payload
        }))
    });
    println!(
        "\n| a container of a directory | to the first instruction, us | start to end, us | x bubblewrap | x crun |"
    );
    println!("|---|---|---|---|---|");
    for (which, way) in WAYS.iter().enumerate() {
        let Some(to_payload) = samples(&columns, which) else { continue };
        let cells = TARGETS
            .map(|(peer, _)| samples(&columns, peer).and_then(|_| median(&ratios(&wholes[which], &wholes[peer]))));
        let [bubblewrap, crun] = cells.map(|ratio| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")));
        let [first, whole] = [to_payload, &wholes[which]].map(|all| median(all).unwrap_or(f64::NAN));
        println!("| {} | {first:.0} | {whole:.0} | {bubblewrap} | {crun} |", way.name);
    }
    Ok(TARGETS.iter().map(|(peer, factor)| against(&columns, &wholes, *peer, *factor)).collect())
}

/// What was measured at that place; says why there is nothing, if that was an error.
fn samples(columns: &Columns, at: usize) -> Option<&[f64]> {
    let column = columns.get(at)?.as_ref()?;
    column.as_deref().inspect_err(|error| eprintln!("peers: warning: {}: {error}", WAYS[at].name)).ok()
}

/// How the first way compares with a peer.
fn against(columns: &Columns, wholes: &[Vec<f64>], peer: usize, factor: f64) -> Judged {
    let what = format!("container, start to end, by {}", WAYS[peer].name);
    let judge = |what: String, verdict, empty| Judged { what, kind: Kind::Timed, verdict, empty };
    for at in [0, peer] {
        if !matches!(columns.get(at), Some(Some(Ok(_)))) {
            return judge(what, Verdict::Unjudged, vec![WAYS[at].name]);
        }
    }
    let ratios = ratios(&wholes[0], &wholes[peer]);
    let (ratio, at_least) = (median(&ratios).unwrap_or(f64::NAN), lower_end(ratios).unwrap_or(f64::NAN));
    let how = format!("{ratio:.2} (at least {at_least:.2}) <= {factor}");
    judge(what, judged(at_least <= factor + RESOLUTION, how), vec![])
}

/// A container with a payload that sleeps.
fn sleeping(ours: &Init, bundle: &Bundle) -> Result<Talking> {
    let mut command = Command::new(&ours.path);
    command.arg("run").arg(bundle.root()).args(["--", "/bin/payload"]).args(Payload::Sleep.words());
    quiet(&mut command);
    let mut talking = Talking::of(command, Place::Beside, Watch::Free)?;
    talking.expect(READY)?;
    Ok(talking)
}

/// What process 1 and the monitor hold in memory while nothing happens.
fn rest(ours: &Init, bundle: &Bundle) -> Result<Vec<Judged>> {
    write_back(&ours.path)?;
    let talking = sleeping(ours, bundle)?;
    let monitor = talking.running.pid;
    let process_1 = proc::child(monitor)?;
    let figures = [once_asleep(process_1, "process 1")?, once_asleep(monitor, "the monitor")?];
    println!("\n| at rest, kB | resident | of it private and dirty |\n|---|---|---|");
    for (name, Memory { resident, private_dirty }) in ["process 1 of a container", "its monitor"].iter().zip(figures) {
        println!("| {name} | {resident:.0} | {private_dirty:.0} |");
    }
    let [process_1, monitor] = figures;
    let exact = |what: &str, figure: f64, limit: f64| Judged {
        what: format!("container, {what}, kB"),
        kind: Kind::Exact,
        verdict: judged(figure <= limit, format!("{figure} <= {limit}")),
        empty: vec![],
    };
    Ok(vec![
        exact("process 1, resident", process_1.resident, PROCESS_1),
        exact("process 1, private and dirty", process_1.private_dirty, PRIVATE),
        exact("monitor, resident", monitor.resident, MONITOR),
    ])
}

/// Many at once: whether the last ones start as fast as the first, and whether anything is left of them.
fn many(ours: &Init, bundle: &Bundle) -> Result<Vec<Judged>> {
    let _ahead = Ahead::of_others();
    let before = Traces::find()?;
    let (mut all, mut times) = (Vec::with_capacity(MANY), Vec::with_capacity(MANY));
    for _ in 0..MANY {
        let began = Instant::now();
        all.push(sleeping(ours, bundle)?);
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    all.into_iter().try_for_each(Talking::finish)?;
    let left = Traces::find()?.beyond(&before);
    let of = |times: &[f64]| median(times).unwrap_or(f64::NAN);
    let (first, last) = (of(&times[..SOME]), of(&times[MANY - SOME..]));
    let growth = last / first;
    println!(
        "\n{MANY} containers at once: a start takes {first:.0} us (the first {SOME}), {last:.0} us (the last {SOME}); left of them: {left}"
    );
    let judge =
        |what: &str, kind, verdict| Judged { what: format!("{MANY} containers, {what}"), kind, verdict, empty: vec![] };
    Ok(vec![
        judge("growth of the start", Kind::Timed, judged(growth <= GROWTH, format!("{growth:.2} <= {GROWTH}"))),
        judge("left", Kind::Exact, judged(left == 0, format!("{left} <= 0"))),
    ])
}

/// What containers could leave: processes, and mounts and cgroups that we would see.
struct Traces {
    processes: usize,
    mounts: usize,
    groups: usize,
}

impl Traces {
    fn find() -> Result<Traces> {
        let count = |path: &str| fs::read_to_string(path).doing("read", path).map(|text| text.lines().count());
        // Of each controller, the number of its groups.
        let groups = fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let groups = groups.lines().filter_map(|line| line.split('\t').nth(2)?.parse::<usize>().ok()).sum();
        Ok(Traces { processes: proc::all()?.count(), mounts: count("/proc/self/mountinfo")?, groups })
    }

    fn beyond(&self, before: &Traces) -> usize {
        let pairs = [(self.processes, before.processes), (self.mounts, before.mounts), (self.groups, before.groups)];
        pairs.iter().map(|(now, then)| now.saturating_sub(*then)).sum()
    }
}

fn quiet(command: &mut Command) {
    command.env_clear().envs(ENVIRONMENT).current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
}
