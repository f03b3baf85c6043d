//! Namespaces of PIDs and mounts with a /run of their own, in which supervise is process 1 and answers; and its clients, who
//! come from outside, as `docker exec` brings them.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use serde_json::Value;

use crate::harness::launch::Init;
use crate::harness::running::{Ended, Running};
use crate::harness::{Exit, Scene, skip};

/// What becomes process 1 behind a shell that makes room for it.
const MAKE: &str = r#"
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 777 /run/user || exit 99
cd "$1" || exit 99
shift
exec "$@""#;

/// A command that counts its runs, and sleeps as a shell that hears signals.
pub(crate) const COUNTS: &str = "echo x >>runs; echo run $(($(wc -l <runs))); while :; do sleep 1000 & wait $!; done";

/// Process 1, and what it runs.
pub(crate) struct Container<'s> {
    pub(crate) scene: &'s Scene,
    pub(crate) init: Running<'s>,
}

/// Who asks.
pub(crate) const ROOT: &[&str] = &[];
pub(crate) const USER: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];

/// Whether a test can have namespaces; said aloud if not.
#[track_caller]
pub(crate) fn is_root() -> bool {
    if !geteuid().is_root() {
        skip("what users may of a process 1 of root is tested as root");
    }
    geteuid().is_root()
}

/// A scene for what is tested as root; none if we are not, as [`is_root`] says.
#[track_caller]
pub(crate) fn as_root() -> Option<Scene> {
    is_root().then(Scene::new)
}

/// A supervise that every user may execute.
pub(crate) fn supervise(scene: &Scene) -> String {
    let path = scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
    path.to_str().expect("UTF-8").to_owned()
}

impl<'s> Container<'s> {
    /// With a shell's script as its command, and what is before supervise itself.
    pub(crate) fn behind(scene: &'s Scene, before: &[&str], options: &[&str], script: &str) -> Container<'s> {
        let path = supervise(scene);
        let words = [before, &[&path], options, &["--", "bash", "-c", script]].concat();
        Container::of(scene, &words)
    }

    /// Without a command, as the pause process of a pod, which catatonit is with `-P`.
    pub(crate) fn pausing(scene: &'s Scene) -> Container<'s> {
        Container::of(scene, &["bash", "-c", "exec -a catatonit \"$0\" -P", &supervise(scene)])
    }

    /// With these words as process 1.
    pub(crate) fn of(scene: &'s Scene, words: &[&str]) -> Container<'s> {
        let mut command = scene.command("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", MAKE, "sh"]);
        command.arg(scene.folder()).args(words);
        command.env_remove("SUPERVISE_REQUESTS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let init = Running::start(scene, command, 1, Path::new(&supervise(scene)));
        Container { scene, init }
    }

    pub(crate) fn new(scene: &'s Scene, options: &[&str], script: &str) -> Container<'s> {
        Container::behind(scene, &[], options, script)
    }

    /// The same once its command has said that.
    #[track_caller]
    pub(crate) fn saying(said: &str, scene: &'s Scene, options: &[&str], script: &str) -> Container<'s> {
        let mut container = Container::new(scene, options, script);
        container.init.expect(said);
        container
    }

    /// A command inside, by somebody, which is not begun yet.
    pub(crate) fn command(&self, who: &[&str], words: &[&str]) -> Command {
        let mut command = self.scene.command("nsenter");
        let target = self.init.pid().to_string();
        command.args(["--target", &target, "--mount", "--pid"]).args(who).args(words);
        command.env_remove("SUPERVISE_REQUESTS");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `supervise ctl` with these words.
    pub(crate) fn begin(&self, who: &[&str], words: &[&str]) -> Running<'s> {
        let path = self.scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
        let program = path.to_str().expect("UTF-8");
        let command = self.command(who, &[&[program, "ctl"], words].concat());
        Running::start(self.scene, command, 1, &path)
    }

    pub(crate) fn ctl(&self, who: &[&str], words: &[&str]) -> Ended {
        self.begin(who, words).end()
    }

    /// Asks for it, and requires that it is done without a word.
    #[track_caller]
    pub(crate) fn asks(&self, words: &[&str]) {
        let ended = self.ctl(ROOT, words);
        assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(0), 0, 0), "{words:?} {ended:?}");
    }

    /// Requires one line with these words, and that code.
    #[track_caller]
    pub(crate) fn is_refused(&self, who: &[&str], words: &[&str], code: i32, said: &str) {
        let ended = self.ctl(who, words);
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(code), 0), "{words:?} {ended:?}");
        assert!(ended.stderr.len() == 1 && ended.stderr[0].contains(said), "no {said:?} in {ended:?}");
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let ended = self.ctl(ROOT, &["status", "--json"]);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
        serde_json::from_str(&ended.stdout.join("\n")).expect("one object")
    }

    /// Waits until it stands so.
    #[track_caller]
    pub(crate) fn wait_until(&self, awaited: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.scene.deadline.until(awaited, || Some(self.status()).filter(|status| is_so(status)))
    }

    /// Begins to be told what happens, and waits for the first line.
    #[track_caller]
    pub(crate) fn reads(&self, who: &[&str]) -> Reader<'s> {
        let mut reader = Reader(self.begin(who, &["events", "--json"]));
        assert_eq!(reader.next()["event"], "state");
        reader
    }
}

impl<'s> Container<'s> {
    /// The same from outside the PID namespace: it does not end with that.
    #[track_caller]
    pub(crate) fn reads_from_outside(&self) -> Reader<'s> {
        let mut reader = Reader(self.begin_outside(&["events", "--json"]));
        assert_eq!(reader.next()["event"], "state");
        reader
    }

    /// `supervise ctl` with these words from outside the PID namespace.
    pub(crate) fn begin_outside(&self, words: &[&str]) -> Running<'s> {
        let path = self.scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
        let mut command = self.scene.command("nsenter");
        command.args(["--target", &self.init.pid().to_string(), "--mount"]).arg(&path).arg("ctl").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(self.scene, command, 0, &path)
    }
}

/// One who is told what happens.
pub(crate) struct Reader<'s>(pub(crate) Running<'s>);

impl Reader<'_> {
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        let line = self.0.line();
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(event["schema"], 1, "{line}");
        event
    }

    /// Waits for that event, and returns it with the names of those before it.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> (Value, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let event = self.next();
            if event["event"] == name {
                return (event, before);
            }
            before.push(event["event"].as_str().unwrap_or_default().to_owned());
        }
    }
}
