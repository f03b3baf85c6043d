//! `/run/initctl`: it is offered, kept where it is, and read.

use core::ffi::CStr;

use log::debug;

use super::say::unavailable;
use super::{Listener, ROUNDS, World};
use crate::core::request::{Found, Initctl, Subject, Way};
use crate::core::{Event, Machine};
use crate::sys::{self, Directory, Fifo};

/// What stood where it was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stood {
    Nothing,
    Something,
}

impl Listener<'_> {
    /// `None`: it cannot be had, and that is said.
    pub(super) fn offer_initctl(&mut self, path: &'static CStr) -> Option<Stood> {
        match Fifo::offer(path, self.ourselves) {
            Ok((fifo, was_there)) => {
                self.fifo = Some(fifo);
                // For clients of old; where there is no such directory they are not either.
                self.is_linked |= sys::make_link(self.offer.link.0, path).unwrap_or(false);
                Some(if was_there { Stood::Something } else { Stood::Nothing })
            }
            Err(errno) => {
                self.fifo = None;
                if let Some(left_out) = self.admit(Subject::Unavailable, Way::Initctl) {
                    unavailable(path, errno, left_out);
                }
                None
            }
        }
    }

    /// What writes to the FIFO may remove its other name afterwards, as sysvinit-core's script does. From then on we are
    /// told of that: not from the beginning, because most containers have nothing of the kind.
    fn keep_link(&mut self) {
        let (Some((path, _)), (link, directory)) = (self.offer.initctl, self.offer.link) else { return };
        if self.link_watch.is_none() {
            self.link_watch = Directory::watch(directory).ok();
        }
        // It may be gone already.
        self.is_linked |= sys::make_link(link, path).unwrap_or(false);
    }
}

impl World<'_, '_, '_> {
    pub(super) fn read_initctl(&mut self, machine: &mut impl Machine) {
        // So that no more than one request is read at a time: what is behind one that ends a life is for the next to hear.
        let mut buffer = [0; Initctl::RECORD];
        let mut has_heard = false;
        let mut rounds = 0..ROUNDS;
        while self.outcome.is_none() && rounds.next().is_some() {
            let Some(listener) = &mut self.setting.listener else { return };
            let Some(fifo) = &listener.fifo else {
                // What stood in its way may be gone.
                if listener.watch.is_some() {
                    self.reopen_initctl();
                }
                return;
            };
            let kept = listener.initctl.put_back(&mut buffer);
            let count = fifo.read(buffer.get_mut(kept..).unwrap_or_default());
            if count == 0 {
                let is_there = fifo.is_there();
                if kept > 0 {
                    listener.complain(Way::Initctl);
                }
                if !is_there {
                    self.reopen_initctl();
                } else if has_heard || listener.link_watch.is_some() {
                    listener.keep_link();
                }
                return;
            }
            has_heard = true;
            let mut bytes = buffer.get(..kept.saturating_add(count)).unwrap_or_default();
            while let Some(listener) = &mut self.setting.listener
                && let Some((found, rest)) = listener.initctl.take(bytes)
            {
                bytes = rest;
                match found {
                    Found::Ask(ask) => self.deliver(machine, Event::Asked(ask, Way::Initctl)),
                    Found::Unknown => {
                        debug!(event = "initctl"; "a record of /run/initctl asks for nothing that we know")
                    }
                    Found::Garbage => listener.complain(Way::Initctl),
                }
            }
        }
        // There is more: we are to be woken again.
        let _ = sys::send(self.setting.ourselves, crate::core::Signal::IO);
    }

    pub(in crate::driver) fn reopen_initctl(&mut self) {
        if let Some(listener) = &mut self.setting.listener
            && let Some((path, _)) = listener.offer.initctl
        {
            debug!(event = "initctl"; "offering /run/initctl again");
            listener.offer_initctl(path);
        }
    }
}
