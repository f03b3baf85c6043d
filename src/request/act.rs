//! What comes of what the words ask for.

use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::geteuid;
use supervise_init::core::request::{Answer, Haste, Message, Reply, Request, Standing, Text, Verb, Wish};
use supervise_init::sys::{Errno, Output};

use super::process_1;
use super::talk::{self, Unanswered};
use super::time::{When, written};
use super::ways::{self, Barred};
use super::{Client, DIVERTED, DIVERTED_TOO, Deed, End, Force, Job, Notice, Verbosity, Wanted, joined, say, sys, tell};
use crate::cli::{exit, help};

/// Why it is not done.
#[derive(Debug)]
enum Failure {
    /// Only root may ask for it.
    NotRoot,
    /// And nobody who is not inside.
    Outside,
    /// Only root, and who may use this socket.
    NotAdmitted(PathBuf),
    /// Process 1 is what was called so.
    Ourselves,
    /// Why each of the ways that were tried leads nowhere.
    Unreachable(Vec<String>),
    /// Process 1 is there, and cannot be understood.
    Unanswered(Unanswered),
    NoSuchTime,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As the others' clients have it.
            Failure::NotRoot => f.write_str("must be root."),
            Failure::Outside => f.write_str(OUTSIDE),
            Failure::NotAdmitted(socket) => {
                write!(f, "must be root, or a member of --ctl-group, for {}", socket.display())
            }
            Failure::Ourselves => f.write_str("this is process 1 itself, and nothing runs that could end"),
            Failure::Unreachable(causes) => write!(f, "cannot reach process 1: {}", causes.join("; ")),
            Failure::Unanswered(why) => write!(f, "cannot ask process 1: {why}"),
            Failure::NoSuchTime => f.write_str("there is no such time"),
        }
    }
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Failure {
        match why {
            Unanswered::NotThere(_) | Unanswered::NowhereToLook(_) | Unanswered::Elsewhere(_) => {
                Failure::Unreachable(vec![why.to_string()])
            }
            Unanswered::Forbidden(socket) => Failure::NotAdmitted(socket),
            Unanswered::Silent(_) | Unanswered::Strange(_) => Failure::Unanswered(why),
        }
    }
}

/// The ways that lead nowhere, in the order in which they were tried.
#[derive(Default)]
struct Causes(Vec<String>);

impl Causes {
    /// Whether the way was gone to its end. Who may not go one of them goes none.
    fn tried(&mut self, way: Result<(), Barred>) -> Result<bool, Failure> {
        match way {
            Ok(()) => Ok(true),
            Err(Barred::Forbidden) => Err(Failure::NotRoot),
            Err(barred) => {
                self.0.push(barred.to_string());
                Ok(false)
            }
        }
    }
}

