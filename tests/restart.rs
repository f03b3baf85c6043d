//! The command is started again when it has ended by itself: after which ends, after how long, how often, as what, and
//! what a stop and a key do in between.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use harness::launch::{EVERYWHERE, Init, Launch, Place, WAYS};
use harness::running::{Running, refused};
use harness::terminal::Terminal;
use harness::{Exit, Scene, proc, send};
use libc::{SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1};

/// A shell that counts its runs in a file, says which one it is, and then does as it is told.
fn counting<'s>(scene: &'s Scene, place: Place, options: &[&str], then: &str) -> Launch<'s> {
    let script = format!("echo x >>runs; run=$(($(wc -l <runs))); echo run $run; {then}");
    // Users without rights write there too.
    fs::set_permissions(scene.folder(), Permissions::from_mode(0o777)).expect("it is ours");
    let folder = scene.folder().to_str().expect("UTF-8").to_owned();
    let launch = scene.supervise().place(place).options(options).options(&["--workdir", &folder]);
    launch.argv(&["sh", "-c", &script])
}

fn runs(count: usize) -> Vec<String> {
    (1..=count).map(|run| format!("run {run}")).collect()
}

/// So that no test waits for what it is not about.
const AT_ONCE: &[&str] = &["--restart-delay", "0"];

fn on_failure(more: &[&'static str]) -> Vec<&'static str> {
    [&["--restart", "on-failure"], AT_ONCE, more].concat()
}

#[test]
fn a_failure_brings_the_command_back_and_a_success_ends_it() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let ended = counting(&scene, place, &on_failure(&[]), "[ $run -lt 4 ] && exit 7; exit 0").end();
        assert_eq!((ended.exit, &ended.stdout), (Exit::Code(0), &runs(4)), "{place:?} {ended:?}");
        let said: Vec<_> = ended.stderr.iter().filter(|line| line.contains("has ended with code 7")).collect();
        assert_eq!(said.len(), 3, "{ended:?}");
        assert!(said[2].contains("restart 3"), "{said:?}");
    }
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = counting(&scene, place, AT_ONCE, "[ $run -lt 2 ] && kill -KILL $$; exit 0");
        let ended = launch.given(by, "restart", "on-failure").end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), runs(2)), "{place:?} {by:?}");
    }
}

#[test]
fn always_is_after_a_success_too_and_no_is_never() {
    let scene = Scene::new();
    let options = [&["--restart", "always", "--restart-limit", "2/1h"], AT_ONCE].concat();
    let ended = counting(&scene, Place::Child, &options, "exit 0").end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), runs(3)));
    let scene = Scene::new();
    let ended = counting(&scene, Place::Child, &["--restart", "no"], "exit 7").end();
    assert_eq!((ended.exit, ended.stdout, ended.stderr), (Exit::Code(7), runs(1), vec![]));
}

#[test]
fn at_the_limit_it_ends_with_the_commands_code_and_says_so() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let ended = counting(&scene, place, &on_failure(&["--restart-limit", "3/1h"]), "exit $((40 + run))").end();
        assert_eq!((ended.exit, &ended.stdout), (Exit::Code(44), &runs(4)), "{place:?} {ended:?}");
        let last = ended.stderr.last().expect("it says why");
        assert!(last.contains("code 44, after 3 restarts within 3600s; giving up"), "{last}");
    }
}

#[test]
fn what_counts_as_a_success_is_no_failure_and_the_map_is_about_the_end() {
    let scene = Scene::new();
    let options = on_failure(&["--ok-exit", "7,TERM,USR1", "--exit-map", "7=70"]);
    let ended = counting(&scene, Place::Child, &options, "exit 7").end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(70), runs(1)));
    for (by, exit) in [("USR1", Exit::Signal(SIGUSR1)), ("TERM", Exit::Signal(SIGTERM))] {
        let scene = Scene::new();
        let ended = counting(&scene, Place::Child, &options, &format!("kill -{by} $$")).end();
        assert_eq!((ended.exit, ended.stdout), (exit, runs(1)), "{by}");
    }
}

