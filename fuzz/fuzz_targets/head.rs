//! The head of a request, read from lines `name: value`.

use fanfare_auth::RequestHeaders;
use fanfare_source::request::RequestHead;

pub(crate) struct Head<'a>(Vec<(String, &'a [u8])>);

impl<'a> Head<'a> {
    pub(crate) fn read(lines: &'a [u8]) -> Self {
        let header = |line: &'a [u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?.to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii()))
        };
        Self(lines.split(|byte| *byte == b'\n').filter_map(header).collect())
    }
}

impl RequestHeaders for Head<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| *value))
    }
}

impl RequestHead for Head<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0 {
            each(name, value);
        }
    }
}
