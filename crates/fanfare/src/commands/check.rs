//! `fanfare check FILE`: everything that `serve` would refuse, without serving.

use fanfare_config::Secrets;

use super::{counted, environment, print, show};
use crate::cli::CheckArguments;
use crate::exit::Exit;
use crate::topology::Topology;

pub(crate) fn run(arguments: &CheckArguments) -> Exit {
    let mut loaded = fanfare_config::load(&arguments.file, &environment());
    let config = &loaded.config;
    let _: Topology =
        Topology::build(config, &config.http.root_url(config.http.port), &mut loaded.diagnostics);
    show(&loaded.diagnostics);
    if loaded.diagnostics.has_errors() {
        return Exit::Configuration;
    }
    if arguments.print {
        let secrets = if arguments.with_secrets { Secrets::Shown } else { Secrets::Masked };
        print(&config.to_toml(secrets));
    } else {
        let sources = counted(config.sources.len(), "source");
        let sinks = counted(config.sinks.len(), "sink");
        print(&format!("{}: ok, {sources}, {sinks}\n", arguments.file.display()));
    }
    Exit::Done
}