#[test]
fn each_life_begins_as_the_first_one_did() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // Where it was, what it was given, and with the descriptors that it had.
        let facts = "for fd in /proc/$$/fd/*; do all=\"$all ${fd##*/}\"; done
            echo $(pwd) $VALUE $all >>facts; [ $run -lt 3 ] && exit 1; exit 0";
        let script = format!("cd {} && exec \"$@\"", scene.folder().display());
        let launch = counting(&scene, place, &on_failure(&["--pre-start", "echo hook"]), facts);
        let launch = launch.env("VALUE", "7").behind(&["sh", "-c", &format!("{script} 5</dev/null"), "sh"]);
        let ended = launch.end();
        assert_eq!(ended.exit, Exit::Code(0), "{place:?} {ended:?}");
        let facts = fs::read_to_string(scene.folder().join("facts")).expect("it was written");
        let facts: Vec<_> = facts.lines().collect();
        assert_eq!(facts.len(), 3, "{ended:?}");
        assert!(facts[0].contains(" 5") && facts[0].contains(" 7 "), "{facts:?}");
        assert!(facts.iter().all(|life| *life == facts[0]), "{facts:?}");
        assert_eq!(ended.stdout.iter().filter(|line| *line == "hook").count(), 3, "{ended:?}");
    }
}

#[test]
fn all_that_a_life_left_is_gone_before_the_next_one() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let left = "trap '' HUP; sleep 1000 & echo $! >>left; for pid in $(head -n -1 left); do kill -0 $pid && echo alive; done";
        let ended =
            counting(&scene, place, &on_failure(&[]), &format!("{left}; [ $run -lt 4 ] && exit 1; exit 0")).end();
        assert_eq!((ended.exit, &ended.stdout), (Exit::Code(0), &runs(4)), "{place:?} {ended:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_process_1_without_a_proc_of_its_own_lets_nothing_live_on_either() {
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    // As plain `unshare --pid --fork` leaves it: that of the namespace outside.
    let mut command = scene.command("unshare");
    let own_run = "mount -t tmpfs tmpfs /run; exec \"$@\"";
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", own_run, "sh"]).arg(&supervise);
    command.args(on_failure(&["--restart-limit", "2/1h"]));
    command.args(["--leftover-grace", "1h", "--", "sh", "-c", "sleep 1000 & echo up; exit 3"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Running::start(&scene, command, 1, &supervise).end();
    assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(3), 3), "{ended:?}");
    assert!(ended.stderr[0].contains("telling all of them to end"), "{ended:?}");
}

#[test]
fn others_in_the_namespace_are_no_business_of_a_restart() {
    let scene = Scene::new();
    let options = on_failure(&[]);
    let mut init =
        counting(&scene, Place::Pid1, &options, "[ $run = 2 ] && { read line; exit 0; }; read line; exit 1").spawn();
    init.expect("run 1");
    // As `docker exec` brings one in: a process whose parent is none of ours.
    let init_pid = init.pid().to_string();
    let mut other = scene.command("nsenter");
    let mut other = other.args(["--pid", "--target", &init_pid, "sleep", "1000"]).spawn().expect("nsenter");
    let outer = i32::try_from(other.id()).expect("a pid");
    let inner = scene
        .deadline
        .until("sleep", || proc::children(outer).into_iter().find(|pid| proc::name(*pid).as_deref() == Some("sleep")));
    init.go();
    init.expect("run 2");
    // All that is told to end has ended before.
    assert!(!matches!(proc::state(inner), None | Some('Z' | 'X')), "it was told to end by a restart");
    init.go();
    assert_eq!(init.wait(), Exit::Code(0));
    // The kernel ends it with the namespace.
    other.wait().expect("nsenter");
}

/// The command has ended, and the next start is far away.
fn resting<'s>(scene: &'s Scene, place: Place, more: &[&str]) -> Running<'s> {
    let options = [&["--restart", "on-failure", "--restart-delay", "1h"], more].concat();
    let mut init = counting(scene, place, &options, "exit 7").spawn();
    init.expect("run 1");
    init.wait_until_said(&["has ended with code 7; starting it again in"]);
    init
}

#[test]
fn a_stop_or_a_key_before_a_restart_ends_all_at_once_with_the_commands_code() {
    for place in EVERYWHERE {
        for signal in [SIGTERM, SIGINT] {
            let scene = Scene::new();
            let mut init = resting(&scene, place, &[]);
            // It goes nowhere, and is there first.
            init.signal(SIGUSR1);
            init.signal(signal);
            assert_eq!(init.wait(), Exit::Code(7), "{place:?} {signal}");
        }
    }
}

