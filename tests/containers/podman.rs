//! Podman with a storage of its own. It has no daemon: a monitor stays beside each container.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use crate::images::TINY;
use crate::runner::Trouble;
use crate::sandbox::{Sandbox, need, succeed};

/// The defaults are above what a container without CAP_SYS_RESOURCE may ask for.
const LIMITS: [&str; 2] = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];

/// Podman's storage, alive as long as its sandbox.
pub(crate) struct Podman {
    sandbox: Rc<Sandbox>,
    storage: PathBuf,
    init: PathBuf,
    cgroup: String,
}

impl Podman {
    /// Imports `tiny`; `init` is what `run` puts into a container.
    pub(crate) fn prepare(
        sandbox: Rc<Sandbox>,
        scratch: &Path,
        init: &Path,
        cgroup: &str,
        tiny: &Path,
    ) -> Result<Self, Trouble> {
        need(&["podman", "conmon", "runc"])?;
        let podman = Self { sandbox, storage: scratch.join("podman"), init: init.into(), cgroup: format!("/{cgroup}") };
        succeed(podman.command("import").arg(tiny).arg(TINY))?;
        Ok(podman)
    }

    /// Podman's `verb`. runc, because crun refuses hosts with both cgroup versions.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = self.sandbox.command("podman");
        command.arg("--root").arg(&self.storage);
        command.args(["--runroot=/run/podman", "--tmpdir=/run/libpod", "--storage-driver=vfs"]);
        command.args(["--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none", verb]);
        command
    }

    /// `podman run --init` with our binary as the init.
    pub(crate) fn run(&self) -> Command {
        let mut command = self.run_alone();
        command.arg("--init").arg("--init-path").arg(&self.init);
        command
    }

    /// `podman run` of a container that shares nothing.
    pub(crate) fn run_alone(&self) -> Command {
        let mut command = self.command("run");
        command.args(LIMITS).args(["--network=none", "--cgroup-parent", &self.cgroup]);
        command
    }

    /// `podman run` of a container of `pod`.
    pub(crate) fn run_in(&self, pod: &str) -> Command {
        let mut command = self.command("run");
        command.args(LIMITS).args(["--pod", pod]);
        command
    }

    /// `podman pod create` of one without a network, whose containers see each other's processes.
    pub(crate) fn create_pod(&self, pod: &str) -> Command {
        let mut command = self.command("pod");
        command.args(["create", "--name", pod, "--network=none", "--share=ipc,net,uts,pid"]);
        command.args(["--cgroup-parent", &self.cgroup]);
        command
    }
}
