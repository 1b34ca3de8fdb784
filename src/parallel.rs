//! Work on many items whose order means nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Works on all items, two at a time if there are as many as are worth a thread, each
/// thread with its own `S`. The results stand in the order of the items.
pub(crate) fn map<T: Sync, R: Send, S: Default>(
    items: &[T],
    many: usize,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut state, mut done) = (S::default(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(&mut state, item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let other = (items.len() >= many).then(|| scope.spawn(run));
        let mut done = run();
        done.extend(other.into_iter().flat_map(|thread| thread.join().expect("work does not panic")));
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        for many in [0, 1000, 1001] {
            let doubled = super::map(&items, many, |_: &mut (), item| 2 * item);
            assert!(doubled.into_iter().eq((0..1000).map(|item| 2 * item)), "{many}");
        }
        assert!(super::map(&[], 0, |_: &mut (), item: &u32| *item).is_empty());
    }
}
