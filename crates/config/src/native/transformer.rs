//! `[transformers.NAME]`, and the chains of them.

use std::collections::BTreeMap;

use super::words::{check_name, check_pointer};
use crate::checker::{Checker, Fields, quoted, suggest, text};
use crate::file::read_regular;
use crate::keys::{Foreign, Key, Optional, Or, Required, Section};
use crate::shapes::{ANY_TEXT, Choice, Code, Count, Items, Nested, Text};
use crate::tree::{Data, Entry, Node, Table};
use crate::{Program, Span, Transformer, TransformerKind};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Vrl,
    Passthrough,
    Log,
    DiscardAll,
    Deduplicate,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`vrl` runs a program, `passthrough` does nothing, `log` writes each event to the log output, `discard_all` \
          drops every event, `deduplicate` drops an event whose key was seen lately.",
    presence: Required(Choice {
        served: &[
            ("vrl", Type::Vrl),
            ("passthrough", Type::Passthrough),
            ("log", Type::Log),
            ("discard_all", Type::DiscardAll),
            ("deduplicate", Type::Deduplicate),
        ],
        later: &[],
        foreign: &[],
    }),
};

pub(crate) const TEMPLATE: Key<Optional<Code>> = Key {
    name: "template",
    doc: "The program, in VRL. It sees `.metadata`, `.headers` and `.body`, and returns a list of events: `[.]` \
          passes the event on, `[]` drops it.",
    presence: Optional(Code("a string"), "one of `template`, `script` and `template_file` must be there"),
};

const SCRIPT: Key<Optional<Code>> = Key {
    name: "script",
    doc: "The same as `template`.",
    presence: Optional(Code("a string"), "see `template`"),
};

const TEMPLATE_FILE: Key<Optional<Text>> = Key {
    name: "template_file",
    doc: "A file with the program. A relative path starts from the folder of the configuration file.",
    presence: Optional(Text { kind: "the path of a file", check: |_| Ok(()) }, "see `template`"),
};

/// Of cdviz-collector, which fetches programs.
const TEMPLATE_RFILE: &str = "template_rfile";

pub(crate) static VRL_SECTION: Section = Section {
    title: "[transformers.NAME]",
    variant: Some("vrl"),
    about: "A program in [VRL](https://vector.dev/docs/reference/vrl/).",
    example: "[transformers.only_builds]\ntype = \"vrl\"\ntemplate = '''\n\
              if !starts_with(string!(.body.context.type), \"dev.cdevents.build.\") {\n  return []\n}\n[.]\n'''\n",
    keys: &[&TYPE, &TEMPLATE, &SCRIPT, &TEMPLATE_FILE],
    foreign: &[Foreign::refused(
        TEMPLATE_RFILE,
        "nothing is fetched at the start: save the program beside this file and name it with `template_file`",
    )],
};

pub(crate) const TARGET: Key<Or<Text>> = Key {
    name: "target",
    doc: "The target of the log lines, by which `RUST_LOG` can select them.",
    presence: Or(ANY_TEXT, || "transformers::log".to_owned()),
};

pub(crate) static LOG_SECTION: Section = Section {
    title: "[transformers.NAME]",
    variant: Some("log"),
    about: "Writes each event to the log output, and passes it on.",
    example: "[transformers.show]\ntype = \"log\"\ntarget = \"events\"\n",
    keys: &[&TYPE, &TARGET],
    foreign: &[],
};

pub(crate) const CAPACITY: Key<Or<Count<usize>>> = Key {
    name: "capacity",
    doc: "How many keys are remembered; the oldest is forgotten first. `0` switches it off.",
    presence: Or(Count { min: 0, max: 10_000_000 }, || 10),
};

pub(crate) const KEY_PATH: Key<Or<Text>> = Key {
    name: "key_path",
    doc: "Where the key is in the body, as a JSON pointer (RFC 6901). An event without it passes.",
    presence: Or(Text { kind: "a JSON pointer", check: check_pointer }, || "/context/id".to_owned()),
};

pub(crate) static DEDUPLICATE_SECTION: Section = Section {
    title: "[transformers.NAME]",
    variant: Some("deduplicate"),
    about: "Drops an event whose key was seen lately.",
    example: "[transformers.once]\ntype = \"deduplicate\"\ncapacity = 1000\nkey_path = \"/subject/id\"\n",
    keys: &[&TYPE, &CAPACITY, &KEY_PATH],
    foreign: &[],
};

