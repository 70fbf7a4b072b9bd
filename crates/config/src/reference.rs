//! The reference page of the configuration, made from the keys themselves.

use std::fmt::Write as _;

use crate::keys::{Fate, Foreign, Section};
use crate::{inboxclaw, mycel, native};

const INBOXCLAW_INTRODUCTION: &str = include_str!("inboxclaw/introduction.md");

const MYCEL_INTRODUCTION: &str = include_str!("mycel/introduction.md");

const INTRODUCTION: &str = "# Configuration

<!-- Made from the keys in crates/config/src/native. To change this page, change them and run
     UPDATE_DOCS=1 cargo test -p fanfare-config --test reference -->

A configuration is one TOML file. Files of cdviz-collector are read as they are, and so are
[Inboxclaw's](inboxclaw.md), which are YAML, and [Mycel's](mycel.md), which are HCL.
`fanfare check FILE` reports every problem of a file at once, and `fanfare check --print FILE` shows what it means
with all defaults.

- A key that does not exist is refused, with the nearest one that does.
- Durations are written as `\"30s\"`, `\"1h 30m\"` or `\"250ms\"`; a bare integer is a number of seconds.
- Sizes are written as `\"64MiB\"`, `\"512KiB\"` or `\"1GB\"`; a bare integer is a number of bytes.
- Relative paths start from the folder of the file; without a file, from the folder that the program runs in. A path
  in an environment variable starts there too.
- An environment variable overrides any key: `FANFARE__HTTP__PORT=9090` sets `port` in `[http]`. Names are matched
  in any case, and `_` is taken for `-` where only that exists. The value is read as TOML if it is TOML, else it is a
  string. The environment wins over the file, and the file over the defaults.
- Secrets are masked wherever a line of the file is shown.
";

/// The reference page, in Markdown.
#[must_use]
pub fn reference() -> String {
    page(INTRODUCTION, &native::SECTIONS, "toml")
}

/// The reference page of Inboxclaw's dialect, in Markdown.
#[must_use]
pub fn inboxclaw_reference() -> String {
    page(INBOXCLAW_INTRODUCTION, &inboxclaw::SECTIONS, "yaml")
}

/// The reference page of Mycel's dialect, in Markdown.
#[must_use]
pub fn mycel_reference() -> String {
    page(MYCEL_INTRODUCTION, &mycel::SECTIONS, "hcl")
}

fn page(introduction: &str, sections: &[&Section], language: &str) -> String {
    let mut out = introduction.to_owned();
    for section in sections {
        write_section(section, sections, language, &mut out);
    }
    out
}

fn write_section(section: &Section, sections: &[&Section], language: &str, out: &mut String) {
    let heading = section.title;
    let heading = if heading.starts_with('[') { format!("`{heading}`") } else { heading.to_owned() };
    let variant = section.variant.map(|variant| format!(" of type `{variant}`")).unwrap_or_default();
    let _ = write!(out, "\n## {heading}{variant}\n\n{}\n", section.about);
    if !section.example.is_empty() {
        let _ = write!(out, "\n```{language}\n{}```\n", section.example);
    }
    out.push_str("\n| key | type | default | |\n|---|---|---|---|\n");
    // What all types have stands where the types are named.
    let general = || sections.iter().filter(|it| section.variant.is_some() && is_general(it, section));
    let told: Vec<_> = general().flat_map(|it| it.keys).map(|key| key.name()).collect();
    for key in section.keys.iter().filter(|key| !told.contains(&key.name())) {
        let cells = [&key.kind(), &key.default(), key.doc()].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(out, "| `{}` | {} |", key.name(), cells.join(" | "));
    }
    let told: Vec<_> = general().flat_map(|it| it.foreign).map(|foreign| foreign.name).collect();
    write_foreign(section.foreign.iter().filter(|foreign| !told.contains(&foreign.name)), out);
}

fn is_general(section: &Section, of: &Section) -> bool {
    section.variant.is_none() && section.title == of.title
}

fn write_foreign<'f>(foreign: impl Iterator<Item = &'f Foreign>, out: &mut String) {
    for (index, foreign) in foreign.enumerate() {
        if index == 0 {
            out.push('\n');
        }
        let _ = match foreign.fate {
            Fate::Ignored(why) => writeln!(out, "- `{}` is ignored, with a warning: {why}.", foreign.name),
            Fate::Refused(instead) => writeln!(out, "- `{}` is refused: {instead}.", foreign.name),
        };
    }
}
