//! The errors of the HTTP library, sorted by what failed.

use super::certificates::AUTHORITIES;
use super::error::HttpError;
use super::private_network::PrivateAddress;
use super::proxy::NamedProxy;
use std::io;
use ureq::{Error, Timeout};

impl HttpError {
    /// Sorts an error from between the call and the end of the headers.
    pub(super) fn of_call(url: &str, proxy: Option<&NamedProxy>, error: Error) -> Self {
        let url = url.to_owned();
        let reason = words(&error);
        let proxy = proxy.map(NamedProxy::to_string);
        let unreachable = |reason| Self::Unreachable {
            url: url.clone(),
            proxy: proxy.clone(),
            reason,
        };
        let tls = |reason| Self::Tls {
            url: url.clone(),
            authorities: AUTHORITIES.source.clone(),
            reason,
        };
        match error {
            Error::ConnectProxyFailed(said) => {
                // ureq gives the status only in words.
                let status = said.rsplit('/').next().and_then(|it| it.parse().ok());
                Self::Proxy {
                    url,
                    proxy: proxy.unwrap_or_default(),
                    status,
                    reason: status.map_or(said, refusal),
                }
            }
            Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Timeout(Timeout::Resolve | Timeout::Connect) => unreachable(reason),
            Error::Timeout(_) => Self::Silent { url, reason },
            Error::Io(source) => match source.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Cut { url, source },
                // Errors of rustls are wrapped like this.
                io::ErrorKind::InvalidData => tls(reason),
                _ => unreachable(reason),
            },
            Error::Tls(_) | Error::Rustls(_) | Error::TlsRequired | Error::Pem(_) => tls(reason),
            Error::Other(other) if other.is::<PrivateAddress>() => {
                Self::PrivateAddress { url, reason }
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
        let inner = inner.and_then(|inner| inner.downcast_ref::<Error>());
        match inner.map(|inner| (inner, words(inner))) {
            Some((Error::Timeout(_), reason)) => Self::Silent { url, reason },
            Some((Error::Protocol(_), reason)) => Self::Protocol { url, reason },
            _ => Self::Cut { url, source: error },
        }
    }
}

/// Returns true where the connection was gone before the request was answered.
pub(super) fn is_dropped(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error, Error::Io(source)
        if matches!(source.kind(), ConnectionReset | ConnectionAborted | BrokenPipe))
}

/// The message of an error; that of a time limit names its option.
fn words(error: &Error) -> String {
    match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            "no connection within --connect-timeout".to_owned()
        }
        Error::Timeout(_) => "nothing arrived within --read-timeout".to_owned(),
        other => other.to_string(),
    }
}

/// The status of a proxy's refusal in words.
pub(super) fn refusal(status: u16) -> String {
    match status {
        407 => "it requires a user and a password (status 407)".to_owned(),
        status => format!("it answered with status {status}"),
    }
}
