//! Any bytes as the notes of an otherwise good file. The first byte says which
//! alignment the segment has.

#![no_main]

use depcollect::elf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((align, notes)) = bytes.split_first() else { return };
    let file = with_notes(u64::from(*align), notes);
    let facts = elf::read(&&file[..]).expect("memory can be read").expect("notes make no file unfit");
    for note in facts.dlopen_notes.iter().chain(&facts.package_note).chain(&facts.build_id) {
        assert!(facts.str(*note).len() <= notes.len());
    }
});

/// A header, one program header, and the notes.
fn with_notes(align: u64, notes: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [3u16, 62] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [4 | 4 << 32, 120, 120, 120, notes.len() as u64, notes.len() as u64, align] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(notes);
    file
}
