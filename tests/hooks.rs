//! What runs before the command is started and before it is told to stop: in which order, with what, for how long, and
//! what becomes of the command and of us where it fails.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::{Path, PathBuf};

use harness::launch::{EVERYWHERE, Launch, Place, WAYS};
use harness::running::{Ended, Running, expect_report, passes};
use harness::{Exit, Scene, probe, proc, send, skip, words};
use libc::{SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/// As long as no test waits.
const NEVER: &str = "1h";

/// What is sent after another signal and is received after it: the kernel hands out the lowest first.
const LATER: i32 = 63;

fn died(place: Place, signal: i32) -> Exit {
    if place == Place::Child { Exit::Signal(signal) } else { Exit::Code(128 + signal) }
}

/// A line for the shell that becomes the probe.
fn line(scene: &Scene, verbs: &str) -> String {
    format!("exec {} {}", scene.for_everybody(&probe()).display(), words(verbs).join(" "))
}

/// supervise in a place, with one hook.
fn hooked<'s>(scene: &'s Scene, place: Place, option: &str, line: &str) -> Launch<'s> {
    scene.supervise().place(place).options(&[option, line])
}

/// A command that leaves a file behind when it is run, and the file.
fn marking(scene: &Scene) -> (PathBuf, String) {
    let path = scene.folder().join("started");
    let script = format!("echo started; : >{}", path.display());
    (path, script)
}

/// The command did not run: nothing of it can come any more.
#[track_caller]
fn never_ran(ended: &Ended, file: &Path) {
    assert!(!file.exists(), "{ended:?}");
    assert!(!ended.stdout.iter().any(|line| line == "started"), "{ended:?}");
}

/// The hook before a stop: the second child, beside main.
#[track_caller]
fn hook_of(scene: &Scene, init: &Running, main: i32) -> i32 {
    let init = init.pid();
    scene.deadline.until("the hook", || proc::children(init).into_iter().find(|pid| *pid != main))
}

#[test]
fn hooks_run_one_after_the_other_and_before_the_command() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // A hook that is started too early says so too early.
        let options = ["--pre-start", "read line; echo one $line", "--pre-start", "echo two"];
        let mut init = scene.supervise().place(place).options(&options).argv(&["echo", "main"]).spawn();
        init.go();
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["one go".into(), "two".into(), "main".into()]));
        assert_eq!(ended.stderr, [""; 0], "{place:?}");
    }
    for (place, by) in WAYS {
        let scene = Scene::new();
        let ended = scene.supervise().place(place).given(by, "pre-start", "echo one").argv(&["echo", "main"]).end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["one".into(), "main".into()]), "{place:?} {by:?}");
    }
}

#[test]
fn a_hook_that_fails_keeps_the_command_from_being_started() {
    for place in EVERYWHERE {
        let cases = [
            ("exit 3", Exit::Code(3), "ended with code 3"),
            ("kill -TERM $$", died(place, SIGTERM), "was ended by SIGTERM"),
            ("kill -KILL $$", died(place, SIGKILL), "was ended by SIGKILL"),
            ("/nosuchprogram", Exit::Code(127), "ended with code 127"),
        ];
        for (hook, exit, said) in cases {
            let scene = Scene::new();
            let (file, script) = marking(&scene);
            let launch = hooked(&scene, place, "--pre-start", "true").options(&["--pre-start", hook]);
            // The map is about the command.
            let launch = launch.options(&["--pre-start", "echo started", "--exit-map", "3=0,TERM=0"]);
            let ended = launch.argv(&["sh", "-c", &script]).end();
            assert_eq!(ended.exit, exit, "{place:?} {ended:?}");
            never_ran(&ended, &file);
            let expected = format!("supervise: --pre-start `{hook}` {said}; the command is not started");
            assert_eq!(ended.stderr.last(), Some(&expected), "{place:?}");
        }
    }
}

