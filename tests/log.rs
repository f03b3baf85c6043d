//! Log lines: none unless asked for, whole ones if any, and never in the payload's way.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use harness::launch::{EVERYWHERE, Place};
use harness::lines::Lines;
use harness::terminal::Terminal;
use harness::{Exit, Scene, proc};
use libc::{SIGPIPE, SIGUSR1, SIGWINCH};
use nix::fcntl::{FcntlArg, fcntl};
use serde_json::Value;

#[test]
fn each_event_is_told_with_its_cause_when_asked_for() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["-v"]);
        let mut init = launch.probe("block USR1, ready, await USR1, orphans 1, daemon wait end, exit 3").spawn();
        init.expect("ready");
        let main = proc::inner_pid(init.main_pid()).expect("it lives");
        init.signal(SIGUSR1);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(3));
        let all = ended.stderr.join("\n");
        assert!(ended.stderr.iter().all(|line| line.starts_with("supervise: ")), "{all}");
        for fact in ["started", &format!("{main}"), "SIGUSR1", "orphan", "SIGTERM", "code 3"] {
            assert!(all.contains(fact), "nothing of {fact:?} in\n{all}");
        }
        assert!(!all.contains("warning"), "{all}");
    }
}

#[test]
fn the_level_comes_from_the_option_or_else_from_the_environment() {
    let cases: [(&[&str], &str, bool); 10] = [
        (&[], "off", false),
        (&[], "error", false),
        (&[], "warn", false),
        (&[], "info", false),
        (&[], "debug", true),
        (&[], "trace", true),
        (&[], "DEBUG", true),
        (&["-v"], "off", true),
        (&["--verbose"], "error", true),
        (&["-v"], "trace", true),
    ];
    for (options, level, told) in cases {
        let scene = Scene::new();
        let launch = scene.supervise().options(options).env("SUPERVISE_LOG", level);
        let ended = launch.probe("exit 3").end();
        assert_eq!(ended.exit, Exit::Code(3));
        let said = ended.stderr.iter().any(|line| line.contains("started"));
        assert_eq!(said, told, "{options:?} {level}: {:?}", ended.stderr);
    }
}

#[test]
fn a_level_or_format_that_means_nothing_stops_nobody() {
    let scene = Scene::new();
    let ended = scene.supervise().env("SUPERVISE_LOG", "loud").probe("exit 3").end();
    assert_eq!(ended.exit, Exit::Code(3));
    assert_eq!(ended.stderr.len(), 1, "{:?}", ended.stderr);
    assert!(ended.stderr[0].starts_with("supervise: warning: SUPERVISE_LOG=loud: "), "{:?}", ended.stderr);
    let ended = scene.supervise().env("SUPERVISE_LOG_FORMAT", "loud").probe("exit 3").end();
    assert_eq!(ended.exit, Exit::Code(3));
}

/// Requires an object on every line, with the time, level and text that readers count on.
#[track_caller]
fn parse(lines: &[String]) -> Vec<Value> {
    let parse_one = |line: &String| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value["time"].is_number() && value["level"].is_string() && value["message"].is_string(), "{line}");
        value
    };
    lines.iter().map(parse_one).collect()
}

#[test]
fn json_lines_are_objects_with_what_happened() {
    for from_environment in [false, true] {
        let scene = Scene::new();
        let launch = match from_environment {
            true => scene.supervise().env("SUPERVISE_LOG_FORMAT", "json").env("SUPERVISE_LOG", "debug"),
            false => scene.supervise().options(&["--log-format", "json", "--verbose"]),
        };
        let mut init = launch.probe("block USR1, ready, await USR1, fork setsid wait end, die TERM").spawn();
        init.expect("ready");
        let main = init.main_pid();
        init.signal(SIGUSR1);
        let events = parse(&init.end().stderr);
        let of = |name: &str| events.iter().find(|event| event["event"] == name);
        assert_eq!(of("started").map(|event| &event["pid"]), Some(&main.into()), "{events:#?}");
        assert_eq!(of("signal").map(|event| &event["signal"]), Some(&SIGUSR1.into()), "{events:#?}");
        assert_eq!(of("signal").map(|event| &event["pid"]), Some(&std::process::id().into()), "{events:#?}");
        assert!(events.iter().any(|event| event["pid"] == main && event["signal"] == 15), "{events:#?}");
    }
}

