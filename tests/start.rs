//! The start: the payload finds everything as the init found it, and the init keeps nothing of it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::running::Running;
use harness::{Exit, Scene, proc};

/// The lines of `status` that must be the same with an init in between and without: all but who is who.
fn comparable(lines: &[String]) -> Vec<&str> {
    let differs = ["pid ", "ppid ", "pgid ", "sid ", "foreground "];
    let same = lines.iter().filter(|line| !differs.iter().any(|prefix| line.starts_with(prefix)));
    // Pipes have numbers, and each run has its own.
    same.map(|line| line.split_once(":[").map_or(line.as_str(), |(kind, _)| kind)).collect()
}

/// Requires that a payload sees the same below supervise as without it, when both are started in that way.
#[track_caller]
fn hands_on(start: impl for<'s> Fn(Launch<'s>) -> Launch<'s>) {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let bare = start(scene.bare()).place(place).probe("status").end();
        let below = start(scene.supervise()).place(place).probe("status").end();
        assert_eq!(bare.exit, Exit::Code(0), "{bare:?}");
        assert_eq!(below.exit, Exit::Code(0), "{below:?}");
        assert_eq!(comparable(&below.stdout), comparable(&bare.stdout), "{place:?}");
        assert_eq!(below.stderr, [""; 0], "{place:?}");
    }
}

#[test]
fn ignored_and_blocked_signals_are_handed_on_as_they_came() {
    hands_on(|launch| launch.entered_with("ignore HUP,INT,PIPE,TTOU,CHLD, block USR1,ILL,TTIN,32,33,34,40"));
}

#[test]
fn a_mask_that_blocks_everything_is_handed_on() {
    hands_on(|launch| launch.entered_with("block all"));
}

#[test]
fn every_ignored_signal_is_handed_on() {
    let all: Vec<String> = (1..=64).filter(|signal| ![9, 19].contains(signal)).map(|n: i32| n.to_string()).collect();
    let verbs = format!("ignore {}", all.join(","));
    hands_on(move |launch| launch.entered_with(&verbs));
}

#[test]
fn nothing_is_added_to_a_clean_state() {
    hands_on(|launch| launch.entered_with("default HUP,PIPE"));
}

#[test]
fn descriptors_limits_and_the_working_directory_are_handed_on() {
    // The limits are those on open files, core files, stack and signals waiting.
    hands_on(|launch| {
        launch.entered_with(
            "open 7 /dev/zero, open 200 /dev/null, chdir /usr/bin, \
             limit 7 210 300, limit 4 4096 8192, limit 3 4194304 8388608, limit 11 100 200",
        )
    });
}

/// The payload's status where there may be no stdout to say it on; the payload stays.
fn status_by_fifo<'s>(scene: &Scene, launch: Launch<'s>, name: &str) -> (Running<'s>, Vec<String>) {
    let (fifo, mut lines) = scene.fifo(name);
    let running = launch.probe_with("out", &[fifo.to_str().expect("made by us"), "status", "wait"]).spawn();
    let mut said = Vec::new();
    while said.last().is_none_or(|line| line != "end of status") {
        said.extend(lines.next());
    }
    (running, said)
}

#[test]
fn every_combination_of_closed_standard_descriptors_is_handed_on() {
    for closed in 0..8 {
        let closed: Vec<i32> = (0..3).filter(|fd| closed & (1 << fd) != 0).collect();
        let close: String = closed.iter().map(|fd| format!("close {fd} ")).collect();
        let scene = Scene::new();
        let entered = format!("{close} default HUP");
        let (_, bare) = status_by_fifo(&scene, scene.bare().entered_with(&entered), "bare");
        // It is to write nothing where another's descriptor may be by now, though it has much to say.
        let launch = scene.supervise().options(&["-v"]).entered_with(&entered);
        let (init, below) = status_by_fifo(&scene, launch, "below");
        assert_eq!(comparable(&below), comparable(&bare), "closed: {closed:?}");
        for (fd, target) in proc::descriptors(init.pid()) {
            assert!(!closed.contains(&fd), "the init opened {fd}: {}", target.display());
        }
    }
}

