//! The client of one substitute server.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use ureq::Agent;
use ureq::Body;
use ureq::http::{Response, header};

use super::cuirass::{Build, parse_latest_builds};
use super::http_error::HttpError;
use super::narinfo::MAX_NARINFO_BYTES;
use super::store_path::HashPart;
use super::trusted_keys::TrustedKeys;
use super::url;

/// Redirects that are followed for one nar or list of builds.
const MAX_REDIRECTS: usize = 5;

/// Bytes of the largest list of builds accepted; 1000 builds take about 1 MiB.
const MAX_BUILD_LIST_BYTES: u64 = 16 << 20;

/// Bytes of the largest header of an answer accepted.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Bytes of an unwanted body that are read so that its connection can be used
/// again, rather than closed.
const MAX_DRAINED_BYTES: u64 = 16 << 10;

/// Connections kept open to the server, beyond any sensible number of jobs.
const IDLE_CONNECTIONS: usize = 32;

/// A substitute server, such as `https://ci.guix.gnu.org`. Threads may share it.
///
/// The environment's proxy is used, except towards this machine.
#[derive(Clone, Debug)]
pub struct Upstream {
    base: String,
    proxied: Agent,
    direct: Agent,
    keys: TrustedKeys,
}

/// A body on its way.
pub struct Download {
    /// The bytes as the server sends them. An error, wrapping an [`HttpError`],
    /// where the connection breaks or the body is shorter than `length`
    /// (`UnexpectedEof`).
    pub reader: Box<dyn Read + Send>,
    /// Content-Length in bytes, where the server gives it.
    pub length: Option<u64>,
}

