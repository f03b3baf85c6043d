//! Users and groups by /etc/passwd and /etc/group of the root filesystem that we are in (passwd(5), group(5)). Never
//! by the C library: it would ask name services that a container does not have, and a static glibc crashes in them.
//!
//! A word of digits is a number, also where somebody is called so, as gosu, su-exec and docker have it. The first line
//! that has it counts. Lines that are not of their format, NIS
//! lines (`+`, `-`) and comments are passed over.

use std::ffi::CString;
use std::io;

use nix::unistd::{getgroups, getresgid, getresuid};

use super::Unfit;
use super::file::{LARGEST, read as read_file};
use crate::cli::suggest::nearer;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The most groups that a process can be in (NGROUPS_MAX in setgroups(2), Linux 2.6.4).
const MOST_GROUPS: usize = 65_536;

/// Whom the command becomes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All that it is in, its own first.
    pub(super) groups: Vec<u32>,
    /// Whether a group was named: then it is in that one alone.
    pub(super) alone: bool,
    pub(super) home: CString,
}

impl User {
    /// Whether that is what we are already. Then nothing is changed, which needs no rights: the groups that a pod's
    /// `fsGroup` or docker's `--group-add` have given stay.
    pub(super) fn is_us(&self) -> bool {
        let uids = getresuid()
            .is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|uid| uid.as_raw() == self.uid));
        uids && getresgid()
            .is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|gid| gid.as_raw() == self.gid))
    }

    /// Whether we are in these groups alone.
    pub(super) fn has_our_groups(&self) -> bool {
        getgroups().is_ok_and(|ours| {
            let ours: Vec<u32> = ours.into_iter().map(nix::unistd::Gid::as_raw).collect();
            let within = |all: &[u32], some: &[u32]| some.iter().all(|gid| all.contains(gid));
            // What is named is one group.
            self.groups.len() == 1 && within(&ours, &self.groups) && within(&self.groups, &ours)
        })
    }
}

/// Looks up `USER`, `USER:GROUP` or `:GROUP`.
pub(super) fn look_up(spec: &[u8]) -> Result<User, Unfit> {
    let numbers = spec.splitn(2, |byte| *byte == b':').collect::<Vec<_>>();
    // Then no line gives more than a HOME.
    let need = match &numbers[..] {
        [user, group] if (user.is_empty() || is_number(user)) && is_number(group) => Need::IfReadable,
        _ => Need::Must,
    };
    let files = Files { passwd: read(PASSWD, need)?, group: read(GROUP, need)? };
    files.resolve(spec, nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// Whether a file is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    IfReadable,
}

/// `None` if there is none, or none that we may read where it is not needed.
fn read(path: &str, need: Need) -> Result<Option<Vec<u8>>, Unfit> {
    match read_file(path.as_bytes(), LARGEST) {
        Ok(Some(content)) => Ok(Some(content)),
        Ok(None) => Err(Unfit::TooLarge(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && need == Need::IfReadable => Ok(None),
        Err(error) => Err(Unfit::Unreadable(path.to_owned(), error)),
    }
}

struct Files {
    passwd: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
}

/// A line of /etc/passwd.
struct Account<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

/// A line of /etc/group.
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

impl Files {
    /// `our_uid` and `our_gid` are what is not said: of `:GROUP` the user, of a number without a line the group.
    fn resolve(&self, spec: &[u8], our_uid: u32, our_gid: u32) -> Result<User, Unfit> {
        let mut parts = spec.splitn(2, |byte| *byte == b':');
        let (user, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if (user.is_empty() && group.is_empty()) || group.contains(&b':') {
            return Err(Unfit::NotAUser);
        }
        let number = if user.is_empty() { Some(our_uid) } else { id(user)? };
        let account = self.accounts().find(|account| match number {
            Some(number) => account.uid == number,
            None => account.name == user,
        });
        let uid = account.as_ref().map(|account| account.uid).or(number).ok_or_else(|| {
            unknown("user", user, PASSWD, self.passwd.as_deref(), self.accounts().map(|account| account.name))
        })?;
        let gid = match group {
            [] => account.as_ref().map_or(our_gid, |account| account.gid),
            group => self.group(group)?,
        };
        let mut groups = vec![gid];
        // Who names a group wants that one alone, as gosu, su-exec and docker understand it.
        if let (Some(account), []) = (&account, group) {
            let mut others: Vec<u32> = self
                .groups()
                .filter(|group| group.gid != gid && group.has(account.name))
                .map(|group| group.gid)
                .collect();
            // As the kernel keeps them.
            others.sort_unstable();
            others.dedup();
            groups.extend(others);
        }
        if groups.len() > MOST_GROUPS {
            return Err(Unfit::TooManyGroups(groups.len()));
        }
        let home = account.map(|account| account.home).filter(|home| !home.is_empty()).unwrap_or(b"/");
        let home = CString::new(home).unwrap_or_else(|_| c"/".into());
        Ok(User { uid, gid, groups, alone: !group.is_empty(), home })
    }

    fn group(&self, word: &[u8]) -> Result<u32, Unfit> {
        let number = id(word)?;
        let found = || self.groups().find(|group| group.name == word).map(|group| group.gid);
        number
            .or_else(found)
            .ok_or_else(|| unknown("group", word, GROUP, self.group.as_deref(), self.groups().map(|group| group.name)))
    }

    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        lines(self.passwd.as_deref()).filter_map(|mut fields| {
            let name = fields.next()?;
            let (uid, gid) = (fields.nth(1).and_then(line_id)?, fields.next().and_then(line_id)?);
            Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
        })
    }

    fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        lines(self.group.as_deref()).filter_map(|mut fields| {
            let name = fields.next()?;
            let gid = fields.nth(1).and_then(line_id)?;
            Some(Group { name, gid, members: fields.next().unwrap_or_default() })
        })
    }
}

impl Group<'_> {
    fn has(&self, name: &[u8]) -> bool {
        self.members.trim_ascii_end().split(|byte| *byte == b',').any(|member| member == name)
    }
}

/// The fields of each line that can be one.
fn lines(file: Option<&[u8]>) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
    let lines = file.unwrap_or_default().split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !matches!(line, [] | [b'#' | b'+' | b'-' | b':', ..]));
    lines.map(|line| line.split(|byte| *byte == b':'))
}

