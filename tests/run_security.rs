//! What a container must not let out, each attacked as it would be: with the rights of its root.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, own_root, root, script, script_in_a_room};
use harness::running::Ended;
use harness::{Deadline, Exit, Scene, proc};

/// Requires that each attempt was refused: the script says `got in` where one was not.
#[track_caller]
fn is_held(ended: &Ended) {
    assert!(!ended.stdout.iter().any(|line| line.contains("got in")), "{ended:?}");
    assert_eq!(ended.stdout.last().map(String::as_str), Some("done"), "{ended:?}");
}

#[test]
fn the_file_of_process_1_cannot_be_written_to() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let file = harness::launch::Init::Supervise.path().expect("cargo built it");
    let before = fs::metadata(&file).expect("it is there").modified().expect("it has a time");
    // CVE-2019-5736: by /proc/1/exe, by our own where we are executed from it, by its descriptor, also after remounting.
    let attack = "
        try() { ( : >>\"$1\" ) 2>/dev/null && echo got in by $1; }
        try /proc/1/exe
        mount -o remount,rw /run/supervise/bin/supervise 2>/dev/null; mount -o remount,bind,rw /sbin/init 2>/dev/null
        try /proc/1/exe; try /run/supervise/bin/supervise; try /sbin/poweroff
        exec 9</run/supervise/bin/supervise; try /proc/self/fd/9
        /run/supervise/bin/supervise -- sleep 1000 & try /proc/$!/exe; kill $!
        perl -e 'open(F, \"+<\", \"/proc/1/exe\") and print \"got in by perl\n\"'
        unshare --user --map-root-user --mount sh -c 'mount -o remount,bind,rw /run/supervise/bin/supervise && : >>/run/supervise/bin/supervise' 2>/dev/null && echo got in by a user namespace
        chmod 777 /run/supervise/bin/supervise 2>/dev/null && echo got in by its mode
        cp /run/supervise/bin/supervise /tmp/copy && cmp /tmp/copy /sbin/poweroff && echo done";
    for options in [&[][..], &["--seccomp", "none", "--new-privs"], &["--cap-add", "ALL"]] {
        is_held(&script(&scene, options, &root, attack));
    }
    assert_eq!(fs::metadata(&file).expect("it is there").modified().expect("it has a time"), before);
}

#[test]
fn no_file_inside_is_a_way_to_the_file_system_of_the_host() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    // open_by_handle_at(2) takes any file of a file system for the way to all others of it. The handle is that of the root
    // directory in ext4 (inode 2 of generation 0); the file system of the copy would be the host's.
    let attack = "
        for file in /run/supervise/bin/supervise /sbin/poweroff /proc/1/exe /etc/hosts /etc/hostname; do
            perl -e 'open(F, \"<\", $ARGV[0]) or exit;
                my $handle = pack(\"LlLL\", 8, 1, 2, 0);
                syscall(304, fileno(F), $handle, 0) >= 0 and print \"got in by $ARGV[0]\n\"' $file
        done
        echo done";
    for options in [&["--cap-add", "dac_read_search"][..], &["--cap-add", "ALL", "--seccomp", "none"]] {
        is_held(&script(&scene, options, &root, attack));
    }
}

#[test]
fn nothing_of_the_host_is_open_inside() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let mut run = contained::command(
        &scene,
        &[],
        &root,
        &[
            "sh",
            "-c",
            "
        ls -l /proc/self/fd /proc/1/fd | sed -n 's/.* -> //p' | sort -u
        ls -l /proc/1/cwd /proc/self/cwd /proc/1/root /proc/self/root | sed -n 's/.* -> //p'
        tr '\\0' '\\n' </proc/1/environ; env
        ls /proc/1/fd/3/../../../../root/.bashrc >/dev/null 2>&1; echo done",
        ],
    );
    // CVE-2024-21626: a directory of the host, open and where we are.
    run.env("SECRET", "of the host").current_dir("/var/cache").stdin(std::process::Stdio::null());
    let mut outer = scene.command("sh");
    outer
        .args(["-c", "exec 7</etc 8</etc/shadow 9>/dev/null; exec \"$@\"", "-"])
        .arg(run.get_program())
        .args(run.get_args());
    let output = outer.env("SECRET", "of the host").env_remove("SUPERVISE_REQUESTS").current_dir("/var/cache").output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let known = |line: &str| {
        let streams = ["pipe:", "socket:", "/dev/null", "/run", "/proc/"];
        let variables =
            ["PATH=", "HOME=/root", "TERM=", "container=supervise", "PWD=/", "OLDPWD=", "SHLVL=", "_=", harness::MARK];
        line == "/" || line == "done" || streams.iter().chain(&variables).any(|begin| line.starts_with(begin))
    };
    let unknown: Vec<&str> = said.lines().filter(|line| !known(line)).collect();
    assert!(unknown.is_empty() && said.ends_with("done\n"), "{unknown:?} of {output:?}");
    scene.nothing_is_left();
}

