//! What `supervise check` says of why a program does not stop: it is true of that program, and its cure works.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{PAUSE, READY, Report, deaf, finding, passes, played, report, tells, uncrossed, unhurried};
use harness::launch::Init;
use harness::slow::python;

#[test]
fn a_line_about_the_signal_is_no_beginning_of_a_stop() {
    let scene = Scene::new();
    let report = played(&scene, "child", &[], &[python(), "-c", &deaf("os.write(1, b'got it\\n')", PAUSE)]);
    let (cause, _) = tells(&report, "child", "S01", "its handler does not end the program, or", "(exit)");
    assert!(cause.contains("it wrote \"got it\"") && !cause.contains("began to stop"), "{cause}");
    scene.nothing_is_left();
}

#[test]
fn what_is_written_all_the_time_is_no_answer() {
    let scene = Scene::new();
    let flood = "while True: os.write(1, b'x' * 3000 + b' line\\n')";
    let ticks = "for number in range(10**9):\n    os.write(1, b'tick %d\\n' % number)\n    time.sleep(0.02)";
    // Who writes without a pause takes a fifth of the time of a processor, or less where the reader keeps it waiting.
    for (rest, may_be_busy) in [(flood, true), (ticks, false)] {
        let report = played(&scene, "child", &[], &[python(), "-c", &deaf("None", rest)]);
        let (cause, _) = tells(&report, "child", "S01", "", "end the program");
        let is_busy = may_be_busy && cause.contains("is busy, with ");
        assert!(is_busy || cause.contains("nothing was seen to come of it"), "{cause}");
        assert!(!cause.contains("it wrote") && cause.len() < 600, "{cause}");
        let lines = finding(&report, "child", "S01")["evidence"].as_array().expect("a list").iter();
        assert!(lines.clone().all(|line| line.as_str().expect("text").len() < 300), "{lines:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn an_init_is_not_advised_where_it_does_not_help() {
    let scene = Scene::new();
    let report = played(&scene, "pid1,child", &[], &[python(), "-c", &deaf("None", PAUSE)]);
    let (_, cure) = tells(&report, "pid1", "S01", "nothing was seen to come of it", "");
    assert!(!cure.contains("init"), "{cure}");
    scene.nothing_is_left();
}

#[test]
fn a_program_that_starts_others_again_and_again_goes_on() {
    let scene = Scene::new();
    let rest = "import subprocess\nwhile True: subprocess.run(['sleep', '0.1'])";
    let report = played(&scene, "child", &[], &[python(), "-c", &deaf("None", rest)]);
    // Between two of them there may be none at the end of the time.
    let cause = finding(&report, "child", "S01")["cause"].as_str().expect("it fails").to_owned();
    assert!(cause.contains("goes on: it has started") || cause.contains("nothing was seen"), "{cause}");
    scene.nothing_is_left();
}

#[test]
fn what_an_init_was_given_as_an_orphan_is_not_told_as_started_by_it() {
    let scene = Scene::new();
    // Each of the chain starts the next and ends.
    let chain = "import os, signal, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(0.05)
        if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";
    let ours = Init::Supervise.path().expect("cargo built it");
    let command = [ours.to_str().expect("a path of ours"), "--", python(), "-c", chain];
    let report = played(&scene, "child", &[], &command);
    let (cause, _) = tells(&report, "child", "S01", "", "");
    assert!(!cause.contains("it has started pid"), "{cause}");
    scene.nothing_is_left();
}

#[test]
fn who_is_killed_by_process_1_as_its_last_act_is_judged_alike_each_time() {
    /// In milliseconds, as `supervise check` has it.
    const SAME_MOMENT: f64 = 100.0;
    let scene = Scene::new();
    let program = "
import os, signal, subprocess
child = subprocess.Popen(['sleep', '1000'])
def stop(*_):
    child.kill()
    child.wait()
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()";
    for _ in 0..2 {
        // In that run it is seen who does it.
        let report = unhurried(&scene, "pid1,child", &[], &[python(), "-c", program]);
        for mode in ["pid1", "child"] {
            report.says(mode, &[("S01", "pass"), ("S06", "pass"), ("S07", "warn")]);
        }
        // Of one that dies long before process 1 it is sure that it was not the kernel.
        let dies_long_before = |report: &Report| {
            let ended = |place: usize| report.run("pid1")["processes"][place]["ended"]["ms"].as_f64();
            let [main, child] = [0, 1].map(|place| ended(place).expect("it has ended"));
            main - child >= SAME_MOMENT
        };
        let report =
            uncrossed(dies_long_before, || unhurried(&scene, "pid1", &["--also", "none"], &[python(), "-c", program]));
        let (cause, _) = tells(&report, "pid1", "S06", "unless somebody did just before", "");
        assert!(cause.contains("`sleep 1000`"), "{cause}");
    }
    scene.nothing_is_left();
}

#[test]
fn what_waits_for_other_signals_is_not_told_to_have_not_run() {
    let scene = Scene::new();
    let program = "
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
os.write(1, b'ready\\n')
signal.sigwait([signal.SIGINT])";
    let report = played(&scene, "child", &[], &[python(), "-c", program]);
    tells(&report, "child", "S01", "waits for other signals (sigtimedwait) and not for that", "wait for SIGTERM");
    let program = program.replace("[signal.SIGINT])", "[signal.SIGINT, signal.SIGTERM])");
    passes(&scene, "child", &[], &[python(), "-c", &program]);
    scene.nothing_is_left();
}

#[test]
fn a_background_job_that_ignores_sigint_is_told_with_its_reason() {
    let scene = Scene::new();
    // Ready when the job is what it is to be.
    let script = |signal| {
        format!(
            "trap 'kill -{signal} $p; wait $p; exit 0' INT; sleep 1000 & p=$!; \
             until grep -q sleep /proc/$p/comm; do :; done; echo ready; wait $p"
        )
    };
    for shell in ["dash", "bash"] {
        let report = played(&scene, "child", &["--signal", "INT"], &[shell, "-c", &script("INT")]);
        tells(&report, "child", "S01", "as all does that a shell without job control starts by `&`", "`kill -TERM`");
        passes(&scene, "pid1,child", &["--signal", "INT"], &[shell, "-c", &script("TERM")]);
    }
    scene.nothing_is_left();
}

#[test]
fn a_trap_that_has_run_is_not_told_to_wait_for_the_foreground() {
    let scene = Scene::new();
    // It takes SIGINT as if it were in the foreground.
    let job = "import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.write(1, b'ready\\n')
while True: signal.pause()";
    let script = |trap: &str, how: &str| format!("trap '{trap}' TERM; {} -c \"$0\" {how}", python());
    let played = |shell, trap, how| played(&scene, "child", &[], &[shell, "-c", &script(trap, how), job]);
    for (shell, trap) in [("dash", "wait"), ("dash", "echo stopping; wait"), ("bash", "echo stopping; wait")] {
        let report = played(shell, trap, "& wait");
        let (cause, _) = tells(&report, "child", "S01", "waits for pid", "let the trap pass the signal on");
        assert!(!cause.contains("foreground"), "{shell} {trap}: {cause}");
    }
    for shell in ["dash", "bash"] {
        let report = played(shell, "exit 0", "; true");
        let cure =
            "start that with `&` and `wait` for it, so that the trap runs at once, and let the trap pass the signal on";
        tells(&report, "child", "S01", "only when the command in its foreground has ended", cure);
    }
    passes(&scene, "pid1,child", &[], &["dash", "-c", &script("kill $!; wait; exit 0", "& wait"), job]);
    scene.nothing_is_left();
}

#[test]
fn a_loop_and_a_pipeline_are_not_to_be_replaced_by_exec() {
    let scene = Scene::new();
    let a_loop = "echo ready; while :; do sleep 0.1; done";
    let report = played(&scene, "pid1", &[], &["dash", "-c", a_loop]);
    let (_, cure) = tells(&report, "pid1", "S24", "as process 1 it even drops them", "a trap that ends its loop");
    assert!(!cure.contains("exec"), "{cure}");
    passes(&scene, "pid1,child", &[], &["dash", "-c", &format!("trap 'exit 0' TERM; {a_loop}")]);
    let pipeline = "echo ready; sleep 1000 | cat";
    let report = played(&scene, "pid1", &[], &["dash", "-c", pipeline]);
    for check in ["S01", "S24"] {
        let (_, cure) = tells(&report, "pid1", check, "", "let what reads from it end behind it");
        assert!(!cure.contains("supervise "), "{cure}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_pipeline_is_to_be_told_so_that_its_reader_ends_behind_its_writer() {
    let scene = Scene::new();
    let program = deaf("(print('stopped', flush=True), sys.exit(0))", PAUSE);
    let of = |script: &str| played(&scene, "child", &["--also", "none"], &["bash", "-c", script, python(), &program]);
    let writer = "\"$0\" -c \"$1\"";
    let piped = of(&format!("{writer} | cat"));
    let found = finding(&piped, "child", "S06")["cure"].as_str().expect("it fails").to_owned();
    for trap in ["trap 'kill $!; wait; exit 0' TERM", "trap 'exit 0' TERM"] {
        let piped = of(&format!("{trap}; {writer} | cat & wait"));
        let check = if piped.level("child", "S01") == "fail" { "S01" } else { "S06" };
        tells(&piped, "child", check, "", "exec > >(READER)");
    }
    // As it is told, but for the names.
    let script = found.split('`').nth(1).expect("a script").replace("READER", "cat").replace("PROGRAM", writer);
    let options = [&["--as", "pid1,child", "--grace", "20s"], &READY[..]].concat();
    let cured = report(&scene, &options, &["bash", "-c", &script, python(), &program]);
    for mode in ["pid1", "child"] {
        cured.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass"), ("S17", "pass")]);
        let tail = cured.run(mode)["output"]["tail"].to_string();
        assert!(tail.contains("stopped"), "{tail}");
    }
    scene.nothing_is_left();
}

#[test]
fn who_leaves_for_the_background_is_told_so() {
    let scene = Scene::new();
    // It ends when the one that it leaves is there.
    let script = "setsid sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; exit 0";
    let options = ["--as", "pid1,child,init", "--ready", "log:never", "--ready-timeout", "90s"];
    let report = report(&scene, &options, &["dash", "-c", script]);
    for mode in ["pid1", "child", "init"] {
        let told = tells(&report, mode, "S01", "it puts itself in the background", "in the foreground");
        // Looked at just when it was executed, it may have no words yet, or still those of before.
        assert!(told.0.contains("sleep"), "{told:?}");
    }
    report.exits(2);
    scene.nothing_is_left();
}

#[test]
fn all_are_told_where_the_tree_is() {
    let scene = Scene::new();
    let script = "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; echo ready; wait";
    let report = played(&scene, "child", &["--target", "tree"], &["dash", "-c", script]);
    report.says("child", &[("S06", "pass"), ("S08", "skip"), ("S24", "info")]);
    scene.nothing_is_left();
}

/// A server of Python that closes what listens when it is told, and is not done with that.
fn closes() -> String {
    let set_up = "import socket\nsocket = socket.create_server(('127.0.0.1', 0))\n";
    format!("{set_up}{}", deaf("socket.close()", PAUSE))
}

#[test]
fn who_has_closed_a_socket_is_named() {
    let scene = Scene::new();
    let server = closes();
    let pass_on = "import os, signal, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
child.wait()";
    let trap = "trap 'kill $!; wait; exit 0' TERM; \"$@\" & wait";
    let program = [python(), "-c", server.as_str()];
    for wrapper in [&[python(), "-c", pass_on][..], &["dash", "-c", trap, "sh"]] {
        let report = played(&scene, "child", &[], &[wrapper, &program].concat());
        let run = report.run("child");
        let server = run["listeners"][0]["pids"][0].as_i64().expect("one has it");
        assert_ne!(run["processes"][0]["pid"], server, "{run:#}");
        let events = run["events"].as_array().expect("a list");
        assert!(events.iter().any(|event| event["kind"] == "closed" && event["pid"] == server), "{events:#?}");
        let (cause, _) = tells(&report, "child", "S01", "begun to stop (it closed what listens)", "bound how long");
        assert!(cause.contains("waits for") && !cause.contains("began to stop"), "{cause}");
        let reaction = &finding(&report, "child", "S05")["evidence"][0];
        assert!(reaction.as_str().is_some_and(|line| line.contains(&format!("pid {server} ("))), "{reaction}");
    }
    let report = played(&scene, "child", &[], &program);
    let (cause, _) = tells(&report, "child", "S01", "began to stop (it closed tcp", "bound how long");
    assert!(cause.starts_with(&format!("pid {}", report.run("child")["processes"][0]["pid"])), "{cause}");
    scene.nothing_is_left();
}

#[test]
fn a_job_that_was_told_before_it_executed_its_program_is_not_told_to_have_got_nothing() {
    let scene = Scene::new();
    let fifo = scene.folder().join("go");
    let script = "mkfifo $0; trap 'kill $p; echo go > $0; wait; exit 0' TERM
(trap : TERM; echo ready; read x < $0; exec sleep 1000) & p=$!
wait; wait";
    let report = played(&scene, "child", &[], &["dash", "-c", script, fifo.to_str().expect("a path of ours")]);
    let (cause, _) = tells(&report, "child", "S01", "which has executed its program only since", "on again until");
    assert!(cause.contains("`sleep 1000`"), "{cause}");
    scene.nothing_is_left();
}

#[test]
fn a_subshell_is_not_to_be_executed_in_the_place_of_its_script() {
    let scene = Scene::new();
    let played = |modes: &str, script: &str| played(&scene, modes, &[], &["dash", "-c", script]);
    let report = played("pid1,child", "echo ready; (sleep 1000; true); true");
    let (_, cure) = tells(&report, "pid1", "S24", "a shell passes no signals on", "let a trap in the script");
    assert!(!cure.contains("exec"), "{cure}");
    let (cause, cure) = tells(&report, "pid1", "S01", "its subshell pid", "what runs in it");
    assert!(cause.ends_with("never gets it") && !cure.contains("exec"), "{cause} {cure}");
    let (cause, cure) =
        tells(&report, "child", "S06", "alone, and it left its subshell pid", "let a trap in the script");
    assert!(cause.contains("which never got SIGTERM") && !cure.contains("exec"), "{cause} {cure}");
    let script = "trap 'exit 0' TERM; echo ready; (sleep 1000; true); true";
    let report = played("child", script);
    let (_, cure) =
        tells(&report, "child", "S01", "in its foreground has ended: its subshell pid", "start the subshell");
    assert!(!cure.contains("exec"), "{cure}");
    let ours = Init::Supervise.path().expect("cargo built it");
    let ours = ours.to_str().expect("a path of ours");
    passes(&scene, "pid1,child", &[], &[ours, "--kill-mode", "tree", "--", "dash", "-c", script]);
    scene.nothing_is_left();
}

/// The cures of a shell in front, each of which is shown to help.
#[test]
fn a_shell_as_process_1_in_front_of_a_program_without_a_handler_is_to_be_started_under_an_init() {
    let scene = Scene::new();
    let script = "echo ready; sleep 1000; true";
    let report = played(&scene, "pid1", &[], &["dash", "-c", script]);
    for (check, first) in [("S01", "start the shell under an init"), ("S24", "start it under an init")] {
        let (_, cure) = tells(&report, "pid1", check, "", "--kill-mode tree");
        assert!(cure.starts_with(first), "{cure}");
    }
    // exec alone does not help there.
    let report = played(&scene, "pid1", &[], &["dash", "-c", "echo ready; exec sleep 1000"]);
    report.says("pid1", &[("S01", "fail")]);
    let ours = Init::Supervise.path().expect("cargo built it");
    let cured = [ours.to_str().expect("a path of ours"), "--kill-mode", "tree", "--", "dash", "-c", script];
    passes(&scene, "pid1,child", &[], &cured);
    let trap = "trap 'kill $!; wait; exit 0' TERM; echo ready; sleep 1000 & wait";
    passes(&scene, "pid1,child", &[], &["dash", "-c", trap]);
    scene.nothing_is_left();
}

#[test]
fn a_trap_that_is_there_is_not_advised() {
    let scene = Scene::new();
    let script = "trap 'kill $!; wait; exit 7' TERM; sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; echo ready; wait";
    let report = unhurried(&scene, "child", &[], &["dash", "-c", script]);
    report.says("child", &[("S01", "pass"), ("S02", "fail"), ("S06", "pass"), ("S24", "info")]);
    let report = played(&scene, "child", &[], &["dash", "-c", &script.replace("kill $!; wait; ", "")]);
    tells(&report, "child", "S24", "it ended before what runs below it", "see S06");
    tells(&report, "child", "S06", "ended without waiting for", "let its trap pass the signal on (kill) and wait");
    scene.nothing_is_left();
}

#[test]
fn a_shell_that_ignores_the_signal_is_to_do_so_no_more_before_all_else() {
    let scene = Scene::new();
    let script = "trap '' TERM; echo ready; sleep 1000; true";
    let report = played(&scene, "child", &[], &["bash", "-c", script]);
    tells(&report, "child", "S24", "", "take `trap '' TERM` (or nohup) out first");
    // What is told behind that helps only then.
    let exec = |trap: &str| format!("{trap}echo ready; exec sleep 1000");
    played(&scene, "child", &[], &["bash", "-c", &exec("trap '' TERM; ")]).says("child", &[("S01", "fail")]);
    passes(&scene, "child", &[], &["bash", "-c", &exec("")]);
    scene.nothing_is_left();
}

#[test]
fn the_orphan_that_was_put_in_is_told_where_it_keeps_process_1_from_ending() {
    let scene = Scene::new();
    // It waits for its own child alone, and spins when there is another one.
    let script = ["script", "-qefc", "echo ready; exec sleep 1000", "/dev/null"];
    let options = ["--as", "pid1,child", "--also", "none", "--grace", "6s", "--ready", "log:ready"];
    let hangs = report(&scene, &options, &script);
    hangs.says("child", &[("S06", "pass")]);
    tells(&hangs, "pid1", "S01", "it was given an orphan before", "supervise -- COMMAND");
    tells(&hangs, "pid1", "S03", "or is not given an orphan", "");
    let ours = Init::Supervise.path().expect("cargo built it");
    let cured = [&[ours.to_str().expect("a path of ours"), "--"], &script[..]].concat();
    let options = ["--as", "pid1", "--also", "none", "--grace", "20s", "--ready", "log:ready"];
    report(&scene, &options, &cured).says("pid1", &[("S01", "pass"), ("S06", "pass")]);
    scene.nothing_is_left();
}

#[test]
fn what_was_waited_for_in_vain_is_told_with_its_last_reason() {
    let scene = Scene::new();
    for (ready, why) in [
        ("tcp:127.0.0.1:1", "the last time: 127.0.0.1:1: connection refused"),
        ("exec:exit 3", "the last time: it ended with code 3"),
        ("exec:sleep 1000", "its first try had not ended"),
        ("log:^up$", "no line of its output matches"),
        ("sd_notify", "READY=1 did not come"),
        ("fd:5", "no line came on that descriptor"),
    ] {
        let options = ["--as", "child", "--ready", ready, "--ready-timeout", "2s"];
        let report = report(&scene, &options, &["dash", "-c", "printf up; sleep 1000"]);
        report.exits(2);
        let (cause, _) = tells(&report, "child", "S01", why, "--ready-timeout");
        assert!(cause.contains(&format!("--ready {ready}")), "{cause}");
        assert_eq!(finding(&report, "child", "S01")["evidence"][0], "it wrote, without an end of line: up");
        let outcome = &report.run("child")["outcome"];
        assert!(outcome["why"].as_str().is_some_and(|told| cause.ends_with(told)), "{outcome} {cause}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_program_that_does_not_start_again_is_told_why() {
    let scene = Scene::new();
    let file = scene.folder().join("app.pid");
    let program = "
import os, signal, sys
try: os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)
except FileExistsError: sys.exit('it runs already, says app.pid')
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";
    let folder = scene.folder().to_str().expect("a path of ours").to_owned();
    let options = ["--as", "child,pid1", "--state-dir", &folder, "--ready", "log:^ready$", "--ready-timeout", "90s"];
    let report = report(&scene, &options, &[python(), "-c", program, file.to_str().expect("a path of ours")]);
    report.exits(1);
    report.says("child", &[("S01", "pass"), ("S16", "warn"), ("S15", "fail"), ("S20", "inconclusive")]);
    report.says("pid1", &[("S01", "inconclusive")]);
    for (mode, check) in [("child", "S15"), ("child", "S20"), ("pid1", "S01")] {
        tells(&report, mode, check, "a run before it left", "let it take away its pid");
        let lines = finding(&report, mode, check)["evidence"].to_string();
        assert!(lines.contains("it wrote: it runs already"), "{lines}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_socket_file_that_was_left_is_told_from_an_address_in_use() {
    let scene = Scene::new();
    let file = scene.folder().join("x.sock");
    let program = "
import os, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";
    let path = file.to_str().expect("a path of ours");
    let report = played(&scene, "child", &["--repeat", "2"], &[python(), "-c", program, path]);
    for check in ["S15", "S01"] {
        let (cause, cure) = tells(&report, "child", check, "x.sock, to which it cannot bind again", "unlink the file");
        assert!(!cure.contains("SO_REUSEADDR"), "{cause} {cure}");
    }
    std::fs::remove_file(&file).expect("it was left");
    let cured =
        program.replace("listener.bind", "if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])\nlistener.bind");
    let report = unhurried(&scene, "child", &["--repeat", "2"], &[python(), "-c", &cured, path]);
    report.says("child", &[("S01", "pass"), ("S15", "pass")]);
    scene.nothing_is_left();
}

#[test]
fn a_death_by_another_signal_is_a_crash_only_where_it_may_be_one() {
    let scene = Scene::new();
    let played = |signal: &str| {
        let dies = deaf(&format!("os.kill(os.getpid(), signal.{signal})"), PAUSE);
        played(
            &scene,
            "child",
            &[],
            &[python(), "-c", &format!("import resource\nresource.setrlimit(4, (0, 0))\n{dies}")],
        )
    };
    let (cause, _) = tells(&played("SIGUSR1"), "child", "S02", "by its default action", "see who sends it SIGUSR1");
    assert!(!cause.contains("crash"), "{cause}");
    let report = played("SIGSEGV");
    tells(&report, "child", "S02", "it crashed", "see its last lines");
    assert_eq!(finding(&report, "child", "S02")["evidence"][1], "it wrote: ready");
    scene.nothing_is_left();
}

#[test]
fn what_executes_itself_again_when_it_is_told_had_a_handler_then() {
    let scene = Scene::new();
    // As uwsgi, whose SIGTERM loads it again.
    let program = "import os, signal, sys, time
def again(*_):
    os.write(1, b'again\\n')
    os.execv(sys.executable, sys.orig_argv)
signal.signal(signal.SIGTERM, again)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
os.write(1, b'ready\\n')
while True: signal.pause()";
    let report = played(&scene, "pid1,child", &["--also", "none"], &[python(), "-c", program]);
    for mode in ["pid1", "child"] {
        report.says(mode, &[("S01", "fail"), ("S04", "pass")]);
        assert_eq!(report.run(mode)["processes"][0]["signal_is"], "caught", "{:#}", report.run(mode));
    }
    scene.nothing_is_left();
}

#[test]
fn what_is_started_after_the_signal_is_told_as_that() {
    let scene = Scene::new();
    let starts = deaf("os.fork() and os._exit(0) or time.sleep(1000)", PAUSE);
    let report = played(&scene, "pid1,child", &["--also", "none"], &[python(), "-c", &starts]);
    for mode in ["pid1", "child"] {
        let (cause, _) =
            tells(&report, mode, "S06", "which was started after SIGTERM, and", "wait for what it started");
        assert!(!cause.contains("handler"), "{cause}");
    }
    scene.nothing_is_left();
}
