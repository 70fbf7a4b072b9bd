//! Tokens of requests: where they are looked for, with which keys they are checked, and how a refusal looks (RFC 6750, 3).

use std::sync::Arc;

use fanfare_auth::Encoding;
use fanfare_auth::jwt::{Algorithm, Carriers, Checks, Grant, Key, KeyFault, Keys, TokenFault, verify};
use fanfare_config::{Diagnostics, Jwt, JwtKey, JwtKeyKind, PublicKeyAlgorithm};
use fanfare_event::SinkName;
use http::{Request, StatusCode, header};
use jiff::Timestamp;
use tracing::warn;

use super::{Denied, Published};
use crate::http::HeaderMapView;
use crate::problem::Problem;
use crate::sinks::sse::start::query;

/// What a sink takes tokens by.
#[derive(Debug)]
pub(crate) struct Tokens {
    sink: SinkName,
    carriers: Carriers,
    checks: Checks,
    keys: KeySource,
}

#[derive(Debug)]
enum KeySource {
    /// All of them are in the configuration.
    Fixed(Keys),
    /// Some are fetched.
    Published(Arc<Published>),
}

impl Tokens {
    /// Builds what a configuration says; what is wrong with its keys goes to the diagnostics.
    pub(crate) fn new(sink: &SinkName, jwt: &Jwt, diagnostics: &mut Diagnostics) -> Option<Self> {
        let mut fixed = Vec::new();
        for key in &jwt.keys {
            match build(key) {
                Ok(built) => fixed.push(built),
                Err(problem) => {
                    diagnostics.error(key.span, format!("this key cannot be used: {problem}"));
                    return None;
                }
            }
        }
        let keys = match &jwt.jwks_url {
            None => KeySource::Fixed(Keys::new(fixed)),
            Some(url) => match reqwest::Url::parse(url.expose()) {
                Ok(url) => KeySource::Published(Arc::new(Published::new(sink.clone(), url, fixed))),
                Err(problem) => {
                    diagnostics.error(jwt.span, format!("`jwks_url` cannot be used: {problem}"));
                    return None;
                }
            },
        };
        Some(Self {
            sink: sink.clone(),
            carriers: Carriers { cookie: jwt.cookie.clone(), query: jwt.query_token },
            checks: Checks {
                issuer: jwt.issuer.clone(),
                audience: jwt.audience.clone(),
                user_claim: jwt.user_claim.clone(),
                rooms_claim: jwt.rooms_claim.clone(),
                types_claim: jwt.types_claim.clone(),
            },
            keys,
        })
    }

    /// The keys that are fetched, where there are such.
    pub(crate) fn published(&self) -> Option<&Arc<Published>> {
        match &self.keys {
            KeySource::Fixed(_) => None,
            KeySource::Published(published) => Some(published),
        }
    }

    /// What the token of a request grants. Where it names a key that is not known, newer ones are waited for.
    pub(super) async fn grant<B: Sync>(&self, request: &Request<B>) -> Result<Grant, Denied> {
        let headers = HeaderMapView(request.headers());
        let token = match self.carriers.find(&headers, query(request)) {
            Ok(token) => token.into_owned(),
            Err(fault) => return Err(self.refused(&fault)),
        };
        let check = |keys: &Keys| verify(&token, keys, &self.checks, Timestamp::now());
        let verified = match &self.keys {
            KeySource::Fixed(keys) => check(keys),
            KeySource::Published(published) => {
                let latest = published.latest();
                match check(&latest.keys) {
                    Err(TokenFault::UnknownKey) => {
                        let newer = published.newer_than(&latest).await;
                        match check(&newer.keys) {
                            Err(TokenFault::UnknownKey) if !newer.is_complete => {
                                return Err(Denied::NotNow("the keys of tokens could not be fetched yet"));
                            }
                            verified => verified,
                        }
                    }
                    verified => verified,
                }
            }
        };
        verified.map_err(|fault| self.refused(&fault))
    }

    fn refused(&self, fault: &TokenFault) -> Denied {
        if *fault == TokenFault::AudienceNotConfigured {
            warn!(
                sink = %self.sink,
                "a token has `aud`, and the sink has no `audience`: such a token must be refused; name in `audience` \
                 what tokens for this sink have there"
            );
        }
        let (status, challenge) = match fault {
            TokenFault::Missing | TokenFault::NotFromQuery => (StatusCode::UNAUTHORIZED, "Bearer"),
            TokenFault::Several => (StatusCode::BAD_REQUEST, "Bearer error=\"invalid_request\""),
            _ => (StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\""),
        };
        let problem = Problem::new(status, fault.to_string());
        Denied::Refused(problem.header(header::WWW_AUTHENTICATE, challenge))
    }
}

fn build(key: &JwtKey) -> Result<Key, KeyFault> {
    let kid = key.kid.clone();
    match &key.kind {
        JwtKeyKind::Secret { secret, variable: _, encoding } => {
            let encoding = encoding.map(|encoding| match encoding {
                fanfare_config::Encoding::Hex => Encoding::Hex,
                fanfare_config::Encoding::Base64 => Encoding::Base64,
            });
            Key::secret(kid, &secret.clone().into(), encoding)
        }
        JwtKeyKind::Public { algorithm, pem, file: _ } => {
            let algorithm = match algorithm {
                PublicKeyAlgorithm::Rs256 => Algorithm::Rs256,
                PublicKeyAlgorithm::Es256 => Algorithm::Es256,
                PublicKeyAlgorithm::EdDsa => Algorithm::EdDsa,
            };
            Key::pem(kid, algorithm, pem)
        }
    }
}
