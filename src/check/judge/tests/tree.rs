//! What is beside the command.

use supervise_init::core::{Signal, Status};

use super::super::super::finding::{Check, Finding, Level};
use super::super::super::made_up::*;
use super::super::super::record::{EndedBy, Facility, Missing, Orphan, Outcome, Process, Run, State};
use super::super::super::scenario::{Mode, Order, Target};

const ZERO: Status = Status::Exited(0);

fn one(mode: Mode, processes: Vec<Process>, check: Check) -> Finding {
    word(&order(), vec![run(mode, processes)], check)
}

fn left(mode: Mode, main: Process, other: Process) -> Finding {
    one(mode, vec![main, other], Check::TreeGone)
}

#[track_caller]
fn fails(found: &Finding, cause: &str, cure: &str) {
    assert_eq!(found.level, Level::Fail, "{found:?}");
    assert!(found.cause.contains(cause), "cause {:?} has no {cause:?}", found.cause);
    assert!(found.cure.contains(cure), "cure {:?} has no {cure:?}", found.cure);
}

#[test]
fn a_command_alone_or_with_what_ended_with_it_leaves_nothing() {
    let app = || process("app").catches(Signal::TERM).ends(500, ZERO);
    assert_eq!(one(Mode::Child, vec![app()], Check::TreeGone).evidence, ["it is one process"]);
    for after in [10, 500, 600] {
        let found = left(Mode::Child, app(), child(1, "worker").ends(after, ZERO));
        assert_eq!(found.level, Level::Pass, "{found:?}");
    }
    assert_eq!(left(Mode::Child, process("app").stays(), child(1, "worker").stays()).level, Level::Skip);
}

#[test]
fn a_zombie_does_not_live_on() {
    let zombie = Process { state: State::Zombie, ..child(1, "worker") };
    assert_eq!(left(Mode::Child, process("app").ends(5, ZERO), zombie).level, Level::Pass);
}

#[test]
fn what_ends_later_is_warned_of_unless_an_init_waits_for_it() {
    let with =
        |mode| left(mode, process("app").catches(Signal::TERM).ends(5, ZERO), child(1, "worker").ends(900, ZERO));
    let late = with(Mode::Child);
    assert_eq!(late.level, Level::Warn);
    assert!(late.cause.contains("killed 0.895 s before its own end"), "{late:?}");
    assert_eq!(with(Mode::Init).level, Level::Pass);
    let killed = child(1, "worker").ends(5_000, Status::Signaled(Signal::KILL));
    fails(&left(Mode::Init, process("app").ends(5, ZERO), killed), "pid 101 (`worker`)", "");
}

#[test]
fn a_shell_that_the_signal_ends_alone_is_told_from_one_with_a_trap() {
    let sleep = || child(1, "sleep 300").stays();
    let shell = process("sh -c sleep 300; true").ends(1, DIED_OF_TERM);
    let found = left(Mode::Child, shell, sleep());
    fails(
        &found,
        "SIGTERM ended the shell pid 100 (`sh -c sleep 300; true`) alone, and it left pid 101 (`sleep 300`), which never got SIGTERM",
        "`exec sleep 300`",
    );
    let trap = process("bash run.sh").catches(Signal::TERM).ends(3, ZERO);
    fails(&left(Mode::Child, trap, sleep()), "ended without waiting for", "wait (`wait`) before it exits");
}

