//! The proxy of each request, chosen from the environment's variables as curl does
//! (`lib/url.c`, `lib/noproxy.c`), except that this machine is never asked through one.

use super::no_proxy::NoProxy;
use crate::util::url::{self, Credentials};
use std::fmt;
use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

/// The port of a proxy that names none, except one of https.
const DEFAULT_PORT: u16 = 1080;

/// The variables for each scheme, the first that is set counts. `HTTP_PROXY` is not
/// among them: in a CGI program a client's `Proxy` header would set it.
const OF_HTTP: [&str; 3] = ["http_proxy", "all_proxy", "ALL_PROXY"];
const OF_HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxies of the environment.
#[derive(Clone, Debug)]
pub(super) struct Proxies {
    http: Option<Named>,
    https: Option<Named>,
    except: NoProxy,
}

/// A variable and the proxy that it names, or the fault in it.
type Named = Result<NamedProxy, BadProxy>;

/// A proxy, with the variable that names it. Its text has no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedProxy {
    pub variable: &'static str,
    pub proxy: Proxy,
}

/// A variable that names no proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadProxy {
    pub variable: &'static str,
    pub reason: &'static str,
}

impl Proxies {
    /// The proxies that this process is to use.
    pub fn of_environment() -> Self {
        let value = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::of(value)
    }

    /// The proxies of such variables. An empty one counts as unset.
    fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &'static str| {
            let value = value(name).filter(|value| !value.is_empty())?;
            Some((name, value))
        };
        let named = |names: &[&'static str]| {
            let (variable, value) = names.iter().find_map(|name| set(name))?;
            Some(match proxy(value.trim()) {
                Ok(proxy) => Ok(NamedProxy { variable, proxy }),
                Err(reason) => Err(BadProxy { variable, reason }),
            })
        };
        let except = EXCEPT.iter().find_map(|name| set(name));
        Self {
            http: named(&OF_HTTP),
            https: named(&OF_HTTPS),
            except: NoProxy::parse(&except.map(|(_, value)| value).unwrap_or_default()),
        }
    }

    /// The proxy through which a URL is asked for.
    ///
    /// # Errors
    /// The variable that counts names none.
    pub fn of_url(&self, url: &Uri) -> Result<Option<&NamedProxy>, BadProxy> {
        let (named, port) = match url.scheme_str() {
            Some("https") => (&self.https, 443),
            _ => (&self.http, 80),
        };
        let host = url.host().unwrap_or_default();
        if url::is_loopback_host(host) || self.except.covers(host, url.port_u16().unwrap_or(port)) {
            return Ok(None);
        }
        named
            .as_ref()
            .map(Result::as_ref)
            .transpose()
            .map_err(BadProxy::clone)
    }
}

impl NamedProxy {
    /// Returns true for a proxy that speaks HTTP.
    pub fn is_http(&self) -> bool {
        matches!(
            self.proxy.protocol(),
            ProxyProtocol::Http | ProxyProtocol::Https
        )
    }
}

impl fmt::Display for NamedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (proxy, variable) = (&self.proxy, self.variable);
        let protocol = proxy.protocol().to_string().to_ascii_lowercase();
        let (host, port) = (proxy.host(), proxy.port());
        write!(f, "proxy {protocol}://{host}:{port} of ${variable}")
    }
}

