//! The RPC: the part of Kubo's `/api/v0` that this program uses, with Kubo's
//! answers and Kubo's errors.

mod blocks;
mod files;
mod import;
mod info;
mod link;
mod names;
mod options;
mod pins;

use super::EmbeddedError;
use super::guard::refuse;
use super::http::{Handler, Request, Response};
use super::repo::Repo;
use crate::ipfs::directory::TreeError;
use options::Options;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// The largest block, in bytes, that other nodes take
/// (<https://specs.ipfs.tech/bitswap-protocol/#block-sizes>).
const SOFT_BLOCK_LIMIT: u64 = 2 << 20;

/// Where the node's gateway answers, if it has one.
pub type GatewayPort = Option<u16>;

/// The RPC of one node.
pub struct Rpc {
    repo: Arc<Repo>,
    gateway: GatewayPort,
}

/// One request.
struct Call<'r, 'c> {
    repo: &'r Arc<Repo>,
    gateway: GatewayPort,
    options: Options,
    request: &'r mut Request<'c>,
}

/// Why a request fails.
enum Fault {
    /// An argument is missing or malformed: 400, in plain text.
    Usage(String),
    /// Everything else: 500, in JSON.
    Refused(String),
}

type Answer = Result<Response, Fault>;

impl Rpc {
    /// The RPC over `repo`.
    pub fn new(repo: Arc<Repo>, gateway: GatewayPort) -> Self {
        Self { repo, gateway }
    }
}

impl Handler for Rpc {
    fn handle(&self, request: &mut Request) -> Response {
        if let Some(refused) = refuse(request) {
            return refused;
        }
        let path = request.path.clone();
        let Some(command) = path.strip_prefix("/api/v0/") else {
            return Response::text(404, "404 page not found");
        };
        if request.method != "POST" {
            let allow = ("Allow", "OPTIONS, POST");
            return Response::text(405, "405 - Method Not Allowed").with(allow.0, allow.1);
        }
        let call = Call {
            repo: &self.repo,
            gateway: self.gateway,
            options: Options::parse(&request.query),
            request,
        };
        match dispatch(command, call) {
            Ok(response) => response.with("Server", agent()),
            Err(Fault::Usage(text)) => Response::text(400, &text),
            Err(Fault::Refused(text)) => {
                let body = json!({"Message": text, "Code": 0, "Type": "error"});
                let body = format!("{body}\n");
                Response::new(500, "application/json", body)
            }
        }
    }
}

fn dispatch(command: &str, call: Call) -> Answer {
    // It has nothing to say to a node without a network, but it can be wrong.
    call.options.flag("offline", false)?;
    match command {
        "version" => info::version(),
        "id" => info::id(&call),
        "config" => info::config(&call),
        "repo/stat" => info::repo_stat(&call),
        "repo/gc" => info::repo_gc(&call),
        "swarm/peers" => Err(offline("action")),
        "routing/provide" | "provide/once" => Err(offline("command")),
        "name/get" => Err(offline("action")),
        "add" => files::add(call),
        "cat" => files::cat(&call),
        "ls" => files::ls(&call),
        "resolve" => files::resolve(&call),
        "block/get" => blocks::get(&call),
        "block/put" => blocks::put(call),
        "block/stat" => blocks::stat(&call),
        "dag/import" => import::import(call),
        "object/patch/add-link" => link::add_link(&call),
        "pin/add" => pins::add(&call),
        "pin/update" => pins::update(&call),
        "pin/rm" => pins::rm(&call),
        "pin/ls" => pins::ls(&call),
        "key/list" => names::key_list(&call),
        "key/gen" => names::key_gen(&call),
        "key/rename" => names::key_rename(&call),
        "name/publish" => names::publish(&call),
        "name/resolve" => names::resolve(&call),
        _ => Ok(Response::text(404, "404 page not found")),
    }
}

/// What this node calls itself.
fn agent() -> &'static str {
    concat!("guix-ipfs/", env!("CARGO_PKG_VERSION"))
}

fn offline(what: &str) -> Fault {
    let text = match what {
        "action" => "this action must be run in online mode, try running 'ipfs daemon' first",
        _ => "this command must be run in online mode. Try running 'ipfs daemon' first",
    };
    Fault::Refused(text.to_owned())
}

fn one(value: &Value) -> Answer {
    Ok(Response::new(200, "application/json", format!("{value}\n")))
}

/// Several values, a line each.
fn many(values: &[Value]) -> Answer {
    let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
    Ok(Response::new(200, "application/json", lines))
}

fn check_block_size(options: &Options, size: u64) -> Result<(), Fault> {
    if size > SOFT_BLOCK_LIMIT && !options.flag("allow-big-block", false)? {
        return Err(refused(
            "produced block is over 2MiB: big blocks can't be exchanged with other peers. \
             consider using UnixFS for automatic chunking of bigger files, \
             or pass --allow-big-block to override",
        ));
    }
    Ok(())
}

fn refused(text: impl Into<String>) -> Fault {
    Fault::Refused(text.into())
}

impl From<EmbeddedError> for Fault {
    fn from(error: EmbeddedError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<TreeError<EmbeddedError>> for Fault {
    fn from(error: TreeError<EmbeddedError>) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Refused("unexpected EOF".to_owned()),
            _ => Self::Refused(error.to_string()),
        }
    }
}
