//! The TOML blocks of cdviz-collector's documents, served as they are written: their variables set, and a webhook given
//! to the source that each has, or to a new one.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fanfare_testkit::Server;
use fanfare_testkit::http;
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, WEBHOOK, cdevent, cdevent_of, fanfare, file, problem, run};
use blocks::{BLOCKS, BRIDGE, Block, Sink};

mod blocks;

/// What is published, and what of it the streams show.
fn events(block: &str) -> Vec<(Value, Option<Value>)> {
    let unchanged = |event: Value| (event.clone(), Some(event));
    let with_content = |id: &str, content: Value| {
        let mut event = cdevent(id);
        event["subject"]["content"] = content;
        event
    };
    match block {
        "13-team-distribution" => vec![
            (with_content("low", json!({"importance": "low", "category": "other"})), None),
            (with_content("silent", json!({})), None),
            unchanged(with_content("high", json!({"importance": "high"}))),
            unchanged(with_content("security", json!({"category": "security"}))),
            unchanged(with_content("compliance", json!({"category": "compliance", "importance": "low"}))),
        ],
        "14-staging-mirror" => {
            let event = with_content("e", json!({"user_id": "alice", "sensitive_field": "x", "kept": 1}));
            let mut shown =
                with_content("e", json!({"user_id": "anonymous", "sensitive_field": null, "kept": 1}));
            shown["context"]["source"] = "anonymized-github.com/myorg/myrepo".into();
            shown["subject"]["id"] = "dev-build-456".into();
            vec![(event, Some(shown))]
        }
        "12-internal-bridge" => {
            let event = with_content("e", json!({"sensitive_data": "hidden", "kept": 1}));
            vec![(event, Some(with_content("e", json!({"kept": 1}))))]
        }
        "18-build-dashboard" => vec![
            (cdevent_of("dev.cdevents.testsuiterun.started.0.1.0", "test"), None),
            unchanged(cdevent_of("dev.cdevents.build.finished.0.1.0", "build")),
        ],
        _ => vec![unchanged(cdevent("e"))],
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/tests/seeds"))
}

/// The files, each with the block that it holds.
fn files() -> Vec<(String, &'static Block)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let block = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = stem.strip_prefix("001-").or_else(|| stem.strip_prefix("003-")).unwrap_or(stem);
        let block = BLOCKS.iter().find(|block| block.name == name);
        (fs::read_to_string(&path).unwrap(), block.unwrap_or_else(|| panic!("{stem}: say what it asks for")))
    };
    files.into_iter().map(block).collect()
}

fn serve(toml: &str, block: &Block) -> Server {
    let key = |key: &str| format!("FANFARE__SOURCES__{}__EXTRACTOR__{key}", block.source.to_uppercase());
    let server = fanfare().config(toml).env(key("TYPE"), "webhook").env(key("ID"), "ci");
    block.env.iter().fold(server, |server, (name, value)| server.env(name, value)).start().unwrap()
}

fn check(toml: &str, block: &Block) {
    let server = serve(toml, block);
    let mut clients: Vec<_> = block.sinks.iter().map(|sink| check_sink(&server, sink)).collect();
    for (event, shown) in events(block.name) {
        let answer = http::post(server.addr(), WEBHOOK, &[], event.to_string()).unwrap();
        let status = if shown.is_some() { 201 } else { 200 };
        assert_eq!(answer.status(), status, "{}: {}", block.name, answer.text());
        let Some(shown) = shown else { continue };
        for client in &mut clients {
            let event = client.next_event(LONG).unwrap();
            assert_eq!(event.id.as_deref(), shown["context"]["id"].as_str(), "{}", block.name);
            assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), shown, "{}", block.name);
        }
    }
}

/// Refuses who lacks a header or has a wrong one; gives the stream of who has all.
fn check_sink(server: &Server, sink: &Sink) -> Client {
    let refused = |headers: &[(&str, &str)], status: u16, header: &str| {
        let refused = http::get(server.addr(), sink.path, headers).unwrap();
        assert_eq!(refused.status(), status, "{} {headers:?}", sink.path);
        assert_eq!(problem(&refused)["header"], header, "{}", sink.path);
    };
    let passing: Vec<_> = sink.headers.iter().map(|(name, value, _)| (*name, *value)).collect();
    for (index, (name, _, wrong)) in sink.headers.iter().enumerate() {
        let mut headers = passing.clone();
        headers.remove(index);
        refused(&headers, 401, name);
        if let Some(wrong) = wrong {
            headers.insert(index, (name, wrong));
            refused(&headers, 403, name);
        }
    }
    Client::open(server.addr(), sink.path, &passing).unwrap()
}

#[test]
fn every_block_is_served_as_it_is_written() {
    let mut seen = BTreeSet::new();
    for (toml, block) in files() {
        seen.insert(block.name);
        if block.name != BRIDGE.name {
            check(&toml, block);
        }
    }
    assert_eq!(seen.len(), BLOCKS.len(), "every block has its file: {seen:?}");
}

const HIDES: &str = "\"content\": del(.body.subject.content.sensitive_data) ?? .body.subject.content";

#[test]
fn what_would_publish_what_it_means_to_hide_is_refused_and_says_what_is_right() {
    let mut refused = 0;
    for (toml, block) in files() {
        if block.name != BRIDGE.name {
            continue;
        }
        refused += 1;
        let written = file(&toml);
        let path = written.path().to_str().unwrap();
        for args in [&["check", path][..], &["serve", "--config", path]] {
            let output = run(args, block.env);
            assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{args:?}");
            for shown in [
                "sanitize_for_internal",
                HIDES,
                "`del` returns the value that it removed",
                "content = .body.subject.content\n",
                "del(content.sensitive_data)\n",
            ] {
                assert!(output.stderr.contains(shown), "without {shown}:\n{}", output.stderr);
            }
        }
        // What it says is right is right.
        let right = "content = .body.subject.content\ndel(content.sensitive_data)\n[{";
        check(&toml.replace("[{", right).replace(HIDES, "\"content\": content"), block);
    }
    assert_eq!(refused, 2, "in two of the documents");
}
