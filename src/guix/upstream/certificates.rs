//! The certificate authorities that are trusted: those of `$SSL_CERT_FILE` and
//! `$SSL_CERT_DIR` where one is set, else those of the system, else Mozilla's.

use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use ureq::tls::{Certificate, RootCerts};

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";

/// The authorities of this process.
#[derive(Debug)]
pub(super) struct Authorities {
    /// The certificates.
    pub roots: RootCerts,
    /// Their source, and each file that could not be used, in words.
    pub source: String,
}

/// The authorities, read when first asked for: that takes some milliseconds.
pub(super) static AUTHORITIES: LazyLock<Authorities> = LazyLock::new(|| {
    let value = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = value(FILE).map(PathBuf::from);
    let folders = value(FOLDERS).map(|value| std::env::split_paths(&value).collect());
    Authorities::of(file, folders.unwrap_or_default())
});

impl Authorities {
    fn of(file: Option<PathBuf>, folders: Vec<PathBuf>) -> Self {
        if file.is_none() && folders.is_empty() {
            return Self::of_system(certificates_of_system());
        }
        let mut all = CertificateResult::default();
        let mut sources = Vec::new();
        let of_file = |path| (FILE, path, load_certs_from_paths(Some(path), None));
        let of_folder = |path| (FOLDERS, path, load_certs_from_paths(None, Some(path)));
        let file = file.as_deref().into_iter().map(of_file);
        let folders = folders.iter().map(PathBuf::as_path).map(of_folder);
        for (variable, path, found) in file.chain(folders) {
            sources.push(source(variable, path, &found));
            all.certs.extend(found.certs);
        }
        Self {
            roots: roots(&all),
            source: sources.join(", "),
        }
    }

    fn of_system(found: CertificateResult) -> Self {
        let (roots, mut source) = match found.certs.len() {
            0 => (
                RootCerts::WebPki,
                "Mozilla's, since this system has none".to_owned(),
            ),
            count => (roots(&found), format!("{count} of this system")),
        };
        source += &faults(&found);
        Self { roots, source }
    }
}

fn certificates_of_system() -> CertificateResult {
    let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
    if !is_empty(FILE) && !is_empty(FOLDERS) {
        return load_native_certs();
    }
    // It would take an empty variable for the name of a file.
    let known = openssl_probe::probe();
    load_certs_from_paths(
        known.cert_file.as_deref(),
        known.cert_dir.first().map(PathBuf::as_path),
    )
}

/// The certificates of one place in words, such as `2 of $SSL_CERT_FILE (/x.pem)`.
fn source(variable: &str, path: &Path, found: &CertificateResult) -> String {
    let count = match found.certs.len() {
        0 => "none".to_owned(),
        count => count.to_string(),
    };
    let faults = faults(found);
    format!("{count} of ${variable} ({}){faults}", path.display())
}

/// The first of the files that cannot be used, in words.
fn faults(found: &CertificateResult) -> String {
    let Some(first) = found.errors.first() else {
        return String::new();
    };
    let more = match found.errors.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" [{first}{more}]")
}

fn roots(found: &CertificateResult) -> RootCerts {
    let certificates = found.certs.iter();
    certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .into()
}
