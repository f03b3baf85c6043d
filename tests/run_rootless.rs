//! Containers of a user without rights: in a user namespace with one id, or with a range that the administrator has given.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, root};
use harness::{Exit, Scene, skip};

/// A folder that the user may write to.
fn users_folder(scene: &Scene, name: &str) -> String {
    let path = scene.folder().join(name);
    fs::create_dir(&path).expect("the folder is ours");
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("we are root");
    path.display().to_string()
}

/// A root filesystem that is the user's.
fn users_root(scene: &Scene) -> Option<PathBuf> {
    let busybox = root(BUSYBOX)?;
    let own = scene.folder().join("root");
    let done = Command::new("cp").arg("-a").args([&busybox, &own]).status().expect("cp runs").success()
        && Command::new("chown").args(["-Rh", "65534:65534"]).arg(&own).status().expect("chown runs").success();
    done.then_some(own)
}

#[test]
fn a_user_has_a_container_and_is_its_root() {
    let scene = Scene::new();
    let Some(root) = users_root(&scene) else { return };
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; echo x >/new && cat /new; rm -r /usr; /bin/busybox ls -d /usr; busybox hostname | busybox wc -c; \
                  busybox wc -l </etc/hosts; busybox ls /usr 2>/dev/null; /sbin/poweroff; exec sleep 1000";
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &[], &root, &["sh", "-c", script])).end();
    ends(&ended, 0, &["0", " 0 65534 1", "x", "13", "3"]);
    scene.nothing_is_left();
}

#[test]
fn what_a_user_keeps_is_the_users() {
    let scene = Scene::new();
    let Some(root) = users_root(&scene) else { return };
    let kept = users_folder(&scene, "kept");
    let keep = ["--upper", &kept];
    let words = ["sh", "-c", "echo kept >/root/file; rm /etc/passwd; mkdir /opt; ls -l /root/file | cut -d' ' -f1"];
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &keep, &root, &words)).end();
    ends(&ended, 0, &["-rw-r--r--"]);
    let file = fs::metadata(format!("{kept}/upper/root/file")).expect("it is on the host");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&file), 65534);
    let words = ["sh", "-c", "cat /root/file; ls /etc/passwd; exit 3"];
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &keep, &root, &words)).end();
    ends(&ended, 3, &["kept"]);
    // Where no container could be made, what was made for it is gone.
    let unused = users_folder(&scene, "unused");
    let run = contained::as_user(&scene, &[], &["--upper", &unused], &root, &["/no/such/file"]);
    assert_eq!(contained::begin(&scene, run).end().exit, Exit::Code(127));
    assert_eq!(fs::read_dir(&unused).expect("it is there").count(), 0);
}

#[test]
fn with_a_range_there_are_more_users() {
    let Some(root) = root(BOOKWORM) else { return };
    if !std::path::Path::new("/usr/bin/newuidmap").exists() {
        return skip("newuidmap is missing; tests/setup installs it");
    }
    let scene = Scene::new();
    // The administrator's files, for this test alone.
    let range = scene.folder().join("range");
    fs::write(&range, "nobody:200000:65536\n").expect("the folder is ours");
    let admin = format!("mount --bind {0} /etc/subuid && mount --bind {0} /etc/subgid && exec \"$@\"", range.display());
    let wrapper = ["unshare", "--mount", "sh", "-c", &admin, "-"];
    let words = ["sh", "-c", "id -u; id -un; cat /proc/self/uid_map | tr -s ' '"];
    let run = contained::as_user(&scene, &wrapper, &["-v", "--user", "games"], &root, &words);
    let ended = contained::begin(&scene, run).end();
    ends(&ended, 0, &["5", "games", " 0 65534 1", " 1 200000 65536"]);
    assert!(ended.stderr.iter().any(|line| line.contains("65536 users and 65536 groups by newuidmap")), "{ended:?}");
    // Without one it is said with -v, and another user is refused by the kernel.
    let run = contained::as_user(&scene, &[], &["-v", "--user", "games"], &root, &words);
    let ended = contained::begin(&scene, run).end();
    assert_eq!(ended.exit, Exit::Code(125), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("the container has one user and one group")), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("--user: cannot set the groups")), "{ended:?}");
    scene.nothing_is_left();
}

