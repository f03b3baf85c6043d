//! Completions in the real shells: keys are pressed at a terminal, and what the shell makes of them is what a `supervise`
//! of the test's own gets as its words.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;
/// The program's own table.
#[expect(dead_code, reason = "its parser is not needed here")]
#[path = "../src/cli/options.rs"]
mod options;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, Scene, skip};
use options::{CHECK, CTL, FEATURES, HALT, Kind, RUN, RUNLEVEL, SHIMS, SHUTDOWN, SYSTEMCTL, TABLE, TELINIT, WAIT_FOR};

/// Keys behind `supervise `, and the words that come of them. `zq` begins names that only the test's folder has.
const CASES: [(&str, &[&str]); 37] = [
    ("--forward-t\t m\t true", &["--forward-to", "main", "true"]),
    ("--kill-mode gr\t", &["--kill-mode", "group"]),
    ("--kill-mode=gr\t", &["--kill-mode=group"]),
    ("--parent-death WIN\t", &["--parent-death", "WINCH"]),
    ("--stop-signal TERM:10s,QU\t", &["--stop-signal", "TERM:10s,QUIT"]),
    ("--stop-signal=TERM:10s,QU\t", &["--stop-signal=TERM:10s,QUIT"]),
    ("--rewrite TERM=QU\t", &["--rewrite", "TERM=QUIT"]),
    ("--rewrite=HUP=ign\t", &["--rewrite=HUP=ignore"]),
    ("--exit-map WIN\t5", &["--exit-map", "WINCH=5"]),
    ("--grace 15m\t", &["--grace", "15m"]),
    ("--exit-report zqfi\t", &["--exit-report", "zqfile"]),
    ("--exit-report=zqfi\t", &["--exit-report=zqfile"]),
    ("--user daem\t true", &["--user", "daemon", "true"]),
    ("--ready sd_\t true", &["--ready", "sd_notify", "true"]),
    ("--ready file:zqfi\t", &["--ready", "file:zqfile"]),
    ("--ready=fil\tx", &["--ready=file:x"]),
    ("--user daemon:roo\t true", &["--user", "daemon:root", "true"]),
    ("--rlimit core=0,nofi\t5", &["--rlimit", "core=0,nofile=5"]),
    ("--cap-drop net_raw,setui\t true", &["--cap-drop", "net_raw,setuid", "true"]),
    // The command, where it begins, and then what it completes itself.
    ("zqpro\t", &["zqprogram"]),
    ("-v --grace 5s zqpro\t zqfi\t", &["-v", "--grace", "5s", "zqprogram", "zqfile"]),
    ("--stop-signal TERM:5s,KILL -- zqpro\t", &["--stop-signal", "TERM:5s,KILL", "--", "zqprogram"]),
    ("--grace=5s -- ls --auth\t", &["--grace=5s", "--", "ls", "--author"]),
    ("-v ls --auth\t", &["-v", "ls", "--author"]),
    // What belongs to the command is none of ours.
    ("ls --kill-mode gr\t", &["ls", "--kill-mode", "gr"]),
    ("-- ls --forward-t\t", &["--", "ls", "--forward-t"]),
    // The subcommands.
    ("completions z\t", &["completions", "zsh"]),
    ("ctl signal WIN\t", &["ctl", "signal", "WINCH"]),
    ("shims --ini\t bi\t.", &["shims", "--inits", "bin/."]),
    ("shims --inits=bi\t.", &["shims", "--inits=bin/."]),
    ("shims --inits bin --rem\t -v", &["shims", "--inits", "bin", "--remove", "-v"]),
    ("wait-for --time\t 5s fil\t", &["wait-for", "--timeout", "5s", "file:"]),
    ("wait-for file:zqfi\t", &["wait-for", "file:zqfile"]),
    ("wait-for tcp:db:1 --kill-mode gr\t", &["wait-for", "tcp:db:1", "--kill-mode", "group"]),
    ("run --writ\t --net pri\t bi\t.", &["run", "--writable", "--net", "private", "bin/."]),
    ("run --upp\t bi\t. /r -- ls --auth\t", &["run", "--upper", "bin/.", "/r", "--", "ls", "--author"]),
    ("wait-for tcp:db:1 -- ls --auth\t", &["wait-for", "tcp:db:1", "--", "ls", "--author"]),
];

/// The completions that supervise prints, in a file of the scene's.
fn script(scene: &Scene, shell: &str) -> String {
    let path = Init::Supervise.path().expect("cargo built it");
    let printed = scene.command(path).args(["completions", shell]).output().expect("it runs");
    assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
    let file = scene.folder().join(format!("completions.{shell}"));
    std::fs::write(&file, printed.stdout).expect("the folder is ours");
    file.display().to_string()
}

/// A folder to be in, with a program and a file that nobody else has.
fn furnish(scene: &Scene) -> String {
    scene.executable("zqprogram", b"#!/bin/sh\n");
    std::fs::write(scene.folder().join("zqfile"), "").expect("the folder is ours");
    scene.folder().display().to_string()
}