#[test]
fn no_key_of_the_caller_is_inside() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    // keyctl(2): request a key "user" of that name, as the caller has it in its session keyring.
    let ask = "perl -e 'my ($t, $d) = (\"user\", \"supervise-test\"); my $k = syscall(249, $t, $d, 0, 0); print $k > 0 ? \"got in\n\" : \"none\n\"'";
    let give = "perl -e 'syscall(250, 1, 0); my ($t, $d, $p) = (\"user\", \"supervise-test\", \"secret\"); syscall(248, $t, $d, $p, 6, -3) > 0 or die; exec @ARGV or die' --";
    let direct = scene.command("sh").args(["-c", &format!("{give} sh -c \"$1\""), "-", ask]).output().expect("it runs");
    if direct.stdout != b"got in\n" {
        return harness::skip("there are no keys here");
    }
    let run = contained::command(&scene, &[], &root, &["sh", "-c", &format!("{ask}; echo done")]);
    let mut outer = scene.command("sh");
    outer.args(["-c", &format!("{give} \"$@\""), "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "none\ndone\n", "{output:?}");
}

#[test]
fn links_of_the_image_lead_nowhere_outside() {
    let scene = Scene::new();
    let outside = scene.folder().join("outside");
    fs::create_dir(&outside).expect("the folder is ours");
    let names = || -> BTreeSet<_> {
        fs::read_dir("/etc").expect("it can be read").flatten().map(|entry| entry.file_name()).collect()
    };
    let before = names();
    let outside_name = outside.display().to_string();
    let deeds = |what: &str| what.replace("OUTSIDE", &outside_name);
    for (at, (deed, code)) in [
        // CVE-2019-19921, CVE-2023-27561: what looks like /proc and is not would make masks and labels worthless.
        ("rmdir proc; ln -s / proc", 125),
        ("rmdir proc; ln -s OUTSIDE proc", 125),
        ("rm -rf sys; ln -s /etc sys", 125),
        // CVE-2026-41579: /dev itself.
        ("rmdir dev; ln -s /etc dev", 125),
        ("rmdir dev; ln -s OUTSIDE dev", 125),
        ("rmdir run; ln -s / run", 125),
        ("rmdir run; ln -s OUTSIDE run", 125),
        // Inside it may lead where it likes.
        ("rmdir run; mkdir -p var/run2; ln -s /var/run2 run", 0),
        ("rmdir tmp; ln -s ../../../../../etc tmp", 0),
        ("rm -rf etc/hosts; ln -s /etc/shadow etc/hosts; echo shadow >etc/shadow", 0),
        ("rm -rf etc/hosts; ln -s OUTSIDE/hosts etc/hosts", 0),
        ("mv etc etc2; ln -s / etc", 0),
        ("rm -rf sbin; ln -s OUTSIDE sbin", 0),
        ("ln -sf OUTSIDE/init sbin/poweroff", 0),
        ("mkdir -p dev; ln -s /etc dev/shm; ln -s OUTSIDE dev/pts; ln -s OUTSIDE/null dev/null", 0),
    ]
    .into_iter()
    .enumerate()
    {
        for options in [&[][..], &["--writable"]] {
            let Some(own) = own_root(&scene, &format!("root{at}{}", options.len()), &deeds(deed)) else { return };
            let ended = script_in_a_room(&scene, options, &own, "echo alive");
            assert_eq!(ended.exit, Exit::Code(code), "{deed}: {ended:?}");
            assert_eq!(ended.stderr.len(), usize::from(code != 0), "{deed}: {ended:?}");
            assert_eq!(fs::read_dir(&outside).expect("it is ours").count(), 0, "{deed}: something was made outside");
        }
    }
    assert_eq!(names(), before);
}

#[test]
fn resolv_conf_is_not_written_through_a_link() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "echo secret >etc/shadow; ln -s shadow etc/resolv.conf") else { return };
    let ended = script(&scene, &["--net", "host", "--writable"], &own, "cat /etc/shadow; cat /etc/resolv.conf | wc -l");
    let lines = fs::read_to_string("/etc/resolv.conf").unwrap_or_default().lines().count();
    ends(&ended, 0, &["secret".to_owned(), lines.to_string()]);
    assert_eq!(fs::read_to_string(own.join("etc/shadow")).expect("it is there"), "secret\n");
}

