//! The README's examples, taken out of it and tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::docker::{Container, Docker};
use crate::images::{DEBIAN, TINY};
use crate::runner::{Outcome, Trouble};
use crate::sandbox::{failed, need, succeed};
use crate::world::{World, cache, new_directory, supervise};

/// `DEBIAN` made ready for systemd as process 1.
const MACHINE: &str = "supervise-test/machine";

/// The example whose first line is `# name`.
fn example(name: &str) -> Result<String, Trouble> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).map_err(failed)?;
    let first = format!("# {name}\n");
    let found = readme.split("\n```").map(|block| block.split_once('\n').unwrap_or_default().1);
    let mut found = found.filter(|block| block.starts_with(&first));
    match (found.next(), found.next()) {
        (Some(text), None) => Ok(format!("{text}\n")),
        _ => Err(Trouble::Failed(format!("README.md has not one example that begins with `# {name}`"))),
    }
}

/// The same in a file of that name, in a directory of its own.
fn example_file(name: &str) -> Result<PathBuf, Trouble> {
    let file = new_directory("example")?.join(name);
    fs::write(&file, example(name)?).map_err(failed)?;
    Ok(file)
}

/// What the README's user has: `supervise` to copy from, `web` made with the README's lines, `python` without.
fn make_images(docker: &Docker) -> Outcome {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).map_err(failed)?;
    let lines = readme.split("```Dockerfile\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = lines.ok_or("README.md has no Dockerfile").map_err(failed)?;
    docker.ask(["tag", TINY, "supervise"])?;
    docker.ask(["tag", DEBIAN, "python"])?;
    docker.build("web", &format!("FROM {DEBIAN}\n{lines}"))
}

/// Polls: each try starts a process, which is all the pause that this needs.
const UNTIL_IT_ANSWERS: &str =
    r#"until python3 -c "import socket; socket.create_connection(('127.0.0.1', $1))" 2>/dev/null; do :; done"#;

/// Brings it up with $1 and $2 where there is no network, stops it, and tells what became of each service.
const COMPOSE: &str = r#"
set -euo pipefail
compose() { docker-compose --project-name example --file "$1/compose.yaml" --file "$1/no-network.yaml" "${@:2}"; }
compose "$1" config --quiet
compose "$1" up --detach
compose "$1" exec -T web sh -c "$2" sh 80
compose "$1" exec -T files sh -c "$2" sh 8000
for service in web files; do
    echo "$service is run by $(compose "$1" exec -T "$service" cat /proc/1/cmdline | tr '\0' ' ')"
done
compose "$1" stop
for service in web files; do
    docker inspect --format="$service ended with {{.State.ExitCode}}" "$(compose "$1" ps --quiet "$service")"
done
compose "$1" logs --no-color
compose "$1" down
"#;

pub(crate) fn the_compose_file_goes_up_and_down(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    world.docker_with_tiny()?;
    need(&["docker-compose"])?;
    make_images(docker)?;
    let file = example_file("compose.yaml")?;
    let directory = file.parent().unwrap_or(&file);
    let none = "services:\n  web: {network_mode: none}\n  files: {network_mode: none}\n";
    fs::write(directory.join("no-network.yaml"), none).map_err(failed)?;
    let said = succeed(docker.script(COMPOSE).arg(directory).arg(UNTIL_IT_ANSWERS))?;
    for line in [
        "web is run by supervise -- nginx -g daemon off; ",
        "files is run by /sbin/docker-init -- python3 -u -m http.server ",
        "web ended with 0",
        "files ended with 0",
    ] {
        assert!(said.lines().any(|told| told == line), "{line}: {said}");
    }
    Ok(())
}

/// Checks $1 against the schema of the API as strictly as the server would, and prints it as JSON.
const CHECK: &str = "
import json, sys, yaml, kubernetes_validate
document = yaml.safe_load(open(sys.argv[1]))
for version in ('1.30', kubernetes_validate.latest_version()):
    kubernetes_validate.validate(document, version, strict=True)
json.dump(document, sys.stdout)
";

/// The schemas of every version of Kubernetes, kept for the next run; and what reads them, in releases that are known to
/// work together.
const SCHEMAS: &str = "kubernetes-validate==1.37.0";
const READERS: [&str; 9] = [
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "attrs==26.1.0",
    "typing-extensions==4.16.0",
    "importlib-resources==7.1.0",
    "packaging==26.3",
    "PyYAML==6.0.3",
];

