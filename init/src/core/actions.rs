//! A short list of actions that needs no allocation.

use super::machine::Action;

/// What a machine wants done, in this order. Up to [`Actions::MOST`]; no transition needs more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actions {
    items: [Option<Action>; Actions::MOST],
}

impl Actions {
    /// The longest list.
    pub const MOST: usize = 5;
    /// Nothing to do.
    pub const NONE: Actions = Actions { items: [None; Actions::MOST] };
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
