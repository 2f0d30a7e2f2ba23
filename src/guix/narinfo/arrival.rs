//! The faults of a transfer that show in the bytes of a narinfo.

use super::error::NarinfoError;
use super::parsed::{Narinfo, is_line_of};

/// The reason why bytes are not a narinfo as a server has it: another thing, such as a
/// page, or the beginning of one. `None` for everything else, also for a narinfo that
/// is malformed.
///
/// `is_whole` says that the bytes are known to be all. Otherwise the connection may
/// have ended early, and what is missing then is the end: every server ends the last
/// line as well.
pub(in super::super) fn fault_of_transfer(bytes: &[u8], is_whole: bool) -> Option<&'static str> {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    if !lines.any(|line| is_line_of(line, "StorePath")) {
        return Some("is not a narinfo");
    }
    let lacks_lines = || {
        matches!(
            Narinfo::parse(bytes),
            Err(NarinfoError::Missing(_) | NarinfoError::NoCompression(_))
        )
    };
    match !is_whole && (!bytes.ends_with(b"\n") || lacks_lines()) {
        true => Some("ended in the middle of the narinfo"),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::{Outcome, narinfos};

    #[test]
    fn a_cut_narinfo_is_told_from_a_whole_one_unless_lines_of_variants_are_missing() -> Outcome {
        for (_, narinfo) in narinfos("substitute-server")? {
            let bytes = narinfo.bytes();
            assert_eq!(fault_of_transfer(bytes, false), None);
            for cut in 0..bytes.len() {
                let bytes = &bytes[..cut];
                let is_usable = bytes.ends_with(b"\n") && Narinfo::parse(bytes).is_ok();
                assert_eq!(fault_of_transfer(bytes, false).is_none(), is_usable);
            }
        }
        Ok(())
    }

    #[test]
    fn pages_are_no_narinfos_and_malformed_narinfos_are_no_pages() {
        for page in [&b""[..], b"<html>", b"busy\n", b"\x1f\x8b\x08", b"URL: x\n"] {
            assert!(fault_of_transfer(page, true).is_some());
        }
        for malformed in ["StorePath: x", "a\nStorePath:\r\n", "StorePath: \u{e9}\n?"] {
            assert_eq!(fault_of_transfer(malformed.as_bytes(), true), None);
        }
    }
}
