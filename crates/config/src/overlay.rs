//! `FANFARE__HTTP__PORT=9090`: the environment's values over the file's.

use crate::mask::Dialect;
use crate::tree::{Data, Entry, Node, Table, parse_value};
use crate::{Diagnostics, Env, Span, mask};

/// What the names of overriding variables begin with.
const PREFIX: &str = "FANFARE__";

/// What stands for the dots of a key.
const SEPARATOR: &str = "__";

/// Keys that a variable may lead through. No table of a configuration lies as deep.
const MAX_DEPTH: usize = 16;

/// Lays the variables over a document. Names are matched in any case, and `_` is taken for `-` where only that
/// exists; a name that nothing has yet is taken in lower case.
pub(crate) fn apply(document: &mut Table, env: &Env, diagnostics: &mut Diagnostics) {
    for (name, value) in env.iter() {
        if let Some(path) = name.strip_prefix(PREFIX) {
            apply_one(document, name, path, value, diagnostics);
        }
    }
}

fn apply_one(document: &mut Table, name: &str, path: &str, value: &str, diagnostics: &mut Diagnostics) {
    let file = diagnostics.add_file(format!("environment variable {name}"));
    let text = format!("{name}={value}");
    let start = name.len() + 1;
    let whole = Span::new(file, start..text.len());
    let read = parse_value(value, file, start);
    let data =
        read.map_or_else(|| Data::Text { text: value.to_owned(), exact: Some(whole) }, |node| node.data);
    let node = Node { span: whole, data, raw: Some(value.to_owned()) };
    let segments: Vec<&str> = path.split(SEPARATOR).collect();
    let last = segments.last().map(|segment| segment.to_lowercase()).unwrap_or_default();
    diagnostics.set_text(file, mask::variable(&text, start, &last, &node));
    let named = Span::new(file, 0..name.len());
    if segments.iter().any(|segment| segment.is_empty()) || segments.len() > MAX_DEPTH {
        diagnostics
            .error(named, "this variable names no key")
            .help("`FANFARE__HTTP__PORT` sets `port` in `[http]`, and so on for any key");
        return;
    }
    let mut at = PREFIX.len();
    let mut keys = Vec::new();
    for segment in segments {
        keys.push((segment, Span::new(file, at..at + segment.len())));
        at += segment.len() + SEPARATOR.len();
    }
    set(document, &keys, node, diagnostics);
}

fn set(table: &mut Table, keys: &[(&str, Span)], node: Node, diagnostics: &mut Diagnostics) {
    let [(segment, span), below @ ..] = keys else { return };
    let Some(entry) = existing(table, segment, *span, diagnostics) else { return };
    if below.is_empty() {
        merge(entry, *span, node);
        return;
    }
    match &mut entry.node.data {
        Data::Table(table) => set(table, below, node, diagnostics),
        // What is broken has been reported; nothing can be said about what lies in it.
        Data::Broken => {}
        _ => {
            let message = format!(
                "`{}` is {}, so nothing can be set in it",
                entry.name,
                entry.node.kind(Dialect::Native)
            );
            diagnostics
                .error(*span, message)
                .also(entry.node.span, "it is set here")
                .help(format!("set `{}` as a whole", entry.name));
        }
    }
}

/// The entry that a part of a variable's name means; a new, empty table where there is none. `None` after saying
/// that there are several.
fn existing<'t>(
    table: &'t mut Table,
    segment: &str,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Option<&'t mut Entry> {
    let same: fn(&str, &str) -> bool = |name, segment| name.eq_ignore_ascii_case(segment);
    let similar: fn(&str, &str) -> bool =
        |name, segment| name.replace('-', "_").eq_ignore_ascii_case(segment);
    let exact: fn(&str, &str) -> bool = |name, segment| name == segment;
    for matches in [exact, same, similar] {
        let found: Vec<usize> = (0..)
            .zip(&table.entries)
            .filter(|(_, entry)| matches(&entry.name, segment))
            .map(|(index, _)| index)
            .collect();
        match found.as_slice() {
            [] => {}
            [index] => return table.entries.get_mut(*index),
            _ => {
                diagnostics.error(span, format!("`{segment}` may be one of several names here"));
                return None;
            }
        }
    }
    let node = Node { span, data: Data::Table(Table::default()), raw: None };
    Some(table.entries.push_mut(Entry { name: segment.to_lowercase(), span, node }))
}

/// Tables are merged; anything else is replaced.
fn merge(entry: &mut Entry, span: Span, node: Node) {
    match (&mut entry.node.data, node.data) {
        (Data::Table(old), Data::Table(new)) => {
            for new in new.entries {
                match old.entries.iter_mut().find(|old| old.name == new.name) {
                    Some(old) => merge(old, new.span, new.node),
                    None => old.entries.push(new),
                }
            }
        }
        (_, data) => {
            entry.span = span;
            entry.node = Node { span: node.span, data, raw: node.raw };
        }
    }
}
