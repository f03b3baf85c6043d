//! How it stands.

use serde_json::Value;

use crate::container::{Container, ROOT, USER, as_root};
use crate::harness::Exit;

#[test]
fn it_tells_of_orphans_zombies_restarts_and_the_last_end() {
    let Some(scene) = as_root() else { return };
    // A zombie, whose parent has become a program that does not reap; and orphans, whose parent is gone before they end.
    let script = "for i in 1 2; do mkfifo gate$i 2>/dev/null; (sh -c \"read line <gate$i\" &); echo x >gate$i; done
        (until [ $(cat /proc/$$/comm) = sleep ]; do :; done) & echo up; exec sleep 1000";
    let mut container = Container::saying("up", &scene, &["--restart", "on-failure", "--restart-delay", "1ms"], script);
    let first = container.wait_until("orphans and a zombie", |status| status["orphans"] == 2 && status["zombies"] == 1);
    assert_eq!((&first["schema"], &first["state"], &first["restarts"]), (&2.into(), &"running".into(), &0.into()));
    for nobody_asks in ["last", "readiness", "health", "status", "scheduled"] {
        assert_eq!(first.get(nobody_asks), Some(&Value::Null), "{first}");
    }
    container.asks(&["signal", "KILL"]);
    container.init.expect("up");
    let second = container.wait_until("more orphans", |status| status["orphans"] == 5 && status["zombies"] == 1);
    assert_eq!((&second["restarts"], &second["last"]["signal"]), (&1.into(), &"SIGKILL".into()), "{second}");
    assert!(second["last"]["at"].as_f64().is_some_and(|at| at > 1.7e9), "{second}");
    assert_ne!(first["main"], second["main"]);
    let ended = container.ctl(USER, &["status"]);
    for line in ["state: running", "restarts: 1", "orphans reaped: 5", "zombies: 1"] {
        assert!(ended.stdout.iter().any(|shown| shown == line), "no {line} in {ended:?}");
    }
    assert!(ended.stdout.iter().any(|line| line.starts_with("last exit: SIGKILL, on ")), "{ended:?}");
    assert_eq!(container.ctl(ROOT, &["status", "--check"]).exit, Exit::Code(0));
}

#[test]
fn what_does_not_run_is_not_healthy_and_says_nothing() {
    let Some(scene) = as_root() else { return };
    let mut options = vec!["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"];
    options.extend(["--ready", "sd_notify", "--health", "true", "--health-interval", "20ms"]);
    let mut container = Container::new(&scene, &options, "systemd-notify --ready --status=up; read line");
    let lives = container.wait_until("health", |status| status["health"] == "healthy");
    assert_eq!((&lives["readiness"], &lives["status"]), (&"ready".into(), &"up".into()), "{lives}");
    container.init.go();
    let rests = container.wait_until("a rest", |status| status["state"] == "restarting");
    let known = (&rests["readiness"], &rests["health"], &rests["status"]);
    assert_eq!(known, (&"not-ready".into(), &"starting".into(), &Value::Null), "{rests}");
    container.init.signal(libc::SIGTERM);
    container.init.wait();
}

#[test]
fn who_waits_for_what_the_command_left_behind_stops_nothing() {
    let Some(scene) = as_root() else { return };
    let mut container =
        Container::saying("up", &scene, &["--leftovers", "wait"], "setsid sleep 1000 & echo up; exit 3");
    let waits = container.wait_until("a wait", |status| status["state"] == "waiting");
    assert_eq!((&waits["main"], &waits["last"]["code"]), (&Value::Null, &3.into()), "{waits}");
    assert_eq!(container.ctl(ROOT, &["status", "--check"]).exit, Exit::Code(0));
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(3));
}

#[test]
fn a_variable_that_says_how_asks_for_nothing() {
    let Some(scene) = as_root() else { return };
    let before = ["env", "SUPERVISE_READY_TIMEOUT=30s", "SUPERVISE_HEALTH_INTERVAL=5s"];
    let mut container = Container::behind(&scene, &before, &[], "echo up; exec sleep 1000");
    container.init.expect("up");
    let status = container.status();
    assert_eq!((&status["readiness"], &status["health"]), (&Value::Null, &Value::Null), "{status}");
    assert_eq!(container.ctl(ROOT, &["status", "--check"]).exit, Exit::Code(0));
}

#[test]
fn what_checks_have_left_are_no_orphans_of_the_commands() {
    let Some(scene) = as_root() else { return };
    // Three that outlive it and are killed, one that has ended before, and in the middle of all an orphan of the command's.
    let check = "echo x >>checks; (sleep 1000 &); (sh -c 'sleep 1000 & sleep 1000' &); (true &); exit 0";
    let options = ["--health", check, "--health-interval", "50ms"];
    let script = "echo up; read line; (sh -c 'echo orphan; exec sleep 0' &); exec sleep 1000";
    let mut container = Container::saying("up", &scene, &options, script);
    let count = || std::fs::read_to_string(scene.folder().join("checks")).map_or(0, |text| text.lines().count());
    let checks = |more: usize| {
        let wanted = count() + more;
        scene.deadline.until("checks", || (count() >= wanted).then_some(()));
    };
    checks(5);
    assert_eq!(container.status()["orphans"], 0);
    container.init.go();
    container.init.expect("orphan");
    container.wait_until("the orphan", |status| status["orphans"] == 1);
    checks(5);
    assert_eq!(container.status()["orphans"], 1);
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn the_object_tells_why_a_check_fails_and_nothing_else_comes_to_stdout() {
    let Some(scene) = as_root() else { return };
    let container = Container::saying("begun", &scene, &["--ready", "file:up"], "echo begun; exec sleep 1000");
    let checked = |container: &Container<'_>, words: &[&str], code: i32| -> Value {
        let ended = container.ctl(ROOT, words);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(code), 0), "{words:?} {ended:?}");
        serde_json::from_str(&ended.stdout.join("\n")).expect("one object and nothing else")
    };
    for words in [&["status", "--json", "--check"], &["status", "--check", "--json"]] {
        let told = checked(&container, words, 1);
        assert_eq!((&told["state"], &told["readiness"]), (&"running".into(), &"not-ready".into()), "{told}");
    }
    std::fs::write(scene.folder().join("up"), "").expect("the folder is ours");
    container.wait_until("readiness", |status| status["readiness"] == "ready");
    assert_eq!(checked(&container, &["status", "--json", "--check"], 0)["readiness"], "ready");
    // What cannot be asked is no object.
    std::fs::remove_file(format!("/proc/{}/root/run/supervise/ctl", container.init.pid())).expect("it is there");
    container.is_refused(ROOT, &["status", "--json", "--check"], 125, "cannot reach process 1");
}
