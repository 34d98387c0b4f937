//! TLS by rustls: certificates that are read again when their files change, HTTP/2 by ALPN, client certificates.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the parts of TLS are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Certificates in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
    /// Certificates of whom clients must have theirs from (mutual TLS).
    pub client_ca: Option<PathBuf>,
}

/// What new connections are secured with.
pub(crate) struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// The error is a sentence that names the file.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, String> {
        let config = RwLock::new(Arc::new(load(&files)?));
        Ok(Self { files, config })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again. What cannot be used is said, and what was in force stays.
    pub(crate) fn reload(&self) {
        match load(&self.files) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(certificate = %self.files.certificate.display(), "read the certificate again");
            }
            Err(error) => tracing::error!(%error, "the certificate in force stays"),
        }
    }

    /// Reloads whenever a file has changed, for ever.
    pub(crate) async fn watch(&self) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.stamps();
            // Certificate and key are two files: a change is taken when it has held still for one look.
            if now != seen {
                tokio::time::sleep(LOOK_EVERY).await;
                seen = self.stamps();
                self.reload();
            }
        }
    }

    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = [Some(&self.files.certificate), Some(&self.files.key), self.files.client_ca.as_ref()];
        let stamp = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        files.into_iter().flatten().map(|path| stamp(path)).collect()
    }
}

fn load(files: &TlsFiles) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| format!("{}: not a private key in PEM: {error}", files.key.display()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let (used, _) = roots.add_parsable_certificates(certificates(path)?);
            if used == 0 {
                return Err(format!("{}: no certificate in it can be used", path.display()));
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", path.display()))?)
        }
    };
    let mut config = builder.with_single_cert(certificates(&files.certificate)?, key).map_err(|error| {
        format!("{} and {} do not belong together: {error}", files.certificate.display(), files.key.display())
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// All certificates of a PEM file, of which there must be one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| format!("{}: {error}", path.display()))?;
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM", path.display()));
    }
    Ok(certificates)
}
