//! What a stream's `identity = "jwt"` is configured with.

use crate::{ConfigFile, Encoding, Secret, Span};

/// Which tokens a stream takes, and what it reads in them. There is a key, or a URL with keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// Where the issuer publishes its keys; `https`, or `http` of this machine's own. Its
    /// query may hold a key of an API.
    pub jwks_url: Option<Secret>,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// The claim that names the user.
    pub user_claim: String,
    /// The claim that names the rooms.
    pub rooms_claim: String,
    /// The claim that names the types of events.
    pub types_claim: String,
    /// The name of a cookie that may carry the token.
    pub cookie: Option<String>,
    /// Whether the parameter `access_token` may.
    pub query_token: bool,
    /// Keys beside those of the URL.
    pub keys: Vec<JwtKey>,
    /// Where it is written.
    pub span: Span,
}

/// A key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtKey {
    /// What tokens call it.
    pub kid: Option<String>,
    /// The key, and what it is for.
    pub kind: JwtKeyKind,
    /// Where it is written.
    pub span: Span,
}

/// A key by what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeyKind {
    /// For `HS256`: both sides know it. At least 32 bytes.
    Secret {
        /// As written.
        secret: Secret,
        /// The environment variable that it came from, if it came from one.
        variable: Option<String>,
        /// How its bytes are written; `None` where its characters are its bytes.
        encoding: Option<Encoding>,
    },
    /// For algorithms with two keys: the public one.
    Public {
        /// Which of them.
        algorithm: PublicKeyAlgorithm,
        /// PEM; never a private key.
        pem: String,
        /// The file that it came from, if it came from one.
        file: Option<ConfigFile>,
    },
}

/// How tokens are signed where who checks them cannot make them (RFC 7518, 3.1; RFC 8037, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKeyAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}
