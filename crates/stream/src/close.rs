//! Why a connection ended.

use std::fmt;

/// Why a connection ended. Each ends with exactly one of these; it is also what logs and metrics call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseReason {
    /// The client closed it, or the network did.
    ClientGone,
    /// The client took no byte for longer than the send timeout.
    Stalled,
    /// The client fell behind by more than the sink's buffer, and the sink says `on_lag = "disconnect"`.
    Lagged,
    /// The server is shutting down.
    Shutdown,
    /// The token that the client showed has expired.
    TokenExpired,
    /// An operator closed it.
    Kicked,
    /// An operator closed it, and the client's token is not taken any more.
    Revoked,
    /// The log began anew, so the stream's position means nothing any more.
    LogReset,
}

impl CloseReason {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientGone => "client_gone",
            Self::Stalled => "stalled",
            Self::Lagged => "lagged",
            Self::Shutdown => "shutdown",
            Self::TokenExpired => "token_expired",
            Self::Kicked => "kicked",
            Self::Revoked => "revoked",
            Self::LogReset => "log_reset",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