/// Presses the keys of all cases in a shell, once its lines of set-up are read.
fn press_all(scene: &Scene, shell: &[&str], set_up: &str, cases: &[(&str, &[&str])]) {
    let mut terminal = Terminal::open(scene);
    let mut session = terminal.session(scene, shell);
    terminal.screen.up_to("> ");
    let folder = furnish(scene);
    // Quoted, so that the echo of the line is not taken for what it prints.
    let ours = "supervise() { printf '<%s>' \"$@\"; echo 'E''ND'; }; echo 'SET'_'UP'";
    terminal.press(&format!("cd {folder}; mkdir bin; mv zqprogram bin; PATH=$PATH:{folder}/bin; {set_up}; {ours}\n"));
    terminal.screen.up_to("SET_UP");
    terminal.screen.up_to("> ");
    for (keys, words) in cases {
        terminal.press(&format!("supervise {keys}\n"));
        let seen = terminal.screen.up_to("END");
        let wanted: String = words.iter().map(|word| format!("<{word}>")).collect();
        let got = seen.rsplit(['\r', '\n']).next().unwrap_or_default().trim_end_matches("END");
        assert_eq!(got, wanted, "{shell:?}: {keys:?}: {seen:?}");
        terminal.screen.up_to("> ");
    }
    terminal.press("exit\n");
    assert_eq!(session.wait(), Exit::Code(0));
}

fn is_missing(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
}

const BASH: [&str; 4] = ["bash", "--norc", "--noprofile", "-i"];
const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

#[test]
fn bash_completes_with_the_package_bash_completion() {
    if !Path::new(BASH_COMPLETION).exists() {
        return skip("the package bash-completion is missing");
    }
    let scene = Scene::new();
    let set_up = format!("source {BASH_COMPLETION}; source {}", script(&scene, "bash"));
    press_all(&scene, &BASH, &set_up, &CASES);
    scene.nothing_is_left();
}

#[test]
fn bash_completes_without_it_all_but_the_arguments_of_the_command() {
    let scene = Scene::new();
    let set_up = format!("source {}", script(&scene, "bash"));
    let cases: Vec<_> = CASES.into_iter().filter(|(keys, _)| !keys.contains("--auth")).collect();
    assert!(cases.len() < CASES.len());
    press_all(&scene, &BASH, &set_up, &cases);
    scene.nothing_is_left();
}

#[test]
fn zsh_completes() {
    if is_missing("zsh") {
        return skip("zsh is missing");
    }
    let scene = Scene::new();
    let set_up = format!("autoload -Uz compinit; compinit -u -D; source {}", script(&scene, "zsh"));
    press_all(&scene, &["env", "TERM=dumb", "zsh", "-f", "-i"], &set_up, &CASES);
    scene.nothing_is_left();
}

#[test]
fn zsh_finds_the_completions_in_its_path() {
    if is_missing("zsh") {
        return skip("zsh is missing");
    }
    let scene = Scene::new();
    let functions = scene.folder().join("functions");
    std::fs::create_dir(&functions).expect("the folder is ours");
    std::fs::rename(script(&scene, "zsh"), functions.join("_supervise")).expect("the folder is ours");
    let set_up = format!("fpath+=({}); autoload -Uz compinit; compinit -u -D", functions.display());
    // The first one loads it.
    press_all(&scene, &["env", "TERM=dumb", "zsh", "-f", "-i"], &set_up, &CASES[..4]);
    scene.nothing_is_left();
}