#[test]
fn a_link_that_comes_and_goes_leads_nowhere_outside() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "mkdir -p srv/dir/x") else { return };
    let outside = scene.folder().join("outside");
    fs::create_dir(&outside).expect("the folder is ours");
    symlink(&outside, own.join("srv/link")).expect("the folder is ours");
    // CVE-2021-30465: a directory becomes a link between the look at it and its use.
    let race = "
import ctypes, sys
libc = ctypes.CDLL(None)
a, b = sys.argv[1].encode(), sys.argv[2].encode()
print('ready', flush=True)
while True:
    libc.renameat2(-100, a, -100, b, 2)
";
    let [dir, link] = ["srv/dir", "srv/link"].map(|name| own.join(name).display().to_string());
    let mut racer = harness::waiting::server(&scene, race, &[&dir, &link]);
    racer.expect("ready");
    let mut ended = [0; 2];
    for _ in 0..60 {
        for options in [&["--tmpfs", "/srv/dir/x/y"][..], &["--bind", "/etc:/srv/dir/new"]] {
            let end = script_in_a_room(&scene, &[options, &["--writable"]].concat(), &own, "true");
            match end.exit {
                Exit::Code(0) => ended[0] += 1,
                Exit::Code(125) => ended[1] += 1,
                _ => panic!("{end:?}"),
            }
        }
    }
    assert_eq!(fs::read_dir(&outside).expect("it is ours").count(), 0, "something was made outside");
    harness::note(&format!("the race was run {} times; {} times it was refused", ended[0] + ended[1], ended[1]));
}

