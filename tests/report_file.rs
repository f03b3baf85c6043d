//! Where the exit report goes: into the file as it is there, whatever file that is, and with no trace in the command.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use harness::launch::{By, EVERYWHERE, Launch, Place, WAYS};
use harness::running::Ended;
use harness::{Exit, Scene, skip};
use libc::SIGTERM;

/// supervise with a report into that file.
fn reporting<'s>(scene: &'s Scene, place: Place, file: &Path) -> Launch<'s> {
    scene.supervise().place(place).options(&["--exit-report", file.to_str().expect("made by us")])
}

/// A file in the folder, with that in it, which everybody may write to.
fn file_with(scene: &Scene, name: &str, content: &str) -> PathBuf {
    let path = scene.folder().join(name);
    fs::write(&path, content).expect("the folder is ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("the file is ours");
    path
}

/// Whether that is one whole report of a main that ended with 3.
#[track_caller]
fn expect_report(text: &str) {
    let report: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert_eq!(report["main"]["code"], 3, "{text}");
    assert!(text.ends_with("}\n"), "{text:?}");
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

/// Requires a warning, and that all went on as without a report.
#[track_caller]
fn expect_warning(ended: &Ended, words: &[&str]) {
    assert_eq!((ended.exit, ended.stdout.as_slice()), (Exit::Code(3), &["started".to_owned()][..]), "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    let line = &ended.stderr[0];
    assert!(line.starts_with("supervise: warning: cannot write the exit report to "), "{line}");
    words.iter().for_each(|word| assert!(line.contains(word), "nothing of {word:?} in {line:?}"));
}

#[test]
fn what_the_file_held_is_replaced_in_place_at_the_end() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let old = "old\n".repeat(10_000);
        let path = file_with(&scene, "report", &old);
        let other_name = scene.folder().join("other-name");
        fs::hard_link(&path, &other_name).expect("both are in one folder");
        let before = fs::metadata(&path).expect("it is there");
        let launch = scene.supervise().place(place).given(by, "exit-report", path.to_str().expect("made by us"));
        let mut init = launch.probe("ready, read, exit 3").spawn();
        init.expect("ready");
        // Somebody may still want to read it.
        assert!(content(&path) == old, "{place:?}: touched before the end");
        init.go();
        assert_eq!(init.wait(), Exit::Code(3));
        let after = fs::metadata(&path).expect("it is there");
        assert_eq!((before.ino(), before.mode(), before.uid()), (after.ino(), after.mode(), after.uid()), "{place:?}");
        expect_report(&content(&other_name));
    }
}

#[test]
fn a_file_that_is_not_there_is_made() {
    let scene = Scene::new();
    let path = scene.folder().join("new");
    assert_eq!(reporting(&scene, Place::Child, &path).probe("exit 3").end().exit, Exit::Code(3));
    expect_report(&content(&path));
    assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o133, 0, "nobody else may write to it or run it");
}

#[test]
fn a_mounted_file_and_a_link_are_written_through() {
    let scene = Scene::new();
    let target = file_with(&scene, "target", "");
    let link = scene.folder().join("link");
    symlink(&target, &link).expect("the name is free");
    assert_eq!(reporting(&scene, Place::Child, &link).probe("exit 3").end().exit, Exit::Code(3));
    expect_report(&content(&target));
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    // As Kubernetes mounts /dev/termination-log: a file over a file, in the container's own mount namespace.
    for place in [Place::Pid1, Place::UserPid1] {
        let log = file_with(&scene, "log", &"x".repeat(5000));
        let point = file_with(&scene, "point", "");
        let [log_name, point_name] = [&log, &point].map(|path| path.to_str().expect("made by us"));
        let mount = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        let launch = reporting(&scene, place, &point).behind(&["sh", "-c", mount, "sh", log_name, point_name]);
        let ended = launch.probe("exit 3").end();
        assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
        expect_report(&content(&log));
        assert_eq!(content(&point), "", "{place:?}");
    }
}

#[test]
fn a_relative_name_means_the_folder_where_we_were_started() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let path = file_with(&scene, "relative", "");
        let folder = scene.folder().to_owned();
        let launch = scene.supervise().place(place).given(by, "exit-report", "relative");
        let launch = launch.adjust(move |command| command.current_dir(folder));
        let ended = launch.probe("chdir /usr, exit 3").end();
        assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
        expect_report(&content(&path));
    }
}

#[test]
fn a_full_device_costs_a_warning_and_not_the_code() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let ended = reporting(&scene, place, Path::new("/dev/full")).probe("say started, exit 3").end();
        expect_warning(&ended, &["/dev/full", "no space left"]);
    }
}

#[test]
fn a_limit_on_files_costs_no_more() {
    let scene = Scene::new();
    // RLIMIT_FSIZE, whose signal would kill.
    let path = file_with(&scene, "report", "old");
    let launch = reporting(&scene, Place::Child, &path).entered_with("limit 1 10 10");
    expect_warning(&launch.probe("say started, exit 3").end(), &["file too large"]);
    // What is not whole is not there at all: half an object would be worse than none.
    assert_eq!(content(&path), "");
}

