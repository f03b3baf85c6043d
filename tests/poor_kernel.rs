//! Refused system calls, a `/proc` that is missing or another's, limits, a working directory that is gone: supervise
//! does the weaker thing or says in one line why it does nothing.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::launch::{EVERYWHERE, Launch, Place, Target};
use harness::running::Ended;
use harness::{Exit, Scene, proc, skip};

/// Requires that the payload has run to its end, or that one line says why it was not started.
#[track_caller]
fn ran_or_says_why(ended: &Ended, what: &str) {
    let complaints = ended.stderr.iter().filter(|line| line.starts_with("supervise: ")).count();
    let warnings = ended.stderr.iter().filter(|line| line.starts_with("supervise: warning: ")).count();
    assert_eq!(complaints, ended.stderr.len(), "{what}: {ended:?}");
    match ended.exit {
        Exit::Code(3) => {
            assert_eq!((ended.stdout.join(","), complaints), ("alive".into(), warnings), "{what}: {ended:?}")
        }
        Exit::Code(125 | 126) => assert_eq!((ended.stdout.len(), complaints - warnings), (0, 1), "{what}: {ended:?}"),
        _ => panic!("{what}: {ended:?}"),
    }
}

/// The payload of these tests has something to reap and something to stop, which holds no pipe of the test's.
const PAYLOAD: &str = "say alive, orphans 1, fork setsid close 1, close 2, wait, end, exit 3";

fn launch(scene: &Scene, target: Target) -> Launch<'_> {
    scene.supervise().forward_to(target).probe(PAYLOAD)
}

/// Not to be refused: what comes before supervise's own first instruction, and what no kernel refuses, a close and a
/// wait for a child. (An injected failure of close leaves the descriptor open, which the real one does not.)
const NOT_REFUSED: [&str; 6] = ["execve", "arch_prctl", "set_tid_address", "close", "wait4", "exit_group"];

/// The system calls of a whole run, each its name and the how manieth of that name it is: those up to the first sleep,
/// and those after it.
fn calls_made(target: Target) -> [Vec<(String, usize)>; 2] {
    let scene = Scene::new();
    let log = scene.folder().join("calls");
    let ended = launch(&scene, target).traced(&log, &[]).end();
    assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
    let calls = fs::read_to_string(log).expect("strace wrote it");
    let names = calls.lines().filter_map(|line| Some(line.split_once('(')?.0));
    let names = names.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    let mut counts = HashMap::new();
    let mut asleep = false;
    let mut made = [Vec::new(), Vec::new()];
    for name in names.filter(|name| !NOT_REFUSED.contains(name)) {
        let count = counts.entry(name).or_insert(0);
        *count += 1;
        made[usize::from(asleep)].push((name.to_owned(), *count));
        asleep |= name == "rt_sigtimedwait";
    }
    made
}

#[test]
fn no_single_refusal_at_the_start_breaks_it() {
    for target in [Target::Main, Target::Group] {
        let [calls, _] = calls_made(target);
        assert!(calls.len() > 5, "{calls:?}");
        for (name, at) in calls {
            for error in ["EPERM", "ENOSYS"] {
                let scene = Scene::new();
                let inject = format!("inject={name}:error={error}:when={at}");
                let log = scene.folder().join("log");
                let ended = launch(&scene, target).traced(&log, &["-e", &inject]).end();
                ran_or_says_why(&ended, &inject);
                // Only a subreaper finds what has lost its parent.
                if name != "prctl" {
                    let awaited = format!("nothing to be left after {inject}: {ended:?}");
                    scene.deadline.until(&awaited, || scene.marked().is_empty().then_some(()));
                }
            }
        }
    }
}

#[test]
fn no_single_refusal_at_the_end_breaks_it() {
    let [_, mut calls] = calls_made(Target::Main);
    // One of each name: the walk through /proc is as long as the machine is busy.
    calls.sort();
    calls.dedup_by_key(|(name, _)| name.clone());
    let scene = Scene::new();
    let refused = calls.into_iter().map(|(name, at)| {
        let inject = format!("inject={name}:error=EPERM:when={at}");
        let log = scene.folder().join(&name);
        (launch(&scene, Target::Main).traced(&log, &["-e", &inject]).spawn(), inject)
    });
    // Side by side: what cannot be told is killed in the end, which takes its time.
    let refused: Vec<_> = refused.collect();
    assert!(!refused.is_empty());
    for (init, inject) in refused {
        ran_or_says_why(&init.end(), &inject);
    }
    scene.deadline.until("nothing to be left", || scene.marked().is_empty().then_some(()));
}

