//! The command's umask, limits, capabilities and session: the kernel's own word for what was asked, and one line for
//! what cannot be had.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;

use harness::launch::{By, EVERYWHERE, Init, Place, Target, WAYS};
use harness::running::{Ended, expect_report, passes, refused};
use harness::terminal::Terminal;
use harness::{Exit, Scene, send, skip};
use nix::unistd::geteuid;

/// The lines of /proc/self/status that begin so, without blanks between.
fn status(ended: &Ended, names: &[&str]) -> Vec<String> {
    let lines = ended.stdout.iter().filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.split_whitespace().collect()).collect()
}

const STATUS: [&str; 2] = ["cat", "/proc/self/status"];

#[test]
fn the_umask_and_the_limits_are_the_commands_alone() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "umask", "027");
        let launch = launch.given(by, "rlimit", "nofile=100:200,RLIMIT_CORE=0,sigpending=50");
        let mut init = launch.probe("status, ready, read").spawn();
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "ready") {
            said.push(init.line());
        }
        let lines = [
            "Umask: 0027",
            "limit Max open files 100 200 files",
            "limit Max core file size 0 0 bytes",
            "limit Max pending signals 50 50 signals",
        ];
        for line in lines {
            assert!(said.iter().any(|seen| seen == line), "{place:?} no {line:?} in {said:?}");
        }
        let ours = fs::read_to_string(format!("/proc/{}/limits", init.pid())).expect("it runs");
        let open_files = ours.lines().find(|line| line.starts_with("Max open files")).expect("there is one");
        assert!(!open_files.contains(" 100 "), "{open_files}");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn a_limit_can_have_no_end_and_the_last_word_counts() {
    let scene = Scene::new();
    let options = ["--rlimit", "core=5", "--rlimit", "stack=9000000", "--rlimit", "core=0:unlimited"];
    let ended =
        scene.supervise().options(&options).entered_with("limit 4 0 18446744073709551615").probe("status").end();
    assert!(ended.stdout.iter().any(|line| line == "limit Max core file size 0 unlimited bytes"), "{ended:?}");
    assert!(ended.stdout.iter().any(|line| line == "limit Max stack size 9000000 9000000 bytes"), "{ended:?}");
}

#[test]
fn wrong_values_are_named() {
    let scene = Scene::new();
    for (option, value, said) in [
        ("rlimit", "nofiles=1", "did you mean nofile?"),
        ("rlimit", "zzz=1", "prlimit(1)"),
        ("rlimit", "nofile", "nofile=1024:4096"),
        ("rlimit", "nofile=many", "neither a number nor"),
        ("rlimit", "nofile=2:1", "soft limit 2 is above the hard limit 1"),
        ("rlimit", "nofile=unlimited:1", "soft limit unlimited is above"),
        ("rlimit", "core=0,,", "nofile=1024:4096"),
        ("umask", "888", "octal"),
        ("umask", "1777", "octal"),
        ("cap-drop", "net_rw", "did you mean net_raw?"),
        ("cap-drop", "13", "capabilities(7)"),
        ("workdir", "/nowhere/at/all", "no such file or directory"),
        ("workdir", "/etc/passwd", "not a directory"),
    ] {
        for by in [By::Option, By::Variable] {
            refused(&scene.supervise().given(by, option, value).probe("say started").end(), &[value, said]);
        }
    }
    for flag in ["--setsid=yes", "--clear-env=1", "--no-new-privs="] {
        refused(&scene.supervise().options(&[flag]).probe("say started").end(), &["takes no value"]);
    }
    refused(
        &scene.supervise().options(&["--workdir="]).probe("say started").end(),
        &["--workdir ", "name a directory"],
    );
    let flag = scene.supervise().env("SUPERVISE_SETSID", "2");
    refused(&flag.probe("say started").end(), &["SUPERVISE_SETSID=2", "1 or 0"]);
}

#[test]
fn a_limit_beyond_ours_is_refused_with_what_it_needs() {
    let scene = Scene::new();
    let launch = scene.supervise().place(Place::UserPid1).entered_with("limit 7 100 100");
    let ended = launch.options(&["--rlimit", "nofile=101"]).probe("say started").end();
    refused(&ended, &["--rlimit nofile=101:101: cannot set it: operation not permitted (raising a hard limit"]);
}

#[test]
fn the_working_directory_is_the_commands_alone() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "workdir", "/usr/bin");
        // Where relative names are looked for, too.
        let ended = launch.argv(&["./pwd"]).end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["/usr/bin".to_owned()]), "{:?}", ended.stderr);
    }
    let scene = Scene::new();
    let ended = scene.supervise().options(&["--workdir", "/usr"]).argv(&["./pwd"]).end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(127), 1), "{ended:?}");
}