#[test]
fn who_was_killed_just_before_process_1_ended_was_not_killed_by_that() {
    let killed = Status::Signaled(Signal::KILL);
    let su = |mode, by| {
        let main = process("su nobody -c app").catches(Signal::TERM).ends(2_003, Status::Exited(143));
        run(mode, vec![main, child(1, "app").catches(Signal::TERM).ends_by(2_002, killed, by)])
    };
    let levels = |runs: Vec<Run>| {
        let of = |check| word(&order(), runs.clone(), check);
        let (gone, ends) = (of(Check::TreeGone), of(Check::ChildrenStatus));
        (gone.level, ends.level, gone.evidence.concat() + &ends.cause)
    };
    // Nothing tells the order.
    let (gone, ends, told) = levels(vec![su(Mode::Pid1, EndedBy::Kernel)]);
    assert!((gone, ends) == (Level::Fail, Level::Pass) && told.contains("or by somebody just before"), "{told}");
    // As a child it was killed as well, by somebody.
    let (gone, ends, _) = levels(vec![su(Mode::Pid1, EndedBy::Kernel), su(Mode::Child, EndedBy::Itself)]);
    assert_eq!((gone, ends), (Level::Pass, Level::Warn));
    // It says so.
    let mut says = su(Mode::Pid1, EndedBy::Kernel);
    says.output.tail = vec!["Session terminated, killing shell... ...killed.".to_owned()];
    let mut below = says.clone();
    below.processes[1].parent = 105;
    assert_eq!(levels(vec![below]).0, Level::Fail);
    let (gone, ends, told) = levels(vec![says]);
    assert!((gone, ends) == (Level::Pass, Level::Warn) && told.contains("it kills what has not ended 2 s"), "{told}");
    // As a child it outlived main.
    let outlives = child(1, "app").catches(Signal::TERM).ends(4_000, Status::Exited(0));
    let main = process("su nobody -c app").catches(Signal::TERM).ends(2_003, Status::Exited(143));
    let (gone, _, told) = levels(vec![su(Mode::Pid1, EndedBy::Kernel), run(Mode::Child, vec![main, outlives])]);
    assert!(gone == Level::Fail && told.contains("killed by the kernel when process 1 ended"), "{told}");
}

#[test]
fn the_kernels_kill_is_told_with_what_it_cut_off() {
    let npm = process("npm start").catches(Signal::TERM).ends(520, Status::Exited(1));
    let node = child(1, "node server.js").catches(Signal::TERM).cut_off(521);
    let found = left(Mode::Pid1, npm, node);
    fails(
        &found,
        "pid 100 (`npm start`) ended before pid 101 (`node server.js`), which has a handler for SIGTERM of its own, and was killed before that was done",
        "start `node server.js` itself",
    );
    assert!(
        found
            .evidence
            .iter()
            .any(|line| line.starts_with("killed when process 1 ended, by the kernel because of that, or")),
        "{found:?}"
    );
}

#[test]
fn known_programs_in_front_have_their_own_cure() {
    let daemon = || Process { session: 101, parent: 1, ..child(1, "rsyslogd") };
    let tini = |other| left(Mode::Pid1, process("/usr/bin/tini -- app").ends(5, ZERO), other);
    fails(&tini(daemon().cut_off(6)), "tini ends as soon as its own child has", "supervise -- COMMAND");
    let supervisord = process("/usr/bin/python3 /usr/bin/supervisord -n").ends(5, ZERO);
    let supervisord = Process { comm: "supervisord".to_owned(), ..supervisord };
    fails(&left(Mode::Child, supervisord, child(1, "sleep 300").stays()), "left pid 101", "stopasgroup=true");
    let node = |words| left(Mode::Child, process(words).ends(5, ZERO), child(1, "node server.js").stays());
    fails(&node("node /usr/bin/npm start"), "ended before pid 101", "start `node server.js` itself");
    // A word of its own, and no program in front.
    fails(&node("vi sudo"), "without waiting for pid 101", "pass SIGTERM on");
    let other = process("app").catches(Signal::TERM);
    fails(
        &left(Mode::Child, other.clone().ends(5, ZERO), daemon().stays()),
        "a daemon in a session of its own",
        "foreground",
    );
    let ignoring = child(1, "worker").ignores(Signal::TERM).stays();
    fails(&left(Mode::Child, other.ends(5, ZERO), ignoring), "which ignores SIGTERM", "pass SIGTERM on");
}

