//! A container: new namespaces over one of the roots, of which nothing is left when the test's process has ended, in
//! whatever way. Process 1 runs two services, and commands are typed inside.
//!
//! 1. Whatever is written in it is in memory, in a mount of its own.
//! 2. Process 1 dies with `unshare`, and that with the test's thread.
//! 3. The services are `one`, which is main, and `two`, its child. Each tells of every signal. When `one` has got SIGTERM
//!    it goes on until `LAST` comes, so that whoever has asked for the stop can come to an end first.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::launch::Init;
use crate::harness::running::{Ended, Running};
use crate::harness::{Exit, Scene, probe, words};
use crate::roots::Root;

/// What the container is, beyond its root.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) process_1: Process1,
    /// Whether our clients stand before those of the root.
    pub(crate) ours: bool,
    /// What process 1 is told besides.
    pub(crate) options: &'static [&'static str],
    /// Whether it has CAP_SYS_BOOT, which docker and podman do not give.
    pub(crate) may_reboot: bool,
    /// What a shell does in it before process 1 starts.
    pub(crate) before: &'static str,
    /// How main ends when it has been told to, as the probe's verbs.
    pub(crate) end: &'static str,
    /// What is in the environment of process 1.
    pub(crate) variables: &'static [(&'static str, &'static str)],
}

/// What process 1 is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process1 {
    Supervise,
    /// The same by another init's name.
    Tini,
    /// The service itself, which offers nothing to anybody.
    Service,
}

impl Setting {
    pub(crate) const PLAIN: Setting = Setting {
        process_1: Process1::Supervise,
        ours: false,
        options: &[],
        may_reboot: false,
        before: "",
        end: "exit 0",
        variables: &[],
    };
}

impl Setting {
    /// Whether process 1 answers as systemd does.
    pub(crate) fn is_systemd(&self) -> bool {
        self.options.contains(&"--systemd-compat")
    }
}

/// Who types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    User,
}

/// What has come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: the services answer.
    GoesOn,
    /// A stop, in which the services may take their time.
    Stops,
    /// The end, for the services at once.
    Over,
}

/// $1 is the root, $2 a folder to mount on, $3 and $4 the programs to bring in, $5 whether our clients are wanted, $6 a
/// shell's lines; behind them is process 1.
const MAKE: &str = r#"
set -eu
lower=$1 folder=$2 supervise=$3 probe=$4 ours=$5 before=$6
shift 6
mount -t tmpfs -o mode=755 tmpfs "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" overlay root
cd root
mkdir -p usr/local/bin usr/local/sbin mnt
cp "$supervise" "$probe" usr/local/bin
if [ "$ours" = yes ]; then
    for name in poweroff halt reboot shutdown telinit init runlevel systemctl; do
        ln -s ../bin/supervise "usr/local/sbin/$name"
    done
fi
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in null zero full random urandom tty; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
echo container >/proc/sys/kernel/hostname
pivot_root . mnt
cd /
umount -l /mnt
eval "$before"
exec "$@"
"#;

/// The services, as the probe's verbs, but for how main ends.
const SERVICES: &str = "fork name two report-until TERM end name one report-until TERM report-until 64";

/// A signal that is nothing to process 1.
const LAST: i32 = 64;

/// As docker has it.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running container.
pub(crate) struct Container<'s> {
    scene: &'s Scene,
    setting: Setting,
    init: Running<'s>,
    pid: i32,
    /// What the services have said.
    pub(crate) heard: Vec<String>,
    /// What process 1 has said of itself, as far as it was read.
    pub(crate) log: Vec<String>,
}

