//! Capabilities by their names in capabilities(7).

use supervise_init::sys::Capabilities;

use super::Unfit;
use crate::cli::suggest::nearer;

/// CAP_CHOWN is 0, and so on (linux/capability.h, Linux 6.18).
pub(crate) const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// `ALL`, or a name with or without its `CAP_`.
pub(crate) fn named(word: &str) -> Result<Capabilities, Unfit> {
    let lower = word.to_ascii_lowercase();
    if lower == "all" {
        return Ok(Capabilities::ALL);
    }
    let lower = lower.strip_prefix("cap_").unwrap_or(&lower);
    let found = (0..).zip(NAMES).find(|(_, name)| *name == lower);
    let number: u32 =
        found.map(|(number, _)| number).ok_or_else(|| Unfit::NoCapability(word.to_owned(), meant(lower)))?;
    Ok(Capabilities(1 << number))
}

/// `CAP_ALL` is no capability, and is not taken for one.
fn meant(word: &str) -> Option<&'static str> {
    let nearest = nearer(word, NAMES.into_iter().chain(["all"]))?;
    Some(if nearest == "all" { "ALL" } else { nearest })
}

#[cfg(test)]
mod tests {
    use super::{Unfit, meant, named};

    #[test]
    fn only_what_is_near_is_suggested() {
        for (word, suggested) in [
            ("sysadmin", Some("sys_admin")),
            ("net_rw", Some("net_raw")),
            ("al", Some("ALL")),
            ("none", None),
            ("network", None),
        ] {
            assert_eq!(meant(word), suggested, "{word}");
        }
        assert!(matches!(named("cap_all"), Err(Unfit::NoCapability(_, Some("ALL")))));
    }

    #[test]
    fn names_have_the_kernels_numbers() {
        for (word, bits) in [
            ("CAP_CHOWN", 1),
            ("net_raw", 1 << 13),
            ("Sys_Admin", 1 << 21),
            ("ALL", u64::MAX),
            ("checkpoint_restore", 1 << 40),
        ] {
            assert_eq!(named(word).map(|set| set.0).ok(), Some(bits), "{word}");
        }
        assert!(["", "CAP_", "sysadmin", "13"].into_iter().all(|word| named(word).is_err()));
    }
}
