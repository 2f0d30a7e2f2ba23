//! The build farm's list of latest builds: `GET /api/latestbuilds` of Cuirass.
//!
//! Read loosely on purpose: servers of 2018 lack fields that today's have, any
//! field can be null, and an object can repeat a key.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::store_path::StorePath;

/// `buildstatus` of a build that succeeded (`cuirass/database.scm`). Failed
/// builds are listed with output paths, too.
const SUCCEEDED: &str = "0";

/// A build that succeeded. Its outputs can still be missing on the server:
/// collected already, or not compressed yet.
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

/// Pairs of the largest object accepted; a build has some twenty.
const MAX_PAIRS: usize = 1000;

/// Reads the builds that succeeded, in the server's order (newest evaluation
/// first). Failed and unfinished builds are left out.
///
/// # Errors
///
/// When the bytes are no JSON, no array, or an element is no object.
pub fn parse_latest_builds(bytes: &[u8]) -> Result<Vec<Build>, CuirassError> {
    let list: List = serde_json::from_slice(bytes)?;
    match list {
        List::Builds(builds) => Ok(builds),
        List::NotAnArray => Err(CuirassError::NotAnArray),
        List::NotAnObject(index) => Err(CuirassError::NotAnObject(index)),
    }
}

/// Why an answer is no list of builds.
#[derive(Debug, thiserror::Error)]
pub enum CuirassError {
    /// The bytes are no JSON: another kind of server, or an answer cut short.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not an array.
    #[error("it is not a JSON array")]
    NotAnArray,
    /// An element, counted from 0, that is no object.
    #[error("its element {0} is not an object")]
    NotAnObject(usize),
}

/// The build that an element is about, if it succeeded.
fn successful(element: &Json) -> Option<Build> {
    if element.text("buildstatus").as_deref() != Some(SUCCEEDED) {
        return None;
    }
    let outputs = element
        .all("buildoutputs")
        .flat_map(Json::values)
        .filter_map(|output| output.text("path")?.parse().ok())
        .collect();
    Some(Build {
        id: element.text("id").and_then(|id| id.parse().ok()),
        job: element.text("job"),
        nix_name: element.text("nixname"),
        system: element.text("system"),
        outputs,
    })
}

/// The whole answer. Each element is let go of before the next is read, so that
/// memory holds the builds that succeeded and no more.
enum List {
    Builds(Vec<Build>),
    NotAnArray,
    NotAnObject(usize),
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of builds")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
        let mut builds = Vec::new();
        let mut not_an_object = None;
        let mut index = 0;
        while let Some(element) = seq.next_element::<Json>()? {
            match element {
                Json::Object(_) => builds.extend(successful(&element)),
                _ => not_an_object = not_an_object.or(Some(index)),
            }
            index += 1;
        }
        Ok(not_an_object.map_or(List::Builds(builds), List::NotAnObject))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List::NotAnArray)
    }

    fn visit_str<E>(self, _: &str) -> Result<List, E> {
        Ok(List::NotAnArray)
    }

    fn visit_u64<E>(self, _: u64) -> Result<List, E> {
        Ok(List::NotAnArray)
    }

    fn visit_i64<E>(self, _: i64) -> Result<List, E> {
        Ok(List::NotAnArray)
    }

    fn visit_f64<E>(self, _: f64) -> Result<List, E> {
        Ok(List::NotAnArray)
    }

    fn visit_bool<E>(self, _: bool) -> Result<List, E> {
        Ok(List::NotAnArray)
    }

    fn visit_unit<E>(self) -> Result<List, E> {
        Ok(List::NotAnArray)
    }
}

/// JSON whose objects keep every pair, which `serde_json::Value` does not.
enum Json {
    /// A string, or an integer in decimal.
    Text(String),
    Object(Vec<(String, Json)>),
    /// Null, a boolean, a fraction, or an array: nothing that is read here.
    Other,
}

impl Json {
    /// Every value under `key`; none where this is no object.
    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Json> {
        self.pairs()
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value)
    }

    fn values(&self) -> impl Iterator<Item = &Json> {
        self.pairs().iter().map(|(_, value)| value)
    }

    /// The last value under `key`, if it is a string or an integer.
    fn text(&self, key: &str) -> Option<String> {
        match self.all(key).last()? {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn pairs(&self) -> &[(String, Json)] {
        match self {
            Self::Object(pairs) => pairs,
            _ => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Text(number.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            if pairs.len() == MAX_PAIRS {
                return Err(A::Error::custom(format!(
                    "an object has more than {MAX_PAIRS} pairs"
                )));
            }
            pairs.push(pair);
        }
        Ok(Json::Object(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

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
    fn what_is_no_list_of_builds_is_refused() {
        let parse = parse_latest_builds;
        assert!(matches!(parse(b"<html>"), Err(CuirassError::Json(_))));
        assert!(matches!(parse(b"[{}"), Err(CuirassError::Json(_))));
        for scalar in [
            "{}",
            "{\"a\": [1]}",
            "\"a\"",
            "1",
            "-1",
            "1.5",
            "true",
            "null",
        ] {
            let parsed = parse(scalar.as_bytes());
            assert!(matches!(parsed, Err(CuirassError::NotAnArray)), "{scalar}");
        }
        let pairs = vec!["\"a\": 0"; 1001].join(",");
        let parsed = parse(format!("[{{{pairs}}}]").as_bytes());
        assert!(matches!(parsed, Err(CuirassError::Json(_))));
        assert!(matches!(
            parse(b"[{}, 1]"),
            Err(CuirassError::NotAnObject(1))
        ));
    }
}
