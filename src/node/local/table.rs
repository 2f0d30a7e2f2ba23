//! A small table in one JSON file, which is read at each use and replaced whole at
//! each change.

use super::super::error::Problem;
use super::lock::Writing;
use super::problem::file;
use crate::util::durable::{self, Durability, Readers};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;

/// A table from text to `V`.
#[derive(Debug)]
pub struct Table<V> {
    path: PathBuf,
    /// The way out when the file is damaged.
    advice: &'static str,
    rows: PhantomData<fn() -> V>,
}

impl<V: Clone + PartialEq + Serialize + DeserializeOwned> Table<V> {
    /// The table in the file `path`. No file is an empty table.
    pub fn new(path: PathBuf, advice: &'static str) -> Self {
        let rows = PhantomData;
        Self { path, advice, rows }
    }

    /// All rows, as they are now.
    pub fn rows(&self) -> Result<BTreeMap<String, V>, Problem> {
        match fs::read(&self.path) {
            Ok(json) if json.is_empty() => Err(self.damaged("it is empty")),
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| self.damaged(format!("it does not hold the table ({error})"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(file(&self.path)(error)),
        }
    }

    /// Changes the table, unless `change` refuses. A change is durable when this
    /// returns.
    pub fn change<T>(
        &self,
        _: &Writing,
        change: impl FnOnce(&mut BTreeMap<String, V>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let before = self.rows()?;
        let mut rows = before.clone();
        let result = change(&mut rows)?;
        if rows != before {
            let written = serde_json::to_vec_pretty(&rows)
                .map_err(io::Error::from)
                .and_then(|json| {
                    durable::write(&self.path, &json, Readers::Owner, Durability::Now)
                });
            written.map_err(file(&self.path))?;
        }
        Ok(result)
    }

    /// The problem of a file that holds something else.
    pub fn damaged(&self, reason: impl Into<String>) -> Problem {
        Problem::Damaged {
            path: self.path.clone(),
            reason: reason.into(),
            advice: self.advice.to_owned(),
        }
    }
}
