//! Over TLS: whom the client believes, and what it shows.

use std::fs;
use std::path::{Path, PathBuf};

use fanfare_client::{Certificates, Client, Error};
use fanfare_testkit::tls::{Authority, Certified, TlsServer, certificate};
use fanfare_testkit::upstream::Upstream;
use tempfile::TempDir;

use crate::kit::{LONG, done, lost, next, open, opened, serve, settings, told};

/// An authority, a server of it, and files that a client is told of.
struct World {
    authority: Authority,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { authority: Authority::new("ours").unwrap(), folder: tempfile::tempdir().unwrap() };
        world.write("ca.pem", &world.authority.pem());
        world
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn upstream(&self, clients: Option<&str>) -> Upstream {
        let own = self.authority.server("server").unwrap();
        Upstream::start().unwrap().with_tls(TlsServer::new(&own, clients).unwrap())
    }

    /// A client that believes the authority, or who is in another file.
    fn client(&self, upstream: &Upstream, ca: &str, identity: Option<(PathBuf, PathBuf)>) -> Client {
        let mut settings = settings(&upstream.url("/"));
        settings.tls = Some(Certificates { ca: Some(self.folder.path().join(ca)), identity });
        Client::new(settings)
    }

    fn identity(&self, certified: &Certified) -> (PathBuf, PathBuf) {
        (self.write("client.pem", &certified.certificate), self.write("client.key", &certified.key))
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_believed() {
    let world = World::new();
    let upstream = world.upstream(None);
    let mut client = world.client(&upstream, "ca.pem", None);
    let server = serve(upstream, |upstream| {
        let mut exchange = open(upstream);
        exchange.send("id: 1\ndata: a\n\n").unwrap();
        exchange.end().unwrap();
        let again = open(upstream);
        (again.header("last-event-id").map(str::to_owned), again.certificate())
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data, "a");
    lost(next(&mut client).await);
    opened(&next(&mut client).await);
    assert_eq!(done(server).await, (Some("1".to_owned()), None));
}

#[tokio::test]
async fn a_certificate_of_the_clients_is_shown() {
    let world = World::new();
    let upstream = world.upstream(Some(&world.authority.pem()));
    let own = world.authority.client("team", "collector").unwrap();
    let mut client = world.client(&upstream, "ca.pem", Some(world.identity(&own)));
    let server = serve(upstream, |upstream| open(upstream).certificate());
    opened(&next(&mut client).await);
    assert_eq!(done(server).await.as_deref(), Some(certificate(&own.certificate).unwrap().as_ref()));
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_refuses_who_has_none() {
    let world = World::new();
    let upstream = world.upstream(Some(&world.authority.pem()));
    let mut client = world.client(&upstream, "ca.pem", None);
    let server = serve(upstream, |upstream| upstream.accept(LONG).map(drop));
    let (error, _) = lost(next(&mut client).await);
    assert!(matches!(&error, Error::Unreachable(_)) && !error.is_lasting(), "{error:?}");
    assert!(done(server).await.is_err());
}

/// Another authority, and, where none is named, those of the system.
#[tokio::test]
async fn a_server_of_another_authority_is_not_believed() {
    let world = World::new();
    world.write("other.pem", &Authority::new("other").unwrap().pem());
    for is_named in [true, false] {
        let upstream = world.upstream(None);
        let mut client = if is_named {
            world.client(&upstream, "other.pem", None)
        } else {
            Client::new(settings(&upstream.url("/")))
        };
        let server = serve(upstream, |upstream| upstream.accept(LONG).map(drop));
        let (error, _) = lost(next(&mut client).await);
        assert!(matches!(&error, Error::Unreachable(why) if why.contains("certificate")), "{error:?}");
        assert!(done(server).await.is_err());
    }
}

#[tokio::test]
async fn files_are_read_anew_and_said_when_they_cannot_be_used() {
    let world = World::new();
    let upstream = world.upstream(None);
    let mut client = world.client(&upstream, "later.pem", None);
    let said = async |client: &mut Client, part: &str| {
        let (error, _) = lost(next(client).await);
        assert!(
            matches!(&error, Error::Settings(why) if why.contains(part)) && error.is_lasting(),
            "{error:?}"
        );
    };
    said(&mut client, "later.pem cannot be read").await;
    fs::copy(world.folder.path().join("ca.pem"), world.folder.path().join("later.pem")).unwrap();
    let server = serve(upstream, open);
    opened(&next(&mut client).await);
    drop(done(server).await);

    let upstream = world.upstream(None);
    let nonsense = world.write("nonsense.pem", "nonsense");
    let absent = Path::new("/nowhere/key.pem").to_owned();
    let identity = Some((nonsense.clone(), absent));
    said(&mut world.client(&upstream, "ca.pem", identity), "/nowhere/key.pem cannot be read").await;
    let identity = Some((nonsense.clone(), nonsense));
    said(&mut world.client(&upstream, "ca.pem", identity), "no certificate and its private key").await;
    said(&mut world.client(&upstream, "nonsense.pem", None), "nonsense.pem has no certificate").await;
}

#[tokio::test]
async fn what_began_encrypted_stays_so() {
    let world = World::new();
    let (upstream, plain) = (world.upstream(None), Upstream::start().unwrap());
    let mut client = world.client(&upstream, "ca.pem", None);
    let location = plain.url("/");
    let server = serve(upstream, move |upstream| {
        upstream.accept(LONG).unwrap().answer(301, &[("location", &location)], "").unwrap();
    });
    let (error, _) = lost(next(&mut client).await);
    assert!(matches!(&error, Error::Redirect(why) if why.contains("from https to http")), "{error}");
    done(server).await;
}
