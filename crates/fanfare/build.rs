//! Tells the binary which features it was built with, for `--version`.

fn main() {
    let features: Vec<_> = [
        "identity_jwt",
        "sink_http_pull",
        "sink_sse",
        "source_amqp",
        "source_mock",
        "source_rest",
        "source_sse",
        "source_webhook",
        "terminal",
        "tls",
        "transform_vrl",
    ]
    .into_iter()
    .filter(|feature| std::env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_some())
    .collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    println!("cargo::rustc-env=FANFARE_FEATURES={features}");
    println!("cargo::rerun-if-changed=build.rs");
}