impl Job<'_> {
    /// Does it, and returns the code to end with.
    pub(super) fn act(&self, wanted: &Wanted) -> u8 {
        if wanted.verbosity == Verbosity::Usual {
            wanted.notes.iter().for_each(|note| say(self.client, note));
        }
        match self.done(wanted) {
            Ok(code) => code,
            Err(failure) => {
                say(self.client, &failure.to_string());
                exit::NOT_DONE
            }
        }
    }

    fn done(&self, wanted: &Wanted) -> Result<u8, Failure> {
        match &wanted.deed {
            // It was printed already.
            Deed::Help | Deed::Nothing => Ok(exit::SUCCESS),
            Deed::Version => Ok(print(&format!("supervise {} (as systemctl)\n", env!("CARGO_PKG_VERSION")))),
            Deed::UnknownRunlevel => {
                print("unknown\n");
                Ok(exit::NOT_DONE)
            }
            Deed::PassOn => Ok(self.pass_on()),
            Deed::State => Ok(self.state(wanted.verbosity)),
            Deed::Upkeep => self.needs_root().map(|()| exit::SUCCESS),
            Deed::Show => self.show(),
            _ if self.ourselves.number() == 1 => Err(Failure::Ourselves),
            Deed::End(end) => self.end(end),
            Deed::Schedule(wish, when, notice) => self.schedule(*wish, *when, notice, wanted.verbosity),
            Deed::Warn(wish, when, notice) => {
                let when = when.on_the_clock(now()).ok_or(Failure::NoSuchTime)?;
                let reply = self.ask(&self.message(Verb::Warn, Request::orderly(*wish), when, notice))?;
                if reply.answer == Answer::UnderWay {
                    say(self.client, UNDER_WAY);
                }
                Ok(exit::SUCCESS)
            }
            Deed::Cancel(notice) => {
                // That there is nothing to cancel is what was wanted.
                let request = Request::orderly(Wish::Poweroff);
                self.ask(&self.message(Verb::Cancel, request, 0, notice)).map(|_| exit::SUCCESS)
            }
            Deed::Runlevel(level) => {
                let mut causes = Causes::default();
                match causes.tried(ways::write_runlevel(*level))? {
                    true => Ok(exit::SUCCESS),
                    false => Err(Failure::Unreachable(causes.0)),
                }
            }
        }
    }

    fn needs_root(&self) -> Result<(), Failure> {
        if geteuid().is_root() { Ok(()) } else { Err(Failure::NotRoot) }
    }

    fn message(&self, verb: Verb, request: Request, when: u64, notice: &Notice) -> Message {
        if notice.text.len() > Text::MOST {
            say(self.client, &format!("the message is longer than {} bytes, and is cut", Text::MOST));
        }
        Message { verb, request, wall: notice.wall, when, client: None, text: Text::new(&notice.text) }
    }

    /// Asks process 1 what only its control socket understands.
    fn ask(&self, message: &Message) -> Result<Reply, Failure> {
        let reply = talk::ask(message, &self.environment)?;
        match reply.answer {
            Answer::Refused => Err(Failure::NotRoot),
            Answer::Outside => Err(Failure::Outside),
            Answer::Accepted | Answer::UnderWay | Answer::NothingScheduled | Answer::Full | Answer::Dropped(_) => {
                Ok(reply)
            }
        }
    }

    /// By the control socket, else by a record, else by a signal; in haste by what can say so, and by reboot(2).
    fn end(&self, end: &End) -> Result<u8, Failure> {
        if end.force == Force::Twice {
            self.needs_root()?;
            let errno = self.reboot(end);
            say(self.client, &format!("{}; asking process 1 instead", Reboot(errno)));
        }
        outlast_the_stop();
        let haste = if end.force == Force::None { Haste::Orderly } else { Haste::Immediate };
        let request = Request { wish: end.wish, haste };
        let mut causes = Causes::default();
        match self.ask(&self.message(Verb::End, request, 0, &end.notice)) {
            Ok(reply) => {
                // An end is what comes, and no new beginning.
                if reply.answer == Answer::UnderWay && matches!(end.wish, Wish::Reboot | Wish::Restart) {
                    say(self.client, UNDER_WAY);
                }
                return Ok(exit::SUCCESS);
            }
            Err(Failure::Unreachable(why)) => causes.0.extend(why),
            Err(Failure::Unanswered(why)) if end.force == Force::Once => causes.0.push(why.to_string()),
            Err(failure) => return Err(failure),
        }
        if end.force == Force::None && self.needs_root().is_ok() && causes.tried(ways::write_end(end.wish))? {
            return Ok(exit::SUCCESS);
        }
        if causes.tried(ways::signal(request))? {
            return Ok(exit::SUCCESS);
        }
        // Nobody else could do anything for them either.
        self.needs_root()?;
        if end.force == Force::Once {
            say(self.client, "process 1 does not answer; calling reboot(2)");
            causes.0.push(Reboot(self.reboot(end)).to_string());
        }
        Err(Failure::Unreachable(causes.0))
    }

    fn reboot(&self, end: &End) -> Errno {
        if end.sync {
            sys::sync();
        }
        sys::reboot(end.wish)
    }

    fn schedule(&self, wish: Wish, when: When, notice: &Notice, verbosity: Verbosity) -> Result<u8, Failure> {
        let when = when.on_the_clock(now()).ok_or(Failure::NoSuchTime)?;
        let reply = self.ask(&self.message(Verb::Schedule, Request::orderly(wish), when, notice))?;
        if reply.answer == Answer::UnderWay {
            say(self.client, UNDER_WAY);
        } else if verbosity == Verbosity::Usual {
            tell(&self.scheduled(wish, when));
        }
        Ok(exit::SUCCESS)
    }

    fn show(&self) -> Result<u8, Failure> {
        let reply = self.ask(&status())?;
        Ok(match reply.scheduled {
            Some((wish, when, _)) => {
                tell(&self.scheduled(wish, when));
                exit::SUCCESS
            }
            None => {
                tell("No scheduled shutdown.");
                exit::NOT_DONE
            }
        })
    }

    /// systemd's sentence.
    fn scheduled(&self, wish: Wish, when: u64) -> String {
        let what = match wish {
            Wish::Halt | Wish::Poweroff | Wish::Stop | Wish::Exit(_) => "Shutdown",
            Wish::Reboot | Wish::Restart => "Reboot",
        };
        let cancel = match self.client {
            // What is cancelled is what there is, by whatever verb.
            Client::Systemctl if matches!(wish, Wish::Exit(_)) => "systemctl poweroff --when=cancel".to_owned(),
            Client::Systemctl => format!("systemctl {wish} --when=cancel"),
            _ => "shutdown -c".to_owned(),
        };
        format!("{what} scheduled for {}, use '{cancel}' to cancel.", written(when))
    }

    /// `is-system-running`.
    fn state(&self, verbosity: Verbosity) -> u8 {
        let state = match talk::ask(&status(), &self.environment).map(|reply| reply.standing) {
            Ok(Standing::Running | Standing::Waiting | Standing::Pausing) => "running",
            Ok(Standing::Starting | Standing::Restarting) => "starting",
            Ok(Standing::Stopping) => "stopping",
            Err(Unanswered::NotThere(_) | Unanswered::NowhereToLook(_)) if !process_1::is_supervise() => "offline",
            Err(_) => "unknown",
        };
        if verbosity == Verbosity::Usual {
            print(&format!("{state}\n"));
        }
        if state == "running" { exit::SUCCESS } else { exit::NOT_DONE }
    }

    /// Becomes the real systemctl, if there is one.
    fn pass_on(&self) -> u8 {
        let behind = (self.called.first()..self.words.count()).filter_map(|at| self.words.get(at));
        if let Some(path) = self.real_systemctl() {
            let words: Vec<&CStr> = [c"systemctl"].into_iter().chain(behind.clone()).collect();
            let mark = self.mark();
            let kept = self.environment.entries().filter(|entry| !entry.to_bytes().starts_with(PASSED_ON));
            let mut environment: Vec<&CStr> = kept.collect();
            environment.push(&mark);
            let errno = sys::become_program(&path, &words, &environment);
            say(self.client, &format!("cannot run {}: {errno}", path.to_string_lossy()));
            return exit::NOT_DONE;
        }
        let asked: Vec<&CStr> = behind.collect();
        say(self.client, &format!("{}: supervise is no systemd, and there is no real systemctl", joined(&asked)));
        exit::NOT_DONE
    }

    /// Where it is, or where `supervise shims --divert` has moved it.
    fn real_systemctl(&self) -> Option<CString> {
        if self.environment.entries().any(|entry| entry == self.mark().as_c_str()) {
            return None;
        }
        let paths =
            SYSTEMCTL.into_iter().flat_map(|path| ["", DIVERTED, DIVERTED_TOO].map(|suffix| format!("{path}{suffix}")));
        let paths = paths.chain([format!("{}/{SYSTEMCTL_OF_IMAGE}", crate::runtime::DIRECTORY)]);
        paths.filter_map(|path| CString::new(path).ok()).find(|path| is_another(path))
    }

    fn mark(&self) -> CString {
        let mark = [PASSED_ON, self.ourselves.number().to_string().as_bytes()].concat();
        CString::new(mark).unwrap_or_default()
    }
}