#[test]
fn a_key_that_the_command_would_ignore_does_not_end_it_before_a_restart() {
    let scene = Scene::new();
    let options = ["--restart", "on-failure", "--restart-delay", "1h", "-v"];
    let launch = counting(&scene, Place::Child, &options, "exit 7");
    // As nohup(1) does, and a script with what it starts in the background.
    let mut init = launch.behind(&["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh"]).spawn();
    init.wait_until_said(&["starting it again in"]);
    for (signal, name) in [(SIGHUP, "SIGHUP"), (SIGINT, "SIGINT")] {
        init.signal(signal);
        init.wait_until_said(&[&format!("{name} is not forwarded: it is to be ignored")]);
    }
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Code(7));
}

#[test]
fn a_stop_that_was_asked_for_is_no_failure_to_be_mended() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = [&["--restart", "always"], AT_ONCE].concat();
        let mut init =
            counting(&scene, place, &options, "trap 'exit 9' TERM; echo ready; while :; do sleep 1000 & wait; done")
                .spawn();
        init.expect("run 1");
        init.expect("ready");
        init.signal(SIGTERM);
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(9), 0), "{place:?} {ended:?}");
    }
    // A key that the command dies of.
    let scene = Scene::new();
    let options = [&["--restart", "always"], AT_ONCE].concat();
    let mut init = scene.supervise().options(&options).probe("block USR1, ready, await USR1").spawn();
    init.expect("ready");
    init.signal(SIGINT);
    assert_eq!(init.wait(), Exit::Signal(SIGINT));
}

#[test]
fn ctrl_c_at_a_terminal_is_no_failure_to_be_mended() {
    const CTRL_C: &str = "\x03";
    let scene = Scene::new();
    let (supervise, probe) = (Init::Supervise.path().expect("cargo built it"), harness::probe());
    let (supervise, probe) = (supervise.to_str().expect("UTF-8"), probe.to_str().expect("UTF-8"));
    let mut terminal = Terminal::open(&scene);
    let _shell = terminal.shell(&scene);
    // It dies of the key in our group, or in one of its own; many a server makes a success or a failure of it.
    let dies = "block USR1 ready await USR1";
    for (options, verbs, code) in [
        ("", dies, 130),
        ("--forward-to group", dies, 130),
        ("", "block INT ready await INT exit 0", 0),
        ("", "block INT ready await INT exit 5", 5),
    ] {
        terminal.press(&format!("{supervise} --restart always {options} -- {probe} {verbs}\n"));
        // Not where the shell shows what was typed.
        terminal.screen.up_to("ready\r\n");
        terminal.press(CTRL_C);
        // bash leaves the rest of a line undone when it was ended by a key.
        terminal.screen.up_to("> ");
        terminal.press("echo code:$?\n");
        let seen = terminal.screen.up_to(&format!("code:{code}\r\n"));
        assert!(!seen.contains("ready"), "{options} {verbs}: {seen}");
    }
    // As in `docker run -it`.
    let mut terminal = Terminal::open(&scene);
    let words = [&[supervise, "--restart", "always", "--", probe][..], &dies.split(' ').collect::<Vec<_>>()].concat();
    let mut init = terminal.session(&scene, &words);
    terminal.screen.up_to("ready");
    terminal.press(CTRL_C);
    assert_eq!(init.wait(), Exit::Signal(SIGINT));
}

#[test]
fn who_is_killed_comes_back_and_the_killer_is_named_as_ever() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init =
            scene.supervise().place(place).options(&on_failure(&[])).probe("block USR1, ready, await USR1").spawn();
        for _ in 0..20 {
            init.expect("ready");
            send(init.main_pid(), SIGKILL, 1);
        }
        init.expect("ready");
        send(init.main_pid(), SIGUSR1, 1);
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
    }
}

#[test]
fn what_cannot_be_started_the_first_time_ends_it_and_later_is_a_failure() {
    let scene = Scene::new();
    let ended = scene.supervise().options(&on_failure(&[])).argv(&["/nosuchprogram"]).end();
    assert_eq!(ended.exit, Exit::Code(127));
    // It is replaced while it runs, and is not there for a moment.
    let scene = Scene::new();
    let program = scene.executable("program", b"#!/bin/sh\necho up; read line; exit 1\n");
    let folder = scene.folder().to_str().expect("UTF-8");
    let options = [&["--restart", "on-failure", "--restart-delay", "1ms", "--workdir", folder][..]].concat();
    let mut init = scene.supervise().options(&options).argv(&[&program]).spawn();
    // Its shell has opened it.
    init.expect("up");
    fs::remove_file(&program).expect("it is ours");
    init.go();
    init.wait_until_said(&[&format!("cannot run {}: no such file or directory", program.display())]);
    init.wait_until_said(&["could not be started; starting it again in"]);
    scene.executable("other", b"#!/bin/sh\necho back\n");
    fs::rename(scene.folder().join("other"), &program).expect("it can be renamed");
    init.expect("back");
    assert_eq!(init.wait(), Exit::Code(0));
}

