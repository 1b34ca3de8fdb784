//! (module)

pub mod ldconfig;
