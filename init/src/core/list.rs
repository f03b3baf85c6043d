//! A short list that needs no allocation.

use super::care::Order;
use super::machine::Action;

/// What a machine wants done, in this order. No transition needs more.
pub type Actions = List<Action, 6>;

/// What the care of main wants done, in this order. Nothing that happens needs more.
pub type Orders = List<Order, 4>;

/// Up to `MOST` of them, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List<T, const MOST: usize> {
    /// What is behind the first `None` is `None` too.
    items: [Option<T>; MOST],
}

impl<T: Copy + PartialEq + core::fmt::Debug, const MOST: usize> List<T, MOST> {
    /// The longest list.
    pub const MOST: usize = MOST;
    /// Nothing to do.
    pub const NONE: Self = Self { items: [None; MOST] };

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.items.first().is_none_or(Option::is_none)
    }

    /// Whether this is one of them.
    pub fn contains(&self, item: T) -> bool {
        self.iter().any(|one| one == item)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.items.iter().map_while(|item| *item)
    }

    /// The list with `new` in the place of `old`.
    pub(super) fn with(mut self, old: T, new: T) -> Self {
        self.items.iter_mut().flatten().filter(|item| **item == old).for_each(|item| *item = new);
        self
    }

    /// The list with one more at its end.
    pub(super) fn and(mut self, item: T) -> Self {
        let place = self.items.iter_mut().find(|place| place.is_none());
        debug_assert!(place.is_some(), "there is more to do than a list holds: {item:?}");
        if let Some(place) = place {
            *place = Some(item);
        }
        self
    }

    /// The list with all of those at its end.
    pub(super) fn then(self, more: impl IntoIterator<Item = T>) -> Self {
        more.into_iter().fold(self, Self::and)
    }
}

impl<T: Copy, const MOST: usize, const N: usize> From<[T; N]> for List<T, MOST> {
    fn from(items: [T; N]) -> Self {
        const { assert!(N <= MOST, "there is more to do than a list holds") };
        let mut list = Self { items: [None; MOST] };
        for (place, item) in list.items.iter_mut().zip(items) {
            *place = Some(item);
        }
        list
    }
}

impl<T: Copy, const MOST: usize> IntoIterator for List<T, MOST> {
    type Item = T;
    type IntoIter = Items<T, MOST>;

    fn into_iter(self) -> Items<T, MOST> {
        Items { list: self, next: 0 }
    }
}

/// What is left of a list.
#[derive(Clone, Debug)]
pub struct Items<T, const MOST: usize> {
    list: List<T, MOST>,
    next: usize,
}

impl<T: Copy, const MOST: usize> Iterator for Items<T, MOST> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = *self.list.items.get(self.next)?;
        self.next = self.next.saturating_add(1);
        item
    }
}
