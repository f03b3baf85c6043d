//! At a real terminal, called as another init: what those do wrong there is done right.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, Scene, proc, send};
use libc::{SIGINT, SIGWINCH};

const CTRL_C: &str = "\x03";

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
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let verbs = "say up:$((40+2)), read, foreground, say back:$((40+2)), wait";
        terminal.press(&format!("{}\n", words(&scene, name, options, verbs).join(" ")));
        terminal.screen.up_to("up:42");
        let init = scene.named(name);
        let main = scene.deadline.until("main", || proc::children(init).first().copied());
        terminal.suspend(&scene, [init, main]);
        terminal.resume(&scene, [init, main]);
        terminal.press("go\n");
        let seen = terminal.screen.up_to("back:42");
        assert!(seen.contains("foreground own"), "{name} {options}: {seen}");
        terminal.press(CTRL_C);
        terminal.press("echo code:$?\n");
        terminal.screen.up_to("code:130");
    }
}

#[test]
fn a_key_arrives_once_where_the_group_is_shared() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let words = words(&scene, "dumb-init", "-c", "say up, report-until WINCH, exit 3");
    let mut init = terminal.session(&scene, &words.iter().map(String::as_str).collect::<Vec<_>>());
    terminal.screen.up_to("ready");
    for _ in 0..3 {
        terminal.press(CTRL_C);
        terminal.screen.up_to(&format!("got {SIGINT} from 0 "));
    }
    send(init.pid(), SIGWINCH, 1);
    let rest = terminal.screen.up_to(&format!("got {SIGWINCH} "));
    assert!(!rest.contains("got 2 "), "{rest}");
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_command_once() {
    for (name, options) in [("tini", "-s"), ("catatonit", ""), ("dumb-init", ""), ("dumb-init", "-c")] {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let (fifo, mut lines) = scene.fifo("report");
        let verbs = format!("say up, out {}, report-until WINCH, exit 3", fifo.display());
        let words = words(&scene, name, options, &verbs);
        let mut init = terminal.session(&scene, &words.iter().map(String::as_str).collect::<Vec<_>>());
        terminal.screen.up_to("up");
        assert_eq!(lines.next().as_deref(), Some("ready"));
        drop(terminal);
        assert!(lines.next().is_some_and(|line| line.starts_with("got 1 ")), "{name} {options}");
        send(init.pid(), SIGWINCH, 1);
        let mut rest = Vec::new();
        while !rest.last().is_some_and(|line: &String| line.starts_with("got 28 ")) {
            rest.extend(lines.next());
        }
        assert!(!rest.iter().any(|line| line.starts_with("got 1 ")), "{name} {options}: {rest:?}");
        assert_eq!(init.wait(), Exit::Code(3), "{name} {options}");
    }
}