#[test]
fn a_hook_gets_what_the_command_gets() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let status = line(&scene, "status");
        let launch = hooked(&scene, place, "--pre-start", &status).entered_with("block 34,USR1, ignore PIPE");
        let launch = launch.env("GIVEN", "a value").env("SUPERVISE_DELAY", "0").env("MAINPID", "7");
        let ended = launch.probe("status").end();
        let mut halves = ended.stdout.split(|line| line == "end of status");
        // A shell is in between, which sets some variables of its own.
        let facts = |half: Option<&[String]>| -> Vec<String> {
            let own = ["pid ", "pgid ", "env PWD=", "env OLDPWD=", "env SHLVL=", "env _="];
            let is_own = |line: &String| own.iter().any(|own| line.starts_with(own));
            let mut facts: Vec<_> =
                half.expect("both have told").iter().filter(|line| !is_own(line)).cloned().collect();
            // It also sorts them.
            facts.sort();
            facts
        };
        let (hook, main) = (facts(halves.next()), facts(halves.next()));
        assert!(main.iter().any(|line| line == "env GIVEN=a value"), "{main:?}");
        assert_eq!(hook, main, "{place:?}: {:?}", ended.stderr);
    }
}

#[test]
fn a_hook_stays_who_we_are_and_is_not_led_by_the_home_of_the_user() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may become another user");
    }
    for (home, seen) in [(&[][..], "/ours"), (&["--env", "HOME=/given"], "/given")] {
        let scene = Scene::new();
        let say = |who: &str| format!("echo {who}:$(id -u):$HOME:$GIVEN");
        let launch =
            scene.supervise().env("HOME", "/ours").options(&["--user", "4242", "--env", "GIVEN=1"]).options(home);
        let launch = launch.options(&["--pre-start", &say("hook")]);
        let ended = launch.argv(&["sh", "-c", &say("main")]).end();
        // Nobody has that number, so the home is /.
        let main = if home.is_empty() { "/" } else { seen };
        assert_eq!(ended.stdout, [format!("hook:0:{seen}:1"), format!("main:4242:{main}:1")], "{:?}", ended.stderr);
        assert_eq!(ended.exit, Exit::Code(0));
    }
}

#[test]
fn what_a_hook_leaves_in_the_background_stays_until_the_end() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "block TERM, daemon say worker, await TERM, say told, end");
        let launch = hooked(&scene, place, "--pre-start", &hook).options(&["--leftover-grace", NEVER]);
        let mut init = launch.probe("read, say main, exit 3").spawn();
        init.expect("worker");
        init.go();
        init.expect("main");
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}: {}", init.said());
        scene.nothing_is_left();
    }
}

#[test]
fn what_a_failed_hook_leaves_is_told_and_waited_for() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "block TERM, daemon say worker, await TERM, say told, end, read, exit 3");
        let launch = hooked(&scene, place, "--pre-start", &hook).options(&["--leftover-grace", NEVER]);
        let mut init = launch.argv(&["echo", "started"]).spawn();
        init.expect("worker");
        init.go();
        init.expect("told");
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(3), 0), "{place:?}: {:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_what_it_started() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let (file, script) = marking(&scene);
        let deaf = line(&scene, "ignore TERM,HUP, fork setsid fork wait end wait end wait");
        let launch = scene.supervise().place(place).options(&["--pre-start", &deaf, "--leftover-grace", NEVER]);
        let ended = launch.given(by, "pre-start-timeout", "1s").argv(&["sh", "-c", &script]).end();
        assert_eq!(ended.exit, Exit::Code(124), "{place:?} {ended:?}");
        never_ran(&ended, &file);
        assert_eq!(ended.stderr.len(), 1, "{ended:?}");
        assert!(ended.stderr[0].ends_with("did not end within 1 s and was killed; the command is not started"));
        scene.nothing_is_left();
    }
}

