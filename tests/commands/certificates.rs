//! Upstreams of https whose certificates a private authority signed.

use crate::support::{Authority, Mirror, Run, TestNode, TlsServer, Upstream, run};
use std::ffi::OsStr;
use std::path::Path;

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

fn add(mirror: &Mirror, server: &TlsServer, variables: &[(&str, &OsStr)]) -> Run {
    let command = format!("add {HELLO} --upstream {}", server.url());
    let run = run(mirror.command(&command).envs(variables.iter().copied()));
    if run.code == Some(0) {
        mirror.run(&format!("remove {HELLO}")).exits(0);
    }
    run
}

fn written(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn an_authority_of_the_variables_is_believed() {
    let upstream = Upstream::of_fixtures();
    let (own, other) = (Authority::new("Own"), Authority::new("Other"));
    let server = TlsServer::new(&upstream, &own);
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let home = mirror.home();
    let own = own.pem();
    let (alone, other) = (
        written(home, "own.pem", &own),
        written(home, "other.pem", other.pem()),
    );
    // As bundles have it: comments, damaged certificates, keys.
    let bundle = format!(
        "# A comment\nOther\n=====\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
         -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{own}\n"
    );
    let bundle = written(home, "bundle", bundle);
    written(home, "hashed/0a1b2c3d.0", &own);
    written(home, "named/own.pem", &own);
    written(home, "named/README", "No certificate.\n");
    let both = std::env::join_paths([home.join("empty"), home.join("named")]).unwrap();
    std::fs::create_dir(home.join("empty")).unwrap();
    let folder = |name: &str| home.join(name).into_os_string();
    for variables in [
        &[("SSL_CERT_FILE", alone.as_os_str())][..],
        &[("SSL_CERT_FILE", bundle.as_os_str())],
        &[("SSL_CERT_DIR", &folder("hashed"))],
        &[("SSL_CERT_DIR", &folder("named"))],
        &[("SSL_CERT_DIR", &both)],
        &[
            ("SSL_CERT_FILE", other.as_os_str()),
            ("SSL_CERT_DIR", &folder("named")),
        ],
        &[
            ("SSL_CERT_FILE", alone.as_os_str()),
            ("SSL_CERT_DIR", &folder("missing")),
        ],
        &[
            ("SSL_CERT_FILE", OsStr::new("")),
            ("SSL_CERT_DIR", &folder("named")),
        ],
    ] {
        let run = add(&mirror, &server, variables);
        eprintln!("{variables:?}");
        run.silently();
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_and_the_believed_ones_are_named() {
    let upstream = Upstream::of_fixtures();
    let (own, other) = (Authority::new("Own"), Authority::new("Other"));
    let server = TlsServer::new(&upstream, &own);
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    let home = mirror.home();
    let other = written(home, "other.pem", other.pem());
    let garbage = written(home, "garbage", [0xff, 0, 1, 2]);
    let empty = written(home, "none", "");
    let missing = home.join("missing");
    let named = |path: &Path| path.to_str().unwrap().to_owned();
    for (variables, said) in [
        (&[][..], "trusted are".to_owned()),
        (
            &[
                ("SSL_CERT_FILE", OsStr::new("")),
                ("SSL_CERT_DIR", OsStr::new("")),
            ],
            "trusted are".to_owned(),
        ),
        (
            &[("SSL_CERT_FILE", other.as_os_str())],
            format!("1 of $SSL_CERT_FILE ({})", named(&other)),
        ),
        (
            &[("SSL_CERT_FILE", garbage.as_os_str())],
            format!("none of $SSL_CERT_FILE ({})", named(&garbage)),
        ),
        (
            &[("SSL_CERT_FILE", empty.as_os_str())],
            format!("none of $SSL_CERT_FILE ({})", named(&empty)),
        ),
        (
            &[("SSL_CERT_FILE", missing.as_os_str())],
            format!("none of $SSL_CERT_FILE ({}) [", named(&missing)),
        ),
        (
            &[("SSL_CERT_DIR", missing.as_os_str())],
            format!("none of $SSL_CERT_DIR ({}) [", named(&missing)),
        ),
    ] {
        let run = add(&mirror, &server, variables).exits(1);
        let run = run.says("no secure connection to the server of https://127.0.0.1:");
        let run = run.says("UnknownIssuer").says(&said);
        assert!(!run.err.contains("SSL_CERT_FILE ()"), "{run:?}");
    }
    // The list of a farm, and another upstream.
    let list = format!("sync --upstream {}", server.url());
    mirror.run(&list).exits(1).says("UnknownIssuer");
    let rest = format!("{list} --upstream {}", upstream.url());
    mirror.run(&rest).exits(0).says("UnknownIssuer");
    assert!(!mirror.list().is_empty());
}

#[test]
fn certificates_are_read_only_where_https_is_asked() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&TestNode::local(), &upstream);
    // Opened, this would never end.
    let pipe = mirror.home().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for command in ["sync", "resolve --long", "verify"] {
        run(mirror.command(command).env("SSL_CERT_FILE", &pipe)).exits(0);
    }
}
