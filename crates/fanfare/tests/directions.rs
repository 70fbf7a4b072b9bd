//! Who may depend on whom, and what some crates must not name: ARCHITECTURE.md, as failing tests. A failure says what to
//! do instead.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// The crates of this workspace that each may depend on. `fanfare` may depend on all.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("config", &["event"]),
    ("amqp", &[]),
    ("client", &[]),
    ("transform", &["event"]),
    ("auth", &["event"]),
    ("log", &["event"]),
    ("stream", &["event"]),
    ("reactor", &["stream"]),
    ("source", &["event", "transform", "auth"]),
    // Its service for contract tests is about the client; what it gives to tests knows neither (see below).
    ("testkit", &["client"]),
    ("bench", &["event", "stream", "testkit"]),
];

/// A package that only one crate may depend on, or that some must not.
struct Fence {
    package: &'static str,
    allowed: fn(&str) -> bool,
    instead: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        package: "vrl",
        allowed: |krate| krate == "transform",
        instead: "VRL lives in `transform`; give that crate what you need of it, in types of its own",
    },
    Fence {
        package: "lapin",
        allowed: |krate| krate == "amqp",
        instead: "AMQP lives in `amqp`; give that crate what you need of it, in types of its own",
    },
    Fence {
        package: "tokio",
        allowed: |krate| !PURE.contains(&krate) && krate != "reactor",
        instead: "this crate decides and returns what to do; tasks and sockets belong to `fanfare`",
    },
    Fence {
        package: "mio",
        allowed: |krate| krate == "reactor",
        instead: "sockets that no task drives belong to `reactor`; all others to tokio",
    },
    Fence {
        package: "serde_json",
        allowed: |krate| !matches!(krate, "stream" | "reactor"),
        instead: "streams carry bytes; what an event's JSON is belongs to `event`",
    },
    Fence {
        package: "hyper",
        allowed: |krate| krate == "fanfare",
        instead: "HTTP belongs to the binary; the crates below take their own view of a request",
    },
    Fence {
        package: "http",
        allowed: |krate| krate == "fanfare",
        instead: "HTTP belongs to the binary; the crates below take their own view of a request",
    },
    Fence {
        package: "jsonwebtoken",
        allowed: |krate| krate == "auth",
        instead: "tokens are checked in `auth`, by keys and a time that are handed in",
    },
    Fence {
        package: "reqwest",
        allowed: |krate| matches!(krate, "fanfare" | "client"),
        instead: "HTTP belongs to the binary, streams that are read to `client`; take what was fetched as an argument",
    },
    Fence {
        package: "sse-core",
        allowed: |krate| krate == "client",
        instead: "streams are read in `client`, and in tests by `testkit`, which knows nothing of it",
    },
    Fence {
        package: "tokio-rustls",
        allowed: |krate| krate == "fanfare",
        instead: "TLS of listeners belongs to the binary; `amqp` and `reqwest` bring their own for connections that go out",
    },
    Fence {
        package: "tracing",
        allowed: |krate| krate == "fanfare",
        instead: "return what happened and let the binary log it",
    },
];

/// Crates without a clock, a socket or a file.
const PURE: [&str; 4] = ["event", "transform", "auth", "stream"];

/// What the code of some crates must not name, outside their tests.
struct Ban {
    word: &'static str,
    allowed: fn(&str) -> bool,
    instead: &'static str,
}

const fn impure(word: &'static str) -> Ban {
    Ban {
        word,
        allowed: |krate| !PURE.contains(&krate),
        instead: "this crate is pure: take bytes and `now` as arguments, and return what to do",
    }
}

const BANS: &[Ban] = &[
    impure("tokio"),
    impure("std::net"),
    impure("std::fs"),
    impure("Instant::now"),
    impure("SystemTime::now"),
    impure("Timestamp::now"),
    Ban {
        word: "unsafe",
        allowed: |_| false,
        instead: "no crate has it; an event loop that needs it gets a crate of its own",
    },
    Ban {
        word: "std::env",
        // The test kit cleans the environment of what it starts, and the benchmark is a program of its own.
        allowed: |krate| matches!(krate, "fanfare" | "testkit" | "bench"),
        instead: "only the binary reads the environment; take what you need of it as an argument",
    },
];

/// What `cargo metadata` says of the workspace's packages, by their folders.
fn packages() -> BTreeMap<String, Value> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().clone();
    packages.into_iter().map(|package| (folder(&package), package)).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn folder(package: &Value) -> String {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned()
}

