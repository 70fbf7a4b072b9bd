//! Why a request's token is not accepted.

/// Why a request's token is not accepted, in words that its sender may read: they name no value, neither of the token nor
/// an expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    // What the request must do differently.
    /// There is none.
    #[error("the request has no token")]
    Missing,
    /// There is one in `access_token` of the query only, where none is taken from.
    #[error("the request has no token: this stream takes none from `access_token` in its URL")]
    NotFromQuery,
    /// There are several, and they differ (RFC 6750, 2: not more than one).
    #[error("the request has several tokens, and they differ")]
    Several,

    // What whoever made the token must do differently.
    /// It is not three parts in base64url, of which the first two are JSON objects (RFC 7515, 3.1).
    #[error("the token is not a signed JSON Web Token in compact form")]
    Malformed,
    /// It has more bytes than [`MAX_TOKEN`](super::MAX_TOKEN).
    #[error("the token is too large")]
    TooLarge,
    /// It asks for an extension that must be understood (RFC 7515, 4.1.11).
    #[error("the token's header has `crit`, and none of its extensions is known here")]
    Critical,
    /// Its `alg` is not what the key is for, or is none that is served; `none` always.
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// No key has its `kid`; or it has none, and its signature is of no key. With newer keys it may hold.
    #[error("the token is signed with a key that is not known")]
    UnknownKey,
    /// The key that it names did not make its signature.
    #[error("the token's signature is wrong")]
    Signature,
    /// `exp` is now, or was before.
    #[error("the token has expired")]
    Expired,
    /// There is no `exp`.
    #[error("the token has no `exp`: it must say when it ends")]
    Endless,
    /// `nbf` is still to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is missing, or another.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` is missing, or has none of those that are meant here.
    #[error("the token is for another audience")]
    Audience,
    /// A claim has a value that cannot be used.
    #[error("the token's claim `{name}` must be {must}")]
    Claim {
        /// Its name.
        name: String,
        /// What it must be.
        must: &'static str,
    },

    // What the operator must do differently.
    /// It has an `aud`, and no audience is configured: it must be refused (RFC 7519, 4.1.3). Its sender reads the same as
    /// for [`Self::Audience`].
    #[error("the token is for another audience")]
    AudienceNotConfigured,
}

impl TokenFault {
    pub(super) fn claim(name: &str, must: &'static str) -> Self {
        Self::Claim { name: name.to_owned(), must }
    }
}
