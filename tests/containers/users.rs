//! An image that starts as root, reads a secret that only root can read, and drops to a user without privileges, as
//! people have an entrypoint script and gosu do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::images::TINY;
use crate::runner::Outcome;
use crate::sandbox::failed;
use crate::world::{World, new_directory};

/// The image of a user: its own accounts, and an init that does what a script would.
const DOCKERFILE: &str = r#"
RUN echo app:x:4242:4343::/srv/app:/bin/sh >>/etc/passwd && echo video:x:44:app >/etc/group
ENV DB_PASSWORD_FILE=/run/secrets/db_password
ENTRYPOINT ["/supervise", "--user", "app", "--env-from-files", "DB_*", "--umask", "027", "--no-new-privs", "--"]
"#;

const IMAGE: &str = "supervise-test/app";

/// Who it is, what it knows, what it cannot read, what it may not do any more.
const TELL: &str = r#"
while read -r name value rest; do case $name in Uid:|Gid:|Groups:|CapEff:|NoNewPrivs:) echo "$name" $value $rest;; esac; done </proc/self/status
echo "$HOME $DB_PASSWORD ${DB_PASSWORD_FILE-taken out}"
umask
cat /run/secrets/db_password || echo closed
cat /proc/1/environ || echo closed
"#;

pub(crate) fn an_image_drops_to_a_user_with_a_secret_of_roots(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    docker.build(IMAGE, &format!("FROM {TINY}{DOCKERFILE}"))?;
    let secrets = new_directory("secrets")?;
    let secret = secrets.join("db_password");
    fs::write(&secret, "s3cret\n").map_err(failed)?;
    fs::set_permissions(&secret, Permissions::from_mode(0o400)).map_err(failed)?;
    let mount = format!("--volume={}:/run/secrets:ro", secrets.display());
    let ended = docker.run_to_end(&[&mount, IMAGE, "sh", "-c", TELL])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = [
        "Uid: 4242 4242 4242 4242",
        "Gid: 4343 4343 4343 4343",
        "Groups: 44 4343",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
        "/srv/app s3cret taken out",
        "0027",
    ];
    for line in told {
        assert_eq!(ended.lines(line), 1, "{line}: {ended:?}");
    }
    assert_eq!(ended.lines("closed"), 2, "{ended:?}");
    // As Kubernetes' runAsUser has it: nothing is left to be changed, and no right to.
    let already = ["--user=4242:4343", "--cap-drop=ALL", "--env=DB_PASSWORD_FILE=", IMAGE, "sh", "-c", "echo $HOME"];
    let ended = docker.run_to_end(&already)?;
    assert_eq!((ended.code, ended.lines("/srv/app")), (Some(0), 1), "{ended:?}");
    // Without the secret nothing is started.
    let ended = docker.run_to_end(&[IMAGE, "sh", "-c", "echo started"])?;
    assert_eq!((ended.code, ended.lines("started")), (Some(125), 0), "{ended:?}");
    assert!(ended.output.contains("cannot read /run/secrets/db_password (of DB_PASSWORD_FILE)"), "{ended:?}");
    Ok(())
}
