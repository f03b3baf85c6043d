//! What `supervise check` says of programs that end, or do not, for reasons beside their own handler: its cause is true, and
//! what it advises helps.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::checked::{
    PAUSE, READY, Report, deaf, finding, passes, played, report, start, tells, uncrossed, unhurried,
};
use harness::launch::Init;
use harness::running::refused;
use harness::slow::python;
use harness::{Scene, probe};

/// The init that cures advise.
fn ours() -> String {
    Init::Supervise.path().expect("cargo built it").to_str().expect("a path of ours").to_owned()
}

/// A program that ends with 0 when it is told, and says when it is ready.
const ENDS: &str = "import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";

#[test]
fn who_cleans_up_and_raises_the_signal_again_is_told_so_as_process_1() {
    let scene = Scene::new();
    let handler = "(os.write(1, b'cleaned up\\n'), signal.signal(15, signal.SIG_DFL), os.kill(os.getpid(), 15))";
    let program = [python(), "-c", &deaf(handler, PAUSE)];
    let report = played(&scene, "pid1,child", &[], &program);
    let (cause, _) = tells(&report, "pid1", "S01", "only raises SIGTERM again to die of it", "under an init");
    assert!(!cause.contains("orphan"), "{cause}");
    let evidence = finding(&report, "pid1", "S01")["evidence"].to_string();
    assert!(evidence.contains("and none at the end of the time"), "{evidence}");
    passes(&scene, "pid1", &[], &[&[&ours(), "--"], &program[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_shell_that_ignores_the_signal_in_front_of_what_handles_it_is_to_be_told_with_all() {
    let scene = Scene::new();
    let script = ["sh", "-c", "trap '' TERM; \"$@\"; true", "sh", python(), "-c", ENDS];
    let report = played(&scene, "pid1,child", &[], &script);
    for mode in ["pid1", "child"] {
        let (_, cure) = tells(&report, mode, "S24", "", "supervise --kill-mode tree -- ");
        assert!(cure.starts_with("start it under an init"), "{cure}");
        tells(&report, mode, "S01", "never gets it", "see S24");
    }
    passes(&scene, "pid1,child", &[], &[&[&ours(), "--kill-mode", "tree", "--"], &script[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_trap_that_signals_its_own_shell_is_told_as_what_it_is() {
    let scene = Scene::new();
    let script = |trap: &str| format!("trap \"{trap}\" TERM; \"$@\" & wait");
    let with = |trap: &str| -> Vec<String> {
        ["bash", "-c", &script(trap), "bash", python(), "-c", ENDS].map(str::to_owned).to_vec()
    };
    let words = with("kill 0");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // It takes a while until the stack of the shell is full.
    let report = unhurried(&scene, "pid1", &[], &words);
    let (cause, _) = tells(&report, "pid1", "S02", "`kill 0`", "begin with `trap '' TERM`, and end with `wait`");
    assert!(cause.contains("SIGSEGV"), "{cause}");
    let words = with("trap '' TERM; kill 0; wait");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    passes(&scene, "pid1,child", &[], &words);
    scene.nothing_is_left();
}

#[test]
fn who_does_not_survive_an_orphan_as_process_1_fails_by_that() {
    let scene = Scene::new();
    // It waits for the child that it has made as the leader of a session, and is at a loss when another one comes.
    let command = ["setsid", "--wait", python(), "-c", ENDS];
    let options = [&["--as", "pid1", "--repeat", "2", "--grace", "1s"], &READY[..]].concat();
    let lost = report(&scene, &options, &command);
    lost.says("pid1", &[("S09", "fail"), ("S01", "fail"), ("S02", "fail")]);
    tells(&lost, "pid1", "S09", "does not survive an orphan", "supervise -- COMMAND");
    let (cause, _) = tells(&lost, "pid1", "S01", "no handler for SIGTERM", "supervise --kill-mode tree -- ");
    assert!(!cause.contains("orphan"), "{cause}");
    // What is to be said beside that is seen without one, which is not tried again.
    let runs = lost.group("pid1")["runs"].as_array().expect("a list");
    let ways: Vec<_> = runs.iter().map(|run| (run["way"].as_str(), run["repetition"].as_i64())).collect();
    assert_eq!(ways, [(Some("orphan"), Some(1)), (Some("usual"), Some(1)), (Some("usual"), Some(2))]);
    for run in &runs[1..] {
        assert_eq!((&run["outcome"]["kind"], &run["orphan"]), (&"stopped".into(), &serde_json::Value::Null), "{run:#}");
        assert!(run["missing"].to_string().contains("did not survive one"), "{run:#}");
    }
    lost.exits(1);
    let options = [&["--as", "pid1", "--also", "none", "--ok-exit", "TERM,143"], &READY[..]].concat();
    let cured = report(&scene, &options, &[&[&ours(), "--"], &command[..]].concat());
    cured.says("pid1", &[("S09", "pass"), ("S01", "pass"), ("S06", "pass")]);
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_ends_nothing_by_default_is_not_told_as_one_that_does() {
    let scene = Scene::new();
    let probe = probe();
    let command = [probe.to_str().expect("a path of ours"), "ready", "wait"];
    let report = played(&scene, "pid1,child", &["--signal", "WINCH"], &command);
    for mode in ["pid1", "child"] {
        let (_, cure) = tells(&report, mode, "S01", "ignores SIGWINCH", "install a handler");
        assert!(!cure.contains("init"), "{cure}");
    }
    for signal in ["TSTP", "TTIN", "TTOU"] {
        refused(&start(&scene, &["--signal", signal, "--", "true"]).end(), &["--signal", signal, "tells no program"]);
    }
    scene.nothing_is_left();
}

/// A package whose script is this, in the folder of the scene.
fn package(scene: &Scene, script: &str) -> String {
    let json = format!(r#"{{ "name": "app", "version": "1.0.0", "scripts": {{ "start": "{script}" }} }}"#);
    let server = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.log('ready');";
    for (name, text) in [("package.json", json.as_str()), ("server.js", server)] {
        std::fs::write(scene.folder().join(name), text).expect("the folder is writable");
    }
    scene.folder().to_str().expect("a path of ours").to_owned()
}

#[test]
fn the_script_of_a_package_is_to_begin_with_exec() {
    let scene = Scene::new();
    let folder = package(&scene, "node server.js");
    let options = [&["--as", "pid1,child", "--also", "none", "--grace", "20s"], &READY[..]].concat();
    let command = ["npm", "--prefix", &folder, "start"];
    let left = report(&scene, &options, &command);
    for mode in ["pid1", "child"] {
        left.says(mode, &[("S06", "fail")]);
        tells(&left, mode, "S06", "was ended by SIGTERM alone, and left pid", "(`exec node server.js`)");
    }
    tells(
        &left,
        "pid1",
        "S02",
        "npm raises SIGTERM again",
        "not by npm, or start it under an init, where it dies of SIGTERM",
    );
    tells(&left, "pid1", "S03", "", "see S02");
    // Both help.
    let options_of_init = [&["--as", "pid1", "--also", "none", "--grace", "20s"], &READY[..]].concat();
    let tree = report(&scene, &options_of_init, &[&[&ours(), "--kill-mode", "tree", "--"], &command[..]].concat());
    tree.says("pid1", &[("S01", "pass"), ("S06", "pass"), ("S02", "warn")]);
    package(&scene, "exec node server.js");
    let cured = report(&scene, &options, &command);
    for mode in ["pid1", "child"] {
        cured.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass"), ("S17", "pass")]);
    }
    scene.nothing_is_left();
}

#[test]
fn make_waits_for_what_the_shell_of_a_recipe_has_left() {
    let scene = Scene::new();
    let makefile = scene.folder().join("Makefile");
    std::fs::write(scene.folder().join("ends.py"), ENDS).expect("the folder is writable");
    let folder = scene.folder().to_str().expect("a path of ours").to_owned();
    let with = |exec: &str, grace: &str| {
        let recipe = format!("serve:\n\tcd / && {exec}{} {folder}/ends.py\n", python());
        std::fs::write(&makefile, recipe).expect("the folder is writable");
        let options = ["--as", "pid1,child", "--also", "none", "--grace", grace, "--ready", "log:^ready$"];
        report(&scene, &options, &["make", "-f", makefile.to_str().expect("a path of ours"), "serve"])
    };
    let plain = with("", "2s");
    let (cause, cure) = tells(&plain, "pid1", "S01", "who has started that has ended", "begin with exec (`exec ");
    assert!(!cause.contains("orphan") && !cure.contains("orphan"), "{cause} {cure}");
    tells(&plain, "child", "S06", "was ended by SIGTERM alone, and left pid", "itself, not by make");
    let cured = with("exec ", "20s");
    for mode in ["pid1", "child"] {
        cured.says(mode, &[("S01", "pass"), ("S06", "pass")]);
        tells(&cured, mode, "S02", "", "start the program itself, not by make");
    }
    scene.nothing_is_left();
}

#[test]
fn the_two_seconds_of_su_are_told_as_its_own() {
    let scene = Scene::new();
    let words = format!("exec {} -c \"{ENDS}\"", python());
    let su = ["su", "-s", "/bin/sh", "nobody", "-c", &words];
    let late = played(&scene, "child", &["--also", "none"], &su);
    tells(&late, "child", "S01", "su waits 2 s after it has passed SIGTERM on", "supervise --user USER -- COMMAND");
    let options = ["--as", "child", "--also", "none", "--grace", "60s", "--ready", "log:^ready$"];
    let long = report(&scene, &options, &su);
    long.says("child", &[("S01", "pass")]);
    let evidence = finding(&long, "child", "S01")["evidence"].to_string();
    assert!(evidence.contains("su waits 2 s"), "{evidence}");
    passes(&scene, "pid1,child", &[], &[&ours(), "--user", "nobody", "--", python(), "-c", ENDS]);
    scene.nothing_is_left();
}

#[test]
fn the_program_of_a_session_bus_is_told_from_the_bus() {
    let scene = Scene::new();
    let command = ["dbus-run-session", "--", python(), "-c", ENDS];
    let report = played(&scene, "pid1,child", &["--also", "none"], &command);
    let (cause, cure) = tells(&report, "pid1", "S01", "never gets it", "supervise --kill-mode tree -- ");
    assert!(cause.contains("python") && !cause.contains("dbus-daemon") && !cure.contains("handler"), "{cause} {cure}");
    tells(&report, "pid1", "S04", "", "see S01");
    let (_, cure) = tells(&report, "child", "S06", "python", "itself, not by dbus-run-session, or");
    assert!(!cure.contains("dbus-daemon"), "{cure}");
    passes(&scene, "pid1", &["--also", "none"], &[&[&ours(), "--kill-mode", "tree", "--"], &command[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_program_that_is_only_in_front_is_to_execute_what_it_starts() {
    let scene = Scene::new();
    let starts = "import subprocess, sys\nsubprocess.run(sys.argv[1:])";
    let command = [python(), "-c", starts, python(), "-c", ENDS];
    let report = played(&scene, "pid1,child", &["--also", "none"], &command);
    for (mode, check) in [("pid1", "S01"), ("child", "S06")] {
        let (_, cure) = tells(&report, mode, check, "", "(exec); otherwise let it pass SIGTERM on");
        assert!(cure.starts_with("if it is only there to start"), "{cure}");
    }
    // In the place of process 1 that would not end either.
    let report = played(&scene, "pid1", &["--also", "none"], &[python(), "-c", &deaf_front(), "sleep", "1000"]);
    let (_, cure) = tells(&report, "pid1", "S01", "never gets it", "--kill-mode tree");
    assert!(cure.starts_with("start it under an init") && !cure.contains("exec"), "{cure}");
    let executes = "import os, sys\nos.execv(sys.argv[1], sys.argv[1:])";
    passes(&scene, "pid1,child", &[], &[python(), "-c", executes, python(), "-c", ENDS]);
    passes(&scene, "pid1", &[], &[&[&ours(), "--kill-mode", "tree", "--"], &command[..]].concat());
    scene.nothing_is_left();
}

/// One that is only in front, and says so.
fn deaf_front() -> String {
    "import os, subprocess, sys\nchild = subprocess.Popen(sys.argv[1:])\nos.write(1, b'ready\\n')\nchild.wait()"
        .to_owned()
}

#[test]
fn who_is_told_before_it_has_its_handler_does_not_differ_by_its_mode() {
    let scene = Scene::new();
    // As process 1 it is told two seconds later, when the time of the orphan is over.
    let program = format!("import time\ntime.sleep(0.3)\n{ENDS}");
    let options = ["--as", "pid1,child", "--also", "none", "--grace", "20s", "--ready", "delay:10ms"];
    let report = report(&scene, &options, &[python(), "-c", &program]);
    tells(&report, "pid1", "S03", "may be one of time", "tell it when it is ready (--ready)");
    tells(&report, "child", "S02", "had no handler for SIGTERM then", "(--ready)");
    scene.nothing_is_left();
}

#[test]
fn a_cure_names_the_command_that_was_given_and_not_what_it_became() {
    let scene = Scene::new();
    let script = format!("{} -c \"$1\" & exec sleep 1000", python());
    let options = [&["--as", "pid1", "--also", "none", "--grace", "1s"], &READY[..]].concat();
    let report = report(&scene, &options, &["bash", "-c", &script, "bash", ENDS]);
    let (cause, cure) = tells(&report, "pid1", "S01", "`sleep 1000`", "supervise --");
    assert!(!cure.contains("-- sleep"), "{cause} {cure}");
    scene.nothing_is_left();
}

#[test]
fn an_init_is_not_advised_for_zombies_that_are_no_orphans_of_process_1() {
    let scene = Scene::new();
    let program = "import os, signal
children = [os.fork() or os._exit(0) for _ in range(3)]
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for child in children: os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
os.write(1, b'ready\\n')
while True: signal.pause()";
    let options = ["--as", "pid1", "--also", "none", "--ready", "log:^ready$"];
    let report = report(&scene, &options, &[&ours(), "--", python(), "-c", program]);
    report.says("pid1", &[("S09", "warn")]);
    let (_, cure) = tells(&report, "pid1", "S09", "does not wait", "wait for them");
    assert!(!cure.contains("init"), "{cure}");
    scene.nothing_is_left();
}

#[test]
fn each_shell_of_two_is_to_begin_with_exec() {
    let scene = Scene::new();
    std::fs::write(scene.folder().join("ends.py"), ENDS).expect("the folder is writable");
    let program = format!("{} {}", python(), scene.folder().join("ends.py").display());
    let script = |inner: &str, outer: &str| format!("{outer}sh -c '{inner}{program}; true'; true");
    let report = played(&scene, "pid1,child", &["--also", "none"], &["sh", "-c", &script("", "")]);
    for (mode, check) in [("pid1", "S24"), ("child", "S24")] {
        tells(
            &report,
            mode,
            check,
            "",
            &format!("the last command of each shell, one in the other, begin with exec (`exec {program}`)"),
        );
    }
    tells(&report, "pid1", "S01", "", &format!("`exec {program}`"));
    tells(&report, "child", "S06", "", &format!("`exec {program}`"));
    passes(&scene, "pid1,child", &[], &["sh", "-c", &script("exec ", "exec ")]);
    scene.nothing_is_left();
}

#[test]
fn who_has_a_handler_as_process_1_alone_is_not_told_to_raise_the_signal_again() {
    let scene = Scene::new();
    // As beanstalkd, whose handler there sends a SIGKILL to process 1.
    let program = "import os, signal
if os.getpid() == 1: signal.signal(signal.SIGTERM, lambda *_: os.kill(1, signal.SIGKILL))
os.write(1, b'ready\\n')
while True: signal.pause()";
    let command = [python(), "-c", program];
    let report = played(&scene, "pid1,child", &["--also", "none"], &command);
    let (cause, cure) = tells(&report, "pid1", "S01", "as a child it had none", "start it under an init: supervise --");
    assert!(!cause.contains("again") && cure.contains("also as process 1"), "{cause} {cure}");
    passes(&scene, "pid1", &["--also", "none"], &[&[&ours(), "--"], &command[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn what_reads_from_a_pipe_is_not_to_be_executed_in_the_place_of_its_shell() {
    let scene = Scene::new();
    // Who writes to it has ended by then.
    let script = format!("echo x | {} -c \"$1\"; true", python());
    let words = ["sh", "-c", &script, "sh", ENDS];
    let report = played(&scene, "pid1,child", &["--also", "none"], &words);
    for (mode, check) in [("pid1", "S01"), ("pid1", "S24"), ("child", "S06"), ("child", "S24")] {
        let (_, cure) = tells(&report, mode, check, "", "supervise --");
        assert!(!cure.contains("exec"), "{mode} {check}: {cure}");
    }
    passes(&scene, "pid1,child", &["--also", "none"], &[&[&ours(), "--kill-mode", "tree", "--"], &words[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn who_reads_what_the_command_writes_is_to_end_by_the_end_of_that() {
    let scene = Scene::new();
    // It needs a moment more for what it has read.
    let reader = "while read -r line; do echo \"$line\"; done; sleep 1000";
    let script = format!("exec > >({reader}); {} -c \"$1\" & p=$!; trap 'kill $p; wait $p' TERM; wait $p", python());
    let report = played(&scene, "child", &["--also", "none"], &["bash", "-c", &script, "bash", ENDS]);
    let (_, cure) = tells(&report, "child", "S06", "which reads what it writes", "exec >&-; wait $r");
    assert!(!cure.contains("let its trap pass"), "{cure}");
    let cured = script.replace("; sleep 1000); ", "); r=$!; ");
    let cured = cured.replace("wait $p' TERM", "wait $p; e=$?; exec >&-; wait $r; exit $e' TERM");
    passes(&scene, "pid1,child", &["--also", "none"], &["bash", "-c", &cured, "bash", ENDS]);
    scene.nothing_is_left();
}

#[test]
fn what_exec_would_lose_is_kept_by_the_trap_that_stands_beside_it() {
    let scene = Scene::new();
    let clean_up = "trap 'echo cleaned up' EXIT; ";
    // A loop is told as such.
    let scripts = ["sleep 1000; true".to_owned(), format!("{clean_up}sleep 1000; true")];
    for (shell, script) in [("dash", &scripts[0]), ("dash", &scripts[1]), ("bash", &scripts[0])] {
        let of = |script: &str| format!("echo ready; {script}");
        let left = played(&scene, "pid1,child", &["--also", "none"], &[shell, "-c", &of(script)]);
        for (mode, check) in [("pid1", "S01"), ("pid1", "S24"), ("child", "S06"), ("child", "S24")] {
            let advice = if script.starts_with("while") { "a trap that ends its loop" } else { "which exec loses" };
            let (_, cure) = tells(&left, mode, check, "", advice);
            let quoted = |start: &str| cure.split('`').find(|part| part.starts_with(start)).expect("it is quoted");
            let (trap, waits) = (quoted("trap 'kill"), quoted("sleep 1000 & wait"));
            if (mode, check) != ("child", "S06") {
                continue;
            }
            let script = of(&format!("{trap}; {}", script.replace("sleep 1000", waits)));
            let options = [&["--as", "pid1,child", "--also", "none", "--grace", "20s"], &READY[..]].concat();
            let cured = report(&scene, &options, &[shell, "-c", &script]);
            for mode in ["pid1", "child"] {
                cured.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass"), ("S17", "pass")]);
                let tail = cured.run(mode)["output"]["tail"].to_string();
                assert_eq!(tail.contains("cleaned up"), script.contains(clean_up), "{tail}");
            }
        }
    }
    scene.nothing_is_left();
}

#[test]
fn no_orphan_is_suspected_of_what_beanstalkd_does_as_process_1_alone() {
    let scene = Scene::new();
    let socket = scene.folder().join("queue.sock");
    let address = format!("unix:{}", socket.display());
    let command = ["beanstalkd", "-l", &address];
    let options = ["--as", "pid1,child", "--also", "none", "--grace", "1s", "--ready", &address];
    let hangs = report(&scene, &options, &command);
    let (cause, cure) = tells(&hangs, "pid1", "S01", "does not end process 1; as a child it had none", "supervise -- ");
    let difference = finding(&hangs, "pid1", "S03").to_string();
    assert!(![&cause, &cure, &difference].iter().any(|told| told.contains("orphan")), "{cause} {cure} {difference}");
    assert_ne!(hangs.run("pid1")["orphan"], serde_json::Value::Null, "it got one");
    let options = ["--as", "pid1", "--also", "none", "--grace", "20s", "--ready", &address];
    report(&scene, &options, &[&[&ours(), "--"], &command[..]].concat())
        .says("pid1", &[("S01", "pass"), ("S09", "pass")]);
    scene.nothing_is_left();
}

/// A program that needs a moment for its end, and says when it is ready.
const DRAINS: &str = "import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), os._exit(0)))
os.write(1, b'ready\\n')
while True: signal.pause()";

#[test]
fn what_a_trap_tells_by_a_signal_that_cuts_off_is_not_told_as_well_done() {
    let scene = Scene::new();
    let of = |kill: &str| {
        let script = format!("\"$@\" & p=$!; trap '{kill} $p; wait $p; exit 0' TERM; wait");
        let options = [&["--as", "child", "--also", "none", "--grace", "20s"], &READY[..]].concat();
        report(&scene, &options, &["bash", "-c", &script, "bash", python(), "-c", DRAINS])
    };
    for signal in ["HUP", "USR1"] {
        let told = of(&format!("kill -{signal}"));
        told.says("child", &[("S01", "pass"), ("S02", "pass"), ("S07", "warn"), ("S24", "info")]);
        tells(&told, "child", "S24", "not all that runs below it", "see S07");
        tells(&told, "child", "S07", &format!("was ended by SIG{signal}"), "");
    }
    let cured = of("kill");
    cured.says("child", &[("S07", "pass"), ("S24", "info")]);
    assert_eq!(finding(&cured, "child", "S24")["cause"], "its trap does what has to be done");
    scene.nothing_is_left();
}

#[test]
fn a_wrapper_that_blocks_the_signal_is_not_to_unblock_it() {
    let scene = Scene::new();
    let command = ["unshare", "--fork", "--pid", python(), "-c", ENDS];
    let blocked = played(&scene, "pid1", &["--also", "none"], &command);
    let (_, cure) = tells(&blocked, "pid1", "S01", "blocks SIGTERM in every thread", "supervise --kill-mode tree -- ");
    assert!(!cure.contains("unblock"), "{cure}");
    passes(&scene, "pid1", &["--also", "none"], &[&[&ours(), "--kill-mode", "tree", "--"], &command[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_subshell_between_that_passes_nothing_on_is_named() {
    let scene = Scene::new();
    let script =
        |exec: &str| format!("run() {{ {exec}\"$@\"; }}; trap 'kill $(jobs -p); wait' TERM; run \"$@\" & wait");
    let of = |exec: &str| {
        let options = [&["--as", "pid1,child", "--also", "none", "--grace", "20s"], &READY[..]].concat();
        report(&scene, &options, &["bash", "-c", &script(exec), "bash", python(), "-c", DRAINS])
    };
    let left = of("");
    for mode in ["pid1", "child"] {
        let (cause, cure) = tells(&left, mode, "S06", "was ended by SIGTERM alone, and left pid", "begin with exec");
        assert!(cause.contains("below the shell pid") && !cure.contains("let its trap"), "{cause} {cure}");
    }
    let cured = of("exec ");
    for mode in ["pid1", "child"] {
        cured.says(mode, &[("S01", "pass"), ("S06", "pass"), ("S17", "pass")]);
    }
    scene.nothing_is_left();
}

#[test]
fn only_who_holds_the_output_is_named_for_it() {
    let scene = Scene::new();
    // A reader ends with the command, mostly a moment behind it; the program holds the output until it is killed.
    let script = "exec 3> >(trap '' TERM; exec cat); \"$@\" 3>&- & wait";
    let options = [&["--as", "child", "--target", "group", "--also", "none", "--grace", "20s"], &READY[..]].concat();
    let program = DRAINS.replace("0.5", "1000");
    // Who ends half a second later than the command may have held it as well.
    let ends_late = |report: &Report| {
        let processes = report.run("child")["processes"].as_array().expect("a list");
        let ended = |comm: &str| {
            let found = processes.iter().find(|process| process["comm"] == comm).expect("it was seen");
            found["ended"]["ms"].as_f64().expect("it has ended")
        };
        ended("cat") - ended("bash") >= 400.0
    };
    let command = ["bash", "-c", script, "bash", python(), "-c", &program];
    let report = uncrossed(ends_late, || report(&scene, &options, &command));
    report.says("child", &[("S17", "fail")]);
    let evidence = finding(&report, "child", "S17")["evidence"].to_string();
    assert!(evidence.contains("python") && !evidence.contains("cat"), "{evidence}");
    scene.nothing_is_left();
}

#[test]
fn a_wrapper_that_is_deaf_by_design_is_told_with_what_helps() {
    let scene = Scene::new();
    let command = ["strace", "-o", "/dev/null", python(), "-c", ENDS];
    let report = played(&scene, "child", &["--also", "none"], &command);
    let (cause, cure) =
        tells(&report, "child", "S01", "never gets it", "itself, not by strace, or start it under an init");
    assert!(cause.contains("ignores SIGTERM") && !cure.contains("handler"), "{cause} {cure}");
    passes(
        &scene,
        "pid1,child",
        &["--also", "none"],
        &[&[&ours(), "--kill-mode", "tree", "--"], &command[..]].concat(),
    );
    scene.nothing_is_left();
}
