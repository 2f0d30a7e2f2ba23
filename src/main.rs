//! Parse, run, exit code: nothing else.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use clap::Parser;
use guix_ipfs::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = guix_ipfs::commands::run(&Cli::parse());
    ExitCode::from(exit as u8)
}
