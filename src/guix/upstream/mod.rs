//! The client of a substitute server.

mod client;
mod error;
mod pace;
mod response;
#[cfg(test)]
mod tests;

pub use client::{BuildQuery, ConnectionLimits, UpstreamClient};
pub use error::HttpError;
pub use response::Download;
