//! The gateway: files by path, read-only, for a `guix` on this machine.
//! Source: <https://specs.ipfs.tech/http-gateways/path-gateway/>. No listings, no ranges.

use super::EmbeddedError;
use super::guard::refuse;
use super::http::{Content, Handler, Request, Response};
use super::path;
use super::read::{FileReader, Found, kind};
use super::repo::Repo;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// What is under `/ipfs/CID` never changes (29,030,400 s is what Kubo says).
const IMMUTABLE: &str = "public, max-age=29030400, immutable";
/// What is under a name may change; five minutes is Kubo's default as well.
const MUTABLE: &str = "public, max-age=300";

/// The gateway of one node.
pub struct Gateway {
    repo: Arc<Repo>,
}

impl Gateway {
    /// The gateway over `repo`.
    pub fn new(repo: Arc<Repo>) -> Self {
        Self { repo }
    }

    fn serve(&self, path: &str, request: &Request) -> Result<Response, EmbeddedError> {
        let cid = path::resolve(&self.repo, path)?;
        let size = match kind(&self.repo, &cid)? {
            Found::File(size) => size,
            Found::Directory => {
                let text = format!("{path} is a directory; this gateway serves files only");
                return Ok(Response::text(404, &text));
            }
            Found::Symlink => {
                let text = format!("{path} is a symbolic link; this gateway serves files only");
                return Ok(Response::text(404, &text));
            }
        };
        let etag = format!("\"{cid}\"");
        let cache = match path.starts_with("/ipfs/") {
            true => IMMUTABLE,
            false => MUTABLE,
        };
        let known = request.header("if-none-match").is_some_and(|tags| {
            let mut tags = tags
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"));
            tags.any(|tag| tag == etag || tag == "*")
        });
        let (status, content) = match (known, request.method.as_str()) {
            (true, _) => (304, Content::Head(0)),
            (false, "HEAD") => (200, Content::Head(size)),
            (false, _) => {
                let file = FileReader::new(&self.repo, cid);
                (200, Content::Sized(size, Box::new(file)))
            }
        };
        let response = Response {
            status,
            headers: vec![("Content-Type", content_type(path).to_owned())],
            content,
        };
        Ok(response
            .with("Cache-Control", cache)
            .with("ETag", etag)
            .with("X-Content-Type-Options", "nosniff"))
    }
}

impl Handler for Gateway {
    fn handle(&self, request: &mut Request) -> Response {
        if let Some(refused) = refuse(request) {
            return refused;
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            let text = format!("Method {} not allowed: read only access", request.method);
            return Response::text(405, &text).with("Allow", "GET, HEAD");
        }
        let path = percent_decode_str(&request.path).decode_utf8_lossy();
        if !path.starts_with("/ipfs/") && !path.starts_with("/ipns/") {
            return without_body(request, Response::text(404, "404 page not found"));
        }
        let response = self.serve(&path, request).unwrap_or_else(|error| {
            let text = error.to_string();
            let status = match text.starts_with("invalid path") {
                true => 400,
                false if is_absence(&error) => 404,
                false => 500,
            };
            Response::text(status, &format!("failed to resolve {path}: {text}"))
        });
        without_body(request, response)
    }
}

fn is_absence(error: &EmbeddedError) -> bool {
    match error {
        EmbeddedError::NotFound(_) => true,
        EmbeddedError::Refused(text) => {
            text.starts_with("no link named") || text == path::BELOW_A_FILE
        }
        _ => false,
    }
}

/// The answer to HEAD has the headers only.
fn without_body(request: &Request, mut response: Response) -> Response {
    if request.method == "HEAD"
        && let Content::Bytes(body) = &response.content
    {
        response.content = Content::Head(body.len() as u64);
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.ends_with(".narinfo") || path.ends_with("/nix-cache-info") {
        true => "text/plain; charset=utf-8",
        false => "application/octet-stream",
    }
}
