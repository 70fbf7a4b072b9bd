//! Header rules and headers that are sent: from how the configuration has them to how they are checked and made, and what
//! a refusal looks like.

use fanfare_auth::{HeaderRules, Refused, RefusedKind};
use fanfare_config::{Diagnostics, HeaderRule};
use http::StatusCode;

use crate::problem::Problem;

/// The rules, compiled. The configuration has checked each, so that what is refused here is a fault of ours; it is
/// told all the same, because a rule that is left out lets everyone in.
pub(crate) fn build(rules: &[HeaderRule], diagnostics: &mut Diagnostics) -> HeaderRules {
    let given = rules.iter().map(|rule| (rule.header.clone(), auth_rule(&rule.rule)));
    HeaderRules::new(given).unwrap_or_else(|error| {
        if let Some(rule) = rules.get(error.index) {
            diagnostics.error(rule.span, error.to_string());
        }
        HeaderRules::default()
    })
}

/// The headers that a source sends. As with [`build`], what is refused here is a fault of ours.
#[cfg(feature = "source_sse")]
pub(crate) fn outgoing(
    headers: &[fanfare_config::OutgoingHeader],
    diagnostics: &mut Diagnostics,
) -> fanfare_auth::OutgoingHeaders {
    let given = headers.iter().map(|header| (header.header.clone(), auth_outgoing(&header.value)));
    fanfare_auth::OutgoingHeaders::new(given).unwrap_or_else(|error| {
        if let Some(header) = headers.get(error.index) {
            diagnostics.error(header.span, error.to_string());
        }
        fanfare_auth::OutgoingHeaders::default()
    })
}

/// Names the header and the rule, never a value.
impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused.kind {
            RefusedKind::Missing => StatusCode::UNAUTHORIZED,
            RefusedKind::Wrong => StatusCode::FORBIDDEN,
        };
        let detail = refused.to_string();
        Self::new(status, detail).with("header", refused.header).with("rule", refused.rule)
    }
}

fn auth_rule(rule: &fanfare_config::Rule) -> fanfare_auth::Rule {
    use fanfare_auth::Rule as Auth;
    use fanfare_config::Rule as Config;
    match rule.clone() {
        Config::Exists => Auth::Exists,
        Config::Equals { value, case_sensitive, prefix, suffix } => {
            Auth::Equals { value: value.into(), case_sensitive, prefix, suffix }
        }
        Config::Matches { pattern } => Auth::Matches { pattern },
        Config::Secret { variable: _, value, prefix, suffix } => {
            Auth::Secret { value: value.into(), prefix, suffix }
        }
        Config::Signature {
            token,
            token_env: _,
            token_encoding,
            signature_prefix,
            signature_on,
            signature_encoding,
        } => Auth::Signature {
            token: token.into(),
            token_encoding: token_encoding.map(encoding),
            signature_prefix,
            signature_on: auth_signature_on(signature_on),
            signature_encoding: encoding(signature_encoding),
        },
    }
}

#[cfg(feature = "source_sse")]
fn auth_outgoing(value: &fanfare_config::OutgoingValue) -> fanfare_auth::Outgoing {
    use fanfare_auth::Outgoing as Auth;
    use fanfare_config::OutgoingValue as Config;
    match value.clone() {
        Config::Static { value, prefix, suffix } | Config::Secret { variable: _, value, prefix, suffix } => {
            Auth::Fixed { value: value.into(), prefix, suffix }
        }
        Config::Signature {
            token,
            token_env: _,
            token_encoding,
            signature_prefix,
            signature_on,
            signature_encoding,
        } => Auth::Signature {
            token: token.into(),
            token_encoding: token_encoding.map(encoding),
            signature_prefix,
            signature_on: auth_signature_on(signature_on),
            signature_encoding: encoding(signature_encoding),
        },
    }
}

fn auth_signature_on(on: fanfare_config::SignatureOn) -> fanfare_auth::SignatureOn {
    match on {
        fanfare_config::SignatureOn::Body => fanfare_auth::SignatureOn::Body,
        fanfare_config::SignatureOn::HeadersThenBody { headers, separator } => {
            fanfare_auth::SignatureOn::HeadersThenBody { headers, separator }
        }
    }
}

fn encoding(encoding: fanfare_config::Encoding) -> fanfare_auth::Encoding {
    match encoding {
        fanfare_config::Encoding::Hex => fanfare_auth::Encoding::Hex,
        fanfare_config::Encoding::Base64 => fanfare_auth::Encoding::Base64,
    }
}
