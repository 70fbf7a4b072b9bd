//! What the rules need of a request's head, so that no HTTP library is named here.

/// The headers of a request.
pub trait RequestHeaders {
    /// Every value of the header with this name (in lower case), in the order in which they came; none where the
    /// header is missing.
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a>;
}
