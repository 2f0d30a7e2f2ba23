//! The target of a redirect.

use fluent_uri::component::Scheme;
use fluent_uri::{Uri, UriRef};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const HTTP: &Scheme = Scheme::new_or_panic("http");
const HTTPS: &Scheme = Scheme::new_or_panic("https");

/// The characters that stand nowhere in a URL. Bytes beyond ASCII are always escaped.
const NEVER_IN_A_URL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The same, and brackets, which stand only around an IPv6 address.
const NEVER_IN_A_PATH: &AsciiSet = &NEVER_IN_A_URL.add(b'[').add(b']');

/// The target of a redirect (RFC 3986, section 5), without a fragment; or the reason
/// why it is not followed. Characters that may not stand in a URL are escaped first.
pub fn redirect(from: &str, location: &str) -> Result<String, &'static str> {
    let location = location.split('#').next().unwrap_or_default();
    if location.is_empty() {
        return Err("it names no location");
    }
    let (from, location) = (escaped(from), escaped(location));
    let not_a_url = "it is not a URL";
    let reference = UriRef::parse(location.as_str()).map_err(|_| not_a_url)?;
    let base = Uri::parse(from.as_str()).map_err(|_| not_a_url)?;
    let target = reference.resolve_against(&base).map_err(|_| not_a_url)?;
    match target.scheme() {
        scheme if scheme == HTTPS => {}
        scheme if scheme != HTTP => return Err("it leads to something else than http or https"),
        _ if base.scheme() == HTTPS => return Err("it leads from https to http"),
        _ => {}
    }
    match target.authority() {
        Some(authority) if !authority.host().is_empty() => Ok(target.into_string()),
        _ => Err("it has no host"),
    }
}

/// Returns true if each `%` is followed by two hexadecimal digits.
pub(crate) fn is_well_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(is_escape)
}

fn is_escape(after_percent: &str) -> bool {
    let digits = after_percent.as_bytes().get(..2);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Escapes the characters that may not stand in a URL, and a `%` that is not part of
/// an escape.
fn escaped(text: &str) -> String {
    let never = match text.contains("//[") {
        true => NEVER_IN_A_URL,
        false => NEVER_IN_A_PATH,
    };
    let text = utf8_percent_encode(text, never).to_string();
    let mut parts = text.split('%');
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        escaped += if is_escape(part) { "%" } else { "%25" };
        escaped += part;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_against_the_url_that_gave_it() {
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
            (from, "http:///g"),
            (from, "http://[::1/g"),
        ] {
            assert!(redirect(from, location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_location_resolves_as_in_rfc_3986_section_5_4() {
        // The normal and the abnormal examples, a reference and its target each. Fragments
        // are dropped, since they are not sent to a server.
        let examples = "
            g /b/c/g        ./g /b/c/g        g/ /b/c/g/         /g /g
            ?y /b/c/d;p?y   g?y /b/c/g?y      g#s /b/c/g         g?y#s /b/c/g?y
            ;x /b/c/;x      g;x /b/c/g;x      g;x?y#s /b/c/g;x?y . /b/c/
            ./ /b/c/        .. /b/            ../ /b/            ../g /b/g
            ../.. /         ../../ /          ../../g /g         ../../../g /g
            ../../../../g /g                  /./g /g            /../g /g
            g. /b/c/g.      .g /b/c/.g        g.. /b/c/g..       ..g /b/c/..g
            ./../g /b/g     ./g/. /b/c/g/     g/./h /b/c/g/h     g/../h /b/c/h
            g;x=1/./y /b/c/g;x=1/y            g;x=1/../y /b/c/y
            g?y/./x /b/c/g?y/./x              g?y/../x /b/c/g?y/../x
            g#s/./x /b/c/g                    g#s/../x /b/c/g";
        let examples: Vec<_> = examples.split_whitespace().collect();
        assert_eq!(examples.len(), 2 * 37);
        for example in examples.chunks(2) {
            let target = format!("http://a{}", example[1]);
            assert_eq!(redirect("http://a/b/c/d;p?q", example[0]), Ok(target));
        }
        let other_host = redirect("http://a/b/c/d;p?q", "//g");
        assert_eq!(other_host, Ok("http://g".to_owned()));
        for refused in ["g:h", "http:g", "", "#s"] {
            assert!(redirect("http://a/b/c/d;p?q", refused).is_err());
        }
    }

    #[test]
    fn characters_that_may_not_stand_in_a_location_are_escaped() {
        for (location, target) in [
            ("a b", "http://a/a%20b"),
            ("100%/é|x", "http://a/100%25/%C3%A9%7Cx"),
            ("/x[1]", "http://a/x%5B1%5D"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
            ("gtk%2B?a=%zz", "http://a/gtk%2B?a=%25zz"),
        ] {
            assert_eq!(redirect("http://a/x y", location), Ok(target.to_owned()));
        }
    }
}