/// Nothing can be promised or warned of any more.
pub(super) const UNDER_WAY: &str = "a stop is under way already";

/// Whoever has another process 1 could mean that.
pub(super) const OUTSIDE: &str = "process 1 hears nobody outside of its PID namespace; say it inside, by docker exec or \
                                  `nsenter --all --target PID`, or send it a signal";

/// By this a supervise that is called as the real systemctl knows that it is not, as long as it is the same process: a
/// copy of another version would pass on to us again.
const PASSED_ON: &[u8] = b"SUPERVISE_PASSED_ON=";

/// Where systemctl is.
const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// What it is called beside us where we lie over it.
pub(crate) const SYSTEMCTL_OF_IMAGE: &str = "systemctl.of-image";

/// How reboot(2) has failed.
struct Reboot(Errno);

impl fmt::Display for Reboot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reboot(2): {}", self.0)?;
        f.write_str(if self.0.0 == libc::EPERM { " (it needs CAP_SYS_BOOT)" } else { "" })
    }
}

/// Whether a program is there that is not us: neither by a link nor as a copy, which would call itself for ever.
fn is_another(path: &CStr) -> bool {
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    let Ok(there) = fs::metadata(path) else { return false };
    let Ok(ours) = fs::metadata("/proc/self/exe") else {
        // Without /proc we cannot know ourselves.
        return false;
    };
    let is_program = there.is_file() && there.mode() & 0o111 != 0;
    let is_same = (there.dev(), there.ino()) == (ours.dev(), ours.ino());
    let is_copy = || there.len() == ours.len() && fs::read(path).ok() == fs::read("/proc/self/exe").ok();
    is_program && !is_same && !is_copy()
}

