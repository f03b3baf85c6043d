//! The words and the environment that the kernel handed us, used where they are: no copy, no allocation.

use core::ffi::{CStr, c_char};
use core::ptr;

/// The words of a command line, ended by a null pointer.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    first: *mut *mut c_char,
    count: usize,
}

impl Words {
    /// The words that C's `main` was given.
    ///
    /// # Safety
    /// `first` is C's `argv`: `count` pointers to strings that live as long as the process, then a null pointer; and
    /// nobody else uses that array.
    #[expect(unsafe_code, reason = "only the entry point can vouch for the pointer")]
    pub unsafe fn from_raw(count: i32, first: *mut *mut c_char) -> Words {
        Words { first, count: usize::try_from(count).unwrap_or(0) }
    }

    /// These words, in an array of its own: `places` has one more than there are words. What does not fit is left out;
    /// `None` where there is no place at all.
    pub fn new(places: &'static mut [*mut c_char], words: impl IntoIterator<Item = &'static CStr>) -> Option<Words> {
        let count = fill(places, words)?;
        Some(Words { first: places.as_mut_ptr(), count })
    }

    /// The word at `index`; 0 is the name that we were called by.
    pub fn get(&self, index: usize) -> Option<&'static CStr> {
        if index >= self.count {
            return None;
        }
        // SAFETY: within the array, whose strings live as long as the process.
        Some(unsafe { CStr::from_ptr(*self.first.add(index)) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The array from `index` on. It has at least one slot before it if `index` is not 0.
    pub(super) fn from(&self, index: usize) -> *mut *mut c_char {
        // SAFETY: within the array or at its null pointer.
        unsafe { self.first.add(index.min(self.count)) }
    }
}

/// The environment: `NAME=value` strings, ended by a null pointer.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    first: *mut *mut c_char,
}

impl Environment {
    /// The environment that C's `main` was given.
    ///
    /// # Safety
    /// `first` is C's `envp`: pointers to strings that live as long as the process, then a null pointer; and nobody
    /// else uses that array.
    #[expect(unsafe_code, reason = "only the entry point can vouch for the pointer")]
    pub unsafe fn from_raw(first: *mut *mut c_char) -> Environment {
        Environment { first }
    }

    /// These entries, in an array of its own, as [`Words::new`].
    pub fn new(
        places: &'static mut [*mut c_char],
        entries: impl IntoIterator<Item = &'static CStr>,
    ) -> Option<Environment> {
        fill(places, entries)?;
        Some(Environment { first: places.as_mut_ptr() })
    }

    /// Goes through all entries once and keeps those that `keep` wants, in their order. It is asked only about those
    /// with a first byte that `is_asked` names: to see where an entry ends takes longer than all else that is done here.
    pub fn retain(&mut self, is_asked: impl Fn(u8) -> bool, mut keep: impl FnMut(&'static CStr) -> bool) {
        let mut from = self.first;
        let mut to = self.first;
        loop {
            // SAFETY: `from` stays within the array, up to its null pointer, and `to` does not pass it.
            let entry = unsafe { *from };
            if entry.is_null() {
                break;
            }
            // SAFETY: the first byte of a string that ends with a NUL.
            let first = unsafe { *entry } as u8;
            // SAFETY: an entry is a string that lives as long as the process.
            if !is_asked(first) || keep(unsafe { CStr::from_ptr(entry) }) {
                // SAFETY: as above.
                unsafe { *to = entry };
                // SAFETY: `to` is at most where `from` is, before the null pointer.
                to = unsafe { to.add(1) };
            }
            // SAFETY: the entry was not the null pointer, so there is one more.
            from = unsafe { from.add(1) };
        }
        // SAFETY: at most where the null pointer was.
        unsafe { *to = ptr::null_mut() };
    }

    /// All entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &'static CStr> {
        let mut place = self.first;
        core::iter::from_fn(move || {
            // SAFETY: up to the null pointer, every place is within the array.
            let entry = unsafe { *place };
            if entry.is_null() {
                return None;
            }
            // SAFETY: this place was not the null pointer, so there is one more.
            place = unsafe { place.add(1) };
            // SAFETY: an entry is a string that lives as long as the process.
            Some(unsafe { CStr::from_ptr(entry) })
        })
    }

    /// The value of the first entry of that name, as getenv(3) has it. The name has no NUL.
    pub fn value(&self, name: &str) -> Option<&'static CStr> {
        let mut place = self.first;
        loop {
            // SAFETY: up to the null pointer, every place is within the array.
            let entry = unsafe { *place };
            if entry.is_null() {
                return None;
            }
            // Most differ in their first byte, so that no entry's end is looked for.
            // SAFETY: what is compared before is equal and no NUL, so the entry does not end there.
            let differs = |(at, byte): (usize, u8)| unsafe { *entry.add(at) } as u8 != byte;
            if !name.bytes().chain([b'=']).enumerate().any(differs) {
                // SAFETY: all of that was compared, and what follows is the rest of a string that lives as long as the
                // process.
                return Some(unsafe { CStr::from_ptr(entry.add(name.len() + 1)) });
            }
            // SAFETY: this place was not the null pointer, so there is one more.
            place = unsafe { place.add(1) };
        }
    }

    /// Where the entry stands.
    pub(super) fn place_of(&self, entry: &CStr) -> Option<*mut *mut c_char> {
        let mut place = self.first;
        loop {
            // SAFETY: up to the null pointer, every place is within the array.
            let found = unsafe { *place };
            if found.is_null() {
                return None;
            }
            // Entries are the same if they are at the same address.
            if ptr::eq(found, entry.as_ptr()) {
                return Some(place);
            }
            // SAFETY: this place was not the null pointer, so there is one more.
            place = unsafe { place.add(1) };
        }
    }

    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.first.cast_const().cast()
    }
}

/// Fills the places up, the last of them and what is left with null pointers, and says how many strings fit.
fn fill(places: &mut [*mut c_char], strings: impl IntoIterator<Item = &'static CStr>) -> Option<usize> {
    places.fill(ptr::null_mut());
    let (_, places) = places.split_last_mut()?;
    let mut count = 0_usize;
    for (place, string) in places.iter_mut().zip(strings) {
        *place = string.as_ptr().cast_mut();
        count = count.saturating_add(1);
    }
    Some(count)
}
