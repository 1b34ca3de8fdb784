//! The line of an ELF file in a world: attributes, separated by `; `.
//!
//! | attribute | meaning |
//! |---|---|
//! | `NEEDED a b`, `AUX a`, `FILTER a`, `SONAME a`, `RPATH a`, `RUNPATH a`, `AUDIT a`, `DEPAUDIT a` | string tags, in this order |
//! | `INTERP p`, `PROG`, `NOINTERP` | `PT_INTERP`; the usual one; none, although it is the program |
//! | `CLASS32`, `BE`, `MACHINE n`, `EFLAGS n`, `OSABI n`, `ABIVERSION n`, `PAD n`, `VERSION n`, `PHENTSIZE n` | header fields |
//! | `EXEC`, `REL`, `CORE` | `e_type` |
//! | `I386`, `AARCH64`, `ARM`, `PPC64`, `S390X`, `RISCV64` | class, order and machine at once |
//! | `PIE`, `NODEFLIB`, `RELR`, `FLAGS_1 n`, `FLAGS n` | `DF_1_…` |
//! | `EXPORT a`, `CALL a`, `DATA a`, `WEAK a`, `COPIED a`, `NOHASH` | symbols |
//! | `VERNEED file V1 V2?`, `VERDEF base V1` | versions |
//! | `ABINOTE os a b c`, `ISA n`, `BUILDID words`, `DLOPEN text`, `PACKAGE text` | notes |
//! | `TEXT a b` | whole texts among the constants |
//! | `GLIBC 2.41-1 Debian dir…` | what tells a loader's version and directories |
//! | `NODYNAMIC`, `EMPTYDYNAMIC`, `NOLOAD`, `EXECSTACK`, `CUT n`, `TAG tag value…`, `PATCH offset byte…` | damage |

use crate::synth::{self, Elf, Note, NoteDesc};
use crate::world::unescape;

pub fn parse(text: &str, usual_interp: &[u8]) -> Elf {
    let mut elf = Elf::default();
    for attribute in text.split("; ").map(|a| a.trim_end_matches(';').trim()).filter(|a| !a.is_empty()) {
        let mut words = attribute.split_whitespace();
        let key = words.next().expect("an attribute has a name");
        let values: Vec<&str> = words.collect();
        if key == "PROG" {
            elf.interp = Some(usual_interp.to_vec());
        } else if !(machine(&mut elf, key)
            || header(&mut elf, key, &values)
            || strings(&mut elf, key, &values)
            || symbols(&mut elf, key, &values)
            || notes(&mut elf, key, &values)
            || damage(&mut elf, key, &values))
        {
            panic!("no attribute `{attribute}`");
        }
    }
    elf
}