#[test]
fn a_daemon_that_is_stopped_with_each_life_is_told_of() {
    const TOLD: &str = "what it left behind was stopped: a daemon must be told to stay in the foreground";
    for (script, is_told) in [("sleep 1000 & exit 0", true), ("exit 0", false), ("sleep 1000 & exit 7", false)] {
        let scene = Scene::new();
        let options = ["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h", "-v"];
        let mut init = counting(&scene, Place::Child, &options, script).spawn();
        let said = init.wait_until_said(&["starting it again in"]);
        assert_eq!(said.ends_with(TOLD), is_told, "{script}: {said}");
        init.signal(SIGTERM);
        init.wait();
    }
}

#[test]
fn a_hook_that_fails_is_tried_again() {
    let scene = Scene::new();
    let hook = "echo x >>hooks; [ $(wc -l <hooks) -ge 3 ]";
    let script = format!("cd {} && exec \"$@\"", scene.folder().display());
    let launch = scene.supervise().options(&on_failure(&["--pre-start", hook])).argv(&["echo", "main"]);
    let ended = launch.behind(&["sh", "-c", &script, "sh"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["main".to_owned()]), "{:?}", ended.stderr);
}

#[test]
fn delays_are_doubled_up_to_the_longest() {
    let scene = Scene::new();
    let options = [
        "--restart",
        "on-failure",
        "--restart-delay",
        "10ms",
        "--restart-max-delay",
        "40ms",
        "--restart-limit",
        "5/1h",
    ];
    let ended = counting(&scene, Place::Child, &options, "exit 1").end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(1), runs(6)));
    let delays = ended.stderr.iter().filter_map(|line| {
        let (_, rest) = line.split_once("again in ")?;
        rest.split(' ').next()?.parse::<u64>().ok()
    });
    let delays: Vec<_> = delays.collect();
    let least = [10, 20, 40, 40, 40];
    assert_eq!(delays.len(), least.len(), "{:?}", ended.stderr);
    for (delay, least) in delays.iter().zip(least) {
        // And up to a quarter more.
        assert!((least..=least + least / 4).contains(delay), "{delays:?}");
    }
}

/// What may grow: descriptors, memory in kB, children.
fn possessions(init: &Running<'_>) -> (Vec<(i32, std::path::PathBuf)>, [u64; 3], usize) {
    let kilobytes = |name| {
        let text = proc::status(init.pid(), name).expect("it lives");
        text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    };
    let memory = ["VmSize", "VmData", "RssAnon"].map(kilobytes);
    (proc::descriptors(init.pid()), memory, proc::children(init.pid()).len())
}

#[test]
fn ten_thousand_restarts_leave_nothing() {
    let scene = Scene::new();
    let hold = scene.folder().join("hold");
    let folder = scene.folder().to_str().expect("UTF-8");
    let options = on_failure(&["--workdir"]);
    let script = "[ -e hold ] && { echo held; read line; }; exit 1";
    // All that looks after a command is there in each of its lives.
    let cared = ["--health", "exec:true", "--health-interval", "1h", "--ready", "sd_notify"];
    let launch = scene.supervise().place(Place::Pid1).options(&options).options(&[folder]).options(&cared);
    let mut init = launch.argv(&["sh", "-c", script]).spawn();
    let mut all = Vec::new();
    for restart in [100, 10_000] {
        init.wait_until_said(&[&format!("(restart {restart})")]);
        fs::write(&hold, "").expect("it is ours");
        init.expect("held");
        // It may not have seen yet that the shell was executed.
        scene.deadline.until("sleep", || (proc::state(init.pid()) == Some('S')).then_some(()));
        all.push(possessions(&init));
        fs::remove_file(&hold).expect("it is there");
        if restart == 100 {
            init.go();
        }
    }
    let [(descriptors, memory, children), (later_descriptors, later_memory, later_children)] = &all[..] else {
        panic!()
    };
    assert_eq!((descriptors, children), (later_descriptors, later_children));
    assert_eq!(*children, 1);
    // The stack may have been used a page further.
    let grown: Vec<u64> =
        memory.iter().zip(later_memory).map(|(before, after)| after.saturating_sub(*before)).collect();
    assert!(grown[0] == 0 && grown[1] == 0 && grown[2] <= 8, "{memory:?} {later_memory:?}");
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Code(128 + SIGTERM));
    scene.nothing_is_left();
}

