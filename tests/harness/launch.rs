//! How an init is started: which one, where, behind what, with which payload.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::running::{Ended, Running};
use super::{Scene, probe, words};

/// The inits that the tests can start. The others are there to be compared with.
#[expect(clippy::enum_variant_names, reason = "one of them is called so")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Supervise,
    Tini,
    TiniStatic,
    DumbInit,
    Catatonit,
}

pub(crate) const PEERS: [Init; 4] = [Init::Tini, Init::TiniStatic, Init::DumbInit, Init::Catatonit];

/// What process the init is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A child of the test.
    Child,
    /// Process 1 of a PID namespace.
    Pid1,
    /// The same, started by a user without rights in a user namespace of its own.
    UserPid1,
}

pub(crate) const EVERYWHERE: [Place; 3] = [Place::Child, Place::Pid1, Place::UserPid1];

/// Who gets the forwarded signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Main,
    Group,
}

/// How supervise is given a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Option,
    Variable,
}

/// Both ways of giving a value, in all the places.
pub(crate) const WAYS: [(Place, By); 4] = [
    (Place::Child, By::Option),
    (Place::Child, By::Variable),
    (Place::Pid1, By::Option),
    (Place::UserPid1, By::Variable),
];

/// The variable that stands for an option.
pub(crate) fn variable(option: &str) -> String {
    format!("SUPERVISE_{}", option.to_ascii_uppercase().replace('-', "_"))
}

impl Init {
    /// The file, if it is installed.
    pub(crate) fn path(self) -> Option<PathBuf> {
        let path = match self {
            Init::Supervise => std::env::var_os("SUPERVISE_BIN")
                .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_supervise")), PathBuf::from),
            Init::Tini => PathBuf::from("/usr/bin/tini"),
            Init::TiniStatic => PathBuf::from("/usr/bin/tini-static"),
            Init::DumbInit => PathBuf::from("/usr/bin/dumb-init"),
            Init::Catatonit => PathBuf::from("/usr/bin/catatonit"),
        };
        path.exists().then_some(path)
    }

    /// What it must be told to be the same as the others there.
    fn options(self, place: Place) -> &'static [&'static str] {
        match self {
            // Otherwise it warns and does not reap.
            Init::Tini | Init::TiniStatic if place == Place::Child => &["-s"],
            _ => &[],
        }
    }

    fn forwards_to(self, target: Target) -> &'static [&'static str] {
        match (self, target) {
            (Init::Supervise, Target::Main) => &["--forward-to", "main"],
            (Init::Supervise, Target::Group) => &["--forward-to", "group"],
            (Init::Tini | Init::TiniStatic | Init::Catatonit, Target::Group) => &["-g"],
            (Init::DumbInit, Target::Main) => &["--single-child"],
            _ => &[],
        }
    }
}

/// A change to how the outermost process is spawned.
type Adjustment = Box<dyn FnOnce(&mut Command) -> &mut Command>;

/// An init that is about to be started.
#[must_use]
pub(crate) struct Launch<'s> {
    scene: &'s Scene,
    init: Option<Init>,
    place: Place,
    behind: Vec<OsString>,
    forks: usize,
    entered: Vec<OsString>,
    options: Vec<OsString>,
    payload: Vec<OsString>,
    adjust: Vec<Adjustment>,
    copied: bool,
    called: Option<PathBuf>,
}

impl<'s> Launch<'s> {
    pub(crate) fn new(scene: &'s Scene, init: Option<Init>) -> Launch<'s> {
        Launch {
            scene,
            init,
            place: Place::Child,
            behind: Vec::new(),
            forks: 0,
            entered: Vec::new(),
            options: Vec::new(),
            payload: Vec::new(),
            adjust: Vec::new(),
            copied: false,
            called: None,
        }
    }

    /// The name that the init's process has, where the words themselves begin with an init.
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.called = Some(name.into());
        self
    }

    pub(crate) fn place(mut self, place: Place) -> Self {
        self.place = place;
        self.copied |= place == Place::UserPid1;
        self
    }

    /// For a user without rights, who can run only what stands where everybody may read.
    pub(crate) fn for_everybody(mut self) -> Self {
        self.copied = true;
        self
    }

    pub(crate) fn forward_to(self, target: Target) -> Self {
        let options = self.init.map_or(&[][..], |init| init.forwards_to(target));
        self.options(options)
    }

