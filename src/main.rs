//! The entry point.
fn main() {
    eprintln!("supervise: no command given");
    std::process::exit(125);
}
