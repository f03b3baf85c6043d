//! Why there is no room for the namespaces of a run (ENOSPC): which limit of namespaces(7) keeps them out.

use std::fs;

/// The namespaces that a run has, by their limits in /proc/sys/user; the last one only for users.
const LIMITS: [&str; 3] = ["max_pid_namespaces", "max_mnt_namespaces", "max_user_namespaces"];

/// As many PID namespaces fit into each other (pid_namespaces(7)).
const DEEPEST: usize = 32;

/// A sentence about this machine.
pub(super) fn why() -> String {
    let number = |name: &str| fs::read_to_string(format!("/proc/sys/user/{name}")).ok()?.trim().parse().ok();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let depth = status.lines().find_map(|line| Some(line.strip_prefix("NSpid:")?.split_whitespace().count()));
    told(LIMITS.map(number), depth)
}

/// `limits` as in [`LIMITS`], `depth` how many PID namespaces are seen around us; `None`: it cannot be read.
fn told(limits: [Option<u64>; 3], depth: Option<usize>) -> String {
    let zero = LIMITS.into_iter().zip(limits).find_map(|(name, limit)| (limit == Some(0)).then_some(name));
    match zero {
        Some(name) => format!("their limit is 0 (sysctl user.{name}); raise it: `sysctl user.{name}=15000` as root"),
        None if depth.is_some_and(|depth| depth >= DEEPEST) => {
            format!("there are {DEEPEST} around us, and no more fit into each other")
        }
        None => {
            "there are as many as a limit allows: sysctl user.max_pid_namespaces, user.max_mnt_namespaces, and for \
                 users user.max_user_namespaces; raise it as root"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn the_limit_that_keeps_namespaces_out_is_named() {
        let says = |limits, depth, what: &str| {
            let told = told(limits, depth);
            assert!(told.contains(what), "{told}");
        };
        let many = Some(30_000);
        says([Some(0), many, many], Some(1), "`sysctl user.max_pid_namespaces=15000`");
        says([many, Some(0), many], Some(1), "`sysctl user.max_mnt_namespaces=15000`");
        says([many, many, None], Some(32), "there are 32 around us");
        says([many, many, many], Some(3), "as many as a limit allows: sysctl user.max_pid_namespaces");
        says([None; 3], None, "as many as a limit allows");
    }
}