/// Links to the probe under names that a careless log line breaks on.
fn strange_names(scene: &Scene) -> Vec<PathBuf> {
    let mut names: Vec<Vec<u8>> =
        [&b"quote\"back\\slash"[..], b"two\nlines", b"tab\tbell\x07\x1b[31mred", b"\xff\xfe", b"\xe2\x82"]
            .map(<[u8]>::to_vec)
            .to_vec();
    names.push("\u{2028}\u{1f980}\u{7f}".into());
    names.push(vec![b'n'; 255]);
    names.push([b'"'; 255].to_vec());
    names.push("\u{20ac}".repeat(85).into());
    let link = |name: Vec<u8>| {
        let path = scene.folder().join(std::ffi::OsStr::from_bytes(&name));
        std::os::unix::fs::symlink(harness::probe(), &path).expect("the name is new");
        path
    };
    let mut paths: Vec<PathBuf> = names.into_iter().map(link).collect();
    // Longer than any line: the same place by a long way.
    paths.push(PathBuf::from(format!("{}{}", "/./".repeat(1200), harness::probe().display())));
    paths
}

#[test]
fn a_commands_name_breaks_no_line() {
    let scene = Scene::new();
    for path in strange_names(&scene) {
        let words = [path.as_os_str(), "exit".as_ref(), "3".as_ref()];
        let ended = scene.supervise().options(&["-v", "--log-format", "json"]).argv(&words).end();
        assert_eq!(ended.exit, Exit::Code(3), "{path:?}: {:?}", ended.stderr);
        assert_eq!(parse(&ended.stderr).len(), ended.stderr.len());

        let ended = scene.supervise().options(&["-v"]).argv(&words).end();
        assert!(ended.stderr.iter().all(|line| line.starts_with("supervise: ")), "{:?}", ended.stderr);
        assert!(!ended.stderr.iter().any(|line| line.chars().any(|c| c.is_control())), "{:?}", ended.stderr);
    }
}

#[test]
fn a_failure_is_json_too_where_that_is_asked_for() {
    let scene = Scene::new();
    let launch = scene.supervise().options(&["--log-format", "json"]);
    let ended = launch.argv(&["/nonexistent\"\n\u{1}\\"]).end();
    assert_eq!(ended.exit, Exit::Code(127));
    assert_eq!(parse(&ended.stderr)[0]["level"], "error");
}

/// A pipe that takes no byte more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("descriptors are left");
    let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).expect("it is a pipe");
    writer.write_all(&vec![b'.'; usize::try_from(size).expect("a size")]).expect("it has the room");
    (reader, writer)
}

/// Something that takes no byte more, and what keeps it open.
fn full_things() -> Vec<(&'static str, OwnedFd, Box<dyn std::any::Any>)> {
    let (reader, writer) = full_pipe();
    let (near, mut far) = UnixStream::pair().expect("descriptors are left");
    far.set_nonblocking(true).expect("it is ours");
    while far.write(&[b'.'; 4096]).is_ok() {}
    far.set_nonblocking(false).expect("it is ours");
    let device = File::options().write(true).open("/dev/full").expect("every Linux has it");
    vec![
        ("a pipe", writer.into(), Box::new(reader)),
        ("a socket", far.into(), Box::new(near)),
        ("a full device", device.into(), Box::new(())),
    ]
}

#[test]
fn what_takes_no_line_holds_nobody_up() {
    for place in [Place::Child, Place::Pid1] {
        for (name, stderr, _reader) in full_things() {
            let scene = Scene::new();
            let launch = scene.supervise().place(place).options(&["-v"]).adjust(move |command| command.stderr(stderr));
            let ended = launch.probe("orphans 100, fork setsid wait end, exit 5").end();
            assert_eq!(ended.exit, Exit::Code(5), "{name} {place:?}");
        }
    }
}

#[test]
fn a_failure_that_nobody_can_be_told_of_is_still_a_code() {
    for (name, stderr, _reader) in full_things() {
        let scene = Scene::new();
        let launch = scene.supervise().adjust(move |command| command.stderr(stderr));
        assert_eq!(launch.argv(&["/nonexistent"]).end().exit, Exit::Code(127), "{name}");
    }
    for (name, stderr, _reader) in full_things() {
        let scene = Scene::new();
        let launch = scene.supervise().options(&["--no-such-option"]).adjust(move |command| command.stderr(stderr));
        assert_eq!(launch.argv(&["true"]).end().exit, Exit::Code(125), "{name}");
    }
}

#[test]
fn a_terminal_whose_output_is_held_holds_nobody_up() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let stderr = terminal.slave();
    // Ctrl-S, by which a user stops the output to read it.
    terminal.press("\x13");
    let launch = scene.supervise().options(&["-v"]).adjust(move |command| command.stderr(stderr));
    assert_eq!(launch.probe("orphans 100, exit 5").end().exit, Exit::Code(5));
}

