//! Any text as a configuration of Mycel's.
#![no_main]

mod dialect;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| dialect::check("fuzz.mycel", text));