    pub(crate) fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(OsString::from));
        self
    }

    /// Gives supervise a value of an option, by its name without the dashes.
    pub(crate) fn given(self, by: By, option: &str, value: &str) -> Self {
        match by {
            By::Option => self.options(&[&format!("--{option}"), value]),
            By::Variable => {
                let (variable, value) = (variable(option), value.to_owned());
                self.adjust(move |command| command.env(variable, value))
            }
        }
    }

    /// Verbs of the probe that prepare the process which then becomes the init.
    pub(crate) fn entered_with(mut self, verbs: &str) -> Self {
        self.entered = words(verbs).into_iter().map(OsString::from).collect();
        self
    }

    /// A command that ends in becoming its operand, in the namespace and in front of the init.
    pub(crate) fn behind(mut self, command: &[&str]) -> Self {
        self.behind.extend(command.iter().map(OsString::from));
        self
    }

    /// The same for a command that forks, and runs its operand in the child.
    pub(crate) fn below(mut self, command: &[&str]) -> Self {
        self.forks += 1;
        self.behind(command)
    }

    /// Under strace, which writes to the file. Only the init is traced, and its children are not.
    pub(crate) fn traced(self, file: &Path, options: &[&str]) -> Self {
        let mut traced = self.below(&["strace", "-o"]);
        traced.behind.push(file.into());
        traced.behind(options)
    }

    pub(crate) fn env(self, name: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        self.adjust(move |command| command.env(name, value))
    }

    /// Changes how the outermost process is spawned.
    pub(crate) fn adjust(mut self, change: impl FnOnce(&mut Command) -> &mut Command + 'static) -> Self {
        self.adjust.push(Box::new(change));
        self
    }

    pub(crate) fn probe(self, verbs: &str) -> Self {
        self.probe_with(verbs, &[] as &[&str])
    }

    /// Verbs, and words behind them that must stay as they are.
    pub(crate) fn probe_with(mut self, verbs: &str, rest: &[impl AsRef<OsStr>]) -> Self {
        self.payload = vec![self.file(&probe())];
        self.payload.extend(words(verbs).into_iter().map(OsString::from));
        self.payload.extend(rest.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    pub(crate) fn argv(mut self, argv: &[impl AsRef<OsStr>]) -> Self {
        self.payload = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// A program under the name by which the place can run it.
    fn file(&self, path: &Path) -> OsString {
        if self.copied { self.scene.for_everybody(path).into() } else { path.into() }
    }

    /// The whole command line, from the outermost wrapper to the payload.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = Vec::new();
        let drop_rights = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        if self.place == Place::UserPid1 && geteuid().is_root() {
            all.extend(drop_rights.map(OsString::from));
        }
        if self.place != Place::Child {
            all.extend(namespace.map(OsString::from));
        }
        if self.place == Place::UserPid1 || (self.place == Place::Pid1 && !geteuid().is_root()) {
            all.extend(["--user", "--map-root-user"].map(OsString::from));
        }
        all.extend(self.behind.iter().cloned());
        if !self.entered.is_empty() {
            all.push(self.file(&probe()));
            all.extend(self.entered.iter().cloned());
            all.extend(["exec", "--"].map(OsString::from));
        }
        if let Some(init) = self.init {
            let path = init.path().unwrap_or_else(|| panic!("{init:?} is not installed"));
            all.push(self.file(&path));
            all.extend(init.options(self.place).iter().map(OsString::from));
            all.extend(self.options.iter().cloned());
            all.push("--".into());
        }
        all.extend(self.payload.iter().cloned());
        all
    }

    /// Starts it with pipes on all three descriptors.
    pub(crate) fn spawn(mut self) -> Running<'s> {
        let words = self.words();
        let mut command = self.scene.command(&words[0]);
        command.args(&words[1..]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.init.is_none() && self.called.is_none() {
            // The payload by itself has nobody who keeps it.
            command.env_remove("SUPERVISE_REQUESTS");
        }
        for change in std::mem::take(&mut self.adjust) {
            change(&mut command);
        }
        let forks = self.forks + usize::from(self.place != Place::Child);
        let name = self.called.or_else(|| self.init.and_then(Init::path)).unwrap_or_else(probe);
        Running::start(self.scene, command, forks, &name)
    }

    /// Starts it and waits for its end, with nothing to read on stdin.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        self.spawn().end()
    }
}
