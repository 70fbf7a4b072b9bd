//! What a request says that its body is.

use fanfare_auth::RequestHeaders;

/// A content type that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// As it came.
    pub(crate) text: Option<String>,
    pub(crate) mode: Mode,
}

/// How the body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// JSON.
    Plain,
    /// A CloudEvent whose attributes are headers; the body is its data.
    Binary,
    /// A CloudEvent as JSON.
    Structured,
    /// An array of them.
    Batch,
}

impl ContentType {
    /// `None` where it is not understood. No content type at all is taken as JSON.
    pub(crate) fn read(head: &(impl RequestHeaders + ?Sized)) -> Option<Self> {
        let mut values = head.values("content-type");
        let text = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(std::str::from_utf8(value).ok()?.trim()),
            (Some(_), Some(_)) => return None,
        };
        let text = text.filter(|text| !text.is_empty());
        let declared = match text {
            None => Mode::Plain,
            Some(text) => declared(text)?,
        };
        let is_binary = declared == Mode::Plain && head.values("ce-specversion").next().is_some();
        let mode = if is_binary { Mode::Binary } else { declared };
        Some(Self { text: text.map(str::to_owned), mode })
    }
}

/// What a media type (RFC 9110, 8.3.1) declares; `None` if it is not understood.
pub(crate) fn declared(text: &str) -> Option<Mode> {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next()?.to_ascii_lowercase();
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            matches!(
                value.trim().trim_matches('"').to_ascii_lowercase().as_str(),
                "utf-8" | "utf8" | "us-ascii"
            )
        }
        _ => true,
    });
    if !is_utf8 {
        return None;
    }
    match essence.as_str() {
        "application/cloudevents+json" => Some(Mode::Structured),
        "application/cloudevents-batch+json" => Some(Mode::Batch),
        "application/json" | "text/json" => Some(Mode::Plain),
        other => {
            let (kind, suffix) = (other.split_once('/')?.0, other.rsplit_once('+')?.1);
            (!kind.is_empty() && suffix == "json").then_some(Mode::Plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_media_type_declares() {
        let check = |text: &str, expected: Option<Mode>| assert_eq!(declared(text), expected, "{text}");
        check("application/json", Some(Mode::Plain));
        check("Application/JSON; charset=UTF-8", Some(Mode::Plain));
        check("application/json;charset=\"utf-8\"; profile=x", Some(Mode::Plain));
        check("application/vnd.github+json", Some(Mode::Plain));
        check("application/cloudevents+json; charset=utf-8", Some(Mode::Structured));
        check("application/cloudevents-batch+json", Some(Mode::Batch));
        check("application/json; charset=utf-16", None);
        check("application/cloudevents+xml", None);
        check("application/x-www-form-urlencoded", None);
        check("text/plain", None);
        check("json", None);
        check("+json", None);
        check("", None);
    }
}
