//! `connector "NAME"`: what all types have. Each type has a file here.

use super::{Conversion, words};
use crate::checker::{Fields, list, quoted};
use crate::hcl::Block;
use crate::keys::{Key, Optional};
use crate::loose::Word;
use crate::tree::Table;
use crate::{Span, checker};

/// The types that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sse,
    Rest,
    RabbitMq,
}

/// A connector, before its keys are read.
pub(super) struct Connector {
    pub(super) name: String,
    pub(super) name_span: Span,
    /// `None` where it is not served, which has been reported.
    pub(super) kind: Option<Kind>,
    pub(super) type_span: Span,
    pub(super) table: Table,
    /// Its kind and its name.
    pub(super) span: Span,
}

const SERVED: [&str; 3] = ["sse", "rest", "mq"];

pub(super) const TYPE: Key<Optional<Word>> = Key {
    name: "type",
    doc: "`sse`, `rest` or `mq`.",
    presence: Optional(
        Word(&[
            "sse",
            "rest",
            "mq",
            "cache",
            "cdc",
            "database",
            "discord",
            "elasticsearch",
            "email",
            "exec",
            "file",
            "ftp",
            "graphql",
            "grpc",
            "http",
            "mqtt",
            "oauth",
            "pdf",
            "profiled",
            "push",
            "s3",
            "slack",
            "sms",
            "soap",
            "tcp",
            "webhook",
            "websocket",
        ]),
        "required",
    ),
};

pub(super) const DRIVER: Key<Optional<Word>> = Key {
    name: "driver",
    doc: "`rabbitmq`.",
    presence: Optional(Word(&["rabbitmq", "kafka", "redis"]), "`\"rabbitmq\"`"),
};

/// What a connector has in Mycel that is one of several.
const PROFILES: [&str; 4] = ["profile", "select", "default", "fallback"];

const PROFILED: &str = "what differs between environments is said with `env(\"NAME\", \"default\")`";

impl Connector {
    pub(super) fn new(
        (name, name_span): (String, Span),
        block: Block,
        conversion: &mut Conversion<'_, '_>,
    ) -> Self {
        let (span, whole) = (block.header(), block.span);
        let table = block.body.into_table(&mut conversion.checker.diagnostics);
        let mut connector = Self { name, name_span, kind: None, type_span: span, table, span };
        connector.kind = connector.read_kind(conversion);
        if connector.kind.is_none() {
            conversion.unread.push(whole);
        }
        connector
    }

    /// What messages call it: `connector "api"`.
    pub(super) fn title(&self) -> String {
        let name = if crate::mask::has_swallowed(&self.name) { "…" } else { &self.name };
        format!("`connector \"{name}\"`")
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(self.title(), self.span, &self.table)
    }

    fn read_kind(&mut self, conversion: &mut Conversion<'_, '_>) -> Option<Kind> {
        let checker = &mut *conversion.checker;
        let Some(written) = self.table.get(TYPE.name) else {
            if let Some(profile) = PROFILES.iter().find_map(|name| self.table.get(name)) {
                checker.error(profile.span, format!("`{}` is not served", profile.name)).help(PROFILED);
                return None;
            }
            let keys = self.table.entries.iter().map(|entry| entry.name.as_str());
            let misspelt =
                keys.clone().find(|key| checker::nearest(key, std::iter::once(TYPE.name)).is_some());
            let help = match misspelt {
                Some(key) => format!("did you mean `type` by `{key}`?"),
                None => format!("served: {}", list(&SERVED)),
            };
            checker.absent(self.span, format!("`type` is missing in {}", self.title())).help(help);
            return None;
        };
        let node = &written.node;
        self.type_span = node.span;
        let name = TYPE.read(node, checker)?;
        // What came out of a variable is not shown.
        let shown = if node.raw.is_some() { "that this names".to_owned() } else { quoted(&name) };
        match name.as_str() {
            "sse" => return Some(Kind::Sse),
            "rest" => return Some(Kind::Rest),
            "mq" => return self.read_driver(conversion).then_some(Kind::RabbitMq),
            _ => {}
        }
        if let Some((_, instead)) = words::TYPES.iter().find(|(known, _)| *known == name) {
            let problem = checker.error(node.span, format!("connector type {shown} is not served"));
            if !instead.is_empty() {
                problem.help(*instead);
            }
            problem.help(format!("served: {}", list(&SERVED)));
        } else {
            let help = if node.raw.is_some() {
                format!("served: {}", list(&SERVED))
            } else if name == "rabbitmq" {
                "RabbitMQ is `type = \"mq\"` with `driver = \"rabbitmq\"`".to_owned()
            } else {
                checker::suggest(&name, &SERVED, "served")
            };
            checker.error(node.span, format!("unknown connector type {shown}")).help(help);
        }
        None
    }

    /// Whether a message queue is RabbitMQ.
    fn read_driver(&self, conversion: &mut Conversion<'_, '_>) -> bool {
        let Some(entry) = self.table.get(DRIVER.name) else { return true };
        let Some(driver) = DRIVER.read(&entry.node, conversion.checker) else { return false };
        if matches!(driver.as_str(), "rabbitmq" | "") {
            return true;
        }
        let shown = if entry.node.raw.is_some() { "that this names".to_owned() } else { quoted(&driver) };
        conversion
            .checker
            .error(entry.node.span, format!("driver {shown} is not served"))
            .help(format!("served: {}", list(&["rabbitmq"])));
        false
    }
}
