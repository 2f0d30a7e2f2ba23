//! URLs: the check of a server's base, the spelling of a query, the loopback, and the
//! parts that nobody else is to see.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::net::IpAddr;
use ureq::http::Uri;

/// Everything but RFC 3986's unreserved characters.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The base that paths are appended to, without slashes at its end, and the user and
/// password in it; or the fault in it.
pub fn base(url: &str) -> Result<(String, Option<Credentials>), &'static str> {
    if url.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("it does not begin with http:// or https://");
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("it has no host");
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    if !has_a_port_or_none(host) {
        return Err("its port is not a number (in a password, / is written %2F)");
    }
    let (base, credentials) = without_credentials(url.trim_end_matches('/'));
    match credentials.is_some() && base.contains('@') {
        true => Err("it has an @ after its host (in a password, / is written %2F)"),
        false => Ok((base, credentials)),
    }
}

/// The user and password of a URL, decoded. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user; empty where there is a password alone.
    pub user: Vec<u8>,
    /// The password; empty where there is none.
    pub password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// The URL without the user and password in it, and these.
pub fn without_credentials(url: &str) -> (String, Option<Credentials>) {
    let at = authority_start(url);
    let authority = url[at..].split(['/', '?', '#']).next().unwrap_or_default();
    let Some((userinfo, _)) = authority.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded = |text| percent_decode_str(text).collect();
    let credentials = Credentials {
        user: decoded(user),
        password: decoded(password),
    };
    let rest = &url[at + userinfo.len() + 1..];
    (format!("{}{rest}", &url[..at]), Some(credentials))
}

/// The URL, or a reference to one, as it may be shown: without user and password, and
/// without its query, which can be a signature.
pub fn shown(url: &str) -> String {
    let at = authority_start(url);
    let rest = &url[at..];
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    // A password may hold characters that end an authority, so that only what follows
    // the last `@` is surely none of it.
    let has_secrets = authority.contains('@') || !has_a_port_or_none(host);
    let end = rest.rfind('@').filter(|_| has_secrets);
    let rest = end.map_or(rest, |end| &rest[end + 1..]);
    let shown = format!("{}{rest}", &url[..at]);
    match shown.find(['?', '#']) {
        Some(end) if shown[end..].starts_with('?') => format!("{}?…", &shown[..end]),
        Some(end) => shown[..end].to_owned(),
        None => shown,
    }
}

/// Returns true where both URLs have the same scheme, host and port.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_owned();
        let port = uri.port_u16().or(match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        Some((scheme, uri.host()?.to_ascii_lowercase(), port))
    };
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

