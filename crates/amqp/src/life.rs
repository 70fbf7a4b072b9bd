//! Whether a connection's socket is open. Nobody who waits for `lapin` waits longer than that, whatever it does with those
//! who wait when a connection ends.

use std::sync::Arc;

use tokio::sync::watch;

use crate::session::Error;

/// Held by the socket; its end is the connection's.
#[derive(Debug, Default)]
pub(crate) struct Life(Arc<watch::Sender<bool>>);

/// What those have who wait.
#[derive(Clone, Debug)]
pub(crate) struct Ending(watch::Receiver<bool>);

impl Life {
    /// For another hand on the same socket, while it is being opened.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// The socket gives and takes nothing any more.
    pub(crate) fn end(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn ending(&self) -> Ending {
        Ending(self.0.subscribe())
    }
}

impl Ending {
    /// Waits for something of the connection, until that ends. What is there already is given also behind its end.
    pub(crate) async fn or<T>(&self, wanted: impl Future<Output = T>) -> Result<T, Error> {
        let mut ending = self.0.clone();
        tokio::select! {
            biased;
            wanted = wanted => Ok(wanted),
            _ = ending.wait_for(|has_ended| *has_ended) => {
                Err(Error::Lost("the broker closed the connection".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn nobody_waits_longer_than_the_connection_lives() {
        let life = Life::default();
        let ending = life.ending();
        assert_eq!(ending.or(ready(1)).await, Ok(1));
        let waiting = tokio::spawn({
            let ending = ending.clone();
            async move { ending.or(pending::<()>()).await }
        });
        life.share().end();
        assert!(matches!(waiting.await, Ok(Err(Error::Lost(_)))));
        assert!(ending.or(pending::<()>()).await.is_err());
        assert_eq!(ending.or(ready(2)).await, Ok(2));
    }
}
