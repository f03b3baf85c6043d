//! Restarts of real services: what docker's own restart policy is used for, in a container that stays.

use crate::docker::Ended;
use crate::images::DEBIAN;
use crate::runner::{Outcome, Trouble};
use crate::world::{World, supervise};

/// Kills redis so often, at random, some lives in their start and some while they answer, and looks on as a client that connects
/// again. The pid that a life has is that of the process that answers.
const KILLER: &str = r#"
import os, random, signal, socket, sys, time

def redis():
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            stat = open('/proc/%s/stat' % pid).read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if '(redis-server)' in stat and ') Z ' not in stat:
            return int(pid)

def ask(words):
    with socket.create_connection(('127.0.0.1', 6379)) as line:
        line.sendall((' '.join(words) + '\r\n').encode())
        answer = b''
        while b'\r\n' not in answer or (answer[:1] == b'$' and answer.count(b'\r\n') < 2):
            more = line.recv(65536)
            if not more:
                raise ConnectionError('closed')
            answer += more
        return answer.decode()

def until(what):
    # The container is gone, and we with it, if it never comes.
    while True:
        try:
            found = what()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.001)

random.seed(int(sys.argv[2]))
last, answered = None, 0
for life in range(int(sys.argv[1])):
    pid = until(lambda: (lambda pid: pid if pid != last else None)(redis()))
    if random.random() < 0.5:
        until(lambda: 'PONG' in ask(['PING']))
        answered += 1
    time.sleep(random.random() * 0.02)
    os.kill(pid, signal.SIGKILL)
    last = pid
pid = until(lambda: (lambda pid: pid if pid != last else None)(redis()))
until(lambda: 'PONG' in ask(['PING']))
states = {}
for entry in filter(str.isdigit, os.listdir('/proc')):
    stat = open('/proc/%s/stat' % entry).read()
    states[entry] = (stat.split('(')[1].split(')')[0], stat.rsplit(')', 1)[1].split()[0])
print('answered', answered)
print('processes', ' '.join(sorted(name for name, _ in states.values())))
print('zombies', sum(state == 'Z' for _, state in states.values()))
print('process_id', 'process_id:%d' % pid in ask(['INFO', 'server']))
"#;

/// Nobody's user, nothing to write to, no capability.
const LOCKED: &[&str] = &["--read-only", "--user=65534:65534", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

const REDIS: &[&str] = &["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];

/// `docker run` of the command in `DEBIAN` below supervise.
fn words<'a>(docker: &[&'a str], volume: &'a str, options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [docker, &["--volume", volume, "--entrypoint=/supervise", DEBIAN], options, &["--"], command].concat()
}

fn volume() -> String {
    format!("{}:/supervise:ro", supervise().display())
}

pub(crate) fn redis_killed_a_hundred_times_is_there_again(world: &World) -> Outcome {
    const KILLS: usize = 100;
    let (docker, volume) = (world.docker_with_debian()?, volume());
    let restarts = ["--restart=on-failure", "--restart-delay=5ms", "--restart-max-delay=40ms", "--restart-reset=1h"];
    let mut container = docker.run(&words(LOCKED, &volume, &restarts, REDIS))?;
    container.wait_for("Ready to accept connections", 1)?;
    // The seed changes from run to run, and a failure tells it.
    let seed = std::process::id().to_string();
    let kills = KILLS.to_string();
    let args = ["exec", &container.name, "python3", "-c", KILLER, &kills, &seed];
    let said = docker.ask(args)?;
    assert!(said.contains("processes python3 redis-server supervise\n"), "nobody else is there, seed {seed}: {said}");
    assert!(said.contains("zombies 0\nprocess_id True\n"), "seed {seed}: {said}");
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(0), "redis has ended by itself when it was stopped: {ended:?}");
    let restarts: Vec<_> = ended.output.lines().filter_map(restart).collect();
    let numbers: Vec<_> = restarts.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=KILLS).collect::<Vec<_>>(), "every end is seen once, seed {seed}: {ended:?}");
    for (number, delay) in restarts {
        // 5 ms, twice as long each time up to 40, and up to a quarter more.
        let shortest = 5 << (number - 1).min(3);
        assert!((shortest..=shortest + shortest / 4).contains(&delay), "restart {number} after {delay} ms");
    }
    Ok(())
}

/// The number of the restart and its delay in milliseconds, of a line that tells of one after a SIGKILL.
fn restart(line: &str) -> Option<(usize, usize)> {
    let rest = line.split_once("the command was ended by SIGKILL; starting it again in ")?.1;
    let (delay, rest) = rest.split_once(" ms (restart ")?;
    Some((rest.strip_suffix(')')?.parse().ok()?, delay.parse().ok()?))
}

pub(crate) fn a_daemon_that_a_life_has_left_is_gone_before_the_next(world: &World) -> Outcome {
    // It can listen only where the one before it is gone.
    const LEAVE: &str = "redis-server --daemonize yes --save '' --pidfile /tmp/pid --logfile /tmp/log --dir /tmp; \
        until redis-cli ping 2>/dev/null; do :; done; grep -c 'Ready to accept' /tmp/log; exit 3";
    let (docker, volume) = (world.docker_with_debian()?, volume());
    let restarts = ["--restart=on-failure", "--restart-delay=0", "--restart-limit=3/1h"];
    let ended = docker.run_to_end(&words(&[], &volume, &restarts, &["sh", "-c", LEAVE]))?;
    assert_eq!((ended.code, ended.lines("PONG")), (Some(3), 4), "{ended:?}");
    for count in ["1", "2", "3", "4"] {
        assert_eq!(ended.lines(count), 1, "{ended:?}");
    }
    Ok(())
}

pub(crate) fn one_that_ignores_term_is_not_started_again_by_a_stop(world: &World) -> Outcome {
    let (docker, volume) = (world.docker_with_debian()?, volume());
    // Half of it is for the explanation, and docker's patience is longer.
    let restarts = ["--restart=always", "--restart-delay=0", "--grace=6s"];
    let command = ["sh", "-c", "trap '' TERM; echo running; while :; do sleep 1000; done"];
    let mut container = docker.run(&words(&[], &volume, &restarts, &command))?;
    container.wait_for("running", 1)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!((ended.code, ended.lines("running")), (Some(137), 1), "{ended:?}");
    assert_eq!(ended.count("ignores"), 1, "it says why: {ended:?}");
    Ok(())
}

pub(crate) fn one_that_is_killed_for_memory_is_said_so_each_time(world: &World) -> Outcome {
    let ended = out_of_memory(world)?;
    assert_eq!(ended.code, Some(137), "{ended:?}");
    assert_eq!(ended.lines("filling"), 3, "{ended:?}");
    assert_eq!(ended.count("by the kernel for want of memory"), 3, "{ended:?}");
    assert_eq!(ended.count("giving up"), 1, "{ended:?}");
    Ok(())
}

fn out_of_memory(world: &World) -> Result<Ended, Trouble> {
    let volume = volume();
    let limits = ["--memory=64m", "--memory-swap=64m"];
    let restarts = ["--restart=on-failure", "--restart-delay=0", "--restart-limit=2/1h"];
    let fill = "print('filling', flush=True)\nx = [bytearray(1 << 20) for _ in range(1000)]";
    world.docker_with_debian()?.run_to_end(&words(&limits, &volume, &restarts, &["python3", "-u", "-c", fill]))
}