#[test]
fn with_the_whole_tree_told_nobody_has_not_heard() {
    let order = Order { target: Target::Tree, ..order() };
    let runs = vec![run(Mode::Child, vec![process("sh -c x").ends(1, DIED_OF_TERM), child(1, "x").stays()])];
    let found = word(&order, runs.clone(), Check::TreeGone);
    assert!(found.cause.contains("which lived on"), "{found:?}");
    assert_eq!(word(&order, runs.clone(), Check::Forwarded).level, Level::Skip);
    assert_eq!(word(&Order { target: Target::Group, ..order }, runs, Check::Forwarded).level, Level::Skip);
}

#[test]
fn ends_of_workers_are_warned_of_where_they_are_no_answers_to_a_signal() {
    let with = |status| {
        one(
            Mode::Child,
            vec![process("app").ends(50, ZERO), child(1, "worker").ends(20, status)],
            Check::ChildrenStatus,
        )
    };
    for status in [ZERO, DIED_OF_TERM, Status::Exited(143), Status::Signaled(Signal::QUIT), Status::Exited(130)] {
        assert_eq!(with(status).level, Level::Pass, "{status:?}");
    }
    // A code may be its parent's business.
    let found = with(Status::Exited(1));
    assert!(found.level == Level::Info && found.evidence[0].contains("pid 101 (`worker`)"), "{found:?}");
    for status in [Status::Signaled(Signal::KILL), Status::Signaled(Signal::PIPE)] {
        let found = with(status);
        assert!(found.level == Level::Warn && found.cause.contains("pid 101 (`worker`)"), "{found:?}");
    }
    assert_eq!(one(Mode::Child, vec![process("app").ends(50, ZERO)], Check::ChildrenStatus).level, Level::Pass);
    // S06 tells of that.
    let cut_off = vec![process("app").ends(50, ZERO), child(1, "worker").cut_off(51)];
    assert_eq!(one(Mode::Pid1, cut_off, Check::ChildrenStatus).level, Level::Pass);
}

#[test]
fn many_bad_ends_are_counted() {
    let mut processes = vec![process("app").ends(50, ZERO)];
    processes.extend((1..=20).map(|number| child(number, "worker").ends(20, Status::Exited(1))));
    let found = one(Mode::Child, processes, Check::ChildrenStatus);
    assert_eq!((found.evidence.len(), found.evidence.last().map(String::as_str)), (9, Some("and 12 more")));
}

#[test]
fn statuses_that_the_kernel_does_not_tell_are_skipped() {
    let mut unknown = run(Mode::Child, vec![process("app").ends(50, ZERO), child(1, "worker").ends(20, ZERO)]);
    unknown.processes[1].ended.as_mut().expect("it has ended").status = None;
    let found = word(&order(), vec![unknown.clone()], Check::ChildrenStatus);
    assert_eq!(found.level, Level::Info);
    unknown.missing.push(Missing { facility: Facility::GrandchildStatus, why: "Linux 6.1".to_owned() });
    let found = word(&order(), vec![unknown], Check::ChildrenStatus);
    assert!(found.level == Level::Skip && found.cause.contains("Linux 6.1"), "{found:?}");
}