#[test]
fn a_stop_during_a_hook_is_told_to_it_and_the_command_is_never_started() {
    for place in EVERYWHERE {
        for (end, exit) in [("exit 0", Exit::Code(0)), ("exit 3", Exit::Code(3))] {
            for (options, signal) in
                [(&[][..], SIGTERM), (&["--stop-signal", "QUIT:10s,INT", "--delay", NEVER], SIGQUIT)]
            {
                let scene = Scene::new();
                let (file, script) = marking(&scene);
                let hook = line(&scene, &format!("report-until TERM, {end}"));
                let launch = hooked(&scene, place, "--pre-start", &hook).options(&["--pre-start", "echo started"]);
                let mut init = launch.options(options).argv(&["sh", "-c", &script]).spawn();
                init.expect("ready");
                passes(&mut init, SIGUSR1);
                passes(&mut init, SIGINT);
                init.signal(signal);
                // What was a request to stop the command is SIGTERM for a shell.
                expect_report(&mut init, SIGTERM);
                let ended = init.end();
                assert_eq!(ended.exit, exit, "{place:?} {ended:?}");
                never_ran(&ended, &file);
            }
        }
    }
}

#[test]
fn we_end_as_the_hook_did_that_died_of_the_signal() {
    for place in EVERYWHERE {
        for signal in [SIGTERM, SIGINT, SIGUSR2] {
            let scene = Scene::new();
            let (file, script) = marking(&scene);
            let hook = line(&scene, "say up, wait");
            let mut init = hooked(&scene, place, "--pre-start", &hook).argv(&["sh", "-c", &script]).spawn();
            init.expect("up");
            init.signal(signal);
            let ended = init.end();
            assert_eq!(ended.exit, died(place, signal), "{ended:?}");
            never_ran(&ended, &file);
        }
    }
}

#[test]
fn a_hook_that_is_deaf_to_a_stop_has_the_grace() {
    for options in [["--grace", "1s"], ["--stop-signal", "TERM:1s,KILL"]] {
        for place in EVERYWHERE {
            let scene = Scene::new();
            let (file, script) = marking(&scene);
            let hook = line(&scene, "ignore TERM, fork setsid ignore HUP wait end say up, wait");
            let launch = hooked(&scene, place, "--pre-start", &hook).options(&options);
            let mut init = launch.argv(&["sh", "-c", &script]).spawn();
            init.expect("up");
            init.signal(SIGTERM);
            let ended = init.end();
            assert_eq!(ended.exit, died(place, SIGKILL), "{ended:?}");
            never_ran(&ended, &file);
            assert!(ended.stderr.iter().any(|line| line.contains("has not ended; killing it")), "{ended:?}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn a_stop_runs_its_hook_and_tells_the_command_when_that_has_ended() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let hook = format!("echo main $MAINPID; {}", line(&scene, "block USR1, say hook, await USR1, say done"));
        let launch = scene.supervise().place(place).given(by, "pre-stop", &hook);
        let mut init = launch.given(by, "pre-stop-timeout", NEVER).probe("report-until TERM, exit 3").spawn();
        init.expect("ready");
        let main = init.main_pid();
        let inner = if place == Place::Child { Some(main) } else { proc::inner_pid(main) };
        // Before any stop there is none.
        passes(&mut init, SIGUSR2);
        init.signal(SIGTERM);
        init.expect(&format!("main {}", inner.expect("it runs")));
        init.expect("hook");
        // What comes meanwhile is main's, which has not been told yet.
        passes(&mut init, LATER);
        send(hook_of(&scene, &init, main), SIGUSR1, 1);
        init.expect("done");
        expect_report(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}: {}", init.said());
    }
}

#[test]
fn the_delay_begins_when_the_hook_has_ended() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "say hook");
        let launch =
            hooked(&scene, place, "--pre-stop", &hook).options(&["--delay", NEVER, "--pre-stop-timeout", NEVER, "-v"]);
        let mut init = launch.probe("report-until TERM, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.expect("hook");
        init.wait_until_said(&["waiting before the main program is told"]);
        passes(&mut init, LATER);
        passes(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_hook_that_takes_too_long_or_fails_does_not_hold_the_stop_up() {
    let deaf = "ignore TERM,HUP, fork setsid fork wait end wait end wait";
    for place in EVERYWHERE {
        let scene = Scene::new();
        let cases = [
            (line(&scene, deaf), "1s", "did not end within 1 s and was killed; the stop goes on"),
            ("exit 7".into(), NEVER, "`exit 7` ended with code 7; the stop goes on"),
            ("kill -KILL $$".into(), NEVER, "was ended by SIGKILL; the stop goes on"),
        ];
        for (hook, limit, said) in cases {
            let launch = hooked(&scene, place, "--pre-stop", &hook).options(&["--pre-stop-timeout", limit]);
            let mut init = launch.probe("report-until TERM, exit 3").spawn();
            init.expect("ready");
            init.signal(SIGTERM);
            expect_report(&mut init, SIGTERM);
            let warning = init.warning();
            assert!(warning.starts_with("--pre-stop `") && warning.ends_with(said), "{warning}");
            assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn a_second_request_goes_on_and_leaves_the_hook_alone() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "block TERM, say hook, await TERM, say told");
        let launch = hooked(&scene, place, "--pre-stop", &hook).options(&["--pre-stop-timeout", NEVER]);
        let launch = launch.options(&["--leftover-grace", NEVER]);
        let mut init = launch.probe("report-until TERM, read, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.expect("hook");
        passes(&mut init, SIGTERM);
        init.go();
        // It is one of those that main leaves behind.
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}: {}", init.said());
        scene.nothing_is_left();
    }
}

#[test]
fn a_hook_that_outlives_the_command_is_one_of_the_leftovers() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "block TERM, say hook, await TERM, say told");
        let launch = hooked(&scene, place, "--pre-stop", &hook).options(&["--pre-stop-timeout", NEVER]);
        let launch = launch.options(&["--leftover-grace", NEVER]);
        let mut init = launch.probe("report-until USR1, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.expect("hook");
        passes(&mut init, SIGUSR1);
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}: {}", init.said());
    }
}

