//! Any text is a configuration or is refused with diagnostics that can be shown; what is accepted can be printed and
//! read again.
#![no_main]

use std::path::Path;

use fanfare_config::{Env, Secrets, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let loaded = parse(Path::new("fuzz.toml"), text, &Env::default());
    let _ = loaded.diagnostics.render(false);
    if !loaded.diagnostics.has_errors() {
        let printed = loaded.config.to_toml(Secrets::Shown);
        let again = parse(Path::new("printed.toml"), &printed, &Env::default());
        assert!(!again.diagnostics.has_errors(), "{printed}\n{}", again.diagnostics.render(false));
    }
});
