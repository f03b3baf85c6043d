//! At a real terminal, called as another init: what those do wrong there is done right.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use harness::launch::Init;
use harness::terminal::{CTRL_C, Session};
use harness::{Exit, Scene, proc, send};
use libc::{SIGINT, SIGWINCH};

/// supervise under that name.
fn link(scene: &Scene, name: &str) -> PathBuf {
    let link = scene.folder().join(name);
    symlink(Init::Supervise.path().expect("cargo built it"), &link).expect("the folder is new");
    link
}

/// The words of `{name} {options} -- {probe} {verbs}`.
fn words(scene: &Scene, name: &str, options: &str, verbs: &str) -> Vec<String> {
    let init = link(scene, name).display().to_string();
    let options = options.split_whitespace().map(str::to_owned);
    let probe = harness::probe().display().to_string();
    let verbs = harness::words(verbs).into_iter().map(str::to_owned);
    [init].into_iter().chain(options).chain(["--".to_owned(), probe]).chain(verbs).collect()
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for (name, options) in [("tini", "-s"), ("tini", "-sg"), ("catatonit", ""), ("dumb-init", "-c")] {
        let scene = Scene::new();
        let mut session = Session::shell(&scene);
        let verbs = "say up:$((40+2)), read, foreground, say back:$((40+2)), wait";
        session.type_and_see(&words(&scene, name, options, verbs).join(" "), "up:42");
        let init = scene.named(name);
        let main = scene.deadline.until("main", || proc::children(init).first().copied());
        session.suspend([init, main]);
        session.resume([init, main]);
        let seen = session.type_and_see("go", "back:42");
        assert!(seen.contains("foreground own"), "{name} {options}: {seen}");
        session.press(CTRL_C);
        session.type_and_see("echo code:$?", "code:130");
    }
}

#[test]
fn a_key_arrives_once_where_the_group_is_shared() {
    let scene = Scene::new();
    let words = words(&scene, "dumb-init", "-c", "say up, report-until WINCH, exit 3");
    let mut session = Session::start(&scene, &words.iter().map(String::as_str).collect::<Vec<_>>());
    session.up_to("ready");
    for _ in 0..3 {
        session.press_and_see(CTRL_C, &format!("got {SIGINT} from 0 "));
    }
    send(session.leader.pid(), SIGWINCH, 1);
    let rest = session.up_to(&format!("got {SIGWINCH} "));
    assert!(!rest.contains("got 2 "), "{rest}");
    assert_eq!(session.leader.wait(), Exit::Code(3));
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_command_once() {
    for (name, options) in [("tini", "-s"), ("catatonit", ""), ("dumb-init", ""), ("dumb-init", "-c")] {
        let scene = Scene::new();
        let (fifo, mut lines) = scene.fifo("report");
        let verbs = format!("say up, out {}, report-until WINCH, exit 3", fifo.display());
        let words = words(&scene, name, options, &verbs);
        let mut session = Session::start(&scene, &words.iter().map(String::as_str).collect::<Vec<_>>());
        session.up_to("up");
        assert_eq!(lines.next().as_deref(), Some("ready"));
        drop(session.terminal);
        assert!(lines.next().is_some_and(|line| line.starts_with("got 1 ")), "{name} {options}");
        send(session.leader.pid(), SIGWINCH, 1);
        let mut rest = Vec::new();
        while !rest.last().is_some_and(|line: &String| line.starts_with("got 28 ")) {
            rest.extend(lines.next());
        }
        assert!(!rest.iter().any(|line| line.starts_with("got 1 ")), "{name} {options}: {rest:?}");
        assert_eq!(session.leader.wait(), Exit::Code(3), "{name} {options}");
    }
}