/// The place where the authority of a URL begins, if it has one.
fn authority_start(url: &str) -> usize {
    match url.find("://") {
        _ if url.starts_with("//") => 2,
        Some(at) if url[..at].bytes().all(is_of_scheme) => at + 3,
        _ => 0,
    }
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

/// Returns true for a host with a number for a port, or without a port.
fn has_a_port_or_none(host: &str) -> bool {
    let after_v6 = host.rsplit(']').next().unwrap_or_default();
    match after_v6.split_once(':') {
        Some((_, port)) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => true,
    }
}

/// The URL's host in lower case, without its port.
pub fn host(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(uri.host()?.to_ascii_lowercase())
}

/// Returns true when the URL's host is this machine.
pub fn is_loopback(url: &str) -> bool {
    host(url).is_some_and(|host| is_loopback_host(&host))
}

/// Returns true when `host`, with or without a port, is this machine: `localhost`,
/// 127.0.0.0/8 or `[::1]`.
pub fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// `?a=1&b=2` of the parameters that have a value.
pub fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<_> = parameters
        .iter()
        .filter_map(|(name, value)| {
            let value = utf8_percent_encode((*value)?, RESERVED);
            Some(format!("{name}={value}"))
        })
        .collect();
    format!("?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_loses_its_last_slashes_and_must_be_http() {
        for (url, expected) in [
            ("https://ci.guix.gnu.org//", "https://ci.guix.gnu.org"),
            ("http://[::1]:8080/ipns/k", "http://[::1]:8080/ipns/k"),
        ] {
            assert_eq!(base(url), Ok((expected.to_owned(), None)));
        }
        for bad in [
            "",
            "ci.guix.gnu.org",
            "ftp://x",
            "http://",
            "http://x/?a",
            "http://x y",
            "http://x:port/",
            "https://user:a/b@x/",
            "https://user:a@b/c@x/",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn user_and_password_are_taken_out_and_decoded() {
        let credentials = |(user, password): (&str, &str)| Credentials {
            user: user.into(),
            password: password.into(),
        };
        for (url, without, found) in [
            (
                "https://u:p%40%3a@h:1/x",
                "https://h:1/x",
                Some(("u", "p@:")),
            ),
            ("https://u@h", "https://h", Some(("u", ""))),
            ("http://:p@[::1]/", "http://[::1]/", Some(("", "p"))),
            ("http://a@b:c:d@h/@e", "http://h/@e", Some(("a@b", "c:d"))),
            ("http://h/a@b", "http://h/a@b", None),
            ("http://h?a@b", "http://h?a@b", None),
        ] {
            let expected = (without.to_owned(), found.map(credentials));
            assert_eq!(without_credentials(url), expected, "{url}");
        }
        let debug = format!("{:?}", credentials(("user", "secret")));
        assert!(!debug.contains("user") && !debug.contains("secret"));
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_secret() {
        for (url, seen) in [
            ("https://h:1/x@1.0", "https://h:1/x@1.0"),
            ("https://u:p@h:1/x-1.0", "https://h:1/x-1.0"),
            ("https://u:p@q/r@h/x", "https://h/x"),
            ("https://u:p@q?r@h/x", "https://h/x"),
            ("https://u:p@h/x?X-Amz-Signature=0#f", "https://h/x?…"),
            ("https://u:p@h/x#f?g", "https://h/x"),
            ("//u:p@h/x", "//h/x"),
            ("/x/a://u@v?s", "/x/a://u@v?…"),
            ("../x@1?s=p@q", "../x@1?…"),
            ("https://u:a/p@h/x", "https://h/x"),
            ("https://u:a?p@h/x", "https://h/x"),
            ("https://u:a#p@h/x", "https://h/x"),
            ("https://u:a\\p@h/x", "https://h/x"),
            ("https://u:p@q@[::1]:8/x", "https://[::1]:8/x"),
            ("u:p@h", "h"),
            ("https://h", "https://h"),
            ("", ""),
        ] {
            assert_eq!(shown(url), seen, "{url}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for same in ["https://H/y", "https://u:p@h:443", "https://h/?q"] {
            assert!(is_same_origin("https://h/x", same), "{same}");
        }
        for other in ["http://h/x", "https://h:444/x", "https://h.example/x", "x"] {
            assert!(!is_same_origin("https://h/x", other), "{other}");
        }
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        let own = "http://127.0.0.1:80/ http://127.9.9.9 http://[::1]:1/x http://LocalHost/";
        for url in own.split(' ') {
            assert!(is_loopback(url), "{url}");
        }
        for url in "http://localhost.example http://10.0.0.1 http://[::2]/ x".split(' ') {
            assert!(!is_loopback(url), "{url}");
        }
        for host in ["localhost:80", "127.0.0.1:5001", "[::1]:80", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["", "10.0.0.1", "127.0.0.1.nip.io", "localhost.example:80"] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn a_query_holds_what_is_given_and_escapes_it() {
        let parameters = [
            ("nr", Some("3")),
            ("system", None),
            ("jobset", Some("a&b +")),
        ];
        assert_eq!(query(&parameters), "?nr=3&jobset=a%26b%20%2B");
    }
}