#[test]
fn only_a_stop_runs_the_hook_before_it() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = || hooked(&scene, place, "--pre-stop", "echo hook").options(&["--pre-stop-timeout", NEVER]);
        let ended = hook().probe("exit 3").end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(3), 0), "{place:?} {ended:?}");
        // The longest time is one that we ask for.
        let ended = hook().options(&["--max-time", "1s"]).probe("wait").end();
        assert_eq!((ended.exit, ended.stdout), (died(place, SIGTERM), vec!["hook".to_owned()]), "{place:?}");
    }
}

#[test]
fn the_grace_counts_from_the_request_also_where_the_hook_uses_it_up() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let hook = line(&scene, "ignore TERM, wait");
        let launch = hooked(&scene, place, "--pre-stop", &hook).options(&["--grace", "2s"]);
        let mut init = launch.probe("ignore TERM, ready, wait").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        let ended = init.end();
        assert_eq!(ended.exit, died(place, SIGKILL), "{ended:?}");
        let hook =
            ended.stderr.iter().any(|line| line.ends_with("did not end within 1 s and was killed; the stop goes on"));
        assert!(hook, "half of the grace: {ended:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_hook_before_a_stop_begins_where_the_command_did() {
    let scene = Scene::new();
    let folder = scene.folder().canonicalize().expect("it is there");
    let launch = hooked(&scene, Place::Child, "--pre-stop", "pwd").options(&["--pre-stop-timeout", NEVER]);
    let launch = launch.behind(&["env", "--chdir", folder.to_str().expect("made by us")]);
    let mut init = launch.probe("report-until TERM, exit 3").spawn();
    init.expect("ready");
    init.signal(SIGTERM);
    assert_eq!(init.line(), folder.to_str().expect("made by us"));
    expect_report(&mut init, SIGTERM);
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn without_a_shell_nothing_is_started_and_a_stop_goes_on() {
    let scene = Scene::new();
    let (supervise, probe) = (harness::launch::Init::Supervise.path().expect("cargo built it"), probe());
    let root = scene.folder().to_owned();
    for file in [&supervise, &probe] {
        scene.for_everybody(file);
    }
    let name = |file: &Path| format!("/{}", file.file_name().expect("a file").to_string_lossy());
    let start = |options: &[&str], verbs: &str| {
        let mut command = scene.command("unshare");
        command.args(["--user", "--map-root-user", "chroot"]).arg(&root).arg(name(&supervise)).args(options);
        command.arg("--").arg(name(&probe)).args(words(verbs)).stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Running::start(&scene, command, 0, &supervise)
    };
    let ended = start(&["--pre-start", "echo one"], "say started").end();
    assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(127), 0), "{ended:?}");
    let said = "supervise: cannot run /bin/sh: no such file or directory; \
                it was to run --pre-start `echo one`; the command was not started";
    assert_eq!(ended.stderr, [said]);
    let mut init = start(&["--pre-stop", "echo one"], "report-until TERM, exit 3");
    init.expect("ready");
    init.signal(SIGTERM);
    expect_report(&mut init, SIGTERM);
    let warning = init.warning();
    let said =
        "--pre-stop `echo one` could not be started: cannot run /bin/sh: no such file or directory; the stop goes on";
    assert_eq!(warning, said);
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn a_hook_that_leaves_no_time_for_the_command_is_refused() {
    let cases: [(&[&str], &str); 4] = [
        (&["--grace", "5s", "--pre-stop-timeout", "5s"], "5s for --pre-stop:"),
        (&["--grace", "5s", "--pre-stop-timeout", "3s", "--delay", "2s"], "3s for --pre-stop and a delay of 2s:"),
        (&["--grace", "5s", "--delay", "5s"], "a delay of 5s:"),
        (&["--grace", "0"], "a --pre-stop:"),
    ];
    for (options, said) in cases {
        let scene = Scene::new();
        let launch = scene.supervise().options(&["--pre-stop", "true"]).options(options);
        let ended = launch.argv(&["echo", "started"]).end();
        assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(125), 0, 1), "{ended:?}");
        assert!(ended.stderr[0].contains(said), "{ended:?}");
    }
    // Without the hook its limit says nothing.
    let scene = Scene::new();
    let launch = scene.supervise().options(&["--grace", "5s", "--pre-stop-timeout", "5s"]);
    assert_eq!(launch.probe("exit 3").end().exit, Exit::Code(3));
}

