//! What becomes of a signal that reaches us: one row per signal.

use super::signal::Signal;

/// What a signal means to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// Main gets this signal.
    Forward(Signal),
    /// A request to stop; main gets this signal.
    Stop(Signal),
    /// A shutdown client uses it to ask process 1 for something: 37 to 41 and 47 to 51 are systemd's
    /// SIGRTMIN+3 to +7 and +13 to +17, SIGPWR is LXC's. Where no requests are served, main gets it.
    Reserved(Signal),
    /// Main gets this signal, if there is one, and then we stop ourselves, as a shell above us is to see.
    Suspend(Option<Signal>),
    /// Nobody gets anything.
    Ignore,
}

/// The table of rules. By default every signal goes to main as it came, and SIGTERM is a stop.
#[derive(Clone, Debug)]
pub struct Forwarding {
    rules: [Rule; Signal::MAX as usize + 1],
}

impl Forwarding {
    /// The table before any `--rewrite`.
    pub const DEFAULT: Forwarding = Forwarding { rules: default_rules() };

    /// `--rewrite from=to`, or `from=ignore` for `None`. What was a stop stays one, with another signal, and what
    /// becomes a SIGTERM becomes a stop.
    pub fn rewrite(&mut self, from: Signal, to: Option<Signal>) {
        let rule = match to {
            None => Rule::Ignore,
            Some(to) if from == Signal::TERM || to == Signal::TERM => Rule::Stop(to),
            Some(to) => Rule::Forward(to),
        };
        self.set(from, rule);
    }

    /// Main gets `to` for `from`, or nothing, and that is all: no stop begins by it.
    pub fn pass_on(&mut self, from: Signal, to: Option<Signal>) {
        self.set(from, to.map_or(Rule::Ignore, Rule::Forward));
    }

    /// Main gets `to` for `from`, or nothing, and we stop ourselves by it.
    pub fn suspend(&mut self, from: Signal, to: Option<Signal>) {
        self.set(from, Rule::Suspend(to));
    }

    fn set(&mut self, signal: Signal, rule: Rule) {
        if let Some(entry) = self.rules.get_mut(usize::from(signal.number())) {
            *entry = rule;
        }
    }

    /// The signal asks for a stop, unless it is rewritten.
    pub fn make_stop(&mut self, signal: Signal) {
        if let Some(entry) = self.rules.get_mut(usize::from(signal.number()))
            && matches!(*entry, Rule::Forward(to) | Rule::Reserved(to) if to == signal)
        {
            *entry = Rule::Stop(signal);
        }
    }

    /// Whether nothing has been said of `signal`: then it may be a request.
    pub fn is_default(&self, signal: Signal) -> bool {
        self.rule(signal) == default_rule(signal)
    }

    /// The rule for `signal`.
    pub fn rule(&self, signal: Signal) -> Rule {
        self.rules.get(usize::from(signal.number())).copied().unwrap_or(Rule::Ignore)
    }
}

const fn default_rules() -> [Rule; Signal::MAX as usize + 1] {
    let mut rules = [Rule::Ignore; Signal::MAX as usize + 1];
    let mut number = 1;
    while let Some(signal) = Signal::new(number) {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would say so")]
        {
            rules[number as usize] = default_rule(signal);
        }
        number += 1;
    }
    rules
}

const fn default_rule(signal: Signal) -> Rule {
    match signal {
        Signal::TERM => Rule::Stop(signal),
        // It is about our own children; main has its own.
        Signal::CHLD => Rule::Ignore,
        Signal::PWR => Rule::Reserved(signal),
        _ if matches!(signal.number(), 37..=41 | 47..=51) => Rule::Reserved(signal),
        _ => Rule::Forward(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::{Forwarding, Rule};
    use crate::core::Signal;

    #[test]
    fn every_signal_has_its_row() {
        for signal in Signal::all() {
            let expected = match signal.number() {
                15 => Rule::Stop(signal),
                17 => Rule::Ignore,
                30 | 37..=41 | 47..=51 => Rule::Reserved(signal),
                _ => Rule::Forward(signal),
            };
            assert_eq!(Forwarding::DEFAULT.rule(signal), expected);
        }
    }

    #[test]
    fn the_stop_signal_asks_for_a_stop_unless_it_is_rewritten() {
        let signal = |number| Signal::new(number).expect("it is one");
        let mut table = Forwarding::DEFAULT;
        table.rewrite(Signal::INT, Some(Signal::HUP));
        table.rewrite(Signal::HUP, None);
        for signal in [Signal::QUIT, signal(38), Signal::INT, Signal::HUP, Signal::TERM] {
            table.make_stop(signal);
        }
        assert_eq!(table.rule(Signal::QUIT), Rule::Stop(Signal::QUIT));
        assert_eq!(table.rule(signal(38)), Rule::Stop(signal(38)));
        assert_eq!(table.rule(Signal::INT), Rule::Forward(Signal::HUP));
        assert_eq!(table.rule(Signal::HUP), Rule::Ignore);
        assert_eq!(table.rule(Signal::TERM), Rule::Stop(Signal::TERM));
    }

    #[test]
    fn a_rewritten_stop_stays_a_stop_and_a_term_becomes_one() {
        let mut table = Forwarding::DEFAULT;
        table.rewrite(Signal::TERM, Some(Signal::QUIT));
        table.rewrite(Signal::INT, Some(Signal::TERM));
        table.rewrite(Signal::HUP, None);
        table.rewrite(Signal::WINCH, Some(Signal::HUP));
        assert_eq!(table.rule(Signal::TERM), Rule::Stop(Signal::QUIT));
        assert_eq!(table.rule(Signal::INT), Rule::Stop(Signal::TERM));
        assert_eq!(table.rule(Signal::HUP), Rule::Ignore);
        assert_eq!(table.rule(Signal::WINCH), Rule::Forward(Signal::HUP));
    }
}
