//! The answers of a gateway.
//! Source: <https://specs.ipfs.tech/http-gateways/path-gateway/>. No ranges.

use super::http::{Content, Request, Response, Server};
use super::listing;
use super::path::{PathError, folder, resolve, segments, step};
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::unixfs::{Kind, UnixFs};
use crate::node::Node;
use crate::util::url::{is_loopback, is_loopback_host};
use percent_encoding::percent_decode_str;
use std::io;
use std::sync::Arc;

/// The content of a path under `/ipfs/` never changes (29,030,400 s is Kubo's number).
const IMMUTABLE: &str = "public, max-age=29030400, immutable";
/// The content under a name may change; five minutes is Kubo's default as well.
const MUTABLE: &str = "public, max-age=300";

/// The name of the page that a directory may bring along.
const PAGE: &str = "index.html";

/// Serves a node on a port of this machine until the server is dropped; port 0
/// takes any that is free.
pub fn serve(node: Arc<dyn Node>, port: u16) -> io::Result<Server> {
    Server::bind(port, move |request| answer(&node, request))
}

fn answer(node: &Arc<dyn Node>, request: &Request) -> Response {
    if let Some(reason) = foreign(request) {
        return Response::text(403, reason);
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Response::text(405, "this gateway is read-only").with("Allow", "GET, HEAD");
    }
    content(node, request).unwrap_or_else(|error| {
        let status = match &error {
            PathError::Malformed(_) => 400,
            PathError::NotFound(_) => 404,
            PathError::Node(error) if error.is_missing() => 404,
            PathError::Node(_) | PathError::Tree(_) => 500,
        };
        let path = percent_decode_str(&request.path).decode_utf8_lossy();
        Response::text(status, &format!("{path}: {error}"))
    })
}

/// The reason why a request is not served. A web page can make a browser send
/// requests to 127.0.0.1: its origin gives it away, and so does a host name that was
/// bent to point here (DNS rebinding).
fn foreign(request: &Request) -> Option<&'static str> {
    if !request.header("host").is_some_and(is_loopback_host) {
        return Some("the Host is not this machine");
    }
    let mut pages = ["origin", "referer"].into_iter();
    let is_foreign = |header| request.header(header).is_some_and(|url| !is_loopback(url));
    pages
        .any(is_foreign)
        .then_some("the request comes from another site")
}

fn content(node: &Arc<dyn Node>, request: &Request) -> Result<Response, PathError> {
    let segments = segments(&request.path)?;
    let mut cid = resolve(&**node, &segments)?;
    let mut file = file_size(&**node, &cid)?;
    let mut path = request.path.as_str();
    if file.is_none()
        && let Ok(page) = step(&**node, &cid, PAGE)
    {
        // The links of the page begin at the directory.
        if !path.ends_with('/') {
            let folder = folder(&segments) + "/";
            return Ok(Response::text(301, &folder).with("Location", folder));
        }
        (cid, path) = (page, PAGE);
        file = file_size(&**node, &cid)?;
    }
    let etag = match file {
        Some(_) => format!("\"{cid}\""),
        None => format!("\"listing-{cid}\""),
    };
    let is_immutable = segments.first().is_some_and(|kind| kind == "ipfs");
    let (content_type, cache) = match file {
        Some(_) if is_immutable => (content_type(path), IMMUTABLE),
        Some(_) => (content_type(path), MUTABLE),
        // The page of a directory may change with this program.
        None => ("text/html; charset=utf-8", MUTABLE),
    };
    let is_known = has_etag(request, &etag);
    let content = match file {
        Some(size) if is_known || request.method == "HEAD" => {
            Content::Sized(size, Box::new(io::empty()))
        }
        Some(size) => Content::Sized(size, node.read_file(&cid)?),
        None => {
            let node = Arc::clone(node);
            Content::Stream(Box::new(move |out| {
                listing::write(&*node, &cid, &segments, out)
            }))
        }
    };
    let response = Response {
        status: if is_known { 304 } else { 200 },
        headers: vec![("Content-Type", content_type.to_owned())],
        content,
    };
    Ok(response
        .with("Cache-Control", cache)
        .with("ETag", etag)
        .with("X-Content-Type-Options", "nosniff"))
}

/// The size of a file in bytes; `None` for a directory.
fn file_size(node: &dyn Node, cid: &Cid) -> Result<Option<u64>, PathError> {
    if cid.codec() != DAG_PB {
        let size = node.block_size(cid)?;
        let missing = || PathError::NotFound(format!("the node does not hold /ipfs/{cid}"));
        return size.map(Some).ok_or_else(missing);
    }
    let data = PbNode::decode(&node.block(cid)?).map(|node| node.data.unwrap_or_default());
    let message = data.ok().and_then(|data| UnixFs::decode(&data).ok());
    let Some(message) = message else {
        return Err(PathError::Tree(format!(
            "/ipfs/{cid} is not a file or a directory"
        )));
    };
    match message.kind {
        Kind::Directory | Kind::HamtShard => Ok(None),
        Kind::Symlink => Err(PathError::NotFound("it is a symbolic link".to_owned())),
        _ => {
            let inside = message.data.map_or(0, |data| data.len() as u64);
            Ok(Some(message.filesize.unwrap_or(inside)))
        }
    }
}

/// Returns true when the client has this version of the content already.
fn has_etag(request: &Request, etag: &str) -> bool {
    let tags = request.header("if-none-match").unwrap_or_default();
    let mut tags = tags
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == etag || tag == "*")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap_or_default() {
        PAGE => "text/html; charset=utf-8",
        "nix-cache-info" => "text/plain; charset=utf-8",
        name if name.ends_with(".narinfo") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
