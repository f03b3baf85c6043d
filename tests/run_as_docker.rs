//! What people expect of a container because docker does it: what a user can open, ping and listen on, and how programs
//! know where they are.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, root, script};
use harness::running::refused;
use harness::{Exit, Scene};

#[test]
fn a_user_can_open_the_standard_streams_by_their_names() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let words = "echo out >/dev/stdout && echo err >/dev/stderr && id -u";
    let ended = script(&scene, &["--user", "1000"], &root, words);
    ends(&ended, 0, &["out", "1000"]);
    assert!(ended.stderr.iter().any(|line| line == "err"), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn what_a_user_is_given_stays_its_makers() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let [file, fifo] = ["file", "fifo"].map(|name| scene.folder().join(name));
    fs::write(&file, "").expect("the folder is ours");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::empty()).expect("the folder is ours");
    for path in [&file, &fifo] {
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
    }
    let open = |path| fs::File::options().read(true).write(true).open(path).expect("it is ours");
    let mut run = contained::command(&scene, &["--user", "1000"], &root, &["sh", "-c", "echo x >/dev/stdout"]);
    run.stdin(open(&fifo)).stdout(open(&file)).stderr(Stdio::piped());
    let output = run.output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("ermission denied"), "{output:?}");
    for path in [&file, &fifo] {
        let metadata = fs::metadata(path).expect("it is there");
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o600, 0), "{}", path.display());
    }
    assert!(fs::metadata(&fifo).expect("it is there").file_type().is_fifo());
    // A pipe can be opened by all who have it, and is its maker's as before.
    let ended = script(&scene, &["--user", "1000"], &root, "stat -L -c '%a %u' /proc/self/fd/1");
    ends(&ended, 0, &["666 0"]);
    let ended = script(&scene, &[], &root, "stat -L -c '%a %u' /proc/self/fd/1");
    ends(&ended, 0, &["600 0"]);
}

#[test]
fn programs_can_tell_that_it_is_a_container() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let look = "systemd-detect-virt; systemd-detect-virt --container; cat /run/host/container-manager; echo $container";
    let ended = script(&scene, &[], &root, look);
    ends(&ended, 0, &["container-other", "container-other", "supervise", "supervise"]);
    // A user who is not root sees it too.
    let ended = script(&scene, &["--user", "1000"], &root, "systemd-detect-virt");
    ends(&ended, 0, &["container-other"]);
    // What is the host's is not written to.
    let own = scene.folder().join("run");
    fs::create_dir_all(own.join("supervise/bin")).expect("the folder is ours");
    let bind = format!("{}:/run/host", own.display());
    let ended = script(&scene, &["--bind", &bind], &root, "ls /run/host");
    ends(&ended, 0, &["supervise"]);
}

#[test]
fn a_user_can_ping_and_serve_every_port_of_a_network_of_its_own() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let files = ["ping_group_range", "ip_unprivileged_port_start"];
    let [range, start] =
        files.map(|name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("it is there"));
    let read = "cd /proc/sys/net/ipv4 && cat ping_group_range ip_unprivileged_port_start";
    for options in [&[][..], &["--net", "none"], &["--user-ns"]] {
        let ended = script(&scene, options, &root, read);
        ends(&ended, 0, &["0\t2147483647", "0"]);
    }
    let ended = script(&scene, &["--net", "host"], &root, read);
    ends(&ended, 0, &[range.trim_end(), start.trim_end()]);
    // What ping opens where it has no rights.
    let open = "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM, s.IPPROTO_ICMP); print('opened')";
    let ended = contained::start(&scene, &["--user", "1000"], Path::new("/"), &["python3", "-c", open]).end();
    ends(&ended, 0, &["opened"]);
    let words = "nc -l -p 80 -e echo served </dev/null & until nc 127.0.0.1 80 </dev/null 2>/dev/null; do :; done";
    ends(&script(&scene, &["--user", "1000"], &root, words), 0, &["served"]);
    for (name, before) in files.iter().zip([range, start]) {
        let after = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("it is there");
        assert_eq!(after, before, "{name} of the host");
    }
}

#[test]
fn a_file_system_in_memory_is_as_it_is_asked_for() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let look = "stat -c %a /mnt; df -k /mnt | awk 'END { print $2 }'; cp /bin/busybox /mnt/echo; /mnt/echo ran";
    let ended = script(&scene, &["--tmpfs", "/mnt:rw,size=4m,mode=750"], &root, look);
    ends(&ended, 0, &["750", "4096", "ran"]);
    let ended = script(&scene, &["--tmpfs", "/mnt:size=8192k,noexec"], &root, look);
    ends(&ended, 126, &["1777", "8192"]);
}

#[test]
fn a_directory_that_is_no_root_filesystem_is_told_so() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let above = root.parent().expect("it is in a folder");
    let meant = format!("did you mean {}?", root.display());
    for words in [&["true"][..], &["/bin/sh", "-c", "true"]] {
        let run = contained::command(&scene, &[], above, words);
        let told = [&format!("{} is no root filesystem", above.display()), meant.as_str()];
        refused(&contained::begin(&scene, contained::in_a_room(&scene, &run)).end(), &told);
    }
    let empty = scene.folder().join("empty");
    fs::create_dir(&empty).expect("the folder is ours");
    let run = contained::command(&scene, &[], &empty, &["true"]);
    let told = [&format!("{} is no root filesystem", empty.display()), "debootstrap"];
    refused(&contained::begin(&scene, run).end(), &told);
    // A command that is missing from a root filesystem, and one that is there though nothing else is.
    let ended = contained::start(&scene, &[], &root, &["no-such-command"]).end();
    harness::running::refused_with(&ended, 127, &["no-such-command"]);
    let ended = contained::start_probe(&scene, &[], &empty, "exit 7").end();
    assert_eq!(ended.exit, Exit::Code(7), "{ended:?}");
    scene.nothing_is_left();
}
