//! Parse, run, exit code.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use guix_ipfs::{cli, commands};
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = commands::run(&cli::parse());
    ExitCode::from(exit as u8)
}
