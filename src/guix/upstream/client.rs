//! The requests to one substitute server.

use super::super::cuirass::{LatestBuilds, parse_latest_builds};
use super::super::narinfo::{MAX_NARINFO_BYTES, fault_of_transfer};
use super::super::store_path::HashPart;
use super::super::trusted_keys::TrustedKeys;
use super::agents::Agents;
use super::body::BodyLimits;
use super::error::HttpError;
use super::failed_call::is_dropped;
use super::limits::ConnectionLimits;
use super::private_network::{Network, PRIVATE_HOST};
use super::proxy::Proxies;
use super::rate::RateLimit;
use super::response;
use super::resume::Download;
use crate::util::address::is_private_host;
use crate::util::redirect::redirect;
use crate::util::retry;
use crate::util::stop::Stop;
use crate::util::url::{self, Credentials};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::http::{Response, Uri, header};
use ureq::{Body, Timeout};

/// Redirects that are followed for one nar or list of builds.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Bytes of the largest list of builds accepted; 1000 builds take about 1 MiB.
const MAX_BUILD_LIST_BYTES: u64 = 16 << 20;

/// A substitute server, such as `https://ci.guix.gnu.org`. Threads may share it.
///
/// Requests go through the environment's proxies, except those to this machine.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    base: String,
    credentials: Option<Credentials>,
    network: Network,
    proxies: Proxies,
    agents: Agents,
    keys: TrustedKeys,
    limits: ConnectionLimits,
    rate: RateLimit,
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