#[test]
fn a_signal_that_stops_at_the_command_is_told_and_one_that_goes_on_is_not() {
    let shell = || process("sh -c x").stays();
    for (mode, shell, cure) in [
        (Mode::Child, shell().catches(Signal::TERM), "let its trap do it"),
        (Mode::Child, shell(), "exec"),
        (Mode::Pid1, shell(), "let a trap do it, or an init"),
    ] {
        let stays = one(mode, vec![shell, child(1, "x").stays()], Check::Forwarded);
        assert!(stays.level == Level::Info && stays.cure.contains(cure), "{stays:?}");
    }
    let wrapper = one(
        Mode::Child,
        vec![process("wrap x").catches(Signal::TERM).stays(), child(1, "x").stays()],
        Check::Forwarded,
    );
    assert!(wrapper.cure.contains("see that `wrap x` passes SIGTERM on"), "{wrapper:?}");
    // Told or not, it would take no notice; and what ends late has been reached.
    let with = |child| one(Mode::Child, vec![process("wrap x").catches(Signal::TERM).stays(), child], Check::Forwarded);
    let deaf = with(child(1, "x").ignores(Signal::TERM).stays());
    assert!(deaf.cause.starts_with("SIGTERM is ignored by pid 101 (`x`)"), "{deaf:?}");
    let taken = with(child(1, "x").catches(Signal::TERM).stays());
    assert!(taken.cause.contains("or that was still at work"), "{taken:?}");
    assert_eq!(with(child(1, "x").ends(7_000, ZERO)).level, Level::Pass);
    let passed =
        one(Mode::Child, vec![process("tini -- x").ends(21, ZERO), child(1, "x").ends(20, ZERO)], Check::Forwarded);
    assert_eq!(passed.level, Level::Pass);
    // It was not the signal that ended it.
    let cut_off = one(Mode::Pid1, vec![process("tini -- x").ends(5, ZERO), child(1, "x").cut_off(6)], Check::Forwarded);
    assert_eq!(cut_off.level, Level::Info);
    assert_eq!(one(Mode::Child, vec![process("x").ends(5, ZERO)], Check::Forwarded).level, Level::Pass);
    let npm =
        vec![process("npm start").ends(40, ZERO), child(1, "sh -c x").ends(2, DIED_OF_TERM), child(2, "x").stays()];
    let half = one(Mode::Child, npm, Check::Forwarded);
    assert!(half.level == Level::Info && half.cause.contains("did not get as far as pid 102 (`x`)"), "{half:?}");
}

fn dead(number: i32) -> Process {
    Process { state: State::Zombie, first_seen_at: milliseconds(0), ..child(number, "worker") }
}

#[test]
fn zombies_are_warned_of_and_many_fail() {
    let main = || process("app").catches(Signal::TERM).ends(4_100, ZERO);
    let with = |count| {
        let mut processes = vec![main()];
        processes.extend((1..=count).map(dead));
        one(Mode::Pid1, processes, Check::Zombies)
    };
    assert_eq!(with(0).level, Level::Pass);
    let few = with(9);
    assert!(few.level == Level::Warn && few.cause.starts_with("pid 100 (`app`) does not wait"), "{few:?}");
    assert_eq!(with(10).level, Level::Fail);
    // It has just ended, and would have been waited for.
    let fresh = Process { state: State::Zombie, ..child(1, "worker").ends(3_500, ZERO) };
    assert_eq!(one(Mode::Pid1, vec![main(), fresh], Check::Zombies).level, Level::Pass);
}

#[test]
fn what_ends_during_the_stop_may_be_waited_for_at_its_end() {
    let su = || process("su -c app").catches(Signal::TERM);
    let dead = || Process { state: State::Zombie, ..child(1, "app").ends(300, ZERO) };
    assert_eq!(one(Mode::Child, vec![su().ends(2_300, ZERO), dead()], Check::Zombies).level, Level::Pass);
    assert_eq!(one(Mode::Child, vec![su().stays(), dead()], Check::Zombies).level, Level::Pass);
}

#[test]
fn zombies_at_the_end_of_the_time_count_too() {
    let mut zombie = child(1, "worker").stays().at_deadline(|seen| seen.state = State::Zombie);
    zombie.ended = None;
    assert_eq!(one(Mode::Child, vec![process("app").stays(), zombie], Check::Zombies).level, Level::Warn);
}

