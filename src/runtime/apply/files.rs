//! The name of the container, and the files of /etc that are about it.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use log::{debug, warn};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::sethostname;
use supervise_init::sys;

use super::inside::{Inside, Kind, Links, kind};
use super::mounts::{bind, bind_read_only};
use super::root::open_beneath;
use super::{Site, Why, inside};
use crate::runtime::ids::are_in_user_namespace;
use crate::runtime::plan::File;

pub(super) fn name_host(site: &mut Site, name: &str) -> Result<(), Why> {
    sethostname(name)?;
    name.clone_into(&mut site.hostname);
    Ok(())
}

/// As systemd's container interface has it (systemd.io/CONTAINER_INTERFACE): the value of `container` in the environment of
/// process 1, which nobody inside may read.
pub(super) fn name_manager(root: &Inside) -> Result<(), Why> {
    let directory = Path::new("/run/host");
    if root.is_bound(directory)? {
        debug!(event = "file"; "{} is in what is bound there; going on without", directory.display());
        return Ok(());
    }
    let name = Path::new("container-manager");
    match inside::make_file(root.directory(directory, Links::Followed)?, name) {
        // It is bound there.
        Err(Errno::EEXIST) => Ok(()),
        made => write(made.map_err(Why::of(name))?, "supervise\n", &directory.join(name)),
    }
}

fn write(file: OwnedFd, content: &str, path: &Path) -> Result<(), Why> {
    let written = fs::File::from(file).write_all(content.as_bytes());
    written.map_err(|error| Why::File(path.to_owned(), Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
}

/// Made beside the root and bound over what the image has: that stays as it is, and is not followed if it is a link.
pub(super) fn put(site: &mut Site, file: File) -> Result<(), Why> {
    let Some(content) = content(file, site) else { return Ok(()) };
    let path = file.path();
    let name = path.file_name().map_or(Path::new("file"), Path::new);
    let files = open_beneath(site.stage()?, "files")?;
    let made = inside::make_file(&files, name).map_err(Why::of(path))?;
    write(made, &content, path)?;
    let made = openat(&files, name, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let root = site.root()?;
    if root.find(path, OFlag::O_NOFOLLOW, Links::Followed).is_err() && root.is_bound(path)? {
        debug!(event = "file"; "{} is not in what is bound there; going on without", path.display());
        return Ok(());
    }
    let place = root.file(path);
    if let Ok(place) = &place
        && kind(place)? == Kind::Directory
    {
        warn!("{} is a directory in the image; going on without", path.display());
        return Ok(());
    }
    match place {
        // In a user namespace nobody is root over the image's /etc if that belongs to a root who is not in it.
        Err(Why::File(_, Errno::EACCES | Errno::EOVERFLOW)) if are_in_user_namespace() => {
            warn!("{} is not in the image and cannot be made there; going on without", path.display());
            Ok(())
        }
        place if site.is_read_only => bind_read_only(&made, &place?),
        place => bind(&made, &place?, MsFlags::empty()),
    }
}

/// `None`: the image's own stays.
fn content(file: File, site: &Site) -> Option<String> {
    let hostname = &site.hostname;
    match (file, &site.name_server) {
        (File::Hostname, _) => Some(format!("{hostname}\n")),
        (File::Hosts, _) => {
            Some(format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{hostname}\n"))
        }
        (File::Resolvers, Some(server)) => Some(format!("nameserver {server}\n")),
        (File::Resolvers, None) => match fs::read_to_string(file.path()) {
            Ok(content) => Some(content),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                let errno = sys::Errno(error.raw_os_error().unwrap_or(libc::EIO));
                warn!("cannot read {} of the host: {errno}; that of the image stays", file.path().display());
                None
            }
        },
    }
}

/// A layer for the top of an overlay, with an /etc in which a user namespace can make these files: nobody in it is root
/// over the image's /etc, if that belongs to a root who is not in it.
pub(super) fn layer_for_user(stage: &OwnedFd, layers: &[OwnedFd]) -> Result<Option<OwnedFd>, Why> {
    let Some(etc) = layers.iter().find_map(|layer| open_beneath(layer, "etc").ok()) else { return Ok(None) };
    // What is a link, or is root's who is in it, stays as it is.
    if kind(&etc)? != Kind::Directory || fstat(&etc)?.st_uid == 0 {
        return Ok(None);
    }
    mkdirat(stage, "top", Mode::from_bits_truncate(0o755))?;
    let top = open_beneath(stage, "top")?;
    mkdirat(&top, "etc", Mode::from_bits_truncate(0o755))?;
    Ok(Some(top))
}
