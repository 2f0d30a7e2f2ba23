//! A small synchronous HTTP/1.1 server, on loopback only: a thread a connection,
//! answers as streams, and no bodies of requests.

mod request;
mod response;
mod server;

pub use request::Request;
pub use response::{Content, Response};
pub use server::Server;
