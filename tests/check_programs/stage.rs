//! A folder, a port and words of one case's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::launch::Init;
use crate::harness::{Scene, free_port, probe};
use crate::program::Program;

/// One case's share of the machine.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    /// What stands for what.
    names: Vec<(&'static str, String)>,
}

impl Stage {
    /// Writes the program's files and does its set-up.
    #[track_caller]
    pub(crate) fn new(program: &Program) -> Stage {
        let scene = Scene::new();
        let dir = scene.folder().join("program");
        fs::create_dir(&dir).expect("the folder is ours");
        let names = vec![
            ("{dir}", dir.display().to_string()),
            ("{port}", free_port().to_string()),
            ("{rust}", probe().with_file_name("drains").display().to_string()),
            ("{go}", go().display().to_string()),
            ("{supervise}", Init::Supervise.path().expect("cargo built it").display().to_string()),
            ("{postgres}", expanded("/usr/lib/postgresql/*/bin")),
            ("{php-fpm}", expanded("/usr/sbin/php-fpm*")),
        ];
        let stage = Stage { scene, names };
        for (name, text) in program.files {
            fs::write(dir.join(name), stage.written(text)).expect("the folder is ours");
        }
        let mut setup = stage.scene.command("sh");
        let done = setup.args(["-ec", &stage.written(program.setup)]).current_dir(&dir).status().expect("sh runs");
        assert!(done.success(), "cannot set up {}", program.name);
        stage
    }

    /// The text with our names in it.
    pub(crate) fn written(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// The path with a version in it that Debian gives the file.
fn expanded(pattern: &str) -> String {
    let found = Command::new("sh").args(["-c", &format!("echo {pattern}")]).output().expect("sh runs").stdout;
    let found = String::from_utf8_lossy(&found).trim_end().to_owned();
    assert!(Path::new(&found).exists(), "{pattern} is not there once; tests/setup installs it");
    found
}

/// Our program in Go, built once and kept from one test run to the next.
fn go() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        let mut go = Command::new("go");
        go.args(["build", "-o", "drains-go"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_programs/drains.go"));
        go.env("GOCACHE", folder.join("cache")).env("GO111MODULE", "off").env("CGO_ENABLED", "0");
        fs::create_dir_all(&folder).expect("the folder is cargo's");
        assert!(go.current_dir(&folder).status().expect("go is installed").success(), "cannot build the program in Go");
        folder.join("drains-go")
    })
}
