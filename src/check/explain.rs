//! What each check means, for `--explain`.

use std::fmt::Write as _;

use super::finding::Check;

/// The answers about one check.
struct Explanation {
    means: &'static str,
    observed: &'static str,
    levels: &'static str,
    causes: &'static [&'static str],
    cures: &'static [&'static str],
}

/// The text about a check by its id, or with `all` a line about each; `None`: there is no such check.
pub(crate) fn print(check: &str) -> Option<String> {
    if check.eq_ignore_ascii_case("all") {
        return Some(Check::ALL.iter().fold(String::new(), |mut out, check| {
            let _ = writeln!(out, "{}  {:<22}{}", check.id(), check.name(), explanation(*check).means);
            out
        }));
    }
    let check = Check::ALL.into_iter().find(|known| known.id().eq_ignore_ascii_case(check))?;
    let Explanation { means, observed, levels, causes, cures } = explanation(check);
    let mut out =
        format!("{}: {}\n\n{means}\n\nHow it is observed: {observed}\n\nLevels: {levels}\n", check.id(), check.name());
    for (title, all) in [("Usual causes", causes), ("Cures", cures)] {
        let _ = writeln!(out, "\n{title}:");
        for line in all {
            let _ = writeln!(out, "- {line}");
        }
    }
    Some(out)
}

fn explanation(check: Check) -> Explanation {
    match check {
        Check::ExitsInGrace | Check::Status | Check::ModeDifference | Check::GraceMargin | Check::Stopped => {
            of_the_end(check)
        }
        Check::TreeGone | Check::ChildrenStatus | Check::Forwarded | Check::Zombies | Check::ExecForm => {
            of_the_tree(check)
        }
        Check::Disposition
        | Check::Reaction
        | Check::Listener
        | Check::Restart
        | Check::Files
        | Check::Output
        | Check::SdNotify
        | Check::Inherited => of_the_rest(check),
    }
}

fn of_the_end(check: Check) -> Explanation {
    match check {
        Check::Status => Explanation {
            means: "The command ends with a status that says that all is well.",
            observed: "the wait status of the command. An exit code of 143 and a death by SIGTERM are two statuses.",
            levels: "pass with 0 or what --ok-exit names; warn for a death by the signal itself, and for 128 + its number; \
                     fail for any other code, a crash, and where it was killed.",
            causes: &[
                "There is no handler, and the default action ends the program without any work of its own.",
                "The handler raises the signal again. Process 1 survives that, and runtimes then end with a code of their \
                 own (Go 2, ruby 1, npm 1).",
                "Java and shells end with 143 when SIGTERM ends them.",
            ],
            cures: &[
                "Let the handler exit with 0 after a clean stop.",
                "Where the status is a good one: --ok-exit 143 here, supervise --exit-map 143=0, systemd's SuccessExitStatus.",
            ],
        },
        Check::ModeDifference => Explanation {
            means: "The command ends alike as process 1 and as a child.",
            observed: "S01 and S02 of both runs, with the same signal.",
            levels: "warn where they differ; info where process 1 says by exit code 128 + n what a child says by dying.",
            causes: &[
                "The kernel drops for process 1 every signal that has no handler, also those that it sends to itself.",
                "None that has to do with the mode, where it does not end alike in each run either: say --repeat 5.",
            ],
            cures: &["Install a handler that exits by itself.", "Start it under an init: supervise -- COMMAND."],
        },
        Check::GraceMargin => Explanation {
            means: "The slowest stop leaves time to spare.",
            observed: "the slowest of all runs (--repeat) against --grace.",
            levels: "warn above 80 %.",
            causes: &[
                "Clients, transactions or writes that are waited for, on a machine that is busier than this one.",
            ],
            cures: &[
                "More time: docker stop -t, terminationGracePeriodSeconds, TimeoutStopSec.",
                "A bound in the program.",
            ],
        },
        Check::Stopped => Explanation {
            means: "A command that was stopped (SIGSTOP) still ends when it is told to and continued.",
            observed: "in a run of its own behind the usual ones: SIGSTOP, then, when it is stopped, the signal and SIGCONT.",
            levels: "warn where it does not end; skip where there was no such run: it did not end in time without that, or --also none.",
            causes: &["It blocks the signal, or takes a stop that it has missed for none."],
            cures: &["Let it look for the request to stop when it goes on."],
        },
        _ => Explanation {
            means: "The command ends within --grace when it is told to stop.",
            observed: "a pidfd of the command, from the sending of the signal on, by the monotonic clock.",
            levels: "fail where it did not end; warn above half of --grace; inconclusive where it was never told, because it \
                     was not ready, ended before or was not started.",
            causes: &[
                "Process 1 has no handler: the kernel drops the signal (node, python and all without one).",
                "A shell is process 1, or in front: it passes no signal on. Debian's dash also stays in front of the only \
                 command of `sh -c`.",
                "A shell's trap runs only when the command in its foreground has ended.",
                "A handler raises the signal again, which process 1 survives.",
                "Only SIGINT is handled, or the signal means something else (postgres: wait for all clients).",
                "The event loop is blocked, or what is under way takes longer than the time that there is. From outside that \
                 looks like a handler that does not end the program, where nothing was closed: the cause then names both.",
                "SIGINT and SIGQUIT are ignored by all that a shell without job control starts by `&` (POSIX, 2.11).",
            ],
            cures: &[
                "Install a handler that ends the program.",
                "Begin the last command of a script with exec; use the JSON form of ENTRYPOINT and CMD.",
                "Start it under an init: supervise -- COMMAND; with a shell in front supervise --kill-mode tree.",
                "Stop it by the signal that it knows: STOPSIGNAL, supervise --stop-signal.",
            ],
        },
    }
}

