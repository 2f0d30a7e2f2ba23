//! What is asked, in this order: each step may rest on those before it.

use crate::support::Nothing;
use guix_ipfs::ipfs::car::{header, write_block};
use guix_ipfs::ipfs::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};

/// One request. Names in braces stand for CIDs and keys (`NAMES`).
pub struct Step {
    /// A command with its query.
    pub call: String,
    /// What is uploaded.
    pub content: Option<Vec<u8>>,
    pub compared: Compared,
}

/// What the embedded node's answer has in common with Kubo's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Everything.
    Whole,
    /// Its keys: the values differ from node to node.
    Shape,
    /// Nothing: the embedded node refuses what Kubo does, and says so.
    Beyond,
}

const HELLO: &[u8] = b"Hello, world!";

pub fn steps() -> Vec<Step> {
    let (sharded, shards) = sharded_directory();
    let whole = [header(&[raw_cid(HELLO)]), section(HELLO, HELLO)].concat();
    let forged = [header(&[]), section(HELLO, b"Hello, w0rld!")].concat();
    let hollow = [header(&[raw_cid(b"nowhere")]), section(HELLO, HELLO)].concat();
    let large = vec![0; 3_000_000];
    let large_block = [header(&[]), section(&large, &large)].concat();
    vec![
        shape("version"),
        shape("id"),
        shape("repo/stat?size-only=true"),
        shape("config?arg=Addresses.Gateway"),
        call("config?arg=No.Such"),
        call("config"),
        call("swarm/peers"),
        call("routing/provide?arg={root}"),
        call("provide/once?arg={root}"),
        call("no/such/command"),
        // Blocks and files.
        upload(
            "block/put?cid-codec=dag-pb&mhtype=sha2-256",
            b"\x0a\x02\x08\x01".to_vec(),
        ),
        upload("block/put?cid-codec=raw&mhtype=sha2-256", HELLO.to_vec()),
        upload(
            "block/put?cid-codec=raw&mhtype=sha2-256",
            vec![0; 3_000_000],
        ),
        call("block/put"),
        upload(
            "block/put?cid-codec=raw&mhtype=sha2-256&mhlen=-1&pin=false&allow-big-block=true\
             &timeout=86400s",
            vec![0; 3_000_000],
        ),
        upload_beyond("block/put?cid-codec=raw&mhtype=sha2-512", HELLO.to_vec()),
        upload_beyond("block/put?cid-codec=dag-cbor&mhtype=sha2-256", vec![0xa0]),
        upload("add?pin=false", HELLO.to_vec()),
        upload("add?pin=false&cid-version=1", HELLO.to_vec()),
        upload("add?pin=false", vec![0; 3_000_000]),
        upload("add?pin=false", Vec::new()),
        upload(
            "add?cid-version=0&raw-leaves=false&hash=sha2-256&chunker=size-262144\
             &max-file-links=174&trickle=false&inline=false&pin=false&fast-provide-root=false\
             &fast-provide-dag=false&fast-provide-wait=false&progress=false&timeout=86400s",
            HELLO.to_vec(),
        ),
        upload(
            "add?cid-version=1&raw-leaves=true&hash=sha2-256&chunker=size-262144\
             &max-file-links=174&trickle=false&inline=false&pin=false&fast-provide-root=false\
             &fast-provide-dag=false&fast-provide-wait=false&progress=false&timeout=86400s",
            large.clone(),
        ),
        upload("add?pin=maybe", HELLO.to_vec()),
        upload_beyond("add?pin=false&chunker=size-1000", HELLO.to_vec()),
        upload_beyond("add?pin=false&raw-leaves=true", HELLO.to_vec()),
        upload_beyond("add?pin=false&hash=sha2-512", HELLO.to_vec()),
        upload_beyond("add?pin=false&trickle=true", HELLO.to_vec()),
        upload_beyond("add?pin=false&max-file-links=2", HELLO.to_vec()),
        upload_beyond("add?pin=false&inline=true", HELLO.to_vec()),
        upload_beyond("add?pin=false&only-hash=true", HELLO.to_vec()),
        upload_beyond("add?pin=false&wrap-with-directory=true", HELLO.to_vec()),
        call("add"),
        call("block/stat?arg={hello}&offline=true"),
        call("block/stat?arg={missing}&offline=true"),
        call("block/get?arg={hello}"),
        call("block/get?arg={raw}"),
        call("block/get?arg={missing}&offline=true"),
        call("block/get?arg=bad"),
        call("block/stat?arg=bad"),
        call("block/stat"),
        call("block/get"),
        call("cat?arg={hello}"),
        call("cat?arg={hello}&offline=maybe"),
        call("cat?arg={raw}&offline=true"),
        call("cat?arg={missing}&offline=true"),
        call("cat"),
        // Links.
        call("object/patch/add-link?arg={empty}&arg=foo&arg={hello}"),
        call("object/patch/add-link?arg={root}&arg=b&arg={hello}"),
        call("object/patch/add-link?arg={root2}&arg=b&arg={hello}"),
        call("object/patch/add-link?arg={root}&arg=b%2Bc%3Fd&arg={raw}"),
        call("object/patch/add-link?arg={empty}&arg=&arg={hello}"),
        call("object/patch/add-link?arg={empty}&arg=a/b&arg={hello}"),
        call("object/patch/add-link?arg={empty}&arg=a/b&arg={hello}&create=true"),
        call("object/patch/add-link?arg={hello}&arg=a&arg={hello}"),
        call("object/patch/add-link?arg={raw}&arg=a&arg={hello}"),
        call("object/patch/add-link?arg={missing}&arg=a&arg={hello}&offline=true"),
        call("object/patch/add-link?arg={root}&arg=a&arg={missing}&offline=true"),
        call("object/patch/add-link?arg={root}&arg=a&arg={big}"),
        call("object/patch/add-link?arg={root}&arg=a&arg={big}&allow-big-block=true"),
        call("object/patch/add-link?arg=bad&arg=a&arg={hello}"),
        call("object/patch/add-link?arg={root}&arg=a"),
        call(
            "object/patch/add-link?arg={empty1}&arg=foo&arg={raw}&allow-big-block=true\
             &offline=true&timeout=60s",
        ),
        call("object/patch/add-link?arg={empty}&arg=foo/bar&arg={missing}&offline=true"),
        beyond("object/patch/add-link?arg={hello}&arg=a&arg={hello}&allow-non-unixfs=true"),
        // Paths.
        call("resolve?arg=/ipfs/{root}/foo"),
        call("resolve?arg={root}/foo"),
        call("resolve?arg=/ipfs/{root}"),
        call("resolve?arg=/ipfs/{root}/nope"),
        call("resolve?arg=/ipfs/{root}/foo/below&offline=true"),
        call("resolve?arg=/ipfs/{missing}/x&offline=true"),
        call("resolve?arg=/ipfs/bad"),
        call("resolve"),
        call("block/stat?arg=/ipfs/{root}/foo&offline=true"),
        call("block/get?arg=/ipfs/{root}/nope&offline=true"),
        call("cat?arg=/ipfs/{root}/nope"),
        call("cat?arg=/ipfs/{root}/foo"),
        call("cat?arg={root}"),
        call("ls?arg={root2}"),
        call("ls?arg={root2}&offline=true&resolve-type=false&size=false&timeout=1800s"),
        call("ls?arg=/ipfs/{root2}/nope"),
        call("ls"),
        call("ls?arg={hello}"),
        call("ls?arg={missing}&offline=true"),
        // Pins.
        call("pin/add?arg={root}&name=x/one"),
        call("pin/add?arg={root}&name=x/two"),
        call("pin/add?arg={root}&name=x/two&timeout=300s"),
        call("pin/add?arg=bad"),
        call("pin/add"),
        beyond("pin/add?arg={raw}&recursive=false"),
        call("pin/add?arg={missing}&timeout=2s"),
        call("pin/ls?arg={root}&names=true"),
        call("pin/ls?arg={root}"),
        call("pin/ls?arg={hello}&type=recursive"),
        call("pin/ls?arg={hello}"),
        call("pin/ls?type=recursive&names=true&name=x/t"),
        call("pin/ls?type=recursive&name=nothing"),
        call("pin/ls?type=wrong"),
        call("pin/ls?arg={missing}&type=recursive"),
        call("pin/ls?arg=bad"),
        call("pin/update?arg={root}&arg={root2}&unpin=false"),
        call("pin/update?arg={root}&arg={root2}&unpin=false"),
        call("pin/update?arg={hello}&arg={root2}"),
        call("pin/update?arg={root}&arg={missing}&timeout=2s"),
        call("pin/update?arg={root}&arg={root}"),
        call("pin/update?arg={root}"),
        call("pin/update?arg={missing}&arg={root}&unpin=false"),
        call("pin/update?arg=bad&arg={root}"),
        call("pin/ls?type=recursive&names=true&name=x"),
        call("pin/rm?arg={root}"),
        call("pin/rm?arg={root}"),
        call("pin/rm?arg={hello}"),
        call("pin/rm?arg={missing}"),
        call("pin/rm?arg=bad"),
        call("pin/rm"),
        call("pin/update?arg={root2}&arg={root}"),
        call("pin/ls?type=recursive&names=true&name=x"),
        // CARs.
        upload("dag/import?pin-roots=true&stats=true", whole.clone()),
        upload("dag/import?pin-roots=false&stats=true", whole.clone()),
        upload("dag/import?pin-roots=true", whole.clone()),
        upload("dag/import?pin-roots=true&stats=true", forged),
        upload("dag/import?pin-roots=true&stats=true", hollow),
        upload("dag/import?stats=true", whole[..whole.len() - 2].to_vec()),
        upload("dag/import?stats=true", b"garbage".to_vec()),
        upload("dag/import?pin-roots=false&stats=true", large_block.clone()),
        upload(
            "dag/import?pin-roots=false&stats=true&allow-big-block=true\
             &fast-provide-root=false&fast-provide-dag=false&fast-provide-wait=false\
             &timeout=86400s",
            large_block,
        ),
        call("dag/import"),
        // A sharded directory.
        upload("dag/import?pin-roots=false&stats=true", shards),
        call(format!("resolve?arg=/ipfs/{sharded}/17")),
        call(format!("resolve?arg=/ipfs/{sharded}/none")),
        call(format!(
            "object/patch/add-link?arg={sharded}&arg=x&arg={{hello}}"
        )),
        // Keys and names.
        call("key/gen?arg=k1&type=ed25519"),
        call("key/gen?arg=k1&type=ed25519"),
        call("key/gen?arg=self"),
        call("key/gen"),
        call("key/list"),
        call("name/resolve?arg=/ipns/{k1}&nocache=true"),
        call("name/get?arg=/ipns/{k1}"),
        upload_beyond("name/inspect?dump=false", b"no record".to_vec()),
        call("name/resolve?arg=/ipns/{foreign}&nocache=true&timeout=60s"),
        call("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false"),
        call("name/publish?arg=/ipfs/{root2}&key=none&resolve=false&allow-offline=true"),
        call("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true&lifetime=x"),
        call("name/publish?arg=bad&key=k1&resolve=false&allow-offline=true"),
        call("name/publish?arg=/ipfs/{missing}&key=k1&allow-offline=true"),
        call(
            "name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true\
             &lifetime=48h&ttl=5m",
        ),
        call("name/resolve?arg=/ipns/{k1}&nocache=true"),
        call("name/resolve?arg={k1}"),
        call("resolve?arg=/ipns/{k1}/b"),
        call("cat?arg=/ipns/{k1}/b"),
        call("ls?arg=/ipns/{k1}"),
        call("resolve?arg=/ipns/{k1}/nope"),
        call(
            "name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true\
             &lifetime=6s&ttl=30s",
        ),
        call(
            "name/publish?arg=/ipfs/{root}&key=k1&resolve=false&allow-offline=true\
             &lifetime=172800s&ttl=300s&timeout=600s",
        ),
        call("name/resolve?arg=/ipns/{k1}&nocache=true&timeout=60s"),
        beyond("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true&sequence=0"),
        beyond("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true&sequence=9"),
        call("key/rename?arg=k1&arg=self"),
        call("key/rename?arg=k1&arg=k2"),
        call("key/rename?arg=none&arg=k3"),
        call("key/rename?arg=k2&arg=self"),
        call("key/rename?arg=k2"),
        call("key/list"),
        // The collector, which takes what was not pinned.
        shape("repo/gc"),
        call("block/stat?arg={big}&offline=true"),
        call("pin/ls?type=recursive&names=true&name=x"),
        call("cat?arg=/ipfs/{root}/foo"),
    ]
}

