//! `supervise shims --divert`: the clients' names where packages have them, for those who call `/sbin/shutdown` by its
//! path. With dpkg, what a package has there is moved away, and stays so when the package is installed again
//! (dpkg-divert(1)).
//!
//! ```text
//! spots --(look)--> found --(plan)--> steps --(apply)--> done, or all steps before taken back
//! ```
//! 1. What no package has is not moved, and without dpkg nothing is.
//! 2. In a merged /usr a package may know the same file by two names. Both are diverted, each to a name of its own: with
//!    one for both, dpkg would take a package's file away when it moves from one to the other.
//! 3. What was diverted already stays so; each step is made once.
//! 4. A package's link to another client is the package's, also while that client is ours, as it is when a removal has
//!    stopped half way.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use log::debug;
use supervise_init::sys::{Errno, SigSet};

use super::dpkg::{Diversion, Dpkg, Moves};
use super::trouble::{Other, Trouble, Way};
use super::{File, Found, Names, Order, Us, errno, file, is_kept, is_left, is_made, remove_link};
use crate::request::{DIVERTED, DIVERTED_TOO};

/// Where packages have the clients. Some of them may be the same.
const DIRECTORIES: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

/// The same for what systemd's `telinit` calls up to version 255, if it is Debian's.
const LIBRARIES: [&str; 2] = ["/lib", "/usr/lib"];
const OTHER_TELINIT: &str = "sysvinit/telinit";

/// One directory, by all of its names.
struct Directory {
    file: File,
    names: Vec<&'static Path>,
}

/// One file that is to lead to us.
struct Spot {
    found: Found,
    /// At least one. Whatever is done to the file is done by the first.
    names: Vec<PathBuf>,
}

/// What is done, in this order.
#[derive(Debug)]
enum Step {
    MakeDirectory(PathBuf),
    Divert { of: PathBuf, to: PathBuf, moves: Moves },
    Link { path: PathBuf, target: PathBuf },
}

/// Does it.
pub(super) fn run(us: &Us, order: Order, blocked: SigSet) -> Result<(), Trouble> {
    let dpkg = Dpkg::find(blocked);
    let known = dpkg.as_ref().map_or(Ok(Vec::new()), Dpkg::diversions)?;
    match order {
        Order::Install => install(us, dpkg.as_ref(), &known),
        Order::Remove => remove(us, dpkg.as_ref(), &known),
    }
}

fn install(us: &Us, dpkg: Option<&Dpkg>, known: &[Diversion]) -> Result<(), Trouble> {
    let mut spots = spots(us)?;
    spots.extend(dpkg.map(|_| other_telinit(us)).transpose()?.flatten());
    let names: Vec<&Path> = spots.iter().filter(|spot| spot.is_other()).flat_map(Spot::paths).collect();
    let owned = dpkg.map_or(Ok(Vec::new()), |dpkg| dpkg.owned(&names))?;
    let is_ours = |name: &Path| known.iter().any(|diversion| is_by_us(diversion, name));
    let has_owner = |spot: &Spot| spot.paths().any(|name| owned.contains(&name)) && !spot.paths().any(is_ours);
    let taken = spots.iter().filter(|spot| !has_owner(spot)).filter_map(Spot::taken).collect::<Vec<_>>();
    if !taken.is_empty() {
        return Err(Trouble::Taken(taken, if dpkg.is_some() { Way::Diverted } else { Way::WithoutDpkg }));
    }
    let is_foreign = |diversion: &&Diversion| {
        let is_of = spots.iter().flat_map(Spot::paths).any(|name| name == diversion.of);
        is_of && !is_by_us(diversion, &diversion.of)
    };
    if let Some(diversion) = known.iter().find(is_foreign) {
        return Err(Trouble::Foreign(diversion.clone()));
    }
    let mut steps = Vec::new();
    for spot in &spots {
        if dpkg.is_some() {
            steps.extend(spot.diversions(&owned, known));
        }
        steps.extend(spot.links(us)?);
    }
    apply(&steps, dpkg)
}

