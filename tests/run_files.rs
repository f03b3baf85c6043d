//! The files of a container: the root filesystem stays as it is, and what is written goes where it was said.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, own_root, root, script};
use harness::{Exit, Scene, send};

/// Each file below a directory, with what tells whether it was changed.
fn listing(directory: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let mut all = BTreeMap::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).expect("it can be read").map(|entry| entry.expect("it can be read")) {
            let path = entry.path();
            let found = path.symlink_metadata().expect("it is there");
            if found.is_dir() {
                todo.push(path.clone());
            }
            all.insert(path, (found.ino(), found.mode(), found.ctime(), found.ctime_nsec()));
        }
    }
    all
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

#[test]
fn the_root_filesystem_stays_as_it_is() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let before = listing(&root);
    let changes = "rm -rf /usr/share /etc/passwd; echo x >/etc/os-release; touch /new; mkdir -p /srv/a/b; chmod 700 /root; \
                   mv /bin/ls /bin/sl; ln -sf nowhere /etc/hosts2; ls / | grep -c new";
    let ended = script(&scene, &[], &root, &format!("{}; exit 4", changes.replace("ls / |", "sl / |")));
    ends(&ended, 4, &["1"]);
    assert_eq!(listing(&root), before);
    // Nor is it there the next time.
    ends(&script(&scene, &[], &root, "ls /new; cat /etc/passwd | head -n 1"), 0, &["root:x:0:0:root:/root:/bin/bash"]);
}

#[test]
fn upper_keeps_what_was_written_on_the_host() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let keep = ["--upper", text(&kept)];
    let write = "mkdir -p /srv/data; echo kept >/srv/data/file; rm /etc/passwd";
    assert_eq!(script(&scene, &keep, &root, write).exit, Exit::Code(0));
    assert_eq!(fs::read_to_string(kept.join("upper/srv/data/file")).expect("it is on the host"), "kept\n");
    ends(&script(&scene, &keep, &root, "cat /srv/data/file; ls /etc/passwd"), 1, &["kept"]);
    assert!(root.join("etc/passwd").exists(), "removed only above");
    // No file that was mounted over what is written is among it.
    let names: Vec<_> = listing(&kept.join("upper")).into_keys().collect();
    assert!(
        !names.iter().any(|name| name.ends_with("poweroff") || name.starts_with(kept.join("upper/run/supervise"))),
        "{names:?}"
    );
}

#[test]
fn two_containers_do_not_write_to_one_upper() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let kept = scene.folder().join("kept");
    let keep = ["--upper", text(&kept)];
    let mut first = contained::start_probe(&scene, &keep, &root, "ready, read");
    first.expect("ready");
    let ended = contained::start(&scene, &keep, &root, &["true"]).end();
    harness::running::refused(&ended, &["another container writes to", text(&kept)]);
    // What a container that was killed has left does not stop the next one.
    send(first.outer_pid(), 9, 1);
    first.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
    ends(&script(&scene, &keep, &root, "echo again"), 0, &["again"]);
}

#[test]
fn writable_changes_the_root_filesystem_and_read_only_nothing() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "true") else { return };
    assert_eq!(script(&scene, &["--writable"], &own, "echo kept >/file").exit, Exit::Code(0));
    assert_eq!(fs::read_to_string(own.join("file")).expect("it is on the host"), "kept\n");
    let before = listing(&own);
    let tries = "for place in / /etc /usr; do echo x >$place/x 2>/dev/null && echo written; done; \
                 for place in /run /tmp /dev/shm; do echo x >$place/x && cat $place/x; done; mount -o remount,rw / && echo remounted";
    ends(&script(&scene, &["--read-only"], &own, tries), 1, &["x", "x", "x"]);
    assert_eq!(listing(&own), before);
}

#[test]
fn several_layers_are_one_root() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "base", "true") else { return };
    let above = scene.folder().join("a,b c");
    fs::create_dir_all(above.join("etc")).expect("the folder is ours");
    fs::write(above.join("etc/layer"), "above\n").expect("the folder is ours");
    fs::write(own.join("etc/layer"), "below\n").expect("the folder is ours");
    let both = format!("{}:{}", above.display(), own.display());
    ends(
        &script(&scene, &[], Path::new(&both), "cat /etc/layer /etc/passwd"),
        0,
        &["above", "root:x:0:0::/root:/bin/sh"],
    );
}

