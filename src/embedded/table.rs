//! A small table kept in one JSON file, rewritten whole at each change.

use super::EmbeddedError;
use super::file::write_durably;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A table from text to `V`. Threads may share it.
#[derive(Debug)]
pub struct Table<V> {
    path: PathBuf,
    rows: Mutex<BTreeMap<String, V>>,
}

impl<V: Clone + Serialize + DeserializeOwned> Table<V> {
    /// Reads the table in the file `path`; none is an empty one.
    pub fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let rows = match fs::read(path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| EmbeddedError::io("read", path)(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(EmbeddedError::io("read", path)(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            rows: Mutex::new(rows),
        })
    }

    /// All rows, as they are now.
    pub fn rows(&self) -> BTreeMap<String, V> {
        self.lock().clone()
    }

    /// The row under `key`.
    pub fn get(&self, key: &str) -> Option<V> {
        self.lock().get(key).cloned()
    }

    /// Changes the table, and keeps the change only when the file holds it.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, V>) -> T,
    ) -> Result<T, EmbeddedError> {
        let mut rows = self.lock();
        let mut changed = rows.clone();
        let result = change(&mut changed);
        let json = serde_json::to_vec_pretty(&changed)
            .map_err(|error| EmbeddedError::io("write", &self.path)(error.into()))?;
        write_durably(&self.path, &json)?;
        *rows = changed;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, V>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
