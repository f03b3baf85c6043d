//! What can be waited for, and how it is said.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// One thing to wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// As it was given.
    pub(super) word: &'static CStr,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Ready when it accepts a connection.
    Tcp(Endpoint),
    /// Ready when this stream socket accepts a connection.
    Unix(&'static Path),
    /// Ready when it answers with a status of 200 to 399. `authority` and `path` are for the request.
    Http { endpoint: Endpoint, authority: &'static str, path: &'static str },
    /// Ready when it is there.
    File(&'static Path),
    /// Ready when a shell ends with 0 that is given this.
    Exec(&'static CStr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    /// A name or an address, without brackets.
    pub(super) host: &'static str,
    pub(super) port: u16,
}

/// What is wrong with a word that should be a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotATarget {
    UnknownKind,
    NotUtf8,
    NoHost,
    NoPort,
    NotAPort(&'static str),
    NoBrackets,
    NotAnAddress(&'static str),
    NotAName(&'static str),
    WithUser,
    NotInAUrl(char),
    Tls,
    NoPath,
    LongPath(usize),
    NoExec,
    /// A static glibc cannot look up names.
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    NoNames,
}

/// `sun_path` with its NUL (unix(7)).
const SUN_PATH: usize = 108;

impl Target {
    /// The same, but a word that is of no known kind is a shell's command, as docker has it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse_check(word: &'static CStr) -> Result<Target, NotATarget> {
        match Target::parse(word) {
            Err(NotATarget::UnknownKind) if word.to_bytes().iter().all(u8::is_ascii_whitespace) => {
                Err(NotATarget::NoExec)
            }
            Err(NotATarget::UnknownKind) => Ok(Target { word, kind: Kind::Exec(word) }),
            other => other,
        }
    }

    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(word: &'static CStr) -> Result<Target, NotATarget> {
        let bytes = word.to_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':').ok_or(NotATarget::UnknownKind)?;
        let (kind, rest) = bytes.split_at(colon);
        let rest = rest.get(1..).unwrap_or_default();
        let text = || std::str::from_utf8(rest).map_err(|_| NotATarget::NotUtf8);
        let kind = match kind {
            b"tcp" => Kind::Tcp(tcp(text()?)?),
            b"http" => http(text()?)?,
            b"https" => return Err(NotATarget::Tls),
            b"unix" if rest.len() >= SUN_PATH => return Err(NotATarget::LongPath(rest.len())),
            b"unix" => Kind::Unix(path(rest)?),
            b"file" => Kind::File(path(rest)?),
            b"exec" if rest.iter().all(u8::is_ascii_whitespace) => return Err(NotATarget::NoExec),
            b"exec" => Kind::Exec(
                CStr::from_bytes_with_nul(word.to_bytes_with_nul().get(colon + 1..).unwrap_or(b"\0"))
                    .unwrap_or_default(),
            ),
            _ => return Err(NotATarget::UnknownKind),
        };
        Ok(Target { word, kind })
    }
}

impl Target {
    /// The same, where no more is asked of who listens there than a connection.
    pub(crate) fn connection(&self) -> Target {
        let kind = match self.kind {
            Kind::Tcp(_) | Kind::Unix(_) | Kind::File(_) | Kind::Exec(_) => self.kind,
            Kind::Http { endpoint, .. } => Kind::Tcp(endpoint),
        };
        Target { word: self.word, kind }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&'static Path> {
        match self.kind {
            Kind::File(path) => Some(path),
            Kind::Tcp(_) | Kind::Unix(_) | Kind::Http { .. } | Kind::Exec(_) => None,
        }
    }

    /// Whether who listens at this address of our own machine is meant: `tcp 127.0.0.1:80`, `unix /run/x`. Names other than
    /// `localhost` are not looked up.
    pub(crate) fn is_at(&self, address: &str) -> bool {
        match (self.kind, address.split_once(' ')) {
            (Kind::Unix(path), Some(("unix", other))) => path == Path::new(other),
            (
                Kind::Tcp(Endpoint { host, port }) | Kind::Http { endpoint: Endpoint { host, port }, .. },
                Some(("tcp", other)),
            ) => {
                let Ok(other) = other.parse::<SocketAddr>() else { return false };
                let is_host = match host.parse::<IpAddr>() {
                    Ok(own) => other.ip() == own || other.ip().is_unspecified(),
                    Err(_) => host == "localhost" && (other.ip().is_loopback() || other.ip().is_unspecified()),
                };
                other.port() == port && is_host
            }
            _ => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word.to_string_lossy())
    }
}

fn path(bytes: &'static [u8]) -> Result<&'static Path, NotATarget> {
    if bytes.is_empty() { Err(NotATarget::NoPath) } else { Ok(Path::new(OsStr::from_bytes(bytes))) }
}

/// `HOST:PORT`, also as in an address of the web: `//HOST:PORT`.
fn tcp(text: &'static str) -> Result<Endpoint, NotATarget> {
    let text = text.strip_prefix("//").unwrap_or(text);
    let (host, port) = split_port(text)?;
    Ok(Endpoint { host, port: self::port(port.ok_or(NotATarget::NoPort)?)? })
}

/// `//HOST[:PORT][/PATH]`, also without the slashes. What follows a `#` is for browsers (RFC 9110, 4.2.5).
fn http(text: &'static str) -> Result<Kind, NotATarget> {
    let text = text.strip_prefix("//").unwrap_or(text);
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    // They would end the line of the request, or begin another.
    if let Some(wrong) = text.chars().find(|letter| !letter.is_ascii_graphic()) {
        return Err(NotATarget::NotInAUrl(wrong));
    }
    let (authority, path) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    if authority.contains('@') {
        return Err(NotATarget::WithUser);
    }
    let (host, port) = split_port(authority)?;
    let port = port.map_or(Ok(80), self::port)?;
    Ok(Kind::Http { endpoint: Endpoint { host, port }, authority, path })
}

/// The host, and what stands behind its colon.
fn split_port(text: &'static str) -> Result<(&'static str, Option<&'static str>), NotATarget> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(NotATarget::NoBrackets)?;
        // A link-local address needs its interface: fe80::1%eth0.
        let address = host.split('%').next().unwrap_or(host);
        if !matches!(address.parse(), Ok(IpAddr::V6(_))) {
            return Err(NotATarget::NotAnAddress(host));
        }
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            (_, None) => Err(NotATarget::NoPort),
        };
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|port| port.contains(':')) {
        return Err(NotATarget::NoBrackets);
    }
    if host.is_empty() {
        return Err(NotATarget::NoHost);
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(NotATarget::NotAName(host));
    }
    // See `probe::resolve`.
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    if host.parse::<IpAddr>().is_err() {
        return Err(NotATarget::NoNames);
    }
    Ok((host, port))
}

fn port(word: &'static str) -> Result<u16, NotATarget> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    match word.parse() {
        _ if word.is_empty() => Err(NotATarget::NoPort),
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(NotATarget::NotAPort(word)),
    }
}

