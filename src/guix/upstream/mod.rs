//! The client of a substitute server.

mod agents;
mod certificates;
mod client;
mod error;
mod forward;
mod limits;
mod no_proxy;
mod pace;
mod private_network;
mod proxy;
mod response;
#[cfg(test)]
mod tests;

pub use client::{BuildQuery, UpstreamClient};
pub use error::HttpError;
pub use limits::ConnectionLimits;
pub use response::Download;
