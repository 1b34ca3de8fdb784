//! Any bytes as the notes of an otherwise good file. The first byte says which
//! alignment the segment has.

#![no_main]

use depcollect::elf;
use depcollect_fuzz::choose;
use depcollect_fuzz::elf::Elf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((notes, align)) = choose(input, &[(); 10]) else { return };
    let mut file = Elf::x86_64();
    file.notes(align as u64, notes);
    let file = file.bytes();
    let facts = elf::read(&&file[..]).expect("memory can be read").expect("notes make no file unfit");
    for note in facts.dlopen_notes.iter().chain(&facts.package_note).chain(&facts.build_id) {
        assert!(facts.str(*note).len() <= notes.len());
    }
});
