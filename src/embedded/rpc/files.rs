//! Files and directories: add, read, list, find.

use super::options::unsupported;
use super::{Answer, Call, Fault, many, one, refused};
use crate::embedded::http::{Content, Request, Response};
use crate::embedded::http_body::Body;
use crate::embedded::multipart::Multipart;
use crate::embedded::path;
use crate::embedded::read::{FileReader, Found, kind};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Entry, for_each};
use crate::ipfs::file::add_file;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::io;
use std::ops::ControlFlow;

pub fn add(call: Call) -> Answer {
    let version = match call.options.text("cid-version") {
        None | Some("0") => CidVersion::V0,
        Some("1") => CidVersion::V1,
        Some(other) => return Err(refused(format!("unknown CID version: {other}"))),
    };
    let raw_leaves = (version == CidVersion::V1).to_string();
    for (name, value) in [
        ("raw-leaves", raw_leaves.as_str()),
        ("chunker", "size-262144"),
        ("hash", "sha2-256"),
        ("max-file-links", "174"),
        ("trickle", "false"),
        ("inline", "false"),
        ("only-hash", "false"),
        ("nocopy", "false"),
        ("wrap-with-directory", "false"),
    ] {
        call.options.only(name, value)?;
    }
    let pin = call.options.flag("pin", true)?;
    let _held = call.repo.writing();
    let mut form = form(call.request, "path")?;
    let mut lines = Vec::new();
    while let Some(head) = form.next_part()? {
        if head.content_type == "application/x-directory" {
            return Err(unsupported("adding a folder: add its files one by one"));
        }
        let mut put = |cid, block: Vec<u8>| {
            let stored = call.repo.blocks.put(&cid, &block);
            stored.map_err(io::Error::other)
        };
        let added = add_file(version, &mut form, &mut put)?;
        if pin {
            call.repo.pins.add(&call.repo.blocks, &added.cid, "")?;
        }
        let hash = added.cid.to_string();
        let name = head.file_name.as_deref().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        let name = name.rsplit('/').next().filter(|name| !name.is_empty());
        lines.push(json!({
            "Name": name.unwrap_or(&hash),
            "Hash": hash,
            "Size": added.cumulative.to_string(),
        }));
    }
    match lines.is_empty() {
        true => Err(Fault::Usage("file argument 'path' is required".to_owned())),
        false => many(&lines),
    }
}

/// The upload of a request; `argument` is what Kubo calls it.
pub fn form<'r, 'c>(
    request: &'r mut Request<'c>,
    argument: &str,
) -> Result<Multipart<&'r mut Body<'c>>, Fault> {
    let content_type = request.header("content-type").unwrap_or_default();
    let content_type = content_type.to_owned();
    Multipart::new(&mut request.body, &content_type)
        .map_err(|_| Fault::Usage(format!("file argument '{argument}' is required")))
}

pub fn cat(call: &Call) -> Answer {
    let cid = path::resolve(call.repo, call.options.arg(0, "ipfs-path")?)?;
    match kind(call.repo, &cid)? {
        Found::File(size) => Ok(Response {
            status: 200,
            headers: vec![("Content-Type", "text/plain".to_owned())],
            content: Content::Sized(size, Box::new(FileReader::new(call.repo, cid))),
        }),
        Found::Directory => Err(refused("this dag node is a directory")),
        Found::Symlink => Err(unsupported("reading symbolic links")),
    }
}

pub fn resolve(call: &Call) -> Answer {
    let cid = path::resolve(call.repo, call.options.arg(0, "name")?)?;
    one(&json!({"Path": format!("/ipfs/{cid}")}))
}

pub fn ls(call: &Call) -> Answer {
    call.options.arg(0, "ipfs-path")?;
    let detailed = call.options.flag("resolve-type", true)? || call.options.flag("size", true)?;
    let mut objects = Vec::new();
    for path in call.options.args() {
        let cid = path::resolve(call.repo, path)?;
        let links = match kind(call.repo, &cid)? {
            Found::Directory => links(call, &cid, detailed)?,
            Found::File(_) | Found::Symlink => Vec::new(),
        };
        objects.push(json!({"Hash": path, "Links": links}));
    }
    one(&json!({ "Objects": objects }))
}

fn links(call: &Call, directory: &Cid, detailed: bool) -> Result<Vec<Value>, Fault> {
    let mut links = Vec::new();
    let mut visit = |name: &str, entry: &Entry| match link(call, name, entry, detailed) {
        Ok(link) => {
            links.push(link);
            ControlFlow::Continue(())
        }
        Err(fault) => ControlFlow::Break(fault),
    };
    match for_each(&call.repo.blocks, directory, &mut visit)? {
        ControlFlow::Continue(()) => Ok(links),
        ControlFlow::Break(fault) => Err(fault),
    }
}

fn link(call: &Call, name: &str, entry: &Entry, detailed: bool) -> Result<Value, Fault> {
    let (size, number) = match detailed {
        false => (0, 0),
        true => match kind(call.repo, &entry.cid)? {
            Found::Directory => (0, 1),
            Found::File(size) => (size, 2),
            Found::Symlink => (0, 4),
        },
    };
    Ok(json!({
        "Name": name,
        "Hash": entry.cid.to_string(),
        "Size": size,
        "Type": number,
        "Target": "",
    }))
}