#[test]
fn what_is_no_place_for_a_report_starts_nothing() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let fifo = scene.folder().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("the name is free");
        fs::set_permissions(&fifo, fs::Permissions::from_mode(0o666)).expect("it is ours");
        let beneath_a_file = file_with(&scene, "file", "").join("report");
        let cases = [
            (scene.folder().to_owned(), "is a directory"),
            (scene.folder().join("no/such/folder/report"), "no such file"),
            (beneath_a_file, "not a directory"),
            (fifo, "no such device or address"),
            (PathBuf::from("/proc/no-such-file"), ""),
            (PathBuf::from("n".repeat(300)), "name too long"),
        ];
        for (path, why) in cases {
            let ended = reporting(&scene, place, &path).probe("say started, exit 3").end();
            assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(125), 0), "{place:?} {ended:?}");
            assert_eq!(ended.stderr.len(), 1, "{ended:?}");
            let line = &ended.stderr[0];
            assert!(line.starts_with("supervise: cannot write an exit report to "), "{line}");
            assert!(line.contains(why) && line.ends_with("nothing was started"), "{line}");
        }
    }
}

#[test]
fn a_file_that_is_not_ours_to_write_to_starts_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root has files that its other users cannot write to");
    }
    let scene = Scene::new();
    let path = file_with(&scene, "read-only", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("it is ours");
    for path in [path.clone(), scene.folder().join("new")] {
        let ended = reporting(&scene, Place::UserPid1, &path).probe("say started, exit 3").end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(125), 0), "{ended:?}");
        assert!(ended.stderr[0].contains("permission denied"), "{ended:?}");
    }
    assert_eq!(content(&path), "old");
}

#[test]
fn a_pipe_that_somebody_reads_gets_it_too() {
    let scene = Scene::new();
    let (path, mut lines) = scene.fifo("pipe");
    assert_eq!(reporting(&scene, Place::Child, &path).probe("exit 3").end().exit, Exit::Code(3));
    expect_report(&(lines.next().expect("it was written") + "\n"));
}

#[test]
fn the_command_inherits_nothing_of_it() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let path = file_with(&scene, "report", "");
        let descriptors = |launch: Launch| {
            let status = launch.probe("status").end().stdout;
            let lines = status.iter().filter_map(|line| line.strip_prefix("fd "));
            // What they lead to has a number of its own each time.
            lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let with = descriptors(reporting(&scene, place, &path));
        assert_eq!(with, descriptors(scene.supervise().place(place)), "{place:?}");
        assert!(with.len() >= 3, "{with:?}");
    }
}

#[test]
fn closed_standard_streams_are_not_taken_for_the_report() {
    for place in EVERYWHERE {
        for closed in ["close 0", "close 1", "close 2", "close 0, close 1, close 2"] {
            let scene = Scene::new();
            let path = file_with(&scene, "report", "");
            let out = file_with(&scene, "out", "");
            let verbs = format!("out {}, status, orphans 3, exit 3", out.display());
            let ended = reporting(&scene, place, &path).entered_with(closed).probe(&verbs).end();
            assert_eq!(ended.exit, Exit::Code(3), "{place:?} {closed}: {ended:?}");
            expect_report(&content(&path));
            // Still closed in the command.
            let status = content(&out);
            for word in closed.split(", ") {
                let number = word.strip_prefix("close ").expect("it is written so");
                assert!(!status.contains(&format!("\nfd {number} ")), "{closed}: {status}");
            }
        }
    }
}

#[test]
fn the_command_line_wins_over_the_variables() {
    let scene = Scene::new();
    let [given, wanted] = ["given", "wanted"].map(|name| scene.folder().join(name));
    let launch = scene.supervise().given(By::Variable, "exit-report", given.to_str().expect("made by us"));
    let launch = launch.given(By::Variable, "exit-report-format", "text").options(&["--exit-report-format=json"]);
    let options = ["--exit-report", wanted.to_str().expect("made by us")];
    assert_eq!(launch.options(&options).probe("exit 3").end().exit, Exit::Code(3));
    expect_report(&content(&wanted));
    assert!(!given.exists());
}

#[test]
fn a_format_alone_asks_for_no_report() {
    for by in [By::Option, By::Variable] {
        let scene = Scene::new();
        let ended = scene.supervise().given(by, "exit-report-format", "json").probe("exit 3").end();
        assert_eq!((ended.exit, ended.stderr.len(), ended.stdout.len()), (Exit::Code(3), 0, 0), "{ended:?}");
    }
}

#[test]
fn a_report_is_written_before_we_die_of_mains_signal() {
    let scene = Scene::new();
    let path = file_with(&scene, "report", "");
    let mut init = reporting(&scene, Place::Child, &path).probe("ready, wait").spawn();
    init.expect("ready");
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
    assert!(content(&path).contains("\"exit\":{\"signal\":\"SIGTERM\"}"), "{}", content(&path));
}
