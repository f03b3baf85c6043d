//! The process that only holds namespaces: of a podman pod, and of podman without root. Podman makes a pod's image of
//! the `catatonit` that it finds and runs `/catatonit -P`; without root it executes the one in its place.

use std::path::Path;

use crate::images::TINY;
use crate::injected::SHOW;
use crate::podman::Podman;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::{failed, need, succeed};
use crate::world::{World, inits, supervise};

/// A pod that runs, removed when this is dropped.
struct Pod<'p> {
    podman: &'p Podman,
    name: &'static str,
    /// The container that holds it.
    infra: String,
}

impl<'p> Pod<'p> {
    /// `helpers` is the directory that podman finds catatonit in, if not in its own.
    fn start(podman: &'p Podman, name: &'static str, helpers: Option<&Path>) -> Result<Self, Trouble> {
        let mut pod = Self { podman, name, infra: String::new() };
        let mut create = podman.create_pod(name);
        create.envs(helpers.map(|directory| ("CONTAINERS_HELPER_BINARY_DIR", directory)));
        succeed(&mut create)?;
        pod.infra = pod.ask("pod", &["inspect", "--format={{.InfraContainerID}}", name])?;
        pod.ask("pod", &["start", name])?;
        Ok(pod)
    }

    fn ask(&self, verb: &str, words: &[&str]) -> Result<String, Trouble> {
        succeed(self.podman.command(verb).args(words)).map(|said| said.trim().to_owned())
    }

    /// What podman knows about a container.
    fn about(&self, container: &str, what: &str) -> Result<String, Trouble> {
        self.ask("inspect", &["--format", what, container])
    }

    /// Removes it and its image, which is made anew for the next.
    fn remove(&self) -> Outcome {
        let image = self.about(&self.infra, "{{.ImageName}}")?;
        self.ask("pod", &["rm", "--force", self.name])?;
        self.ask("rmi", &["--force", &image]).map(drop)
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        // It has been removed where the case has come to its end; the sandbox ends what even this leaves.
        drop(self.remove());
    }
}

/// Ends when no process is in the PID namespace $NAMESPACE any more, and none has the container's name $INFRA as a word,
/// as the monitor beside it does. (These are variables, so that nobody who looks for the words has them.)
const UNTIL_GONE: &str = r#"
while ls -l /proc/[0-9]*/ns/pid 2>/dev/null | grep -qF "$NAMESPACE"; do :; done
while printf '%s\n' "$INFRA" | grep -qzxFsf - /proc/[0-9]*/cmdline; do :; done
"#;

pub(crate) fn the_pause_process_of_a_pod_is_ours(world: &World) -> Outcome {
    need(&["catatonit", "cmp"])?;
    let podman = world.podman_with_tiny()?;
    // The same with the original, which shows that all of it is as it should be.
    hold_a_pod(world, podman, None, Path::new("/usr/bin/catatonit"))?;
    hold_a_pod(world, podman, Some(&inits()), &supervise())
}

fn hold_a_pod(world: &World, podman: &Podman, helpers: Option<&Path>, program: &Path) -> Outcome {
    let sandbox = world.sandbox()?;
    let pod = Pod::start(podman, "held", helpers)?;
    let proc = || Ok(format!("/proc/{}", pod.about(&pod.infra, "{{.State.Pid}}")?));
    succeed(sandbox.command("cmp").arg(proc()? + "/exe").arg(program))?;

    let output = podman.run_in(pod.name).args(["--rm", TINY, "sh", "-c", SHOW]).output().map_err(failed)?;
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/catatonit\0-P\0 reaped\n", "{output:?}");

    succeed(podman.run_in(pod.name).args(["--detach", "--name=member", TINY, "sleep", "1000"]))?;
    let listed = pod.ask("pod", &["ps", "--format={{.Name}} {{.Status}} {{.NumberOfContainers}}"])?;
    assert_eq!(listed, "held Running 2");
    // Told at the same time, it could go first and the kernel would kill the other.
    pod.ask("stop", &["member"])?;
    // Were it not for the signal, this would be killed at its time limit.
    pod.ask("pod", &["stop", "--time=1000", pod.name])?;
    let codes = [pod.about(&pod.infra, "{{.State.ExitCode}}")?, pod.about("member", "{{.State.ExitCode}}")?];
    assert_eq!(codes, ["0", "143"]);

    // What later versions of podman stop it with.
    pod.ask("pod", &["start", pod.name])?;
    let namespace = succeed(sandbox.command("readlink").arg(proc()? + "/ns/pid"))?;
    pod.ask("kill", &["--signal=INT", &pod.infra])?;
    assert_eq!(pod.ask("wait", &[&pod.infra])?, "0");

    pod.remove()?;
    assert_eq!(pod.ask("ps", &["--all", "--quiet"])?, "");
    assert_eq!(pod.ask("pod", &["ps", "--quiet"])?, "");
    let mut wait = sandbox.command("sh");
    wait.args(["-c", UNTIL_GONE]).env("NAMESPACE", namespace.trim()).env("INFRA", &pod.infra);
    succeed(&mut wait).map(drop)
}

/// $1 is our binary; it is in catatonit's place in a mount namespace of its own.
const WITHOUT_ROOT: &str = r#"
set -eu
mount --bind "$1" "$(readlink -f /usr/libexec/podman/catatonit)"
mkdir -p /run/user-4242/home /run/user-4242/run
chown -R 4242:4242 /run/user-4242
podman() {
    setpriv --reuid=4242 --regid=4242 --clear-groups env -i PATH="$PATH" HOME=/run/user-4242/home \
        XDG_RUNTIME_DIR=/run/user-4242/run podman --storage-driver=vfs --events-backend=none --cgroup-manager=cgroupfs "$@"
}
start() {
    podman ps --quiet
    pid=$(cat /run/user-4242/run/libpod/tmp/pause.pid)
    cmp "/proc/$pid/exe" "$1"
    echo "runs $(tr '\0' ' ' <"/proc/$pid/cmdline")of $(stat --format=%u "/proc/$pid")"
}
start "$1"
theirs=$(podman unshare readlink /proc/self/ns/user)
if [ "$theirs" = "$(readlink "/proc/$pid/ns/user")" ]; then echo 'holds the namespace'; fi
podman system migrate
while [ -e "/proc/$pid" ]; do :; done
echo 'ended by podman'
start "$1"
kill -TERM "$pid"
while [ -e "/proc/$pid" ]; do :; done
echo 'ended by a signal'
"#;

pub(crate) fn podman_without_root_pauses_with_it(world: &World) -> Outcome {
    need(&["catatonit", "cmp", "setpriv"])?;
    let sandbox = world.sandbox()?;
    world.podman_with_tiny()?;
    if succeed(sandbox.command("setpriv").args(["--reuid=4242", "unshare", "--user", "true"])).is_err() {
        return Err(Trouble::Missing("a user without rights may not make a user namespace".into()));
    }
    let mut command = sandbox.command("unshare");
    let said = succeed(command.args(["--mount", "sh", "-c", WITHOUT_ROOT, "sh"]).arg(supervise()))?;
    let expected = [
        "runs catatonit -P of 4242",
        "holds the namespace",
        "ended by podman",
        "runs catatonit -P of 4242",
        "ended by a signal",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    Ok(())
}
