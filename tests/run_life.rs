//! The life of a container: how it starts, what signals do, and how it ends.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;

use harness::contained::{self, BOOKWORM, BUSYBOX, TRIXIE, ends, root, script};
use harness::{Exit, Scene, proc, send};

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGUSR1: i32 = 10;
const SIGTERM: i32 = 15;

#[test]
fn the_code_is_the_commands() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    for (command, code, said) in [
        (&["sh", "-c", "exit 0"][..], 0, ""),
        (&["sh", "-c", "exit 7"], 7, ""),
        (&["sh", "-c", "exit 255"], 255, ""),
        // As for docker, and for a process 1 everywhere: 128 and the signal.
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        // It would be a reboot if process 1 had ended by it.
        (&["sh", "-c", "kill -HUP $$"], 129, ""),
        (&["no-such-program"], 127, "not found in PATH"),
        (&["/etc/passwd"], 126, "no permission to execute it"),
        (&["/mnt"], 126, "directory"),
        (&["/no/such/file"], 127, "no such file"),
    ] {
        let ended = contained::start(&scene, &[], &root, command).end();
        assert_eq!(ended.exit, Exit::Code(code), "{command:?}: {ended:?}");
        let is_said = if said.is_empty() { ended.stderr.is_empty() } else { ended.stderr[0].contains(said) };
        assert!(is_said && ended.stderr.len() <= 1, "{command:?}: {ended:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn the_hostname_is_twelve_digits_and_another_one_each_time() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let names = [(); 2].map(|()| {
        let ended = script(&scene, &[], &root, "hostname; grep -c \"$(hostname)\" /etc/hosts");
        ends(&ended, 0, &[&ended.stdout[0], "1"]);
        ended.stdout[0].clone()
    });
    assert!(
        names.iter().all(|name| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{names:?}"
    );
    assert_ne!(names[0], names[1]);
}

#[test]
fn without_a_command_the_shell_of_the_image_runs() {
    for (name, shell) in [(BOOKWORM, "/bin/bash"), (BUSYBOX, "/bin/sh")] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        let mut run = contained::command(&scene, &[], &root, &[]);
        // Nothing at all behind the root.
        run.stdin(std::process::Stdio::piped());
        let mut shell_runs = contained::begin(&scene, run);
        shell_runs.close_stdin();
        assert_eq!(shell_runs.end().exit, Exit::Code(0));
        let plan = contained::command(&scene, &["--dry-run"], &root, &[]).output().expect("it runs");
        assert!(
            String::from_utf8_lossy(&plan.stdout).contains(" --stop-signal=HUP:1s,HUP -- /bin/bash or /bin/sh"),
            "{plan:?}"
        );
        let mut run = contained::command(&scene, &[], &root, &[]);
        let fed = scene.folder().join(name);
        std::fs::write(&fed, "echo $0; readlink /proc/$$/exe\n").expect("the folder is ours");
        let output = run.stdin(std::fs::File::open(&fed).expect("it was written")).output().expect("it runs");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(shell), "{output:?}");
    }
}

#[test]
fn signals_reach_the_command_and_none_is_lost() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let verbs = "block HUP, block USR1, block INT, block RTMIN+1, block TERM, report-until TERM, exit 42";
    let mut run = contained::start_probe(&scene, &[], &root, verbs);
    run.expect("ready");
    for signal in [SIGHUP, SIGUSR1, SIGINT, 35] {
        run.signal(signal);
        let line = run.line();
        assert!(line.starts_with(&format!("got {signal} from ")), "{line}");
    }
    run.signal(SIGTERM);
    assert_eq!(run.wait(), Exit::Code(42));
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_comes_before_process_1_is_there_is_not_lost() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    // From the first moment that it exists; a process 1 that has not begun to listen would ignore it.
    for _ in 0..20 {
        let mut run = contained::start(&scene, &[], &root, &["sleep", "1000"]);
        let outer = run.outer_pid();
        scene.deadline.until("its process 1", || proc::children(outer).first().copied());
        send(outer, SIGTERM, 1);
        assert_eq!(run.wait(), Exit::Code(143));
    }
    scene.nothing_is_left();
}

