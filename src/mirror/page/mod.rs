//! The page of a mirror for people: `index.html` in its root.

mod html;
mod maker;
mod text;

pub use html::MOST_PAGE_BYTES;
pub use maker::Page;
