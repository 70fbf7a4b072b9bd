//! Values that nobody may see: kept out of `Debug`, wiped when dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A token, a password, a header's expected value. Its `Debug` says nothing.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The value itself. Never print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value.into())
    }
}

impl From<Secret> for SecretString {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// For tests and reloads, which compare configurations. Not in constant time: never compare with what a client sent.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether a printed configuration shows its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// `***` stands for each.
    Masked,
    /// As they are: the printed configuration runs.
    Shown,
}
