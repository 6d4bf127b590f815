//! Transport layer security (传输加密): the certificates, renewed while the service runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::watch, time::sleep};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem, pem::PemObject},
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{auth::SubjectName, config::Tls};

/// What keeps certificates from being used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no PEM of what it should be.
    #[error("{}: {error}", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A file holds nothing of what it should.
    #[error("{}: there is no {what} in it", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// They do not work together.
    #[error("{}: {error}", path.display())]
    Unusable {
        /// The file to look at first.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// The files as they were read.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
}

impl Files {
    fn read(tls: &Tls) -> Result<Self, TlsError> {
        let read = |path: &PathBuf| fs::read(path).map_err(|error| TlsError::Read { path: path.clone(), error });
        Ok(Self {
            certificate: read(&tls.certificate)?,
            key: read(&tls.key)?,
            client_ca: tls.client_ca.as_ref().map(read).transpose()?,
            crl: tls.crl.as_ref().map(read).transpose()?,
        })
    }
}

/// The certificates in use.
#[derive(Debug)]
pub struct Certificates {
    paths: Tls,
    files: ArcSwap<Files>,
    config: ArcSwap<ServerConfig>,
    renewed: watch::Sender<()>,
    reloading: Mutex<()>,
}

impl Certificates {
    /// Reads them.
    ///
    /// # Errors
    /// [`TlsError`] where a file is missing or bad.
    pub fn load(paths: &Tls) -> Result<Self, TlsError> {
        let files = Files::read(paths)?;
        let config = configure(paths, &files)?;
        Ok(Self {
            paths: paths.clone(),
            files: ArcSwap::from_pointee(files),
            config: ArcSwap::from_pointee(config),
            renewed: watch::Sender::new(()),
            reloading: Mutex::new(()),
        })
    }

    /// Reads them again, and says whether they changed. Connections that were opened under the old ones are asked to
    /// come again, so that a revoked client does not stay.
    ///
    /// # Errors
    /// [`TlsError`] where a file is missing or bad; the old ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner); // it guards no data
        let files = Files::read(&self.paths)?;
        if files == **self.files.load() {
            return Ok(false);
        }
        let config = configure(&self.paths, &files)?;
        self.config.store(Arc::new(config));
        self.files.store(Arc::new(files));
        self.renewed.send_replace(());
        Ok(true)
    }

    /// Takes connections by what is in use now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Hears of the next renewal.
    pub(super) fn renewal(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }
}

/// Reads the certificates again every so often, until `stop`. Says what changed; what is bad is said once, not every time.
pub async fn watch(certificates: Arc<Certificates>, every: Duration, stop: CancellationToken, report: impl Fn(Result<bool, TlsError>)) {
    let mut said = String::new();
    while stop.run_until_cancelled(sleep(every)).await.is_some() {
        let reloading = Arc::clone(&certificates);
        let Ok(renewed) = tokio::task::spawn_blocking(move || reloading.reload()).await else { continue };
        let problem = renewed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        if problem.is_empty() || problem != said {
            report(renewed);
        }
        said = problem;
    }
}

fn configure(paths: &Tls, files: &Files) -> Result<ServerConfig, TlsError> {
    let chain: Vec<CertificateDer<'static>> = all(&paths.certificate, &files.certificate, "certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|error| TlsError::Pem { path: paths.key.clone(), error })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&paths.certificate, &error))?;
    let builder = match client_verifier(paths, files)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&paths.key, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn client_verifier(paths: &Tls, files: &Files) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (Some(path), Some(pem)) = (&paths.client_ca, &files.client_ca) else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for root in all::<CertificateDer<'static>>(path, pem, "certificate")? {
        roots.add(root).map_err(|error| unusable(path, &error))?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
    if let (Some(path), Some(pem)) = (&paths.crl, &files.crl) {
        let lists: Vec<CertificateRevocationListDer<'static>> = all(path, pem, "revocation list")?;
        verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
    }
    if !paths.client_required {
        verifier = verifier.allow_unauthenticated();
    }
    verifier.build().map(Some).map_err(|error| unusable(paths.crl.as_ref().unwrap_or(path), &error))
}

/// Every item of a kind in a PEM file; there must be one.
fn all<T: PemObject>(path: &Path, pem: &[u8], what: &'static str) -> Result<Vec<T>, TlsError> {
    let items: Vec<T> = T::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| TlsError::Pem { path: path.to_owned(), error })?;
    if items.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what });
    }
    Ok(items)
}

fn unusable(path: &Path, error: &impl ToString) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), error: error.to_string() }
}

/// The names in a client's certificate that an identity can go by.
pub(super) fn names(session: &rustls::ServerConnection) -> Vec<SubjectName> {
    let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else { return Vec::new() };
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let uris = certificate.valid_uri_names().map(|uri| SubjectName::Uri(uri.to_owned()));
    let hosts = certificate.valid_dns_names().map(|host| SubjectName::Dns(host.to_ascii_lowercase()));
    uris.chain(hosts).collect()
}
