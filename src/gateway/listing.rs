//! The page of a directory.

use super::path::folder;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::for_each;
use crate::node::Node;
use crate::util::url::RESERVED;
use percent_encoding::utf8_percent_encode;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// Writes the entries of `directory`, which lies at the path of these segments.
pub fn write(
    node: &dyn Node,
    directory: &Cid,
    segments: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    let title = escaped(&format!("/{}", segments.join("/")));
    let folder = folder(segments);
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<ul>"
    )?;
    let written = for_each(&node, directory, &mut |name, entry| {
        let target = utf8_percent_encode(name, RESERVED);
        let (name, size) = (escaped(name), entry.size);
        match writeln!(
            out,
            "<li><a href=\"{folder}/{target}\">{name}</a> {size} bytes"
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    });
    match written.map_err(io::Error::other)? {
        ControlFlow::Continue(()) => writeln!(out, "</ul>"),
        ControlFlow::Break(error) => Err(error),
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
