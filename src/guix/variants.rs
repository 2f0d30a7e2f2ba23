//! A narinfo with fewer variants. Only lines that no signature covers may be
//! dropped: a client rejects the rest (`guix publish` writes the variants after
//! the signature today, and wrote them before it until 2022).

use super::compression::Compression;
use super::narinfo::{Narinfo, NarinfoError};

/// The fields that belong to the `URL` before them.
const OF_A_VARIANT: [&str; 4] = ["URL", "Compression", "FileSize", "FileHash"];

impl Narinfo {
    /// The same narinfo with those variants only whose compression is `wanted`;
    /// unchanged where that is all of them. No signed byte changes.
    ///
    /// # Errors
    ///
    /// When it has none of them, or lines to drop are part of what is signed.
    pub fn keep_only(self, wanted: &[Compression]) -> Result<Self, VariantsError> {
        let is_wanted = |compression| wanted.contains(compression);
        let compressions = || self.variants.iter().map(|variant| &variant.compression);
        if compressions().all(is_wanted) {
            return Ok(self);
        }
        if !compressions().any(is_wanted) {
            let listed: Vec<_> = compressions().map(Compression::name).collect();
            return Err(VariantsError::NoneWanted(listed.join(", ")));
        }
        let first = self.signed().ok_or(VariantsError::Unsigned)?.len();
        let mut kept = Vec::with_capacity(self.bytes().len());
        let mut variants = compressions();
        let mut is_dropped = false;
        for line in self.bytes().split_inclusive(|&byte| byte == b'\n') {
            let is = |field: &&str| {
                let rest = line.strip_prefix(field.as_bytes());
                rest.is_some_and(|rest| rest.starts_with(b":"))
            };
            if is(&"URL") {
                is_dropped = variants.next().is_some_and(|variant| !is_wanted(variant));
            }
            if !is_dropped || !OF_A_VARIANT.iter().any(is) {
                kept.extend_from_slice(line);
            }
        }
        match kept.starts_with(&self.bytes()[..first]) {
            true => Ok(Self::parse(&kept)?),
            false => Err(VariantsError::Signed),
        }
    }
}

/// Why variants cannot be left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariantsError {
    /// None of those that are wanted is there.
    #[error("it has none of the wanted compressions, only {0}")]
    NoneWanted(String),
    /// The lines of an unwanted variant stand before `Signature:`.
    #[error(
        "the compressions that are not wanted cannot be left out of its narinfo: \
         their lines are part of what is signed"
    )]
    Signed,
    /// There is no signature after which the lines could stand.
    #[error(
        "the compressions that are not wanted cannot be left out of its narinfo: \
         it is not signed"
    )]
    Unsigned,
    /// What is left is no narinfo.
    #[error("without the compressions that are not wanted, {0}")]
    Narinfo(#[from] NarinfoError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    const HELLO: &str = "substitute-server/21q7lx382p28sibkw2l721ybjxymkh1a.narinfo";

    fn read(file: &str) -> Result<Narinfo, Box<dyn std::error::Error>> {
        Ok(Narinfo::parse(&fs::read(format!("{FIXTURES}/{file}"))?)?)
    }

    #[test]
    fn the_lines_of_unwanted_variants_go_and_all_others_stay() -> Outcome {
        let whole = read(HELLO)?;
        let (gzip, zstd, lzip) = (Compression::Gzip, Compression::Zstd, Compression::Lzip);
        let unchanged = [gzip.clone(), lzip.clone(), zstd.clone(), Compression::None];
        assert_eq!(whole.clone().keep_only(&unchanged)?.bytes(), whole.bytes());
        for wanted in [
            vec![gzip.clone()],
            vec![zstd.clone(), lzip],
            vec![zstd, Compression::None],
        ] {
            let kept = whole.clone().keep_only(&wanted)?;
            assert_eq!(kept.signed(), whole.signed());
            assert_eq!(kept.signature, whole.signature);
            let variants = whole.variants.iter();
            let variants = variants.filter(|variant| wanted.contains(&variant.compression));
            assert!(kept.variants.iter().eq(variants));
            let lines =
                |narinfo: &Narinfo| String::from_utf8_lossy(narinfo.bytes()).lines().count();
            let dropped = whole.variants.len() - kept.variants.len();
            assert_eq!(lines(&whole) - lines(&kept), 3 * dropped);
        }
        Ok(())
    }

    #[test]
    fn fields_of_no_variant_stay_wherever_they_stand() -> Outcome {
        let signed = "StorePath: /gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-x
NarHash: sha256:0j3ai8fasjg9h7nrwbjp54xzpsgdbfbkxwxihzb13b2hr4zw1qdk
NarSize: 168
References: 
Signature: 1;a;b
";
        let gzip = "URL: nar/gzip/x\nCompression: gzip\nFileHash: sha256:1\n";
        let zstd = "URL: nar/zstd/x\nFileSize: 3\nCompression: zstd\n";
        let text = format!("{signed}{gzip}Note: a\n{zstd}Note: b");
        let narinfo = Narinfo::parse(text.as_bytes())?;
        let kept = narinfo.clone().keep_only(&[Compression::Zstd])?;
        assert_eq!(
            kept.bytes(),
            format!("{signed}Note: a\n{zstd}Note: b").as_bytes()
        );
        let kept = narinfo.keep_only(&[Compression::Gzip])?;
        assert_eq!(
            kept.bytes(),
            format!("{signed}{gzip}Note: a\nNote: b").as_bytes()
        );
        Ok(())
    }

    #[test]
    fn what_is_signed_is_never_cut() -> Outcome {
        let narinfo = read(HELLO)?;
        let none = narinfo.clone().keep_only(&[Compression::None]);
        assert!(none.is_err_and(|error| error.to_string().ends_with("only gzip, lzip, zstd")));
        let text = String::from_utf8(narinfo.bytes().to_vec())?;
        let (signed, rest) = text.split_once("Signature:").ok_or("no signature")?;
        let (signature, urls) = rest.split_once('\n').ok_or("no line")?;
        let wanted = [Compression::Gzip];
        let early = format!("{urls}{signed}Signature:{signature}\n");
        let early = Narinfo::parse(early.as_bytes())?;
        assert_eq!(early.keep_only(&wanted), Err(VariantsError::Signed));
        let unsigned = Narinfo::parse(format!("{signed}{urls}").as_bytes())?;
        assert_eq!(unsigned.keep_only(&wanted), Err(VariantsError::Unsigned));
        Ok(())
    }
}