impl fmt::Display for NotATarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotATarget::UnknownKind => f.write_str(
                "no target; those are tcp:HOST:PORT, unix:PATH, http://HOST[:PORT]/PATH, file:PATH and exec:COMMAND, \
                 and the command comes behind `--`",
            ),
            NotATarget::NotUtf8 => f.write_str("not UTF-8"),
            NotATarget::NoHost => f.write_str("no host is named"),
            NotATarget::NoPort => f.write_str("no port is named; say tcp:HOST:PORT"),
            NotATarget::NotAPort(word) => write!(f, "{word:?} is no port; those are 1 to 65535"),
            NotATarget::NoBrackets => f.write_str("an IPv6 address stands in brackets: tcp:[::1]:5432"),
            NotATarget::NotAnAddress(word) => {
                write!(f, "{word:?} is no IPv6 address, which is all that brackets are for")
            }
            NotATarget::NotAName(word) => write!(f, "{word:?} is neither a host's name nor its address"),
            NotATarget::WithUser => {
                f.write_str("a user and a password cannot be sent; `exec:curl ...` can, or wait for tcp:HOST:PORT")
            }
            NotATarget::NotInAUrl(letter) => {
                write!(f, "{letter:?} cannot stand in an address; write it as % and its hexadecimal bytes")
            }
            NotATarget::Tls => {
                f.write_str("supervise speaks no TLS; wait for tcp:HOST:443, or for `exec:curl -fsS https://...`")
            }
            NotATarget::NoPath => f.write_str("no path is named"),
            NotATarget::LongPath(length) => {
                write!(f, "a path of {length} bytes; that of a socket has at most {}", SUN_PATH - 1)
            }
            NotATarget::NoExec => f.write_str("no command is named; say exec:COMMAND"),
            #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
            NotATarget::NoNames => f.write_str("this build, a static glibc, cannot look up names; say the address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: &'static str, port: u16, authority: &'static str, path: &'static str) -> Kind {
        Kind::Http { endpoint: Endpoint { host, port }, authority, path }
    }

    #[test]
    fn targets_are_read_in_every_form() {
        let tcp = |host, port| Kind::Tcp(Endpoint { host, port });
        let cases = [
            (c"tcp:db:5432", tcp("db", 5432)),
            (c"tcp://db:5432", tcp("db", 5432)),
            (c"tcp:10.0.0.1:1", tcp("10.0.0.1", 1)),
            (c"tcp:[::1]:65535", tcp("::1", 65535)),
            (c"tcp:[fe80::1%eth0]:80", tcp("fe80::1%eth0", 80)),
            (c"unix:/run/x.sock", Kind::Unix(Path::new("/run/x.sock"))),
            (c"unix:x", Kind::Unix(Path::new("x"))),
            (c"file:/a:b", Kind::File(Path::new("/a:b"))),
            (c"exec:test -e x: y", Kind::Exec(c"test -e x: y")),
            (c"http://web", http("web", 80, "web", "")),
            (c"http:web:8080/health", http("web", 8080, "web:8080", "/health")),
            (c"http://web?a=b:c", http("web", 80, "web", "?a=b:c")),
            (c"http://web/a:b@c#d", http("web", 80, "web", "/a:b@c")),
            (c"http://[::1]/", http("::1", 80, "[::1]", "/")),
            (c"http://[::1]:8080/x", http("::1", 8080, "[::1]:8080", "/x")),
        ];
        for (word, kind) in cases {
            assert_eq!(Target::parse(word).map(|target| target.kind), Ok(kind), "{word:?}");
        }
    }

    #[test]
    fn who_listens_is_known_by_its_address() {
        let is_at = |word, address| Target::parse(word).is_ok_and(|target| target.is_at(address));
        for (word, address) in [
            (c"tcp:127.0.0.1:80", "tcp 127.0.0.1:80"),
            (c"tcp:127.0.0.1:80", "tcp 0.0.0.0:80"),
            (c"tcp:127.0.0.1:80", "tcp [::]:80"),
            (c"tcp:[::1]:80", "tcp [::1]:80"),
            (c"http://localhost:8080/x", "tcp 127.0.0.1:8080"),
            (c"unix:/run/x", "unix /run/x"),
        ] {
            assert!(is_at(word, address), "{word:?} {address}");
        }
        for (word, address) in [
            (c"tcp:127.0.0.1:80", "tcp 127.0.0.1:81"),
            (c"tcp:127.0.0.1:80", "tcp 127.0.0.2:80"),
            (c"tcp:db:80", "tcp 127.0.0.1:80"),
            (c"unix:/run/x", "unix /run/y"),
            (c"file:/run/x", "unix /run/x"),
        ] {
            assert!(!is_at(word, address), "{word:?} {address}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let cases = [
            (c"", NotATarget::UnknownKind),
            (c"db", NotATarget::UnknownKind),
            (c"db:5432", NotATarget::UnknownKind),
            (c"TCP:db:5432", NotATarget::UnknownKind),
            (c"udp:db:53", NotATarget::UnknownKind),
            (c"tcp:", NotATarget::NoHost),
            (c"tcp:db", NotATarget::NoPort),
            (c"tcp:db:", NotATarget::NoPort),
            (c"tcp::5432", NotATarget::NoHost),
            (c"tcp:db:0", NotATarget::NotAPort("0")),
            (c"tcp:db:+1", NotATarget::NotAPort("+1")),
            (c"tcp:db:65536", NotATarget::NotAPort("65536")),
            (c"tcp:db:http", NotATarget::NotAPort("http")),
            (c"tcp:db:80/", NotATarget::NotAPort("80/")),
            (c"tcp:::1:80", NotATarget::NoBrackets),
            (c"tcp:[::1:80", NotATarget::NoBrackets),
            (c"tcp:[::1]", NotATarget::NoPort),
            (c"tcp:[::1]80", NotATarget::NoPort),
            (c"tcp:[db]:80", NotATarget::NotAnAddress("db")),
            (c"tcp:[127.0.0.1]:80", NotATarget::NotAnAddress("127.0.0.1")),
            (c"tcp:a b:80", NotATarget::NotAName("a b")),
            (c"tcp:\xff:80", NotATarget::NotUtf8),
            (c"unix:", NotATarget::NoPath),
            (c"file:", NotATarget::NoPath),
            (c"exec:", NotATarget::NoExec),
            (c"exec: ", NotATarget::NoExec),
            (c"https://web/", NotATarget::Tls),
            (c"http://", NotATarget::NoHost),
            (c"http:///path", NotATarget::NoHost),
            (c"http://:80/", NotATarget::NoHost),
            (c"http://me:secret@web/", NotATarget::WithUser),
            (c"http://web/a b", NotATarget::NotInAUrl(' ')),
            (c"http://web/\r\nX: y", NotATarget::NotInAUrl('\r')),
            (c"http://web:x/", NotATarget::NotAPort("x")),
        ];
        for (word, why) in cases {
            assert_eq!(Target::parse(word).map(|target| target.kind), Err(why), "{word:?}");
        }
    }

    #[test]
    fn a_path_of_a_socket_has_107_bytes_at_most() {
        let word = |length: usize| -> &'static CStr {
            let word = format!("unix:{}\0", "x".repeat(length)).leak();
            CStr::from_bytes_with_nul(word.as_bytes()).expect("it ends with a NUL")
        };
        assert!(Target::parse(word(107)).is_ok());
        assert_eq!(Target::parse(word(108)).map(|target| target.kind), Err(NotATarget::LongPath(108)));
    }
}
