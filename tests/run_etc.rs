//! The files of /etc that are about a container, in images that have them, or something else, or nothing there.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::process::Command;

use harness::contained::{self, BUSYBOX, ends, own_root, root};
use harness::{Exit, Scene};

/// What the host looks names up by.
fn resolvers() -> String {
    fs::read_to_string("/etc/resolv.conf")
        .expect("this machine has name servers")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

const TOLD: &str = "head -n 1 /etc/resolv.conf; wc -l </etc/hosts; cmp /etc/hostname - && echo same";

/// What is in the image's place of resolv.conf, before the container is made.
const PLACES: [&str; 5] = [
    "rm -f etc/resolv.conf",
    "ln -s /run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
    "ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
    "echo own >etc/own; ln -s own etc/resolv.conf",
    "rm -r etc",
];

#[test]
fn the_name_servers_of_the_host_are_there_whatever_the_image_has() {
    for (at, deed) in PLACES.into_iter().enumerate() {
        let scene = Scene::new();
        let Some(own) = own_root(&scene, &format!("root{at}"), deed) else { return };
        let told = ["sh", "-c", &format!("hostname | ( {TOLD} )")];
        let options = ["--net", "host"];
        // By root; by a user whose the image is not, and by one whose it is.
        let by_root = contained::command(&scene, &options, &own, &told);
        let by_user = contained::as_user(&scene, &[], &options, &own, &told);
        for run in [by_root, by_user] {
            let ended = contained::begin(&scene, run).end();
            ends(&ended, 0, &[&resolvers(), "3", "same"]);
            assert!(ended.stderr.is_empty(), "{deed}: {ended:?}");
        }
        let done = Command::new("chown").args(["-Rh", "65534:65534"]).arg(&own).status().expect("chown runs");
        assert!(done.success());
        let ended = contained::begin(&scene, contained::as_user(&scene, &[], &options, &own, &told)).end();
        ends(&ended, 0, &[&resolvers(), "3", "same"]);
        assert!(ended.stderr.is_empty() && !own.join("run/systemd").exists(), "{deed}: {ended:?}");
        // With a network of its own there is nobody to ask, and what the image has stays.
        let ended = contained::script(&scene, &[], &own, "cat /etc/resolv.conf 2>/dev/null; echo done");
        assert!(!ended.stdout.contains(&resolvers()), "{deed}: {ended:?}");
    }
}

#[test]
fn a_user_can_change_what_is_in_the_etc_of_another_and_keeps_the_rest() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let told = "head -n 1 /etc/passwd; echo x 2>/dev/null >>/etc/passwd; echo new >/etc/new && cat /etc/new; ls /etc";
    let run = contained::as_user(&scene, &[], &[], &root, &["sh", "-c", told]);
    ends(
        &contained::begin(&scene, run).end(),
        0,
        &["root:x:0:0::/root:/bin/sh", "new", "hostname", "hosts", "new", "passwd"],
    );
    assert!(!root.join("etc/new").exists() && !root.join("etc/hosts").exists());
}

#[test]
fn a_directory_in_the_place_of_a_file_is_a_warning() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "mkdir etc/resolv.conf") else { return };
    let told = ["sh", "-c", "ls -d /etc/resolv.conf"];
    let by_root = contained::command(&scene, &["--net", "host"], &own, &told);
    let by_user = contained::as_user(&scene, &[], &["--net", "host"], &own, &told);
    for run in [by_root, by_user] {
        let ended = contained::begin(&scene, run).end();
        ends(&ended, 0, &["/etc/resolv.conf"]);
        let wanted = "supervise: warning: /etc/resolv.conf is a directory in the image; going on without";
        assert_eq!(ended.stderr, [wanted]);
    }
}

#[test]
fn name_servers_that_a_user_may_not_read_are_a_warning() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "echo own >etc/resolv.conf") else { return };
    fs::write(scene.folder().join("secret"), "nameserver 192.0.2.1\n").expect("the folder is ours");
    let script = format!(
        "cd {} && chmod 600 secret && mount --bind secret /etc/resolv.conf && exec \"$@\"",
        scene.folder().display()
    );
    let wrapper = ["unshare", "--mount", "sh", "-c", &script, "-"];
    let run = contained::as_user(&scene, &wrapper, &["--net", "host"], &own, &["cat", "/etc/resolv.conf"]);
    let ended = contained::begin(&scene, run).end();
    ends(&ended, 0, &["own"]);
    let wanted =
        "supervise: warning: cannot read /etc/resolv.conf of the host: permission denied; that of the image stays";
    assert_eq!(ended.stderr, [wanted]);
}

#[test]
fn a_file_of_etc_that_a_user_cannot_have_is_a_warning() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "rm -f etc/hostname; chmod 777 . dev proc run tmp sys || mkdir -m 777 sys")
    else {
        return;
    };
    let told = ["sh", "-c", "ls /etc/hostname 2>/dev/null; echo done"];
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &["--writable"], &own, &told)).end();
    ends(&ended, 0, &["done"]);
    let warned = |line: &String| line.starts_with("supervise: warning: ") && line.contains("/etc/hostname");
    assert!(ended.stderr.iter().any(warned) && ended.exit == Exit::Code(0), "{ended:?}");
}
