//! Each RPC call that the program makes, its success and its refusals: the
//! embedded node answers what Kubo answered.
//!
//! `fixtures/kubo-answers.json` holds what a real Kubo said. With a Kubo at hand
//! it is asked again, and `GUIX_IPFS_TEST_RECORD=1` writes the file anew.

use crate::support::{Nothing, TestNode, fixture};
use guix_ipfs::ipfs::car::{header, write_block};
use guix_ipfs::ipfs::cid::{CidVersion, DAG_PB, RAW, cid_of};
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};
use serde_json::{Value, json};

on_both_nodes!(every_answer_is_the_one_that_kubo_gave);

/// A step of the conversation.
enum Step {
    /// A call with its query.
    Call(&'static str),
    /// The same, whose answer differs from node to node: only its shape counts.
    Shape(&'static str),
    /// A call with an upload.
    Upload(&'static str, Vec<u8>),
}
use Step::{Call, Shape, Upload};

/// Names in a query or an answer stand in braces, so that the file holds no
/// key of one node. These are the same everywhere.
const NAMES: [(&str, &str); 7] = [
    ("{empty}", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"),
    ("{hello}", "QmWGeRAEgtsHW3ec7U4qW2CyVy7eA2mFRVbk1nb24jFyks"),
    (
        "{raw}",
        "bafkreibrl5n5w5wqpdcdxcwaazheualemevr7ttxzbutiw74stdvrfhn2m",
    ),
    ("{root}", "QmTCL2V9raoGudzK7sTHMXJfwuRNUXKVRjH7PmKYpzp3wt"),
    ("{root2}", "QmXwuRkVBM9a37gCEcwR2GtE5ASjzzHLTtSuZTNUNoUQw4"),
    (
        "{missing}",
        "QmQy6xmJhrcC5QLboAcGFcAE1tC8CrwDVkrHdEYJkLscrQ",
    ),
    ("{big}", "QmPLLdrvqF6qukdJPzfxNNBhVQncSXhRxuJs2rybrKihko"),
];

const HELLO: &[u8] = b"Hello, world!";

fn steps(sharded: &str, shards: Vec<u8>) -> Vec<Step> {
    let whole = [header(&[raw_cid(HELLO)]), section(HELLO, HELLO)].concat();
    let forged = [header(&[]), section(HELLO, b"Hello, w0rld!")].concat();
    let hollow = [header(&[raw_cid(b"nowhere")]), section(HELLO, HELLO)].concat();
    let sharded_base: &'static str =
        format!("object/patch/add-link?arg={sharded}&arg=x&arg={{hello}}").leak();
    let sharded_ls: &'static str = format!("resolve?arg=/ipfs/{sharded}/17").leak();
    let sharded_none: &'static str = format!("resolve?arg=/ipfs/{sharded}/none").leak();
    vec![
        Shape("version"),
        Shape("id"),
        Shape("repo/stat?size-only=true"),
        Shape("config?arg=Addresses.Gateway"),
        Call("config?arg=No.Such"),
        Call("swarm/peers"),
        Call("routing/provide?arg={root}"),
        Call("no/such/command"),
        // Blocks and files.
        Upload(
            "block/put?cid-codec=dag-pb&mhtype=sha2-256",
            b"\x0a\x02\x08\x01".to_vec(),
        ),
        Upload("block/put?cid-codec=raw&mhtype=sha2-256", HELLO.to_vec()),
        Upload(
            "block/put?cid-codec=raw&mhtype=sha2-256",
            vec![0; 3_000_000],
        ),
        Call("block/put"),
        Upload("add?pin=false", HELLO.to_vec()),
        Upload("add?pin=false&cid-version=1", HELLO.to_vec()),
        Upload("add?pin=false", vec![0; 3_000_000]),
        Upload("add?pin=false", Vec::new()),
        Call("add"),
        Call("block/stat?arg={hello}&offline=true"),
        Call("block/stat?arg={missing}&offline=true"),
        Call("block/get?arg={hello}"),
        Call("block/get?arg={raw}"),
        Call("block/get?arg={missing}&offline=true"),
        Call("block/get?arg=bad"),
        Call("block/get"),
        Call("cat?arg={hello}"),
        Call("cat?arg={hello}&offline=maybe"),
        // Links.
        Call("object/patch/add-link?arg={empty}&arg=foo&arg={hello}"),
        Call("object/patch/add-link?arg={root}&arg=b&arg={hello}"),
        Call("object/patch/add-link?arg={root2}&arg=b&arg={hello}"),
        Call("object/patch/add-link?arg={root}&arg=b%2Bc%3Fd&arg={raw}"),
        Call("object/patch/add-link?arg={empty}&arg=&arg={hello}"),
        Call("object/patch/add-link?arg={empty}&arg=a/b&arg={hello}"),
        Call("object/patch/add-link?arg={empty}&arg=a/b&arg={hello}&create=true"),
        Call("object/patch/add-link?arg={hello}&arg=a&arg={hello}"),
        Call("object/patch/add-link?arg={raw}&arg=a&arg={hello}"),
        Call("object/patch/add-link?arg={missing}&arg=a&arg={hello}&offline=true"),
        Call("object/patch/add-link?arg={root}&arg=a&arg={missing}&offline=true"),
        Call("object/patch/add-link?arg={root}&arg=a&arg={big}"),
        Call("object/patch/add-link?arg={root}&arg=a&arg={big}&allow-big-block=true"),
        Call("object/patch/add-link?arg=bad&arg=a&arg={hello}"),
        Call("object/patch/add-link?arg={root}&arg=a"),
        // Paths.
        Call("resolve?arg=/ipfs/{root}/foo"),
        Call("resolve?arg={root}/foo"),
        Call("resolve?arg=/ipfs/{root}"),
        Call("resolve?arg=/ipfs/{root}/nope"),
        Call("cat?arg=/ipfs/{root}/foo"),
        Call("cat?arg={root}"),
        Call("ls?arg={root2}"),
        Call("ls?arg={hello}"),
        Call("ls?arg={missing}&offline=true"),
        // Pins.
        Call("pin/add?arg={root}&name=x/one"),
        Call("pin/add?arg={root}&name=x/two"),
        Call("pin/add?arg={missing}&timeout=2s"),
        Call("pin/ls?arg={root}&names=true"),
        Call("pin/ls?arg={root}"),
        Call("pin/ls?arg={hello}&type=recursive"),
        Call("pin/ls?arg={hello}"),
        Call("pin/ls?type=recursive&names=true&name=x/t"),
        Call("pin/ls?type=recursive&name=nothing"),
        Call("pin/ls?type=wrong"),
        Call("pin/update?arg={root}&arg={root2}&unpin=false"),
        Call("pin/update?arg={root}&arg={root2}&unpin=false"),
        Call("pin/update?arg={hello}&arg={root2}"),
        Call("pin/update?arg={root}&arg={missing}&timeout=2s"),
        Call("pin/update?arg={root}&arg={root}"),
        Call("pin/update?arg={root}"),
        Call("pin/ls?type=recursive&names=true&name=x"),
        Call("pin/rm?arg={root}"),
        Call("pin/rm?arg={root}"),
        Call("pin/rm?arg={hello}"),
        // CARs.
        Upload("dag/import?pin-roots=true&stats=true", whole.clone()),
        Upload("dag/import?pin-roots=false&stats=true", whole.clone()),
        Upload("dag/import?pin-roots=true", whole.clone()),
        Upload("dag/import?pin-roots=true&stats=true", forged),
        Upload("dag/import?pin-roots=true&stats=true", hollow),
        Upload("dag/import?stats=true", whole[..whole.len() - 2].to_vec()),
        Upload("dag/import?stats=true", b"garbage".to_vec()),
        Call("dag/import"),
        // A sharded directory.
        Upload("dag/import?pin-roots=false&stats=true", shards),
        Call(sharded_ls),
        Call(sharded_none),
        Call(sharded_base),
        // Keys and names.
        Call("key/gen?arg=k1&type=ed25519"),
        Call("key/gen?arg=k1&type=ed25519"),
        Call("key/gen?arg=self"),
        Call("key/gen"),
        Call("key/list"),
        Call("name/resolve?arg=/ipns/{k1}&nocache=true"),
        Call("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false"),
        Call("name/publish?arg=/ipfs/{root2}&key=none&resolve=false&allow-offline=true"),
        Call("name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true&lifetime=x"),
        Call("name/publish?arg=bad&key=k1&resolve=false&allow-offline=true"),
        Call("name/publish?arg=/ipfs/{missing}&key=k1&allow-offline=true"),
        Call(
            "name/publish?arg=/ipfs/{root2}&key=k1&resolve=false&allow-offline=true\
             &lifetime=48h&ttl=5m",
        ),
        Call("name/resolve?arg=/ipns/{k1}&nocache=true"),
        Call("name/resolve?arg={k1}"),
        Call("resolve?arg=/ipns/{k1}/b"),
        Call("cat?arg=/ipns/{k1}/b"),
        Call("ls?arg=/ipns/{k1}"),
        Call("key/rename?arg=k1&arg=k2"),
        Call("key/rename?arg=none&arg=k3"),
        Call("key/rename?arg=k2&arg=self"),
    ]
}

fn every_answer_is_the_one_that_kubo_gave(node: &TestNode) {
    let (sharded, shards) = sharded_directory();
    let mut names: Vec<(String, String)> = NAMES
        .iter()
        .map(|(name, cid)| (name.to_string(), cid.to_string()))
        .collect();
    let own = node.json("key/list")["Keys"][0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    names.push(("{self}".to_owned(), own));
    let mut answers = Vec::new();
    for step in steps(&sharded, shards) {
        let (Call(call) | Shape(call) | Upload(call, _)) = step;
        let query = names.iter().fold(call.to_owned(), |call, (name, value)| {
            call.replace(name, value)
        });
        let answer = match &step {
            Upload(_, content) => node.upload(&query, content),
            Call(_) | Shape(_) => node.rpc(&query),
        };
        let mut body = answer.text();
        if call.starts_with("key/gen") && answer.status == 200 {
            let key: Value = serde_json::from_str(&body).unwrap();
            names.push(("{k1}".to_owned(), key["Id"].as_str().unwrap().to_owned()));
        }
        for (name, value) in &names {
            body = body.replace(value, name);
        }
        let lines: Vec<Value> = body.lines().map(|line| line_value(&step, line)).collect();
        answers.push(json!({"call": call, "status": answer.status, "answer": lines}));
    }
    compare(node, &answers);
}

/// A line as JSON where it is that, and only its keys where only those count.
fn line_value(step: &Step, line: &str) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return Value::String(line.to_owned());
    };
    if let (Shape(_), Some(fields)) = (step, value.as_object_mut()) {
        for (_, field) in fields {
            *field = Value::Null;
        }
    }
    // Modes and times of files, which nobody asked for.
    let objects = value.get_mut("Objects").and_then(Value::as_array_mut);
    for object in objects.into_iter().flatten() {
        for link in object["Links"].as_array_mut().into_iter().flatten() {
            let link = link.as_object_mut().unwrap();
            link.remove("Mode");
            link.remove("ModTime");
        }
    }
    value
}

fn compare(node: &TestNode, answers: &[Value]) {
    let path = fixture("kubo-answers.json");
    if node.is_kubo() && std::env::var_os("GUIX_IPFS_TEST_RECORD").is_some() {
        let lines: Vec<String> = answers.iter().map(Value::to_string).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let known: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut differences = Vec::new();
    for (known, found) in known.iter().zip(answers) {
        if known != found {
            differences.push(format!("Kubo {known}\nhere {found}\n"));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    assert_eq!(known.len(), answers.len());
}

fn raw_cid(content: &[u8]) -> guix_ipfs::ipfs::cid::Cid {
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
