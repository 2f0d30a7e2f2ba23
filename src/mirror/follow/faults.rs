//! The faults of the narinfos of a new root, and of their nars.

use crate::guix::Narinfo;
use crate::publication::join;

/// Bytes by which a nar may be larger than NarSize says, besides a sixteenth: what cannot
/// be compressed grows a little.
const NAR_BESIDE: u64 = 64 << 10;

/// The faults of narinfos.
#[derive(Default)]
pub struct Faults {
    /// The first, with the name of its narinfo.
    pub first: Option<(String, Fault)>,
    /// Their number.
    pub count: u64,
}

/// The fault of a narinfo.
pub struct Fault {
    /// The fault in words.
    pub reason: String,
    /// The narinfo lacks a signature that is trusted.
    pub is_unsigned: bool,
}

impl Faults {
    /// Adds a fault of the narinfo of this name.
    pub fn add(&mut self, name: String, fault: Fault) {
        self.count += 1;
        self.first.get_or_insert((name, fault));
    }

    /// Adds a fault, where there is one.
    pub fn extend(&mut self, name: &str, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.add(name.to_owned(), fault);
        }
    }
}

impl Fault {
    /// A fault that has nothing to do with signatures.
    pub fn of(reason: String) -> Self {
        let is_unsigned = false;
        Self {
            reason,
            is_unsigned,
        }
    }
}

/// The fault of a nar that is larger than its item can be. FileSize is not signed.
pub fn nar_fault(path: &[String], size: u64, narinfo: &Narinfo) -> Option<Fault> {
    let nar_size = narinfo.nar_size;
    let most = nar_size
        .saturating_add(nar_size / 16)
        .saturating_add(NAR_BESIDE);
    let path = join(path);
    (size > most).then(|| {
        Fault::of(format!(
            "its nar {path} has {size} bytes, but its NarSize is {nar_size}"
        ))
    })
}
