//! The headers of a request, as the crates below see them.

use fanfare_auth::RequestHeaders;
use http::HeaderMap;

/// A view that names no HTTP library.
pub(crate) struct HeaderMapView<'a>(pub(crate) &'a HeaderMap);

impl RequestHeaders for HeaderMapView<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        Box::new(self.0.get_all(name).into_iter().map(http::HeaderValue::as_bytes))
    }
}

#[cfg(any(feature = "source_rest", feature = "source_webhook"))]
impl fanfare_source::request::RequestHead for HeaderMapView<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0 {
            each(name.as_str(), value.as_bytes());
        }
    }
}
