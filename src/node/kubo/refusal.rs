//! Kubo's error texts, read once.

use super::super::error::{Problem, Refusal};

/// A part of each text that makes a difference, in lower case, and its kind. The
/// first that is found counts.
const TEXTS: [(&str, Refusal); 18] = [
    ("could not resolve name", Refusal::NotFound),
    // Before "could not find": "no key named NAME was found"
    ("no key named", Refusal::NoSuchKey),
    ("no space left", Refusal::StorageFull),
    ("context deadline exceeded", Refusal::SearchedInVain),
    // "block was not found locally (offline): ipld: could not find CID"
    ("could not find", Refusal::Missing),
    ("not found locally", Refusal::Missing),
    // "'from' cid was not recursively pinned already"
    ("not recursively pinned already", Refusal::NotPinned),
    // "path 'CID' is not pinned", "not pinned or pinned indirectly"
    ("not pinned", Refusal::NotPinned),
    // "'to' cid was already recursively pinned"
    ("already recursively pinned", Refusal::AlreadyPinned),
    ("can't publish while offline", Refusal::Offline),
    ("must be run in online mode", Refusal::Offline),
    ("no key by the given name", Refusal::NoSuchKey),
    // "key with name 'NAME' already exists", "key by that name already exists, …"
    ("already exists", Refusal::KeyExists),
    // "cannot add links to a HAMTShard…", "cannot add named links to a UnixFS File…"
    ("cannot add links", Refusal::NotPlain),
    ("cannot add named links", Refusal::NotPlain),
    ("expected protobuf dag node", Refusal::NotPlain),
    // "could not retrieve links for CID: unexpected EOF", of `repo/gc`
    ("could not retrieve links", Refusal::DamagedBlock),
    // "routing: not found", of `name/get`
    ("not found", Refusal::NotFound),
];

/// The refusal in these words.
pub fn refusal(message: String) -> Problem {
    let text = message.to_ascii_lowercase();
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    Problem::Refused {
        refusal: known.map_or(Refusal::Other, |(_, refusal)| *refusal),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::path::Path;

    fn kind(message: &str) -> Refusal {
        match refusal(message.to_owned()) {
            Problem::Refused { refusal, .. } => refusal,
            problem => panic!("{problem}"),
        }
    }

    #[test]
    fn texts_of_known_versions_are_read() {
        for (text, expected) in [
            (
                "block was not found locally (offline): ipld: could not find Qm",
                Refusal::Missing,
            ),
            (
                "'from' cid was not recursively pinned already",
                Refusal::NotPinned,
            ),
            (
                "could not retrieve links for Qm: block was not found locally (offline): ipld: \
                 could not find Qm",
                Refusal::Missing,
            ),
            (
                "could not retrieve links for Qm: unexpected EOF",
                Refusal::DamagedBlock,
            ),
            ("path 'Qm' is not pinned", Refusal::NotPinned),
            ("not pinned or pinned indirectly", Refusal::NotPinned),
            (
                "'to' cid was already recursively pinned",
                Refusal::AlreadyPinned,
            ),
            (
                "can't publish while offline: pass `--allow-offline` to override",
                Refusal::Offline,
            ),
            (
                "this action must be run in online mode, try running 'ipfs daemon' first",
                Refusal::Offline,
            ),
            ("no key by the given name was found", Refusal::NoSuchKey),
            ("no key named none was found", Refusal::NoSuchKey),
            ("key with name 'k' already exists", Refusal::KeyExists),
            (
                "cannot add links to a HAMTShard at the dag-pb level",
                Refusal::NotPlain,
            ),
            ("pin: context deadline exceeded", Refusal::SearchedInVain),
            ("could not resolve name: not found", Refusal::NotFound),
            (
                "write blocks/x: No space left on device",
                Refusal::StorageFull,
            ),
            ("anything else", Refusal::Other),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    /// Every refusal that a real Kubo gave to the commands of this client.
    #[test]
    fn recorded_answers_of_the_programs_own_calls_are_known() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut read = 0;
        for (file, command, expected) in [
            ("kubo-answers.json", "pin/update", Refusal::NotPinned),
            ("kubo-answers.json", "name/publish", Refusal::Offline),
            ("kubo-answers.json", "block/get", Refusal::Missing),
            ("kubo-0.31-answers.json", "name/publish", Refusal::Offline),
        ] {
            let answers = std::fs::read(fixtures.join(file)).unwrap();
            let answers: Vec<Value> = serde_json::from_slice(&answers).unwrap();
            let of_command = answers.iter().filter(|answer| {
                let call = answer["call"].as_str().unwrap();
                call.split('?').next() == Some(command)
            });
            let messages = of_command.filter_map(|answer| answer["answer"][0]["Message"].as_str());
            let kinds: Vec<Refusal> = messages.map(kind).collect();
            assert!(kinds.contains(&expected), "{file} {command}: {kinds:?}");
            read += kinds.len();
        }
        assert!(read > 6, "{read}");
    }
}
