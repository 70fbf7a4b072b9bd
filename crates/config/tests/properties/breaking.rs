//! Files broken at random, and environments.

use std::ops::Range;

use fanfare_config::Env;
use proptest::prelude::*;

/// One way to break a text, at a place from 0 to 1 of it.
#[derive(Clone, Debug)]
enum Break {
    Remove,
    Insert(char),
    Replace(char),
    RepeatLine,
    RemoveLine,
    SwapLines,
    CutOff,
}

fn breaks() -> impl Strategy<Value = (f64, Break)> {
    let c = || {
        prop_oneof![
            proptest::sample::select(
                &['"', '\'', '=', '[', ']', '{', '}', ',', '.', '#', '\n', '\\', ' ', '_', '\t', '\r'][..]
            ),
            any::<char>()
        ]
    };
    let kind = prop_oneof![
        3 => Just(Break::Remove),
        3 => c().prop_map(Break::Insert),
        3 => c().prop_map(Break::Replace),
        1 => Just(Break::RepeatLine),
        1 => Just(Break::RemoveLine),
        1 => Just(Break::SwapLines),
        1 => Just(Break::CutOff),
    ];
    (0.0..1.0, kind)
}

/// The text, broken so many times. The word `SECRET` stays whole: part of a secret is none.
pub(crate) fn broken(text: String, times: Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(breaks(), times).prop_map(move |breaks| {
        breaks.into_iter().fold(text.clone(), |text, (place, how)| apply(&text, place, &how))
    })
}

fn apply(text: &str, place: f64, how: &Break) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short text"
    )]
    let at = text.floor_char_boundary((text.len() as f64 * place) as usize);
    let at = text
        .match_indices("SECRET")
        .find(|(start, word)| (*start..start + word.len()).contains(&at))
        .map_or(at, |(start, _)| start);
    let (before, after) = text.split_at(at);
    let Some(c) = after.chars().next() else { return text.to_owned() };
    let skip = if after.starts_with("SECRET") { 0 } else { c.len_utf8() };
    let lines = || text.split_inclusive('\n').collect::<Vec<_>>();
    let line = before.matches('\n').count();
    match how {
        Break::Remove => format!("{before}{}", &after[skip..]),
        Break::Insert(c) => format!("{before}{c}{after}"),
        Break::Replace(c) => format!("{before}{c}{}", &after[skip..]),
        Break::RepeatLine => {
            let mut lines = lines();
            lines.insert(line, lines[line]);
            lines.concat()
        }
        Break::RemoveLine => {
            let mut lines = lines();
            lines.remove(line);
            lines.concat()
        }
        Break::SwapLines => {
            let mut lines = lines();
            if line > 0 {
                lines.swap(line - 1, line);
            }
            lines.concat()
        }
        Break::CutOff => before.to_owned(),
    }
}

/// Overriding variables, some of which make sense.
pub(crate) fn variables() -> impl Strategy<Value = Env> {
    let segment = prop_oneof![
        4 => proptest::sample::select(&["HTTP", "PORT", "SINKS", "SOURCES", "A", "EXTRACTOR", "TYPE", "ID", "HEADERS", "LOG", "WINDOW", "X_A", "0"][..]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    let name = proptest::collection::vec(segment, 1..6)
        .prop_map(|segments| format!("FANFARE__{}", segments.join("__")));
    let value = prop_oneof![
        "\\PC*",
        "[0-9]{1,3}",
        Just("{ a = 1 }".to_owned()),
        Just("[1, { b = 2 }]".to_owned()),
        Just("sse".to_owned())
    ];
    proptest::collection::btree_map(name, value, 0..4).prop_map(Env::from_iter)
}
