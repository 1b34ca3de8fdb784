//! Signals that ask a run to end. They are looked at between steps, so that
//! what was begun is undone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::process::Signal;

use super::Failure;

static RECEIVED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// From here on a signal is noted and does not end the process. Nothing was
/// written before, so that there was nothing to undo.
pub(super) fn watch() {
    RECEIVED.get_or_init(|| {
        let received = Arc::new(AtomicUsize::new(0));
        for signal in [Signal::INT, Signal::TERM].map(Signal::as_raw) {
            let number = usize::try_from(signal).expect("signals count from one");
            // Refused for SIGKILL and its like alone.
            let _ = signal_hook::flag::register_usize(signal, Arc::clone(&received), number);
        }
        received
    });
}

/// The signal that asked us to end, if one did.
pub fn interrupted() -> Option<i32> {
    let number = RECEIVED.get()?.load(Ordering::SeqCst);
    i32::try_from(number).ok().filter(|signal| *signal != 0)
}

/// Asked between steps that may still be undone.
pub(super) fn go_on() -> Result<(), Failure> {
    interrupted().map_or(Ok(()), |signal| Err(Failure::Interrupted(signal)))
}
