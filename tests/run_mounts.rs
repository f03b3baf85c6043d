//! What is mounted in a container, attacked by its root, by an image's author, and by who owns the directory of `--upper`.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, own_root, root, script};
use harness::launch::Init;
use harness::running::refused;
use harness::terminal::Terminal;
use harness::{Exit, MARK, Scene};

fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it can be read").map(|entry| entry.expect("it can be read"));
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// That run, behind a shell's words in a mount namespace of its own.
fn behind(scene: &Scene, words: &str, run: &Command) -> Output {
    let mut outer = scene.command("unshare");
    outer.args(["--mount", "sh", "-c", &format!("{words} && exec \"$@\""), "-"]);
    outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
    outer.output().expect("it runs")
}

// The mode and the owner are those that they have: on a machine where the attack succeeds, it changes nothing but times.
const TOUCH: &str = "for node in /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; do
        chmod 666 $node 2>/dev/null && echo got in: changed the mode of $node
        chown 0:0 $node 2>/dev/null && echo got in: changed the owner of $node
        touch $node 2>/dev/null && echo got in: touched $node
    done
    touch /proc/keys 2>/dev/null && echo got in: touched /proc/keys";

#[test]
fn the_device_nodes_of_the_host_stay_as_they_are() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let attack = format!(
        "{TOUCH}
        mount -o remount,bind,rw /dev/null 2>/dev/null && echo got in: remounted
        {TOUCH}
        echo x >/dev/null && head -c 1 /dev/zero | wc -c; echo x 2>/dev/null >/dev/full || echo done"
    );
    let ended = script(&scene, &[], &root, &attack);
    ends(&ended, 0, &["1", "done"]);
    // Where the kernel lacks the call that restricts mounts, it holds as well.
    let run = contained::command(&scene, &[], &root, &["sh", "-c", &attack]);
    let output = without_mount_setattr(&scene, &run);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\ndone\n", "{output:?}");
}

fn without_mount_setattr(scene: &Scene, run: &Command) -> Output {
    let mut outer = scene.command("strace");
    outer.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=mount_setattr:error=ENOSYS"]);
    outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
    contained::in_a_room(scene, &outer).output().expect("strace runs")
}

#[test]
fn the_terminal_of_the_host_stays_as_it_is() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    let mut terminal = Terminal::open(&scene);
    let mut outer = terminal.shell(&scene);
    let attack = "chmod 640 /dev/console 2>/dev/null && echo got in; echo end:$((40+2))";
    terminal.press(&format!(
        "SUPERVISE_REQUESTS=on {} run --env {MARK} {} -- sh -c '{attack}'\n",
        supervise.display(),
        root.display()
    ));
    let said = terminal.screen.up_to("end:42\r");
    assert!(!said.contains("got in\r"), "{said}");
    terminal.press("exit\n");
    assert_eq!(outer.wait(), Exit::Code(0));
}

#[test]
fn upper_is_not_followed_as_a_link() {
    let Some(root) = root(BUSYBOX) else { return };
    for name in ["upper", "work"] {
        let scene = Scene::new();
        let (kept, outside) = (scene.folder().join("kept"), scene.folder().join("outside"));
        fs::create_dir(&kept).expect("the folder is ours");
        fs::create_dir(&outside).expect("the folder is ours");
        chown(&kept, Some(1000), Some(1000)).expect("we are root");
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o700)).expect("it is ours");
        symlink(&outside, kept.join(name)).expect("we are root");
        let ended = script(&scene, &["--upper", text(&kept)], &root, "echo x >/file");
        refused(&ended, &[text(&kept.join(name)), "is a symbolic link"]);
        assert_eq!(names(&outside), [""; 0], "{name}: something was made outside");
        assert_eq!(names(&kept), [name], "what this run made is gone");
    }
}

#[test]
fn what_is_kept_is_not_for_other_users() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let ended = script(&scene, &["--upper", text(&kept)], &root, "cp /bin/busybox /tool && chmod 4755 /tool");
    assert!(ended.exit == Exit::Code(0) && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!((mode(&kept), mode(&kept.join("upper/tool"))), (0o700, 0o4755));
    // A directory that is there is somebody's, and stays as it is.
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o711)).expect("it is ours");
    let ended = script(&scene, &["--upper", text(&kept)], &root, "true");
    let words = ["supervise: warning: ", text(&kept), "chmod 700"];
    assert!(
        ended.stderr.len() == 1 && words.iter().all(|word| ended.stderr[0].contains(word)) && mode(&kept) == 0o711,
        "{ended:?}"
    );
}