/// What fish offers for a line.
fn fish_offers(scene: &Scene, file: &str, line: &str) -> BTreeSet<String> {
    let path = format!("{0}/bin:{1}", scene.folder().display(), std::env::var("PATH").unwrap_or_default());
    let mut fish = scene.command("fish");
    fish.args(["-c", "source $argv[1]; complete -C $argv[2]", file, line]).current_dir(scene.folder());
    let offered = fish.env("HOME", scene.folder()).env("PATH", path).output().expect("fish runs");
    assert!(offered.status.success() && offered.stderr.is_empty(), "{line}: {offered:?}");
    let offered = String::from_utf8_lossy(&offered.stdout).into_owned();
    offered.lines().map(|line| line.split('\t').next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn fish_completes() {
    if is_missing("fish") {
        return skip("fish is missing");
    }
    let scene = Scene::new();
    furnish(&scene);
    std::fs::create_dir(scene.folder().join("bin")).expect("the folder is ours");
    std::fs::rename(scene.folder().join("zqprogram"), scene.folder().join("bin/zqprogram")).expect("they are ours");
    let file = script(&scene, "fish");
    for (keys, words) in CASES {
        // The last of the keys in question; what was completed before it is a word like others.
        let (line, behind) = keys.rsplit_once('\t').unwrap_or_else(|| panic!("no key in {keys:?}"));
        let spelt: Vec<&str> = line.split(' ').collect();
        let (last, before) = (spelt[spelt.len() - 1], &words[..spelt.len() - 1]);
        let wanted = words[before.len()];
        let wanted = if behind.starts_with(' ') { wanted } else { wanted.trim_end_matches(behind) };
        let offered = fish_offers(&scene, &file, &format!("supervise {} {last}", before.join(" ")));
        // What stays as it is has nothing to offer, or itself among others.
        let is_offered = offered.contains(wanted);
        assert!(is_offered || (wanted == last && offered.len() != 1), "{keys:?}: {offered:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn each_option_is_offered_with_its_values() {
    if is_missing("fish") {
        return skip("fish is missing");
    }
    let scene = Scene::new();
    let file = script(&scene, "fish");
    let bash = std::fs::read_to_string(script(&scene, "bash")).expect("it was written");
    let zsh = std::fs::read_to_string(script(&scene, "zsh")).expect("it was written");
    let longs = |offered: BTreeSet<String>| -> BTreeSet<String> {
        offered.into_iter().filter(|word| word.starts_with("--")).collect()
    };
    let own: BTreeSet<String> = TABLE.iter().map(|row| format!("--{}", row.long)).collect();
    let besides = WAIT_FOR.iter().map(|row| format!("--{}", row.long));
    assert_eq!(longs(fish_offers(&scene, &file, "supervise --")), own);
    assert_eq!(
        longs(fish_offers(&scene, &file, "supervise wait-for --")),
        own.iter().cloned().chain(besides).collect()
    );
    let besides = RUN.iter().map(|row| format!("--{}", row.long));
    assert_eq!(longs(fish_offers(&scene, &file, "supervise run --")), own.iter().cloned().chain(besides).collect());
    let of_check: BTreeSet<String> =
        CHECK.iter().map(|row| row.long).chain(["verbose", "help"]).map(|long| format!("--{long}")).collect();
    assert_eq!(longs(fish_offers(&scene, &file, "supervise check --")), of_check);
    let of_shims: BTreeSet<String> =
        ["--inits", "--divert", "--remove", "--verbose", "--help"].map(str::to_owned).into();
    assert_eq!(longs(fish_offers(&scene, &file, "supervise shims --")), of_shims);
    let of_features = FEATURES.iter().map(|row| format!("--{}", row.long));
    let of_features = of_features.chain(["--verbose", "--help"].map(str::to_owned)).collect();
    assert_eq!(longs(fish_offers(&scene, &file, "supervise features --")), of_features);
    for (name, rows) in [
        ("poweroff", &HALT[..]),
        ("runlevel", &RUNLEVEL),
        ("shutdown", &SHUTDOWN),
        ("init", &TELINIT),
        ("systemctl", &SYSTEMCTL),
    ] {
        let own = rows.iter().flat_map(|row| row.spellings()).filter(|word| word.starts_with("--")).collect();
        assert_eq!(longs(fish_offers(&scene, &file, &format!("supervise {name} --"))), own);
    }
    let verbs = fish_offers(&scene, &file, "supervise ctl ");
    for verb in ["status", "stop", "restart", "signal", "events"] {
        assert!(verbs.contains(verb), "{verbs:?}");
        for (name, script) in [("bash", &bash), ("zsh", &zsh)] {
            assert!(script.contains(&format!("{verb} ")) || script.contains(&format!(" {verb}")), "{name}: no {verb}");
        }
    }
    let levels = fish_offers(&scene, &file, "supervise telinit ");
    assert!(["0", "6", "q", "u"].iter().all(|level| levels.contains(*level)), "{levels:?}");
    let subcommands = [
        "wait-for",
        "run",
        "check",
        "features",
        "shims",
        "ctl",
        "poweroff",
        "shutdown",
        "systemctl",
        "completions",
        "man",
    ];
    let subcommands: BTreeSet<String> = subcommands.map(str::to_owned).into();
    assert!(fish_offers(&scene, &file, "supervise ").is_superset(&subcommands));
    let of_clients = HALT.iter().chain(&SHUTDOWN).chain(&TELINIT).chain(&SYSTEMCTL).filter(|row| !row.long.is_empty());
    for row in TABLE.iter().chain(&WAIT_FOR).chain(&CHECK).chain(&SHIMS).chain(&CTL).chain(of_clients) {
        assert!(bash.contains(&format!("--{}", row.long)), "--{} is missing in bash", row.long);
        let marks = ["=[", "[", "}'["].map(|mark| format!("--{}{mark}", row.long));
        assert!(marks.iter().any(|mark| zsh.contains(mark)), "--{} is missing in zsh", row.long);
        if row.kind() == Some(Kind::Choice) {
            let value = row.value.unwrap_or_default();
            let choices: BTreeSet<String> = value.split('|').map(str::to_owned).collect();
            assert_eq!(fish_offers(&scene, &file, &format!("supervise --{} ", row.long)), choices);
            let words = value.replace('|', " ");
            assert!(bash.contains(&format!("--{}) _supervise_offer -W '{words}'", row.long)), "--{}", row.long);
            assert!(zsh.contains(&format!(":{value}:({words})'")), "--{}", row.long);
        }
    }
    scene.nothing_is_left();
}