#[test]
fn the_init_keeps_no_descriptor_and_no_directory_that_it_was_given() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let entered = "open 3 /dev/zero, open 7 /dev/zero, open 199 /dev/zero, chdir /usr/bin";
        let mut init = scene.supervise().place(place).entered_with(entered).probe("ready, wait").spawn();
        init.expect("ready");
        let (pid, main) = (init.pid(), init.main_pid());
        let zeroes = |pid| proc::descriptors(pid).iter().filter(|(_, to)| to == Path::new("/dev/zero")).count();
        let released = || (zeroes(pid) == 0).then_some(());
        scene.deadline.until("the init to close what it does not need", released);
        scene.deadline.until("the init to leave the directory", || {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == Path::new("/")).then_some(())
        });
        assert_eq!(zeroes(main), 3);
        let cwd = fs::read_link(format!("/proc/{main}/cwd")).expect("main lives");
        assert_eq!(cwd, Path::new("/usr/bin"));
    }
}

#[test]
fn a_child_signal_ignored_at_entry_loses_no_exit() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let ended = scene.supervise().place(place).entered_with("ignore CHLD").probe("exit 5").end();
        assert_eq!(ended.exit, Exit::Code(5), "{place:?}");
    }
}

#[test]
fn nothing_but_the_c_library_comes_before_the_mask() {
    let scene = Scene::new();
    let log = scene.folder().join("calls");
    let ended = scene.supervise().traced(&log, &[]).argv(&["true"]).end();
    assert_eq!(ended.exit, Exit::Code(0));
    let calls = fs::read_to_string(log).expect("strace wrote it");
    let names: Vec<&str> = calls.lines().filter_map(|line| Some(line.split_once('(')?.0)).collect();
    let until_mask: Vec<&str> = names.iter().copied().take_while(|name| *name != "rt_sigprocmask").collect();
    assert_ne!(until_mask.len(), names.len(), "no mask is set: {names:?}");
    let of_the_library = ["execve", "arch_prctl", "set_tid_address", "brk", "mmap", "mprotect"];
    assert!(until_mask.iter().all(|name| of_the_library.contains(name)), "{until_mask:?}");
}

/// The values of a variable in the payload's environment, as `status` prints it.
fn variable<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix("env ")?.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn socket_activation_names_the_payload_and_not_the_init() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let shell = ["sh", "-c", "LISTEN_PID=$$ WATCHDOG_PID=$$ LISTEN_FDS=0 exec \"$@\"", "sh"];
        let ended = scene.supervise().place(place).behind(&shell).probe("status").end();
        let pid = ended.stdout.iter().find_map(|line| line.strip_prefix("pid "));
        assert_ne!(pid, None, "{ended:?}");
        assert_eq!(variable(&ended.stdout, "LISTEN_PID"), pid, "{place:?}");
        assert_eq!(variable(&ended.stdout, "WATCHDOG_PID"), pid, "{place:?}");
        assert_eq!(variable(&ended.stdout, "LISTEN_FDS"), Some("0"), "{place:?}");
    }
}

#[test]
fn socket_activation_of_somebody_else_is_left_alone() {
    for value in ["99999", "", "x", "-1", "99999999999999999999"] {
        let scene = Scene::new();
        let launch = scene.supervise().env("LISTEN_PID", value).env("WATCHDOG_PID", value);
        let ended = launch.probe("status").end();
        assert_eq!(variable(&ended.stdout, "LISTEN_PID"), Some(value));
        assert_eq!(variable(&ended.stdout, "WATCHDOG_PID"), Some(value));
    }
}

#[test]
fn of_the_environment_only_our_own_and_the_kernels_is_taken_away() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut launch = scene.supervise().place(place);
        for name in ["SUPERVISE_LOG", "RUNLEVEL", "PREVLEVEL", "INIT_VERSION", "SUPERVISE_PORT", "TINI_SUBREAPER"] {
            launch = launch.env(name, "error");
        }
        let ended = launch.env("SUPERVISE_LOG_FORMAT", "text").probe("status").end();
        let has = |name| variable(&ended.stdout, name).is_some();
        assert!(!has("SUPERVISE_LOG") && !has("SUPERVISE_LOG_FORMAT"), "{place:?}: {:?}", ended.stdout);
        assert!(has("SUPERVISE_PORT") && has("TINI_SUBREAPER"), "{place:?}: {:?}", ended.stdout);
        for name in ["RUNLEVEL", "PREVLEVEL", "INIT_VERSION"] {
            assert_eq!(has(name), place == Place::Child, "{name} {place:?}");
        }
    }
}

