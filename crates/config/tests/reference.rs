//! `docs/configuration.md` is made from the keys; its examples load, and the README's does.

use std::fs;
use std::path::Path;

use fanfare_config::{Env, parse, reference};

const PAGE: &str = "../../docs/configuration.md";

#[test]
fn the_page_says_what_the_keys_say() {
    let page = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all("../../docs").unwrap();
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(
        page, written,
        "UPDATE_DOCS=1 cargo test -p fanfare-config --test reference writes the page anew"
    );
}

#[test]
fn every_example_loads() {
    let page = reference();
    let examples = examples(&page);
    assert!(examples.len() > 10);
    for example in examples {
        let diagnostics = parse(Path::new("example.toml"), example, &Env::default()).diagnostics;
        assert_eq!(diagnostics.render(false), "", "{example}");
    }
}

#[test]
fn the_readmes_example_loads_and_its_mistake_looks_as_it_says() {
    let readme = fs::read_to_string("../../README.md").unwrap();
    let env: Env =
        [("GITHUB_SECRET", "github-secret"), ("DASHBOARD_TOKEN", "dashboard-token")].into_iter().collect();
    let check = |text: &str| parse(Path::new("fanfare.toml"), text, &env).diagnostics.render(false);
    let [example] = examples(&readme)[..] else { panic!("one example") };
    assert_eq!(check(example), "");
    let id = "id = \"dashboard\"\n";
    let mistake = check(&example.replace(id, &format!("{id}keep_aliv = \"10s\"\n")));
    assert!(readme.contains(mistake.trim_end()), "{mistake}");
}

fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(toml, _)| toml).collect()
}

#[test]
fn links_within_the_page_lead_somewhere() {
    let page = reference();
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
