//! Tables of versions and symbols, as two files have them that meet in one
//! process. The first byte chooses class, byte order and kind of hash table.

#![no_main]

use depcollect::closure::{Files, Session, Settings, close, open_program, symbols};
use depcollect::elf;
use depcollect::root::mem::MemRoot;
use depcollect_fuzz::elf::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_NEEDED, DT_PLTREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_SONAME,
    DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM, Elf,
};
use depcollect_fuzz::world::{INTERP, with_loader};
use depcollect_fuzz::{choose, parts};
use libfuzzer_sys::fuzz_target;

/// Wide, big, of which machine, and with which hash table.
const SHAPES: [(bool, bool, u16, u64); 6] = [
    (true, false, 62, DT_GNU_HASH),
    (true, false, 62, DT_HASH),
    (false, false, 3, DT_GNU_HASH),
    (true, true, 22, DT_GNU_HASH),
    (false, true, 8, DT_HASH),
    (true, false, 62, 0),
];

/// Names begin at 1, 9, 17, 27, 29 and 31.
const NAMES: &[u8] = b"\0liba.so\0VERS_10\0GLIBC_2.4\0f\0g\0stdin\0";

fn file(shape: (bool, bool, u16, u64), tables: [&[u8]; 6], is_program: bool) -> Vec<u8> {
    let (wide, big, machine, hash_tag) = shape;
    let [needs, defs, versym, symbols, hash, relocations] = tables;
    let mut elf = Elf::new(wide, big, machine);
    elf.tag(if is_program { DT_NEEDED } else { DT_SONAME }, 1);
    elf.sized(DT_STRTAB, DT_STRSZ, NAMES);
    for (tag, table) in
        [(DT_VERNEED, needs), (DT_VERDEF, defs), (DT_VERSYM, versym), (DT_SYMTAB, symbols), (hash_tag, hash)]
    {
        if !table.is_empty() && tag != 0 {
            elf.table(tag, table);
        }
    }
    let (now, late) = relocations.split_at(relocations.len() / 2);
    elf.sized(DT_RELA, DT_RELASZ, now);
    elf.sized(DT_JMPREL, DT_PLTRELSZ, late);
    elf.tag(DT_PLTREL, DT_RELA);
    if is_program {
        elf.interp(INTERP);
    }
    elf.bytes()
}

fn read(bytes: &[u8]) {
    let facts = elf::read(&bytes).expect("memory can be read").expect("tables make no file unfit");
    let symbols = elf::symbols(&bytes, &facts).expect("memory can be read");
    assert!(symbols.imports.len() + symbols.exports.len() <= bytes.len() / 16);
    // As for a loader, a name may begin behind the table of names.
    let needs = symbols.imports.iter().filter_map(|import| import.version(&facts));
    let defs = symbols.exports.iter().filter_map(|export| export.version(&facts));
    assert!(needs.map(|(version, _)| version).chain(defs).all(|name| name.len() < bytes.len()));
    let names = elf::imported(&bytes, &facts).expect("memory can be read");
    assert!(names.iter().count() <= bytes.len() / 16);
    elf::defines(&bytes, &facts, b"stdin").expect("memory can be read");
}

fuzz_target!(|input: &[u8]| {
    let Some((rest, number)) = choose(input, &SHAPES) else { return };
    let [a, b, c, d, e, f, g, h, i, j, k, l] = parts(rest);
    let program = file(SHAPES[number], [a, b, c, d, e, f], true);
    let library = file(SHAPES[number], [g, h, i, j, k, l], false);
    read(&program);
    read(&library);
    let mut root: MemRoot = with_loader();
    root.file("/app", program).mode("/app", 0o755).file("/lib/x86_64-linux-gnu/liba.so", library);
    let settings = Settings { cwd: b"/".to_vec(), levels: Some(Vec::new()), ..Settings::default() };
    let files = Files::default();
    let mut session = Session::new(&root, &files, &settings);
    let Ok(program) = open_program(&mut session, b"/app") else { return };
    let mut closure = close(&mut session, &program);
    symbols::check(&mut session, &mut closure);
    assert!(closure.findings.len() < 40_000);
});