#[test]
fn an_orphan_that_nobody_reaps_is_warned_of() {
    let with = |orphan| {
        let app = run(Mode::Pid1, vec![process("app").ends(5, ZERO)]);
        word(&order(), vec![Run { injected_orphan: Some(orphan), ..app }], Check::Zombies)
    };
    let kept = with(Orphan::NotReaped);
    assert!(kept.level == Level::Warn && kept.cause.contains("does not reap orphans"), "{kept:?}");
    assert_eq!(with(Orphan::ReapedAfter(milliseconds(3))).level, Level::Pass);
}

#[test]
fn a_shell_in_front_is_warned_of_unless_its_trap_does_all() {
    let below = || child(1, "app").ends(20, ZERO);
    let check = |processes| one(Mode::Child, processes, Check::ExecForm);
    assert_eq!(check(vec![process("app").ends(5, ZERO)]).level, Level::Pass);
    assert_eq!(check(vec![process("sh loop.sh").ends(5, DIED_OF_TERM)]).level, Level::Pass);
    let plain = check(vec![process("sh -c app; x").ends(5, DIED_OF_TERM), child(1, "app").stays()]);
    assert!(plain.level == Level::Warn && plain.cure.contains("`exec app`"), "{plain:?}");
    let good = process("sh run.sh").catches(Signal::TERM).ends(21, ZERO);
    assert_eq!(check(vec![good.clone(), below()]).level, Level::Info);
    // What its trap lacks is told elsewhere.
    for (shell, program, level, cure) in [
        (good, child(1, "app").stays(), Level::Warn, "see S06"),
        (process("sh run.sh").catches(Signal::TERM).stays(), child(1, "app").stays(), Level::Warn, "see S01"),
        (process("sh run.sh").catches(Signal::TERM).ends(21, Status::Exited(143)), below(), Level::Info, ""),
    ] {
        let word = check(vec![shell, program]);
        assert!(word.level == level && word.cure == cure && !word.cause.contains("it is told"), "{word:?}");
    }
}

/// What the reports say of one thing does not contradict itself.
#[test]
fn a_trap_that_hangs_up_what_has_a_handler_does_not_do_what_has_to_be_done() {
    let with = |program: Process, by: &'static str| {
        let shell = process("bash run.sh").catches(Signal::TERM).ends(21, ZERO);
        let by = Signal::all().find(|signal| signal.to_string() == by).expect("a signal");
        let runs = vec![run(Mode::Child, vec![shell, program.ends(20, Status::Signaled(by))])];
        (word(&order(), runs.clone(), Check::ChildrenStatus), word(&order(), runs, Check::ExecForm))
    };
    for by in ["SIGHUP", "SIGUSR1", "SIGKILL"] {
        let (ends, shell) = with(child(1, "app").catches(Signal::TERM), by);
        assert_eq!((ends.level, shell.level, shell.cure.as_str()), (Level::Warn, Level::Info, "see S07"), "{by}");
        assert!(!shell.cause.contains("what has to be done"), "{shell:?}");
        assert_eq!(ends.cure.contains("tell it by SIGTERM"), by == "SIGHUP", "{ends:?}");
    }
    // By what the trap passes on, or by what it would have died of anyway.
    for (program, by) in [(child(1, "app").catches(Signal::TERM), "SIGTERM"), (child(1, "sleep 9"), "SIGHUP")] {
        let (ends, shell) = with(program, by);
        assert_eq!((ends.level, shell.level, shell.cure.as_str()), (Level::Pass, Level::Info, ""), "{by}");
        assert!(shell.cause.contains("what has to be done"), "{shell:?}");
    }
}

#[test]
fn a_shell_is_said_to_leave_what_s06_says_that_it_leaves() {
    let of = |mode, check| {
        let shell = process("bash run.sh").catches(Signal::TERM).ends(3, ZERO);
        one(mode, vec![shell, child(1, "app").catches(Signal::TERM).ends(900, ZERO)], check)
    };
    for (mode, left, shell, cure) in
        [(Mode::Child, Level::Warn, Level::Warn, "see S06"), (Mode::Init, Level::Pass, Level::Info, "")]
    {
        let word = of(mode, Check::ExecForm);
        assert_eq!((of(mode, Check::TreeGone).level, word.level, word.cure.as_str()), (left, shell, cure), "{word:?}");
    }
}

