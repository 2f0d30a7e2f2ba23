//! The ways in which a substitute server can fail an HTTP request.

use std::io;
use std::time::Duration;

use super::cuirass::CuirassError;
use super::url::is_loopback;

/// Why a request failed. Every message names the URL.
///
/// Whether to try again is [`HttpError::is_transient`]'s to say; the errors of
/// a [`Download`](super::http::Download) are `io::Error`s that wrap one of
/// these ([`HttpError::from_io`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The text is no URL that can be asked for.
    #[error("{url:?} cannot be asked for: {reason}\ngive a server as https://HOST")]
    BadUrl {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection: the name is unknown, the host refuses or does not answer.
    #[error(
        "cannot reach the server of {url}: {reason}\nsee that the network is up and --upstream is right; a later run asks again"
    )]
    Unreachable {
        /// The URL asked for.
        url: String,
        /// What went wrong.
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
    /// The connection broke, or the body ended before its Content-Length.
    #[error("the answer for {url} was cut short: {source}")]
    Cut {
        /// The URL asked for.
        url: String,
        /// What the connection said.
        source: io::Error,
    },
    /// The server's certificate is not accepted, or its TLS not understood.
    #[error(
        "no secure connection to the server of {url}: {reason}\nsee that the clock is right, that the port speaks TLS, and that no proxy breaks into it"
    )]
    Tls {
        /// The URL asked for.
        url: String,
        /// What TLS said.
        reason: String,
    },
    /// What the server says is not HTTP as this program knows it.
    #[error("the server's answer for {url} is not understood: {reason}")]
    Protocol {
        /// The URL asked for.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A nar that a narinfo lists and the server does not have (404, 410).
    #[error("the server does not have {url} (status {status})")]
    Missing {
        /// The URL asked for.
        url: String,
        /// 404 or 410.
        status: u16,
    },
    /// Any other status than those expected.
    #[error("the server answered {url} with status {status}")]
    Status {
        /// The URL asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How long the server asks to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// A redirect where none is followed: clients do not follow a narinfo's.
    #[error(
        "{url} redirects to {location:?}; substitute clients do not follow that\n\
         name the server that it leads to"
    )]
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
        /// Why not.
        reason: &'static str,
    },
    /// A body, read into memory as a whole, of more bytes than it can have.
    #[error("the answer for {url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL asked for.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The server is no build farm with Cuirass.
    #[error(
        "this server has no list of latest builds (no Cuirass at {url})\n\
         give it store paths with --from FILE"
    )]
    NoBuildList {
        /// The URL asked for.
        url: String,
    },
    /// The list of latest builds cannot be read.
    #[error("the answer for {url} is no list of builds: {source}")]
    BuildList {
        /// The URL asked for.
        url: String,
        /// What is wrong with it.
        source: CuirassError,
    },
}

impl HttpError {
    /// Whether the same request may well succeed later: the network or a busy
    /// server was at fault (status 408, 429 and 5xx, save 501 and 505).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Cut { .. } => true,
            Self::Status { status, .. } => {
                matches!(status, 408 | 429 | 500 | 502..=504 | 506..=599)
            }
            _ => false,
        }
    }

    /// How long the server asks to wait before the same request, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the server could not be reached at all, so that asking it for
    /// something else is of no use now.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The error behind a failed read of a download, if it is one of these,
    /// however many `io::Error`s it has been wrapped in since.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Option<&Self> {
        let inner = error.get_ref()?;
        inner
            .downcast_ref()
            .or_else(|| Self::from_io(inner.downcast_ref()?))
    }

    /// Sorts what went wrong between the call and the end of the headers.
    pub(super) fn of_call(url: &str, error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        let proxy = proxy_variable(url).map(|name| format!(" (${name} names a proxy)"));
        let url = url.to_owned();
        let reason = error.to_string() + &proxy.unwrap_or_default();
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
                // What rustls has to say comes wrapped like this.
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

    /// Sorts what went wrong while the body was read.
    pub(super) fn of_body(url: &str, error: io::Error) -> Self {
        let url = url.to_owned();
        let reason = error.to_string();
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(ureq::Error::Timeout(_)) => Self::Silent { url, reason },
            Some(ureq::Error::Protocol(_)) => Self::Protocol { url, reason },
            _ => Self::Cut { url, source: error },
        }
    }

    /// As the error of a `Read`: the kind of what it wraps.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Cut { source, .. } => source.kind(),
            Self::Silent { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

/// The variable that names the proxy which requests for `url` go through.
fn proxy_variable(url: &str) -> Option<&'static str> {
    let variables = [
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ];
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match is_loopback(url) {
        true => None,
        false => variables.into_iter().find(is_set),
    }
}
