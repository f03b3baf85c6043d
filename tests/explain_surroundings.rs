//! Where the answer lies outside the process: a cgroup without memory, a /proc that is missing, another's, or hides.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use harness::launch::{Launch, Place};
use harness::memory::Group;
use harness::slow::{Slow, killed, python, says, warnings};
use harness::{Exit, Scene, skip};

const LIMIT: u64 = 32 << 20;
const ENOUGH: u64 = 512 << 20;

/// Uses more than there is, and no more than the machine has in any case.
const GREEDY: &str =
    "print('ready', flush=True); import sys; sys.stdin.readline(); x = b'x' * (128 << 20); sys.exit(3)";

fn greedy<'s>(scene: &'s Scene, group: &Group) -> Launch<'s> {
    let enter = group.enter();
    let launch = scene.supervise().behind(&enter.each_ref().map(String::as_str));
    launch.argv(&[python(), "-c", GREEDY])
}

#[test]
fn a_kill_for_want_of_memory_is_said_to_be_one_and_more_memory_helps() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root has cgroups");
    }
    for place in [Place::Child, Place::Pid1] {
        let group = match Group::make(&format!("explain-{place:?}"), LIMIT) {
            Ok(group) => group,
            Err(why) => return skip(&format!("no memory cgroup can be made here: {why}")),
        };
        // Made later, it goes first, with its processes.
        let scene = Scene::new();
        let mut slow = Slow::start(&scene, place, greedy(&scene, &group));
        let main = harness::proc::inner_pid(slow.main).expect("it lives");
        slow.init.go();
        let ended = slow.init.end();
        let said = warnings(&ended);
        assert_eq!((ended.exit, said.len()), (killed(place), 1), "{place:?}: {:?}", ended.stderr);
        says(
            said[0],
            &[
                &format!(
                    "the main program (pid {main}) was killed by SIGKILL, and not by supervise: by the kernel for want of memory?"
                ),
                "its cgroup has counted 1 such kill since it was made, limit 32 MiB",
                "raise the limit (docker run --memory, resources.limits.memory)",
            ],
        );
        // A second one, for machines; the count goes on.
        let launch = greedy(&scene, &group).options(&["--log-format=json"]);
        let mut slow = Slow::start(&scene, place, launch);
        slow.init.go();
        let ended = slow.init.end();
        assert_eq!((ended.exit, ended.stderr.len()), (killed(place), 1), "{place:?}: {:?}", ended.stderr);
        let line: serde_json::Value = serde_json::from_str(&ended.stderr[0]).expect("JSON");
        assert_eq!((&line["event"], &line["why"], &line["count"]), (&"explain".into(), &"memory".into(), &2.into()));
        // What the line says to do.
        group.allow(ENOUGH).expect("it is ours");
        let mut slow = Slow::start(&scene, place, greedy(&scene, &group));
        slow.init.go();
        slow.ends_with(3);
        scene.nothing_is_left();
    }
}

/// An empty folder in the place of `/proc`, in a mount namespace of its own.
const WITHOUT_PROC: [&str; 6] = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];

/// What is said of a stop that ends in a kill, the line about the kill last.
#[track_caller]
fn said_of_a_slow_stop(slow: Slow<'_>) -> String {
    slow.stop();
    let ended = slow.init.end();
    let said = warnings(&ended);
    let explained: Vec<&&str> = said.iter().filter(|line| line.contains(" after SIGTERM: ")).collect();
    assert_eq!(explained.len(), 1, "{:?}", ended.stderr);
    assert!(said.iter().any(|line| line.contains("killing it")), "{:?}", ended.stderr);
    assert!([Exit::Signal(9), Exit::Code(137)].contains(&ended.exit), "{:?}", ended.exit);
    (*explained[0]).to_owned()
}

/// Long enough for the helper to speak before the kill.
const GRACE: [&str; 2] = ["--grace", "10s"];

#[test]
fn without_proc_it_is_said_that_nothing_can_be_seen() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    for place in [Place::Child, Place::Pid1] {
        let launch = scene.supervise().behind(&WITHOUT_PROC).options(&GRACE).probe("ignore TERM, ready, wait");
        let said = said_of_a_slow_stop(Slow::start(&scene, place, launch));
        says(&said, &["the main program is still there, and why cannot be seen: cannot read /proc: "]);
    }
    scene.nothing_is_left();
}

#[test]
fn the_proc_of_another_namespace_is_not_believed() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may make a namespace without a user's");
    }
    let scene = Scene::new();
    // The outer one keeps a mistake away from the machine, and has the /proc that the inner one sees.
    let launch = scene.supervise().below(&["unshare", "--pid", "--fork", "--kill-child"]).options(&GRACE);
    let slow = Slow::start(&scene, Place::Pid1, launch.probe("ignore TERM, ready, wait"));
    let said = said_of_a_slow_stop(slow);
    says(&said, &["the main program is still there, and why cannot be seen: /proc is that of another PID namespace"]);
    scene.nothing_is_left();
}

#[test]
fn a_proc_that_hides_main_is_said_to() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    // A program that its user may run and not read is hidden from that user. Mounted anew: the options of the machine's
    // own /proc stay.
    let secret = scene.executable("secret", &fs::read(harness::probe()).expect("cargo built it"));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o711)).expect("it is ours");
    let secret = secret.to_str().expect("made by us");
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    for place in [Place::Child, Place::Pid1] {
        for (options, hidden) in [("hidepid=2", true), ("hidepid=0", false)] {
            let script = format!("mount -t proc -o {options} proc /proc && exec {user} \"$@\"");
            let launch = scene.supervise().for_everybody().behind(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
            let launch = launch.options(&GRACE).argv(&[secret, "ignore", "TERM", "ready", "wait"]);
            let said = said_of_a_slow_stop(Slow::start(&scene, place, launch));
            match hidden {
                true => says(&said, &["is still there, and why cannot be seen: /proc does not show it (hidepid)"]),
                false => says(&said, &["(`secret", "ignores SIGTERM"]),
            }
        }
    }
    scene.nothing_is_left();
}
