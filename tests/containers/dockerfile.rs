//! The project's Dockerfile, built for real, with a builder image made here in the official one's place.

use crate::docker::{Docker, Ended};
use crate::images::{BUILDER, DEBIAN, make_builder};
use crate::runner::{Outcome, Trouble};
use crate::sandbox::{failed, succeed};
use crate::world::World;

/// What is in the image is one binary, and this is the size it may have.
const LARGEST: u64 = 1_500_000;

pub(crate) fn it_builds_the_init_and_the_image_of_a_user(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    make_builder(docker)?;
    build(docker, "supervise", "supervise-test/init")?;
    build(docker, "example", "supervise-test/example")?;

    let size = docker.ask(["image", "inspect", "--format={{.Size}}", "supervise-test/init"])?;
    let size: u64 = size.trim().parse().map_err(failed)?;
    assert!((1..=LARGEST).contains(&size), "{size} bytes");
    let ended = docker.run_to_end(&["supervise-test/init", "/supervise", "--version"])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.output, format!("supervise {}\n", env!("CARGO_PKG_VERSION")));

    let ended = docker.run_to_end(&["supervise-test/example", "sh", "-c", "cat /proc/1/cmdline; exit 7"])?;
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(ended.output.starts_with("supervise\0--\0sh\0-c\0"), "{ended:?}");
    assert_eq!(stop_default_command(docker)?.code, Some(143));

    let files = ["--entrypoint=ls", "supervise-test/example", "-l", "/usr/local/bin"];
    let ended = docker.run_to_end(&files)?;
    for init in ["tini", "tini-static", "docker-init", "dumb-init", "catatonit"] {
        assert_eq!(ended.count(&format!(" {init} -> supervise")), 1, "{init}: {ended:?}");
    }
    Ok(())
}

/// Builds one stage. The network is the host's, for crates that are not in the builder yet.
fn build(docker: &Docker, stage: &str, image: &str) -> Result<(), Trouble> {
    let mut build = docker.long_command(["build", "--network=host", "--target", stage, "--tag", image]);
    build.args(["--build-arg", &format!("BUILDER={BUILDER}"), "--build-arg", &format!("BASE={DEBIAN}")]);
    succeed(build.arg(env!("CARGO_MANIFEST_DIR"))).map(drop)
}

/// Stops the user's image as it comes, with nothing on the command line.
fn stop_default_command(docker: &Docker) -> Result<Ended, Trouble> {
    let mut container = docker.run(&["--tty", "supervise-test/example"])?;
    container.wait_for("ready", 1)?;
    container.stop()?;
    container.wait()
}