pub(crate) static SECTION: Section = Section {
    title: "[transformers.NAME]",
    variant: None,
    about: "A step between a source and the log; a source names it in `transformer_refs`. Predefined are \
            `passthrough`, `log`, `discard_all` (each of the type of its name) and `deduplicate_on_context_id` \
            (`capacity = 10`, `key_path = \"/context/id\"`). A block of one of these names that has no `type` \
            changes only what it says.",
    example: "",
    keys: &[&TYPE],
    foreign: &[],
};

pub(crate) const TRANSFORMER_REFS: Key<Or<Items<Text>>> = Key {
    name: "transformer_refs",
    doc: "The names of transformers, in the order in which they are applied.",
    presence: Or(
        Items { kind: "an array of names of transformers", item: ANY_TEXT, if_empty: None },
        Vec::new,
    ),
};

pub(crate) const INLINE: Key<Optional<Nested>> = Key {
    name: "transformers",
    doc: "Transformers of this source alone (`[[sources.NAME.transformers]]`, with the keys of a transformer). They \
          come before those of `transformer_refs`.",
    presence: Optional(Nested("an array of tables"), "none"),
};

/// All transformers, by name and in order.
#[derive(Default)]
pub(super) struct Transformers {
    pub(super) all: Vec<Transformer>,
    by_name: BTreeMap<String, usize>,
}

impl Transformers {
    /// Reads `[transformers]`.
    pub(super) fn read(table: &Table, checker: &mut Checker<'_>) -> Self {
        let mut transformers = Self::default();
        for Entry { name, span, node } in &table.entries {
            if let Err(problem) = check_name(name) {
                checker.error(*span, "this name cannot be used for a transformer").label(problem);
            }
            let Some(table) = checker.table(name, node) else {
                continue;
            };
            let base = predefined(name).filter(|_| table.get(TYPE.name).is_none());
            let fields = Fields::new(super::shown_title("transformers", name), *span, table);
            let transformer = read_transformer(name.clone(), fields, base, checker);
            transformers.add(transformer);
        }
        transformers
    }

    /// Looks names up, after `inline` ones.
    pub(super) fn chain(&mut self, refs: &[(String, Span)], checker: &mut Checker<'_>) -> Vec<usize> {
        refs.iter().filter_map(|(name, span)| self.resolve(name, *span, checker)).collect()
    }

    /// Reads `[[sources.NAME.transformers]]`. They get names of their own, so that a printed configuration can
    /// refer to them.
    pub(super) fn read_inline(&mut self, source: &str, node: &Node, checker: &mut Checker<'_>) -> Vec<usize> {
        let Data::List(items) = &node.data else {
            checker.wrong_type(INLINE.name, node, "an array of tables");
            return Vec::new();
        };
        let mut chain = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Some(table) = checker.table(&format!("{}[{index}]", INLINE.name), item) {
                let fields = Fields::new(format!("[[sources.{source}.transformers]]"), item.span, table);
                let mut name = format!("{source}.{}", index + 1);
                while self.by_name.contains_key(&name) {
                    name.push('_');
                }
                let transformer = read_transformer(name, fields, None, checker);
                chain.push(self.add(transformer));
            }
        }
        chain
    }

    /// Forgets those that were added since there were so many: nothing that runs refers to them.
    pub(super) fn truncate(&mut self, count: usize) {
        self.all.truncate(count);
        self.by_name.retain(|_, index| *index < count);
    }

    fn resolve(&mut self, name: &str, span: Span, checker: &mut Checker<'_>) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        if let Some(kind) = predefined(name) {
            let empty = Table::default();
            let kind = read_kind(kind, &mut Fields::new(name, span, &empty), checker);
            return Some(self.add(Transformer { name: name.to_owned(), span, type_span: span, kind }));
        }
        let known = self.by_name.keys().map(String::as_str);
        let known: Vec<_> = known.chain(PREDEFINED.map(|(name, _)| name)).collect();
        let help = suggest(name, &known, "transformers");
        checker.absent(span, format!("no transformer is called {}", quoted(name))).help(help);
        None
    }

    fn add(&mut self, transformer: Transformer) -> usize {
        let index = self.all.len();
        self.by_name.insert(transformer.name.clone(), index);
        self.all.push(transformer);
        index
    }
}

