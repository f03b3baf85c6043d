//! What a container is for: another distribution's files on this kernel, with its own tools, an init, an end that is asked
//! for by its own words, and what is written there on the host.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use harness::contained::{BOOKWORM, BUSYBOX, TRIXIE, ends, own_root, root, script};
use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, MARK, Scene, note, skip};
use nix::sys::statvfs::statvfs;

/// A package that nobody else has, made by the distribution's own tool and installed from a file.
const LOCAL_PACKAGE: &str = "
    mkdir -p /tmp/word/DEBIAN /tmp/word/usr/bin && chmod -R 755 /tmp/word
    printf '%s\\n' 'Package: local-word' 'Version: 1.0' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' \
        'Description: says a word' >/tmp/word/DEBIAN/control
    printf '#!/bin/sh\\necho a word\\n' >/tmp/word/usr/bin/local-word && chmod 755 /tmp/word/usr/bin/local-word
    dpkg-deb --build /tmp/word /tmp/local-word.deb >/tmp/log &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y /tmp/local-word.deb >>/tmp/log 2>&1 || cat /tmp/log
    local-word; dpkg -l local-word | tail -n 1 | tr -s ' ' | cut -d' ' -f1-3";

/// A job of the shell, which has become the program that it is to be.
const SLEEPER: &str = "sleep 1000 & until read -r name </proc/$!/comm && [ $name = sleep ]; do :; done";

#[test]
fn another_distribution_has_its_own_release_and_package_tool() {
    for (name, codename) in [(BOOKWORM, "bookworm"), (TRIXIE, "trixie")] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        let told = format!(". /etc/os-release; echo $VERSION_CODENAME; {LOCAL_PACKAGE}");
        ends(&script(&scene, &[], &root, &told), 0, &[codename, "a word", "ii local-word 1.0"]);
        // It was installed there alone, and is gone with it.
        assert!(!Path::new("/usr/bin/local-word").exists() && !root.join("usr/bin/local-word").exists());
        scene.nothing_is_left();
    }
}

#[test]
fn the_package_tool_of_the_host_does_not_exist_in_another_distribution() {
    let Some(root) = root(BUSYBOX) else { return };
    if !Path::new("/usr/bin/apt-get").exists() {
        return skip("this machine's packages are not apt's");
    }
    let scene = Scene::new();
    let ended =
        script(&scene, &[], &root, "ls /etc/os-release /usr/bin/apt-get /var/lib/apt 2>/dev/null; apt-get --version");
    ends(&ended, 127, &[""; 0]);
}

#[test]
fn the_kernel_is_the_hosts_and_the_name_its_own() {
    let host = nix::sys::utsname::uname().expect("it has a name");
    let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    for name in [BOOKWORM, TRIXIE, BUSYBOX] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        let ended = script(&scene, &["--hostname", "inside"], &root, "uname -a; hostname");
        let kernel = format!("Linux inside {} {}", text(host.release()), text(host.version()));
        assert!(ended.exit == Exit::Code(0) && ended.stdout[0].starts_with(&kernel), "{kernel}: {ended:?}");
        assert_eq!(ended.stdout[1], "inside");
        assert_ne!(text(host.nodename()), "inside", "the host keeps its own");
    }
}

#[test]
fn ps_shows_an_init_as_process_1() {
    let Some(busybox) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let ended = script(&scene, &[], &busybox, &format!("{SLEEPER}; ps -o pid,ppid,comm; true"));
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    let wanted =
        ["PID   PPID  COMMAND", "    1     0 supervise", "    2     1 sh", "    3     2 sleep", "    4     2 ps"];
    assert_eq!(ended.stdout, wanted, "{ended:?}");
}

#[test]
fn what_is_installed_from_the_mirror_works_and_shows_an_init_as_process_1() {
    let Some(root) = root(TRIXIE) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let keep = ["--upper", kept.to_str().expect("it is text")];
    let install = "DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        apt-get update >/tmp/log 2>&1 && apt-get install -y --no-install-recommends procps >>/tmp/log 2>&1 || cat /tmp/log";
    let ended = script(&scene, &[&keep[..], &["--net", "host"]].concat(), &root, install);
    if !kept.join("upper/usr/bin/ps").exists() {
        return skip(&format!("procps does not come from the mirror: {ended:?}"));
    }
    // Without a network, by what is kept.
    let ended = script(&scene, &keep, &root, &format!("{SLEEPER}; ps auxf; true"));
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    let shown = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[1].to_owned(), words[10..].join(" "))
    };
    let shown: Vec<(String, String)> = ended.stdout.iter().map(shown).collect();
    let has = |pid: &str, words: &str| shown.iter().any(|(shown, all)| shown == pid && all.contains(words));
    // All of them, and none of the host's.
    let all = has("1", "supervise -- /bin/sh") && has("2", "/bin/sh -c") && has("3", "sleep") && has("4", "ps");
    assert!(all && shown.len() == 5, "{shown:?}");
    note(&ended.stdout.join("\n"));
}

