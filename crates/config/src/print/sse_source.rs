//! A source of type `sse` as native TOML.

use super::{Inline, Printer};
use crate::native::source::{METADATA, TYPE, Type, sse};
use crate::native::{client_tls, outgoing, rule};
use crate::shapes::quote;
use crate::{ClientTls, OutgoingHeader, OutgoingValue, Rule, Secrets, SseSource, SseUrl};

impl Printer {
    /// `title` is the header of the source, without its closing bracket.
    pub(super) fn sse_source(&mut self, title: &str, source: &SseSource) {
        self.header(&format!("{title}.extractor]"));
        self.set(&TYPE, &Some(Type::Sse));
        self.stream_url(&source.url);
        self.set(&sse::PROFILE, &source.profile);
        self.set(&sse::EVENTS, &source.events);
        self.set(&sse::MAX_RETRIES, &source.max_retries);
        self.set(&sse::RECONNECT_DELAY, &source.reconnect_delay);
        self.set(&sse::READ_TIMEOUT, &source.read_timeout);
        self.set(&sse::MAX_EVENT, &source.max_event);
        self.set(&sse::USER_AGENT, &Some(source.user_agent.clone()));
        self.set(&METADATA, &source.metadata);
        for OutgoingHeader { header, value, .. } in &source.headers {
            self.header(&format!("[{title}.extractor.{}]]", outgoing::HEADERS.name));
            self.set(&rule::HEADER, &Some(header.clone()));
            let value = self.outgoing(value);
            self.line(rule::RULE.name, &value);
        }
        self.client_tls(title, source.tls.as_ref());
    }

    /// `title` is the header of the source, without its closing bracket.
    pub(super) fn client_tls(&mut self, title: &str, tls: Option<&ClientTls>) {
        let Some(tls) = tls else { return };
        self.header(&format!("{title}.extractor.{}]", client_tls::TLS.name));
        let files = [
            (&client_tls::CA_FILE, &tls.ca),
            (&client_tls::CERTIFICATE_FILE, &tls.certificate),
            (&client_tls::KEY_FILE, &tls.key),
        ];
        for (key, file) in files {
            self.set(key, &file.as_ref().map(|file| file.written.clone()));
        }
    }

    fn stream_url(&mut self, url: &SseUrl) {
        if let Some(variable) = &url.variable {
            return self.line(sse::URL_ENV.name, &quote(variable));
        }
        let text = match self.secrets {
            Secrets::Masked => url.masked(),
            Secrets::Shown => url.text.expose().to_owned(),
        };
        self.line(sse::URL.name, &quote(&text));
    }

    fn outgoing(&self, value: &OutgoingValue) -> String {
        match value.clone() {
            OutgoingValue::Static { value, prefix, suffix } => {
                let mut fields = Inline(Vec::new());
                fields.set(&outgoing::TYPE, &Some(outgoing::Type::Static));
                fields.push(outgoing::VALUE.name, &self.secret(&value));
                fields.set(&rule::PREFIX, &prefix);
                fields.set(&rule::SUFFIX, &suffix);
                fields.into_table()
            }
            // The others are written as the rules that they pass.
            OutgoingValue::Secret { variable, value, prefix, suffix } => {
                self.rule(&Rule::Secret { variable, value, prefix, suffix })
            }
            OutgoingValue::Signature {
                token,
                token_env,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            } => self.rule(&Rule::Signature {
                token,
                token_env,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            }),
        }
    }
}
