//! The blocks of a gateway, each checked against its CID: a gateway cannot make them up.
//! Source: <https://specs.ipfs.tech/http-gateways/trustless-gateway/>.

use super::finding::{Judgement, Verdict};
use crate::guix::{HttpAnswer, HttpError, UpstreamClient};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, inlined, matches};
use crate::node::{Node, NodeError};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// The longest block that is taken, in bytes: the most that any node sends.
const MAX_BLOCK_BYTES: u64 = 2 << 20;

/// Blocks that are kept, as many as the way to a few files has.
const MOST_KEPT: usize = 64;

/// The type of a block.
const RAW_BLOCK: &str = "application/vnd.ipld.raw";

/// The reason why a block cannot be had.
#[derive(Debug, Error)]
pub enum BlockFault {
    /// The connection failed.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// The gateway answers with another status than 200.
    #[error("block {cid}: {}", status_text(answer))]
    Status {
        /// The block.
        cid: Box<Cid>,
        /// The answer.
        answer: Box<HttpAnswer>,
    },
    /// The answer is no block.
    #[error("it serves no blocks")]
    NotABlock,
    /// The bytes are not those of the block.
    #[error("sends other bytes for the block {0}")]
    Wrong(Box<Cid>),
    /// The node does not send it either.
    #[error("{0}")]
    Node(#[from] NodeError),
}

impl BlockFault {
    /// The judgement on what needs the block.
    pub fn judgement(&self) -> Judgement {
        let verdict = match self {
            Self::NotABlock => Verdict::Note,
            Self::Wrong(_) => Verdict::Wrong,
            Self::Http(_) | Self::Status { .. } | Self::Node(_) => Verdict::Unreachable,
        };
        (verdict, self.to_string())
    }
}

/// A status in words, with the first words of the body: gateways say there what failed.
pub fn status_text(answer: &HttpAnswer) -> String {
    let status = answer.status;
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().next().unwrap_or_default().trim();
    match is_of_type(answer, "text/plain") && !line.is_empty() {
        true => {
            let begun: String = line.chars().take(120).collect();
            format!("status {status} ({begun})")
        }
        false => format!("status {status}"),
    }
}

/// Returns true for a body of this type.
pub fn is_of_type(answer: &HttpAnswer, kind: &str) -> bool {
    let of_body = answer.header("content-type");
    of_body.is_some_and(|of_body| of_body.starts_with(kind))
}

/// The blocks that a gateway hands out; where it has given up to do so, those of the node.
pub struct GatewayBlocks<'c> {
    client: &'c UpstreamClient,
    instead: Option<&'c dyn Node>,
    kept: Mutex<HashMap<Cid, Vec<u8>>>,
}

impl<'c> GatewayBlocks<'c> {
    /// The blocks of this gateway.
    pub fn of_gateway(client: &'c UpstreamClient) -> Self {
        Self {
            client,
            instead: None,
            kept: Mutex::default(),
        }
    }

    /// The same blocks from the node instead.
    pub fn of_node(self, node: &'c dyn Node) -> Self {
        let instead = Some(node);
        Self { instead, ..self }
    }

    fn fetch(&self, cid: &Cid) -> Result<Vec<u8>, BlockFault> {
        if let Some(node) = self.instead {
            return Ok(node.fetch_block(cid)?);
        }
        let accept = [("accept", RAW_BLOCK.to_owned())];
        let path = format!("ipfs/{cid}?format=raw");
        let answer = self.client.ask(&path, &accept, MAX_BLOCK_BYTES)?;
        match answer.status {
            200 => {}
            // A gateway that serves no blocks.
            400 | 406 | 415 | 501 => return Err(BlockFault::NotABlock),
            _ => {
                let (cid, answer) = (Box::new(*cid), Box::new(answer));
                return Err(BlockFault::Status { cid, answer });
            }
        }
        match matches(cid, &answer.body) {
            _ if !is_of_type(&answer, RAW_BLOCK) => Err(BlockFault::NotABlock),
            true => Ok(answer.body),
            false => Err(BlockFault::Wrong(Box::new(*cid))),
        }
    }
}

impl Blocks for GatewayBlocks<'_> {
    type Error = BlockFault;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, BlockFault> {
        if let Some(content) = inlined(cid) {
            return Ok(content.to_vec());
        }
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept().get(cid) {
            return Ok(block.clone());
        }
        let block = self.fetch(cid)?;
        let mut kept = kept();
        if kept.len() < MOST_KEPT {
            kept.insert(*cid, block.clone());
        }
        Ok(block)
    }
}