/// The packages that a crate depends on, but for its tests and its build script.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter().filter(|one| one["kind"].is_null()).map(|one| one["name"].as_str().unwrap())
}

#[test]
fn crates_depend_in_one_direction() {
    let mut wrong = Vec::new();
    for (krate, package) in packages() {
        if krate == "fanfare" {
            continue;
        }
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(own, _)| *own == krate) else {
            wrong.push(format!(
                "`{krate}` is new: say in DIRECTIONS, and in ARCHITECTURE.md, what it may depend on"
            ));
            continue;
        };
        for dependency in dependencies(&package) {
            let ours = match dependency.strip_prefix("fanfare-") {
                Some(ours) => ours,
                None if dependency == "fanfare" => dependency,
                None => continue,
            };
            if !allowed.contains(&ours) {
                wrong.push(format!(
                    "`{krate}` must not depend on `{ours}`, only on {allowed:?}: move what both need below, or let \
                     `fanfare` bring the two together"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Also the tests of the client itself look with the test kit.
#[test]
fn the_test_kit_sees_the_wire_without_the_project() {
    let package = packages().remove("testkit").unwrap();
    for dependency in package["dependencies"].as_array().unwrap() {
        let (name, is_own) = (dependency["name"].as_str().unwrap(), dependency["kind"].is_null());
        assert!(
            !(is_own && name.starts_with("fanfare-")) || dependency["optional"] == true,
            "`testkit` depends on {name} always: let a feature bring it, for the binary that needs it"
        );
    }
    let library = Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src");
    for file in rust_files(&library).iter().filter(|file| !file.starts_with(library.join("bin"))) {
        let text = fs::read_to_string(file).unwrap();
        assert!(
            !code(&text).any(|(_, line)| line.contains("fanfare_")),
            "{} names another crate of the project: tests would see with the eyes of what they test",
            file.display()
        );
    }
}

#[test]
fn packages_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (krate, package) in packages() {
        let names: BTreeSet<_> = dependencies(&package).collect();
        for Fence { package, allowed, instead } in FENCES {
            if names.contains(package) && !allowed(&krate) {
                wrong.push(format!("`{krate}` must not depend on {package}: {instead}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_crates_share_the_lints() {
    for (krate, package) in packages() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true\n"),
            "`{krate}` has lints of its own: write `[lints]` and `workspace = true`"
        );
    }
}

#[test]
fn code_names_nothing_that_it_must_not() {
    let mut wrong = Vec::new();
    for (krate, package) in packages() {
        let root = Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src");
        for file in rust_files(&root) {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in code(&text) {
                for Ban { word, instead, .. } in BANS.iter().filter(|ban| !(ban.allowed)(&krate)) {
                    if names(line, word) {
                        let file = file.strip_prefix(workspace()).unwrap().display();
                        wrong.push(format!("{file}:{number} names `{word}`: {instead}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files of a crate, but for those of its tests.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

/// The numbered lines of a file that are code: no comments, and nothing of its tests, which come last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

/// Whether a line names this, in a path or in a list of imports.
fn names(line: &str, path: &str) -> bool {
    let is_imported = || {
        let (parent, name) = path.rsplit_once("::")?;
        let (_, list) = line.split_once(&format!("use {parent}::{{"))?;
        Some(has_word(list, name))
    };
    has_word(line, path) || is_imported().unwrap_or(false)
}

/// Whether a line has this word, whole: `unsafe` is not in `unsafe_code`.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn the_scan_sees_code_only() {
    let check = |text: &str, expected: bool| {
        assert_eq!(code(text).any(|(_, line)| names(line, "unsafe")), expected, "{text}");
    };
    check("fn f() { unsafe { g() } }", true);
    check("unsafe fn f() {}", true);
    check("#![forbid(unsafe_code)]", false);
    check("let not_unsafe = 1;", false);
    check("fn f() {} // unsafe", false);
    check("/// unsafe\nfn f() {}", false);
    check("fn f() {}\n#[cfg(test)]\nmod tests { unsafe fn g() {} }", false);
    for (line, expected) in [
        ("use std::env;", true),
        ("let x = std::env::var(\"X\");", true),
        ("use std::{env, io};", true),
        ("use std::{fmt, io};", false),
        ("use std::environment;", false),
    ] {
        assert_eq!(names(line, "std::env"), expected, "{line}");
    }
}
