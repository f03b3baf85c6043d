//! What is mounted in a root filesystem: an overlay shows one filesystem, and leaves such mounts out without a word.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::unescaped;

/// Where something new is mounted inside, whatever there was.
const COVERED: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/tmp"];

/// What is left out, as paths inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LeftOut {
    layer: PathBuf,
    mounts: Vec<PathBuf>,
}

impl LeftOut {
    /// Of those directories, by what /proc/self/mountinfo says.
    pub(super) fn find(table: &str, layers: &[PathBuf]) -> Option<LeftOut> {
        layers.iter().find_map(|layer| {
            let mounts = below(table.as_bytes(), &fs::canonicalize(layer).ok()?);
            (!mounts.is_empty()).then(|| LeftOut { layer: layer.clone(), mounts })
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut { layer, mounts } = self;
        let (first, rest) = mounts.split_first().map_or((Path::new("/"), 0), |(first, rest)| (first, rest.len()));
        write!(f, "what is mounted in {} at {}", layer.display(), first.display())?;
        if rest > 0 {
            write!(f, ", and at {rest} more places,")?;
        }
        let source = layer.join(first.strip_prefix("/").unwrap_or(first));
        write!(
            f,
            " is not in the container: an overlay shows one filesystem; say --bind {}:{}",
            source.display(),
            first.display()
        )?;
        f.write_str(", or --writable")
    }
}

/// A mount in that directory, wherever in it, as a path inside.
pub(super) fn first_below(layer: &Path) -> Option<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").ok()?;
    all_below(&table, &fs::canonicalize(layer).ok()?).into_iter().next()
}

/// The mounts below the directory that nothing new is mounted over.
fn below(table: &[u8], directory: &Path) -> Vec<PathBuf> {
    let is_covered = |inside: &PathBuf| COVERED.iter().any(|covered| inside.starts_with(covered));
    all_below(table, directory).into_iter().filter(|inside| !is_covered(inside)).collect()
}

/// The mounts below the directory, as proc_pid_mountinfo(5) lists them, each once.
fn all_below(table: &[u8], directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in table.split(|byte| *byte == b'\n') {
        let place = line.split(|byte| *byte == b' ').nth(4).and_then(|place| std::str::from_utf8(place).ok());
        let Some(place) = place.map(unescaped) else { continue };
        let Ok(inside) = place.strip_prefix(directory) else { continue };
        let inside = Path::new("/").join(inside);
        if inside != Path::new("/") && !found.contains(&inside) {
            found.push(inside);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{LeftOut, below};

    const TABLE: &[u8] = b"\
22 1 253:0 / / rw - ext4 /dev/vda rw
23 22 0:5 / /images/web rw - ext4 /dev/vdb rw
24 23 0:6 / /images/web/data rw - ext4 /dev/vdc rw
25 23 0:7 / /images/web/proc rw - proc proc rw
26 23 0:8 / /images/web/with\\040blank rw - tmpfs tmpfs rw
27 24 0:9 / /images/web/data rw - tmpfs tmpfs rw
28 22 0:9 / /images/webless rw - tmpfs tmpfs rw
";

    #[test]
    fn mounts_below_are_found_and_those_that_are_covered_are_not() {
        let found = below(TABLE, Path::new("/images/web"));
        assert_eq!(found, [PathBuf::from("/data"), PathBuf::from("/with blank")]);
        assert_eq!(below(TABLE, Path::new("/images/webless")), Vec::<PathBuf>::new());
        assert_eq!(below(TABLE, Path::new("/")).len(), 5);
    }

    #[test]
    fn it_is_said_how_to_have_them() {
        let left = LeftOut { layer: "/images/web".into(), mounts: vec!["/data".into(), "/more".into()] };
        let said = "what is mounted in /images/web at /data, and at 1 more places, is not in the container: an overlay \
                    shows one filesystem; say --bind /images/web/data:/data, or --writable";
        assert_eq!(left.to_string(), said);
    }
}
