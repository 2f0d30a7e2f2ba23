//! The words of the program: lines on a terminal, progress bars, JSON summaries and
//! error messages. Results go to standard output, everything else to standard
//! error; without a terminal a run that succeeds is silent, because cron mails
//! what is printed.

mod check;
mod collection;
mod description;
mod figures;
mod figures_file;
mod followed;
mod gauges;
mod metrics;
mod observer;
mod progress;
mod pruned;
mod repeated;
mod skipped;
mod summary;
mod terminal;
mod text;

pub use check::print_size;
pub use collection::report_collection;
pub use description::{
    print_contents, print_description, print_held, print_last_run, print_ledger, print_services,
    print_trust,
};
pub use followed::{FollowResult, FollowedName, report_followed};
pub use pruned::{print_pruned, report_pruned};
pub use skipped::{report_given_up, report_skipped};
pub use summary::{DryRunResult, FailureResult, PruneResult, ResolveResult, VerifyResult};
pub use terminal::Report;
pub use text::{bytes, files, items};
