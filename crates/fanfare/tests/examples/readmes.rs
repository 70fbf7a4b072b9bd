//! What the READMEs say is true of the files beside them, and each file is right as it stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kit::{examples, port, variables};

/// What an address begins with, in READMEs and in configurations.
const HERE: &str = "http://127.0.0.1:";

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    assert_eq!(folders.len(), 5);
    folders
}

fn readme(folder: &Path) -> String {
    fs::read_to_string(folder.join("README.md")).unwrap()
}

/// The configurations of a folder, by their names.
fn configurations(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What stands behind this, up to white space or a quote.
fn behind<'t>(text: &'t str, mark: &'t str) -> impl Iterator<Item = &'t str> {
    let end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
    text.split(mark).skip(1).map(move |rest| rest.split(end).next().unwrap())
}

#[test]
fn every_file_is_right_as_it_stands_with_the_variables_of_the_readme() {
    for folder in folders() {
        let variables = variables(&readme(&folder));
        assert!(!variables.is_empty(), "{}", folder.display());
        for file in configurations(&folder).keys() {
            let mut check = Command::new(env!("CARGO_BIN_EXE_fanfare"));
            check.args(["check", file]).current_dir(&folder).stdin(Stdio::null());
            let output = check.env_clear().envs(variables.clone()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{}, {file}:\n{said}", folder.display());
        }
    }
}

#[test]
fn every_readme_starts_what_is_there_and_sends_what_is_there() {
    for folder in folders() {
        let readme = readme(&folder);
        let mut started: Vec<_> = behind(&readme, "fanfare serve --config ").collect();
        started.sort_unstable();
        assert!(started.iter().eq(configurations(&folder).keys()), "{}: {started:?}", folder.display());
        let mut sent: Vec<_> = behind(&readme, " --file ").collect();
        assert!(!sent.is_empty(), "{}", folder.display());
        sent.dedup();
        for file in sent {
            let event = fs::read_to_string(folder.join(file)).unwrap();
            assert!(serde_json::from_str::<Value>(&event).is_ok(), "{}, {file}", folder.display());
        }
    }
}

#[test]
fn every_address_is_that_of_an_instance_beside_it() {
    let mut ports = Vec::new();
    for folder in folders() {
        let files = configurations(&folder);
        let by_port: BTreeMap<u16, &String> = files.values().map(|toml| (port(toml), toml)).collect();
        ports.extend(by_port.keys().copied());
        assert_eq!(by_port.len(), files.len(), "{}: one port each", folder.display());
        let readme = readme(&folder);
        for text in files.values().chain([&readme]) {
            for address in behind(text, HERE) {
                let (port, path) = address.split_once('/').unwrap();
                let toml = by_port[&port.parse().unwrap()];
                let id = path.rsplit('/').next().unwrap();
                assert!(toml.contains(&format!("id = \"{id}\"\n")), "{}: {address}", folder.display());
            }
        }
        for port in by_port.keys() {
            assert!(readme.contains(&format!(":{port}")), "{}: {port}", folder.display());
        }
    }
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), count, "all of them may run at once");
}

#[test]
fn every_example_is_listed() {
    let list = fs::read_to_string(examples().join("README.md")).unwrap();
    for folder in folders() {
        let name = name(&folder);
        assert!(list.contains(&format!("| [{name}]({name}) |")), "{name}");
    }
}