#[test]
fn masks_and_read_only_paths_hold() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let attack = "
        for file in interrupts kcore keys latency_stats timer_list sched_debug; do
            if [ -e /proc/$file ] && [ \"$(head -c 1 /proc/$file | wc -c)\" != 0 ]; then echo got in by $file; fi
        done
        for dir in /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
            if [ -d $dir ] && [ -n \"$(ls -A $dir)\" ]; then echo got in by $dir; fi
        done
        for place in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/uevent_helper; do
            ( echo x >$place ) 2>/dev/null && echo got in by $place
        done
        for place in /proc/keys /proc/acpi /proc/sys /proc/sysrq-trigger /sys /sys/firmware /proc /dev; do
            umount $place 2>/dev/null && echo got in: unmounted $place
            umount -l $place 2>/dev/null && echo got in: detached $place
            mount -o remount,rw $place 2>/dev/null && echo got in: remounted $place
            mount -o remount,bind,rw $place 2>/dev/null && echo got in: remounted the mount $place
        done
        mount -t proc proc /mnt 2>/dev/null && echo got in by another proc
        mount --bind / /mnt 2>/dev/null && echo got in by a bind
        unshare --user --map-root-user --mount sh -c 'umount /proc/keys || mount -o remount,bind,rw /proc/sys' 2>/dev/null && echo got in by a user namespace
        echo done";
    is_held(&script_in_a_room(&scene, &[], &root, attack));
}

#[test]
fn no_device_can_be_made_or_brought() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "mknod disk b 253 0; mknod zero c 1 5; mkdir -p srv") else { return };
    let shared = scene.folder().join("shared");
    fs::create_dir(&shared).expect("the folder is ours");
    assert!(Command::new("mknod").arg(shared.join("zero")).args(["c", "1", "5"]).status().expect("it runs").success());
    let attack = "
        try() { head -c 1 $1 >/dev/null 2>&1 && echo got in by $1; }
        try /disk; try /zero; try /srv/zero
        for place in / /dev /dev/shm /run /tmp /srv; do
            mknod $place/made c 1 5 2>/dev/null && try $place/made; rm -f $place/made
        done
        head -c 1 /dev/zero | wc -c; echo done";
    let bind = format!("{}:/srv", shared.display());
    for options in [&["--bind", &bind][..], &["--bind", &bind, "--writable"]] {
        let ended = script(&scene, options, &own, attack);
        is_held(&ended);
        ends(&ended, 0, &["1", "done"]);
    }
}

#[test]
fn processes_of_the_host_are_neither_seen_nor_reached() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let mut victim = scene.bare().probe("ignore HUP, ready, wait").spawn();
    victim.expect("ready");
    let pid = victim.outer_pid();
    let attack = format!(
        "kill -KILL {pid} 2>/dev/null && echo got in by its number
        ls -d /proc/[0-9]* | wc -l
        perl -e 'print syscall(101, 16, {pid}, 0, 0) == 0 ? \"got in by ptrace\\n\" : \"\"'
        nsenter -t 1 -m true 2>/dev/null && echo got in by nsenter
        echo done"
    );
    let ended = script(&scene, &[], &root, &attack);
    is_held(&ended);
    // Process 1, the shell, and the two of the pipe.
    assert!(ended.stdout[0].parse::<u32>().is_ok_and(|seen| seen <= 4), "{ended:?}");
    assert!(proc::name(pid).is_some(), "the victim is alive");
}

#[test]
fn process_1_cannot_be_traced_and_ends_when_it_is_told() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    // PTRACE_ATTACH, PTRACE_SEIZE; its memory and its environment.
    let attack = "
        perl -e 'for (16, 0x4206) { print \"got in by ptrace\n\" if syscall(101, $_, 1, 0, 0) == 0 }'
        ( : </proc/1/mem ) 2>/dev/null && echo got in by its memory
        ( head -c 1 /proc/1/environ ) >/dev/null 2>&1 && echo got in by its environment
        readlink /proc/1/exe && echo got in by its file
        echo done; exec sleep 1000";
    for options in [&[][..], &["--user-ns"]] {
        let mut run = contained::start(&scene, options, &root, &["sh", "-c", attack]);
        run.expect("done");
        run.signal(15);
        assert_eq!(run.wait(), Exit::Code(143));
    }
    scene.nothing_is_left();
}

#[test]
fn a_standard_stream_is_no_way_to_the_files_of_the_host() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    for (fd, name) in ["input", "output", "error"].iter().enumerate() {
        let mut run = contained::command(&scene, &[], &root, &["cat", &format!("/proc/self/fd/{fd}/etc/shadow")]);
        let directory = || std::process::Stdio::from(fs::File::open("/").expect("it can be opened"));
        match fd {
            0 => run.stdin(directory()),
            1 => run.stdout(directory()),
            _ => run.stderr(directory()),
        };
        let output = run.output().expect("it runs");
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(125), &b""[..]), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(fd == 2 || said.contains(&format!("standard {name} is a directory")), "{said}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_user_inside_does_not_become_root_unless_that_is_asked_for() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let told = "grep NoNewPrivs /proc/1/status /proc/self/status | cut -f2 | sort -u
        cp /usr/bin/id /root/id; chmod 711 /root; chmod 4755 /root/id
        setpriv --reuid 33 --regid 33 --clear-groups /root/id -u";
    ends(&script(&scene, &[], &root, told), 0, &["1", "33"]);
    ends(&script(&scene, &["--new-privs"], &root, told), 0, &["0", "0"]);
}

