//! The embedded offline node: block store, pins, names, RPC server, gateway.
//!
//! No package registry carries Kubo, and a newcomer has no daemon. This node
//! answers the part of Kubo's RPC that the program uses, so that the rest of the
//! program does not know which of the two it talks to. It is there for trying
//! and testing: it knows no network, and listens on loopback only.
//!
//! Its folder holds `blocks/`, `keys/`, `pins.json`, `names.json`, `lock`, and
//! `api` while a node in the foreground serves it.

mod error;
mod file;
mod gateway;
mod guard;
pub mod http;
mod http_body;
mod keys;
mod multipart;
mod names;
mod path;
mod pins;
mod read;
mod repo;
mod rpc;
mod store;
mod table;
mod walk;

pub use error::EmbeddedError;

use gateway::Gateway;
use http::{Handler, Server};
use repo::{Repo, api_file, remove_if_there};
use rpc::Rpc;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A node that runs until it is dropped.
pub struct Running {
    rpc: Server,
    gateway: Option<Server>,
    /// Where others read its address, if it is to be found.
    api: Option<PathBuf>,
}

impl Running {
    /// `http://127.0.0.1:PORT` of the RPC.
    pub fn rpc_url(&self) -> String {
        self.rpc.url()
    }

    /// `http://127.0.0.1:PORT` of the gateway, if it has one.
    pub fn gateway_url(&self) -> Option<String> {
        self.gateway.as_ref().map(Server::url)
    }

    /// Serves until the process is ended from outside.
    pub fn wait(&mut self) {
        self.rpc.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(api) = &self.api {
            // Left behind it does no harm: nobody reads it without the lock held.
            let _ = remove_if_there(api);
        }
    }
}

/// The RPC of the node in the foreground that serves `folder`, if one does.
///
/// # Errors
/// [`EmbeddedError::Busy`] when a process has the folder for itself.
pub fn served(folder: &Path) -> Result<Option<String>, EmbeddedError> {
    if !repo::is_open(folder)? {
        return Ok(None);
    }
    let path = api_file(folder);
    match fs::read_to_string(&path) {
        Ok(url) => Ok(Some(url.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(repo::busy(folder)),
        Err(error) => Err(EmbeddedError::io("read", path)(error)),
    }
}

/// Starts a node for this process alone, on a free port, without a gateway.
pub fn start_inside(folder: &Path) -> Result<Running, EmbeddedError> {
    let repo = Arc::new(Repo::open(folder)?);
    Ok(Running {
        rpc: listen(0, Rpc::new(repo, None))?,
        gateway: None,
        api: None,
    })
}

/// Starts a node that others find by its folder, with a gateway. Port 0 takes
/// any that is free.
pub fn start_foreground(
    folder: &Path,
    rpc_port: u16,
    gateway_port: u16,
) -> Result<Running, EmbeddedError> {
    let repo = Arc::new(Repo::open(folder)?);
    let gateway = listen(gateway_port, Gateway::new(Arc::clone(&repo)))?;
    let rpc = listen(rpc_port, Rpc::new(repo, Some(gateway.address().port())))?;
    let api = api_file(folder);
    file::write_whole(&api, format!("{}\n", rpc.url()).as_bytes())?;
    Ok(Running {
        rpc,
        gateway: Some(gateway),
        api: Some(api),
    })
}

fn listen(port: u16, handler: impl Handler) -> Result<Server, EmbeddedError> {
    Server::bind(port, handler).map_err(|source| EmbeddedError::Listen { port, source })
}