#[test]
fn without_proc_the_hook_is_killed_alone_and_the_rest_as_leftovers() {
    let scene = Scene::new();
    let deaf = line(&scene, "ignore TERM,HUP, fork setsid wait end wait");
    let launch = hooked(&scene, Place::Child, "--pre-start", &deaf).options(&["--pre-start-timeout", "1s"]);
    // The /proc there is the one of outside.
    let launch = launch.below(&["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
    let ended = launch.options(&["--leftover-grace", "1s"]).argv(&["echo", "started"]).end();
    assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(124), 0), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("killing it alone")), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn the_report_tells_of_hooks() {
    let scene = Scene::new();
    let path = scene.folder().join("report");
    let report = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&path).expect("it is there")).expect("it is JSON")
    };
    let reporting = || scene.supervise().options(&["--exit-report", path.to_str().expect("made by us")]);
    let ended = reporting().options(&["--pre-start", "exit 3"]).probe("exit 0").end();
    assert_eq!(ended.exit, Exit::Code(3));
    assert_eq!(report()["not_started"], "--pre-start `exit 3` ended with code 3; the command was not started");
    assert_eq!((&report()["main"], &report()["exit"]["code"]), (&serde_json::Value::Null, &3.into()));

    let mut init = reporting().options(&["--pre-start", &line(&scene, "say up, wait")]).probe("exit 0").spawn();
    init.expect("up");
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
    assert_eq!((&report()["rungs"][0]["rung"], &report()["stop"]["signal"]), (&"pre-start".into(), &"SIGTERM".into()));
    let why = report()["not_started"].as_str().map(str::to_owned).expect("it is a text");
    assert!(why.ends_with("ran when a stop was asked for; the command was not started"), "{why}");

    let mut init =
        reporting().options(&["--pre-stop", "exit 9", "--pre-stop-timeout", NEVER]).probe("ready, wait").spawn();
    init.expect("ready");
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
    let rungs = report()["rungs"].clone();
    assert_eq!((&rungs[0]["rung"], &rungs[1]["rung"]), (&"pre-stop".into(), &"signal".into()), "{rungs}");
    assert_eq!(report()["processes"][0]["code"], 9);
}