/// The number that a word is, if it is one. The kernel's -1 means nobody (setresuid(2)).
fn id(word: &[u8]) -> Result<Option<u32>, Unfit> {
    let not = || Unfit::NotAnId(String::from_utf8_lossy(word).into_owned());
    match word.strip_prefix(b"-").unwrap_or(word) {
        digits if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) => Ok(None),
        _ => line_id(word).map(Some).ok_or_else(not),
    }
}

fn is_number(word: &[u8]) -> bool {
    matches!(id(word), Ok(Some(_)))
}

fn line_id(word: &[u8]) -> Option<u32> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok()?.parse().ok().filter(|number| digits && *number != u32::MAX)
}

fn unknown<'a>(
    what: &'static str,
    word: &[u8],
    file: &'static str,
    content: Option<&[u8]>,
    names: impl Iterator<Item = &'a [u8]>,
) -> Unfit {
    let name = String::from_utf8_lossy(word).into_owned();
    if content.is_none() {
        return Unfit::NoFile { what, name, file };
    }
    // It has a line, and that was passed over.
    if lines(content).any(|mut fields| fields.next() == Some(word)) {
        return Unfit::Malformed { what, name, file };
    }
    let nearest = nearer(&name, names.filter_map(|name| std::str::from_utf8(name).ok())).map(str::to_owned);
    Unfit::Unknown { what, name, file, nearest }
}

#[cfg(test)]
mod tests {
    use super::{Files, Unfit};

    const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
# app:x:1:1::/comment:/bin/sh
+app::::::
-app
broken
broken2:x:zwei:3::/:
app:x:1000:1001:The App:/srv/app:/bin/sh
twin:x:1000:1002::/srv/twin:/bin/sh
77:x:78:78::/seven:
nobody:x:65534:65534
late:x:500:500::/late:/bin/sh";

    const GROUP: &str = "\
root:x:0:
app:x:1001:app
video:x:44:root,app,other
audio:x:29:apps,xapp
more:x:45:other,app\r
broken:x:y:app
again:x:44:app
plus:x:46:app";

    fn files() -> Files {
        Files { passwd: Some(PASSWD.into()), group: Some(GROUP.into()) }
    }

