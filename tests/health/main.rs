//! Health checks: of what, how often, what too many failures lead to, and that none is in the way of anything.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
#[path = "../harness/mod.rs"]
mod harness;
mod meanwhile;
mod stuck;

use std::fs;
use std::net::TcpListener;

use harness::launch::{EVERYWHERE, Launch, Place, WAYS};
use harness::running::{Running, refused};
use harness::slow::python;
use harness::waiting::all_is_killed;
use harness::{Exit, Scene, free_port, proc, send};
use libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM};

/// As often as a test wants.
const OFTEN: &[&str] = &["--health-interval", "20ms"];

/// A program with this check, which may write into the scene's folder: it is where all of it runs.
fn checked<'s>(scene: &'s Scene, place: Place, check: &str, options: &[&str]) -> Launch<'s> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(scene.folder(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let inside = format!("cd {} && exec \"$@\"", scene.folder().display());
    let launch = scene.supervise().place(place).options(&["--health", check]).options(OFTEN).options(options);
    launch.behind(&["sh", "-c", &inside, "sh"])
}

/// A shell that counts its lives, and is told to end by the end of its stdin.
const COUNTS: &str = "echo x >>lives; echo life $(($(wc -l <lives))); ";

fn shell(then: &str) -> [String; 3] {
    ["sh".into(), "-c".into(), format!("{COUNTS}{then}")]
}

fn waits() -> [String; 3] {
    shell("exec sleep 1000")
}

/// A check that fails as soon as this life of a shell has got so far as to say so: what is not written yet is no process,
/// and neither is a former life.
const ILL_WHEN_UP: &str = "! kill -0 \"$(cat up)\" 2>/dev/null";
const UP: &str = "echo $$ >up; ";

fn touch(scene: &Scene, name: &str) {
    fs::write(scene.folder().join(name), "").expect("the folder is ours");
}

fn remove(scene: &Scene, name: &str) {
    fs::remove_file(scene.folder().join(name)).expect("it is there");
}

/// Nothing is left, and the dead are buried.
#[track_caller]
fn is_alone(scene: &Scene, init: &Running<'_>) {
    let main = init.main_pid();
    scene.deadline.until("the end of all checks", || (proc::children(init.pid()) == [main]).then_some(()));
}

/// Answers with what the file `status` says.
const SERVER: &str = "
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try: status = int(open('status').read())
        except FileNotFoundError: status = 200
        self.send_response(status)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
print('listens', flush=True)
server.serve_forever()
";

#[test]
fn a_server_that_begins_to_fail_is_started_again() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let port = free_port().to_string();
        let check = format!("http://127.0.0.1:{port}/health");
        let launch = checked(&scene, place, &check, &["--health-retries", "2", "--health-start-period", "1h"]);
        let mut init = launch.argv(&[python(), "-c", SERVER, &port]).spawn();
        init.expect("listens");
        init.wait_until_said(&["the command is healthy"]);
        let first = init.main_pid();
        // All at once: the server may be reading it.
        fs::write(scene.folder().join("next"), "500").expect("the folder is ours");
        fs::rename(scene.folder().join("next"), scene.folder().join("status")).expect("the folder is ours");
        let line = init.wait_until_said(&["health check"]);
        assert!(line.contains(&format!("{check} has failed (1 of 2): status 500")), "{line}");
        init.wait_until_said(&["has failed (2 of 2): status 500"]);
        init.wait_until_said(&["the command is not healthy; checks that have failed in a row: 2"]);
        remove(&scene, "status");
        init.wait_until_said(&["the command was not healthy; starting it again in"]);
        init.expect("listens");
        init.wait_until_said(&["the command is healthy"]);
        assert_ne!(init.main_pid(), first);
        init.signal(SIGTERM);
        let exit = if place == Place::Child { Exit::Signal(SIGTERM) } else { Exit::Code(128 + SIGTERM) };
        assert_eq!(init.wait(), exit, "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_redis_that_is_stopped_does_not_answer_and_is_started_again() {
    let scene = Scene::new();
    let port = free_port().to_string();
    let check = format!("redis-cli -p {port} ping");
    let options = ["--health-timeout", "3s", "--health-retries", "2", "--health-start-period", "1h"];
    let launch = checked(&scene, Place::Pid1, &check, &options);
    let mut init = launch.argv(&["redis-server", "--port", &port, "--save", "", "--bind", "127.0.0.1"]).spawn();
    init.wait_until_said(&["the command is healthy"]);
    let first = init.main_pid();
    send(first, SIGSTOP, 1);
    let line = init.wait_until_said(&["health check"]);
    assert!(line.contains("has failed (1 of 2): it had not ended within 3s"), "{line}");
    // It is continued, and so can end as it does when it is told to.
    init.wait_until_said(&["the command was not healthy; starting it again"]);
    init.wait_until_said(&["the command is healthy"]);
    assert_ne!(init.main_pid(), first);
    is_alone(&scene, &init);
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Code(0));
    scene.nothing_is_left();
}