#[test]
fn a_bind_shows_a_part_of_the_host_and_ro_holds_below_it_too() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let shared = scene.folder().join("shared");
    fs::create_dir_all(shared.join("below")).expect("the folder is ours");
    fs::write(shared.join("file"), "hello\n").expect("the folder is ours");
    let bind = format!("{}:/srv/deep/shared", shared.display());
    let file = format!("{}:/etc/issue:ro", shared.join("file").display());
    let ended = script(
        &scene,
        &["--bind", &bind, "--bind", &file],
        &root,
        "echo new >/srv/deep/shared/new; cat /etc/issue; echo x >/etc/issue",
    );
    ends(&ended, 1, &["hello"]);
    assert_eq!(fs::read_to_string(shared.join("new")).expect("it is on the host"), "new\n");
    assert!(!root.join("srv").exists(), "the place to mount on was not made in the root filesystem");
    // A mount in what is bound is shown, and read-only as well.
    let words = format!("mount -t tmpfs tmpfs {0}/below && echo deep >{0}/below/file && exec \"$@\"", shared.display());
    let ro = format!("{bind}:ro");
    let run = contained::command(
        &scene,
        &["--bind", &ro],
        &root,
        &["sh", "-c", "cat /srv/deep/shared/below/file; echo x >/srv/deep/shared/below/x"],
    );
    let mut outer = scene.command("unshare");
    outer.args(["--mount", "sh", "-c", &words, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"deep\n"[..]), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Read-only"), "{output:?}");
}

#[test]
fn a_tmpfs_hides_what_was_there_and_vanishes() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let ended = script(
        &scene,
        &["--tmpfs", "/etc/new", "--tmpfs", "/usr"],
        &root,
        "echo x >/etc/new/x; /bin/busybox ls -A /usr /etc/new",
    );
    ends(&ended, 0, &["/etc/new:", "x", "", "/usr:"]);
    assert!(!root.join("etc/new").exists());
}

#[test]
fn what_is_mounted_in_the_root_filesystem_is_missed_aloud() {
    let scene = Scene::new();
    let Some(own) = own_root(&scene, "own", "true") else { return };
    let run = contained::command(&scene, &[], &own, &["ls", "-A", "/mnt"]);
    let mut outer = scene.command("unshare");
    let words = format!("mount -t tmpfs tmpfs {0}/mnt && touch {0}/mnt/seen && exec \"$@\"", own.display());
    outer.args(["--mount", "sh", "-c", &words, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.stdout.is_empty() && said.contains("warning: what is mounted in") && said.contains("/mnt:/mnt"),
        "{output:?}"
    );
    let mut all: Vec<_> = outer.get_args().map(ToOwned::to_owned).collect();
    let at = all.iter().position(|word| word == "run").expect("it is there");
    all.insert(at + 1, "--writable".into());
    let output = scene.command("unshare").args(all).env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"seen\n"[..], &b""[..]), "{output:?}");
}

#[test]
fn what_an_overlay_cannot_be_is_said() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let folder = text(scene.folder());
    let overlay =
        format!("cd {folder}; mkdir l u w m; mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m && exec \"$@\"");
    let upper = format!("{folder}/m/upper");
    let run = contained::command(&scene, &["--upper", &upper], &root, &["true"]);
    let mut outer = scene.command("unshare");
    outer.args(["--mount", "sh", "-c", &overlay, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let words = ["supervise: cannot mount an overlay of", "take a directory of a local disk"];
    assert!(words.iter().all(|word| said.contains(word)) && output.status.code() == Some(125), "{output:?}");
}

#[test]
fn the_machine_itself_can_be_the_root_filesystem() {
    let Some(_) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mark = scene.folder().join("mark");
    fs::write(&mark, "seen\n").expect("the folder is ours");
    let bind = format!("{}:/mnt", scene.folder().display());
    let ended = script(&scene, &["--bind", &bind], Path::new("/"), "cat /mnt/mark; echo x >/x; ls -d /x");
    ends(&ended, 0, &["seen", "/x"]);
    assert!(!Path::new("/x").exists());
}
