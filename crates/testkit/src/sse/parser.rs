//! An incremental parser of `text/event-stream`, WHATWG HTML 9.2.6, that also reports what a browser keeps to
//! itself: comments, and blocks that dispatch nothing.

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// What stands in a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A block with data: what a browser dispatches.
    Event(Event),
    /// A comment line, as soon as it ends, without its colon and one space behind that.
    Comment(String),
    /// A block that has fields but no data: a browser takes note of them and dispatches nothing.
    Silent(Silent),
}

/// An event as a browser dispatches it, and beside it the fields that its own block brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `type`: the last `event` field, `message` where there is none.
    pub kind: String,
    /// The `data` fields, joined with LF.
    pub data: String,
    /// `lastEventId`: this block's id, else that of the latest block that had one.
    pub last_event_id: String,
    /// The `id` field of this block, if it has a valid one.
    pub id: Option<String>,
    /// The `retry` field of this block in milliseconds, if it has a valid one.
    pub retry: Option<u64>,
}

/// The fields of a block without data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// The `event` field, if it is not empty.
    pub kind: Option<String>,
    /// The `id` field, if valid. A client sends it as `Last-Event-ID` from here on.
    pub id: Option<String>,
    /// The `retry` field in milliseconds, if valid.
    pub retry: Option<u64>,
}

/// The parser. What it is given in one piece or in a thousand makes no difference.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The first line is behind us; only it may start with a byte order mark.
    started: bool,
    /// The last byte was a CR: an LF right behind it belongs to the same line end.
    after_cr: bool,
    block: Block,
    /// "Last event ID buffer": outlives the block that set it.
    id_buffer: String,
    /// "Last event ID string": the buffer as of the last block that ended.
    last_event_id: String,
    retry: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Block {
    kind: String,
    data: String,
    id: Option<String>,
    retry: Option<u64>,
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the next bytes of the stream complete. A block that the stream leaves unfinished is never reported.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some((first, rest)) = bytes.split_first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                bytes = rest;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.line.extend_from_slice(bytes);
                break;
            };
            let (line, rest) = bytes.split_at(end);
            self.line.extend_from_slice(line);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            items.extend(self.end_line());
        }
        items
    }

    /// The id that a client would reconnect with; empty where the stream has set none.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The latest valid `retry`, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    fn end_line(&mut self) -> Option<Item> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.started, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        // A line end is no part of a UTF-8 sequence, so decoding by line is decoding the stream.
        let text = String::from_utf8_lossy(&line);
        let item = match text.split_once(':') {
            None if text.is_empty() => self.end_block(),
            None => {
                self.field(&text, "");
                None
            }
            Some((name, value)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                if name.is_empty() {
                    Some(Item::Comment(value.to_owned()))
                } else {
                    self.field(name, value);
                    None
                }
            }
        };
        line.clear();
        self.line = line;
        item
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.block.kind),
            "data" => {
                self.block.data.push_str(value);
                self.block.data.push('\n');
            }
            "id" if !value.contains('\0') => {
                value.clone_into(&mut self.id_buffer);
                self.block.id = Some(value.to_owned());
            }
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(milliseconds) = value.parse() {
                    self.retry = Some(milliseconds);
                    self.block.retry = Some(milliseconds);
                }
            }
            _ => {}
        }
    }

    fn end_block(&mut self) -> Option<Item> {
        self.last_event_id.clone_from(&self.id_buffer);
        let Block { mut kind, mut data, id, retry } = std::mem::take(&mut self.block);
        if data.pop().is_some() {
            if kind.is_empty() {
                "message".clone_into(&mut kind);
            }
            let last_event_id = self.last_event_id.clone();
            return Some(Item::Event(Event { kind, data, last_event_id, id, retry }));
        }
        let kind = (!kind.is_empty()).then_some(kind);
        let is_empty = kind.is_none() && id.is_none() && retry.is_none();
        (!is_empty).then_some(Item::Silent(Silent { kind, id, retry }))
    }
}

#[cfg(test)]
mod tests;