#[test]
fn what_is_to_follow_is_what_the_option_says_and_the_code_is_the_truth() {
    // What main makes of a stop, and what supervise ends with: never a success.
    let cases = [
        ("trap 'exit 7' TERM", Exit::Code(7), Exit::Code(7)),
        ("trap 'exit 0' TERM", Exit::Code(1), Exit::Code(1)),
        ("trap - TERM", Exit::Signal(SIGTERM), Exit::Code(128 + SIGTERM)),
    ];
    for place in EVERYWHERE {
        for (does, as_child, as_pid_1) in cases {
            let scene = Scene::new();
            let options = ["--health-action", "stop", "--health-retries", "1", "--restart", "always"];
            let main = shell(&format!("{does}; {UP} while :; do sleep 1000 & wait; done"));
            let ended = checked(&scene, place, ILL_WHEN_UP, &options).argv(&main).end();
            let exit = if place == Place::Child { as_child } else { as_pid_1 };
            assert_eq!((ended.exit, ended.stdout.len()), (exit, 1), "{place:?} {does} {ended:?}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn who_is_not_healthy_can_be_left_alone_and_recover() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = checked(&scene, place, "test -e well", &["--health-retries", "2"]);
        let mut init = launch.given(by, "health-action", "ignore").argv(&waits()).spawn();
        for _ in 0..3 {
            init.wait_until_said(&["the command is not healthy; checks that have failed in a row: 2"]);
            touch(&scene, "well");
            init.wait_until_said(&["the command is healthy"]);
            remove(&scene, "well");
        }
        init.expect("life 1");
        init.signal(SIGTERM);
        let ended = init.end();
        assert!(ended.stdout.is_empty(), "{place:?} {ended:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn without_restarts_it_is_started_again_where_it_is_not_healthy_and_only_there() {
    for restart in [&[][..], &["--restart", "no"]] {
        let scene = Scene::new();
        touch(&scene, "well");
        let options = [&["--health-retries", "1"], restart].concat();
        let main = shell("read line; exit 9");
        let mut init = checked(&scene, Place::Child, "test -e well", &options).argv(&main).spawn();
        init.expect("life 1");
        init.wait_until_said(&["the command is healthy"]);
        remove(&scene, "well");
        init.wait_until_said(&["starting it again"]);
        touch(&scene, "well");
        // It may have been found ill once more before, and even before it had said a word.
        init.wait_until_said(&["the command is healthy"]);
        assert!(init.line().starts_with("life "));
        init.go();
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(9), "{ended:?}");
    }
}

#[test]
fn the_limit_of_restarts_holds_for_these_too() {
    let scene = Scene::new();
    let options = ["--health-retries", "1", "--restart-limit", "2/1h"];
    let main = shell(&format!("{UP} exec sleep 1000"));
    let ended = checked(&scene, Place::Child, ILL_WHEN_UP, &options).argv(&main).end();
    assert_eq!((ended.exit, ended.stdout.len()), (Exit::Signal(SIGTERM), 3), "{ended:?}");
    assert!(ended.stderr.last().is_some_and(|line| line.contains("was not healthy, after 2 restarts")), "{ended:?}");
}

#[test]
fn failures_do_not_count_before_the_first_success_within_the_start_period() {
    let scene = Scene::new();
    let options = ["-v", "--health-retries", "1", "--health-start-period", "1h"];
    let mut init = checked(&scene, Place::Child, "test -e well", &options).argv(&waits()).spawn();
    for _ in 0..5 {
        init.wait_until_said(&["has failed, which does not count"]);
    }
    touch(&scene, "well");
    init.wait_until_said(&["the command is healthy"]);
    remove(&scene, "well");
    init.wait_until_said(&["has failed (1 of 1)"]);
    init.wait_until_said(&["starting it again"]);
    init.signal(SIGTERM);
    init.wait();
    scene.nothing_is_left();
}

/// So many checks have begun.
fn begun(scene: &Scene, count: usize) {
    let file = scene.folder().join("begun");
    let lines = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    scene.deadline.until("a check", || (lines() >= count).then_some(()));
}

/// Checks that hang in their own ways. Each says when it has begun.
const HANGS: [&str; 4] = [
    "echo begun >>begun; exec sleep 1000",
    "echo begun >>begun; sleep 1000 | sleep 1000",
    "trap '' TERM INT HUP; echo begun >>begun; while :; do sleep 1000; done",
    "echo begun >>begun; kill -STOP $$",
];

#[test]
fn a_check_that_hangs_has_failed_and_is_killed_with_all_that_it_has_started() {
    for check in HANGS {
        let scene = Scene::new();
        let options = ["--health-timeout", "100ms", "--health-retries", "2", "--health-action", "ignore"];
        let mut init = checked(&scene, Place::Pid1, check, &options).argv(&waits()).spawn();
        let line = init.wait_until_said(&["health check"]);
        assert!(line.contains("has failed (1 of 2): it had not ended within 100ms"), "{line}");
        init.wait_until_said(&["the command is not healthy"]);
        init.signal(SIGTERM);
        assert_eq!(init.wait(), Exit::Code(128 + SIGTERM));
        scene.nothing_is_left();
    }
}

#[test]
fn a_daemon_that_a_check_leaves_is_one_of_what_is_left_and_its_group_is_killed() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // What stays in the check's group has no business there any more; what leaves it is a daemon.
        // It says that it is there when it has left: the check may have ended by then.
        let check =
            "sleep 1234 & [ -e daemon ] || setsid -f sh -c ': >daemon; exec sleep 4321' </dev/null >/dev/null 2>&1";
        let mut init = checked(&scene, place, check, &[]).argv(&waits()).spawn();
        init.expect("life 1");
        init.wait_until_said(&["the command is healthy"]);
        let main = init.main_pid();
        let sleeps = || {
            let words = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            scene.marked().iter().map(words).filter(|words| words.starts_with("sleep")).collect::<Vec<_>>()
        };
        // One check follows another.
        scene.deadline.until("the end of what checks leave", || {
            let sleeps = sleeps();
            (sleeps.iter().any(|words| words.contains("4321")) && !sleeps.iter().any(|words| words.contains("1234")))
                .then_some(())
        });
        assert_eq!(init.main_pid(), main);
        init.signal(SIGTERM);
        init.wait();
        scene.nothing_is_left();
    }
}

#[test]
fn a_check_runs_as_a_hook_does_with_the_commands_variables() {
    let scene = Scene::new();
    let check = "echo $(pwd) $OURS $ITS ${SUPERVISE_HEALTH-none} $(id -u) >facts.new && mv facts.new facts";
    let launch = checked(&scene, Place::Pid1, check, &["--env", "ITS=2", "--workdir", "/", "--user", "65534"]);
    let mut init = launch.env("OURS", "1").argv(&["sleep", "1000"]).spawn();
    init.wait_until_said(&["the command is healthy"]);
    let facts = fs::read_to_string(scene.folder().join("facts")).expect("it was written");
    assert_eq!(facts, format!("{} 1 2 none 0\n", scene.folder().display()));
    init.signal(SIGTERM);
    init.wait();
}

#[test]
fn every_kind_of_target_can_be_looked_at() {
    let scene = Scene::new();
    let port = free_port();
    let there = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    let socket = scene.folder().join("socket");
    let listens = std::os::unix::net::UnixListener::bind(&socket).expect("the folder is ours");
    touch(&scene, "file");
    let targets =
        [format!("tcp:127.0.0.1:{port}"), format!("unix:{}", socket.display()), "file:file".into(), "exec:true".into()];
    for target in &targets {
        let mut init = checked(&scene, Place::Child, target, &[]).argv(&["sleep", "1000"]).spawn();
        init.wait_until_said(&["the command is healthy"]);
        init.signal(SIGTERM);
        init.wait();
    }
    drop((there, listens));
    remove(&scene, "file");
    for target in &targets[..3] {
        let options = ["--health-retries", "1", "--health-action", "stop"];
        let ended = checked(&scene, Place::Child, target, &options).argv(&["sleep", "1000"]).end();
        assert_eq!(ended.exit, Exit::Signal(SIGTERM), "{target} {ended:?}");
    }
}

#[test]
fn nothing_is_done_between_two_checks() {
    let scene = Scene::new();
    let log = scene.folder().join("calls");
    let options = ["--health-interval", "50ms"];
    let launch = checked(&scene, Place::Child, "file:/", &options).traced(&log, &[]);
    let mut init = launch.argv(&["sleep", "1000"]).spawn();
    init.wait_until_said(&["the command is healthy"]);
    let calls = || fs::read_to_string(&log).unwrap_or_default();
    let starts = |calls: &str| calls.lines().filter(|line| line.starts_with("clone(")).count();
    scene.deadline.until("ten checks", || (starts(&calls()) > 11).then_some(()));
    init.signal(SIGTERM);
    init.wait();
    let calls = calls();
    // From the second check on: all that is done is looked at once.
    let checks: Vec<&str> = calls.split("\nclone(").skip(3).take(8).collect();
    assert_eq!(checks.len(), 8, "{calls}");
    for check in checks {
        let waits = check.matches("rt_sigtimedwait(").count();
        // For its end, and for the next one.
        assert_eq!(waits, 2, "{check}");
        let lines = check.lines().count();
        assert!(lines <= 16, "{lines} calls: {check}");
    }
}

#[test]
fn what_looks_after_the_command_takes_little_memory() {
    let scene = Scene::new();
    let options = ["--restart", "always"];
    let mut init = checked(&scene, Place::Pid1, "echo x >>begun", &options).argv(&waits()).spawn();
    begun(&scene, 20);
    send(init.main_pid(), SIGKILL, 1);
    init.wait_until_said(&["starting it again"]);
    begun(&scene, 60);
    // With debugging information and without optimization; the release's figure is in benches. While a check is started
    // and reaped it is more.
    let resident = || proc::status(init.pid(), "VmRSS")?.split(' ').next()?.parse::<u64>().ok();
    scene.deadline.until("at most 1 MB between two checks", || resident().filter(|kilobytes| *kilobytes <= 1024));
}

#[test]
fn many_checks_leave_nothing() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = checked(&scene, place, "echo x >>begun; (exit 3) & [ -e well ]", &["--health-action", "ignore"]);
        let mut init = launch.options(&["--health-interval", "1ms"]).argv(&waits()).spawn();
        begun(&scene, 10);
        let before = proc::descriptors(init.pid());
        begun(&scene, 200);
        assert_eq!(proc::descriptors(init.pid()), before, "{place:?}");
        // All that are there now end: they are not dead already.
        let first = proc::children(init.pid());
        scene.deadline.until("other children", || {
            let main = init.main_pid();
            proc::children(init.pid()).iter().all(|child| *child == main || !first.contains(child)).then_some(())
        });
        init.signal(SIGTERM);
        init.wait();
        scene.nothing_is_left();
    }
}

