//! `docs/configuration.md`, `docs/inboxclaw.md` and `docs/mycel.md` are made from the keys; their examples load, and the README's does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use fanfare_config::{Env, inboxclaw_reference, mycel_reference, parse, reference};

const PAGE: &str = "../../docs/configuration.md";
const INBOXCLAW_PAGE: &str = "../../docs/inboxclaw.md";
const MYCEL_PAGE: &str = "../../docs/mycel.md";

fn check_page(path: &str, page: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all("../../docs").unwrap();
        fs::write(path, page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == written,
        "UPDATE_DOCS=1 cargo test -p fanfare-config --test reference writes {path} anew"
    );
}

#[test]
fn the_pages_say_what_the_keys_say() {
    check_page(PAGE, &reference());
    check_page(INBOXCLAW_PAGE, &inboxclaw_reference());
    check_page(MYCEL_PAGE, &mycel_reference());
}

#[test]
fn every_example_loads() {
    let check = |page: &str, language: &str, least: usize| {
        let examples = examples(page, language);
        assert!(examples.len() >= least);
        for example in examples {
            let name = format!("example.{language}");
            let diagnostics = parse(Path::new(&name), example, &Env::default()).diagnostics;
            assert_eq!(diagnostics.render(false), "", "{example}");
        }
    };
    check(&reference(), "toml", 10);
    check(&inboxclaw_reference(), "yaml", 7);
    check(&mycel_reference(), "hcl", 3);
    for page in ["identity", "rest", "routing"] {
        check(&fs::read_to_string(format!("../../docs/{page}.md")).unwrap(), "toml", 1);
    }
}

#[test]
fn the_readmes_examples_load_and_its_mistake_looks_as_it_says() {
    let readme = fs::read_to_string("../../README.md").unwrap();
    let env: Env =
        [("GITHUB_SECRET", "github-secret"), ("DASHBOARD_TOKEN", "dashboard-token")].into_iter().collect();
    let check = |text: &str| parse(Path::new("fanfare.toml"), text, &env).diagnostics.render(false);
    let [example, rooms] = examples(&readme, "toml")[..] else { panic!("two examples") };
    assert_eq!((check(example), check(rooms)), (String::new(), String::new()));
    let id = "id = \"dashboard\"\n";
    let mistake = check(&example.replace(id, &format!("{id}keep_aliv = \"10s\"\n")));
    assert!(readme.contains(mistake.trim_end()), "{mistake}");
}

fn examples<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    let blocks = page.split(fence.as_str()).skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(example, _)| example).collect()
}

#[test]
fn links_within_a_page_lead_somewhere() {
    check_links(&reference());
    check_links(&inboxclaw_reference());
    check_links(&mycel_reference());
}

fn check_links(page: &str) {
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: Vec<String> = headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect();
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
        assert!(anchors.iter().any(|anchor| anchor == link), "{link} is none of {anchors:?}");
    }
}
