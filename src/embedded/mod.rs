//! The embedded offline node: block store, pins, names, RPC server, gateway.
#![allow(missing_docs)]
use std::path::Path;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct EmbeddedError;
impl EmbeddedError {
    pub fn is_busy(&self) -> bool {
        false
    }
}
pub struct Running;
impl Running {
    pub fn rpc_url(&self) -> &str {
        ""
    }
    pub fn gateway_url(&self) -> Option<&str> {
        None
    }
    pub fn wait(self) {}
}
pub fn served(_: &Path) -> Result<Option<String>, EmbeddedError> {
    Err(EmbeddedError)
}
pub fn start_inside(_: &Path) -> Result<Running, EmbeddedError> {
    Err(EmbeddedError)
}
pub fn start_foreground(_: &Path, _: u16, _: u16) -> Result<Running, EmbeddedError> {
    Err(EmbeddedError)
}
