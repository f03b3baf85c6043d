//! `supervise features` on this machine, as root and as others, and where the kernel refuses.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::process::{Command, Stdio};

use harness::launch::Init;
use harness::{Scene, skip};
use nix::unistd::geteuid;
use serde_json::Value;

/// What it says in JSON behind these words, of which `SUPERVISE` is its path.
#[track_caller]
fn told(scene: &Scene, before: &[&str]) -> Value {
    let supervise = scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
    let words: Vec<&str> = before.iter().copied().chain([supervise.to_str().expect("it is text")]).collect();
    let mut command = scene.command(words[0]);
    command.args(&words[1..]).args(["features", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().expect("it is executed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    scene.nothing_is_left();
    serde_json::from_slice(&output.stdout).expect("it is one object")
}

/// Whether util-linux can do the same.
fn works(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

const USER: [&str; 5] = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "--"];

#[test]
fn what_others_can_make_is_there() {
    let scene = Scene::new();
    let mut whose = vec![(told(&scene, &["env"]), Vec::new())];
    if geteuid().is_root() {
        whose.push((told(&scene, &USER), USER.to_vec()));
    } else {
        skip("only root can be two users");
    }
    for (told, before) in whose {
        let by_user = !before.is_empty() || !geteuid().is_root();
        for (name, option) in [
            ("user", "--user"),
            ("pid", "--pid"),
            ("mount", "--mount"),
            ("uts", "--uts"),
            ("ipc", "--ipc"),
            ("network", "--net"),
            ("cgroup", "--cgroup"),
            ("time", "--time"),
        ] {
            let user: &[&str] = if by_user { &["--user"] } else { &[] };
            let words = [&before, &["unshare"][..], user, &[option, "--fork", "true"]].concat();
            assert_eq!(told["namespaces"][name]["available"], works(&words), "{words:?}");
        }
        let map: &[&str] = if by_user { &["--user", "--map-root-user"] } else { &[] };
        let options = if by_user { "userxattr," } else { "" };
        let overlay = format!(
            "mount -t tmpfs none /tmp && cd /tmp && mkdir l u w m && \
             mount -t overlay -o {options}lowerdir=l,upperdir=u,workdir=w none m"
        );
        let words = [&before, &["unshare", "--mount"][..], map, &["sh", "-c", &overlay]].concat();
        assert_eq!(told["mounts"]["overlay"]["available"], works(&words), "{words:?}");
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is there");
        assert_eq!(told["kernel"]["release"], release.trim());
        assert_eq!(told["kernel"]["user"], if before.is_empty() { geteuid().to_string() } else { "4711".to_owned() });
    }
}

#[test]
fn what_is_switched_off_is_told_with_its_switch() {
    let scene = Scene::new();
    // In a user namespace whose own limits are ours to set.
    let limit =
        "echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_net_namespaces; exec \"$0\" \"$@\"";
    let told = told(&scene, &["unshare", "--user", "--map-root-user", "sh", "-c", limit]);
    let user = &told["namespaces"]["user"];
    assert_eq!(user["available"], false, "{told}");
    assert!(user["why"].as_str().is_some_and(|why| why.contains("user.max_user_namespaces=")), "{user}");
    assert_eq!(told["namespaces"]["network"]["why"], "no space left on device");
    // A mount's ids are mapped by a user namespace.
    assert_eq!(told["mounts"]["mapped_ids"]["available"], false);
    assert_eq!(told["namespaces"]["uts"]["available"], true);
}

#[test]
fn programs_are_found_where_the_path_says() {
    let scene = Scene::new();
    scene.executable("pasta", b"#!/bin/sh\n");
    let folder = scene.folder().to_str().expect("it is text").to_owned();
    let told = told(&scene, &["env", &format!("PATH={folder}")]);
    assert_eq!(told["network"]["pasta"]["how"], format!("{folder}/pasta"));
    assert_eq!(told["network"]["slirp4netns"]["why"], "not installed");
}

#[test]
fn what_root_has_lost_is_missing() {
    if !geteuid().is_root() {
        return skip("only root has something to lose");
    }
    let scene = Scene::new();
    let told = told(&scene, &["setpriv", "--bounding-set=-net_raw,-mknod", "--"]);
    assert_eq!(told["capabilities"]["missing"], serde_json::json!(["net_raw", "mknod"]));
}

#[test]
fn people_get_the_same_in_lines() {
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    let output = scene.command(supervise).arg("features").output().expect("it is executed");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let told = told(&scene, &["env"]);
    let sections = told.as_object().expect("an object").values().filter_map(Value::as_object);
    assert_eq!(text.lines().count(), sections.map(serde_json::Map::len).sum::<usize>());
    assert!(text.lines().all(|line| line.split_whitespace().count() >= 3), "{text}");
    assert!(text.contains("kernel        machine       x86_64") || cfg!(not(target_arch = "x86_64")), "{text}");
}
