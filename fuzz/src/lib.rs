//! What the targets are made of: inputs in parts, files around tables, roots
//! around texts.

pub mod elf;
pub mod world;

const BORDER: &[u8] = b"\n====\n";

/// The parts of an input. A line `====` divides them, and the last has the rest;
/// what is not there is empty.
pub fn parts<const N: usize>(mut input: &[u8]) -> [&[u8]; N] {
    let mut parts = [&b""[..]; N];
    for (number, part) in parts.iter_mut().enumerate() {
        let border = input.windows(BORDER.len()).position(|bytes| bytes == BORDER);
        match border.filter(|_| number + 1 < N) {
            Some(at) => (*part, input) = (&input[..at], &input[at + BORDER.len()..]),
            None => *part = std::mem::take(&mut input),
        }
    }
    parts
}

/// The first byte chooses one of these. As a digit, or the sign behind the nine,
/// it is that number.
pub fn choose<'i, T>(input: &'i [u8], of: &[T]) -> Option<(&'i [u8], usize)> {
    let (first, rest) = input.split_first()?;
    Some((rest, usize::from(first.wrapping_sub(b'0')) % of.len()))
}
