//! Who may ask: programs on this machine, not pages in its browser.
//!
//! A web page can make a browser send requests to 127.0.0.1. Its origin gives it
//! away, and so does a host name that was bent to point here (DNS rebinding).

use super::http::{Request, Response};

/// What to answer to a request that must not be served.
pub fn refuse(request: &Request) -> Option<Response> {
    let forbidden = |text: &str| Some(Response::text(403, &format!("403 Forbidden: {text}")));
    match request.header("host") {
        Some(host) if is_loopback(host) => {}
        _ => return forbidden("the Host is not this machine"),
    }
    for header in ["origin", "referer"] {
        let foreign = request.header(header).is_some_and(|url| {
            let host = url.split_once("://").map(|(_, rest)| rest);
            let host = host.map(|rest| rest.split('/').next().unwrap_or_default());
            !host.is_some_and(is_loopback)
        });
        if foreign {
            return forbidden("the request comes from a foreign page");
        }
    }
    None
}

/// Whether `host`, with or without a port, is this machine by number or as `localhost`.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let ip = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || ip
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_counts_as_loopback() {
        for host in [
            "localhost",
            "localhost:80",
            "127.0.0.1:5001",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "10.0.0.1",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
