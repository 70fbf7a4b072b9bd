//! Any text as a configuration of Inboxclaw's.
#![no_main]

mod dialect;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| dialect::check("fuzz.yaml", text));