fn remove(us: &Us, dpkg: Option<&Dpkg>, known: &[Diversion]) -> Result<(), Trouble> {
    let everywhere = directories(&DIRECTORIES)
        .into_iter()
        .flat_map(|directory| Names::Clients.all().into_iter().map(move |name| directory.spot(name)));
    let library = directories(&LIBRARIES).into_iter().map(|directory| directory.spot(OTHER_TELINIT));
    for names in everywhere.chain(library) {
        let spot = Spot::look(us, names)?;
        if spot.found == Found::Ours {
            remove_link(spot.path())?;
        } else {
            is_left(spot.path(), spot.found);
        }
        if spot.found == Found::Ourselves {
            continue;
        }
        let ours = known.iter().filter(|diversion| spot.paths().any(|name| is_by_us(diversion, name)));
        for Diversion { of, to, .. } in ours {
            let moves = if fs::symlink_metadata(to).is_ok() { Moves::TheFile } else { Moves::Nothing };
            let done = dpkg.map_or(Ok(()), |dpkg| dpkg.remove(of, to, moves));
            if done.is_err() && spot.found == Found::Ours {
                // Something is to be there. Where this fails, what is said first matters more.
                let _ = us.target_in(spot.folder()).map(|target| symlink(target, spot.path()));
            }
            done?;
            debug!(event = "restored"; "{} is diverted no more", of.display());
        }
        if spot.path().ends_with(OTHER_TELINIT) {
            // Others may have something there.
            let _ = fs::remove_dir(spot.folder());
        }
    }
    Ok(())
}

/// All clients: wherever something has the name, otherwise where it belongs.
fn spots(us: &Us) -> Result<Vec<Spot>, Trouble> {
    let directories = directories(&DIRECTORIES);
    let mut spots = Vec::new();
    for name in Names::Clients.all() {
        let all = directories.iter().map(|directory| Spot::look(us, directory.spot(name)));
        let mut there = all.collect::<Result<Vec<_>, _>>()?;
        there.retain(|spot| spot.found != Found::Nothing);
        if there.is_empty() {
            let home = Path::new(if name == "systemctl" { "/bin" } else { "/sbin" });
            let directory = directories.iter().find(|directory| directory.names.contains(&home));
            let directory = directory.ok_or_else(|| Trouble::Directory(home.to_owned(), Errno(libc::ENOENT)))?;
            there.push(Spot { found: Found::Nothing, names: directory.spot(name) });
        }
        spots.extend(there);
    }
    Ok(spots)
}

fn other_telinit(us: &Us) -> Result<Option<Spot>, Trouble> {
    directories(&LIBRARIES).first().map(|directory| Spot::look(us, directory.spot(OTHER_TELINIT))).transpose()
}

/// Those that are there.
fn directories(names: &'static [&'static str]) -> Vec<Directory> {
    let mut all: Vec<Directory> = Vec::new();
    for name in names.iter().map(Path::new) {
        let Ok(there) = fs::metadata(name) else { continue };
        match all.iter_mut().find(|known| known.file == file(&there)) {
            Some(known) => known.names.push(name),
            None if there.is_dir() => all.push(Directory { file: file(&there), names: vec![name] }),
            None => {}
        }
    }
    all
}

/// Whether a link goes by another client's name where packages have these: whatever that one leads to, it was not made by
/// us, because ours lead to our own executable.
pub(super) fn goes_by_a_client(us: &Us, link: &Path) -> bool {
    /// As many as the kernel follows (path_resolution(7)).
    const MOST_LINKS: usize = 40;
    let (directories, names) = (directories(&DIRECTORIES), Names::Clients.all());
    let is_there = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|there| directories.iter().any(|directory| directory.file == file(&there)))
    };
    let is_client = |path: &Path| {
        let is_named = path.file_name().is_some_and(|name| names.iter().any(|client| name == *client));
        (is_named && path.parent().is_some_and(is_there)) || path.ends_with(OTHER_TELINIT)
    };
    let next = |path: &PathBuf| Some(path.parent()?.join(fs::read_link(path).ok()?));
    let mut steps = std::iter::successors(next(&link.to_owned()), next).take(MOST_LINKS);
    // Our own executable may have a client's name itself.
    steps.any(|step| is_client(&step) && !us.is_at(&step))
}

/// Whether it is one that we make of this name.
fn is_by_us(diversion: &Diversion, name: &Path) -> bool {
    let targets = [DIVERTED, DIVERTED_TOO].map(|suffix| with_suffix(name, suffix));
    diversion.by.is_none() && diversion.of == name && targets.contains(&diversion.to)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut whole = OsString::from(path);
    whole.push(suffix);
    whole.into()
}

impl Directory {
    /// The names of a file in it.
    fn spot(&self, name: &str) -> Vec<PathBuf> {
        self.names.iter().map(|directory| directory.join(name)).collect()
    }
}

impl Spot {
    fn look(us: &Us, names: Vec<PathBuf>) -> Result<Spot, Trouble> {
        let found = match names.first() {
            None => Found::Nothing,
            Some(path) => match us.look_at(path)? {
                Found::Ours if goes_by_a_client(us, path) => Found::Other(Other::Link),
                found => found,
            },
        };
        Ok(Spot { found, names })
    }

