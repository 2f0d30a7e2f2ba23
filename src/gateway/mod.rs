//! A node over HTTP, read-only, for the programs of this machine.

mod handler;
pub mod http;
mod listing;
mod path;
#[cfg(test)]
mod tests;

pub use handler::serve;
