//! Files of JSON objects, one a line. A line that cannot be parsed is skipped: a
//! newer program may have written it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The objects of a file.
pub fn read<T: DeserializeOwned>(file: &[u8]) -> Vec<T> {
    let lines = file.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The file of these objects.
pub fn write<'t, T: Serialize + 't>(objects: impl IntoIterator<Item = &'t T>) -> Vec<u8> {
    let mut file = Vec::new();
    for object in objects {
        // Structs of text and numbers always serialise.
        let _ = serde_json::to_writer(&mut file, object);
        file.push(b'\n');
    }
    file
}