/// Checks a file; the document that is in it.
fn checked(file: &Path) -> Result<Value, Trouble> {
    need(&["python3"])?;
    let library = cache().join(SCHEMAS);
    if !library.exists() {
        let new = new_directory("schemas")?;
        let mut pip = Command::new("/usr/bin/python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&new).arg(SCHEMAS).args(READERS);
        let missing = |trouble| Trouble::Missing(format!("{SCHEMAS} cannot be had from PyPI: {trouble:?}"));
        succeed(pip.env("PIP_ROOT_USER_ACTION", "ignore")).map_err(missing)?;
        fs::rename(&new, &library).map_err(failed)?;
    }
    let mut check = Command::new("/usr/bin/python3");
    let json = succeed(check.args(["-c", CHECK]).arg(file).env("PYTHONPATH", library))?;
    serde_json::from_str(&json).map_err(failed)
}

pub(crate) fn the_deployment_fits_the_schema_and_stops_as_it_says(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    world.docker_with_tiny()?;
    make_images(docker)?;
    let file = example_file("deployment.yaml")?;
    // The schema is looked at: a word that it does not know is an error.
    let wrong = file.with_file_name("wrong.yaml");
    fs::write(&wrong, example("deployment.yaml")?.replace("terminationGrace", "terminateGrace")).map_err(failed)?;
    assert!(checked(&wrong).is_err(), "a misspelt field is not found");
    let pod = checked(&file)?["spec"]["template"]["spec"].take();
    let web = &pod["containers"][0];

    wait_for_a_database(docker, &words_of(&pod["initContainers"][0]["command"])?)?;

    let report = new_directory("deployment")?.join("log");
    fs::write(&report, "").map_err(failed)?;
    // It says that it has started.
    let mut words = vec!["--env=SUPERVISE_LOG=debug".to_owned(), "--volume".to_owned()];
    words.push(format!("{}:{}", report.display(), word(&web["terminationMessagePath"])?));
    for variable in web["env"].as_array().into_iter().flatten() {
        words.push(format!("--env={}={}", word(&variable["name"])?, word(&variable["value"])?));
    }
    words.push(word(&web["image"])?);
    words.extend(words_of(&web["args"])?);
    let mut container = docker.run(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    container.wait_for("started", 1)?;
    answers(docker, &container, &web["ports"][0]["containerPort"].to_string())?;
    container.begin_stop(&[&format!("--time={}", pod["terminationGracePeriodSeconds"])]).wait()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let told = fs::read_to_string(&report).map_err(failed)?;
    let told: Value = serde_json::from_str(&told).map_err(|error| failed(format!("{error}: {told}")))?;
    let (first, second) = (&told["rungs"][0], &told["rungs"][1]);
    assert_eq!((&first["rung"], &second["signal"]), (&"delay".into(), &"SIGQUIT".into()), "{told}");
    assert_eq!(&told["main"]["code"], &Value::from(0), "{told}");
    Ok(())
}

fn word(value: &Value) -> Result<String, Trouble> {
    value.as_str().map(str::to_owned).ok_or_else(|| failed(format!("{value} is no text")))
}

fn words_of(value: &Value) -> Result<Vec<String>, Trouble> {
    value.as_array().ok_or_else(|| failed(format!("{value} is no list")))?.iter().map(word).collect()
}

/// Runs `command` in a container where `db` is a name for itself, and something accepts connections.
fn wait_for_a_database(docker: &Docker, command: &[String]) -> Outcome {
    let serve = "echo ready; exec python3 -m http.server 5432";
    let mut container = docker.run(&["--add-host=db:127.0.0.1", "web", "sh", "-c", serve])?;
    container.wait_for("ready", 1)?;
    succeed(docker.command(["exec", &container.name]).args(command)).map(drop)
}

fn answers(docker: &Docker, container: &Container, port: &str) -> Outcome {
    docker.ask(["exec", &container.name, "sh", "-c", UNTIL_IT_ANSWERS, "sh", port]).map(drop)
}

/// Nothing of a machine is to be set up: the unit and what it needs is all that is started.
const MACHINE_LINES: &str = "
RUN find /lib/systemd/system -name '*.target.wants' -exec rm -r {} + && systemctl mask getty.target console-getty
ENV container=docker
";

/// The control groups of the container are its own, but docker mounts them read-only.
const BOOT: &str = r#"
echo ready
mount -o remount,rw /sys/fs/cgroup 2>/dev/null
if [ -d /sys/fs/cgroup/systemd ]; then mount -o remount,rw /sys/fs/cgroup/systemd; fi
exec /lib/systemd/systemd --unit=basic.target
"#;

/// $1 says whether the port answers.
const START_AND_STOP: &str = r#"
set -eu
verified=$(systemd-analyze verify --man=no /etc/systemd/system/web.service 2>&1)
echo "verified with nothing to say: [$verified]"
# How it ends is not kept for a unit that nobody refers to.
mkdir -p /run/systemd/system/web.service.d
cat >/run/systemd/system/web.service.d/tell.conf <<'END'
[Service]
ExecStopPost=/bin/sh -c 'echo "ended: $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS" >/run/ended'
END
systemctl daemon-reload
systemctl start web
sh -c "$1" sh 80
main=$(systemctl show --property=MainPID --value web)
echo "runs $(tr '\0' ' ' </proc/$main/cmdline)"
echo "is $(systemctl is-active web)"
systemctl stop web
cat /run/ended
echo "is $(systemctl is-active web || true)"
echo "left: $(pgrep --count '^(nginx|supervise)$' || true)"
"#;

/// Stops a command whose stop signal is USR1, in a mode of systemd's, and prints what reached it. $1 is the mode, the
/// rest is what it waits for before it ends.
const TELL: &str = r#"
set -eu
mode=$1; shift
cat >/run/tell.py <<'END'
import signal, sys
signals, wanted = {signal.SIGTERM, signal.SIGUSR1}, set(sys.argv[1:])
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready")
while wanted:
    told = signal.Signals(signal.sigwait(signals)).name
    print(told)
    wanted.discard(told)
for pending in signal.sigpending():
    print(signal.Signals(pending).name)
END
systemd-run --quiet --unit="$mode" --property=KillMode="$mode" --property=StandardOutput="file:/run/$mode" \
    /usr/bin/supervise --stop-signal USR1 -- python3 -u /run/tell.py "$@"
until grep -q ready "/run/$mode"; do :; done
systemctl stop "$mode"
sort "/run/$mode"
"#;

pub(crate) fn the_unit_is_started_and_stopped_by_systemd(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    docker.build(MACHINE, &format!("FROM {DEBIAN}\n{MACHINE_LINES}"))?;
    let unit = format!("{}:/etc/systemd/system/web.service:ro", example_file("web.service")?.display());
    let binary = format!("{}:/usr/bin/supervise:ro", supervise().display());
    let options = ["--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"];
    let places = ["--cgroupns=private", "--tmpfs=/run", "--volume", &unit, "--volume", &binary];
    let container = boot(docker, &[&options[..], &places].concat())?;
    let said = docker.ask(["exec", &container.name, "sh", "-c", START_AND_STOP, "sh", UNTIL_IT_ANSWERS])?;
    let command = "/usr/bin/supervise --stop-signal QUIT --grace 25s -- /usr/sbin/nginx -g daemon off;";
    for line in [
        "verified with nothing to say: []",
        &format!("runs {command} "),
        "is active",
        "ended: success exited 0",
        "is inactive",
        "left: 0",
    ] {
        assert!(said.lines().any(|told| told == line), "{line}: {said}");
    }

    // Why it is `mixed`.
    let tell = |words: &[&str]| succeed(docker.command(["exec", &container.name, "sh", "-c", TELL, "sh"]).args(words));
    assert_eq!(tell(&["mixed", "SIGUSR1"])?, "SIGUSR1\nready\n");
    assert_eq!(tell(&["control-group", "SIGUSR1", "SIGTERM"])?, "SIGTERM\nSIGUSR1\nready\n");
    Ok(())
}

/// A container in which systemd is process 1 and has started.
fn boot<'d>(docker: &'d Docker, options: &[&str]) -> Result<Container<'d>, Trouble> {
    let mut container = docker.run(&[options, &[MACHINE, "sh", "-c", BOOT]].concat())?;
    container.wait_for("ready", 1)?;
    container.exec("until [ -S /run/systemd/private ]; do cat /proc/1/comm >/dev/null; done")?;
    container.exec("systemctl is-system-running --wait || true")?;
    Ok(container)
}
