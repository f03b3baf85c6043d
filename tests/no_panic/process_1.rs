//! Process 1 as a program of its own. The panic handler calls a function that does not exist, so this links only if
//! the compiler has shown that nothing in `supervise-init` can panic; and there is no allocator to call.
#![no_std]
#![no_main]

// By the name that the files of `supervise` have for it.
extern crate core as std;

mod compat;

use core::ffi::{c_char, c_int};
use core::time::Duration;

use supervise_init::core::request::Manager;
use supervise_init::core::{
    Care as Core, Checks, ExitMap, Forwarding, Group, Hurry, JobControl, KillMode, Ladder, Leftovers, OnReboot,
    OnSignalDeath, Outcome, Policy, Probe, Record, Scope, Signal, Single, StopSignal, Terms,
};
use supervise_init::driver::{Care, ForwardTo, Hearing, Kept, Listener, Offer, Purpose, Setting, Slot, run};
use supervise_init::sys::{
    Alteration, Alterations, Capabilities, Door, Environment, Fd, Format, Notify, Placement, Program, Static, Words,
    block_all, controlling_tty, forget_dispositions, install_log, is_subreaper, leave_terminal, set_subreaper,
    this_process,
};

/// What systemd's clients look for.
static SYSTEMD: supervise_init::driver::Places = supervise_init::driver::Places {
    directory: c"/run/systemd",
    booted: c"/run/systemd/system",
    private: c"/run/systemd/private",
    bus_directory: c"/run/dbus",
    bus: c"/run/dbus/system_bus_socket",
};

/// One of each.
static ALTERATIONS: Alterations = Alterations {
    list: &[
        Alteration::NewSession,
        Alteration::Umask(0o27),
        Alteration::Limit { resource: 7, soft: 1, hard: 2 },
        Alteration::DropBounding(Capabilities::ALL),
        Alteration::Groups(&[1, 2]),
        Alteration::Gid(1),
        Alteration::Uid(1),
        Alteration::WorkingDirectory(c"/"),
        Alteration::DropCapabilities(Capabilities::ALL),
        Alteration::NoNewPrivileges,
    ],
};

// The C library, which std would bring.
#[link(name = "c", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}

unsafe extern "C" {
    fn process_1_can_panic();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: it is never linked, so never called.
        unsafe { process_1_can_panic() };
    }
}