#[test]
fn a_root_filesystem_of_another_can_be_read() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let words = ["sh", "-c", "dpkg --print-architecture; echo x >/etc/passwd; echo x >/new; ls /new; exit 5"];
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &[], &root, &words)).end();
    ends(&ended, 5, &["amd64", "/new"]);
}

#[test]
fn networks_are_the_users_as_well() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    for (network, wanted) in [("private", "1"), ("none", "1")] {
        let words = ["sh", "-c", "ls /sys/class/net | wc -l; ls /sys/class/net"];
        let run = contained::as_user(&scene, &[], &["--net", network], &root, &words);
        ends(&contained::begin(&scene, run).end(), 0, &[wanted, "lo"]);
    }
    // With the host's network the kernel refuses a sysfs; the host's is shown, and cannot be written to.
    let count = fs::read_dir("/sys/class/net").expect("it is mounted").count();
    let words = [
        "sh",
        "-c",
        "ls /sys/class/net | wc -l; ls /sys/firmware | wc -l; mkdir /sys/fs/cgroup/x 2>/dev/null && echo got in",
    ];
    let run = contained::as_user(&scene, &[], &["--net", "host"], &root, &words);
    let ended = contained::begin(&scene, run).end();
    ends(&ended, 1, &[count.to_string(), "0".to_owned()]);
}

#[test]
fn the_container_of_a_user_dies_with_its_monitor() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let words = ["sh", "-c", "trap '' TERM HUP; sleep 1000 & echo ready; wait"];
    let mut run = contained::begin(&scene, contained::as_user(&scene, &[], &[], &root, &words));
    run.expect("ready");
    harness::send(run.outer_pid(), 9, 1);
    run.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
}

#[test]
fn the_root_of_a_user_cannot_undo_what_hides() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let attack = "
        umount /proc/keys 2>/dev/null && echo got in
        umount -l /proc/acpi 2>/dev/null && echo got in
        mount -o remount,bind,rw /proc/sys 2>/dev/null && echo got in
        unshare -m umount /proc/keys 2>/dev/null && echo got in
        mount -t proc proc /mnt 2>/dev/null && echo got in
        ( : >>/proc/1/exe ) 2>/dev/null && echo got in
        echo done";
    let ended = contained::begin(&scene, contained::as_user(&scene, &[], &[], &root, &["sh", "-c", attack])).end();
    ends(&ended, 0, &["done"]);
}

#[test]
fn root_in_a_user_namespace_has_no_rights_over_the_host() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let script =
        "id -u; cat /proc/self/uid_map | tr -s ' '; mknod /tmp/disk b 8 0 2>/dev/null && echo got in; echo done";
    let ended = contained::script(&scene, &["--user-ns", "--cap-add", "sys_admin"], &root, script);
    ends(&ended, 0, &["0", " 0 0 4294967295", "done"]);
}

#[test]
fn where_user_namespaces_are_forbidden_it_is_said() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    // A namespace of our own, in which the limit is 0.
    let limit = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", limit, "-", "true"]).output();
    if !probe.expect("it runs").status.success() {
        return skip("no limit on user namespaces can be set here");
    }
    let run = contained::command(&scene, &["--user-ns"], &root, &["true"]);
    let mut outer = scene.command("unshare");
    outer.args(["--user", "--map-root-user", "sh", "-c", limit, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(said.contains("cannot make") && said.contains("sysctl user.max_user_namespaces"), "{output:?}");
}

#[test]
fn in_the_user_namespace_of_another_it_needs_none_of_its_own() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let run = contained::command(
        &scene,
        &[],
        &root,
        &["sh", "-c", "id -u; echo x >/bin/new && cat /bin/new; cat /proc/self/uid_map | tr -s ' '"],
    );
    let mut outer = scene.command("unshare");
    outer.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
    let output = outer.output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\nx\n 0 0 1\n", "{output:?}");
}
