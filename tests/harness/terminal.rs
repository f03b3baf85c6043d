//! A real terminal: the test types on the one side, a session lives on the other.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use super::lines::Lines;
use super::running::Running;
use super::{Scene, proc};

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
        let shell = self.session(scene, &["bash", "--norc", "--noprofile", "--noediting", "-i"]);
        self.screen.up_to("> ");
        shell
    }

    /// The group that has its foreground.
    pub(crate) fn foreground(&self) -> Option<i32> {
        nix::unistd::tcgetpgrp(&self.keys).ok().map(nix::unistd::Pid::as_raw)
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, scene: &Scene, rows: u32) {
        let mut stty = scene.command("stty");
        let done = stty.args(["-F", &self.name, "rows", &rows.to_string()]).status().expect("stty runs");
        assert!(done.success(), "stty failed");
    }

    /// Presses Ctrl-Z, and waits until the shell has its prompt and these processes of the job are stopped.
    #[track_caller]
    pub(crate) fn suspend(&mut self, scene: &Scene, pids: [i32; 2]) {
        self.press("\x1a");
        // Not before: until it is stopped, what is typed is for the job.
        self.screen.up_to("Stopped");
        self.press("echo shell:$((40 + 2))\n");
        self.screen.up_to("shell:42");
        for pid in pids {
            scene.deadline.until("both to be stopped", || (proc::state(pid) == Some('T')).then_some(()));
        }
    }

    /// Types `fg`, and waits until they go on.
    #[track_caller]
    pub(crate) fn resume(&mut self, scene: &Scene, pids: [i32; 2]) {
        self.press("fg\n");
        for pid in pids {
            scene.deadline.until("both to go on", || (proc::state(pid) == Some('S')).then_some(()));
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is open");
    }
}
