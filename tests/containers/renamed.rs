//! An image whose entrypoint is another init, with the one file of that init replaced by ours.

use crate::images::DEBIAN;
use crate::leftovers;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::world::World;

/// The other inits, and how ours takes the place of each: as a copy, and as a link to a file somewhere else.
pub(crate) const NAMES: [(&str, &str); 3] = [
    ("tini", "COPY --from=supervise-test/tiny /supervise /usr/bin/tini"),
    ("dumb-init", "COPY --from=supervise-test/tiny /supervise /usr/bin/dumb-init"),
    (
        "catatonit",
        "COPY --from=supervise-test/tiny /supervise /usr/local/bin/supervise\n\
         RUN ln -sf /usr/local/bin/supervise /usr/bin/catatonit",
    ),
];

/// Makes the image of one of them.
pub(crate) fn make_image(world: &World, name: &str) -> Result<String, Trouble> {
    let docker = world.docker_with_debian()?;
    world.docker_with_tiny()?;
    let (_, lines) = NAMES.iter().find(|(known, _)| *known == name).ok_or("no such init").map_err(failed)?;
    let image = format!("supervise-test/with-{name}");
    docker.build(&image, &format!("FROM {DEBIAN}\n{lines}\nENTRYPOINT [\"{name}\", \"--\"]\n"))?;
    Ok(image)
}

pub(crate) fn a_stop_ends_a_plain_program_below_every_name(world: &World) -> Outcome {
    for (name, _) in NAMES {
        let image = make_image(world, name)?;
        let script = "tr '\\0' ' ' </proc/1/cmdline; echo; echo ready; exec sleep 1000";
        let mut container = world.docker_with_debian()?.run(&[&image, "sh", "-c", script])?;
        container.wait_for("ready", 1)?;
        container.stop()?;
        let ended = container.wait()?;
        assert_eq!(ended.code, Some(143), "{name}: {ended:?}");
        assert!(ended.output.starts_with(&format!("{name} -- sh -c ")), "{name}: {ended:?}");
    }
    Ok(())
}

pub(crate) fn background_workers_finish_below_every_name(world: &World) -> Outcome {
    for (name, _) in NAMES {
        let image = make_image(world, name)?;
        leftovers::assert_saved(&leftovers::end_by_signal(world, &[&image], "USR1")?, 2);
        leftovers::assert_saved(&leftovers::end_by_stop(world, &[&image])?, 2);
    }
    Ok(())
}

/// dumb-init is not among them: it tells them and ends at once, so that who is faster is a matter of luck.
pub(crate) fn strictness_kills_them_as_the_original_does(world: &World) -> Outcome {
    for name in ["tini", "catatonit"] {
        let image = make_image(world, name)?;
        let (ours, theirs) = (["--env=SUPERVISE_STRICT=1", &image], ["--entrypoint", name, DEBIAN, "--"]);
        for init in [&ours[..], &theirs[..]] {
            leftovers::assert_saved(&leftovers::end_by_stop(world, init)?, 0);
        }
    }
    Ok(())
}

pub(crate) fn codes_and_texts_are_those_of_the_file_that_was_replaced(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    let cases: [&[&str]; 7] = [
        &["sh", "-c", "exit 0"],
        &["sh", "-c", "exit 7"],
        &["sh", "-c", "kill -TERM $$"],
        &["no-such-program"],
        &["/no/such/program"],
        &["/etc"],
        &["/etc/passwd"],
    ];
    for (name, _) in NAMES {
        let image = make_image(world, name)?;
        for words in cases {
            let ours = docker.run_to_end(&[&[image.as_str()], words].concat())?;
            let theirs = docker.run_to_end(&[&["--entrypoint", name, DEBIAN, "--"], words].concat())?;
            assert_eq!(ours.code, theirs.code, "{name} {words:?}: {ours:?} {theirs:?}");
            // What we know beyond the kernel's word is ours to add; whose the number in it is differs.
            let said = |output: &str| {
                let lines = output.lines().filter(|line| !line.starts_with("supervise: "));
                lines.map(|line| line.replace(|letter: char| letter.is_ascii_digit(), "")).collect::<Vec<_>>()
            };
            assert_eq!(said(&ours.output), said(&theirs.output), "{name} {words:?}");
        }
    }
    Ok(())
}
