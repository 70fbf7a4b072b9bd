use super::*;

/// The head of a request, for the tests of all sources.
pub(crate) struct Head(pub(crate) Vec<(String, Vec<u8>)>);

impl RequestHeaders for Head {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value.as_slice()))
    }
}

impl RequestHead for Head {
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0 {
            each(name, value);
        }
    }
}

pub(crate) fn head(headers: &[(&str, &str)]) -> Head {
    Head(headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}