#[test]
fn the_helper_of_the_supervise_that_it_runs_under_is_none_of_its_processes() {
    let ours = Process { pid: 90, inside: Some(1), ..child(0, "supervise -- bash run.sh") };
    let helper = |words, executed_at| Process {
        parent: 90,
        started_by: Some(90),
        executed_at,
        ..child(7, words).ends(2_500, ZERO)
    };
    let evidence = |words, executed_at| {
        let shell = Process { inside: Some(2), ..process("bash run.sh").catches(Signal::TERM).ends(3, ZERO) };
        let app = child(1, "app").catches(Signal::TERM).ends(4_000, ZERO);
        let found = one(Mode::Init, vec![shell, ours.clone(), helper(words, executed_at), app], Check::TreeGone);
        assert_eq!(found.level, Level::Pass);
        found.evidence.concat()
    };
    // Looked at when it was dead, it has no words of its own.
    for words in ["supervise -- bash run.sh", "supervise"] {
        let told = evidence(words, None);
        assert!(told.contains("pid 101 (`app`) ended 3.997 s after it") && !told.contains("supervise"), "{told}");
    }
    // One that the command has started is its own.
    assert!(evidence("supervise -- bash run.sh", Some(milliseconds(50))).contains("pid 107 (`supervise"));
}

#[test]
fn a_subshell_that_the_signal_ends_alone_is_named() {
    let shell = process("bash run.sh").catches(Signal::TERM).ends(9, ZERO);
    let between = Process { executed_at: None, ..child(1, "bash run.sh").ignores(Signal::INT).ends(4, DIED_OF_TERM) };
    let program = Process { parent: 1, started_by: Some(101), ..child(2, "app").catches(Signal::TERM).stays() };
    let found = one(Mode::Child, vec![shell.clone(), between, program.clone()], Check::TreeGone);
    fails(
        &found,
        "pid 101 (`bash run.sh`), below the shell pid 100 (`bash run.sh`), was ended by SIGTERM",
        "`exec app`",
    );
    assert!(!found.cure.contains("trap"), "{found:?}");
    // Without one between, it is the trap.
    let own = Process { parent: MAIN, started_by: Some(MAIN), ..program };
    fails(&left(Mode::Child, shell, own), "ended without waiting for pid 102", "let its trap pass");
}

#[test]
fn what_ends_with_its_pipe_at_once_behind_the_command_is_only_warned_of() {
    let main = || process("app").catches(Signal::TERM).ends(50, ZERO);
    let helper = || child(1, "helper").ignores(Signal::TERM);
    let of = |as_child| {
        let runs = vec![run(Mode::Pid1, vec![main(), helper().cut_off(51)]), run(Mode::Child, vec![main(), as_child])];
        word(&order(), runs, Check::TreeGone)
    };
    let warned = of(helper().ends(80, ZERO));
    assert!(warned.level == Level::Warn && warned.cause.contains("ends by itself at once behind it"), "{warned:?}");
    assert!(!warned.cure.contains("pass SIGTERM on"), "{warned:?}");
    for slow in [helper().ends(400, ZERO), helper().stays()] {
        assert_eq!(of(slow).level, Level::Fail);
    }
}

#[test]
fn what_a_trap_leaves_is_to_be_waited_for_and_told_where_it_was_not() {
    let check = |target, program| {
        let shell = process("bash run.sh").catches(Signal::TERM).ends(3, Status::Exited(143));
        let mut run = run(Mode::Child, vec![shell, program]);
        run.scenario.target = target;
        let left = word(&Order { target, ..order() }, vec![run], Check::TreeGone);
        assert_eq!(left.level, Level::Fail, "{left:?}");
        left.cure
    };
    let in_background = child(1, "app").ignores(Signal::INT).stays();
    assert_eq!(
        check(Target::Main, in_background),
        "let its trap pass the signal on (kill) and wait (`wait`) before it exits"
    );
    assert!(check(Target::Main, child(1, "app").stays()).ends_with("what is in the foreground"));
    assert_eq!(check(Target::Tree, child(1, "app").stays()), "let its trap wait (`wait`) before it exits");
}