#[test]
fn no_capability_is_regained() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let caps = |ended: &Ended| -> HashMap<String, u64> {
        let line = |line: &String| {
            let (name, value) = line.strip_prefix("Cap")?.split_once(":\t")?;
            Some((name.to_owned(), u64::from_str_radix(value, 16).ok()?))
        };
        ended.stdout.iter().filter_map(line).collect()
    };
    let ended = script(&scene, &[], &root, "cat /proc/self/status");
    // docker's 14.
    let docker = 0xa804_25fb;
    let all = caps(&ended);
    assert!(
        ["Bnd", "Prm", "Eff"].iter().all(|set| all[*set] == docker) && all["Inh"] == 0 && all["Amb"] == 0,
        "{all:?}"
    );
    // A program with file capabilities, and one that is set-user-ID, and a change of the user and back.
    let attack = "
        perl -e 'print syscall(126, pack(\"LL\", 0x20080522, 0), pack(\"L6\", 0xffffffff, 0xffffffff, 0, 0xffffffff, 0xffffffff, 0)) == 0 ? \"got in by capset\\n\" : \"\"'
        cp /bin/cat /tmp/cat; chmod u+s /tmp/cat
        setpriv --reuid 33 --regid 33 --clear-groups /tmp/cat /proc/self/status | grep CapEff
        echo done";
    let ended = script(&scene, &["--tmpfs", "/mnt"], &root, attack);
    is_held(&ended);
    let effective = caps(&ended).get("Eff").copied().unwrap_or(0);
    assert_eq!(effective & !docker, 0, "{ended:?}");
    // What is dropped is dropped from all, process 1's children for ever.
    let ended = script(&scene, &["--cap-drop", "all"], &root, "cat /proc/self/status");
    assert!(caps(&ended).values().all(|set| *set == 0), "{ended:?}");
    let ended = script(&scene, &["--cap-add", "sys_nice"], &root, "cat /proc/self/status");
    assert_eq!(caps(&ended)["Eff"], docker | 1 << 23, "{ended:?}");
}

#[test]
fn on_an_older_kernel_it_is_done_in_another_way() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let bind = format!("{}:/srv:ro", scene.folder().display());
    let held = "echo x >/srv/x; echo x >/x; echo x >/proc/sysrq-trigger; ls /sys/firmware | wc -l; cmp /run/supervise/bin/supervise /sbin/poweroff && echo done";
    for (call, error) in
        [("mount_setattr", "ENOSYS"), ("keyctl", "ENOSYS"), ("keyctl", "EPERM"), ("close_range", "ENOSYS")]
    {
        let run = contained::command(&scene, &["--bind", &bind, "--read-only"], &root, &["sh", "-c", held]);
        let mut outer = scene.command("strace");
        outer.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={call}:error={error}")]);
        outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
        let output = contained::in_a_room(&scene, &outer).output().expect("strace runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\ndone\n", "{call}: {output:?}");
        assert!(!scene.folder().join("x").exists(), "{call}");
    }
    // Without openat2 it is not safe.
    let run = contained::command(&scene, &[], &root, &["true"]);
    let mut outer = scene.command("strace");
    outer.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=openat2:error=ENOSYS"]);
    outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
    let output = contained::in_a_room(&scene, &outer).output().expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(125) && said.contains("openat2(2) is needed, which Linux has since 5.6"),
        "{output:?}"
    );
}

