//! Any bytes as a file: facts, symbols and a lookup.

#![no_main]

use depcollect::elf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(facts) = elf::read(&bytes).expect("memory can be read") else { return };
    assert!(facts.text.len() <= 4 << 20);
    facts.needed().for_each(drop);
    let symbols = elf::symbols(&bytes, &facts).expect("memory can be read");
    assert!(symbols.text.len() <= bytes.len());
    for import in &symbols.imports {
        import.version(&facts);
    }
    for export in &symbols.exports {
        export.version(&facts);
    }
    elf::defines(&bytes, &facts, b"stdin").expect("memory can be read");
});
