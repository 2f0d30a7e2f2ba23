//! `dag/import`: the blocks of CARs, and pins for their roots.

use super::files::form;
use super::options::Options;
use super::{Answer, Call, Fault, check_block_size, many, refused};
use crate::embedded::EmbeddedError;
use crate::embedded::store::BlockStore;
use crate::ipfs::car::{CarError, CarReader};
use crate::ipfs::cid::{Cid, CidVersion, cid_of, inlined, matches};
use serde_json::json;
use std::io;
use std::io::Read;

/// What was read of all CARs of a request.
#[derive(Default)]
struct Sum {
    blocks: u64,
    bytes: u64,
    roots: Vec<Cid>,
}

pub fn import(call: Call) -> Answer {
    let Call {
        repo,
        options,
        request,
        ..
    } = call;
    let pin = options.flag("pin-roots", true)?;
    let stats = options.flag("stats", false)?;
    // Until the roots are pinned the collector must not come between.
    let _held = repo.writing();
    let mut sum = Sum::default();
    let mut cars = 0;
    let mut form = form(request, "path")?;
    while form.next_part()?.is_some() {
        read_car(&repo.blocks, &options, &mut form, &mut sum)?;
        cars += 1;
    }
    if cars == 0 {
        return Err(Fault::Usage("file argument 'path' is required".to_owned()));
    }
    let mut lines = Vec::new();
    for root in pin.then_some(&sum.roots).into_iter().flatten() {
        let name = repo.pins.name(root).unwrap_or_default();
        let pinned = repo.pins.add(&repo.blocks, root, &name);
        let message = pinned.err().map(|error| match error {
            EmbeddedError::NotFound(cid) => format!("ipld: could not find {cid}"),
            error => error.to_string(),
        });
        lines.push(json!({"Root": {
            "Cid": {"/": root.to_string()},
            "PinErrorMsg": message.unwrap_or_default(),
        }}));
    }
    if stats {
        lines.push(json!({"Stats": {
            "BlockCount": sum.blocks,
            "BlockBytesCount": sum.bytes,
        }}));
    }
    many(&lines)
}

fn read_car(
    blocks: &BlockStore,
    options: &Options,
    car: &mut impl Read,
    sum: &mut Sum,
) -> Result<(), Fault> {
    let mut car = CarReader::new(car).map_err(|error| cut(error, ""))?;
    sum.roots.append(&mut car.roots);
    while let Some((cid, block)) = car
        .next_block()
        .map_err(|error| cut(error, "import failed: "))?
    {
        if let Err(Fault::Refused(text)) = check_block_size(options, block.len() as u64) {
            return Err(refused(format!("import failed at block \"{cid}\": {text}")));
        }
        if !matches(&cid, &block) {
            let found = cid_of(CidVersion::V1, cid.codec(), &block);
            return Err(refused(format!(
                "import failed: mismatch in content integrity, expected: {cid}, got: {found}"
            )));
        }
        sum.blocks += 1;
        sum.bytes += block.len() as u64;
        if inlined(&cid).is_none() {
            blocks.put(&cid, &block)?;
        }
    }
    Ok(())
}

fn cut(error: CarError, doing: &str) -> Fault {
    match error {
        CarError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            refused(format!("{doing}unexpected EOF"))
        }
        error => refused(format!("{doing}{error}")),
    }
}
