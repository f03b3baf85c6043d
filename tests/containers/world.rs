//! What the cases share, started when the first of them asks for it and gone when the last has ended:
//! the namespaces, the docker daemon, podman, the images, and a directory for their data.
//!
//! The directory and the cgroups carry this process's id in their names, so that what a killed run
//! left behind (it cannot be a process or a mount) is found and removed by the next.

use std::cell::OnceCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::docker::Docker;
use crate::images;
use crate::podman::Podman;
use crate::runner::Trouble;
use crate::sandbox::{Sandbox, failed};

/// Names a run's directory in `cache()` and its cgroup.
const RUN: &str = "supervise-containers-";
const CGROUPS: &str = "/sys/fs/cgroup";

/// All that the cases share.
pub(crate) struct World {
    sandbox: OnceCell<Result<Rc<Sandbox>, Trouble>>,
    docker: OnceCell<Result<Docker, Trouble>>,
    podman: OnceCell<Result<Podman, Trouble>>,
    tiny: OnceCell<Result<PathBuf, Trouble>>,
    tiny_in_docker: OnceCell<Result<(), Trouble>>,
    debian: OnceCell<Result<(), Trouble>>,
    bookworm: OnceCell<Result<(), Trouble>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            sandbox: OnceCell::new(),
            docker: OnceCell::new(),
            podman: OnceCell::new(),
            tiny: OnceCell::new(),
            tiny_in_docker: OnceCell::new(),
            debian: OnceCell::new(),
            bookworm: OnceCell::new(),
        }
    }

    /// The namespaces that everything runs in.
    pub(crate) fn sandbox(&self) -> Result<Rc<Sandbox>, Trouble> {
        let start = || {
            Sandbox::check()?;
            remove_stale_runs();
            fs::create_dir_all(scratch()).map_err(failed)?;
            // A copy, because the path of the original may be hidden in there.
            let original = std::env::var("SUPERVISE_BIN").unwrap_or(env!("CARGO_BIN_EXE_supervise").into());
            fs::copy(&original, supervise()).map_err(|error| failed(format!("{original}: {error}")))?;
            fs::create_dir_all(inits()).map_err(failed)?;
            for name in ["docker-init", "catatonit"] {
                symlink(supervise(), inits().join(name)).map_err(failed)?;
            }
            Sandbox::enter(&scratch()).map(Rc::new)
        };
        self.sandbox.get_or_init(start).clone()
    }

    /// The daemon, with a link to our binary as its `--init-path`: it asks the file of that name for its version.
    pub(crate) fn docker(&self) -> Result<&Docker, Trouble> {
        let start = || Docker::start(self.sandbox()?, &scratch(), &inits().join("docker-init"), &cgroup());
        self.docker.get_or_init(start).as_ref().map_err(Clone::clone)
    }

    /// The daemon, and in it the image `images::TINY`.
    pub(crate) fn docker_with_tiny(&self) -> Result<&Docker, Trouble> {
        let docker = self.docker()?;
        self.tiny_in_docker.get_or_init(|| images::import_tiny(docker, &self.tiny_tar()?)).clone()?;
        Ok(docker)
    }

    /// The daemon, and in it the image `images::DEBIAN`.
    pub(crate) fn docker_with_debian(&self) -> Result<&Docker, Trouble> {
        let docker = self.docker()?;
        let import = || images::import_debian(docker, &*self.sandbox()?, &cache(), &scratch());
        self.debian.get_or_init(import).clone()?;
        Ok(docker)
    }

    /// The daemon, and in it the image `images::BOOKWORM`.
    pub(crate) fn docker_with_bookworm(&self) -> Result<&Docker, Trouble> {
        let docker = self.docker()?;
        self.bookworm.get_or_init(|| images::import_bookworm(docker)).clone()?;
        Ok(docker)
    }

    /// Podman, and in it the image `images::TINY`.
    pub(crate) fn podman_with_tiny(&self) -> Result<&Podman, Trouble> {
        let start = || Podman::prepare(self.sandbox()?, &scratch(), &supervise(), &cgroup(), &self.tiny_tar()?);
        self.podman.get_or_init(start).as_ref().map_err(Clone::clone)
    }

    fn tiny_tar(&self) -> Result<PathBuf, Trouble> {
        self.tiny.get_or_init(|| images::make_tiny(&*self.sandbox()?, &scratch(), &supervise())).clone()
    }

    /// Ends everything and says what could not be removed.
    pub(crate) fn close(self) -> Result<(), String> {
        drop(self);
        remove_run(&std::process::id().to_string())
    }
}

/// Where what is worth keeping between runs is kept.
pub(crate) fn cache() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Cargo's directory for temporary files is in the target's own; the root filesystem serves all targets.
    let top = temporary.ancestors().find(|dir| dir.join(".rustc_info.json").is_file());
    top.unwrap_or(temporary).join("tests")
}

/// The binary that is tested, where containers can have it mounted from.
pub(crate) fn supervise() -> PathBuf {
    scratch().join("supervise")
}

/// The directory of links to it, by which it is `docker-init` and `catatonit`.
pub(crate) fn inits() -> PathBuf {
    scratch().join("inits")
}

/// A new directory of this run, for what a container shares with a case.
pub(crate) fn new_directory(name: &str) -> Result<PathBuf, Trouble> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = scratch().join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&directory).map_err(failed)?;
    Ok(directory)
}

pub(crate) fn scratch() -> PathBuf {
    cache().join(cgroup())
}

fn cgroup() -> String {
    format!("{RUN}{}", std::process::id())
}

fn remove_stale_runs() {
    let Ok(entries) = fs::read_dir(cache()) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if let Some(pid) = name.strip_prefix(RUN)
            && !Path::new("/proc").join(pid).exists()
            && let Err(left) = remove_run(pid)
        {
            eprintln!("not cleaned up: {left}");
        }
    }
}

fn remove_run(pid: &str) -> Result<(), String> {
    let name = format!("{RUN}{pid}");
    let directory = cache().join(&name);
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    // One tree on cgroup v2, one for each controller below the mount point on v1.
    let controllers = fs::read_dir(CGROUPS).map_err(|error| format!("{CGROUPS}: {error}"))?.flatten();
    for parent in controllers.map(|entry| entry.path()).chain([PathBuf::from(CGROUPS)]) {
        let cgroup = parent.join(&name);
        if cgroup.is_dir() {
            remove_cgroups(&cgroup).map_err(|error| format!("{}: {error}", cgroup.display()))?;
        }
    }
    Ok(())
}

/// Removes a cgroup and those below it; its files go with it.
fn remove_cgroups(cgroup: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(cgroup)?.flatten().filter(|entry| entry.path().is_dir()) {
        remove_cgroups(&entry.path())?;
    }
    fs::remove_dir(cgroup)
}
