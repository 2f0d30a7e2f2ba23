//! The ways in which a request to a substitute server fails.

use super::super::cuirass::CuirassError;
use crate::util::diagnosis::{Diagnosis, Retry};
use std::io;
use std::time::Duration;

/// The error of a request, with its URL. A failed read of a
/// [`Download`](super::Download) wraps one in an `io::Error`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The text is not a URL that can be asked for.
    #[error("cannot request {url:?}: {reason}")]
    BadUrl {
        /// The text.
        url: String,
        /// The fault in it.
        reason: String,
    },
    /// No connection: the name is unknown, the host refuses or does not answer.
    #[error("cannot reach {} {url}: {reason}", through(proxy))]
    Unreachable {
        /// The URL asked for.
        url: String,
        /// The proxy that was to be connected to instead of the server.
        proxy: Option<String>,
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
    #[error("the server sends {url} too slowly: {reason}")]
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
    /// The connection broke and the server does not give the rest, so that all must
    /// be fetched again.
    #[error("the answer for {url} was cut short and cannot be resumed: {reason}")]
    NotResumed {
        /// The URL asked for.
        url: String,
        /// The reason.
        reason: &'static str,
    },
    /// The connection broke, and attempts to resume brought nothing more.
    #[error("{source} (after {at} bytes of {total})")]
    GivenUp {
        /// The failure of the last try.
        source: Box<HttpError>,
        /// Bytes that were received.
        at: u64,
        /// Bytes of the file.
        total: u64,
    },
    /// A variable that should name a proxy and does not.
    #[error("{url} is not requested, because ${variable} is not a valid proxy: {reason}")]
    BadProxy {
        /// The URL to be asked for.
        url: String,
        /// The variable.
        variable: &'static str,
        /// The fault in its value.
        reason: &'static str,
    },
    /// The proxy answers in the server's place.
    #[error("the {proxy} does not forward {url}: {reason}")]
    Proxy {
        /// The URL asked for.
        url: String,
        /// The proxy and its variable.
        proxy: String,
        /// The HTTP status, if the proxy gave one.
        status: Option<u16>,
        /// The status in words.
        reason: String,
    },
    /// The server's certificate is not accepted, or its TLS not understood.
    #[error("no secure connection to the server of {url}: {reason}")]
    Tls {
        /// The URL asked for.
        url: String,
        /// The certificate authorities that are trusted, in words.
        authorities: String,
        /// The message of TLS.
        reason: String,
    },
    /// The answer is not HTTP in a form that this program supports.
    #[error("the server's answer for {url} is malformed: {reason}")]
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
    /// A redirect that leads nowhere, from https to http, or from a public server into
    /// a private network.
    #[error("{url} redirects to {location:?}, which is not followed: {reason}")]
    BadRedirect {
        /// The URL asked for.
        url: String,
        /// The `Location` as the server writes it.
        location: String,
        /// The reason.
        reason: String,
    },
    /// A name that leads into a private network. A redirect to it becomes a
    /// [`HttpError::BadRedirect`].
    #[error("{url} is not requested: {reason}")]
    PrivateAddress {
        /// The URL to be asked for.
        url: String,
        /// The address.
        reason: String,
    },
    /// An answer that is compressed, though it was asked for as it is.
    #[error("the server compressed {url} with {coding:?}, which was not requested")]
    Coded {
        /// The URL asked for.
        url: String,
        /// The `Content-Encoding`.
        coding: String,
    },
    /// Something else stands in the place of a narinfo, or the beginning of one.
    #[error("the answer for {url} {reason}")]
    NotANarinfo {
        /// The URL asked for.
        url: String,
        /// The fault in it.
        reason: &'static str,
    },
    /// A body larger than the limit for one that is read into memory at once.
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
            Self::Unreachable { proxy: Some(_), .. } => {
                "check that the proxy is up and that its variable is right; $no_proxy lists the \
                 hosts that are reached without one"
            }
            Self::Unreachable { .. } => {
                "check that the network is up and --upstream is right; a later run tries again"
            }
            Self::BadProxy { .. } => "set it to http://HOST:PORT, or empty it to use no proxy",
            Self::Proxy {
                status: Some(407), ..
            } => "put your user and password into the variable: http://USER:PASSWORD@HOST:PORT",
            Self::Proxy {
                status: Some(502..=504),
                ..
            } => "check that the server is up and --upstream is right; a later run tries again",
            Self::Proxy { .. } => {
                "ask whoever runs the proxy; $no_proxy lists the hosts that are reached without one"
            }
            Self::Tls { authorities, .. } => {
                return Some(format!(
                    "check that the clock is right, that the port speaks TLS, and that no proxy \
                     intercepts it; name your own certificate authority in $SSL_CERT_FILE (trusted \
                     are {authorities})"
                ));
            }
            Self::Redirected { .. } => "give the server that it redirects to",
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
            | Self::NotResumed { .. }
            | Self::Coded { .. }
            | Self::NotANarinfo { .. }
            | Self::BuildList {
                source: CuirassError::Cut,
                ..
            } => Retry::Soon,
            Self::Proxy {
                status: None | Some(408 | 429 | 500..=599),
                ..
            } => Retry::Soon,
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
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::BadProxy { .. }
                | Self::Proxy { .. }
                | Self::Tls { .. }
        )
    }

    /// The error in a failed read of a [`Download`](super::Download).
    #[must_use]
    pub fn of_read(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
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

fn through(proxy: &Option<String>) -> String {
    match proxy {
        Some(proxy) => format!("the {proxy} for"),
        None => "the server of".to_owned(),
    }
}