impl<'s> Container<'s> {
    /// Starts it, and waits until both services run.
    #[track_caller]
    pub(crate) fn start(scene: &'s Scene, root: Root, setting: &Setting) -> Container<'s> {
        let mut command = enclosed(scene);
        // Its /run is its own, so it may offer there what it likes.
        command.env_remove("SUPERVISE_REQUESTS").envs(setting.variables.iter().copied());
        command.args(limits(setting)).args(["--pdeathsig=KILL", "--"]);
        command.args(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--"]);
        command.args(["sh", "-c", MAKE, "sh"]).arg(root.path()).arg(scene.folder());
        command.arg(Init::Supervise.path().expect("cargo built it")).arg(probe());
        command.args([if setting.ours { "yes" } else { "no" }, setting.before]);
        let program = match setting.process_1 {
            Process1::Supervise => {
                // What is asked for from inside has ten seconds otherwise, and clients take as long as the machine does.
                command.args(["/usr/local/bin/supervise", "-v", "--on-reboot", "exit", "--grace", "1h"]);
                command.args(setting.options).arg("--");
                "supervise"
            }
            Process1::Tini => {
                command.args(["/usr/local/bin/tini", "--"]);
                "tini"
            }
            Process1::Service => "probe",
        };
        command.arg("/usr/local/bin/probe").args(words(SERVICES)).args(words(setting.end));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let init = Running::start(scene, command, 1, program.as_ref());
        let mut container = Container { scene, setting: *setting, init, pid: 0, heard: Vec::new(), log: Vec::new() };
        container.hear(&["one: ready", "two: ready"]);
        container.pid = container.init.pid();
        container
    }

    /// Types a shell's line in it and waits for its end.
    #[track_caller]
    pub(crate) fn types(&self, who: Who, line: &str) -> Ended {
        self.begins(who, line).end()
    }

    /// Types a shell's line in it.
    pub(crate) fn begins(&self, who: Who, line: &str) -> Running<'s> {
        let mut command = enclosed(self.scene);
        command.env("HOME", "/root");
        // As `docker exec` does it: its parent is outside, and it has no more rights than process 1.
        command.args(limits(&self.setting)).args(["--pdeathsig=KILL", "--"]);
        command.args(["nsenter", "--mount", "--pid", "--uts", "--ipc", "--target", &self.pid.to_string()]);
        if who == Who::User {
            command.args(["--setuid=1000", "--setgid=1000"]);
        }
        command.args(["--", "/bin/sh", "-c", line]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(self.scene, command, 0, "nsenter".as_ref())
    }

    /// Its process 1, as seen from here.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// A file in it, as seen from here. No link may lead there.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid))
    }

    /// Sends process 1 a signal from outside. It may be gone.
    pub(crate) fn signals(&self, signal: i32) {
        let words = ["send", &signal.to_string(), "1", &self.pid.to_string()].map(String::from);
        let sent = self.scene.command(probe()).args(words).stderr(Stdio::null()).status();
        assert!(sent.is_ok(), "the probe does not run");
    }

    /// Reads what the services say until they have said all of these.
    #[track_caller]
    pub(crate) fn hear(&mut self, beginnings: &[&str]) {
        for beginning in beginnings {
            while !self.has_heard(beginning) {
                match self.init.stdout().next() {
                    Some(line) => self.heard.push(line),
                    None => panic!("the end came before `{beginning}`: {}", self.account()),
                }
            }
        }
    }

    /// Reads what process 1 says until a line has all of these.
    #[track_caller]
    pub(crate) fn read_log(&mut self, words: &[&str]) {
        while !has_line(&self.log, words) {
            match self.init.stderr().next() {
                Some(line) => self.log.push(line),
                None => panic!("the end came before {words:?}: {:#?}", self.log),
            }
        }
    }

    /// What everybody has said so far.
    fn account(&mut self) -> String {
        let said = self.init.said();
        format!("{:#?}\n{:#?}\n{said}", self.heard, self.log)
    }

    fn has_heard(&self, beginning: &str) -> bool {
        self.heard.iter().any(|line| line.starts_with(beginning))
    }

    /// What has come of everything that was asked for until now. Of pending signals the one with the lowest number is taken
    /// first (signal(7)): the last of all comes after whatever else was on its way to process 1, and to main.
    #[track_caller]
    pub(crate) fn fate(&mut self) -> Fate {
        self.signals(LAST);
        loop {
            let Some(line) = self.init.stdout().next() else { return Fate::Over };
            let answers = line.starts_with(&format!("one: got {LAST} "));
            self.heard.push(line);
            if answers {
                return if self.has_heard("one: got 15 ") { Fate::Stops } else { Fate::GoesOn };
            }
        }
    }

    /// Waits for its end; of stdout, the lines that were not heard before.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Exit, Vec<String>, Vec<String>) {
        let ended = self.init.end();
        self.heard.extend(ended.stdout);
        self.log.extend(ended.stderr);
        (ended.exit, self.heard, self.log)
    }

    /// Requires that the services go on, that a stop from outside still ends them, and that a line of the log has all of
    /// these words.
    #[track_caller]
    pub(crate) fn must_go_on(mut self, logged: &[&str]) {
        let fate = self.fate();
        assert_eq!(fate, Fate::GoesOn, "{}", self.account());
        if self.setting.process_1 == Process1::Supervise {
            self.signals(libc::SIGTERM);
            self.must_stop(0, logged);
        }
    }

    /// Requires that both services are told to end, main first, that the container ends with this code, and that a line
    /// of the log has all of these words.
    #[track_caller]
    pub(crate) fn must_stop(mut self, code: i32, logged: &[&str]) {
        let fate = self.fate();
        assert_eq!(fate, Fate::Stops, "{}", self.account());
        let (exit, heard, log) = self.end();
        let told: Vec<&str> = heard.iter().filter(|line| line.contains(": got 15 ")).map(|line| &line[..3]).collect();
        assert_eq!((exit, &told[..]), (Exit::Code(code), &["one", "two"][..]), "{heard:?}\n{log:#?}");
        must_log(&log, logged);
    }

    /// Requires that it is over, without a word to the services, and that a line of the log has all of these words.
    #[track_caller]
    pub(crate) fn must_be_over(mut self, wanted: Exit, logged: &[&str]) {
        let fate = self.fate();
        assert_eq!(fate, Fate::Over, "{}", self.account());
        let (exit, heard, log) = self.end();
        let told = heard.iter().any(|line| line.contains(": got 15 "));
        assert_eq!((exit, told), (wanted, false), "{heard:?}\n{log:#?}");
        must_log(&log, logged);
    }
}

#[track_caller]
fn must_log(log: &[String], words: &[&str]) {
    assert!(has_line(log, words), "nothing of {words:?} in {log:#?}");
}

fn has_line(log: &[String], words: &[&str]) -> bool {
    words.is_empty() || log.iter().any(|line| words.iter().all(|word| line.contains(word)))
}

/// A command with nothing of our environment; it begins with what setpriv is to do.
fn enclosed(scene: &Scene) -> Command {
    let mut command = scene.command("setpriv");
    for (name, _) in std::env::vars_os() {
        command.env_remove(name);
    }
    command.env("PATH", PATH);
    command
}

/// What setpriv takes away.
fn limits(setting: &Setting) -> &'static [&'static str] {
    if setting.may_reboot { &[] } else { &["--bounding-set=-sys_boot"] }
}