/// Reads `[SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/]`.
fn proxy(value: &str) -> Result<Proxy, &'static str> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyProtocol::Http,
        "https" => ProxyProtocol::Https,
        "socks4" | "socks" => ProxyProtocol::Socks4,
        "socks4a" => ProxyProtocol::Socks4A,
        "socks5" => ProxyProtocol::Socks5,
        "socks5h" => ProxyProtocol::Socks5h,
        _ => return Err("its scheme is not one of http, https, socks4, socks4a, socks5, socks5h"),
    };
    let (rest, credentials) = url::without_credentials(rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let colon = authority
        .rfind(':')
        .filter(|at| !authority[*at..].contains(']'));
    let (host, port) = match colon {
        Some(at) => (&authority[..at], Some(&authority[at + 1..])),
        None => (authority, None),
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| "its port is not a number")?,
        None if protocol == ProxyProtocol::Https => 443,
        None => DEFAULT_PORT,
    };
    let mut builder = Proxy::builder(protocol).host(host).port(port);
    if let Some(Credentials { user, password }) = credentials {
        let text = |bytes| String::from_utf8(bytes).map_err(|_| "its user is not UTF-8");
        builder = builder.username(&text(user)?).password(&text(password)?);
    }
    builder.build().map_err(|_| "it is not a URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &str, url: &str) -> String {
        let proxies = Proxies::of(|name| {
            let mut pairs = variables.split(' ').filter_map(|it| it.split_once('='));
            pairs.find_map(|(found, value)| (found == name).then(|| value.to_owned()))
        });
        match proxies.of_url(&url.parse().unwrap()) {
            Ok(Some(named)) => named.to_string().replacen("proxy ", "", 1),
            Ok(None) => "-".to_owned(),
            Err(BadProxy { variable, reason }) => format!("{variable}: {reason}"),
        }
    }

    #[test]
    fn a_proxy_is_chosen_as_curl_chooses_it() {
        for (variables, proxy) in [
            ("http_proxy=http://p:1", "http://p:1 of $http_proxy"),
            ("https_proxy=http://p:1", "-"),
            // For http the lower case alone counts.
            ("HTTP_PROXY=http://p:1", "-"),
            ("all_proxy=http://p:1", "http://p:1 of $all_proxy"),
            ("all_proxy=a:1 http_proxy=p:1", "http://p:1 of $http_proxy"),
            ("all_proxy=a:1 HTTP_PROXY=p:1", "http://a:1 of $all_proxy"),
            ("ALL_PROXY=A:1 all_proxy=a:1", "http://a:1 of $all_proxy"),
            ("http_proxy= all_proxy=", "-"),
            ("http_proxy=p:3128", "http://p:3128 of $http_proxy"),
            ("http_proxy=http://p", "http://p:1080 of $http_proxy"),
            ("http_proxy=https://p/", "https://p:443 of $http_proxy"),
            (
                "http_proxy=HTTP://[::2]:8/",
                "http://[::2]:8 of $http_proxy",
            ),
            ("http_proxy=u:secret@p:8", "http://p:8 of $http_proxy"),
            (
                "http_proxy=ftp://p",
                "http_proxy: its scheme is not one of http, https, socks4, socks4a, socks5, socks5h",
            ),
            (
                "http_proxy=http://p:x",
                "http_proxy: its port is not a number",
            ),
            ("http_proxy=http://u:p@:8", "http_proxy: it has no host"),
            // What is not used is not looked at.
            ("https_proxy=ftp://p", "-"),
            ("http_proxy=http://p:1 no_proxy= NO_PROXY=h", "-"),
        ] {
            assert_eq!(chosen(variables, "http://h/"), proxy, "{variables}");
        }
        for (variables, proxy) in [
            ("http_proxy=http://p:1", "-"),
            ("https_proxy=http://p:1", "http://p:1 of $https_proxy"),
            ("HTTPS_PROXY=http://p:1", "http://p:1 of $HTTPS_PROXY"),
            ("ALL_PROXY=http://p:1", "http://p:1 of $ALL_PROXY"),
            (
                "HTTPS_PROXY=P https_proxy=p:1",
                "http://p:1 of $https_proxy",
            ),
            ("https_proxy= HTTPS_PROXY=p:1", "http://p:1 of $HTTPS_PROXY"),
            ("all_proxy=socks5h://p", "socks5h://p:1080 of $all_proxy"),
        ] {
            assert_eq!(chosen(variables, "https://h/"), proxy, "{variables}");
        }
    }

    #[test]
    fn this_machine_is_never_asked_through_a_proxy() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3:80", "[::1]"] {
            assert_eq!(chosen("http_proxy=p:1", &format!("http://{host}/")), "-");
        }
        assert_ne!(chosen("http_proxy=p:1", "http://10.0.0.1/"), "-");
    }

    #[test]
    fn user_and_password_of_a_proxy_are_decoded_and_not_shown() {
        let proxies = Proxies::of(|_| Some("http://us%40er:se%3acret@p:1".to_owned()));
        let named = proxies.of_url(&Uri::from_static("http://h/"));
        let named = named.unwrap().unwrap();
        assert_eq!(named.proxy.username(), Some("us@er"));
        assert_eq!(named.proxy.password(), Some("se:cret"));
        let shown = format!("{proxies:?} {named:?} {named}");
        for secret in ["us%40er", "us@er", "cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