#[test]
fn what_is_typed_inside_ends_it_with_the_documented_code() {
    // A busybox's shell has a poweroff of its own in it; ours it takes by its path.
    let roots = [
        (BOOKWORM, "bash", "poweroff"),
        (TRIXIE, "bash", "poweroff"),
        ("bookworm-sysvinit", "bash", "poweroff"),
        (BUSYBOX, "sh", "/sbin/poweroff"),
    ];
    for (name, shell, poweroff) in roots {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut outer = terminal.shell(&scene);
        let supervise = Init::Supervise.path().expect("cargo built it");
        for (client, what) in [(poweroff, "poweroff"), ("shutdown --halt now", "halt")] {
            // The image's own shell, which is interactive and so ignores SIGTERM.
            let run = format!("{} run --env {MARK} {}", supervise.display(), root.display());
            terminal.press(&format!("SUPERVISE_REQUESTS=on {run}; echo code:$?\n"));
            terminal.screen.up_to("# ");
            terminal.press(&format!("echo in:$(cat /proc/$$/comm); {client}\n"));
            terminal.screen.up_to(&format!("in:{shell}\r"));
            let said = terminal.screen.up_to("code:") + &terminal.screen.up_to("> ");
            assert!(said.contains(&format!("supervise: {what} asked for by ")), "{name}: {client}: {said}");
            assert!(!said.contains("killing"), "{name}: {client}: {said}");
            assert!(said.contains("code:0\r"), "{name}: {client}: {said}");
        }
        terminal.press("exit 0\n");
        assert_eq!(outer.wait(), Exit::Code(0));
        scene.nothing_is_left();
    }
}

#[test]
fn a_gigabyte_written_inside_is_on_the_host_and_there_the_next_time() {
    const GIGABYTE: u64 = 1 << 30;
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let disk = statvfs(scene.folder()).expect("it can be asked");
    if disk.blocks_available() * disk.fragment_size() < 2 * GIGABYTE {
        return skip(&format!("two gigabytes are not free where {} is", scene.folder().display()));
    }
    let kept = scene.folder().join("kept");
    let keep = ["--upper", kept.to_str().expect("it is text")];
    // Its blocks are given at once, where the file system can do that; what is in the first and the last is told again.
    let write = "fallocate --length 1G /srv/big 2>/dev/null || dd if=/dev/zero of=/srv/big bs=1M count=1024 2>/dev/null
        printf first | dd of=/srv/big conv=notrunc 2>/dev/null
        printf last | dd of=/srv/big conv=notrunc oflag=seek_bytes seek=1073741820 2>/dev/null";
    ends(&script(&scene, &keep, &root, write), 0, &[""; 0]);
    let big = fs::metadata(kept.join("upper/srv/big")).expect("it is on the host");
    assert!(big.len() == GIGABYTE && big.blocks() * 512 >= GIGABYTE, "{big:?}");
    let read = "stat -c %s /srv/big; head -c 5 /srv/big; echo; tail -c 4 /srv/big; echo";
    ends(&script(&scene, &keep, &root, read), 0, &["1073741824", "first", "last"]);
    assert!(!root.join("srv/big").exists(), "the root filesystem stays as it is");
}

/// What a distribution with musl has that one with glibc has not: its loader, and a program that needs it.
const MUSL: &str = "
    mkdir -p lib && cp -L /lib/ld-musl-x86_64.so.1 lib/
    printf '#include <stdio.h>\\n#include <unistd.h>\\nint main(void) { char name[65]; gethostname(name, 65); puts(name); }' >name.c
    musl-gcc -o bin/name-by-musl name.c";

#[test]
fn a_distribution_with_musl_runs_on_a_host_with_glibc() {
    let scene = Scene::new();
    let Some(root) = own_root(&scene, "musl", MUSL) else { return };
    let told = "ls /lib; name-by-musl; /sbin/poweroff; exec sleep 1000";
    ends(&script(&scene, &["--hostname", "alp"], &root, told), 0, &["ld-musl-x86_64.so.1", "alp"]);
    fs::remove_file(root.join("lib/ld-musl-x86_64.so.1")).expect("it is ours");
    let ended = harness::contained::start(&scene, &[], &root, &["name-by-musl"]).end();
    assert_eq!(ended.exit, Exit::Code(127), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("ld-musl-x86_64.so.1")), "{ended:?}");
}

#[test]
fn the_images_own_systemctl_does_what_is_not_about_a_shutdown() {
    for name in [BOOKWORM, TRIXIE] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        // As deb-systemd-helper asks for it when a package is installed.
        let told = "systemctl is-enabled getty@.service; systemctl poweroff; exec sleep 1000";
        ends(&script(&scene, &[], &root, told), 0, &["enabled"]);
    }
}

#[test]
fn the_images_own_clients_are_there_where_nobody_is_served() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let told =
        "readlink /sbin/poweroff; ln /bin/systemctl /bin/kept && mv /bin/kept /bin/systemctl.dpkg-tmp && echo moved";
    ends(&script(&scene, &["--requests", "off"], &root, told), 0, &["/bin/systemctl", "moved"]);
}

#[test]
fn the_names_of_one_file_stay_names_of_one_file() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    // As dpkg keeps a file until another one is in its place.
    let told = "ln /bin/login /bin/kept; [ /bin/login -ef /bin/kept ] && echo one
        echo changed >>/bin/kept; [ /bin/login -ef /bin/kept ] && echo one; mv /bin/kept /bin/again && echo moved";
    ends(&script(&scene, &[], &root, told), 0, &["one", "one", "moved"]);
}