/// The same parts as `supervise` itself puts together, with every branch of the policy open to the optimizer.
// SAFETY: nothing else in the program defines `main`.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *mut *mut c_char, environment: *mut *mut c_char) -> c_int {
    // SAFETY: the C runtime passes the kernel's arrays.
    let words = unsafe { Words::from_raw(count, words) };
    // SAFETY: as above.
    let mut environment = unsafe { Environment::from_raw(environment) };
    let Ok(entry) = block_all() else { return 125 };
    let many = count > 5;
    #[cfg(feature = "with-a-panic")]
    assert!(count < 7);
    if count > 19 && compat::speak(&words, count) != 0 {
        return 1;
    }
    install_log(
        if many { log::LevelFilter::Trace } else { log::LevelFilter::Warn },
        if count > 9 { Format::Json } else { Format::Text },
    );
    environment.retain(|first| first > b'A', |entry| entry.to_bytes().len() > 3);
    let many = many || environment.value("MANY").is_some();
    if !is_subreaper() {
        let _ = set_subreaper();
    }
    if count > 6 && leave_terminal().is_ok() {
        forget_dispositions();
    }
    let tty = controlling_tty();
    let own = if count > 7 { Placement::Session } else { Placement::OwnGroup };
    let placement = tty.map_or(own, Placement::Foreground);
    let program = Program {
        words,
        first: 1,
        environment,
        path: words.get(7),
        pid_entries: [words.get(8); 2],
        named: None,
        given: None,
        entry,
        placement,
        alterations: if many { Some(&ALTERATIONS) } else { None },
    };
    let scope = if many { Scope::Namespace } else { Scope::Tree };
    let ladder = ladder(many, count);
    let limits = [None, Some(Duration::from_secs(u64::from(count.unsigned_abs())))];
    let mut forwarding = Forwarding::DEFAULT;
    for number in 0..count {
        let signal = Signal::new(number).unwrap_or(Signal::TERM);
        forwarding.pass_on(signal, words.get(6).and(Some(Signal::INT)));
        forwarding.suspend(Signal::TSTP, words.get(7).and(Some(signal)));
    }
    let policy = Policy {
        before: if many { &limits } else { &[] },
        forwarding: &forwarding,
        exit_map: &ExitMap::NONE,
        group: if many { Group::Own } else { Group::Shared },
        job_control: if many { JobControl::Nobody } else { JobControl::Caller },
        scope,
        ladder: &ladder,
        on_signal_death: OnSignalDeath::Code,
        hurry: if many { Hurry::All } else { Hurry::Leftovers },
        parting: Signal::new(count),
        requests: if many { Some(Manager::OfSystems) } else { None },
        may_restart: many,
        on_reboot: if many { OnReboot::Restart } else { OnReboot::System },
    };
    let mut machine = if count > 4 { Single::new(policy) } else { Single::without_main(policy) };
    let main = Slot::new(program, if many { ForwardTo::Group } else { ForwardTo::Main }, tty);
    let called = || if many { 1 } else { 0 };
    let hook = hook(&program);
    let before = Slot::new(hook, ForwardTo::Main, tty).hook(Purpose::PreStart, "one");
    let mut slots = [main, before, before.calling(&called), before.hook(Purpose::PreStop, "two")];
    let report = words.get(9).and_then(|path| Fd::create(path).ok());
    let mut record = if many { RECORD.put(Record::EMPTY) } else { None };
    let offer = Offer {
        initctl: words.get(5).map(|path| (path, c"/run")),
        link: (c"/dev/initctl", c"/dev"),
        control: words.get(6).map(|path| (c"/run/supervise", path)),
        door: if many { Door::Group(7) } else { Door::Everybody },
        bus: if many { Some(&SYSTEMD) } else { None },
        nologin: (c"/run/nologin", "closed"),
        owner: 0,
        is_missed: many,
    };
    let known = |notice: &_| log::warn!("{}", core::mem::size_of_val(notice));
    let speaks = |sockets: [Option<i32>; 2]| if sockets[0].is_some() { 0 } else { 1 };
    let mut listener = Listener::open(offer, this_process(), &known, &speaks);
    let time = Duration::from_secs(u64::from(count.unsigned_abs()));
    let terms = Terms { timeout: Some(time), watchdog: many.then_some(time), by_message: many, by_tries: !many };
    let checks = Checks { interval: time, ..Checks::DEFAULT };
    let mut hearing = Hearing::default();
    hearing.socket = words.get(3).and_then(|path| Notify::offer(path, Some(c"/run/supervise"), this_process()).ok());
    (hearing.number, hearing.above, hearing.is_watched) = (many.then_some(count), words.get(4), many);
    let looks = |probe| if matches!(probe, Probe::Readiness { .. }) { 0 } else { 1 };
    let mut care = Care::new(Core::new(Some(terms), many.then_some(checks)), &looks, hearing);
    let setting = Setting {
        scope,
        ourselves: this_process(),
        explain: if many { Some(&|situation| log::warn!("{:?}", situation.waited.as_secs())) } else { None },
        record: record.as_deref_mut(),
        spared: report.as_ref(),
        kept: Kept { descriptors: many, directory: many },
        listener: Some(&mut listener),
        care: Some(&mut care),
    };
    let slots = if count > 4 { &mut slots[..] } else { &mut [] };
    let outcome = run(&mut machine, slots, setting);
    listener.count_restart();
    listener.forget_plan();
    care.say_end();
    slots.iter_mut().for_each(Slot::rewind);
    listener.close();
    care.close();
    match outcome {
        Outcome::Code(code) => c_int::from(code),
        Outcome::Signal(signal) => 128 + c_int::from(signal.number()),
        Outcome::NotStarted(..) => 127,
        Outcome::Again | Outcome::Reboot => 129,
    }
}

/// Room for words.
struct Places([*mut c_char; 9]);

// SAFETY: there is one thread.
unsafe impl Send for Places {}

/// With words and an environment of its own.
fn hook(main: &Program) -> Program {
    static WORDS: Static<Places> = Static::new();
    static ENTRIES: Static<Places> = Static::new();
    let none = || Places([core::ptr::null_mut(); 9]);
    let words = WORDS.put(none()).and_then(|places| Words::new(&mut places.0, main.words.get(1)));
    let entries = main.environment.entries();
    let environment = ENTRIES.put(none()).and_then(|places| Environment::new(&mut places.0, entries));
    Program { words: words.unwrap_or(main.words), environment: environment.unwrap_or(main.environment), ..*main }
}

static RECORD: Static<Record> = Static::new();

/// Every rung may come, at any time.
fn ladder(many: bool, count: c_int) -> Ladder {
    let time = Duration::from_secs(u64::from(count.unsigned_abs()));
    let mut ladder = Ladder::DEFAULT;
    for number in 0..count {
        let signal = Signal::new(number).unwrap_or(Signal::TERM);
        let _ = ladder.signals.push(StopSignal { signal, then: Some(time) });
    }
    if many {
        ladder.pre_stop = Some(time);
        ladder.delay = time;
        ladder.kill_mode = if count > 8 { KillMode::Group } else { KillMode::Tree };
        ladder.grace = Some(time);
        ladder.leftovers = if count > 9 { Leftovers::Wait } else { Leftovers::Leave };
        ladder.leftover_grace = Some(time);
        ladder.max_time = Some(time);
    }
    ladder
}
