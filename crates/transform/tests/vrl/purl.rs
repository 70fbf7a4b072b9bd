//! Package URLs, as cdviz-collector's functions of the same names make them.

use serde_json::{Value, json};

use super::{draft, problems, run};

fn eval(expression: &str, body: Value) -> Value {
    let [output] = run(&format!("[{{\"body\": {expression}}}]"), draft(body)).unwrap().try_into().unwrap();
    output.body
}

#[test]
fn container_images() {
    let check = |image: &str, name: &str, version: Option<&str>, repository: &str, tag: Option<&str>| {
        let mut qualifiers = json!({"repository_url": repository});
        if let Some(tag) = tag {
            qualifiers["tag"] = tag.into();
        }
        let expected = json!({"type": "oci", "name": name, "version": version, "qualifiers": qualifiers, "subpath": null});
        assert_eq!(eval("purl_from_oci_image!(.body)", json!(image)), expected, "{image}");
    };
    let library = "docker.io/library";
    check("nginx", "nginx", None, library, Some("latest"));
    check("nginx:1.21", "nginx", None, library, Some("1.21"));
    check("nginx@sha256:abc", "nginx", Some("@sha256:abc"), library, None);
    check("nginx@abc", "nginx", Some("@sha256:abc"), library, None);
    check("nginx:1@sha256:abc", "nginx", Some("@sha256:abc"), library, Some("1"));
    check("owner/image", "image", None, "docker.io/owner", Some("latest"));
    check("ghcr.io/owner/image:v1@sha256:abc", "image", Some("@sha256:abc"), "ghcr.io/owner", Some("v1"));
    check("ghcr.io/org/team/image:latest", "image", None, "ghcr.io/org/team", Some("latest"));
    check("localhost/image", "image", None, "localhost", Some("latest"));
    check("registry.local:5000/image", "image", None, "registry.local:5000", Some("latest"));
    check("registry.local:5000/image:2", "image", None, "registry.local:5000", Some("2"));
    check("", "", None, library, Some("latest"));
    check("@", "", Some("@sha256:"), library, None);
    check(":", "", None, library, Some("latest"));
    check("/", "", None, "docker.io/", Some("latest"));
}

#[test]
fn helm_charts_of_argo_cd() {
    let check = |repository: &str, chart: &str, revision: &str, expected: &str| {
        let text = eval(
            "purl_to_string!(purl_from_argocd_helm!(.body[0], .body[1], .body[2]))",
            json!([repository, chart, revision]),
        );
        assert_eq!(text, expected);
    };
    check("ghcr.io/acme", "nginx", "1.0.0", "pkg:oci/nginx@1.0.0?repository_url=ghcr.io/acme");
    check("ghcr.io/acme", "charts/web", "0.1.0", "pkg:oci/web@0.1.0?repository_url=ghcr.io/acme/charts");
    check("ghcr.io/acme", "a/b/web", "2.0.0", "pkg:oci/web@2.0.0?repository_url=ghcr.io/acme/a/b");
    check(
        "https://charts.example.com/acme",
        "wordpress",
        "15.2.35",
        "pkg:generic/wordpress@15.2.35?download_url=https://charts.example.com/acme&type=helm",
    );
    check(
        "http://charts.example.com",
        "x",
        "1",
        "pkg:generic/x@1?download_url=http://charts.example.com&type=helm",
    );
}

#[test]
fn git_folders_of_argo_cd() {
    let check = |repository: &str, path: Option<&str>, revision: &str, expected: &str| {
        let call = match path {
            Some(_) => "purl_from_argocd_git_source!(.body[0], .body[1], .body[2])",
            None => "purl_from_argocd_git_source!(repo_url: .body[0], target_revision: .body[2])",
        };
        let text = eval(&format!("purl_to_string!({call})"), json!([repository, path, revision]));
        assert_eq!(text, expected);
    };
    let github = "https://github.com/acme/shop";
    check(github, Some("deploy/prod"), "v5", "pkg:github/acme/shop@v5?path=deploy/prod");
    check(github, None, "stable", "pkg:github/acme/shop@stable");
    check(github, Some(""), "v1", "pkg:github/acme/shop@v1");
    check(github, Some("."), "v1", "pkg:github/acme/shop@v1");
    check("git@github.com:acme/shop.git", Some("config"), "main", "pkg:github/acme/shop@main?path=config");
    check(
        "https://bitbucket.org/acme/shop.git",
        Some("k8s"),
        "main",
        "pkg:bitbucket/acme/shop@main?path=k8s",
    );
    check(
        "https://gitlab.com/group/project",
        Some("k8s"),
        "v1.2.3",
        "pkg:generic/project@v1.2.3?path=k8s&type=git&vcs_url=https://gitlab.com/group/project",
    );
    check("https://github.com", Some("x"), "v1", "pkg:github/unknown@v1?path=x");
    check("", Some("x"), "v1", "pkg:generic/unknown@v1?path=x&type=git&vcs_url=");
}

#[test]
fn texts_of_package_urls() {
    let check = |parts: Value, expected: &str| {
        assert_eq!(eval("purl_to_string(.body) ?? \"refused\"", parts.clone()), expected, "{parts}");
    };
    check(json!({"type": "generic", "name": "package"}), "pkg:generic/package");
    check(
        json!({"type": "oci", "name": "nginx", "version": "@sha256:abc", "qualifiers": {"tag": "1", "repository_url": "docker.io/library"}}),
        "pkg:oci/nginx@%40sha256:abc?repository_url=docker.io/library&tag=1",
    );
    check(
        json!({"type": "oci", "name": "charts/web", "version": "sha256:abc", "qualifiers": {"repository_url": "ghcr.io/acme", "tag": "v1"}}),
        "pkg:oci/web@sha256:abc?repository_url=ghcr.io/acme/charts&tag=v1",
    );
    check(json!({"type": "oci", "name": "acme/web"}), "pkg:oci/web?repository_url=acme");
    check(
        json!({"type": "npm", "namespace": "@acme", "name": "web", "version": null, "subpath": "lib/x"}),
        "pkg:npm/%40acme/web#lib/x",
    );
    check(json!({"type": "generic", "name": "a", "qualifiers": {"n": 7}}), "pkg:generic/a");
    check(json!({"name": "package"}), "refused");
    check(json!({"type": "generic"}), "refused");
    check(json!({"type": "generic", "name": ""}), "pkg:generic/");
    check(json!({"type": "not a type", "name": "a"}), "refused");
    check(json!({"type": "generic", "name": "a", "subpath": "../x"}), "refused");
    check(json!("no object"), "refused");
}

#[test]
fn they_fail_where_cdviz_collectors_fail() {
    // A call that may fail must be handled, and one that cannot must not be.
    problems("[{\"body\": purl_to_string({\"type\": \"generic\", \"name\": \"a\"})}]");
    problems("[{\"body\": purl_from_oci_image(.body)}]");
    problems("[{\"body\": purl_from_oci_image(\"nginx\") ?? {}}]");
    problems("purl_from_argocd_helm(\"a\", \"b\")");
    problems("purl_from_argocd_git_source(\"a\", \"b\")");
    let refusal = run("[{\"body\": purl_from_oci_image!(.body)}]", draft(json!(7))).unwrap_err();
    assert!(refusal.to_string().contains("expected string, got integer"), "{refusal}");
}
