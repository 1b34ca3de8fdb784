//! `ld.so.conf`: lines to data.
