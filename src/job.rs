//! The options as plain data.
