//! The ways in which a request to a substitute server fails.

use super::super::cuirass::CuirassError;
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::url::is_loopback;
use std::io;
use std::time::Duration;

/// The error of a request, with its URL. A failed read of a
/// [`Download`](super::Download) wraps one in an `io::Error`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The text is not a URL that can be asked for.
    #[error("{url:?} cannot be asked for: {reason}")]
    BadUrl {
        /// The text.
        url: String,
        /// The fault in it.
        reason: String,
    },
    /// No connection: the name is unknown, the host refuses or does not answer.
    #[error("cannot reach the server of {url}: {reason}")]
    Unreachable {
        /// The URL asked for.
        url: String,
        /// The message of the network.
        reason: String,
    },
    /// The server, once reached, was silent for the read timeout.
    #[error("the server stopped answering for {url}: {reason}")]
    Silent {
        /// The URL asked for.
        url: String,
        /// The time limit that passed.
        reason: String,
    },
    /// The server sends, but less than the least rate, or no end of its headers.
    #[error("the server is too slow with {url}: {reason}")]
    Slow {
        /// The URL asked for.
        url: String,
        /// The rate, or the time limit that passed.
        reason: String,
    },
    /// The connection broke, or the body ended before its Content-Length.
    #[error("the answer for {url} was cut short: {source}")]
    Cut {
        /// The URL asked for.
        url: String,
        /// The message of the connection.
        source: io::Error,
    },
    /// The server's certificate is not accepted, or its TLS not understood.
    #[error("no secure connection to the server of {url}: {reason}")]
    Tls {
        /// The URL asked for.
        url: String,
        /// The message of TLS.
        reason: String,
    },
    /// The answer is not HTTP as this program knows it.
    #[error("the server's answer for {url} is not understood: {reason}")]
    Protocol {
        /// The URL asked for.
        url: String,
        /// The fault in the answer.
        reason: String,
    },
    /// A nar that a narinfo lists and the server does not have (404, 410, and 403 of a
    /// bucket that may not be listed).
    #[error("the server does not have {url} (status {status})")]
    Missing {
        /// The URL asked for.
        url: String,
        /// 403, 404 or 410.
        status: u16,
    },
    /// A status that is not expected.
    #[error("the server answered {url} with status {status}")]
    Status {
        /// The URL asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The pause that the server asks for before the next try.
        retry_after: Option<Duration>,
    },
    /// A redirect of a narinfo, which substitute clients do not follow.
    #[error("{url} redirects to {location:?}, and substitute clients do not follow that")]
    Redirected {
        /// The URL asked for.
        url: String,
        /// The `Location` as the server writes it.
        location: String,
    },
    /// A redirect that leads nowhere, or from https to http.
    #[error("{url} redirects to {location:?}, which is not followed: {reason}")]
    BadRedirect {
        /// The URL asked for.
        url: String,
        /// The `Location` as the server writes it.
        location: String,
        /// The reason.
        reason: &'static str,
    },
    /// Something else stands in the place of a narinfo, or the beginning of one.
    #[error("the answer for {url} {reason}")]
    NotANarinfo {
        /// The URL asked for.
        url: String,
        /// The fault in it.
        reason: &'static str,
    },
    /// A body larger than the limit for one that is read into memory as a whole.
    #[error("the answer for {url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL asked for.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The server is not a build farm with Cuirass.
    #[error("this server has no list of latest builds (no Cuirass at {url})")]
    NoBuildList {
        /// The URL asked for.
        url: String,
    },
    /// The list of latest builds cannot be read.
    #[error("the answer for {url} is not a list of builds: {source}")]
    BuildList {
        /// The URL asked for.
        url: String,
        /// The fault in it.
        source: CuirassError,
    },
}

impl Diagnosis for HttpError {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::BadUrl { .. } => "give a server as https://HOST",
            Self::Unreachable { .. } => {
                "check that the network is up and --upstream is right; a later run asks again"
            }
            Self::Tls { .. } => {
                "check that the clock is right, that the port speaks TLS, \
                 and that no proxy breaks into it"
            }
            Self::Redirected { .. } => "give the server that it leads to",
            Self::NoBuildList { .. } => "give it store paths with --from FILE",
            _ => return None,
        };
        Some(advice.to_owned())
    }

    /// Another try may succeed if the network or a busy server was at fault: status
    /// 408, 429 and 5xx, except 501 and 505.
    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Slow { .. }
            | Self::Cut { .. }
            | Self::NotANarinfo { .. } => Retry::Soon,
            Self::BuildList { source, .. } if source.is_cut_short() => Retry::Soon,
            Self::Status {
                status: 408 | 429 | 500 | 502..=504 | 506..=599,
                retry_after,
                ..
            } => retry_after.map_or(Retry::Soon, Retry::After),
            _ => Retry::Never,
        }
    }
}

impl HttpError {
    /// Returns true if the server could not be reached at all, so that it need not be
    /// asked for anything else now.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Sorts an error from between the call and the end of the headers.
    pub(super) fn of_call(url: &str, error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        let proxy = proxy_variable(url).map(|name| format!(" (${name} names a proxy)"));
        let url = url.to_owned();
        let reason = words(&error) + &proxy.unwrap_or_default();
        match error {
            Error::HostNotFound
            | Error::ConnectionFailed
            | Error::ConnectProxyFailed(_)
            | Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Self::Unreachable { url, reason }
            }
            Error::Timeout(_) => Self::Silent { url, reason },
            Error::Io(source) => match source.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Cut { url, source },
                // Errors of rustls come wrapped like this.
                io::ErrorKind::InvalidData => Self::Tls { url, reason },
                _ => Self::Unreachable { url, reason },
            },
            Error::Tls(_) | Error::Rustls(_) | Error::TlsRequired | Error::Pem(_) => {
                Self::Tls { url, reason }
            }
            Error::BadUri(_) | Error::Http(_) | Error::InvalidProxyUrl => {
                Self::BadUrl { url, reason }
            }
            _ => Self::Protocol { url, reason },
        }
    }

    /// Sorts an error from the read of a body.
    pub(super) fn of_body(url: &str, error: io::Error) -> Self {
        let url = url.to_owned();
        let inner = error.get_ref();
        let inner = inner.and_then(|inner| inner.downcast_ref::<ureq::Error>());
        match inner.map(|inner| (inner, words(inner))) {
            Some((ureq::Error::Timeout(_), reason)) => Self::Silent { url, reason },
            Some((ureq::Error::Protocol(_), reason)) => Self::Protocol { url, reason },
            _ => Self::Cut { url, source: error },
        }
    }

    /// The error that [`HttpError::into_io`] wrapped.
    pub(super) fn from_io(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|source| Self::Cut {
            url: String::new(),
            source,
        })
    }

    /// The same as the error of a `Read`, of the kind of the error in it.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Cut { source, .. } => source.kind(),
            Self::Silent { .. } | Self::Slow { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

/// The message of an error; that of a time limit names its option.
fn words(error: &ureq::Error) -> String {
    use ureq::{Error, Timeout};
    match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            "no connection within the time of --connect-timeout".to_owned()
        }
        Error::Timeout(_) => "nothing came for the time of --read-timeout".to_owned(),
        other => other.to_string(),
    }
}

/// The variable that names the proxy for requests to `url`.
fn proxy_variable(url: &str) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let names = ["all_proxy", "https_proxy", "http_proxy"].into_iter();
    let mut names = names.flat_map(|name| [name.to_uppercase(), name.to_owned()]);
    names.find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