#[test]
fn advice_about_a_shell_in_front_fits_its_script() {
    let sh = || process("sh run.sh").ends(5, DIED_OF_TERM);
    let two = one(Mode::Child, vec![sh(), child(1, "app").stays(), child(2, "cat").stays()], Check::ExecForm);
    assert!(two.level == Level::Warn && two.cure.starts_with("let a trap in the script pass"), "{two:?}");
    let left = one(Mode::Child, vec![sh(), child(1, "app").stays(), child(2, "cat").stays()], Check::TreeGone);
    assert!(!left.cure.contains("exec"), "{left:?}");
    let mut before = child(1, "sleep 1").ends(0, ZERO);
    before.ended.as_mut().expect("it has ended").at = milliseconds(600);
    let now = Process { first_seen_at: milliseconds(601), ..child(2, "sleep 1").stays() };
    let a_loop = one(Mode::Child, vec![sh(), before, now], Check::ExecForm);
    assert!(a_loop.cure.starts_with("give the script a trap that ends its loop"), "{a_loop:?}");
    // Where all are told, the program is told too.
    let with = |target| {
        let mut run = run(Mode::Child, vec![sh(), child(1, "app").ends(4, DIED_OF_TERM)]);
        run.scenario.target = target;
        word(&Order { target, ..order() }, vec![run], Check::ExecForm)
    };
    assert_eq!((with(Target::Main).level, with(Target::Tree).level), (Level::Warn, Level::Info));
    assert!(!with(Target::Tree).cause.contains("trap"));
}

#[test]
fn who_was_told_with_main_has_time_after_it() {
    let with = |target| {
        let mut run = run(Mode::Child, vec![process("app").ends(5, ZERO), child(1, "worker").ends(3_000, ZERO)]);
        run.scenario.target = target;
        word(&Order { target, ..order() }, vec![run], Check::TreeGone).level
    };
    assert_eq!((with(Target::Tree), with(Target::Main)), (Level::Pass, Level::Warn));
}

#[test]
fn nothing_is_said_of_what_was_not_told() {
    let checks =
        [Check::TreeGone, Check::ChildrenStatus, Check::Forwarded, Check::Zombies, Check::ExecForm, Check::Disposition];
    for check in checks {
        let found = word(&order(), vec![not_told(Mode::Pid1, Outcome::NeverReady(String::new()))], check);
        assert!(found.level == Level::Skip && !found.cause.is_empty(), "{found:?}");
    }
    let by_us = process("app").ends_by(5, ZERO, EndedBy::Us);
    assert_eq!(one(Mode::Pid1, vec![by_us], Check::TreeGone).level, Level::Skip);
}

#[test]
fn what_was_started_after_the_signal_has_not_got_it() {
    let main = || process("app").catches(Signal::TERM).ends(5, ZERO);
    for (mode, other, fate) in [
        (Mode::Pid1, child(1, "app").cut_off(5), "started after SIGTERM, and which the kernel then killed"),
        (Mode::Child, child(1, "app").stays(), "started after SIGTERM, and lived on"),
    ] {
        let other = other.catches(Signal::TERM);
        let older = left(mode, main(), other.clone());
        assert!(!older.cause.contains("started after"), "{older:?}");
        fails(&older, "", "let `app` pass SIGTERM on and wait for what it started");
        let newer = Process { first_seen_at: SIGNAL_AT + milliseconds(2), ..other };
        fails(&left(mode, main(), newer), fate, "let `app` wait for what it started");
    }
}
