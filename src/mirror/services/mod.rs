//! The published root at pinning services, other people's nodes that hold it too.
//!
//! Nothing is waited for and nothing is remembered but what was reported: at each run the
//! list of a service is compared with the published root. So a run that was killed, a
//! service that was away and one that forgot everything are made good by the next run.

mod choice;
mod keep;
mod notes;
mod problem;
mod view;

pub use keep::{KeptRoot, ServicesRequest, keep_at_services, require_services};
pub use problem::ServiceProblem;
pub use view::{RemoteRoot, ServiceView, at_services};
