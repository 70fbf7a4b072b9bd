//! Routes: which sinks an event goes to, and whom of their clients. Decided before the log has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use fanfare_event::{
    Audience, AudienceRule, Delivery, Event, FieldError, NamePatterns, SinkName, SourceName,
};

/// All routes of a configuration.
#[derive(Clone, Debug)]
pub enum Routes {
    /// There are none: every event goes to everyone on these sinks.
    None(Arc<[Delivery]>),
    /// An event goes where these say, and nowhere else.
    Of(Arc<[Route]>),
}

/// That events of a source go to a sink.
#[derive(Clone, Debug)]
pub struct Route {
    /// The source.
    pub from: SourceName,
    /// What of it; `None`: all.
    pub operation: Option<OperationPattern>,
    /// The types of events that it means.
    pub matches: NamePatterns,
    /// The sink.
    pub to: SinkName,
    /// Whom of its clients.
    pub audience: AudienceRule,
}

/// Which operations of a source a route means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationPattern {
    /// This one.
    Exact(Box<str>),
    /// Routing keys as AMQP's topic exchanges know them: words between dots, of which `*` means exactly one and `#` any
    /// number (AMQP 0-9-1, 3.1.3.3).
    Topic(Box<[Word]>),
}

/// A word of a topic pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// `*`: any one.
    One,
    /// `#`: any number, none included.
    Any,
    /// This one.
    Is(Box<str>),
}

impl OperationPattern {
    /// A pattern of routing keys.
    pub fn topic(pattern: &str) -> Self {
        let words = pattern.split('.').map(|word| match word {
            "*" => Word::One,
            "#" => Word::Any,
            word => Word::Is(word.into()),
        });
        Self::Topic(words.collect())
    }

    /// Whether it means this operation.
    pub fn matches(&self, operation: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *operation,
            Self::Topic(pattern) => topic_matches(pattern, operation),
        }
    }
}

/// In time proportional to the words of both, multiplied: which prefixes of the key the pattern so far can mean.
fn topic_matches(pattern: &[Word], key: &str) -> bool {
    let words: Vec<_> = if key.is_empty() { Vec::new() } else { key.split('.').collect() };
    let mut reached = vec![false; words.len() + 1];
    reached[0] = true;
    for part in pattern {
        match part {
            Word::Any => {
                let mut any = false;
                for place in &mut reached {
                    any |= *place;
                    *place = any;
                }
            }
            Word::One | Word::Is(_) => {
                for at in (0..words.len()).rev() {
                    let fits = match part {
                        Word::Is(word) => **word == *words[at],
                        _ => true,
                    };
                    reached[at + 1] = reached[at] && fits;
                }
                reached[0] = false;
            }
        }
    }
    reached[words.len()]
}

impl Routes {
    /// Without routes: everything goes to everyone on these sinks.
    pub fn to_everyone(sinks: &BTreeSet<SinkName>) -> Self {
        Self::None(Delivery::to_everyone(sinks))
    }

    /// Whether there are routes, so that an event may go nowhere and need not be kept. (Where there is no sink yet, events
    /// are kept for those that come.)
    pub fn are_selective(&self) -> bool {
        matches!(self, Self::Of(_))
    }

    /// Where an event goes; nowhere, where no route means it. `operation` is what its source calls the occasion. Several
    /// routes to one sink are one delivery to all whom one of them means.
    ///
    /// # Errors
    /// A route sends to whom the event names, and it names nobody.
    pub fn deliveries(&self, operation: Option<&str>, event: &Event) -> Result<Arc<[Delivery]>, FieldError> {
        let routes = match self {
            Self::None(deliveries) => return Ok(Arc::clone(deliveries)),
            Self::Of(routes) => routes,
        };
        let mut sinks: BTreeMap<&SinkName, Audience> = BTreeMap::new();
        for route in routes.iter().filter(|route| route.means(operation, event)) {
            let audience = route.audience.audience(event)?;
            let before = sinks.remove(&route.to);
            let audience = match before {
                Some(before) => before.union(audience),
                None => audience,
            };
            sinks.insert(&route.to, audience);
        }
        Ok(sinks.into_iter().map(|(sink, audience)| Delivery { sink: sink.clone(), audience }).collect())
    }
}

impl Route {
    fn means(&self, operation: Option<&str>, event: &Event) -> bool {
        let means_operation = match (&self.operation, operation) {
            (None, _) => true,
            (Some(pattern), Some(operation)) => pattern.matches(operation),
            (Some(_), None) => false,
        };
        self.from == event.origin && means_operation && self.matches.matches(event.kind.as_str())
    }
}

impl fmt::Display for OperationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(operation) => f.write_str(operation),
            Self::Topic(words) => {
                for (index, word) in words.iter().enumerate() {
                    let dot = if index == 0 { "" } else { "." };
                    let word = match word {
                        Word::One => "*",
                        Word::Any => "#",
                        Word::Is(word) => word,
                    };
                    write!(f, "{dot}{word}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
