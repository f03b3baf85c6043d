//! The init as an image's entrypoint: exit codes, signals, reaping, `docker exec`, the terminal.

use crate::images::{DEBIAN, TINY};
use crate::runner::Outcome;
use crate::world::{World, supervise};

/// Writes the number of each signal that it gets, and ends with 9 on SIGTERM.
const TELL_SIGNALS: &str = "
import signal
wanted = set(range(1, 65)) - {9, 17, 19, 32, 33}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print('ready', flush=True)
number = 0
while number != 15:
    number = signal.sigwaitinfo(wanted).si_signo
    print('got', number, flush=True)
raise SystemExit(9)
";

/// Leaves 50 orphans that die, and ends when `/proc` shows none of them any more.
const ORPHANS: &str = r#"
for i in 1 2 3 4 5 6 7 8 9 10; do
    for j in 1 2 3 4 5; do sh -c 'sh -c "echo \$\$ >>/tmp/pids" &'; done
done
until [ "$(grep -c . /tmp/pids)" = 50 ]; do :; done
for pid in $(cat /tmp/pids); do
    while [ -e "/proc/$pid" ]; do :; done
done
echo all reaped
"#;

pub(crate) fn the_exit_code_is_the_commands(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let cases = [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -35 $$", 163)];
    for (script, code) in cases {
        let ended = docker.run_to_end(&[TINY, "sh", "-c", script])?;
        assert_eq!(ended.code, Some(code), "{script}: {ended:?}");
    }
    Ok(())
}

pub(crate) fn a_command_that_cannot_run_is_127_or_126(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    for (command, code) in
        [("no-such-program", 127), ("/no/such/program", 127), ("/etc", 126), ("/etc/plain-file", 126)]
    {
        let ended = docker.run_to_end(&[TINY, command])?;
        assert_eq!(ended.code, Some(code), "{command}: {ended:?}");
        // docker has the same codes for what it cannot start itself.
        let ours = format!("supervise: cannot run {command}: ");
        assert!(ended.output.starts_with(&ours), "{command}: {ended:?}");
        assert_eq!(ended.output.lines().count(), 1, "{command}: {ended:?}");
    }
    Ok(())
}

pub(crate) fn a_stop_ends_a_plain_program(world: &World) -> Outcome {
    let mut container = world.docker_with_tiny()?.run(&[TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
    container.wait_for("ready", 1)?;
    container.stop()?;
    // After ten seconds docker would have killed it: 137.
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    Ok(())
}

pub(crate) fn a_stop_leaves_the_exit_code_to_the_command(world: &World) -> Outcome {
    let script = "trap 'echo stopping; exit 42' TERM; echo ready; sleep 1000 & wait";
    let mut container = world.docker_with_tiny()?.run(&[TINY, "sh", "-c", script])?;
    container.wait_for("ready", 1)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(42), "{ended:?}");
    assert_eq!(ended.count("stopping"), 1, "{ended:?}");
    Ok(())
}

pub(crate) fn the_stop_signal_of_the_image_reaches_the_command(world: &World) -> Outcome {
    let script = "trap 'exit 44' QUIT; echo ready; sleep 1000 & wait";
    let mut container = world.docker_with_tiny()?.run(&["--stop-signal=QUIT", TINY, "sh", "-c", script])?;
    container.wait_for("ready", 1)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(44), "{ended:?}");
    Ok(())
}

pub(crate) fn every_signal_reaches_the_command(world: &World) -> Outcome {
    let binary = format!("{}:/usr/local/bin/supervise:ro", supervise().display());
    let options =
        ["--volume", &binary, "--entrypoint=supervise", DEBIAN, "--requests=off", "--", "python3", "-c", TELL_SIGNALS];
    let mut container = world.docker_with_debian()?.run(&options)?;
    container.wait_for("ready", 1)?;
    // SIGTERM last, because it ends the program. 32 and 33 are the C library's.
    let numbers = (1..=64).filter(|number| ![9, 15, 17, 19, 32, 33].contains(number));
    let named = [("USR1", 10), ("HUP", 1), ("RTMIN+1", 35)].map(|(name, number)| (name.to_string(), number));
    let mut sent = 0;
    for (name, number) in named.into_iter().chain(numbers.map(|number| (number.to_string(), number))) {
        container.kill(&name)?;
        sent += 1;
        container.wait_for("got", sent)?;
        assert_eq!(container.last_line(), format!("got {number}"), "after docker kill -s {name}");
    }
    container.kill("TERM")?;
    let ended = container.wait()?;
    assert_eq!((ended.code, ended.count("got 15")), (Some(9), 1), "{ended:?}");
    assert_eq!(ended.count("got"), sent + 1, "each signal arrives once: {ended:?}");
    Ok(())
}

pub(crate) fn orphans_are_reaped(world: &World) -> Outcome {
    let ended = world.docker_with_tiny()?.run_to_end(&[TINY, "sh", "-c", ORPHANS])?;
    assert_eq!((ended.code, ended.count("all reaped")), (Some(0), 1), "{ended:?}");
    Ok(())
}

pub(crate) fn a_terminal_belongs_to_the_command(world: &World) -> Outcome {
    // Its pid, its process group, and the terminal's foreground group.
    let script = "read -r pid _ _ _ group _ _ foreground _ </proc/self/stat; echo $pid $group $foreground";
    let ended = world.docker_with_tiny()?.run_to_end(&["--tty", TINY, "sh", "-c", script])?;
    let groups: Vec<_> = ended.output.split_whitespace().collect();
    assert!(groups.len() == 3 && groups.iter().all(|group| *group == groups[0]), "{ended:?}");
    Ok(())
}

pub(crate) fn docker_exec_enters_the_container(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let mut container = docker.run(&[TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
    container.wait_for("ready", 1)?;
    assert_eq!(container.exec("cat /proc/1/cmdline")?, "/supervise\0--\0sh\0-c\0echo ready; exec sleep 1000\0");
    assert_eq!(container.exec("readlink /proc/1/cwd; echo $PPID")?, "/\n0\n");
    let status = docker.command(["exec", &container.name, "sh", "-c", "exit 9"]).status();
    assert_eq!(status.ok().and_then(|status| status.code()), Some(9));
    Ok(())
}

pub(crate) fn a_shutdown_asked_for_inside_ends_the_container(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let asks: [(&[&str], &str); 3] = [
        (&["poweroff"], "poweroff"),
        (&["shutdown", "--halt", "now"], "halt"),
        (&["systemctl", "poweroff"], "poweroff"),
    ];
    for (words, said) in asks {
        let mut container = docker.run(&["--tmpfs=/run", TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
        container.wait_for("ready", 1)?;
        let status = docker.command(["exec", &container.name, "/supervise"]).args(words).status();
        assert_eq!(status.ok().and_then(|status| status.code()), Some(0), "{words:?}");
        let ended = container.wait()?;
        assert_eq!((ended.code, ended.count(&format!("{said} asked for by supervise"))), (Some(0), 1), "{ended:?}");
    }
    Ok(())
}

pub(crate) fn a_reboot_asked_for_inside_begins_again_in_the_same_container(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let mut container = docker.run(&["--tmpfs=/run", TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
    container.wait_for("ready", 1)?;
    container.exec("trap '' TERM HUP; touch /kept; /supervise reboot")?;
    container.wait_for("ready", 2)?;
    assert_eq!(
        container.exec("ls /kept; /supervise ctl status --json | grep -o 'restarts.:1'")?,
        "/kept\nrestarts\":1\n"
    );
    container.exec("trap '' TERM HUP; /supervise poweroff")?;
    assert_eq!(container.wait()?.code, Some(0));
    Ok(())
}

pub(crate) fn orphans_of_docker_exec_are_reaped(world: &World) -> Outcome {
    let mut container = world.docker_with_tiny()?.run(&[TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
    container.wait_for("ready", 1)?;
    let orphan = container.exec("sleep 1000 >/dev/null 2>&1 & echo $!")?;
    let orphan = orphan.trim();
    assert_eq!(container.exec(&format!("read -r _ _ _ parent _ </proc/{orphan}/stat; echo $parent"))?, "1\n");
    // The command ends at its time limit if the orphan stays.
    container.exec(&format!("kill -KILL {orphan}; while [ -e /proc/{orphan} ]; do :; done"))?;
    Ok(())
}