impl Upstream {
    /// A client of the server whose narinfos are at `base_url/HASH.narinfo`.
    /// Connects to nothing yet.
    ///
    /// `connect_timeout` limits looking the name up, and connecting;
    /// `read_timeout` each wait for more bytes. There is no limit to the whole,
    /// since a nar can have gigabytes.
    ///
    /// # Errors
    ///
    /// [`HttpError::BadUrl`], when the URL is not `http(s)://HOST[/PATH]`.
    pub fn new(
        base_url: &str,
        connect_timeout: Duration,
        read_timeout: Duration,
    ) -> Result<Self, HttpError> {
        let base = url::base(base_url).map_err(|reason| HttpError::BadUrl {
            url: base_url.to_owned(),
            reason: reason.to_owned(),
        })?;
        let config = || {
            Agent::config_builder()
                .user_agent(concat!("guix-ipfs/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .http_status_as_error(false)
                .max_redirects(0)
                .max_response_header_size(MAX_HEADER_BYTES)
                .max_idle_connections(IDLE_CONNECTIONS)
                .max_idle_connections_per_host(IDLE_CONNECTIONS)
                .timeout_resolve(Some(connect_timeout))
                .timeout_connect(Some(connect_timeout))
                .timeout_per_read(Some(read_timeout))
                .timeout_per_write(Some(read_timeout))
        };
        Ok(Self {
            base,
            proxied: Agent::new_with_config(config().build()),
            direct: Agent::new_with_config(config().proxy(None).build()),
            keys: TrustedKeys::default(),
        })
    }

    /// The same, with the keys that must have signed what it serves.
    #[must_use]
    pub fn trusting(self, keys: TrustedKeys) -> Self {
        Self { keys, ..self }
    }

    /// Who must have signed its narinfos; they are not checked here.
    #[must_use]
    pub fn keys(&self) -> &TrustedKeys {
        &self.keys
    }

    /// The server's base URL, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks for a narinfo; `None` where the server has none (404). Redirects
    /// are not followed, as clients do not follow them either.
    ///
    /// # Errors
    ///
    /// Any other status, a body of more than [`MAX_NARINFO_BYTES`] or shorter
    /// than announced, and whatever happens on the way.
    pub fn narinfo(&self, hash: &HashPart) -> Result<Option<Vec<u8>>, HttpError> {
        let url = format!("{}/{hash}.narinfo", self.base);
        let response = self.get(&url)?;
        match response.status().as_u16() {
            200 => read_all(&url, response, MAX_NARINFO_BYTES as u64).map(Some),
            404 => {
                drain(response);
                Ok(None)
            }
            300..=399 => Err(HttpError::Redirected {
                location: location(&response),
                url,
            }),
            _ => Err(refusal(url, &response)),
        }
    }

    /// Begins to download a nar. `variant_url` is a narinfo's `URL` as written,
    /// checked before to be a relative one ([`Variant::path`](super::Variant::path)).
    ///
    /// # Errors
    ///
    /// [`HttpError::Missing`] where the server does not have it, any other
    /// status but 200, a redirect that is not followed (from https to http, or
    /// one too many), and whatever happens on the way.
    pub fn nar(&self, variant_url: &str) -> Result<Download, HttpError> {
        let url = format!("{}/{variant_url}", self.base);
        let (url, response) = self.get_following(url)?;
        match response.status().as_u16() {
            200 => Ok(Download {
                length: response.body().content_length(),
                reader: Box::new(NamedBody {
                    reader: response.into_body().into_reader(),
                    url,
                }),
            }),
            status @ (404 | 410) => {
                drain(response);
                Err(HttpError::Missing { url, status })
            }
            _ => Err(refusal(url, &response)),
        }
    }

    /// Asks a build farm for its `nr` latest builds (at most 1000 for Cuirass)
    /// and returns those that succeeded; of one system or jobset where given.
    ///
    /// # Errors
    ///
    /// [`HttpError::NoBuildList`] where the server has no such list,
    /// [`HttpError::BuildList`] where it cannot be read, any other status, and
    /// whatever happens on the way.
    pub fn latest_builds(
        &self,
        nr: u32,
        system: Option<&str>,
        jobset: Option<&str>,
    ) -> Result<Vec<Build>, HttpError> {
        self.builds(&[
            ("nr", Some(&nr.to_string())),
            ("system", system),
            ("jobset", jobset),
        ])
    }

    /// As [`Upstream::latest_builds`], of one job, such as
    /// `hello.x86_64-linux`.
    ///
    /// # Errors
    ///
    /// As [`Upstream::latest_builds`].
    pub fn latest_builds_of_job(
        &self,
        nr: u32,
        job: &str,
        jobset: Option<&str>,
    ) -> Result<Vec<Build>, HttpError> {
        self.builds(&[
            ("nr", Some(&nr.to_string())),
            ("job", Some(job)),
            ("jobset", jobset),
        ])
    }

    /// Breaks off all downloads, also those of clones, and begins no other.
    pub fn break_off(self) {
        self.proxied.shutdown();
        self.direct.shutdown();
    }

    fn builds(&self, parameters: &[(&str, Option<&str>)]) -> Result<Vec<Build>, HttpError> {
        let query = url::query(parameters);
        let url = format!("{}/api/latestbuilds{query}", self.base);
        let (url, response) = self.get_following(url)?;
        match response.status().as_u16() {
            200 => {
                let bytes = read_all(&url, response, MAX_BUILD_LIST_BYTES)?;
                parse_latest_builds(&bytes).map_err(|source| HttpError::BuildList { url, source })
            }
            404 => Err(HttpError::NoBuildList { url }),
            _ => Err(refusal(url, &response)),
        }
    }

    fn get(&self, url: &str) -> Result<Response<Body>, HttpError> {
        let agent = if url::is_loopback(url) {
            &self.direct
        } else {
            &self.proxied
        };
        agent
            .get(url)
            .call()
            .map_err(|error| HttpError::of_call(url, error))
    }

    /// The first answer that is no redirect, and the URL it is from.
    fn get_following(&self, mut url: String) -> Result<(String, Response<Body>), HttpError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get(&url)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let location = location(&response);
            drain(response);
            url = match url::redirect(&url, &location) {
                Ok(target) => target,
                Err(reason) => {
                    return Err(HttpError::BadRedirect {
                        url,
                        location,
                        reason,
                    });
                }
            };
        }
        Err(HttpError::BadRedirect {
            location: url.clone(),
            url,
            reason: "it is one redirect too many",
        })
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// A body whose errors name the URL.
struct NamedBody<R> {
    reader: R,
    url: String,
}

impl<R: Read> Read for NamedBody<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            HttpError::of_body(&self.url, error).into_io()
        })
    }
}

fn read_all(url: &str, response: Response<Body>, limit: u64) -> Result<Vec<u8>, HttpError> {
    let too_large = || HttpError::TooLarge {
        url: url.to_owned(),
        limit,
    };
    if response.body().content_length().is_some_and(|l| l > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    response
        .into_body()
        .into_reader()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| HttpError::of_body(url, error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

fn drain(response: Response<Body>) {
    let mut body = response.into_body().into_reader().take(MAX_DRAINED_BYTES);
    // Only a courtesy to the connection, which is closed where this fails.
    let _ = io::copy(&mut body, &mut io::sink());
}

/// An answer with a status that is none of those expected.
fn refusal(url: String, response: &Response<Body>) -> HttpError {
    let value = response.headers().get(header::RETRY_AFTER);
    let retry_after = value.and_then(|value| {
        let value = value.to_str().ok()?.trim();
        let seconds = value.parse().map(Duration::from_secs).ok();
        // What has passed already is no time at all.
        let until = |date: SystemTime| date.duration_since(SystemTime::now()).unwrap_or_default();
        seconds.or_else(|| httpdate::parse_http_date(value).ok().map(until))
    });
    HttpError::Status {
        url,
        status: response.status().as_u16(),
        retry_after,
    }
}

/// The `Location` as written, empty where there is none.
fn location(response: &Response<Body>) -> String {
    let value = response.headers().get(header::LOCATION);
    let bytes = value.map_or(&[][..], |value| value.as_bytes());
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