#[test]
fn no_refusal_between_fork_and_exec_breaks_it() {
    // All that a child of supervise does before it is the payload; the first call of the payload may be hit too,
    // which it does not notice.
    for (target, call) in [
        (Target::Main, "rt_sigprocmask"),
        (Target::Main, "rt_sigaction"),
        (Target::Group, "setpgid"),
        (Target::Group, "rt_sigprocmask"),
        (Target::Group, "getpgid"),
        (Target::Group, "ioctl"),
    ] {
        for error in ["EPERM", "ENOSYS"] {
            let scene = Scene::new();
            let log = scene.folder().join("log");
            let inject = format!("inject={call}:error={error}:when=1");
            let entered = "ignore CHLD, block USR1";
            let traced = scene.supervise().forward_to(target).probe("say alive, exit 3");
            let ended = traced.traced(&log, &["-f", "-e", &inject]).entered_with(entered).end();
            if ended.exit != Exit::Code(97) {
                ran_or_says_why(&ended, &inject);
            }
        }
    }
}

#[test]
fn it_runs_on_a_kernel_that_lacks_what_is_newer() {
    // What a sandbox or an old kernel may lack for good.
    let lacking =
        ["prctl", "close_range", "madvise", "pwritev2", "pidfd_open", "pidfd_send_signal", "clone3", "openat2"];
    for call in lacking {
        for error in ["ENOSYS", "EPERM"] {
            let scene = Scene::new();
            let log = scene.folder().join("log");
            let options = ["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}")];
            let verbs = "say alive, orphans 1, read, exit 3";
            let launch = scene.supervise().options(&["-v"]).probe(verbs).traced(&log, &options);
            let ended = launch.entered_with("open 9 /dev/zero").end();
            assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(3), 1), "{call} {error}: {:?}", ended.stderr);
            assert!(ended.stderr.iter().any(|line| line.contains("started")), "{call} {error}: {:?}", ended.stderr);
        }
    }
}

#[test]
fn without_close_range_it_lets_go_of_descriptors_all_the_same() {
    let scene = Scene::new();
    let log = scene.folder().join("log");
    let options = ["-e", "trace=close_range", "-e", "inject=close_range:error=ENOSYS"];
    let launch = scene.supervise().traced(&log, &options).entered_with("open 9 /dev/zero, open 150 /dev/zero");
    let mut init = launch.probe("ready, wait").spawn();
    init.expect("ready");
    let pid = init.pid();
    scene.deadline.until("the init to close what it does not need", || {
        proc::descriptors(pid).iter().all(|(_, to)| to.to_str() != Some("/dev/zero")).then_some(())
    });
}

#[test]
fn without_pidfds_what_is_left_is_stopped_all_the_same() {
    for call in ["pidfd_open", "pidfd_send_signal"] {
        let scene = Scene::new();
        let log = scene.folder().join("log");
        let options = ["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error=ENOSYS")];
        let ended = launch(&scene, Target::Main).traced(&log, &options).end();
        assert_eq!(ended.exit, Exit::Code(3), "{call}: {:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn without_waiting_for_signals_it_still_ends_what_is_left() {
    let scene = Scene::new();
    let log = scene.folder().join("log");
    let refused = ["-e", "inject=rt_sigtimedwait:error=EPERM"];
    let launch = scene.supervise().traced(&log, &refused);
    let ended = launch.probe("ignore TERM, ignore HUP, fork setsid wait end, exit 3").end();
    assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("cannot wait for signals")), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn a_refused_fork_is_said_in_one_line() {
    let scene = Scene::new();
    for call in ["clone", "clone3", "fork", "vfork"] {
        let log = scene.folder().join("log");
        let inject = format!("inject={call}:error=EAGAIN");
        let ended = launch(&scene, Target::Main).traced(&log, &["-e", &inject]).end();
        ran_or_says_why(&ended, &inject);
        scene.nothing_is_left();
    }
}

#[test]
fn a_user_who_may_have_no_more_processes_is_told() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can become a user without processes");
    }
    let scene = Scene::new();
    // A user that nobody else is: the limit counts all processes of one.
    let user = format!("--reuid={}", 1_000_000 + std::process::id());
    let user = ["setpriv", &user, "--regid=64321", "--clear-groups", "prlimit", "--nproc=1:1"];
    let ended = scene.supervise().for_everybody().behind(&user).probe("exit 3").end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(125), 1), "{ended:?}");
    assert!(ended.stderr[0].starts_with("supervise: ") && ended.stderr[0].contains("cannot"), "{ended:?}");
}

