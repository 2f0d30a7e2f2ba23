//! Numbers as people read them.

/// A number of items.
pub fn items(count: usize) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    }
}

/// A number of files.
pub fn files(count: usize) -> String {
    match count {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

/// A number of bytes.
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
