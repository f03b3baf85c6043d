//! An interactive shell at a terminal, in which the same is done with the bare command and with supervise before it:
//! what comes of it must be the same.

use std::fmt::Debug;

use super::launch::Init;
use super::terminal::{BASH, CTRL_Z, Session, bare};
use super::{Scene, proc};

/// The shells, with job control and without an editor of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Dash,
    Zsh,
}

pub(crate) const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Dash, Shell::Zsh];

/// What stands before a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Bare,
    /// supervise, in one process group with its command.
    Shared,
    /// With a group of the command's own, for one of two reasons.
    ForwardToGroup,
    KillGroup,
}

pub(crate) const SUPERVISED: [Way; 3] = [Way::Shared, Way::ForwardToGroup, Way::KillGroup];

impl Shell {
    /// The command that starts it.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Shell::Bash => BASH,
            Shell::Dash => &["dash", "-i"],
            Shell::Zsh => &["zsh", "-f", "-i", "+Z", "-o", "nopromptsp"],
        }
    }
}

impl Way {
    /// What is typed before a command, with a blank at its end.
    pub(crate) fn prefix(self) -> String {
        let options = match self {
            Way::Bare => return String::new(),
            Way::Shared => "",
            Way::ForwardToGroup => "--forward-to group ",
            Way::KillGroup => "--kill-mode group ",
        };
        format!("{} {options}-- ", Init::Supervise.path().expect("cargo built it").display())
    }
}

/// What is typed for [`Stage::code_of_line`], behind a command.
pub(crate) const SAY_CODE: &str = "echo \"code:$?;$((40 + 2))\"";

/// One shell, and what stands before the commands in it.
pub(crate) struct Stage<'s> {
    pub(crate) session: Session<'s>,
    pub(crate) shell: Shell,
    pub(crate) way: Way,
}

/// Plays the same in each shell with each way, and requires that it comes out as with the bare command.
#[track_caller]
pub(crate) fn as_the_bare_command<T: PartialEq + Debug>(play: impl Fn(&mut Stage<'_>) -> T) {
    for shell in SHELLS {
        let bare = on_stage(shell, Way::Bare, &play);
        for way in SUPERVISED {
            assert_eq!(on_stage(shell, way, &play), bare, "in {shell:?}: {way:?}, and the bare command");
        }
    }
}

/// Plays it once, in a new shell.
#[track_caller]
pub(crate) fn on_stage<T>(shell: Shell, way: Way, play: impl Fn(&mut Stage<'_>) -> T) -> T {
    let scene = Scene::new();
    let session = Session::prompting(&scene, shell.words());
    play(&mut Stage { session, shell, way })
}

impl<'s> Stage<'s> {
    pub(crate) fn scene(&self) -> &'s Scene {
        self.session.scene
    }

    /// The command, with what stands before it.
    pub(crate) fn command(&self, words: &str) -> String {
        format!("{}{words}", self.way.prefix())
    }

    /// The probe with these verbs, with what stands before it.
    pub(crate) fn probe(&self, verbs: &str) -> String {
        self.command(&bare(verbs))
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.session.press(keys);
    }

    #[track_caller]
    pub(crate) fn up_to(&mut self, text: &str) -> String {
        self.session.up_to(text)
    }

    #[track_caller]
    pub(crate) fn press_and_see(&mut self, keys: &str, text: &str) -> String {
        self.session.press_and_see(keys, text)
    }

    #[track_caller]
    pub(crate) fn type_and_see(&mut self, line: &str, text: &str) -> String {
        self.session.type_and_see(line, text)
    }

    /// Waits until the shell answers, and returns what is shown up to its next prompt.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> String {
        let seen = self.type_and_see("echo shell:$((40 + 2))", "shell:42");
        seen + &self.up_to("> ")
    }

    /// The exit code of what has just brought the prompt back.
    #[track_caller]
    pub(crate) fn code(&mut self) -> i32 {
        self.press(&format!("{SAY_CODE}\n"));
        let code = self.code_of_line();
        self.up_to("> ");
        code
    }

    /// The exit code that a line with [`SAY_CODE`] shows.
    #[track_caller]
    pub(crate) fn code_of_line(&mut self) -> i32 {
        let seen = self.up_to(";42");
        let code = seen.rsplit("code:").next().and_then(|rest| rest.strip_suffix(";42")?.parse().ok());
        code.unwrap_or_else(|| panic!("no code in {seen:?}"))
    }

    /// The settings of the terminal, and whether its foreground is whose it was.
    #[track_caller]
    pub(crate) fn settings(&mut self) -> String {
        self.press(&format!("stty -g; {}\n", bare("foreground")));
        let seen = self.up_to("foreground o");
        let rest = self.up_to("> ");
        let settings = seen.split_whitespace().find(|word| word.matches(':').count() > 20);
        format!("{} o{}", settings.unwrap_or_default(), rest.lines().next().unwrap_or_default().trim())
    }

    /// The supervises and probes that run.
    pub(crate) fn job(&self) -> Vec<i32> {
        let is_one = |pid: &i32| proc::name(*pid).is_some_and(|name| name == "supervise" || name == "probe");
        self.scene().marked().into_iter().filter(is_one).collect()
    }

    /// Presses Ctrl-Z, and waits until each of them is stopped and the shell has the terminal.
    #[track_caller]
    pub(crate) fn suspend(&mut self) {
        self.press(CTRL_Z);
        self.until_all("stopped", |state| state == 'T');
        self.up_to("> ");
    }

    #[track_caller]
    pub(crate) fn until_all(&self, awaited: &str, is_so: impl Fn(char) -> bool) {
        self.scene().deadline.until(&format!("all to be {awaited}"), || {
            let job = self.job();
            let all = !job.is_empty() && job.into_iter().all(|pid| proc::state(pid).is_some_and(&is_so));
            all.then_some(())
        });
    }

    /// Types `fg` and more, and waits until the whole job goes on.
    #[track_caller]
    pub(crate) fn fg(&mut self, more: &str) {
        self.press(&format!("fg{more}\n"));
        self.until_all("awake", |state| state == 'S');
    }
}