#[test]
fn who_means_daemontools_supervise_is_told_what_to_say() {
    let scene = Scene::new();
    scene.executable("run", b"#!/bin/sh\n[ -e again ] && exec sleep 1000\n: >again\nexit 1\n");
    let folder = scene.folder().to_str().expect("UTF-8");
    let ended = scene.supervise().argv(&[folder]).end();
    assert_eq!(ended.exit, Exit::Code(126), "{ended:?}");
    let [line] = &ended.stderr[..] else { panic!("{ended:?}") };
    let (_, told) = line.split_once("say: supervise ").expect("it says what to say");
    // And that does what daemontools' would: it starts `run` in there, again and again.
    let (options, command) = told.split_once(" -- ").expect("a command");
    let options: Vec<_> = options.split(' ').map(|word| if word == "1s" { "1ms" } else { word }).collect();
    let mut init = scene.supervise().options(&options).argv(&[command]).spawn();
    init.wait_until_said(&["has ended with code 1; starting it again"]);
    let name = || proc::children(init.pid()).first().and_then(|pid| proc::name(*pid));
    scene.deadline.until("sleep", || name().filter(|name| name == "sleep"));
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
}

#[test]
fn a_limit_that_the_delays_keep_out_of_reach_is_told() {
    const NEVER: &str = "a command that ends at once never reaches";
    for (limit, is_told) in [("10/1m", true), ("10/3m", false), ("1/200ms", true), ("1/201ms", false)] {
        let scene = Scene::new();
        let ended = scene.supervise().options(&["--restart", "always", "--restart-limit", limit]).argv(&["false"]);
        let mut init = ended.spawn();
        let first = init.warning();
        assert_eq!(first.contains(NEVER), is_told, "{limit}: {first}");
        init.signal(SIGTERM);
        init.wait();
    }
}

#[test]
fn so_is_who_names_the_directory_as_daemontools_has_it() {
    let scene = Scene::new();
    let folder = scene.folder().join("web");
    fs::create_dir(&folder).expect("the folder is ours");
    let inside = format!("cd {} && exec \"$@\"", scene.folder().display());
    for (is_service, code, words) in
        [(false, 127, "cannot run web: not found in PATH"), (true, 126, "--workdir web -- ./run")]
    {
        if is_service {
            fs::write(folder.join("run"), "#!/bin/sh\n").expect("the folder is ours");
        }
        let ended = scene.supervise().argv(&["web"]).behind(&["sh", "-c", &inside, "sh"]).end();
        assert_eq!(ended.exit, Exit::Code(code), "{ended:?}");
        assert!(ended.stderr.len() == 1 && ended.stderr[0].contains(words), "{ended:?}");
    }
}

#[test]
fn what_is_wrong_with_the_words_is_said() {
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--restart", "sometimes"], &["--restart sometimes", "no|on-failure|always"]),
        (&["--restart", "alway"], &["did you mean always?"]),
        (&["--restart-limit", "3"], &["--restart-limit 3", "like 3/10s"]),
        (&["--restart", "always", "--restart-limit", "0/10s"], &["1 to 64"]),
        (&["--restart", "always", "--restart-limit", "65/10s"], &["1 to 64"]),
        (&["--restart", "always", "--restart-limit", "3/10"], &["\"10\" is no time", "10s"]),
        (
            &["--restart-delay", "1s"],
            &["--restart-delay is about restarts, and there are none", "--restart on-failure"],
        ),
        (
            &["--restart", "always", "--restart-delay", "10s", "--restart-max-delay", "1s"],
            &["--restart-delay 10s is longer than --restart-max-delay 1s"],
        ),
        (&["--ok-exit", "7"], &["--ok-exit is about restarts"]),
        (&["--ok-exit", "7,NOSUCH"], &["\"NOSUCH\" is neither an exit code"]),
    ];
    for (options, words) in cases {
        let scene = Scene::new();
        refused(&scene.supervise().options(options).argv(&["true"]).end(), words);
    }
}