fn step(call: impl Into<String>, content: Option<Vec<u8>>, compared: Compared) -> Step {
    Step {
        call: call.into(),
        content,
        compared,
    }
}

fn call(call: impl Into<String>) -> Step {
    step(call, None, Compared::Whole)
}

fn shape(call: &str) -> Step {
    step(call, None, Compared::Shape)
}

fn beyond(call: &str) -> Step {
    step(call, None, Compared::Beyond)
}

fn upload(call: &str, content: Vec<u8>) -> Step {
    step(call, Some(content), Compared::Whole)
}

fn upload_beyond(call: &str, content: Vec<u8>) -> Step {
    step(call, Some(content), Compared::Beyond)
}

fn raw_cid(content: &[u8]) -> Cid {
    cid_of(CidVersion::V1, RAW, content)
}

/// A section of a CAR whose CID is `named`'s and whose content may be another.
fn section(named: &[u8], content: &[u8]) -> Vec<u8> {
    let mut car = Vec::new();
    write_block(&mut car, &raw_cid(named), content);
    car
}

/// The root of a directory with 4,000 entries that are all one file, and a CAR
/// of its shards and the file.
fn sharded_directory() -> (String, Vec<u8>) {
    let file = b"\x0a\x13\x08\x02\x12\x0dHello, world!\x18\x0d";
    let entry = Entry {
        cid: cid_of(CidVersion::V0, DAG_PB, file),
        size: file.len() as u64,
    };
    let name = |i: u32| match i {
        0 => "17".to_owned(),
        _ => format!("{i:040}"),
    };
    let changes: Changes = (0..4000).map(|i| (name(i), Some(entry))).collect();
    let mut car = header(&[]);
    write_block(&mut car, &entry.cid, file);
    let mut put = |cid, block: Vec<u8>| {
        write_block(&mut car, &cid, &block);
        Ok(())
    };
    let root = patch(&Nothing, None, changes, CidVersion::V0, &mut put).unwrap();
    (root.cid.to_string(), car)
}