    #[test]
    fn a_user_is_what_its_line_says() {
        let long = "x".repeat(100_000);
        for (spec, uid, gid, groups, home) in [
            ("app", 1000, 1001, &[1001, 44, 45, 46][..], c"/srv/app"),
            ("1000", 1000, 1001, &[1001, 44, 45, 46], c"/srv/app"),
            ("app:", 1000, 1001, &[1001, 44, 45, 46], c"/srv/app"),
            ("twin", 1000, 1002, &[1002], c"/srv/twin"),
            ("app:video", 1000, 44, &[44], c"/srv/app"),
            ("app:9", 1000, 9, &[9], c"/srv/app"),
            ("root", 0, 0, &[0, 44], c"/root"),
            ("late", 500, 500, &[500], c"/late"),
            ("nobody", 65534, 65534, &[65534], c"/"),
            // A number, though somebody is called so.
            ("77", 77, 5, &[5], c"/"),
            ("78", 78, 78, &[78], c"/seven"),
            // Without a line: our group, as gosu and su-exec have it.
            ("12345", 12345, 5, &[5], c"/"),
            ("12345:audio", 12345, 29, &[29], c"/"),
            (":audio", 0, 29, &[29], c"/root"),
            ("4294967294:4294967294", 4_294_967_294, 4_294_967_294, &[4_294_967_294], c"/"),
        ] {
            let user = files().resolve(spec.as_bytes(), 0, 5).unwrap_or_else(|why| panic!("{spec}: {why}"));
            assert_eq!((user.uid, user.gid, &user.groups[..], &*user.home), (uid, gid, groups, home), "{spec}");
        }
        let with_long = format!("{long}:x:1:1:{long}:/:\nlong:x:2:2:{long}:/{long}:");
        let files = Files { passwd: Some(with_long.into()), group: None };
        assert_eq!(files.resolve(b"long", 0, 0).map(|user| user.home.to_bytes().len()).ok(), Some(100_001));
    }

    #[test]
    fn what_cannot_be_a_user_is_refused() {
        for (spec, said) in [
            ("", "form USER"),
            (":", "form USER"),
            ("a:b:c", "form USER"),
            ("ap", "did you mean app?"),
            ("zzz", "give the user's number"),
            ("app:vidoe", "did you mean video?"),
            ("4294967295", "0 to 4294967294"),
            ("-1", "0 to 4294967294"),
            ("0:-1", "0 to 4294967294"),
            ("99999999999999999999", "0 to 4294967294"),
            ("+1000", "no user is called"),
            ("+app", "no user is called"),
            ("# app", "no user is called"),
            ("broken", "user \"broken\" in /etc/passwd is malformed"),
            ("broken2", "user \"broken2\" in /etc/passwd is malformed"),
            ("app:broken", "group \"broken\" in /etc/group is malformed"),
            // Not near enough to `root` to be meant.
            ("front", "no user is called \"front\" in /etc/passwd; add it"),
        ] {
            let why = files().resolve(spec.as_bytes(), 0, 0).expect_err(spec).to_string();
            assert!(why.contains(said), "{spec}: {why}");
        }
    }

    #[test]
    fn more_groups_than_the_kernel_takes_are_refused() {
        let lines = |count: u32| (0..count).map(|gid| format!("g{gid}:x:{}:app\n", 10_000 + gid)).collect::<String>();
        let with = |group: String| Files { passwd: Some(PASSWD.into()), group: Some(group.into()) };
        let most = with(lines(65_535) + "again:x:10000:app\n").resolve(b"app", 0, 0);
        assert_eq!(most.map(|user| user.groups.len()).ok(), Some(65_536));
        let files = with(lines(65_536));
        let why = files.resolve(b"app", 0, 0).expect_err("too many").to_string();
        assert!(why.contains("65537 groups") && why.contains("at most 65536"), "{why}");
        assert_eq!(files.resolve(b"app:7", 0, 0).map(|user| user.groups).ok(), Some(vec![7]));
    }

    #[test]
    fn without_the_files_numbers_will_do() {
        let none = Files { passwd: None, group: None };
        let user = none.resolve(b"1:2", 0, 0).expect("both are numbers");
        assert_eq!((user.uid, user.gid, user.groups), (1, 2, vec![2]));
        assert!(matches!(none.resolve(b"app", 0, 0), Err(Unfit::NoFile { file: "/etc/passwd", .. })));
        assert!(matches!(none.resolve(b"1:app", 0, 0), Err(Unfit::NoFile { file: "/etc/group", .. })));
    }
}
