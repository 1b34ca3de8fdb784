//! The binary search, after `search_cache` in glibc's `elf/dl-cache.c`. It
//! answers as the real one does also on a table that is not sorted.

use std::ops::Range;

use super::image::until_nul;
use super::{Ask, Cache, Layout, Raw, libcmp};
use crate::loader::Version;

pub(super) fn lookup<'c>(cache: &'c Cache, name: &[u8], ask: &Ask<'_>) -> Option<&'c [u8]> {
    best_of(cache, hits(cache, name)?, ask)
}

pub(super) fn lookup_asking<'c, 'a>(
    cache: &'c Cache,
    name: &[u8],
    ask: impl FnOnce() -> Ask<'a>,
) -> Option<&'c [u8]> {
    let hits = hits(cache, name)?;
    let plain = |raw: Raw| raw.osversion == 0 && raw.hwcap == 0;
    // All versions take the first of several, but where two words of flags will do.
    let all_plain = cache.abi.flags.also.is_none() && hits.clone().all(|n| plain(cache.raw(n)));
    best_of(cache, hits, &if all_plain { ANY } else { ask() })
}

/// Stands for all circumstances, where none has a say.
const ANY: Ask<'_> = Ask { version: Version(2, 43), hwcaps: &[], isa_levels: 1, legacy: 0, kernel: 0 };

/// The entries of a name that the loader looks at.
fn hits(cache: &Cache, name: &[u8]) -> Option<Range<usize>> {
    let (mut left, mut right) = (0, cache.table.count);
    // `right` is one past the end; the loader's is the last one.
    while left < right {
        let middle = left + (right - 1 - left) / 2;
        match libcmp(name, cache.key(middle)?, cache.abi.chars) {
            0 => return Some(all_around(cache, name, middle..right)),
            order if order < 0 => left = middle + 1,
            _ => right = middle,
        }
    }
    None
}

/// From the first entry of this name to the last. An equal one is known at the
/// start of `hit`, whose end bounds the search.
fn all_around(cache: &Cache, name: &[u8], hit: Range<usize>) -> Range<usize> {
    let equal = |n: usize| cache.key(n).is_some_and(|key| libcmp(name, key, cache.abi.chars) == 0);
    let mut first = hit.start;
    while first > 0 && equal(first - 1) {
        first -= 1;
    }
    let end = (hit.start + 1..hit.end).find(|&n| !equal(n)).unwrap_or(hit.end);
    first..end
}

fn best_of<'c>(cache: &'c Cache, hits: Range<usize>, ask: &Ask<'_>) -> Option<&'c [u8]> {
    let mut best = Best { value: None, rank: None };
    for n in hits {
        let raw = cache.raw(n);
        if !cache.abi.flags.accepts(raw.flags) {
            continue;
        }
        let Some(value) = cache.text(raw.value) else { continue };
        if best.offer(cache, &raw, value, ask) {
            break;
        }
    }
    best.value.map(until_nul)
}

struct Best<'c> {
    value: Option<&'c [u8]>,
    rank: Option<usize>,
}

impl<'c> Best<'c> {
    /// Says whether the search ends here.
    fn offer(&mut self, cache: &Cache, raw: &Raw, value: &'c [u8], ask: &Ask<'_>) -> bool {
        let exact = raw.flags == cache.abi.flags.own;
        let plain = cache.table.layout == Layout::Old;
        let knows_names = ask.version >= Version(2, 33);
        if !plain && knows_names && raw.is_named() {
            self.offer_named(cache, raw, value, ask);
            return false;
        }
        // Named entries stand before plain ones: they are exhausted.
        if !plain && knows_names && self.value.is_some() {
            return true;
        }
        let taken = knows_names || self.value.is_none() || exact;
        if !taken || !plain && !is_for_this_machine(raw, ask) {
            return false;
        }
        self.value = Some(value);
        exact
    }

    fn offer_named(&mut self, cache: &Cache, raw: &Raw, value: &'c [u8], ask: &Ask<'_>) {
        let level = 1u32.wrapping_shl(raw.isa_level() as u32);
        if cache.abi.checks_isa_level && level & ask.isa_levels == 0 || is_too_new(raw, ask) {
            return;
        }
        let Some(rank) = cache.names.rank(&cache.image, raw, ask) else { return };
        if self.value.is_none() || self.rank.is_some_and(|best| rank < best) {
            *self = Best { value: Some(value), rank: Some(rank) };
        }
    }
}

/// The hwcap field of an entry without a name. 2.37 dropped its meaning.
fn is_for_this_machine(raw: &Raw, ask: &Ask<'_>) -> bool {
    let usable = if ask.version >= Version(2, 37) { 0 } else { ask.legacy };
    raw.hwcap & !usable == 0 && !is_too_new(raw, ask)
}

fn is_too_new(raw: &Raw, ask: &Ask<'_>) -> bool {
    ask.version <= Version(2, 35) && ask.kernel != 0 && raw.osversion > ask.kernel
}