#[test]
fn a_run_that_fails_leaves_no_directories() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let bind = format!("{}:/mnt", scene.folder().join("missing").display());
    let missing = scene.folder().join("none");
    for (options, root, why) in [
        (&["--bind", &bind][..], root.as_path(), "missing: no such file"),
        (&[], &missing, "none: no such file"),
        // It is found out last of all.
        (&["--bind", "/etc:/proc/new"], &root, "/proc/new"),
    ] {
        let options = [options, &["--upper", text(&kept)]].concat();
        refused(&script(&scene, &options, root, "true"), &[why]);
        assert!(!kept.exists(), "{why}: {:?} is left", names(&kept));
    }
    // What was there before stays.
    fs::create_dir(&kept).expect("the folder is ours");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o700)).expect("it is ours");
    fs::write(kept.join("mine"), "").expect("the folder is ours");
    refused(&script(&scene, &["--bind", "/etc:/proc/new", "--upper", text(&kept)], &root, "true"), &["/proc/new"]);
    assert_eq!(names(&kept), ["mine"]);
}

#[test]
fn a_command_that_ends_as_a_failure_of_ours_does_keeps_what_was_made() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let keep = ["--upper", text(&kept)];
    for code in [125, 127] {
        assert_eq!(script(&scene, &keep, &root, &format!("exit {code}")).exit, Exit::Code(code));
        assert_eq!(names(&kept), ["upper", "work"], "the container was made");
        fs::remove_dir_all(&kept).expect("it is ours");
    }
    // Here none was: the command cannot run.
    for (command, code) in [("/no/such/file", 127), ("/etc/passwd", 126)] {
        let ended = contained::start(&scene, &keep, &root, &[command]).end();
        assert_eq!(ended.exit, Exit::Code(code), "{ended:?}");
        assert!(!kept.exists(), "{command}: {:?} is left", names(&kept));
    }
}

#[test]
fn upper_is_not_in_the_root_filesystem() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "mkdir -p kept/upper") else { return };
    let before = names(&own);
    let link = scene.folder().join("link");
    symlink(&own, &link).expect("the folder is ours");
    for (upper, root) in [
        (own.join("new"), own.clone()),
        (own.join("kept"), own.clone()),
        (own.clone(), own.clone()),
        (link.join("new"), own.clone()),
        (own.join("kept"), own.join("kept/upper")),
    ] {
        let ended = script(&scene, &["--upper", text(&upper)], &root, "true");
        refused(&ended, &[text(&upper), "take a directory beside it"]);
        assert_eq!(names(&own), before);
    }
    // A root filesystem beside what is kept is none of it.
    let ended = script(&scene, &["--upper", text(scene.folder())], &own, "true");
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
}

#[test]
fn read_only_holds_below_a_bind_on_an_older_kernel() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let shared = scene.folder().join("shared");
    fs::create_dir_all(shared.join("m/with blank")).expect("the folder is ours");
    let bind = format!("{}:/x:ro", shared.display());
    let words = ["sh", "-c", "ls /x/m /x/m/*; echo x >/x/y; echo x >/x/m/y; echo x >'/x/m/with blank/y'; ls /x/m"];
    let run = contained::command(&scene, &["--bind", &bind], &root, &words);
    let mut outer = scene.command("strace");
    outer.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=mount_setattr:error=ENOSYS"]);
    outer.arg(run.get_program()).args(run.get_args());
    let mounts = format!(
        "cd {} && mount -t tmpfs tmpfs m && mkdir 'm/with blank' && mount -t tmpfs tmpfs 'm/with blank' && \
         touch 'm/with blank/seen'",
        shared.display()
    );
    let output = behind(&scene, &mounts, &outer);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "/x/m:\nwith blank\n\n/x/m/with blank:\nseen\nwith blank\n", "{output:?}");
    assert!(!shared.join("y").exists());
}