impl UpstreamClient {
    /// A client of the server whose narinfos are at `base_url/HASH.narinfo`. It does
    /// not connect yet.
    ///
    /// # Errors
    /// [`HttpError::BadUrl`]: the URL is not `http(s)://HOST[/PATH]`.
    pub fn new(base_url: &str, limits: ConnectionLimits) -> Result<Self, HttpError> {
        let (base, credentials) = url::base(base_url).map_err(|reason| HttpError::BadUrl {
            url: url::shown(base_url),
            reason: reason.to_owned(),
        })?;
        let network = Network::of_host(&url::host(&base).unwrap_or_default());
        Ok(Self {
            base,
            credentials,
            agents: Agents::new(limits, network.clone()),
            network,
            proxies: Proxies::of_environment(),
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

    /// The same client, with a limit of the rate at which bodies are read, which it may
    /// share with others.
    #[must_use]
    pub fn limited(self, rate: RateLimit) -> Self {
        Self { rate, ..self }
    }

    /// The limit of the rate at which bodies are read.
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

    /// The server's base URL, without a slash at its end, and without the user and
    /// password in it: for people, and for the ledger.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Fetches a narinfo; `None` if the server has none (404, 410, and 403 of a bucket
    /// that may not be listed). Tries again by [`retry`]. Redirects are not followed,
    /// as clients do not follow them either.
    ///
    /// # Errors
    /// Any other status, a body that is larger than [`MAX_NARINFO_BYTES`], cut short or
    /// no narinfo at all, and the errors of the connection.
    pub fn narinfo(&self, hash: &HashPart, stop: &Stop) -> Result<Option<Vec<u8>>, HttpError> {
        let url = format!("{}/{hash}.narinfo", self.base);
        persistently(stop, || {
            let response = self.get(&url, &[], false)?;
            match response.status().as_u16() {
                200 => {
                    let is_whole = response::is_end_marked(&response);
                    let (most, limits) = (MAX_NARINFO_BYTES as u64, self.body_limits());
                    let bytes = response::read_all(&url, response, most, limits)?;
                    match fault_of_transfer(&bytes, is_whole) {
                        None => Ok(Some(bytes)),
                        Some(reason) => Err(HttpError::NotANarinfo {
                            url: url.clone(),
                            reason,
                        }),
                    }
                }
                403 | 404 | 410 => {
                    response::drain(response, self.body_limits());
                    Ok(None)
                }
                300..=399 => Err(HttpError::Redirected {
                    location: url::shown(&response::location(&response)),
                    url: url.clone(),
                }),
                _ => Err(response::unexpected_status(url.clone(), &response)),
            }
        })
    }

    /// Begins to download a nar, in one try. `variant_url` is the `URL` of a narinfo as
    /// written, and must be relative ([`Variant::path`](crate::guix::Variant::path)).
    ///
    /// With `resuming`, a transfer that breaks off continues where it broke, by [`retry`]
    /// and until that stops it, if the server gives the rest of a file. The rest is asked
    /// for at the URL of the nar and not at one that it redirects to: that may be signed
    /// for a short time, or lead to the server that broke off.
    ///
    /// # Errors
    /// [`HttpError::Missing`] if the server does not have it, any other status but 200,
    /// a redirect that is not followed (from https to http, or one too many), and the
    /// errors of the connection.
    pub fn nar(&self, variant_url: &str, resuming: Option<&Stop>) -> Result<Download, HttpError> {
        let nar_url = format!("{}/{variant_url}", self.base);
        let (url, response) = self.get_following(nar_url.clone(), &[])?;
        match response.status().as_u16() {
            200 => {}
            status @ (403 | 404 | 410) => {
                response::drain(response, self.body_limits());
                return Err(HttpError::Missing { url, status });
            }
            _ => return Err(response::unexpected_status(url, &response)),
        }
        let limits = self.body_limits();
        let Some(stop) = resuming else {
            return Ok(Download::of(url, response, limits));
        };
        let client = self.clone();
        let again = Box::new(move |headers: &[_]| client.get_following(nar_url.clone(), headers));
        let stop = stop.clone();
        Ok(Download::resumable(url, response, limits, again, stop))
    }

    /// Asks a build farm for its latest builds and returns those that succeeded, of the
    /// first `count` in its list. Tries again by [`retry`].
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
                    let (most, limits) = (MAX_BUILD_LIST_BYTES, self.body_limits());
                    let bytes = response::read_all(&url, response, most, limits)?;
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
        self.agents.break_off();
    }

    /// Asks for a URL, which is of a public server if `is_guarded`.
    fn get(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        is_guarded: bool,
    ) -> Result<Response<Body>, HttpError> {
        let (url, own) = url::without_credentials(url);
        let shown = url::shown(&url);
        let uri: Uri = url.parse().map_err(|error| HttpError::BadUrl {
            url: shown.clone(),
            reason: format!("{error}"),
        })?;
        let proxy = self.proxies.of_url(&uri);
        let proxy = proxy.map_err(|bad| HttpError::BadProxy {
            url: shown.clone(),
            variable: bad.variable,
            reason: bad.reason,
        })?;
        let is_secure = uri.scheme_str() == Some("https");
        // Only the server itself gets the password.
        let is_server = || url::is_same_origin(&self.base, &url);
        let credentials = own
            .as_ref()
            .or(self.credentials.as_ref().filter(|_| is_server()));
        let call = || {
            let agent = self.agents.of(proxy, is_secure, is_guarded);
            let mut request = agent.get(uri.clone());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            if let Some(credentials) = credentials {
                request = request.header(header::AUTHORIZATION, basic(credentials));
            }
            request.call()
        };
        let called = match call() {
            // A server may close a connection that was kept while the next request is on
            // its way.
            Err(error) if is_dropped(&error) => call(),
            called => called,
        };
        let response = called.map_err(|error| match error {
            ureq::Error::Timeout(Timeout::RecvResponse) => HttpError::Slow {
                url: shown.clone(),
                reason: format!(
                    "the headers of its answer did not arrive within {} seconds",
                    self.limits.headers().as_secs()
                ),
            },
            error => HttpError::of_call(&shown, proxy, error),
        })?;
        match proxy.and_then(|proxy| response::refusal_of(proxy, &shown, &response)) {
            Some(refusal) => Err(refusal),
            None => Ok(response),
        }
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            window: self.limits.low_speed,
            rate: self.rate.clone(),
        }
    }

    /// The first answer that is not a redirect, and its URL as it may be shown.
    pub(super) fn get_following(
        &self,
        mut url: String,
        headers: &[(&'static str, String)],
    ) -> Result<(String, Response<Body>), HttpError> {
        let mut response = self.get(&url, headers, false)?;
        for followed in 0.. {
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let location = response::location(&response);
            response::drain(response, self.body_limits());
            let refused = |reason: String| HttpError::BadRedirect {
                url: url::shown(&url),
                location: url::shown(&location),
                reason,
            };
            if followed == MAX_REDIRECTS {
                return Err(refused("there are too many redirects".to_owned()));
            }
            let target = redirect(&url, &location).map_err(|it| refused(it.to_owned()))?;
            let is_guarded = !self.network.is_private();
            if is_guarded && url::host(&target).is_some_and(|host| is_private_host(&host)) {
                return Err(refused(PRIVATE_HOST.to_owned()));
            }
            response = self
                .get(&target, headers, is_guarded)
                .map_err(|error| match error {
                    HttpError::PrivateAddress { reason, .. } => refused(reason),
                    error => error,
                })?;
            url = target;
        }
        Ok((url::shown(&url), response))
    }
}

/// The value of an `Authorization` header.
fn basic(credentials: &Credentials) -> String {
    let Credentials { user, password } = credentials;
    let secret = BASE64_STANDARD.encode([user, &b":"[..], password].concat());
    format!("Basic {secret}")
}

/// Does `work` by the policy towards the network, except that a server that cannot be
/// reached is left for a later run.
fn persistently<T>(stop: &Stop, work: impl Fn() -> Result<T, HttpError>) -> Result<T, HttpError> {
    let result = retry::run(stop, || match work() {
        Err(error) if error.is_unreachable() => Ok(Err(error)),
        result => result.map(Ok),
    });
    result?
}