fn number(text: &str) -> u64 {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
    u64::from_str_radix(digits, radix).unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// Class, order and machine in one word.
fn machine(elf: &mut Elf, key: &str) -> bool {
    let (is_64, big_endian, machine, flags) = match key {
        "I386" => (false, false, 3, 0),
        "X32" => (false, false, 62, 0),
        "AARCH64" => (true, false, 183, 0),
        "ARM" => (false, false, 40, 0x0500_0400),
        "PPC64" => (true, true, 21, 1),
        "PPC64LE" => (true, false, 21, 2),
        "S390X" => (true, true, 22, 0),
        "RISCV64" => (true, false, 243, 5),
        _ => return false,
    };
    (elf.is_64, elf.big_endian, elf.machine, elf.e_flags) = (is_64, big_endian, machine, flags);
    true
}

fn header(elf: &mut Elf, key: &str, values: &[&str]) -> bool {
    let value = || number(values.first().unwrap_or_else(|| panic!("{key} needs a number")));
    match key {
        "CLASS32" => elf.is_64 = false,
        "BE" => elf.big_endian = true,
        "EXEC" => elf.e_type = 2,
        "REL" => elf.e_type = 1,
        "CORE" => elf.e_type = 4,
        "PIE" => elf.flags_1 |= 0x0800_0000,
        "NODEFLIB" => elf.flags_1 |= 0x800,
        "RELR" => elf.relr = true,
        "EXECSTACK" => elf.exec_stack = true,
        "MACHINE" => elf.machine = value() as u16,
        "EFLAGS" => elf.e_flags = value() as u32,
        "OSABI" => elf.osabi = value() as u8,
        "ABIVERSION" => elf.abiversion = value() as u8,
        "PAD" => elf.pad = value() as u8,
        "VERSION" => elf.e_version = value() as u32,
        "PHENTSIZE" => elf.phentsize = Some(value() as u16),
        "FLAGS_1" => elf.flags_1 |= value(),
        "FLAGS" => elf.flags |= value(),
        _ => return false,
    }
    true
}

fn strings(elf: &mut Elf, key: &str, values: &[&str]) -> bool {
    let tag = match key {
        "INTERP" => {
            elf.interp = Some(unescape(values[0]));
            return true;
        }
        "NOINTERP" => return true,
        "NEEDED" => synth::DT_NEEDED,
        "AUX" => synth::DT_AUXILIARY,
        "FILTER" => synth::DT_FILTER,
        "SONAME" => synth::DT_SONAME,
        "RPATH" => synth::DT_RPATH,
        "RUNPATH" => synth::DT_RUNPATH,
        "AUDIT" => synth::DT_AUDIT,
        "DEPAUDIT" => synth::DT_DEPAUDIT,
        _ => return false,
    };
    assert!(!values.is_empty(), "{key} needs a value (`\\e` for an empty one)");
    elf.strings.extend(values.iter().map(|v| (tag, unescape(v))));
    true
}

fn symbols(elf: &mut Elf, key: &str, values: &[&str]) -> bool {
    let mut words = values.iter().map(|v| unescape(v));
    let symbols = &mut elf.symbols;
    match key {
        "EXPORT" => symbols.exports.extend(words),
        "CALL" => symbols.calls.extend(words),
        "DATA" => symbols.data.extend(words),
        "WEAK" => symbols.weak.extend(words),
        "COPIED" => symbols.copied.extend(words),
        "VERDEF" => symbols.defs.extend(words),
        "VERNEED" => symbols.needs.push((words.next().expect("VERNEED file version"), words.collect())),
        "NOHASH" => symbols.no_hash = true,
        _ => return false,
    }
    true
}

fn notes(elf: &mut Elf, key: &str, values: &[&str]) -> bool {
    let words = || values.iter().map(|v| number(v) as u32).collect::<Vec<_>>();
    if key == "TEXT" {
        elf.constants.push(0);
        for value in values {
            elf.constants.extend(unescape(value));
            elf.constants.push(0);
        }
        return true;
    }
    if key == "GLIBC" {
        elf.constants = glibc_constants(values);
        elf.symbols.defs.extend([b"ld.so".to_vec(), b"GLIBC_PRIVATE".to_vec()]);
        return true;
    }
    let text = || {
        let mut bytes = unescape(&values.join(" "));
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        NoteDesc::Bytes(bytes)
    };
    let (owner, kind, desc): (&'static [u8], _, _) = match key {
        "ABINOTE" => (b"GNU\0", 1, NoteDesc::Words(words())),
        "BUILDID" => (b"GNU\0", 3, NoteDesc::Words(words())),
        "ISA" => (b"GNU\0", 5, NoteDesc::Isa(number(values[0]) as u32)),
        "DLOPEN" => (b"FDO\0", 0x407c_0c0a, text()),
        "PACKAGE" => (b"FDO\0", 0xcafe_1a7e, text()),
        _ => return false,
    };
    elf.notes.push(Note { owner, kind, desc });
    true
}

/// The strings in a glibc loader that its version and directories are read from.
fn glibc_constants(values: &[&str]) -> Vec<u8> {
    let [version, vendor, dirs @ ..] = values else { panic!("GLIBC VERSION VENDOR DIR...") };
    let release = version.split('-').next().expect("a version");
    let line = if *vendor == "upstream" {
        format!("ld.so (GNU libc) stable release version {release}.\n\0")
    } else {
        format!("ld.so ({vendor} GLIBC {version}) stable release version {release}.\n\0")
    };
    let dirs: String = dirs.iter().map(|d| format!("{d}\0")).collect();
    format!("\0{line}/etc/ld.so.cache\0\0{dirs}\0").into_bytes()
}

fn damage(elf: &mut Elf, key: &str, values: &[&str]) -> bool {
    match key {
        "NODYNAMIC" => elf.no_dynamic = true,
        "EMPTYDYNAMIC" => elf.empty_dynamic = true,
        "NOLOAD" => elf.no_load = true,
        "CUT" => elf.truncate = Some(number(values[0]) as usize),
        "TAG" => {
            let pairs = values.chunks(2).map(|pair| (number(pair[0]), number(pair[1])));
            elf.tags.extend(pairs);
        }
        "PATCH" => {
            let bytes = values[1..].iter().map(|v| number(v) as u8).collect();
            elf.patches.push((number(values[0]) as usize, bytes));
        }
        _ => return false,
    }
    true
}