#[test]
fn with_the_network_of_the_host_sys_shows_no_more_of_it() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let attack = "
        while read -r device place kind options rest; do
            case $place in /sys | /sys/*) ;; *) continue ;; esac
            case $kind in tmpfs) [ -z \"$(ls -A $place)\" ] && continue ;; esac
            for option in ro nosuid nodev noexec; do
                case ,$options, in *,$option,*) ;; *) echo got in: $place lacks $option ;; esac
            done
        done </proc/self/mounts
        for place in fs/cgroup fs/bpf kernel/debug kernel/tracing kernel/security kernel/config; do
            [ -z \"$(ls -A /sys/$place 2>/dev/null)\" ] || echo got in: /sys/$place
        done
        ls -d /sys/class/net/lo; echo done";
    let options = ["--net", "host", "--user-ns"];
    ends(&script(&scene, &options, &root, attack), 0, &["/sys/class/net/lo", "done"]);
    let run = contained::as_user(&scene, &[], &options[..2], &root, &["sh", "-c", attack]);
    ends(&contained::begin(&scene, run).end(), 0, &["/sys/class/net/lo", "done"]);
}

#[test]
fn nothing_is_put_into_what_is_bound() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "mkdir -p var; rm -rf var/run; ln -s ../run var/run") else { return };
    let shared = scene.folder().join("shared");
    fs::create_dir(&shared).expect("the folder is ours");
    fs::write(shared.join("hosts"), "theirs\n").expect("the folder is ours");
    for (place, code) in [("/dev", 0), ("/etc", 0), ("/run", 125), ("/var/run", 125)] {
        for ro in ["", ":ro"] {
            let bind = format!("{}:{place}{ro}", shared.display());
            let ended = script(&scene, &["--bind", &bind], &own, "echo alive");
            assert_eq!(ended.exit, Exit::Code(code), "{place}{ro}: {ended:?}");
            assert!(code == 0 || ended.stderr[0].contains("bind what is needed of it"), "{place}{ro}: {ended:?}");
            assert_eq!(names(&shared), ["hosts"], "{place}{ro}");
            assert_eq!(fs::read_to_string(shared.join("hosts")).expect("it is there"), "theirs\n");
        }
    }
}

#[test]
fn read_only_holds_for_the_files_of_etc() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let tries =
        "for file in hosts hostname resolv.conf; do echo x 2>/dev/null >>/etc/$file && echo got in; done; echo done";
    for options in [&["--net", "host", "--read-only"][..], &["--net", "host", "--read-only", "--user-ns"]] {
        ends(&script(&scene, options, &root, tries), 0, &["done"]);
    }
    ends(&script(&scene, &[], &root, "echo '127.0.0.2 more' >>/etc/hosts && echo done"), 0, &["done"]);
}

#[test]
fn a_client_that_is_a_directory_is_left_alone() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "rm -f sbin/reboot; mkdir -p sbin/reboot/x") else { return };
    ends(&script(&scene, &[], &own, "ls /sbin/reboot; /sbin/poweroff; exec sleep 1000"), 0, &["x"]);
}

#[test]
fn clients_cannot_be_written_to_where_supervise_is_a_copy() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let attack = "for file in /sbin/poweroff /sbin/init /run/supervise/bin/supervise; do
            ( : >>$file ) 2>/dev/null && echo got in by $file; chmod 777 $file 2>/dev/null && echo got in: mode of $file
        done; cmp /run/supervise/bin/supervise /sbin/poweroff && echo done";
    // Without an overlay of its own it is copied; the root filesystem is bound.
    let Some(own) = own_root(&scene, "own", "true") else { return };
    drop(root);
    let run = contained::command(&scene, &["--writable", "-v"], &own, &["sh", "-c", attack]);
    let mut outer = scene.command("strace");
    outer.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=readlink,readlinkat:error=ENOSYS"]);
    outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
    let output = outer.output().expect("strace runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is copied"), "{output:?}");
}

#[test]
fn a_mount_in_the_root_filesystem_is_why_a_user_cannot_have_it() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "true") else { return };
    let mount = format!("mount -t tmpfs tmpfs {}/proc", own.display());
    let run = contained::command(&scene, &["--user-ns"], &own, &["true"]);
    let output = behind(&scene, &mount, &run);
    let said = String::from_utf8_lossy(&output.stderr);
    let words = ["/proc is mounted in it", "unmount it", "--writable"];
    assert!(output.status.code() == Some(125) && words.iter().all(|word| said.contains(word)), "{output:?}");
    let run = contained::command(&scene, &["--user-ns", "--writable"], &own, &["echo", "alive"]);
    assert_eq!(behind(&scene, &mount, &run).stdout, b"alive\n");
}
