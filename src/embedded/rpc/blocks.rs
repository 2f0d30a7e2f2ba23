//! Single blocks.

use super::files::form;
use super::options::unsupported;
use super::{Answer, Call, Fault, check_block_size, many, one};
use crate::embedded::http::Response;
use crate::embedded::path;
use crate::ipfs::car::MAX_SECTION_BYTES;
use crate::ipfs::cid::{CidVersion, DAG_PB, RAW, cid_of};
use serde_json::json;
use std::io::Read;

pub fn get(call: &Call) -> Answer {
    let cid = path::resolve(call.repo, call.options.arg(0, "cid")?)?;
    let block = call.repo.blocks.get(&cid)?;
    Ok(Response::new(200, "application/vnd.ipld.raw", block))
}

pub fn stat(call: &Call) -> Answer {
    let cid = path::resolve(call.repo, call.options.arg(0, "cid")?)?;
    let size = call.repo.blocks.size(&cid)?;
    one(&json!({"Key": cid.to_string(), "Size": size}))
}

pub fn put(mut call: Call) -> Answer {
    let codec = match call.options.text("cid-codec") {
        None | Some("raw") => RAW,
        Some("dag-pb") => DAG_PB,
        Some(other) => return Err(unsupported(&format!("the codec {other}"))),
    };
    call.options.only("mhtype", "sha2-256")?;
    call.options.only("mhlen", "-1")?;
    call.options.only("format", "")?;
    let pin = call.options.flag("pin", false)?;
    let _held = call.repo.writing();
    let mut lines = Vec::new();
    let blocks = upload(&mut call)?;
    for block in blocks {
        check_block_size(&call.options, block.len() as u64)?;
        let cid = cid_of(CidVersion::V1, codec, &block);
        call.repo.blocks.put(&cid, &block)?;
        if pin {
            call.repo.pins.add(&call.repo.blocks, &cid, "")?;
        }
        lines.push(json!({"Key": cid.to_string(), "Size": block.len()}));
    }
    many(&lines)
}

fn upload(call: &mut Call) -> Result<Vec<Vec<u8>>, Fault> {
    let mut form = form(call.request, "data")?;
    let mut blocks = Vec::new();
    while form.next_part()?.is_some() {
        let mut block = Vec::new();
        form.by_ref()
            .take(MAX_SECTION_BYTES)
            .read_to_end(&mut block)?;
        blocks.push(block);
    }
    match blocks.is_empty() {
        true => Err(Fault::Usage("file argument 'data' is required".to_owned())),
        false => Ok(blocks),
    }
}
