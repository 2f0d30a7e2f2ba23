//! The build farm's list of latest builds: `GET /api/latestbuilds` of Cuirass.
//!
//! Read loosely on purpose: servers of 2018 lack fields that today's have, any field
//! can be null, and an object can repeat a key.

use super::store_path::StorePath;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// `buildstatus` of a build that succeeded (`cuirass/database.scm`). Failed builds are
/// listed with output paths, too.
const SUCCEEDED: &str = "0";

/// Pairs of the largest object accepted; a build has some twenty.
const MAX_PAIRS: usize = 1000;

/// A build that succeeded. The server can still lack its outputs: they may be collected
/// already, or not compressed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The farm's number of the build.
    pub id: Option<u64>,
    /// Such as `hello-2.12.1.x86_64-linux` or `hello.x86_64-linux`.
    pub job: Option<String>,
    /// The package's name with its version, such as `hello-2.12.1`.
    pub nix_name: Option<String>,
    /// Such as `x86_64-linux`.
    pub system: Option<String>,
    /// Every output (`out`, `doc`, `lib` …) that is a store path, as listed.
    pub outputs: Vec<StorePath>,
}

/// Reads the builds that succeeded, in the server's order (newest evaluation first).
///
/// # Errors
/// The bytes are not JSON, not an array, or an element is not an object.
pub fn parse_latest_builds(bytes: &[u8]) -> Result<Vec<Build>, CuirassError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let builds = deserializer.deserialize_seq(Builds)?;
    deserializer.end()?;
    Ok(builds)
}

/// The error of an answer that is not a list of builds.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CuirassError(#[from] serde_json::Error);

impl CuirassError {
    /// Returns true if the JSON lacks its end.
    pub(super) fn is_cut_short(&self) -> bool {
        self.0.is_eof()
    }
}

/// The visitor of the whole answer. Each element is dropped before the next is read, so
/// that memory holds only the builds that succeeded.
struct Builds;

impl<'de> Visitor<'de> for Builds {
    type Value = Vec<Build>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of builds")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Build>, A::Error> {
        let mut builds = Vec::new();
        while let Some(element) = seq.next_element::<Object>()? {
            builds.extend(element.successful_build());
        }
        Ok(builds)
    }
}

/// An object with every pair, also those of a repeated key; the values are not parsed
/// yet.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl Object<'_> {
    fn successful_build(&self) -> Option<Build> {
        if self.text("buildstatus").as_deref() != Some(SUCCEEDED) {
            return None;
        }
        let outputs = self.objects("buildoutputs");
        let outputs = outputs.flat_map(|outputs| outputs.0);
        let paths = outputs.filter_map(|(_, output)| {
            let output: Object<'_> = serde_json::from_str(output.get()).ok()?;
            output.text("path")?.parse().ok()
        });
        Some(Build {
            id: self.text("id").and_then(|id| id.parse().ok()),
            job: self.text("job"),
            nix_name: self.text("nixname"),
            system: self.text("system"),
            outputs: paths.collect(),
        })
    }

    /// The values under `key` that are objects.
    fn objects<'s>(&'s self, key: &'s str) -> impl Iterator<Item = Object<'s>> {
        let values = self.0.iter().filter(move |(name, _)| name == key);
        values.filter_map(|(_, value)| serde_json::from_str(value.get()).ok())
    }

    /// The last value under `key`, if it is a string or an integer.
    fn text(&self, key: &str) -> Option<String> {
        let (_, value) = self.0.iter().rfind(|(name, _)| name == key)?;
        let text = serde_json::from_str::<String>(value.get()).ok();
        let number = || serde_json::from_str::<i128>(value.get()).ok();
        text.or_else(|| Some(number()?.to_string()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            if pairs.len() == MAX_PAIRS {
                let reason = format!("an object has more than {MAX_PAIRS} pairs");
                return Err(A::Error::custom(reason));
            }
            pairs.push(pair);
        }
        Ok(Object(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::fixtures::Outcome;

    fn outputs(builds: &[Build]) -> Vec<String> {
        let paths = builds.iter().flat_map(|b| &b.outputs);
        paths.map(StorePath::basename).collect()
    }

    #[test]
    fn the_outputs_of_successful_builds_are_listed_and_no_others() -> Outcome {
        let bytes = include_bytes!("../../fixtures/latestbuilds.json");
        let builds = parse_latest_builds(bytes)?;
        let ids: Vec<_> = builds.iter().filter_map(|b| b.id).collect();
        assert_eq!(ids, [9000, 9001, 9002, 9003, 9004, 9005, 9008]);
        assert_eq!(
            outputs(&builds),
            [
                "y023qcgjv7nsp8snwi2q1569mig8hyjj-rig-tools-1.2.3",
                "yjawwm7f7ipzmqkvafs4rczshnmhs2mh-rig-refers-0.1",
                "87lclyz1pm0djvpm7czc8gcv3l4s2lx9-rig-multi-2.0-doc",
                "hl4y0m0hqzpgw82b3ki6099j92jv9j6q-rig-multi-2.0",
                "xgnd1mpzzjwy9jcm4lgr00liwmnfzn94-rig-big-0.0.1",
                "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5-gtk+-3.24.30",
                "hz8xc542z4ycr7z1b9b81g2aqh455gsk-rig-source-1.0.tar.gz",
                "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv-rig-gone-0.9",
            ]
        );
        assert_eq!(
            builds[0].job.as_deref(),
            Some("rig-tools-1.2.3.x86_64-linux")
        );
        assert_eq!(builds[0].nix_name.as_deref(), Some("rig-tools-1.2.3"));
        assert_eq!(builds[0].system.as_deref(), Some("x86_64-linux"));
        Ok(())
    }

    #[test]
    fn a_repeated_key_loses_no_output() -> Outcome {
        let builds = parse_latest_builds(
            br#"[{"buildstatus": 0, "buildoutputs": {
                "out": {"path": "/gnu/store/vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv-a"},
                "out": {"path": "/gnu/store/qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq-b"}}}]"#,
        )?;
        assert_eq!(outputs(&builds).len(), 2);
        Ok(())
    }

    #[test]
    fn missing_null_and_odd_fields_are_tolerated() -> Outcome {
        let builds = parse_latest_builds(
            br#"[{"buildstatus": "0", "id": "7", "job": null, "project": 1.5, "buildoutputs":
                {"out": {"path": "/nix/store/x"}, "doc": null, "lib": {}, "bin": {"path": 3}}},
                {"buildstatus": 0, "buildoutputs": null}, {"buildstatus": null},
                {"buildstatus": -1}, {"buildstatus": false}, {}]"#,
        )?;
        assert_eq!(builds.len(), 2);
        assert_eq!((builds[0].id, builds[0].job.as_deref()), (Some(7), None));
        assert!(outputs(&builds).is_empty());
        assert!(parse_latest_builds(b"[]")?.is_empty());
        Ok(())
    }

    #[test]
    fn anything_but_a_list_of_builds_is_refused() {
        let pairs = vec!["\"a\": 0"; 1001].join(",");
        let large = format!("[{{{pairs}}}]");
        for text in [
            "{}", "\"a\"", "1.5", "null", "[{}, 1]", "[{}],", "<html>", &large,
        ] {
            let error = parse_latest_builds(text.as_bytes()).unwrap_err();
            assert!(!error.is_cut_short(), "{text}");
        }
        for cut in ["", "[{}", "[{\"buildstatus\": 0"] {
            let error = parse_latest_builds(cut.as_bytes()).unwrap_err();
            assert!(error.is_cut_short(), "{cut}");
        }
    }
}
