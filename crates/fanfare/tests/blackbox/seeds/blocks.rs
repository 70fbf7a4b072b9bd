//! The blocks, and what each asks of who listens.

/// What a block asks of who listens.
pub(super) struct Block {
    /// The file's name, without the number of the document where several have the block.
    pub(super) name: &'static str,
    pub(super) env: &'static [(&'static str, &'static str)],
    /// The source that the block has, or a name for one.
    pub(super) source: &'static str,
    pub(super) sinks: &'static [Sink],
}

pub(super) struct Sink {
    pub(super) path: &'static str,
    pub(super) headers: &'static [Header],
}

/// A header that is asked for: its name, a value that passes, and one that does not, where there is one.
pub(super) type Header = (&'static str, &'static str, Option<&'static str>);

const fn open(path: &'static str) -> Sink {
    Sink { path, headers: &[] }
}

const fn plain(name: &'static str, sinks: &'static [Sink]) -> Block {
    Block { name, env: &[], source: "ci", sinks }
}

/// HMAC-SHA256 with `webhook-secret` of an empty body.
const SIGNATURE: &str = "sha256=1001c524b535a8aef76c14f33c851aa4a586e98253232319990ba8e2be464ba9";

pub(super) const BLOCKS: &[Block] = &[
    plain("000-01-events-stream", &[open("/sse/events")]),
    Block {
        name: "000-02-events-stream",
        env: &[("SSE_API_KEY_ENV_VAR", "key-1")],
        source: "ci",
        sinks: &[Sink {
            path: "/sse/events",
            headers: &[
                ("Authorization", "Bearer your-token", Some("Basic x")),
                ("X-API-Key", "key-1", Some("SSE_API_KEY_ENV_VAR")),
            ],
        }],
    },
    plain(
        "000-03-public-stream",
        &[
            open("/sse/public"),
            Sink {
                path: "/sse/admin",
                headers: &[("Authorization", "Bearer admin-secret", Some("Bearer Admin-Secret"))],
            },
        ],
    ),
    plain("01-my-sse-endpoint", &[open("/sse/events")]),
    plain(
        "02-secure-events",
        &[Sink { path: "/sse/secure", headers: &[("Authorization", "anything", None)] }],
    ),
    plain(
        "03-api-events",
        &[Sink {
            path: "/sse/api",
            headers: &[("Authorization", "Bearer secret-token-123", Some("Bearer secret-token-124"))],
        }],
    ),
    plain(
        "04-validated-events",
        &[Sink {
            path: "/sse/validated",
            headers: &[
                ("X-API-Key", "0123456789abcdefABCDEF0123456789", Some("0123456789abcdefABCDEF012345678-")),
                ("Authorization", "Bearer a-b_c", Some("Bearer a b")),
            ],
        }],
    ),
    plain(
        "05-webhook-events",
        &[Sink { path: "/sse/webhooks", headers: &[("X-Hub-Signature-256", SIGNATURE, Some("sha256=00"))] }],
    ),
    plain(
        "06-enterprise-events",
        &[Sink {
            path: "/sse/enterprise",
            headers: &[
                ("X-API-Key", "k", None),
                ("X-Client-ID", "client-7", Some("client-x")),
                ("User-Agent", "MyApp/1.0", Some("curl/8")),
            ],
        }],
    ),
    plain(
        "07-dashboard",
        &[Sink {
            path: "/sse/dashboard",
            headers: &[("Authorization", "Bearer dashboard-secret-123", Some("Bearer other"))],
        }],
    ),
    plain(
        "08-monitoring",
        &[Sink {
            path: "/sse/monitoring",
            headers: &[("X-Service-Token", "monitoring-service-token", Some("MONITORING-service-token"))],
        }],
    ),
    plain("09-dev-stream", &[open("/sse/dev")]),
    plain(
        "10-public-events",
        &[
            Sink { path: "/sse/public", headers: &[("X-Client-Type", "web", None)] },
            Sink {
                path: "/sse/admin",
                headers: &[
                    ("Authorization", "Bearer admin-secret-key", Some("Bearer admin-secret-keys")),
                    ("X-Admin-Role", "super-admin", Some("administrator")),
                ],
            },
        ],
    ),
    Block {
        name: "11-regional-stream",
        env: &[("CENTRAL_AGGREGATOR_TOKEN", "central")],
        source: "filtered_for_aggregation",
        sinks: &[Sink {
            path: "/sse/regional",
            headers: &[
                ("Authorization", "central", Some("Bearer central")),
                ("X-Collector-Region", "us", None),
            ],
        }],
    },
    BRIDGE,
    Block {
        name: "13-team-distribution",
        env: &[("TEAM_COLLECTOR_TOKEN", "team"), ("CORPORATE_COLLECTOR_TOKEN", "corporate")],
        source: "corporate_filtered",
        sinks: &[
            Sink {
                path: "/sse/teams",
                headers: &[
                    ("Authorization", "team", Some("corporate")),
                    ("X-Team-Filter", "qa-team", Some("sales-team")),
                ],
            },
            Sink {
                path: "/sse/corporate",
                headers: &[
                    ("Authorization", "corporate", Some("team")),
                    ("X-Corporate-Access-Level", "director", Some("intern")),
                ],
            },
        ],
    },
    Block {
        name: "14-staging-mirror",
        env: &[("STAGING_MIRROR_TOKEN", "staging-token")],
        source: "dev_safe_events",
        sinks: &[
            Sink {
                path: "/sse/mirror",
                headers: &[
                    ("Authorization", "staging-token", Some("x")),
                    ("X-Environment-Target", "staging", Some("production")),
                ],
            },
            Sink { path: "/sse/preview", headers: &[("X-Dev-Token", "any", None)] },
        ],
    },
    Block {
        name: "15-primary-cloud",
        env: &[
            ("PRIMARY_CLOUD_TOKEN", "primary"),
            ("DR_CLOUD_TOKEN", "dr"),
            ("COMPLIANCE_AUDIT_TOKEN", "compliance"),
        ],
        source: "ci",
        sinks: &[
            Sink {
                path: "/sse/primary",
                headers: &[
                    ("Authorization", "primary", Some("dr")),
                    ("X-Cloud-Provider", "aws", Some("azure")),
                ],
            },
            Sink {
                path: "/sse/dr",
                headers: &[
                    ("Authorization", "dr", Some("primary")),
                    ("X-Cloud-Provider", "azure", Some("aws")),
                ],
            },
            Sink {
                path: "/sse/compliance",
                headers: &[
                    ("Authorization", "compliance", Some("primary")),
                    ("X-Audit-Purpose", "gdpr", Some("curiosity")),
                ],
            },
        ],
    },
    plain(
        "16-secure-stream",
        &[Sink {
            path: "/sse/secure",
            headers: &[
                (
                    "Authorization",
                    "Bearer 0123456789012345678901234567890123456789",
                    Some("Bearer 0123456789"),
                ),
                ("X-Client-Certificate", "any", None),
                ("User-Agent", "MySecureClient/2", Some("NotMySecureClient/2")),
            ],
        }],
    ),
    Block { name: "18-build-dashboard", env: &[], source: "filtered_builds", sinks: &[open("/sse/builds")] },
    plain(
        "19-dev-events",
        &[
            open("/sse/dev"),
            Sink { path: "/sse/production", headers: &[("Authorization", "any", None)] },
            Sink {
                path: "/sse/admin",
                headers: &[("X-Admin-Token", "admin-01234567890123456789", Some("admin-0123456789"))],
            },
        ],
    ),
];

/// The one whose program would publish what it means to hide: refused as it is written.
pub(super) const BRIDGE: Block = Block {
    name: "12-internal-bridge",
    env: &[("INTERNAL_BRIDGE_TOKEN", "bridge")],
    source: "public_sanitized",
    sinks: &[Sink {
        path: "/sse/public",
        headers: &[
            ("Authorization", "bridge", Some("x")),
            ("X-Internal-Network", "vpn-1", Some("public-1")),
            ("X-Client-Certificate-Subject", "CN=internal-collector-7", Some("CN=other")),
        ],
    }],
};
