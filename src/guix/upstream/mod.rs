//! The client of a substitute server.

mod body;
mod client;
mod error;
mod pace;
mod range;
mod rate;
mod response;
mod resume;
#[cfg(test)]
mod tests;

pub use client::{BuildQuery, ConnectionLimits, UpstreamClient};
pub use error::HttpError;
pub use rate::RateLimit;
pub use resume::Download;