#[test]
fn short_lives_with_checks_leave_nothing() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let options = ["--restart", "always", "--restart-delay", "0", "--health-interval", "1ms"];
        let main = ["sh", "-c", "[ -e hold ] && { echo held; read line; }; sleep 0.01"];
        let check = "echo x >>begun; sleep 0.005";
        let mut init = checked(&scene, place, check, &options).argv(&main).spawn();
        let mut open = Vec::new();
        for restart in [20, 300] {
            init.wait_until_said(&[&format!("(restart {restart})")]);
            touch(&scene, "hold");
            init.expect("held");
            // What comes after it has begun shows that its start is over.
            let count = fs::read_to_string(scene.folder().join("begun")).unwrap_or_default().lines().count();
            begun(&scene, count + 2);
            open.push(proc::descriptors(init.pid()));
            // Main, and at most one check.
            scene.deadline.until("the end of others", || (proc::children(init.pid()).len() <= 2).then_some(()));
            remove(&scene, "hold");
            if restart == 20 {
                init.go();
            }
        }
        assert_eq!(open[0], open[1], "{place:?}");
        init.signal(SIGTERM);
        init.wait();
        all_is_killed(&scene);
    }
}

#[test]
fn somebody_who_stops_or_kills_a_check_makes_it_fail() {
    let scene = Scene::new();
    let options = ["--health-timeout", "1h", "--health-retries", "1", "--health-action", "ignore"];
    let mut init = checked(&scene, Place::Child, HANGS[0], &options).argv(&waits()).spawn();
    init.expect("life 1");
    begun(&scene, 1);
    let main = init.main_pid();
    let prober = proc::children(init.pid()).into_iter().find(|pid| *pid != main).expect("it runs");
    send(prober, SIGSTOP, 1);
    scene.deadline.until("the stop", || (proc::state(prober) == Some('T')).then_some(()));
    send(prober, SIGCONT, 1);
    send(prober, SIGKILL, 1);
    init.wait_until_said(&["the command is not healthy"]);
    begun(&scene, 2);
    init.signal(SIGTERM);
    init.wait();
    all_is_killed(&scene);
}