/// Two folders in the scene, each with a `tool` of the given mode that prints which it is.
fn two_tools(scene: &Scene, modes: [u32; 2]) -> [String; 2] {
    ["one", "two"].map(|name| {
        let folder = scene.folder().join(name);
        fs::create_dir(&folder).expect("the folder is new");
        let tool = folder.join("tool");
        fs::write(&tool, format!("#!/bin/sh\necho {name}\n")).expect("the folder is writable");
        let mode = modes[usize::from(name == "two")];
        fs::set_permissions(&tool, fs::Permissions::from_mode(mode)).expect("the file is ours");
        folder.to_str().expect("made by us").to_owned()
    })
}

#[test]
fn the_command_is_searched_in_the_order_of_path() {
    let cases = [
        ([0o755, 0o755], Exit::Code(0), "one"),
        ([0o644, 0o755], Exit::Code(0), "two"),
        ([0o644; 2], Exit::Code(126), ""),
    ];
    for (modes, exit, said) in cases {
        let scene = Scene::new();
        let [one, two] = two_tools(&scene, modes);
        let path = format!("/nonexistent:/dev/null:{one}:{two}");
        let ended = scene.supervise().env("PATH", &path).argv(&["tool"]).end();
        assert_eq!((ended.exit, ended.stdout.join(",").as_str()), (exit, said), "{modes:?}: {:?}", ended.stderr);
    }
}

#[test]
fn a_directory_in_path_of_the_commands_name_is_passed_over() {
    let scene = Scene::new();
    let [one, two] = two_tools(&scene, [0o755; 2]);
    fs::remove_file(format!("{one}/tool")).expect("it is there");
    fs::create_dir(format!("{one}/tool")).expect("the name is free");
    let ended = scene.supervise().env("PATH", &format!("{one}:{two}")).argv(&["tool"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["two".to_owned()]));
}

#[test]
fn an_empty_element_of_path_is_the_working_directory() {
    for path in [":/nonexistent", "/nonexistent:", "/nonexistent::/bin", ""] {
        let scene = Scene::new();
        let [one, _] = two_tools(&scene, [0o755; 2]);
        let launch = scene.supervise().env("PATH", path).adjust(move |command| command.current_dir(one));
        let ended = launch.argv(&["tool"]).end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["one".to_owned()]), "{path:?}: {:?}", ended.stderr);
    }
}

#[test]
fn without_path_the_usual_places_are_searched() {
    let scene = Scene::new();
    let launch = scene.supervise().adjust(|command| command.env_remove("PATH"));
    let ended = launch.argv(&["sh", "-c", "exit 9"]).end();
    assert_eq!(ended.exit, Exit::Code(9), "{:?}", ended.stderr);
}

#[test]
fn a_command_with_a_slash_is_not_searched() {
    let scene = Scene::new();
    let [one, two] = two_tools(&scene, [0o755; 2]);
    let folder = scene.folder().to_owned();
    let launch = scene.supervise().env("PATH", &one).adjust(move |command| command.current_dir(folder));
    let ended = launch.argv(&["two/tool"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["two".to_owned()]), "{two}");
}

#[test]
fn a_script_without_an_interpreter_runs_through_the_shell() {
    let scene = Scene::new();
    let script = scene.executable("script", b"echo \"$1 $# $0\"\nexit 7\n");
    let script = script.to_str().expect("made by us");
    let ended = scene.supervise().argv(&[script, "a b", "c"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(7), vec![format!("a b 2 {script}")]));
    // An empty file is a script too, one that does nothing.
    let empty = scene.executable("empty", b"");
    assert_eq!(scene.supervise().argv(&[empty]).end().exit, Exit::Code(0));
}

#[test]
fn a_megabyte_of_arguments_arrives() {
    let scene = Scene::new();
    let argument = "x".repeat(120_000);
    let mut words = vec!["--"];
    words.extend([argument.as_str(); 9]);
    let ended = scene.supervise().probe_with("count", &words).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["9 words, 1080000 bytes".to_owned()]));
}

#[test]
fn arguments_that_look_like_options_belong_to_the_command() {
    let scene = Scene::new();
    let ended = scene.supervise().probe_with("count", &["--", "-v", "--help", "--", "", "-"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["5 words, 11 bytes".to_owned()]));
}
