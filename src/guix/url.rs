//! The little that is done to URLs here: checking a server's base, following
//! a `Location`, spelling a query, knowing the loopback.

use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::Uri;

/// Everything but RFC 3986's unreserved characters.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The base that paths are appended to, without slashes at its end; or what
/// is wrong with it.
pub fn base(url: &str) -> Result<String, &'static str> {
    if url.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("it does not begin with http:// or https://");
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// The URL's host in lower case, without its port.
pub fn host(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(uri.host()?.to_ascii_lowercase())
}

/// Whether the URL's host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Where a redirect leads (RFC 3986, section 5, without dot segments), or why
/// it is not followed.
pub fn redirect(from: &str, location: &str) -> Result<String, &'static str> {
    let (scheme, rest) = from.split_once("://").ok_or("the URL has no scheme")?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let location = location.split('#').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let target = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.is_empty() {
        return Err("it names no location");
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let secure = |url: &str| {
        url.get(..8)
            .is_some_and(|s| s.eq_ignore_ascii_case("https://"))
    };
    let plain = |url: &str| {
        url.get(..7)
            .is_some_and(|s| s.eq_ignore_ascii_case("http://"))
    };
    match (secure(from), secure(&target), plain(&target)) {
        (_, true, _) | (false, _, true) => Ok(target),
        (true, _, true) => Err("it leads from https to http"),
        _ => Err("it leads to something else than http or https"),
    }
}

/// `?a=1&b=2` of the parameters that have a value.
pub fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<_> = parameters
        .iter()
        .filter_map(|(name, value)| {
            let value = utf8_percent_encode((*value)?, QUERY_VALUE);
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
        assert_eq!(
            base("https://ci.guix.gnu.org//"),
            Ok("https://ci.guix.gnu.org".to_owned())
        );
        assert_eq!(
            base("http://[::1]:8080/ipns/k"),
            Ok("http://[::1]:8080/ipns/k".to_owned())
        );
        for bad in [
            "",
            "ci.guix.gnu.org",
            "ftp://x",
            "http://",
            "http://x/?a",
            "http://x y",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for url in [
            "http://127.0.0.1:80/",
            "http://127.9.9.9",
            "http://[::1]:1/x",
            "http://LocalHost/",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://localhost.example",
            "http://10.0.0.1",
            "http://[::2]/",
            "x",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn a_location_is_resolved_against_where_it_came_from() {
        let from = "http://a.example:1/b/c?d=/e";
        for (location, target) in [
            ("https://z.example/y", "https://z.example/y"),
            ("//z.example/y#f", "http://z.example/y"),
            ("/y?q", "http://a.example:1/y?q"),
            ("y", "http://a.example:1/b/y"),
        ] {
            assert_eq!(redirect(from, location), Ok(target.to_owned()));
        }
        assert_eq!(redirect("http://a", "y"), Ok("http://a/y".to_owned()));
        for (from, location) in [
            ("https://a/b", "http://a/b"),
            ("https://a/b", "HTTP://a/b"),
            (from, "file:///etc/passwd"),
            (from, ""),
        ] {
            assert!(redirect(from, location).is_err(), "{location}");
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