    fn path(&self) -> &Path {
        self.names.first().map_or(Path::new("/"), PathBuf::as_path)
    }

    fn folder(&self) -> &Path {
        self.path().parent().unwrap_or(Path::new("/"))
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().map(PathBuf::as_path)
    }

    fn is_other(&self) -> bool {
        matches!(self.found, Found::Other(_))
    }

    fn taken(&self) -> Option<(PathBuf, Other)> {
        match self.found {
            Found::Other(other) => Some((self.path().to_owned(), other)),
            Found::Nothing | Found::Ours | Found::Ourselves => None,
        }
    }

    /// What packages bring by any of its names goes elsewhere. What is there moves with the name that its package has
    /// for it, after the others: then the file is missing for a moment only.
    fn diversions(&self, owned: &[&Path], known: &[Diversion]) -> Vec<Step> {
        let is_first = |name: &&Path| {
            known.iter().any(|diversion| is_by_us(diversion, name) && diversion.to == with_suffix(name, DIVERTED))
        };
        // Of a removal that has stopped half way one may be left: its other name must not become that of two files.
        let first = self.paths().find(is_first).or_else(|| self.paths().find(|name| owned.contains(name)));
        let first = first.unwrap_or(self.path());
        let mut names: Vec<&Path> = self.paths().filter(|name| *name != first).collect();
        names.push(first);
        names.retain(|name| !known.iter().any(|diversion| is_by_us(diversion, name)));
        let divert = |name: &Path| Step::Divert {
            of: name.to_owned(),
            to: with_suffix(name, if name == first { DIVERTED } else { DIVERTED_TOO }),
            moves: if name == first && self.is_other() { Moves::TheFile } else { Moves::Nothing },
        };
        names.into_iter().map(divert).collect()
    }

    fn links(&self, us: &Us) -> Result<Vec<Step>, Trouble> {
        if matches!(self.found, Found::Ours | Found::Ourselves) {
            is_kept(self.path());
            return Ok(Vec::new());
        }
        let (path, folder) = (self.path().to_owned(), self.folder());
        if fs::symlink_metadata(folder).is_ok() {
            return Ok(vec![Step::Link { target: us.target_in(folder)?, path }]);
        }
        Ok(vec![Step::MakeDirectory(folder.to_owned()), Step::Link { target: us.program.clone(), path }])
    }
}

/// Takes all steps, or none.
fn apply(steps: &[Step], dpkg: Option<&Dpkg>) -> Result<(), Trouble> {
    for (done, step) in steps.iter().enumerate() {
        let Err(trouble) = step.apply(dpkg) else { continue };
        let undone = steps.iter().take(done).rev();
        let left = undone.filter(|step| step.undo(dpkg).is_err()).map(|step| step.path().to_owned()).collect();
        return Err(match trouble {
            Trouble::Make { path, why, .. } => Trouble::Make { path, why, left },
            Trouble::Divert { path, said, .. } => Trouble::Divert { path, said, left },
            other => other,
        });
    }
    Ok(())
}

impl Step {
    fn path(&self) -> &Path {
        match self {
            Step::MakeDirectory(path) | Step::Link { path, .. } | Step::Divert { of: path, .. } => path,
        }
    }

    fn apply(&self, dpkg: Option<&Dpkg>) -> Result<(), Trouble> {
        let failed =
            |error: io::Error| Trouble::Make { path: self.path().to_owned(), why: errno(&error), left: Vec::new() };
        match (self, dpkg) {
            (Step::MakeDirectory(path), _) => fs::create_dir(path).map_err(failed)?,
            (Step::Divert { of, to, moves }, Some(dpkg)) => {
                dpkg.add(of, to, *moves)?;
                debug!(event = "diverted"; "what packages have as {} is {} now", of.display(), to.display());
            }
            (Step::Divert { .. }, None) => {}
            (Step::Link { path, target }, _) => {
                symlink(target, path).map_err(failed)?;
                is_made(path, target);
            }
        }
        Ok(())
    }

    fn undo(&self, dpkg: Option<&Dpkg>) -> Result<(), Trouble> {
        let failed = |error: io::Error| Trouble::Remove(self.path().to_owned(), errno(&error));
        match (self, dpkg) {
            (Step::MakeDirectory(path), _) => fs::remove_dir(path).map_err(failed),
            (Step::Divert { of, to, moves }, Some(dpkg)) => dpkg.remove(of, to, *moves),
            (Step::Divert { .. }, None) => Ok(()),
            (Step::Link { path, .. }, _) => fs::remove_file(path).map_err(failed),
        }
    }
}
