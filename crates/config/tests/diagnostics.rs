//! A golden file for every diagnostic: `diagnostics/NAME.toml`, `NAME.yaml` or `NAME.mycel` is read, and what is said about it must be
//! `diagnostics/NAME.txt`. `UPDATE_GOLDEN=1 cargo test -p fanfare-config --test diagnostics` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fanfare_config::{Env, load};

/// Where the files are, relative to the crate, which is where its tests run.
const FOLDER: &str = "tests/diagnostics";

/// Variables of a case are comments of its file: `# env: NAME=value`.
fn environment(text: &[u8]) -> Env {
    let text = String::from_utf8_lossy(text);
    let variables = text.lines().filter_map(|line| line.strip_prefix("# env: ")?.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn check(name: &str, path: &Path, env: &Env) {
    let loaded = load(path, env);
    let rendered = loaded.diagnostics.render(false);
    let golden = Path::new(FOLDER).join(name).with_extension("txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &rendered).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(rendered, expected, "{name}: UPDATE_GOLDEN=1 writes what is said now, for you to review");
}

#[test]
fn every_case_says_what_its_golden_file_says() {
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|it| it == "toml" || it == "yaml" || it == "mycel"))
        .collect();
    assert!(!cases.is_empty());
    for path in cases {
        let name = path.file_stem().unwrap().to_str().unwrap();
        check(name, &path, &environment(&fs::read(&path).unwrap()));
    }
}

#[test]
fn a_file_that_is_not_there() {
    check("missing-file", &Path::new(FOLDER).join("not-there.toml"), &Env::default());
}

#[test]
fn a_file_that_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.toml");
    fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    let rendered = load(&path, &Env::default()).diagnostics.render(false);
    assert!(
        rendered.starts_with("error: cannot read the configuration: it is larger than 1 MiB\n"),
        "{rendered}"
    );
}

#[test]
fn too_many_problems_are_counted() {
    let mut text = String::new();
    for n in 0..1000 {
        writeln!(text, "unknown_{n} = 1").unwrap();
    }
    let diagnostics = fanfare_config::parse(Path::new("many.toml"), &text, &Env::default()).diagnostics;
    let rendered = diagnostics.render(false);
    assert!(rendered.ends_with("error: there are 800 problems more\n"), "{rendered}");
}

#[test]
fn colors_are_escapes_around_the_same_text() {
    let diagnostics = fanfare_config::parse(Path::new("a.toml"), "http = 1", &Env::default()).diagnostics;
    assert!(diagnostics.render(true).contains("\u{1b}["));
    assert!(!diagnostics.render(false).contains('\u{1b}'));
}