/// The stop tells everybody to end, and us too before we have ended with 0.
pub(super) fn outlast_the_stop() {
    let mut told = SigSet::empty();
    told.add(Signal::SIGTERM);
    told.add(Signal::SIGHUP);
    // It cannot fail with signals that there are.
    let _ = told.thread_block();
}

fn print(text: &str) -> u8 {
    match help::write(Output::Stdout, text.as_bytes()) {
        Ok(()) => exit::SUCCESS,
        Err(_) => exit::NOT_DONE,
    }
}

/// Asks how things stand.
pub(super) fn status() -> Message {
    let request = Request::orderly(Wish::Poweroff);
    Message { verb: Verb::Status, request, wall: false, when: 0, client: None, text: Text::EMPTY }
}

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use super::super::words::of_line;
    use super::super::{Called, Client};
    use super::{Barred, Causes, Errno, Failure, Job, Unanswered, Wish, is_another, written};

    #[test]
    fn what_is_scheduled_is_told_in_systemds_words() {
        let when = 1_900_000_000_000_000;
        let at = written(when);
        for (client, wish, said) in [
            (Client::Shutdown, Wish::Poweroff, format!("Shutdown scheduled for {at}, use 'shutdown -c' to cancel.")),
            (Client::Shutdown, Wish::Halt, format!("Shutdown scheduled for {at}, use 'shutdown -c' to cancel.")),
            (Client::Shutdown, Wish::Reboot, format!("Reboot scheduled for {at}, use 'shutdown -c' to cancel.")),
            (
                Client::Systemctl,
                Wish::Reboot,
                format!("Reboot scheduled for {at}, use 'systemctl reboot --when=cancel' to cancel."),
            ),
        ] {
            let words = of_line(&[]);
            let nothing = supervise_init::sys::Environment::new(crate::places(0), []).expect("there is room");
            let ourselves = supervise_init::sys::this_process();
            let job = Job { client, called: Called::Alone, words: &words, environment: nothing, ourselves };
            assert_eq!(job.scheduled(wish, when), said);
        }
    }

    #[test]
    fn why_nothing_was_reached_is_one_line() {
        let nowhere = Unanswered::NotThere(vec![("/run/supervise/ctl".into(), Errno(libc::ENOENT))]);
        let Failure::Unreachable(first) = Failure::from(nowhere) else { panic!("nobody was there") };
        let mut causes = Causes(first);
        for barred in [Barred::NotAFifo("/run/initctl"), Barred::Foreign("bash".to_owned())] {
            assert!(matches!(causes.tried(Err(barred)), Ok(false)));
        }
        assert!(matches!(causes.tried(Err(Barred::Forbidden)), Err(Failure::NotRoot)));
        assert_eq!(
            Failure::from(Unanswered::Forbidden("/run/supervise/ctl".into())).to_string(),
            "must be root, or a member of --ctl-group, for /run/supervise/ctl"
        );
        assert_eq!(
            Failure::Unreachable(causes.0).to_string(),
            "cannot reach process 1: /run/supervise/ctl: no such file or directory; /run/initctl is no FIFO; process 1 is \
             \"bash\" and no supervise"
        );
        assert_eq!(Failure::NotRoot.to_string(), "must be root.");
    }

    #[test]
    fn we_do_not_call_ourselves_for_a_real_systemctl() {
        assert!(is_another(c"/bin/sh"));
        for path in [c"/proc/self/exe", c"/no/such/file", c"/bin", c"/etc/passwd"] {
            assert!(!is_another(path), "{path:?}");
        }
        let copy = std::env::temp_dir().join(format!("supervise-copy-{}", std::process::id()));
        fs::copy("/proc/self/exe", &copy).expect("there is room");
        let path = std::ffi::CString::new(copy.as_os_str().as_bytes()).expect("no NUL");
        assert!(!is_another(&path));
        fs::remove_file(&copy).expect("it is ours");
    }
}
