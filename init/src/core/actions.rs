//! A short list of actions that needs no allocation.

use super::machine::Action;

/// What a machine wants done, in this order. Up to [`Actions::MOST`]; no transition needs more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actions {
    items: [Option<Action>; Actions::MOST],
}

impl Actions {
    /// The longest list.
    pub const MOST: usize = 6;
    /// Nothing to do.
    pub const NONE: Actions = Actions { items: [None; Actions::MOST] };

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.items.iter().all(Option::is_none)
    }

    /// Whether this is one of them.
    pub fn contains(&self, action: Action) -> bool {
        self.items.contains(&Some(action))
    }

    /// The list with `new` in the place of `old`.
    pub(super) fn with(mut self, old: Action, new: Action) -> Actions {
        self.items.iter_mut().flatten().filter(|action| **action == old).for_each(|action| *action = new);
        self
    }

    /// The list with one more at its end.
    pub(super) fn and(mut self, action: Action) -> Actions {
        let place = self.items.iter_mut().find(|place| place.is_none());
        debug_assert!(place.is_some(), "a transition has more actions than a list holds: {action:?}");
        if let Some(place) = place {
            *place = Some(action);
        }
        self
    }

    /// The list with all of those at its end.
    pub(super) fn then(self, more: impl IntoIterator<Item = Action>) -> Actions {
        more.into_iter().fold(self, Actions::and)
    }
}

impl<const N: usize> From<[Action; N]> for Actions {
    fn from(actions: [Action; N]) -> Actions {
        const { assert!(N <= Actions::MOST, "a transition has more actions than a list holds") };
        let mut list = Actions::NONE;
        for (place, action) in list.items.iter_mut().zip(actions) {
            *place = Some(action);
        }
        list
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Action>, { Actions::MOST }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter().flatten()
    }
}
