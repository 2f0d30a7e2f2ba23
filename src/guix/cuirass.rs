//! The build farm's list of latest builds: `GET /api/latestbuilds` of Cuirass.
//!
//! Read loosely on purpose: servers of 2018 lack fields that today's have, any field
//! can be null, an object can repeat a key, and what is no build, or no JSON (such as
//! NaN), spoils only the element that it stands in.

use super::store_path::StorePath;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
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

/// An answer of the build farm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatestBuilds {
    /// The builds that succeeded, in the server's order.
    pub builds: Vec<Build>,
    /// The number of all that were listed, whatever became of them.
    pub listed: usize,
}

/// Reads the builds that succeeded among the first `count` of the list, in the
/// server's order (newest evaluation first). Elements that are not builds are
/// skipped.
///
/// # Errors
/// The bytes are not an array, or one that holds elements and no build.
pub fn parse_latest_builds(bytes: &[u8], count: usize) -> Result<LatestBuilds, CuirassError> {
    let elements = elements(bytes)?;
    let objects = elements.iter().map(|element| Object::read(element));
    if !elements.is_empty() && !objects.clone().any(|object| object.is_some()) {
        return Err(CuirassError::NoBuild(elements.len()));
    }
    let objects = objects.take(count).flatten();
    Ok(LatestBuilds {
        builds: objects
            .filter_map(|object| object.successful_build())
            .collect(),
        listed: elements.len().min(count),
    })
}

/// The reason why an answer is not a list of builds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CuirassError {
    /// The answer does not begin with a bracket.
    #[error("it is not an array")]
    NotAnArray,
    /// The array lacks its end.
    #[error("it ends in the middle")]
    Cut,
    /// The array does not end where it should, or something follows it.
    #[error("its brackets do not match at byte {0}")]
    Brackets(usize),
    /// None of its elements is an object.
    #[error("none of its {0} elements is a build")]
    NoBuild(usize),
}

/// The elements of an array, not parsed yet: only strings and brackets are looked at.
fn elements(bytes: &[u8]) -> Result<Vec<&[u8]>, CuirassError> {
    let body = bytes.trim_ascii();
    let offset = bytes.len() - bytes.trim_ascii_start().len();
    match body.first() {
        None => return Err(CuirassError::Cut),
        Some(b'[') => {}
        Some(_) => return Err(CuirassError::NotAnArray),
    }
    let mut elements = Vec::new();
    let mut begin = 1;
    let mut depth: usize = 1;
    let mut in_string = false;
    let mut is_escaped = false;
    for (at, byte) in body.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b',' if depth == 1 => {
                elements.push(&body[begin..at]);
                begin = at + 1;
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let last = &body[begin..at];
            if *byte != b']' || at + 1 != body.len() {
                return Err(CuirassError::Brackets(offset + at));
            }
            if !elements.is_empty() || !last.trim_ascii().is_empty() {
                elements.push(last);
            }
            return Ok(elements);
        }
    }
    Err(CuirassError::Cut)
}

/// An object with every pair, also those of a repeated key; the values are not parsed
/// yet.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The object that a value is.
    fn read(value: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    fn successful_build(&self) -> Option<Build> {
        if self.text("buildstatus").as_deref() != Some(SUCCEEDED) {
            return None;
        }
        let outputs = self.0.iter().filter(|(name, _)| name == "buildoutputs");
        let outputs = outputs.filter_map(|(_, outputs)| Object::read(outputs.get().as_bytes()));
        let paths = outputs
            .flat_map(|outputs| outputs.0)
            .filter_map(|(_, output)| {
                let output = Object::read(output.get().as_bytes())?;
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
        let builds = parse_latest_builds(bytes, 9)?.builds;
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
        let first = &builds[0];
        assert_eq!(first.job.as_deref(), Some("rig-tools-1.2.3.x86_64-linux"));
        assert_eq!(first.nix_name.as_deref(), Some("rig-tools-1.2.3"));
        assert_eq!(first.system.as_deref(), Some("x86_64-linux"));
        Ok(())
    }

    #[test]
    fn a_repeated_key_loses_no_output() -> Outcome {
        let builds = parse_latest_builds(
            br#"[{"buildstatus": 0, "buildoutputs": {
                "out": {"path": "/gnu/store/vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv-a"},
                "out": {"path": "/gnu/store/qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq-b"}}}]"#,
            1,
        )?;
        assert_eq!(outputs(&builds.builds).len(), 2);
        Ok(())
    }

    #[test]
    fn missing_null_and_odd_fields_are_tolerated() -> Outcome {
        let builds = parse_latest_builds(
            br#"[{"buildstatus": "0", "id": "7", "job": null, "project": 1.5, "buildoutputs":
                {"out": {"path": "/nix/store/x"}, "doc": null, "lib": {}, "bin": {"path": 3}}},
                {"buildstatus": 0, "buildoutputs": null}, {"buildstatus": null},
                {"buildstatus": -1}, {"buildstatus": false}, {}]"#,
            30,
        )?;
        assert_eq!(builds.listed, 6);
        let builds = builds.builds;
        assert_eq!(builds.len(), 2);
        assert_eq!((builds[0].id, builds[0].job.as_deref()), (Some(7), None));
        assert!(outputs(&builds).is_empty());
        assert!(parse_latest_builds(b"[]", 30)?.builds.is_empty());
        Ok(())
    }

    #[test]
    fn an_element_that_is_no_build_is_passed_over() -> Outcome {
        let pairs = vec!["\"a\": 0"; 1001].join(",");
        let large = format!("{{{pairs}}}");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let good = "{\"buildstatus\": 0, \"job\": \"]},[\\\"\"}";
        for odd in [
            "null",
            "1",
            "\"{\"",
            "[]",
            "{\"a\": NaN}",
            "{\"a\": [nan, -Infinity]}",
            "undefined",
            "",
            "{\"a\" 1}",
            "{\"a\": \u{e9}}",
            &large,
            &deep,
        ] {
            let list = format!(" [{odd}, {good},{odd} , {good}]\n");
            let builds = parse_latest_builds(list.as_bytes(), 30);
            let builds = builds.map_err(|error| format!("{odd}: {error}"))?;
            assert_eq!((builds.builds.len(), builds.listed), (2, 4), "{odd}");
            for (count, builds) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)] {
                let first = parse_latest_builds(list.as_bytes(), count);
                assert_eq!(first.map(|first| first.builds.len()), Ok(builds), "{odd}");
            }
        }
        Ok(())
    }

    #[test]
    fn anything_but_a_list_of_builds_is_refused() {
        for text in [
            "{}", "\"a\"", "1.5", "null", "[{}],", "[{}] x", "[{}}", "[}", "<html>", "[1, 2]",
            "[null]",
        ] {
            let error = parse_latest_builds(text.as_bytes(), 30).unwrap_err();
            assert_ne!(error, CuirassError::Cut, "{text}");
        }
        let bytes = include_bytes!("../../fixtures/latestbuilds.json").trim_ascii();
        for cut in 0..bytes.len() {
            let builds = parse_latest_builds(&bytes[..cut], 30);
            assert_eq!(builds, Err(CuirassError::Cut), "{cut}");
        }
    }
}
