//! A stream's tokens as native TOML.

use super::Printer;
use crate::native::sink::{jwt, jwt_key};
use crate::shapes::quote;
use crate::{Jwt, JwtKeyKind, Secrets};

impl Printer {
    /// A URL, whose query is a secret.
    fn without_query(&self, url: &str) -> String {
        match (self.secrets, url.split_once('?')) {
            (Secrets::Masked, Some((url, _))) => format!("{url}?***"),
            _ => url.to_owned(),
        }
    }

    /// `title` is the header of the sink, without its closing bracket.
    pub(super) fn jwt(&mut self, title: &str, settings: &Jwt) {
        self.header(&format!("{title}.jwt]"));
        self.set(&jwt::JWKS_URL, &settings.jwks_url.as_ref().map(|url| self.without_query(url.expose())));
        self.set(&jwt::ISSUER, &settings.issuer);
        self.set(&jwt::AUDIENCE, &settings.audience);
        self.set(&jwt::USER_CLAIM, &settings.user_claim);
        self.set(&jwt::ROOMS_CLAIM, &settings.rooms_claim);
        self.set(&jwt::TYPES_CLAIM, &settings.types_claim);
        self.set(&jwt::COOKIE, &settings.cookie);
        self.set(&jwt::QUERY_TOKEN, &settings.query_token);
        for key in &settings.keys {
            self.header(&format!("[{title}.jwt.keys]]"));
            match &key.kind {
                JwtKeyKind::Secret { secret, variable, encoding } => {
                    self.set(&jwt_key::ALGORITHM, &Some(None));
                    let (name, value) = match variable {
                        Some(variable) => (jwt_key::SECRET_ENV.name, quote(variable)),
                        None => (jwt_key::SECRET.name, self.secret(secret)),
                    };
                    self.line(name, &value);
                    self.set(&jwt_key::SECRET_ENCODING, encoding);
                }
                JwtKeyKind::Public { algorithm, pem, file } => {
                    self.set(&jwt_key::ALGORITHM, &Some(Some(*algorithm)));
                    match file {
                        Some(file) => self.set(&jwt_key::PUBLIC_KEY_FILE, &Some(file.written.clone())),
                        None => self.set(&jwt_key::PUBLIC_KEY, &Some(pem.clone())),
                    }
                }
            }
            self.set(&jwt_key::KID, &key.kid);
        }
    }
}