#[test]
fn a_plain_program_ends_by_sigterm() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut run = contained::start_probe(&scene, &[], &root, "ready, wait");
    run.expect("ready");
    run.signal(SIGTERM);
    assert_eq!(run.wait(), Exit::Code(143));
    scene.nothing_is_left();
}

#[test]
fn the_container_dies_with_its_monitor() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut run = contained::start_probe(&scene, &[], &root, "ignore TERM, daemon, ignore HUP, wait, end, ready, wait");
    run.expect("ready");
    assert!(scene.marked().len() >= 3, "process 1, main and what it left");
    send(run.outer_pid(), SIGKILL, 1);
    assert_eq!(run.wait(), Exit::Signal(SIGKILL));
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
}

#[test]
fn what_main_leaves_behind_is_stopped_and_no_zombie_stays() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut run = contained::start_probe(&scene, &[], &root, "daemon, ready, wait, end, orphans 5, read, exit 3");
    run.expect("ready");
    let init = *proc::children(run.outer_pid()).first().expect("its process 1");
    // Main, and what it left.
    scene.deadline.until("the orphans to be reaped", || (proc::children(init).len() == 2).then_some(()));
    run.go();
    assert_eq!(run.wait(), Exit::Code(3));
    scene.nothing_is_left();
}

#[test]
fn shutdown_clients_of_every_distribution_work() {
    for name in [BOOKWORM, TRIXIE, BUSYBOX, "bookworm-sysvinit"] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        for client in
            ["/sbin/poweroff", "/sbin/halt", "shutdown --halt now", "shutdown -h now", "telinit 0", "/sbin/poweroff -f"]
        {
            let ended = script(&scene, &[], &root, &format!("{client}; exec sleep 1000"));
            let expected = if client == "/sbin/poweroff -f" { 137 } else { 0 };
            assert_eq!(ended.exit, Exit::Code(expected), "{name}: {client}: {ended:?}");
        }
        scene.nothing_is_left();
    }
}

#[test]
fn a_reboot_sets_it_up_again() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let upper = scene.folder().join("upper");
    let keep = ["--upper", upper.to_str().expect("it is text")];
    // What it kept tells the second time from the first; what is in /run and its name are new.
    let life = "hostname; test -e /kept && exec ls -A /run; touch /kept /run/lost; /sbin/reboot; exec sleep 1000";
    let ended = script(&scene, &keep, &root, life);
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    assert_eq!(ended.stdout[0], ended.stdout[1], "its name stays");
    assert!(!ended.stdout.contains(&"lost".to_owned()), "{ended:?}");
    // Not a reboot: what ends with the same code.
    let ended = script(&scene, &[], &root, "exit 129");
    assert_eq!(ended.exit, Exit::Code(129));
    let ended = script(&scene, &["--on-reboot", "exit"], &root, "/sbin/reboot; exec sleep 1000");
    assert_eq!(ended.exit, Exit::Code(129), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn reboot_2_is_understood_where_it_is_allowed() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let upper = scene.folder().join("upper");
    let options = ["--cap-add", "sys_boot", "--upper", upper.to_str().expect("it is text")];
    let life = "test -e /kept && exit 5; touch /kept; busybox reboot -f; exec sleep 1000";
    assert_eq!(script(&scene, &options, &root, life).exit, Exit::Code(5));
    assert_eq!(script(&scene, &options[..2], &root, "busybox poweroff -f; exec sleep 1000").exit, Exit::Code(0));
    let ended = script(&scene, &[], &root, "busybox poweroff -f; exit 9");
    assert_eq!(ended.exit, Exit::Code(9), "without the capability nothing happens: {ended:?}");
    scene.nothing_is_left();
}

