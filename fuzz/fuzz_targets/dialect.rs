//! What holds for a text in any dialect that becomes a native document.

use std::path::Path;

use fanfare_config::{Env, Secrets, parse};

/// The text is a configuration or is refused with diagnostics that can be shown; what is accepted can be printed as native
/// TOML that means the same. `name` says by its ending which dialect it is in.
pub(crate) fn check(name: &str, text: &str) {
    // A folder that is not there, so that no `.env` is.
    let folder = Path::new("no-such-folder");
    let env = Env::from_iter([("A", "1"), ("B", "a.b"), ("EMPTY", "")]);
    let loaded = parse(&folder.join(name), text, &env);
    let _ = loaded.diagnostics.render(false);
    if !loaded.diagnostics.has_errors() {
        let printed = loaded.config.to_toml(Secrets::Shown);
        let again = parse(&folder.join("printed.toml"), &printed, &env);
        assert!(!again.diagnostics.has_errors(), "{printed}\n{}", again.diagnostics.render(false));
        assert_eq!(again.config, loaded.config, "{printed}");
    }
}
