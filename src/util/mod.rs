//! Small helpers that several rooms share. They depend on none of them.

pub mod address;
pub mod diagnosis;
pub mod durable;
pub mod duration;
pub mod home;
pub mod lock;
pub mod parallel;
pub mod printable;
pub mod redirect;
pub mod resolver;
pub mod retry;
pub mod stop;
pub mod timestamp;
pub mod url;
