//! The requests to one substitute server.

use super::super::cuirass::{LatestBuilds, parse_latest_builds};
use super::super::narinfo::{MAX_NARINFO_BYTES, fault_of_transfer};
use super::super::store_path::HashPart;
use super::super::trusted_keys::TrustedKeys;
use super::body::BodyLimits;
use super::error::HttpError;
use super::rate::RateLimit;
use super::response;
use super::resume::Download;
use crate::util::retry::NETWORK;
use crate::util::stop::Stop;
use crate::util::url;
use std::time::Duration;
use ureq::http::{HeaderName, Response};
use ureq::{Agent, Body, Timeout};

/// Redirects that are followed for one nar or list of builds.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Bytes of the largest list of builds accepted; 1000 builds take about 1 MiB.
const MAX_BUILD_LIST_BYTES: u64 = 16 << 20;

/// Bytes of the largest header of an answer accepted.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Connections kept open to the server, beyond any sensible number of jobs.
const IDLE_CONNECTIONS: usize = 32;

/// A substitute server, such as `https://ci.guix.gnu.org`. Threads may share it.
///
/// Requests go through the environment's proxy, except those to this machine.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    base: String,
    proxied: Agent,
    direct: Agent,
    keys: TrustedKeys,
    limits: ConnectionLimits,
    rate: RateLimit,
}

/// The time limits of a connection. There is none for a whole answer, since a nar can
/// have gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// For the look-up of the name, and again for the connection.
    pub connect: Duration,
    /// For each wait for more bytes.
    pub read: Duration,
    /// The time over which the rate of a body is measured: one of less than 1 KiB a
    /// second is given up. The headers of an answer must come within `read` and this.
    pub low_speed: Duration,
}

/// The builds that a build farm is asked for: the latest that match every given field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildQuery<'a> {
    /// The largest number of builds; Cuirass lists at most 1000.
    pub count: u32,
    /// Such as `x86_64-linux`.
    pub system: Option<&'a str>,
    /// Such as `guix`.
    pub jobset: Option<&'a str>,
    /// Such as `hello.x86_64-linux`.
    pub job: Option<&'a str>,
}

impl ConnectionLimits {
    /// For the headers of an answer.
    fn headers(&self) -> Duration {
        self.read.saturating_add(self.low_speed)
    }
}

