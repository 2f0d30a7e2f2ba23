//! Parse, run, exit code: nothing else.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use guix_ipfs::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = guix_ipfs::commands::run(&cli::parse());
    ExitCode::from(exit as u8)
}
