//! What comes with a datagram beside its bytes: who has sent it, and descriptors (SCM_CREDENTIALS and SCM_RIGHTS in unix(7)).

use core::mem::size_of;

use super::fds::Fd;

/// Descriptors that came with a datagram.
#[derive(Debug)]
pub(super) struct Given {
    numbers: [i32; Given::MOST],
    count: usize,
}

impl Given {
    /// SCM_MAX_FD: no datagram has more.
    const MOST: usize = 253;
    /// The room for so many, and for the credentials.
    pub(super) const WORDS: usize = 4 + 2 + Given::MOST.div_ceil(2);
}

impl Drop for Given {
    fn drop(&mut self) {
        // A socket itself need not be waited for; what is inside of one may take its time.
        let never = libc::linger { l_onoff: 0, l_linger: 0 };
        let size = size_of::<libc::linger>() as libc::socklen_t;
        for number in self.numbers.iter().take(self.count) {
            // SAFETY: the kernel reads one structure from `never`; what is no socket refuses it.
            unsafe {
                libc::setsockopt(*number, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const never).cast(), size);
            }
            drop(Fd::received(*number));
        }
    }
}

/// Room for control messages (cmsg(3)), in words of eight bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Words<const ROOM: usize> {
    words: [u64; ROOM],
}

/// `struct cmsghdr`.
const HEADER: usize = 16;

impl<const ROOM: usize> Words<ROOM> {
    /// The pid and the user of who has sent it. `length` is how much the kernel has filled in.
    pub(super) fn sender(&self, length: usize) -> Option<(i32, u32)> {
        let mut sender = None;
        self.each(length, |kind, content, _| {
            if kind == libc::SCM_CREDENTIALS {
                let uid = self.number(content.saturating_add(4)).map(i32::cast_unsigned);
                sender = self.number(content).zip(uid);
            }
        });
        sender
    }

    /// What came with it.
    pub(super) fn given(&self, length: usize) -> Given {
        let mut given = Given { numbers: [0; Given::MOST], count: 0 };
        self.each(length, |kind, content, end| {
            if kind == libc::SCM_RIGHTS {
                let places = given.numbers.iter_mut().skip(given.count);
                let numbers = (content..end.saturating_sub(3)).step_by(4);
                for (place, number) in places.zip(numbers.filter_map(|at| self.number(at))) {
                    *place = number;
                    given.count = given.count.saturating_add(1);
                }
            }
        });
        given
    }

    /// Each message of the socket itself: what it is, and where its content begins and ends.
    fn each(&self, length: usize, mut tell: impl FnMut(i32, usize, usize)) {
        let mut at = 0_usize;
        let end = length.min(size_of::<Words<ROOM>>());
        while let Some((size, level, kind)) = self.header(at).filter(|_| at < end) {
            let next = at.saturating_add(size);
            if level == libc::SOL_SOCKET {
                tell(kind, at.saturating_add(HEADER), next.min(end));
            }
            // They begin at multiples of a word.
            at = next.saturating_add(7) & !7;
        }
    }

    /// The message that begins there: how long it is with its header, and what it is.
    fn header(&self, at: usize) -> Option<(usize, i32, i32)> {
        let size = usize::try_from(*self.words.get(at / 8)?).ok().filter(|size| *size >= HEADER)?;
        Some((size, self.number(at.saturating_add(8))?, self.number(at.saturating_add(12))?))
    }

    /// The integer that stands there.
    fn number(&self, at: usize) -> Option<i32> {
        let word = self.words.get(at / 8)?.to_ne_bytes();
        let bytes = word.get(at % 8..)?.first_chunk::<4>()?;
        Some(i32::from_ne_bytes(*bytes))
    }
}
