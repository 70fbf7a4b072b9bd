//! Package URLs from what deployment tools say of their artifacts. An artifact gets the same id as in
//! cdviz-collector, whose functions these are; how programs call them lives beside this file.
//!
//! <https://github.com/package-url/purl-spec>

use packageurl::PackageUrl;

/// The qualifier that says in which registry, and where there, an OCI package is.
const REPOSITORY_URL: &str = "repository_url";

/// The parts of a package URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purl {
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// In any order; the text of the package URL sorts them.
    pub(super) qualifiers: Vec<(String, String)>,
    pub(super) subpath: Option<String>,
}

impl Purl {
    fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), ..Self::default() }
    }

    fn with(mut self, qualifier: &str, value: &str) -> Self {
        self.qualifiers.push((qualifier.to_owned(), value.to_owned()));
        self
    }

    /// The package URL as text. The name of an OCI package is the last part of its path; what comes before belongs
    /// to the registry.
    pub(super) fn text(mut self) -> Result<String, packageurl::Error> {
        if self.kind == "oci"
            && let Some((prefix, name)) = self.name.clone().rsplit_once('/')
        {
            name.clone_into(&mut self.name);
            match self.qualifiers.iter_mut().find(|(qualifier, _)| qualifier == REPOSITORY_URL) {
                Some((_, registry)) => *registry = format!("{registry}/{prefix}"),
                None => self.qualifiers.push((REPOSITORY_URL.to_owned(), prefix.to_owned())),
            }
        }
        let mut purl = PackageUrl::new(self.kind, self.name)?;
        if let Some(namespace) = self.namespace {
            purl.with_namespace(namespace)?;
        }
        if let Some(version) = self.version {
            purl.with_version(version)?;
        }
        if let Some(subpath) = self.subpath {
            purl.with_subpath(subpath)?;
        }
        for (qualifier, value) in self.qualifiers {
            purl.add_qualifier(qualifier, value)?;
        }
        Ok(purl.to_string())
    }
}

/// A container image as it is named to `docker pull`: `nginx`, `ghcr.io/owner/image:tag@sha256:…`. A name without
/// a registry is one of Docker Hub's. The version is the digest with an `@` before it, as in cdviz-collector.
pub(super) fn from_oci_image(image: &str) -> Purl {
    let (image, digest) = match image.split_once('@') {
        Some((image, digest)) if digest.starts_with("sha256:") => (image, Some(digest.to_owned())),
        Some((image, digest)) => (image, Some(format!("sha256:{digest}"))),
        None => (image, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let (path, tag) = match image.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (image, None),
    };
    let tag = tag.filter(|tag| !tag.is_empty()).or_else(|| digest.is_none().then_some("latest"));
    let (repository, name) = match path.rsplit_once('/') {
        None => ("docker.io/library".to_owned(), path),
        Some((repository, name)) => {
            let host = repository.split('/').next().unwrap_or_default();
            let has_registry = host.contains('.') || host == "localhost";
            (if has_registry { repository.to_owned() } else { format!("docker.io/{repository}") }, name)
        }
    };
    let mut purl = Purl::new("oci", name).with(REPOSITORY_URL, &repository);
    if let Some(tag) = tag {
        purl = purl.with("tag", tag);
    }
    purl.version = digest.map(|digest| format!("@{digest}"));
    purl
}

/// A Helm chart as Argo CD names it. A repository that is no web address is an OCI registry, and a path before the
/// chart's name is a part of it.
pub(super) fn from_argocd_helm(repository: &str, chart: &str, revision: &str) -> Purl {
    let mut purl = if repository.starts_with("http://") || repository.starts_with("https://") {
        Purl::new("generic", chart).with("download_url", repository).with("type", "helm")
    } else {
        match chart.rsplit_once('/') {
            Some((prefix, name)) => {
                Purl::new("oci", name).with(REPOSITORY_URL, &format!("{repository}/{prefix}"))
            }
            None => Purl::new("oci", chart).with(REPOSITORY_URL, repository),
        }
    };
    purl.version = Some(revision.to_owned());
    purl
}

/// A folder of a Git repository as Argo CD names it. GitHub and Bitbucket have package URLs of their own kind.
pub(super) fn from_argocd_git_source(repository: &str, path: Option<&str>, revision: &str) -> Purl {
    let lower = repository.to_lowercase();
    let owner_and_name = owner_and_name(repository);
    let name = owner_and_name.as_ref().map_or("unknown", |(_, name)| name.as_str());
    let hosted = [("github.com", "github"), ("bitbucket.org", "bitbucket")]
        .into_iter()
        .find(|(host, _)| lower.contains(host));
    let mut purl = match hosted {
        Some((_, kind)) => {
            let namespace = owner_and_name.as_ref().map(|(owner, _)| owner.clone());
            Purl { namespace, ..Purl::new(kind, name) }
        }
        None => Purl::new("generic", name).with("vcs_url", repository).with("type", "git"),
    };
    if let Some(path) = path.filter(|path| !matches!(*path, "" | ".")) {
        purl = purl.with("path", path);
    }
    purl.version = Some(revision.to_owned());
    purl
}

/// `https://host/owner/name.git` and `git@host:owner/name`, with or without what is missing here of the other.
fn owner_and_name(repository: &str) -> Option<(String, String)> {
    let address = repository
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_start_matches("git@")
        .replace(':', "/");
    let mut parts = address.split('/').skip(1);
    let (owner, name) = (parts.next()?, parts.next()?);
    let has_suffix =
        name.len() > 4 && name.get(name.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(".git"));
    let name = if has_suffix { name.get(..name.len() - 4)? } else { name };
    Some((owner.to_owned(), name.to_owned()))
}