#[test]
fn the_options_of_the_init_work_inside() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let options = ["--user", "games", "--workdir", "/usr", "--env", "A=1", "--umask", "027", "--exit-map", "3=4"];
    let ended = script(&scene, &options, &root, "id -un; pwd; echo $A $HOME; umask; exit 3");
    ends(&ended, 4, &["games", "/usr", "1 /usr/games", "0027"]);
    let mut run = contained::command(&scene, &[], &root, &["sh", "-c", "echo $SUPERVISE_EXIT_MAP; exit 3"]);
    let output = run.env("SUPERVISE_EXIT_MAP", "3=5").output().expect("it runs");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(5), &b"\n"[..]), "{output:?}");
    let ended = script(&scene, &["--max-time", "1ms"], &root, "exec sleep 1000");
    assert_eq!(ended.exit, Exit::Code(143), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn what_is_wrong_is_said_in_a_line_and_nothing_is_left() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let file = scene.folder().join("file");
    std::fs::write(&file, "").expect("the folder is ours");
    let nowhere = Path::new("/nonexistent/root");
    for (options, root, words) in [
        (&[][..], nowhere, &["cannot open the root filesystem", "/nonexistent/root: no such file"][..]),
        (&[], &file, &["cannot open the root filesystem", "not a directory"]),
        (&["--bind", "/nonexistent/source:/mnt"], &root, &["/nonexistent/source: no such file"]),
        (&["--bind", "/etc:/bin/sh/x"], &root, &["cannot bind /etc to /bin/sh/x", "not a directory"]),
        (
            &["--upper", "/nonexistent/upper"],
            &root,
            &["cannot keep what is written in /nonexistent/upper", "no such file"],
        ),
        // One that nobody else can enter, which would be another line.
        (
            &["--upper", "/proc/tty/driver"],
            &root,
            &["cannot open the root filesystem: for --upper, /proc/tty/driver/work: no such file"],
        ),
        (&["--grace", "x"], &root, &["--grace x"]),
        (&["--bind", "/etc"], &root, &["--bind /etc: it is SRC:DST"]),
        (&["--bind", "/etc:/"], &root, &["--bind /etc:/: nothing would be left of ROOTFS; say SRC as ROOTFS"]),
        (&["--tmpfs", "mnt"], &root, &["--tmpfs mnt: it is a directory"]),
        (&["--tmpfs", "/mnt:size=lots"], &root, &["--tmpfs /mnt:size=lots: it is a directory", "size=64M"]),
        (&["--net", "hots"], &root, &["did you mean host?"]),
        (&["--hostname", "a b"], &root, &["--hostname a b"]),
        (&["--writable", "--read-only"], &root, &["--writable with --read-only"]),
        (&["--writeable"], &root, &["did you mean --writable?"]),
        (&["--cap-add", "sysadmin"], &root, &["did you mean sys_admin?"]),
    ] {
        let run = contained::command(&scene, options, root, &["true"]);
        let ended = contained::begin(&scene, contained::in_a_room(&scene, &run)).end();
        harness::running::refused(&ended, words);
    }
    let mut run = scene.command(harness::launch::Init::Supervise.path().expect("cargo built it"));
    let output = run.args(["run", "/", "ls"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("supervise run ROOTFS -- ls"), "{output:?}");
    scene.nothing_is_left();
}

#[test]
fn what_this_kernel_cannot_run_is_said_before_anything_runs() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let folder = scene.folder();
    // The header of a program for s390x; a script of an interpreter that is not there; a program without its loader.
    let mut foreign = std::fs::read(root.join("bin/busybox")).expect("it is there")[..4096].to_vec();
    foreign[5] = 2;
    foreign[16..20].copy_from_slice(&[0, 2, 0, 22]);
    scene.executable("foreign", &foreign);
    scene.executable("script", b"#!/usr/bin/no-such-python\n");
    scene.executable("dynamic", &std::fs::read("/usr/bin/env").expect("it is there"));
    let bind = format!("{}:/mnt", folder.display());
    for (command, code, words) in [
        ("/mnt/foreign", 126, &["/mnt/foreign", "no emulator is registered"][..]),
        ("/mnt/script", 127, &["/mnt/script", "/usr/bin/no-such-python"]),
        ("/mnt/dynamic", 127, &["/mnt/dynamic", "ld-linux"]),
    ] {
        let ended = contained::start(&scene, &["--bind", &bind], &root, &[command]).end();
        harness::running::refused_with(&ended, code, words);
    }
    scene.nothing_is_left();
}