#[test]
fn a_limit_that_leaves_no_descriptor_is_survived_or_said() {
    for limit in [0, 1, 2, 3, 4, 5] {
        for place in EVERYWHERE {
            let scene = Scene::new();
            let entered = format!("limit 7 {limit} {limit}");
            let ended = scene.supervise().place(place).entered_with(&entered).probe("say alive, exit 3").end();
            ran_or_says_why(&ended, &entered);
        }
    }
}

#[test]
fn a_working_directory_that_is_gone_is_no_reason_to_fail() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let folder = scene.folder().join("gone");
        fs::create_dir(&folder).expect("the folder is ours");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("it is ours");
        fs::set_permissions(scene.folder(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        let entered = format!("chdir {0}, rmdir {0}", folder.display());
        let ended = scene.supervise().place(place).entered_with(&entered).probe("say alive, exit 3").end();
        assert_eq!((ended.exit, ended.stderr), (Exit::Code(3), vec![]), "{place:?}");
    }
}

#[test]
fn a_command_sought_in_a_directory_that_is_gone_is_127() {
    let scene = Scene::new();
    let folder = scene.folder().join("gone");
    fs::create_dir(&folder).expect("the folder is ours");
    let entered = format!("chdir {0}, rmdir {0}", folder.display());
    let ended = scene.supervise().entered_with(&entered).argv(&["./command"]).end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(127), 1), "{ended:?}");
}

#[test]
fn a_working_directory_that_cannot_be_read_is_no_reason_to_fail() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root has folders that its other users cannot read");
    }
    let scene = Scene::new();
    let folder = scene.folder().join("private");
    fs::create_dir(&folder).expect("the folder is ours");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let launch = scene.supervise().place(Place::UserPid1).adjust(move |command| command.current_dir(folder));
    let ended = launch.probe("say alive, exit 3").end();
    assert_eq!((ended.exit, ended.stderr), (Exit::Code(3), vec![]));
}

/// An empty folder in the place of `/proc`, in a mount namespace of its own.
const WITHOUT_PROC: [&str; 6] = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];

#[test]
fn without_proc_process_1_stops_what_is_left() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    let launch = scene.supervise().place(Place::Pid1).behind(&WITHOUT_PROC).options(&["-v"]);
    let worker = "block TERM,CONT, fork setsid await TERM, await CONT, say told, end";
    let ended = launch.probe(&format!("{worker}, orphans 5, exit 3")).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(3), vec!["told".to_owned()]), "{:?}", ended.stderr);
}

#[test]
fn without_proc_a_subreaper_still_ends_with_mains_code() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    let launch = scene.supervise().behind(&WITHOUT_PROC);
    let mut init = launch.probe("fork setsid wait end, orphans 5, read, die INT").spawn();
    init.go();
    assert_eq!(init.wait(), Exit::Signal(2), "{}", init.said());
    let said = init.said();
    assert!(said.lines().all(|line| line.starts_with("supervise: warning: ")), "{said}");
}

#[test]
fn by_the_proc_of_another_namespace_nobody_is_signalled() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may make a namespace without a user's");
    }
    // Two namespaces: the outer keeps a mistake away from the machine, and has the /proc that the inner one sees,
    // with other numbers. The shell is process 1 inside, and supervise a subreaper.
    let scene = Scene::new();
    let inner = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "\"$@\"; echo code:$?", "sh"];
    let bystander = "fork report-until WINCH, end, fork report-until WINCH, end, read, default HUP";
    let launch = scene.supervise().place(Place::Pid1);
    let words = launch.probe("fork setsid wait end, read, exit 3").words();
    // The words begin with the outer namespace; the bystanders go right behind it.
    let at = words.iter().position(|word| word == "--mount-proc").expect("it makes a namespace") + 1;
    let mut command = scene.command(&words[0]);
    command.args(&words[1..at]).arg(harness::probe()).args(harness::words(bystander)).args(["exec", "--"]);
    command.args(inner).args(&words[at..]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut outer = harness::running::Running::start(&scene, command, 1, std::path::Path::new("unshare"));
    outer.expect("ready");
    outer.expect("ready");
    outer.go();
    outer.go();
    outer.expect("code:3");
}
