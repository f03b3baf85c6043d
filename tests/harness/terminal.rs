//! A real terminal: the test types on the one side, a session lives on the other.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use super::launch::Init;
use super::lines::Lines;
use super::running::Running;
use super::{Scene, proc};

pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_Z: &str = "\x1a";
pub(crate) const CTRL_BACKSLASH: &str = "\x1c";

/// bash with job control, and without an editor of its own.
pub(crate) const BASH: &[&str] = &["bash", "--norc", "--noprofile", "--noediting", "-i"];

/// How supervise is told whose signals are whose; the first is the default.
pub(crate) const TARGETS: [&str; 2] = ["main", "group"];

/// The probe with these verbs, as a shell reads it.
pub(crate) fn bare(verbs: &str) -> String {
    format!("{} {}", super::probe().display(), verbs.replace(',', ""))
}

/// The same below an init.
pub(crate) fn below(init: Init, options: &str, verbs: &str) -> String {
    format!("{} {options} -- {}", init.path().expect("it is installed").display(), bare(verbs))
}

/// The master's side.
pub(crate) struct Terminal {
    keys: File,
    pub(crate) screen: Lines,
    name: String,
}

impl Terminal {
    pub(crate) fn open(scene: &Scene) -> Terminal {
        // Close-on-exec from birth: another test may be spawning at this moment.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("there are terminals");
        grantpt(&master).expect("the terminal is new");
        unlockpt(&master).expect("the terminal is new");
        let name = ptsname_r(&master).expect("the terminal has a name");
        let master = master.as_fd().try_clone_to_owned().expect("a descriptor is left");
        let keys = File::from(master.try_clone().expect("a descriptor is left"));
        Terminal { keys, screen: Lines::new(master, scene.deadline), name }
    }

    /// The session's side.
    pub(crate) fn slave(&self) -> File {
        // O_NOCTTY: the test must not get it as its own terminal.
        let mut options = File::options();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, OFlag::O_NOCTTY.bits());
        options.read(true).write(true).open(&self.name).expect("the terminal has another side")
    }

    /// Starts a command as the leader of a session with this terminal.
    pub(crate) fn session<'s>(&self, scene: &'s Scene, command: &[&str]) -> Running<'s> {
        // setsid(1) becomes the command, because it is no group leader here.
        let mut leader: Command = scene.command("setsid");
        leader.arg("--ctty").args(command);
        self.start(scene, leader, command[0])
    }

    /// Starts a command that makes a session of its own out of what it is given.
    pub(crate) fn start<'s>(&self, scene: &'s Scene, mut command: Command, name: &str) -> Running<'s> {
        command.env("HISTFILE", "").env("PS1", "> ");
        command.stdin(self.slave()).stdout(self.slave()).stderr(self.slave());
        Running::start(scene, command, 0, std::path::Path::new(name))
    }

    /// Starts a shell there, and waits until it has put up its prompt.
    #[track_caller]
    pub(crate) fn shell<'s>(&mut self, scene: &'s Scene) -> Running<'s> {
        self.prompting(scene, BASH)
    }

    /// The same with another shell.
    #[track_caller]
    fn prompting<'s>(&mut self, scene: &'s Scene, shell: &[&str]) -> Running<'s> {
        let shell = self.session(scene, shell);
        self.screen.up_to("> ");
        shell
    }

    /// The group that has its foreground.
    pub(crate) fn foreground(&self) -> Option<i32> {
        nix::unistd::tcgetpgrp(&self.keys).ok().map(nix::unistd::Pid::as_raw)
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is open");
    }
}

/// A terminal, and what leads the session there.
pub(crate) struct Session<'s> {
    pub(crate) scene: &'s Scene,
    pub(crate) leader: Running<'s>,
    pub(crate) terminal: Terminal,
}

/// Plays it in a shell for each of [`TARGETS`].
#[track_caller]
pub(crate) fn for_each_target(play: impl Fn(&mut Session<'_>, &str)) {
    for target in TARGETS {
        let scene = Scene::new();
        play(&mut Session::shell(&scene), target);
    }
}

impl<'s> Session<'s> {
    /// With this command.
    pub(crate) fn start(scene: &'s Scene, command: &[&str]) -> Session<'s> {
        let terminal = Terminal::open(scene);
        let leader = terminal.session(scene, command);
        Session { scene, leader, terminal }
    }

    /// With bash, which has put up its prompt.
    #[track_caller]
    pub(crate) fn shell(scene: &'s Scene) -> Session<'s> {
        Session::prompting(scene, BASH)
    }

    /// The same with another shell.
    #[track_caller]
    pub(crate) fn prompting(scene: &'s Scene, shell: &[&str]) -> Session<'s> {
        let mut terminal = Terminal::open(scene);
        let leader = terminal.prompting(scene, shell);
        Session { scene, leader, terminal }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.press(keys);
    }

    /// Waits until this is shown, and returns all up to it.
    #[track_caller]
    pub(crate) fn up_to(&mut self, text: &str) -> String {
        self.terminal.screen.up_to(text)
    }

    /// Presses keys, and waits until what is to come of that is shown.
    #[track_caller]
    pub(crate) fn press_and_see(&mut self, keys: &str, text: &str) -> String {
        self.press(keys);
        self.up_to(text)
    }

    /// The same with a line.
    #[track_caller]
    pub(crate) fn type_and_see(&mut self, line: &str, text: &str) -> String {
        self.press_and_see(&format!("{line}\n"), text)
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, rows: u32) {
        let mut stty = self.scene.command("stty");
        let words = ["-F", &self.terminal.name, "rows", &rows.to_string()];
        assert!(stty.args(words).status().expect("stty runs").success(), "stty failed");
    }

    /// Presses Ctrl-Z, and waits until the shell has its prompt and these processes of the job are stopped.
    #[track_caller]
    pub(crate) fn suspend(&mut self, pids: [i32; 2]) {
        // Not before: until it is stopped, what is typed is for the job.
        self.press_and_see(CTRL_Z, "Stopped");
        self.type_and_see("echo shell:$((40 + 2))", "shell:42");
        self.until_all("to be stopped", pids, 'T');
    }

    /// Types `fg`, and waits until they go on.
    #[track_caller]
    pub(crate) fn resume(&mut self, pids: [i32; 2]) {
        self.press("fg\n");
        self.until_all("to go on", pids, 'S');
    }

    #[track_caller]
    fn until_all(&self, awaited: &str, pids: [i32; 2], state: char) {
        for pid in pids {
            let is_so = || (proc::state(pid) == Some(state)).then_some(());
            self.scene.deadline.until(&format!("both {awaited}"), is_so);
        }
    }
}
