//! What the harness says of a stream that it wants: the body of `POST /`, as settings of the client.

use std::time::Duration;

use fanfare_client::{Header, Settings, Url};
use serde_json::{Map, Value};

use crate::callback::CallbackUrl;

/// A stream that is wanted.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// For the client.
    pub(crate) settings: Settings,
    /// Where to tell what comes.
    pub(crate) callback: CallbackUrl,
}

impl Parameters {
    /// Reads them. The error says what was wrong.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let required = |name| text(&body, name)?.ok_or_else(|| format!("`{name}` is missing"));
        let url = required("streamUrl")?;
        let url = Url::parse(&url).map_err(|error| format!("`streamUrl`: {error}"))?;
        let callback = CallbackUrl::parse(&required("callbackUrl")?)?;

        let mut settings = Settings::new(url);
        if let Some(delay) = milliseconds(&body, "initialDelayMs")? {
            settings.reconnect_delay = delay;
        }
        if let Some(timeout) = milliseconds(&body, "readTimeoutMs")? {
            settings.read_timeout = timeout;
        }
        if let Some(method) = text(&body, "method")? {
            settings.method = method;
        }
        settings.last_event_id = text(&body, "lastEventId")?.map(Into::into);
        settings.body = text(&body, "body")?.unwrap_or_default().into_bytes();
        settings.headers = headers(&body)?;
        Ok(Self { settings, callback })
    }
}

/// Absent, `null` and empty are one: the harness writes what it does not say in all three ways.
fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("`{name}` is no string")),
    }
}

fn milliseconds(body: &Map<String, Value>, name: &str) -> Result<Option<Duration>, String> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => match number.as_u64() {
            Some(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
            None => Err(format!("`{name}` is no number of milliseconds")),
        },
    }
}

fn headers(body: &Map<String, Value>) -> Result<Vec<Header>, String> {
    let headers = match body.get("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(headers)) => headers,
        Some(_) => return Err("`headers` is no object".to_owned()),
    };
    let headers = headers.iter().map(|(name, value)| match value.as_str() {
        Some(value) => Ok(Header { name: name.clone(), value: value.as_bytes().to_vec() }),
        None => Err(format!("the header `{name}` is no string")),
    });
    headers.collect()
}