#[test]
fn lines_are_dropped_whole_and_come_again_when_there_is_room() {
    let scene = Scene::new();
    let (mut reader, writer) = full_pipe();
    let launch = scene.supervise().options(&["-v"]).adjust(move |command| command.stderr(writer));
    let mut init = launch.probe("report-until WINCH").spawn();
    init.expect("ready");
    init.signal(SIGUSR1);
    assert!(init.line().starts_with("got 10 "));
    // One byte of room: too little for a line, and more than none.
    reader.read_exact(&mut [0]).expect("it is full");
    init.signal(SIGUSR1);
    assert!(init.line().starts_with("got 10 "));
    let mut filler = vec![0; 65535];
    reader.read_exact(&mut filler).expect("it is full");
    init.signal(SIGWINCH);
    assert_eq!(init.end().exit, Exit::Code(0));
    let lines = Lines::new(reader.into(), scene.deadline).rest();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_start_matches('.')).collect();
    assert!(lines.iter().any(|line| line.contains("SIGWINCH")), "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("supervise: ")), "{lines:?}");
}

/// The line of `status` about a descriptor.
fn descriptor(lines: &[String], fd: i32) -> Option<&str> {
    lines.iter().find_map(|line| line.strip_prefix(&format!("fd {fd} flags "))?.split(' ').next())
}

#[test]
fn the_payloads_stderr_keeps_its_flags_and_gets_the_lines() {
    let scene = Scene::new();
    let terminal = Terminal::open(&scene);
    let file = scene.folder().join("file");
    let (near, far) = UnixStream::pair().expect("descriptors are left");
    let (reader, writer) = std::io::pipe().expect("descriptors are left");
    let append = File::options().append(true).create(true).open(&file).expect("the folder is ours");
    let kinds: Vec<(&str, OwnedFd)> = vec![
        ("terminal", terminal.slave().into()),
        ("file", append.into()),
        ("socket", far.into()),
        ("pipe", writer.into()),
        ("null", File::options().write(true).open("/dev/null").expect("every Linux has it").into()),
    ];
    for (name, stderr) in kinds {
        let before = fcntl(&stderr, FcntlArg::F_GETFL).expect("it is open");
        let launch = scene.supervise().options(&["-v"]).adjust(move |command| command.stderr(stderr));
        // Late enough for lines to have been written before.
        let mut init = launch.probe("orphans 20, block USR1, ready, await USR1, status").spawn();
        init.expect("ready");
        init.signal(SIGUSR1);
        let status = init.stdout().rest();
        assert_eq!(descriptor(&status, 2), Some(format!("{before:#o}").as_str()), "{name}");
        assert_eq!(init.wait(), Exit::Code(0), "{name}");
    }
    let lines = |fd: OwnedFd| Lines::new(fd, scene.deadline).rest();
    let file = File::open(file).expect("it was written");
    for (name, lines) in [("file", lines(file.into())), ("socket", lines(near.into())), ("pipe", lines(reader.into()))]
    {
        assert!(lines.iter().any(|line| line.contains("started")), "{name}: {lines:?}");
        assert!(lines.iter().all(|line| line.starts_with("supervise: ")), "{name}: {lines:?}");
    }
}

#[test]
fn a_reader_that_is_gone_costs_the_payload_no_signal() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let (reader, writer) = std::io::pipe().expect("descriptors are left");
        let launch = scene.supervise().place(place).options(&["-v"]).adjust(move |command| command.stderr(writer));
        let mut init = launch.probe("orphans 5, tally-until WINCH, exit 3").spawn();
        drop(reader);
        init.expect("ready");
        for _ in 0..5 {
            init.signal(SIGUSR1);
        }
        init.signal(SIGWINCH);
        let tally = init.line();
        assert!(!tally.contains(&format!("{SIGPIPE}=")), "{place:?}: {tally}");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_file_that_may_not_grow_costs_the_payload_no_signal() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let file = File::create(scene.folder().join("log")).expect("the folder is ours");
        let limit = format!("limit {} 0 0", libc::RLIMIT_FSIZE);
        let launch = scene.supervise().place(place).options(&["-v"]).entered_with(&limit);
        let mut init = launch.adjust(move |command| command.stderr(file)).probe("tally-until WINCH, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGUSR1);
        init.signal(SIGWINCH);
        let tally = init.line();
        assert!(!tally.contains(&format!("{}=", libc::SIGXFSZ)), "{place:?}: {tally}");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_closed_stderr_is_no_reason_to_fail() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["-v"]).entered_with("close 2");
        let ended = launch.probe("orphans 5, say alive, exit 3").end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(3), vec!["alive".to_owned()]), "{place:?}");
    }
}

#[test]
fn nothing_of_ours_is_on_the_payloads_stdout() {
    let scene = Scene::new();
    let ended = scene.supervise().options(&["-v"]).probe("orphans 5, fork setsid wait end, exit 3").end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(3), vec![]));
    let ended = scene.supervise().argv(&["/nonexistent"]).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(127), vec![]));
}
