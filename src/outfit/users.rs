//! Users and groups by /etc/passwd and /etc/group of the root filesystem that we are in (passwd(5), group(5)). Never
//! by the C library: it would ask name services that a container does not have, and a static glibc crashes in them.
//!
//! A word of digits is a number, also where somebody is called so, as gosu, su-exec and docker have it. The first line
//! that has it counts. Lines that are not of their format, NIS
//! lines (`+`, `-`) and comments are passed over.

use std::ffi::CString;
use std::fs;
use std::io;

use nix::unistd::{getresgid, getresuid};

use super::{Unfit, nearest};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Whom the command becomes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All that it is in, its own first.
    pub(super) groups: Vec<u32>,
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
}

/// Looks up `USER`, `USER:GROUP` or `:GROUP`.
pub(super) fn look_up(spec: &[u8]) -> Result<User, Unfit> {
    let files = Files { passwd: read(PASSWD)?, group: read(GROUP)? };
    files.resolve(spec, nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// `None` if there is none.
fn read(path: &str) -> Result<Option<Vec<u8>>, Unfit> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
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
            unknown("user", user, PASSWD, self.passwd.is_some(), self.accounts().map(|account| account.name))
        })?;
        let gid = match group {
            [] => account.as_ref().map_or(our_gid, |account| account.gid),
            group => self.group(group)?,
        };
        let mut groups = vec![gid];
        // Who names a group wants that one alone, as gosu, su-exec and docker understand it.
        if let (Some(account), []) = (&account, group) {
            for group in self.groups().filter(|group| group.has(account.name)) {
                if !groups.contains(&group.gid) {
                    groups.push(group.gid);
                }
            }
        }
        let home = account.map(|account| account.home).filter(|home| !home.is_empty()).unwrap_or(b"/");
        let home = CString::new(home).unwrap_or_else(|_| c"/".into());
        Ok(User { uid, gid, groups, home })
    }

    fn group(&self, word: &[u8]) -> Result<u32, Unfit> {
        let number = id(word)?;
        let found = || self.groups().find(|group| group.name == word).map(|group| group.gid);
        number
            .or_else(found)
            .ok_or_else(|| unknown("group", word, GROUP, self.group.is_some(), self.groups().map(|group| group.name)))
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

fn line_id(word: &[u8]) -> Option<u32> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok()?.parse().ok().filter(|number| digits && *number != u32::MAX)
}

fn unknown<'a>(
    what: &'static str,
    word: &[u8],
    file: &'static str,
    is_there: bool,
    names: impl Iterator<Item = &'a [u8]>,
) -> Unfit {
    let name = String::from_utf8_lossy(word).into_owned();
    if !is_there {
        return Unfit::NoFile { what, name, file };
    }
    let nearest = nearest(&name, &mut names.filter_map(|name| std::str::from_utf8(name).ok())).map(str::to_owned);
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
            ("broken2", "no user is called"),
        ] {
            let why = files().resolve(spec.as_bytes(), 0, 0).expect_err(spec).to_string();
            assert!(why.contains(said), "{spec}: {why}");
        }
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