fn of_the_tree(check: Check) -> Explanation {
    match check {
        Check::ChildrenStatus => Explanation {
            means: "The other processes of the command end well too.",
            observed: "exit statuses by PIDFD_GET_INFO, also of processes that are not our children (Linux 6.15); kills for want of \
                       memory by the count of the run's cgroup.",
            levels: "fail where the kernel killed one for want of memory; warn for SIGKILL, a crash or another signal; not for the \
                     signal of the run, SIGTERM, SIGINT, SIGQUIT and SIGHUP, by which they may be told to end (SIGHUP where it \
                     has no handler for that of the run); info for codes, which are their parent's business; skip where the \
                     kernel does not tell.",
            causes: &[
                "The main process kills its workers instead of waiting for them.",
                "A worker crashes when it is told to end.",
            ],
            cures: &["Give workers the time that they need."],
        },
        Check::Forwarded => Explanation {
            means: "The signal reaches who does the work.",
            observed: "what lived beside the command when only that was told: whether it ended by itself, until it was \
                       killed with the command, or by the kernel as process 1 ended. What the signal would have ended, by its \
                       default action, was not reached; of what handles it that is not certain.",
            levels: "info: it gives the cause for S01 and S06. Skip where all or the group were told, or nobody tells \
                     how what ended with process 1 has ended.",
            causes: &[
                "A shell, su, sudo or a start script is in front of the program.",
                "It ignores the signal, so that it does not matter whether that is passed on.",
            ],
            cures: &[
                "exec, gosu or supervise --user in their place; or supervise --kill-mode tree.",
                "Handle the signal.",
            ],
        },
        Check::Zombies => Explanation {
            means: "What has ended is waited for (wait(2)).",
            observed: "processes that ended before the signal and were zombies for more than a second, to the end of the \
                       command or of the time; as process 1 also an orphan that is put in, as a health check may leave one, after two seconds.",
            levels: "warn for any; fail for ten or more, and where process 1 does not survive the orphan.",
            causes: &[
                "Process 1 gets all orphans, and most programs do not wait for children that they have not started.",
            ],
            cures: &[
                "For orphans an init as process 1: supervise -- COMMAND, docker run --init.",
                "For its own children nothing but wait(2), or to ignore SIGCHLD.",
            ],
        },
        Check::ExecForm => Explanation {
            means: "No shell stands between who sends signals and the program.",
            observed: "the program file of the command, and what runs below it.",
            levels: "warn for a shell with a child; info where nothing is left, and it ends well, has a trap, or all \
                     are told.",
            causes: &["The shell form of CMD.", "sh -c \"app; more\".", "An entrypoint script without exec."],
            cures: &[
                "exec in the last line; the JSON form; supervise --kill-mode tree -- COMMAND.",
                "In a loop or with several programs: a trap that passes the signal on (as SIGTERM) and waits: \
                 trap 'kill $!; wait; exit 0' TERM; app & wait.",
                "With a pipeline: what reads has to end last, so that an init that tells all is no help; see what the finding says.",
                "First of all no trap '' for the signal: what the shell starts ignores it too.",
            ],
        },
        _ => Explanation {
            means: "When the command has ended nothing of it lives on.",
            observed: "as a child: what lives when the command has ended. As process 1 the kernel kills all that is left at \
                       once, so that it is told by processes that died of a SIGKILL that nobody sent.",
            levels: "fail for what was killed or had to be; warn for what ended later than the command, by itself, unless who \
                     stops it waits for all: an init, and systemd (--target tree as a child). Skip where nobody tells how what \
                     ended with process 1 has ended.",
            causes: &[
                "A wrapper (npm, su, a shell without exec) ends of the signal before the program that it has started.",
                "An init (tini, dumb-init) ends as soon as its own child has.",
                "A supervisor leaves the children of what it stops; a daemon has made a session of its own.",
            ],
            cures: &[
                "Start the program itself, or with exec.",
                "An init that tells all that is left to end, and waits: supervise -- COMMAND.",
            ],
        },
    }
}