/// The calls of the set-up that are refused one after the other, of all that the process makes which becomes process 1.
const REFUSED: [&str; 20] = [
    "setresgid",
    "setgroups",
    "fchmodat",
    "mount",
    "umount2",
    "pivot_root",
    "openat2",
    "mkdirat",
    "symlinkat",
    "fsopen",
    "fsconfig",
    "fsmount",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "sethostname",
    "chdir",
    "fchdir",
    "capset",
    "setresuid",
];

#[test]
fn whichever_step_fails_nothing_is_left() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let bind = format!("{}:/srv", scene.folder().display());
    let kept = scene.folder().join("kept");
    let options = ["--bind", &bind, "--read-only", "--upper", kept.to_str().expect("it is text")];
    let trace = |name: &str, more: &[&str]| {
        let run = contained::command(&scene, &options, &root, &["sh", "-c", "exit 3"]);
        let mut outer = scene.command("strace");
        outer
            .args(["-f", "-qq", "-o"])
            .arg(scene.folder().join("log"))
            .args(["-e", &format!("trace={name}")])
            .args(more);
        outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
        let output = contained::in_a_room(&scene, &outer).output().expect("strace runs");
        let log = fs::read_to_string(scene.folder().join("log")).expect("strace wrote it");
        (output, log)
    };
    let (output, log) = trace(&REFUSED.join(","), &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    fs::remove_dir_all(&kept).expect("the container was made");
    // Of one process, which then becomes process 1 and goes on with calls of the init.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut is_set_up = true;
    for line in log.lines() {
        let Some((_, call)) = line.split_once(' ') else { continue };
        let name = call.trim_start().split('(').next().unwrap_or_default();
        is_set_up &= !call.contains("/run/supervise/ctl");
        if is_set_up && REFUSED.contains(&name) {
            *counts.entry(REFUSED.iter().find(|known| **known == name).expect("it is one")).or_insert(0) += 1;
        }
    }
    assert!(counts["mount"] > 20 && counts["openat2"] > 20, "{counts:?}");
    for (name, count) in counts {
        for at in 1..=count {
            let (output, _) = trace(name, &["-e", &format!("inject={name}:error=ENOSPC:when={at}")]);
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            // 3: it was done in another way, or was about a client that the image need not have.
            assert!(matches!(code, Some(3 | 125)), "{name} {at}: {output:?}");
            let lines = said.lines().filter(|line| line.starts_with("supervise: cannot ")).count();
            assert_eq!(lines, usize::from(code == Some(125)), "{name} {at}: {output:?}");
            assert_eq!(kept.exists(), code == Some(3), "{name} {at}: {output:?}");
            let _ = fs::remove_dir_all(&kept);
            // Time of its own: there are a hundred of these.
            Deadline::new().until("nothing to be left", || scene.marked().is_empty().then_some(()));
        }
    }
}

#[test]
fn a_full_disk_is_an_error_of_who_writes() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let disk = scene.folder().join("disk");
    fs::create_dir(&disk).expect("the folder is ours");
    let words =
        format!("mount -t tmpfs -o size=64k tmpfs {0} && mkdir {0}/up && \"$@\"; echo $?; ls {0}/up", disk.display());
    let upper = disk.join("up").display().to_string();
    let run =
        contained::command(&scene, &["--upper", &upper], &root, &["sh", "-c", "head -c 1M /dev/zero >/big; echo $?"]);
    let mut outer = scene.command("unshare");
    outer.args(["--mount", "sh", "-c", &words, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n0\nupper\nwork\n", "{output:?}");
    // No room for even the directories of the overlay.
    let words = format!(
        "mount -t tmpfs -o nr_inodes=2 tmpfs {0} && mkdir {0}/up && \"$@\"; echo $?; ls {0}/up",
        disk.display()
    );
    let mut outer = scene.command("unshare");
    outer.args(["--mount", "sh", "-c", &words, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "125\n", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no space left on device"), "{output:?}");
}
