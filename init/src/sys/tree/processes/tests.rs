//! What a line of /proc/PID/stat says.

use super::Stat;

#[test]
fn a_name_may_look_like_the_fields_behind_it() {
    let stat = Stat::parse(b"17 (a) Z 1 (b)) S 42 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 1");
    let stat = stat.map(|stat| (stat.is_zombie(), stat.parent, stat.threads));
    assert_eq!(stat, Some((false, 42, 3)));
}

#[test]
fn a_dead_first_thread_is_no_dead_process() {
    let is_zombie = |threads: u32| {
        let line = std::format!("17 (a) Z 42 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 {threads} 0 1");
        Stat::parse(line.as_bytes()).map(|stat| stat.is_zombie())
    };
    assert_eq!((is_zombie(1), is_zombie(2)), (Some(true), Some(false)));
}

#[test]
fn a_line_that_is_cut_off_is_no_process() {
    for line in [&b""[..], b"17", b"17 (a", b"17 (a)", b"17 (a) S", b"17 (a) S x", b"17 (a) S 42 17 17"] {
        assert!(Stat::parse(line).is_none());
    }
}