impl UpstreamClient {
    /// A client of the server whose narinfos are at `base_url/HASH.narinfo`. It does
    /// not connect yet.
    ///
    /// # Errors
    /// [`HttpError::BadUrl`]: the URL is not `http(s)://HOST[/PATH]`.
    pub fn new(base_url: &str, limits: ConnectionLimits) -> Result<Self, HttpError> {
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
                .timeout_resolve(Some(limits.connect))
                .timeout_connect(Some(limits.connect))
                .timeout_per_read(Some(limits.read))
                .timeout_recv_response(Some(limits.headers()))
                .timeout_per_write(Some(limits.read))
        };
        Ok(Self {
            base,
            proxied: Agent::new_with_config(config().build()),
            direct: Agent::new_with_config(config().proxy(None).build()),
            keys: TrustedKeys::default(),
            limits,
            rate: RateLimit::default(),
        })
    }

    /// The same client, with the keys that must have signed the server's narinfos.
    #[must_use]
    pub fn trusting(self, keys: TrustedKeys) -> Self {
        Self { keys, ..self }
    }

    /// The same client, with a limit of the rate at which bodies come, which it may
    /// share with others.
    #[must_use]
    pub fn limited(self, rate: RateLimit) -> Self {
        Self { rate, ..self }
    }

    /// The limit of the rate at which bodies come.
    #[must_use]
    pub fn rate(&self) -> &RateLimit {
        &self.rate
    }

    /// The keys that must have signed the server's narinfos. The client itself does
    /// not check signatures.
    #[must_use]
    pub fn keys(&self) -> &TrustedKeys {
        &self.keys
    }

    /// The server's base URL, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Fetches a narinfo; `None` if the server has none (404). Tries again by
    /// [`NETWORK`]. Redirects are not followed, as clients do not follow them either.
    ///
    /// # Errors
    /// Any other status, a body that is larger than [`MAX_NARINFO_BYTES`], cut short or
    /// no narinfo at all, and the errors of the connection.
    pub fn narinfo(&self, hash: &HashPart, stop: &Stop) -> Result<Option<Vec<u8>>, HttpError> {
        let url = format!("{}/{hash}.narinfo", self.base);
        persistently(stop, || {
            let response = self.get(&url, &[])?;
            match response.status().as_u16() {
                200 => {
                    let is_whole = response::is_end_marked(&response);
                    let bytes = self.read_all(&url, response, MAX_NARINFO_BYTES as u64)?;
                    match fault_of_transfer(&bytes, is_whole) {
                        None => Ok(Some(bytes)),
                        Some(reason) => Err(HttpError::NotANarinfo {
                            url: url.clone(),
                            reason,
                        }),
                    }
                }
                404 => {
                    self.drain(response);
                    Ok(None)
                }
                300..=399 => Err(HttpError::Redirected {
                    location: response::location(&response),
                    url: url.clone(),
                }),
                _ => Err(response::unexpected_status(url.clone(), &response)),
            }
        })
    }

    /// Begins to download a nar, in one try. `variant_url` is the `URL` of a narinfo as
    /// written, and must be relative ([`Variant::path`](crate::guix::Variant::path)).
    ///
    /// # Errors
    /// [`HttpError::Missing`] if the server does not have it, any other status but 200,
    /// a redirect that is not followed (from https to http, or one too many), and the
    /// errors of the connection.
    pub fn nar(&self, variant_url: &str) -> Result<Download, HttpError> {
        let (url, response) = self.begin_nar(variant_url)?;
        Ok(Download::of(url, response, self.body_limits()))
    }

    /// The same, except that a transfer that breaks off goes on where it broke, by
    /// [`NETWORK`], if the server gives the rest of a file. The rest is asked for at
    /// the URL of the nar and not at one that it redirects to: that may be signed for
    /// a short time, or lead to the server that broke off.
    ///
    /// # Errors
    /// As [`UpstreamClient::nar`].
    pub fn resumable_nar(&self, variant_url: &str, stop: &Stop) -> Result<Download, HttpError> {
        let (url, response) = self.begin_nar(variant_url)?;
        let (client, nar_url) = (self.clone(), self.nar_url(variant_url));
        Ok(Download::resumable(
            url,
            response,
            self.body_limits(),
            Box::new(move |headers| client.get_following(nar_url.clone(), headers)),
            stop.clone(),
        ))
    }

    fn nar_url(&self, variant_url: &str) -> String {
        format!("{}/{variant_url}", self.base)
    }

    fn begin_nar(&self, variant_url: &str) -> Result<(String, Response<Body>), HttpError> {
        let (url, response) = self.get_following(self.nar_url(variant_url), &[])?;
        match response.status().as_u16() {
            200 => Ok((url, response)),
            status @ (403 | 404 | 410) => {
                self.drain(response);
                Err(HttpError::Missing { url, status })
            }
            _ => Err(response::unexpected_status(url, &response)),
        }
    }

    /// Asks a build farm for its latest builds and returns those that succeeded, of the
    /// first `count` in its list. Tries again by [`NETWORK`].
    ///
    /// # Errors
    /// [`HttpError::NoBuildList`] if the server has no such list,
    /// [`HttpError::BuildList`] if it cannot be read, any other status, and the errors
    /// of the connection.
    pub fn latest_builds(
        &self,
        query: &BuildQuery<'_>,
        stop: &Stop,
    ) -> Result<LatestBuilds, HttpError> {
        let asked = url::query(&[
            ("nr", Some(&query.count.to_string())),
            ("system", query.system),
            ("job", query.job),
            ("jobset", query.jobset),
        ]);
        persistently(stop, || {
            let url = format!("{}/api/latestbuilds{asked}", self.base);
            let (url, response) = self.get_following(url, &[])?;
            match response.status().as_u16() {
                200 => {
                    let bytes = self.read_all(&url, response, MAX_BUILD_LIST_BYTES)?;
                    parse_latest_builds(&bytes, query.count as usize)
                        .map_err(|source| HttpError::BuildList { url, source })
                }
                404 => Err(HttpError::NoBuildList { url }),
                _ => Err(response::unexpected_status(url, &response)),
            }
        })
    }

    /// Breaks off all downloads, also those of clones, and begins no other.
    pub fn break_off(self) {
        self.rate.lift();
        self.proxied.shutdown();
        self.direct.shutdown();
    }

    fn get(
        &self,
        url: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Response<Body>, HttpError> {
        let agent = match url::is_loopback(url) {
            true => &self.direct,
            false => &self.proxied,
        };
        let mut request = agent.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.call();
        response.map_err(|error| match error {
            ureq::Error::Timeout(Timeout::RecvResponse) => HttpError::Slow {
                url: url.to_owned(),
                reason: format!(
                    "the headers of its answer did not come within {} seconds",
                    self.limits.headers().as_secs()
                ),
            },
            error => HttpError::of_call(url, error),
        })
    }

    fn read_all(
        &self,
        url: &str,
        response: Response<Body>,
        limit: u64,
    ) -> Result<Vec<u8>, HttpError> {
        response::read_all(url, response, limit, self.body_limits())
    }

    fn drain(&self, response: Response<Body>) {
        response::drain(response, self.body_limits());
    }

    fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            window: self.limits.low_speed,
            rate: self.rate.clone(),
        }
    }

    /// The first answer that is not a redirect, and its URL.
    fn get_following(
        &self,
        mut url: String,
        headers: &[(HeaderName, String)],
    ) -> Result<(String, Response<Body>), HttpError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get(&url, headers)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let location = response::location(&response);
            self.drain(response);
            url = url::redirect(&url, &location).map_err(|reason| HttpError::BadRedirect {
                url,
                location,
                reason,
            })?;
        }
        Err(HttpError::BadRedirect {
            location: url.clone(),
            url,
            reason: "it is one redirect too many",
        })
    }
}

/// Does `work` by the policy towards the network, except that a server that cannot be
/// reached is left for a later run.
fn persistently<T>(stop: &Stop, work: impl Fn() -> Result<T, HttpError>) -> Result<T, HttpError> {
    let result = NETWORK.run(stop, || match work() {
        Err(error) if error.is_unreachable() => Ok(Err(error)),
        result => result.map(Ok),
    });
    result.flatten()
}
