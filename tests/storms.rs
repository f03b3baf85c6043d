//! What forks faster than anybody can look is killed all the same, by an ordinary user's supervise that is not process
//! 1, and nobody else of that user is touched.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::running::Running;
use harness::{Exit, Scene, proc, send, skip};
use libc::{SIGKILL, SIGTERM, SIGWINCH};

/// So many processes the user may have (RLIMIT_NPROC).
const LIMIT: usize = 60;

/// A user whom nobody else is, not even another run of these tests.
struct User(u32);

impl User {
    fn new() -> User {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        User(1_000_000 + 100 * std::process::id() + COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// The command that becomes this user's.
    fn command(&self) -> [String; 4] {
        let User(id) = self;
        ["setpriv".into(), format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".into()]
    }

    /// What runs for the user.
    fn processes(&self) -> Vec<i32> {
        let id = self.0.to_string();
        let is_theirs =
            |pid: &i32| proc::status(*pid, "Uid").is_some_and(|ids| ids.split_whitespace().next() == Some(&id));
        // What is on its way out has closed its pipes before it is a zombie.
        proc::pids().filter(is_theirs).filter(|pid| !proc::is_exiting(*pid)).collect()
    }
}

/// A process of the user that tells of the first signal it gets.
fn bystander<'s>(scene: &'s Scene, user: &User) -> Running<'s> {
    let [setpriv, words @ ..] = user.command();
    let mut command = scene.command(setpriv);
    command.args(words).arg(scene.for_everybody(&harness::probe())).args(["report-until", "WINCH"]);
    command.stdout(Stdio::piped());
    let mut bystander = Running::start(scene, command, 0, Path::new("probe"));
    bystander.expect("ready");
    bystander
}

/// Lets a storm rage below supervise until it ends as it should, and looks for what is left of it.
#[track_caller]
fn weather(storm: &str, options: &[&str], at_the_end: &str, expected: Exit) {
    let scene = Scene::new();
    let user = User::new();
    let mut bystander = bystander(&scene, &user);
    let launch = scene.supervise().for_everybody().behind(&user.command().each_ref().map(String::as_str));
    let launch = launch.entered_with(&format!("limit 6 {LIMIT} {LIMIT}")).options(options);
    let mut init = launch.probe(&format!("ignore TERM,HUP, {storm} say raging, read, {at_the_end}")).spawn();
    init.expect("raging");
    if storm.contains("bomb") {
        scene.deadline.until("all that the limit allows", || (user.processes().len() >= LIMIT).then_some(()));
    }
    let awaited_by_main = at_the_end == "wait";
    init.go();
    if awaited_by_main {
        init.signal(SIGTERM);
    }
    // Both pipes end, which everything below supervise held.
    let ended = init.end();
    assert_eq!(ended.exit, expected, "{storm} {options:?}: {:#?}", ended.stderr);
    // Of what lives for a moment only, one look might find nobody.
    for _ in 0..20 {
        assert_eq!(user.processes(), [bystander.outer_pid()], "{storm} {options:?}");
    }
    send(bystander.outer_pid(), SIGWINCH, 1);
    assert!(bystander.line().starts_with("got 28 "), "somebody else was told: {storm} {options:?}");
}

const BOMB: &str = "fork bomb, end,";
const COMET: &str = "fork comet, end,";
const COMETS: &str = "fork comet, end, fork comet, end, fork comet, end, fork comet, end,";

/// Only root can become a user of its own for this.
fn can_change_user() -> bool {
    let can = nix::unistd::geteuid().is_root();
    if !can {
        skip("only root may become another user");
    }
    can
}

#[test]
fn the_kill_of_a_tree_ends_what_forks_without_end() {
    if can_change_user() {
        for storm in [BOMB, COMET, COMETS] {
            let options = ["--kill-mode", "tree", "--grace", "1s"];
            weather(storm, &options, "wait", Exit::Signal(SIGKILL));
        }
    }
}

#[test]
fn so_it_does_where_leftovers_would_be_left() {
    if can_change_user() {
        for storm in [BOMB, COMETS] {
            let options = ["--kill-mode", "tree", "--stop-signal", "KILL", "--leftovers", "leave"];
            weather(storm, &options, "wait", Exit::Signal(SIGKILL));
        }
    }
}

#[test]
fn the_kill_of_leftovers_ends_what_forks_without_end() {
    if can_change_user() {
        for storm in [BOMB, COMET, COMETS] {
            weather(storm, &["--leftover-grace", "1s"], "exit 3", Exit::Code(3));
        }
    }
}
