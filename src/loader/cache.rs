//! `ld.so.cache`: bytes to data and back.
