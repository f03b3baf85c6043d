//! Who gets rid of descriptors that come to our sockets: nobody has asked for them, and closing one may take long.

use super::World;
use crate::core::Signal;
use crate::sys::{self, Mail};

impl World<'_, '_, '_> {
    /// What is read from the control socket, and from that of sd_notify(3).
    fn mails(&mut self) -> [Option<&mut Mail>; 2] {
        let setting = &mut self.setting;
        let control = setting.listener.as_mut().and_then(|listener| listener.mail());
        let notify = setting.care.as_mut().and_then(|care| care.hearing.socket.as_mut()).map(sys::Notify::mail);
        [control, notify]
    }

    /// They are none of what the command has.
    pub(super) fn note_takers(&mut self) {
        let takers = self.mails().map(|mail| mail.and_then(|mail| mail.taker()));
        self.rest.set_takers(takers);
    }

    /// A process has ended: it may be one of them, or have made room for one.
    pub(super) fn receive_again(&mut self) {
        let is_stuck = |mail: Option<&mut Mail>| mail.is_some_and(|mail| mail.is_stuck());
        if self.mails().into_iter().any(is_stuck) {
            let _ = sys::send(self.setting.ourselves, Signal::IO);
        }
    }

    /// The wait for all does not see them.
    pub(super) fn reap_takers(&mut self) {
        self.receive_again();
        self.mails().into_iter().flatten().for_each(Mail::reap);
        self.note_takers();
    }
}
