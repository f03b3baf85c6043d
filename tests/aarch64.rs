//! The aarch64 binary under qemu's user emulation. It refuses PR_SET_CHILD_SUBREAPER and makes a plain fork of a vfork,
//! so reaping is seen as process 1, and the start goes through the pipe alone.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use harness::launch::{Launch, Place};
use harness::{Exit, Scene, probe, proc, send, skip, words};
use libc::{SIGTERM, SIGUSR1};

const EMULATOR: &str = "/usr/bin/qemu-aarch64-static";

/// Builds it once, into a folder of its own: the tests' cargo holds the usual one.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = "aarch64-unknown-linux-musl";
        let built = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--bin", "supervise", "--target", target])
            .current_dir(top)
            .env("CARGO_TARGET_DIR", top.join("target/aarch64"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "rustup target add {target}?");
        top.join("target/aarch64").join(target).join("debug/supervise")
    })
}

/// The emulated init with a payload of this machine; `None` where there is no emulator.
fn emulated<'s>(scene: &'s Scene, place: Place, verbs: &str) -> Option<Launch<'s>> {
    if !Path::new(EMULATOR).exists() {
        skip("qemu-user-static is not installed");
        return None;
    }
    let (binary, probe) = (binary().to_str()?.to_owned(), probe().to_str()?.to_owned());
    let mut argv = vec![EMULATOR, &binary, "--", &probe];
    argv.extend(words(verbs));
    // Not by the harness, which takes an emulator for the payload.
    Some(scene.bare().place(place).argv(&argv).env("SUPERVISE_REQUESTS", "off"))
}

#[test]
fn it_starts_the_command_and_ends_with_its_code() {
    let scene = Scene::new();
    let Some(launch) = emulated(&scene, Place::Child, "say hello, exit 3") else { return };
    let ended = launch.end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(3), vec!["hello".to_owned()]));
}

#[test]
fn shims_lead_to_it_and_not_to_the_emulator() {
    let scene = Scene::new();
    let Some(launch) = emulated(&scene, Place::Child, "exit 0") else { return };
    drop(launch);
    let (dir, binary) = (scene.folder(), binary());
    let words = [EMULATOR.as_ref(), binary.as_os_str(), "shims".as_ref(), "--inits".as_ref(), dir.as_os_str()];
    // Twice: what they lead to is recognized.
    for _ in 0..2 {
        let ended = scene.bare().argv(&words).end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    }
    let link = std::fs::read_link(dir.join("tini")).expect("it was made");
    assert_eq!(link, std::fs::canonicalize(binary).expect("it was built"));
}

#[test]
fn it_says_why_a_command_does_not_start() {
    let scene = Scene::new();
    let Some(launch) = emulated(&scene, Place::Child, "exit 0") else { return };
    drop(launch);
    let binary = binary().to_str().expect("the path is text");
    let ended = scene.bare().argv(&[EMULATOR, binary, "--", "/no/such/command"]).end();
    assert_eq!(ended.exit, Exit::Code(127));
    let last = ended.stderr.last().map(String::as_str);
    assert_eq!(last, Some("supervise: cannot run /no/such/command: no such file or directory"));
}

#[test]
fn this_machines_init_names_the_machine_that_it_is_for() {
    let scene = Scene::new();
    let ended = scene.supervise().argv(&[binary()]).end();
    assert_eq!(ended.exit, Exit::Code(126));
    assert!(ended.stderr.iter().any(|line| line.contains("it is a program for aarch64")), "{ended:?}");
}

#[test]
fn signals_reach_the_command() {
    let scene = Scene::new();
    let verbs = "block USR1, block TERM, ready, await USR1, say usr1, await TERM, exit 5";
    let Some(launch) = emulated(&scene, Place::Child, verbs) else { return };
    let mut init = launch.spawn();
    init.expect("ready");
    send(init.outer_pid(), SIGUSR1, 1);
    init.expect("usr1");
    send(init.outer_pid(), SIGTERM, 1);
    assert_eq!(init.wait(), Exit::Code(5));
}

#[test]
fn process_1_reaps_orphans_and_ends_with_128_and_the_signal() {
    let scene = Scene::new();
    let Some(launch) = emulated(&scene, Place::Pid1, "orphans 20, say over, wait") else { return };
    let mut init = launch.spawn();
    init.expect("over");
    let process_1 = *proc::children(init.outer_pid()).first().expect("unshare has forked");
    let main = scene.deadline.until("all but main to be reaped", || match proc::children(process_1)[..] {
        [main] => Some(main),
        _ => None,
    });
    send(main, SIGTERM, 1);
    assert_eq!(init.wait(), Exit::Code(128 + SIGTERM));
}
