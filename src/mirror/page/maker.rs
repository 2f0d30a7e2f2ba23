//! The figures of the page, read from the root that it is about.

use super::html::{Contents, html};
use crate::mirror::counts::survey_narinfos;
use crate::mirror::ledger::{Addition, PageState};
use crate::mirror::narinfos;
use crate::mirror::signers::signers;
use crate::node::Key;
use crate::publication::{LedgerFiles, PAGE_NAME, PageMaker, PageUse, PublicationError, Tree};

/// The page of a run's options.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The choice of `--page` or `--no-page`. Without one, a mirror that has a page keeps it.
    pub choice: Option<bool>,
    /// Narinfos that are read at once.
    pub jobs: u16,
}

impl PageMaker for Page {
    fn begin(&self, ledger: &mut LedgerFiles) -> PageUse {
        match (PageState::is_kept(ledger), self.choice) {
            (false, None | Some(false)) => PageUse::None,
            (false, Some(true)) => {
                PageState::default().write(ledger);
                PageUse::Begun
            }
            (true, None | Some(true)) => PageUse::Kept,
            (true, Some(false)) => {
                PageState::remove(ledger);
                PageUse::Ended
            }
        }
    }

    fn write(
        &self,
        key: &Key,
        tree: &Tree,
        ledger: &mut LedgerFiles,
    ) -> Result<Vec<u8>, PublicationError> {
        let mut state = PageState::read(tree.node(), ledger)?;
        // A part of the tree that cannot be read is for a repair: the page goes without.
        let survey = survey_narinfos(tree, self.jobs).ok();
        let survey = survey.map(|survey| (Some(survey.count), survey.sample));
        let (count, mut sample) = survey.unwrap_or_default();
        let hashes: Vec<_> = state.additions.iter().map(|it| it.hash).collect();
        if let Ok(entries) = narinfos::entries(tree, &hashes) {
            let found = state.additions.into_iter().zip(entries);
            let found = found.filter_map(|(addition, entry)| Some((addition, entry?)));
            let (there, entries): (Vec<Addition>, Vec<_>) = found.unzip();
            let narinfos = there.iter().zip(entries);
            let narinfos =
                narinfos.map(|(it, entry)| (narinfos::narinfo_name(&it.hash), entry.cid));
            sample.extend(narinfos);
            state.additions = there;
            state.write(ledger);
        }
        sample.sort();
        sample.dedup();
        let whole = tree.whole()?.size;
        let page = tree.find(&[PAGE_NAME]).ok().flatten();
        let contents = Contents {
            name: &key.id,
            count,
            // The page before does not count.
            bytes: whole.saturating_sub(page.map_or(0, |page| page.size)),
            signers: signers(tree, self.jobs, sample).unwrap_or_default(),
            additions: &state.additions,
        };
        Ok(html(&contents).into_bytes())
    }
}