fn of_the_rest(check: Check) -> Explanation {
    match check {
        Check::Disposition => Explanation {
            means: "What the command says that it would do with the signal.",
            observed: "the signal sets of all threads in /proc, signalfds, and whether a thread is in sigtimedwait(2).",
            levels: "a hint, which never fails: warn where process 1 has no handler or the signal cannot reach it.",
            causes: &["No handler is installed, or not yet.", "Many that have one hang all the same: see S01."],
            cures: &["Install a handler."],
        },
        Check::Reaction => Explanation {
            means: "How soon anything is seen to happen.",
            observed: "the first of: STOPPING=1, output, a socket closed, a process ended. Lines, messages and processes \
                       that come all the time are none.",
            levels: "info.",
            causes: &["None at all: the signal was dropped, stopped at a wrapper, or its handler cannot run."],
            cures: &["See S01, S04 and S08."],
        },
        Check::Listener => Explanation {
            means: "It stops taking connections before it ends.",
            observed: "listening sockets in /proc/PID/net and whose they are; when each closes. With --also connections, in a run \
                       of its own: what becomes of clients that come after the signal.",
            levels: "fail where a client that came after the signal was taken and cut off without an answer; warn where one is open \
                     to the end of a stop of more than three seconds; skip where they cannot be seen.",
            causes: &[
                "Connections under way are finished, but new ones still come in and are cut off at the end.",
                "It ends while clients are in its queue (listen(2)), which the kernel then resets.",
            ],
            cures: &["Close what listens first."],
        },
        Check::Restart => Explanation {
            means: "It starts again at once, in the same place.",
            observed: "with --repeat, and by the further runs (--also): whether each start after a stop becomes ready.",
            levels: "fail where it does not; skip where it was started once, and where something lived on (S06), which is killed \
                     before the next start.",
            causes: &[
                "A pid, lock or socket file is left.",
                "The port is still in use, by connections that have ended (TIME_WAIT).",
            ],
            cures: &[
                "Remove such files at the end or the start.",
                "For a Unix socket: unlink its file before bind.",
                "For tcp: SO_REUSEADDR.",
            ],
        },
        Check::Files => Explanation {
            means: "No file is left half written, or in the way of the next start.",
            observed: "files open for writing in what is killed; and when all is over the sockets that it listened at, pid, lock \
                       and temporary files that it had open, pid files in /run, /var/run and /tmp that hold the number of a \
                       process of it and that one of it has written (as fanotify(7) tells root; else: that are called like \
                       it), and what --state-dir names.",
            levels: "warn for any; info for a pid file that may be another container's; skip where no run was told to stop, or where \
                     it cannot be seen what was open in what was killed, or what was.",
            causes: &[
                "It is killed while it writes.",
                "It makes such files and does not remove them when it is told to stop.",
            ],
            cures: &[
                "Let it end by itself (S01, S06).",
                "Write to another name and rename it.",
                "Remove them at the end, or do not mind old ones; see S15.",
            ],
        },
        Check::Output => Explanation {
            means: "Its output ends with it, whole.",
            observed: "our end of the pipes: when they are closed, and whether the last line has an end.",
            levels: "fail where they are held open until all is killed; warn where longer than the command lives; info for a \
                     last line without an end.",
            causes: &["What it left still has the pipe: docker logs and CI jobs hang.", "Buffered output is lost."],
            cures: &["See S06.", "Flush when told to stop."],
        },
        Check::SdNotify => Explanation {
            means: "What it says by sd_notify(3) is consistent.",
            observed: "a socket of ours in NOTIFY_SOCKET.",
            levels: "info where STOPPING=1 does not come; skip without --ready sd_notify. Where READY=1 does not come, S01 is \
                     inconclusive: it was never ready.",
            causes: &["A child says it, or the variable is taken out of the environment."],
            cures: &["Send READY=1 when it can serve and STOPPING=1 when it begins to stop."],
        },
        _ => Explanation {
            means: "Which signals supervise itself was started with ignored or blocked.",
            observed: "our own signal sets at the start. The command gets none of that.",
            levels: "info: started in that way (nohup, `&` in a script), the command would ignore them too.",
            causes: &["A shell without job control has its background jobs ignore SIGINT and SIGQUIT."],
            cures: &["Start the program from where nothing is ignored, or let it set its handlers all the same."],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_an_explanation_of_its_own() {
        let all: Vec<&str> = Check::ALL.into_iter().map(|check| explanation(check).means).collect();
        for (at, means) in all.iter().enumerate() {
            assert!(!all[..at].contains(means), "two checks mean: {means}");
        }
        for check in Check::ALL {
            let text = print(check.id()).expect("it is known");
            assert!(text.starts_with(&format!("{}: {}\n", check.id(), check.name())), "{text}");
            let Explanation { means, observed, levels, causes, cures } = explanation(check);
            for (title, part) in [("\n", means), ("How it is observed: ", observed), ("Levels: ", levels)] {
                assert!(!part.is_empty() && text.contains(&format!("\n{title}{part}\n")), "{title:?} of {text}");
            }
            for (title, part) in [("Usual causes", causes), ("Cures", cures)] {
                let lines: String = part.iter().map(|line| format!("- {line}\n")).collect();
                assert!(!part.is_empty() && text.contains(&format!("\n{title}:\n{lines}")), "{title} of {text}");
            }
        }
    }

    #[test]
    fn all_have_a_line_in_the_order_of_the_reports() {
        let text = print("all").expect("a list");
        let ids: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(ids, Check::ALL.map(Check::id));
        assert!(ids.is_sorted());
    }

    #[test]
    fn ids_are_read_in_either_case_and_others_are_none() {
        assert_eq!(print("s06"), print("S06"));
        for word in ["", "S10", "S6", "6", "S066", "everything"] {
            assert_eq!(print(word), None, "{word}");
        }
    }
}
