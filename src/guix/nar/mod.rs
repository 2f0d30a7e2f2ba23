//! The nar: the archive of one store item, as a compressed file of the server.

mod checker;
mod decompress;
mod error;
mod expected;
mod file;
mod input;
pub(super) mod path;
mod reader;
mod relay;
#[cfg(test)]
mod tests;
mod unpacking;
mod until_end;
mod verify;

pub use error::NarError;
pub use expected::ExpectedNar;
pub use path::{NarPath, NarPathError};
pub use reader::NarReader;
pub use verify::NarVerifier;