#[test]
fn a_check_that_is_misspelt_fails_and_says_so() {
    for (check, why) in [
        ("no-such-program", "it ended with code 127: a program in it was not found"),
        ("exec:no-such-program", "it ended with code 127: a program in it was not found"),
        ("exec:/etc/passwd", "it ended with code 126: a program in it cannot be executed"),
    ] {
        let scene = Scene::new();
        let options = ["--health-retries", "1", "--health-action", "stop"];
        let mut init = checked(&scene, Place::Child, check, &options).argv(&waits()).spawn();
        let line = init.wait_until_said(&["has failed (1 of 1)"]);
        assert!(line.contains(check) && line.ends_with(why), "{line}");
        assert_eq!(init.wait(), Exit::Signal(SIGTERM), "{check}");
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_wrong_with_the_words_is_said() {
    let cases: [(&[&str], &[&str]); 11] = [
        (&["--health", "tcp:db"], &["--health tcp:db: no port is named"]),
        (&["--health", "https://web/"], &["--health https://web/: supervise speaks no TLS"]),
        (&["--health", " "], &["no command is named"]),
        (&["--health", "exec:"], &["no command is named"]),
        (&["--health", "true", "--health-interval", "0"], &["--health-interval 0: a check needs some time; say 30s"]),
        (&["--health", "true", "--health-timeout", "0"], &["--health-timeout 0: a check needs some time"]),
        (&["--health", "true", "--health-timeout", "5"], &["\"5\" is no time", "5s"]),
        (&["--health", "true", "--health-retries", "0"], &["--health-retries 0: say how many failures", "like 3"]),
        (&["--health", "true", "--health-retries", "+1"], &["say how many failures"]),
        (&["--health", "true", "--health-action", "reboot"], &["restart|stop|ignore"]),
        (&["--health-retries", "2"], &["--health-retries is about health checks, and there are none", "--health http"]),
    ];
    for (options, words) in cases {
        let scene = Scene::new();
        refused(&scene.supervise().options(options).argv(&["true"]).end(), words);
    }
    // One that a variable gives may be meant for whoever has checks.
    let scene = Scene::new();
    let ended = scene.supervise().env("SUPERVISE_HEALTH_RETRIES", "2").argv(&["true"]).end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    // Those of restarts are about these ones too.
    let scene = Scene::new();
    let options = ["--health", "true", "--restart-delay", "1s"];
    assert_eq!(scene.supervise().options(&options).argv(&["true"]).end().exit, Exit::Code(0));
    let options = ["--health", "true", "--health-action", "stop", "--restart-delay", "1s"];
    refused(&scene.supervise().options(&options).argv(&["true"]).end(), &["--restart-delay is about restarts"]);
}