/// What cdviz-collector's files may refer to without defining it. The keys of these types have the defaults that
/// the predefined transformers have.
const PREDEFINED: [(&str, Type); 4] = [
    ("passthrough", Type::Passthrough),
    ("log", Type::Log),
    ("discard_all", Type::DiscardAll),
    ("deduplicate_on_context_id", Type::Deduplicate),
];

fn predefined(name: &str) -> Option<Type> {
    PREDEFINED.iter().find(|(predefined, _)| *predefined == name).map(|(_, kind)| *kind)
}

/// Reads a transformer. `base` is its type where it names none. What cannot be read becomes a `passthrough`, so that
/// references to it are not dangling.
fn read_transformer(
    name: String,
    mut fields: Fields<'_>,
    base: Option<Type>,
    checker: &mut Checker<'_>,
) -> Transformer {
    let span = fields.span();
    let (kind, type_span) = match base {
        Some(base) => (Some(base), span),
        None => fields.get_with_span(&TYPE, checker),
    };
    // Which keys there may be is not known without a type.
    let kind = kind.map_or(TransformerKind::Passthrough, |kind| {
        let read = read_kind(kind, &mut fields, checker);
        fields.finish(section(kind), checker);
        read
    });
    Transformer { name, span, type_span, kind }
}

fn read_kind(kind: Type, fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> TransformerKind {
    match kind {
        Type::Vrl => TransformerKind::Vrl { program: read_program(fields, checker) },
        Type::Passthrough => TransformerKind::Passthrough,
        Type::Log => TransformerKind::Log { target: fields.get(&TARGET, checker) },
        Type::DiscardAll => TransformerKind::DiscardAll,
        Type::Deduplicate => TransformerKind::Deduplicate {
            capacity: fields.get(&CAPACITY, checker),
            key_path: fields.get(&KEY_PATH, checker),
        },
    }
}

fn section(kind: Type) -> &'static Section {
    match kind {
        Type::Vrl => &VRL_SECTION,
        Type::Log => &LOG_SECTION,
        Type::Deduplicate => &DEDUPLICATE_SECTION,
        Type::Passthrough | Type::DiscardAll => &SECTION,
    }
}

/// The program of one of three keys.
fn read_program(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Program {
    let names = [TEMPLATE.name, SCRIPT.name, TEMPLATE_FILE.name];
    let given: Vec<_> =
        names.into_iter().filter_map(|name| fields.entry(name).map(|entry| (name, entry))).collect();
    let none = Program { text: String::new(), span: fields.span(), exact: false };
    match given.as_slice() {
        // A program named in a way that is not served has been refused already.
        [] if fields.has(TEMPLATE_RFILE) => none,
        [] => {
            checker
                .absent(fields.span(), format!("`template` is missing in {}", fields.title()))
                .help("write the program as `template` or `script`, or name its file with `template_file`");
            none
        }
        [(name, entry)] if *name == TEMPLATE_FILE.name => program_file(&entry.node, checker).unwrap_or(none),
        [(name, entry)] => {
            let Some(text) = text(name, &entry.node, "a string", checker) else { return none };
            match entry.node.data {
                Data::Text { exact: Some(span), .. } => Program { text: text.to_owned(), span, exact: true },
                _ => Program { text: text.to_owned(), span: entry.node.span, exact: false },
            }
        }
        [(first, before), (second, entry), ..] => {
            checker
                .error(entry.span, format!("`{first}` and `{second}` are both there"))
                .also(before.span, "the first program")
                .help("keep one of them: a transformer has one program");
            none
        }
    }
}

fn program_file(node: &Node, checker: &mut Checker<'_>) -> Option<Program> {
    let path = TEMPLATE_FILE.read(node, checker)?;
    let path = checker.folder.join(path);
    match read_regular(&path) {
        Ok(text) => {
            let file = checker.diagnostics.add_file(path.display().to_string());
            checker.diagnostics.set_text(file, text.clone());
            Some(Program { span: Span::new(file, 0..text.len()), text, exact: true })
        }
        Err(problem) => {
            checker
                .error(node.span, format!("cannot read {}: {problem}", quoted(&path.display().to_string())))
                .help("a relative path starts from the folder of the configuration file");
            None
        }
    }
}
