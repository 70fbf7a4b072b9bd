//! The dependency directions of ARCHITECTURE.md, and the absences that no lint can hold.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may depend on, of this workspace. `fanfare` may depend on all; nobody may depend on `fanfare`.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("event", &[]),
    ("config", &["event"]),
    ("transform", &["event"]),
    ("auth", &["event"]),
    ("log", &["event"]),
    ("stream", &["event"]),
    ("source", &["event", "transform", "auth"]),
    ("testkit", &[]),
    ("bench", &["testkit"]),
];

/// Crates that know no I/O and no clock, and what their code must therefore not name.
const PURE: [&str; 4] = ["event", "transform", "auth", "stream"];
const IMPURE: [&str; 6] =
    ["tokio", "std::net", "std::fs", "Instant::now", "SystemTime::now", "Timestamp::now"];

/// Libraries that live in one crate only.
const CONFINED: [(&str, &str); 4] = [
    ("vrl", "crates/transform"),
    ("packageurl", "crates/transform"),
    ("toml", "crates/config"),
    ("hyper", "fanfare"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// For each crate of the workspace: what it is built with. Our own crates are called by their folders.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| {
        let name = value["name"].as_str().unwrap();
        name.strip_prefix("fanfare-").map_or(name.to_owned(), |folder| format!("crates/{folder}"))
    };
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter().filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), of(package))).collect()
}

/// The source files of a crate, without those that are tests.
fn sources(crate_name: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates").join(crate_name).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{crate_name} has no source files");
    found
}

/// The code of a source file: without its tests and its comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn crates_depend_in_one_direction() {
    let dependencies = dependencies();
    let ours: BTreeSet<_> = dependencies.keys().map(String::as_str).collect();
    let folders = ALLOWED.map(|(name, _)| format!("crates/{name}"));
    let known: BTreeSet<_> = folders.iter().map(String::as_str).chain(["fanfare"]).collect();
    assert_eq!(ours, known, "a new crate needs a line in ALLOWED and in ARCHITECTURE.md");
    for ((_, allowed), folder) in ALLOWED.iter().zip(&folders) {
        for dependency in dependencies[folder].iter().filter(|dependency| ours.contains(dependency.as_str()))
        {
            assert!(
                allowed.iter().any(|allowed| *dependency == format!("crates/{allowed}")),
                "{folder} depends on {dependency}, which is against the directions of ARCHITECTURE.md: let the binary \
                 bring the two together"
            );
        }
    }
}

#[test]
fn what_is_confined_to_one_crate_stays_there() {
    for (name, dependencies) in dependencies() {
        for (library, home) in CONFINED {
            assert!(
                name == home || !dependencies.contains(library),
                "{name} depends on {library}, which lives in {home} only: use what that crate offers"
            );
        }
    }
}

#[test]
fn pure_crates_name_no_io_and_no_clock() {
    for name in PURE {
        for (path, text) in sources(name) {
            let code = code(&text);
            for banned in IMPURE {
                assert!(
                    !code.contains(banned),
                    "{} names {banned}: crates/{name} is pure, so take what you need as an argument",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_environment_is_the_binarys() {
    for (name, _) in ALLOWED.iter().filter(|(name, _)| !matches!(*name, "testkit" | "bench")) {
        for (path, text) in sources(name) {
            let code = code(&text);
            assert!(
                !code.contains("std::env::"),
                "{} reads the environment: only the binary does; take it as an argument",
                path.display()
            );
        }
    }
}

#[test]
fn no_crate_has_unsafe_code() {
    for (name, _) in ALLOWED.iter().chain([&("fanfare", &[][..])]) {
        for (path, text) in sources(name) {
            let code = code(&text);
            let is_unsafe = ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| code.contains(word));
            assert!(
                !is_unsafe,
                "{} has unsafe code, which no crate of this workspace needs yet",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_lives_there() {
    for (name, _) in ALLOWED.iter().chain([&("fanfare", &[][..])]) {
        for (path, text) in sources(name) {
            assert!(text.starts_with("//! "), "{} does not begin with what lives there", path.display());
        }
    }
}
