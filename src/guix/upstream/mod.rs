//! The client of a substitute server.

mod agents;
mod asking;
mod body;
mod certificates;
mod client;
mod error;
mod failed_call;
mod forward;
mod limits;
mod no_proxy;
mod pace;
mod private_network;
mod proxy;
mod range;
mod rate;
mod response;
mod resume;
#[cfg(test)]
mod tests;

pub use asking::HttpAnswer;
pub use client::{BuildQuery, UpstreamClient};
pub use error::HttpError;
pub use limits::ConnectionLimits;
pub use rate::RateLimit;
pub use resume::Download;