#[test]
fn dropped_capabilities_are_in_no_set_any_more() {
    for (place, by) in WAYS {
        if place != Place::UserPid1 && !geteuid().is_root() {
            skip("only root has capabilities");
            continue;
        }
        let scene = Scene::new();
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let read = |launch: harness::launch::Launch| {
            let ended = launch.place(place).argv(&STATUS).end();
            assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
            let set = |line: String| u64::from_str_radix(line.split_once(':').expect("a name").1, 16).expect("a set");
            status(&ended, &sets).into_iter().map(set).collect::<Vec<_>>()
        };
        let before = read(scene.supervise());
        let after = read(scene.supervise().given(by, "cap-drop", "CAP_NET_RAW,sys_admin,setpcap"));
        let gone = 1 << 13 | 1 << 21 | 1 << 8;
        assert!(before[1] & gone == gone && before[3] & gone == gone, "{before:x?}");
        assert_eq!(after, before.iter().map(|set| set & !gone).collect::<Vec<_>>(), "{place:?}");
        assert_eq!(read(scene.supervise().given(by, "cap-drop", "all")), [0; 5], "{place:?}");
    }
    if !geteuid().is_root() {
        return;
    }
    // Ambient and inheritable ones, which survive a change of user, too.
    let scene = Scene::new();
    let with = [
        "setpriv",
        "--reuid=4242",
        "--regid=4242",
        "--clear-groups",
        "--inh-caps=+net_raw,+setpcap",
        "--ambient-caps=+net_raw,+setpcap",
    ];
    let read = |options: &[&str]| {
        let launch = scene.supervise().for_everybody().behind(&with).options(options);
        let ended = launch.argv(&STATUS).end();
        status(&ended, &["CapInh", "CapPrm", "CapAmb"])
    };
    assert_eq!(read(&[])[2], "CapAmb:0000000000002100");
    let none = ["CapInh:0000000000000100", "CapPrm:0000000000000100", "CapAmb:0000000000000100"];
    assert_eq!(read(&["--cap-drop", "net_raw"]), none);
}

#[test]
fn without_the_right_to_drop_them_capabilities_are_not_dropped_halfway() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let nobody = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"];
    let launch = || scene.supervise().for_everybody().options(&["--cap-drop", "ALL"]);
    let ended = launch().behind(&nobody).probe("say started").end();
    refused(&ended, &["--cap-drop", "operation not permitted", "CAP_SETPCAP", "--no-new-privs"]);
    // Where there are none, there are none to drop: as in a pod with `drop: [ALL]`.
    let bare = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "--bounding-set=-all"];
    assert_eq!(launch().behind(&bare).probe("exit 3").end().exit, Exit::Code(3));
}

#[test]
fn no_new_privileges_are_for_the_command_alone() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).options(&["--no-new-privs"]).probe("ready, read").spawn();
        init.expect("ready");
        let of = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
            status.lines().find(|line| line.starts_with("NoNewPrivs")).map(|line| line.ends_with('1'))
        };
        assert_eq!((of(init.pid()), of(init.main_pid())), (Some(false), Some(true)), "{place:?}");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn a_session_of_its_own_has_its_own_group_and_still_gets_its_signals() {
    for place in EVERYWHERE {
        for target in [Target::Main, Target::Group] {
            let scene = Scene::new();
            let launch = scene.supervise().place(place).forward_to(target).options(&["--setsid"]);
            let mut init = launch.probe("status, report-until 64, exit 3").spawn();
            let mut said = Vec::new();
            while said.last().is_none_or(|line| line != "ready") {
                said.push(init.line());
            }
            let number = |name: &str| said.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            assert_eq!((number("pgid "), number("sid ")), (number("pid "), number("pid ")), "{place:?} {said:?}");
            assert_eq!(number("foreground "), Some("none".into()));
            passes(&mut init, libc::SIGUSR1);
            init.signal(libc::SIGTERM);
            expect_report(&mut init, libc::SIGTERM);
            passes(&mut init, 64);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {target:?}");
        }
    }
}

#[test]
fn keys_reach_a_session_of_its_own_through_us_and_once() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let _shell = terminal.shell(&scene);
    let supervise = Init::Supervise.path().expect("cargo built it");
    let (supervise, probe) = (supervise.display().to_string(), harness::probe().display().to_string());
    terminal.press(&format!("{supervise} --setsid -- {probe} report-until 64 exit 3; echo code:$?\n"));
    terminal.screen.up_to("ready");
    for _ in 0..2 {
        terminal.press("\x03");
        terminal.screen.up_to("got 2 from ");
    }
    send(scene.named("supervise"), 64, 1);
    assert_eq!(terminal.screen.up_to("code:").matches("got ").count(), 1, "more than was pressed");
    terminal.screen.up_to("3");
}

#[test]
fn without_any_of_it_nothing_is_altered_and_nothing_more_is_called() {
    let scene = Scene::new();
    let log = scene.folder().join("log");
    let ended = scene.supervise().traced(&log, &["-f"]).probe("exit 3").end();
    assert_eq!(ended.exit, Exit::Code(3));
    let calls = fs::read_to_string(&log).expect("strace wrote it");
    let (before, _) = calls.rsplit_once("execve(").expect("the probe was executed");
    for call in
        ["umask(", "prlimit64(", "setgroups(", "setresgid(", "setresuid(", "capset(", "chdir(\"/u", "setsid(", "passwd"]
    {
        assert!(!before.contains(call), "{call} in {before}");
    }
}
