//! The order of keys, after `_dl_cache_libcmp` in glibc's `elf/dl-cache.c`.

use super::Chars;

/// Compares two names up to their NUL or end: runs of digits as numbers that
/// wrap at 32 bits, everything else as C `char`. `libA.so.01` equals
/// `libA.so.1`.
pub fn libcmp(a: &[u8], b: &[u8], chars: Chars) -> i32 {
    let start = common_start(a, b);
    let (mut i, mut j) = (start, start);
    loop {
        let (x, y) = (at(a, i), at(b, j));
        if x == 0 {
            return chars.minus(x, y);
        }
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let (m, n) = (number(a, &mut i), number(b, &mut j));
                if m != n {
                    return m.wrapping_sub(n);
                }
            }
            (true, false) => return 1,
            (false, true) => return -1,
            (false, false) if x != y => return chars.minus(x, y),
            (false, false) => {
                i += 1;
                j += 1;
            }
        }
    }
}

/// How far the names are the same, without the digits right before that
/// place: names in a cache share much, and a look-up is mostly this.
fn common_start(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    while let (Some(x), Some(y)) = (word(a, same), word(b, same)) {
        if x != y || has_nul(x) {
            break;
        }
        same += 8;
    }
    while same < a.len() && same < b.len() && a[same] == b[same] && a[same] != 0 {
        same += 1;
    }
    let digits = a[..same].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    same - digits
}

fn word(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// A byte of zeros borrows from its own top bit.
fn has_nul(word: u64) -> bool {
    const LOW: u64 = u64::MAX / 0xff;
    word.wrapping_sub(LOW) & !word & (LOW << 7) != 0
}

fn at(text: &[u8], i: usize) -> u8 {
    text.get(i).copied().unwrap_or(0)
}

/// The run of digits at `i`, as a C `int` that overflows.
fn number(text: &[u8], i: &mut usize) -> i32 {
    let mut value = 0i32;
    while at(text, *i).is_ascii_digit() {
        value = value.wrapping_mul(10).wrapping_add(i32::from(at(text, *i) - b'0'));
        *i += 1;
    }
    value
}

impl Chars {
    fn minus(self, x: u8, y: u8) -> i32 {
        match self {
            Chars::Signed => i32::from(x.cast_signed()) - i32::from(y.cast_signed()),
            Chars::Unsigned => i32::from(x) - i32::from(y),
        }
    }
}
