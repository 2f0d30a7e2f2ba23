//! The way to a node: its address, and this program's authorization there.

use super::contract::Node;
use super::error::NodeError;
use super::kubo::{
    AUTHORIZATION_VARIABLE, Address, AddressError, Authorization, AuthorizationError, KuboNode,
    TimeLimits,
};
use super::local::LocalNode;
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::home::{BaseDirectory, NoHome, folder, home_dir, variable};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// The value of `--api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddress {
    /// A Kubo whose RPC listens there.
    Kubo(Address),
    /// The local store in this folder, or in the user's own.
    Local(Option<PathBuf>),
}

/// The terms of opening a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Without one, the Kubo of this machine.
    pub address: Option<NodeAddress>,
    /// A file with this program's authorization for a Kubo.
    pub authorization_file: Option<PathBuf>,
    /// The limits of a connection to a Kubo.
    pub limits: TimeLimits,
}

/// The reasons why a node cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The node refuses, or is not there.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No node answers where none was named, and there is a local store.
    #[error("{error}")]
    OnlyAStore {
        /// The node that does not answer.
        error: NodeError,
        /// The folder of the local store.
        folder: PathBuf,
    },
    /// `$IPFS_PATH/api` holds no address.
    #[error("in $IPFS_PATH/api: {0}")]
    Address(#[from] AddressError),
    /// The file or variable that should hold a secret does not.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// No folder for the local store is known.
    #[error(transparent)]
    NoHome(#[from] NoHome),
}

/// Opens the node.
///
/// # Errors
/// When it is not there, cannot be used, or its address cannot be read.
pub fn open(options: &NodeOptions) -> Result<Box<dyn Node>, OpenError> {
    let mut address = match &options.address {
        Some(NodeAddress::Local(named)) => {
            let folder = local_folder(named.clone())?;
            return Ok(Box::new(LocalNode::open(&folder)?));
        }
        Some(NodeAddress::Kubo(address)) => address.clone(),
        None => local_daemon()?,
    };
    let secret = variable(AUTHORIZATION_VARIABLE);
    let secret = secret.as_ref().and_then(|secret| secret.to_str());
    let file = options.authorization_file.as_deref();
    let named = Authorization::find(file, secret)?;
    address.authorization = named.or(address.authorization);
    match KuboNode::connect(&address, options.limits) {
        Ok(node) => Ok(Box::new(node)),
        Err(error) if options.address.is_none() && error.is_unavailable() => Err(instead_of(error)),
        Err(error) => Err(error.into()),
    }
}

/// Opens another node than that of `--api`. Nothing of the environment is sent there.
///
/// # Errors
/// As [`open`].
pub fn open_named(
    address: &NodeAddress,
    authorization_file: Option<&Path>,
    limits: TimeLimits,
) -> Result<Box<dyn Node>, OpenError> {
    match address {
        NodeAddress::Local(named) => {
            let folder = local_folder(named.clone())?;
            Ok(Box::new(LocalNode::open(&folder)?))
        }
        NodeAddress::Kubo(address) => {
            let mut address = address.clone();
            let named = Authorization::find(authorization_file, None)?;
            address.authorization = named.or(address.authorization);
            Ok(Box::new(KuboNode::connect(&address, limits)?))
        }
    }
}

/// The error of a node that does not answer, with the local store that may be meant.
fn instead_of(error: NodeError) -> OpenError {
    match local_folder(None) {
        Ok(folder) if folder.is_dir() => OpenError::OnlyAStore { error, folder },
        _ => OpenError::Node(error),
    }
}

/// The folder of the local store: as named, or the user's own.
///
/// # Errors
/// [`NoHome`].
pub fn local_folder(named: Option<PathBuf>) -> Result<PathBuf, NoHome> {
    match named {
        Some(folder) => Ok(folder),
        None => folder(BaseDirectory::Data),
    }
}

fn local_daemon() -> Result<Address, AddressError> {
    let ipfs_path = variable("IPFS_PATH").map(PathBuf::from);
    let ipfs_path = ipfs_path.or_else(|| Some(home_dir()?.join(".ipfs")));
    Address::of_local_daemon(ipfs_path.as_deref())
}

impl NodeAddress {
    /// The address as `--api` takes it from anywhere on this machine, without a secret.
    ///
    /// # Errors
    /// [`NoHome`].
    pub fn spelled(&self) -> Result<String, NoHome> {
        match self {
            Self::Kubo(address) => Ok(address.url.clone()),
            Self::Local(named) => {
                let folder = local_folder(named.clone())?;
                let folder = std::path::absolute(&folder).unwrap_or(folder);
                Ok(format!("embedded:{}", folder.display()))
            }
        }
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("embedded") {
            Some("") => Ok(Self::Local(None)),
            Some(folder) if folder.len() > 1 && folder.starts_with(':') => {
                Ok(Self::Local(Some(PathBuf::from(&folder[1..]))))
            }
            _ => text.parse().map(Self::Kubo),
        }
    }
}

impl Diagnosis for OpenError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Node(error) => error.advice(),
            Self::OnlyAStore { folder, .. } => Some(format!(
                "there is a local store in {}: name it with --api embedded or \
                 GUIX_IPFS_API=embedded; or start a node with `ipfs daemon`",
                folder.display()
            )),
            Self::Address(error) => error.advice(),
            Self::Authorization(error) => error.advice(),
            Self::NoHome(error) => error.advice(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Node(error) | Self::OnlyAStore { error, .. } => error.retry(),
            _ => Retry::Never,
        }
    }
}
