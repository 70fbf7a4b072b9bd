//! What Mycel knows and Fanfare does not serve, with what to do instead: names of its blocks, its connectors and the
//! blocks of its flows.

use crate::keys::Foreign;

const TRANSFORMED: &str = "a VRL transformer of the source changes events; it is set in native TOML, which `fanfare check --print` \
                           makes of this configuration";

const STEPS: &str =
    "a flow has a `from` and a `to`, and nothing between: what needs other services is done by the publisher";

const ONCE: &str = "an event with an id that was there before is not stored again; the native transformer `deduplicate` \
                    tells repeated events by a key";

const SHARED: &str = "nothing is read or written together here that would need it";

/// Blocks of a file.
pub(super) static BLOCKS: [Foreign; 23] = [
    Foreign::refused("accept", TRANSFORMED),
    Foreign::refused("aspect", TRANSFORMED),
    Foreign::refused(
        "auth",
        "header rules of a source, and `identity = \"jwt\"` of a sink, say who may do what; both are native keys",
    ),
    Foreign::refused("cache", "nothing is asked for again: remove it"),
    Foreign::refused("constants", "write the values where they are used, or as `env(\"NAME\", \"default\")`"),
    Foreign::refused("coordinate", SHARED),
    Foreign::refused("dedupe", ONCE),
    Foreign::refused(
        "error_handling",
        "what cannot be stored is answered with an error, or stays with the broker",
    ),
    Foreign::refused("functions", TRANSFORMED),
    Foreign::refused("lock", SHARED),
    Foreign::refused("mocks", "a native source of type `mock` makes events to try things out"),
    Foreign::refused("plugin", STEPS),
    Foreign::refused("response", "a request is answered with `{\"affected\":1,\"id\":…}`"),
    Foreign::refused("retry", "RabbitMQ is connected to again for ever; what cannot be stored stays with it"),
    Foreign::refused("saga", STEPS),
    Foreign::refused("security", "header rules of a source, and the limits of `[http]`, are native keys"),
    Foreign::refused("semaphore", SHARED),
    Foreign::refused("sequence_guard", SHARED),
    Foreign::refused("state_machine", STEPS),
    Foreign::refused("transaction", SHARED),
    Foreign::refused("transform", TRANSFORMED),
    Foreign::refused("type", TRANSFORMED),
    Foreign::refused("validator", TRANSFORMED),
];

/// What else a flow may have in Mycel.
pub(super) static FLOW: [Foreign; 23] = [
    Foreign::refused("accept", TRANSFORMED),
    Foreign::refused("after", STEPS),
    Foreign::refused("async", "a request is answered when its event is stored"),
    Foreign::refused(
        "batch",
        "each event is sent as it comes; a native sink of type `http_pull` gives out batches",
    ),
    Foreign::refused("cache", "nothing is asked for again: remove it"),
    Foreign::refused("coordinate", SHARED),
    Foreign::refused("dedupe", ONCE),
    Foreign::refused("enrich", STEPS),
    Foreign::refused("entity", "it is for GraphQL, which is not served"),
    Foreign::refused(
        "error_handling",
        "what cannot be stored is answered with an error, or stays with the broker",
    ),
    Foreign::refused("idempotency", ONCE),
    Foreign::refused("lock", SHARED),
    Foreign::refused("require", "header rules of a source say who may publish; they are native keys"),
    Foreign::refused("response", "a request is answered with `{\"affected\":1,\"id\":…}`"),
    Foreign::refused("returns", "it is for GraphQL, which is not served"),
    Foreign::refused("semaphore", SHARED),
    Foreign::refused("sequence_guard", SHARED),
    Foreign::refused("state_transition", STEPS),
    Foreign::refused("step", STEPS),
    Foreign::refused("transaction", SHARED),
    Foreign::refused("transform", TRANSFORMED),
    Foreign::refused("validate", TRANSFORMED),
    Foreign::refused(
        "when",
        "flows run when an event comes; a native source of type `mock` makes events again and again",
    ),
];

/// Types of connectors, with what to do instead where there is something.
pub(super) static TYPES: [(&str, &str); 24] = [
    ("cache", ""),
    ("cdc", "let what reads the changes post them to a connector of type `rest`"),
    ("database", ""),
    ("discord", ""),
    ("elasticsearch", ""),
    ("email", ""),
    ("exec", ""),
    ("file", ""),
    ("ftp", ""),
    ("graphql", ""),
    ("grpc", ""),
    ("http", "events go to streams only; a client of the stream can pass them on"),
    ("mqtt", "RabbitMQ's MQTT plugin brings such messages into a queue"),
    ("oauth", "`identity = \"jwt\"` of a sink says who may join what; it is a native key"),
    ("pdf", ""),
    ("profiled", "what differs between environments is said with `env(\"NAME\", \"default\")`"),
    ("push", ""),
    ("s3", ""),
    ("slack", ""),
    ("sms", ""),
    ("soap", ""),
    ("tcp", ""),
    (
        "webhook",
        "a connector of type `rest` takes requests; a native source of type `webhook` checks their signatures",
    ),
    ("websocket", "clients of a connector of type `sse` get the same events over HTTP"),
];
