//! Second opinions on the facts of real files: goblin's.

#![expect(clippy::disallowed_methods, reason = "what is read here is the machine's own files")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use depcollect::elf::{self, Facts, SymbolKind, Unfit};
use goblin::elf::section_header::{SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERNEED};
use goblin::elf::{Dynamic, Elf, ProgramHeader, SectionHeader, Symtab, dynamic, program_header, sym, symver};
use goblin::strtab::Strtab;

use crate::need;

/// The ELF files to ask about: a sample, or all with `DEPCOLLECT_FULL=1`.
fn files() -> Vec<PathBuf> {
    let full = std::env::var_os("DEPCOLLECT_FULL").is_some_and(|v| v == "1");
    let mut found = Vec::new();
    match full {
        true => walk(Path::new("/usr"), &mut found),
        false => {
            for dir in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"] {
                let mut some: Vec<PathBuf> = listing(Path::new(dir)).filter(|p| is_elf(p)).collect();
                some.sort();
                found.extend(some.into_iter().take(150));
            }
        }
    }
    found.sort();
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for path in listing(dir) {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => walk(&path, found),
            Ok(meta) if meta.is_file() && is_elf(&path) => found.push(path),
            Ok(_) | Err(_) => {}
        }
    }
}

fn listing(dir: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let regular = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
    regular
        && std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

/// What goblin makes of a file, from program headers alone.
struct Opinion<'a> {
    bytes: &'a [u8],
    elf: Elf<'a>,
    dynamic: Option<Dynamic>,
    strings: Strtab<'a>,
}

impl<'a> Opinion<'a> {
    fn of(bytes: &'a [u8]) -> Option<Opinion<'a>> {
        let mut elf = Elf::lazy_parse(Elf::parse_header(bytes).ok()?).ok()?;
        let ctx = context(&elf);
        let (at, count) = (elf.header.e_phoff as usize, elf.header.e_phnum as usize);
        elf.program_headers = ProgramHeader::parse(bytes, at, count, ctx).ok()?;
        let dynamic = Dynamic::parse(bytes, &elf.program_headers, ctx).ok()?;
        let strings = match &dynamic {
            Some(d) => Strtab::parse(bytes, d.info.strtab, d.info.strsz, 0).ok()?,
            None => Strtab::default(),
        };
        Some(Opinion { bytes, elf, dynamic, strings })
    }

    fn told(&self) -> String {
        let interp = self.elf.program_headers.iter().find(|p| p.p_type == program_header::PT_INTERP);
        let interp = interp.filter(|p| p.p_filesz > 0).map(|p| &self.bytes[p.file_range()]);
        let interp = interp.map(|b| b.split(|b| *b == 0).next().unwrap_or(b));
        tell(
            interp,
            &self.names(dynamic::DT_NEEDED),
            &self.last(dynamic::DT_SONAME),
            [&self.last(dynamic::DT_RPATH), &self.last(dynamic::DT_RUNPATH)],
        )
    }

    fn names(&self, tag: u64) -> Vec<&[u8]> {
        let entries = self.dynamic.iter().flat_map(|d| &d.dyns).filter(|d| d.d_tag == tag);
        entries.map(|d| self.strings.get_at(d.d_val as usize).unwrap_or("?").as_bytes()).collect()
    }

    fn last(&self, tag: u64) -> Vec<&[u8]> {
        self.names(tag).into_iter().last().into_iter().collect()
    }

    fn sections(&self) -> Option<Vec<SectionHeader>> {
        let header = &self.elf.header;
        let at = header.e_shoff as usize;
        if at == 0 {
            return None;
        }
        SectionHeader::parse(self.bytes, at, header.e_shnum as usize, context(&self.elf)).ok()
    }

    /// `file(version)` and `version`, through the sections.
    fn versions(&self, sections: &[SectionHeader]) -> Option<Vec<String>> {
        let ctx = context(&self.elf);
        let name = |at: usize| self.strings.get_at(at).unwrap_or("?");
        let mut told = Vec::new();
        if sections.iter().any(|s| s.sh_type == SHT_GNU_VERNEED) {
            for need in symver::VerneedSection::parse(self.bytes, sections, ctx).ok()??.iter() {
                told.extend(need.iter().map(|aux| format!("{}({})", name(need.vn_file), name(aux.vna_name))));
            }
        }
        if sections.iter().any(|s| s.sh_type == SHT_GNU_VERDEF) {
            for def in symver::VerdefSection::parse(self.bytes, sections, ctx).ok()??.iter() {
                told.extend(def.iter().take(1).map(|aux| name(aux.vda_name).to_owned()));
            }
        }
        Some(told)
    }

    fn symbols(&self, sections: &[SectionHeader]) -> Option<Vec<sym::Sym>> {
        let table = sections.iter().find(|s| s.sh_type == SHT_DYNSYM)?;
        let ctx = context(&self.elf);
        let count = table.sh_size as usize / sym::Sym::size_with(&ctx);
        Some(Symtab::parse(self.bytes, table.sh_offset as usize, count, ctx).ok()?.iter().collect())
    }
}

trait SizeWith {
    fn size_with(ctx: &goblin::container::Ctx) -> usize;
}

impl SizeWith for sym::Sym {
    fn size_with(ctx: &goblin::container::Ctx) -> usize {
        if ctx.container.is_big() { 24 } else { 16 }
    }
}

fn context(elf: &Elf<'_>) -> goblin::container::Ctx {
    use goblin::container::{Container, Ctx, Endian};
    let endian = if elf.little_endian { Endian::Little } else { Endian::Big };
    Ctx::new(if elf.is_64 { Container::Big } else { Container::Little }, endian)
}

fn tell(interp: Option<&[u8]>, needed: &[&[u8]], soname: &[&[u8]], paths: [&[&[u8]]; 2]) -> String {
    let text =
        |names: &[&[u8]]| names.iter().map(|n| String::from_utf8_lossy(n)).collect::<Vec<_>>().join(", ");
    let interp: Vec<&[u8]> = interp.into_iter().collect();
    let parts = [&interp, needed, soname, paths[0], paths[1]].map(text);
    parts.join(" | ")
}

fn ours(facts: &Facts) -> String {
    let needed: Vec<&[u8]> = facts.needed().collect();
    let one = |name: Option<&'_ [u8]>| name.map(<[u8]>::to_vec);
    let (soname, rpath, runpath) = (one(facts.soname()), one(facts.rpath()), one(facts.runpath()));
    let list = |name: &Option<Vec<u8>>| name.clone().into_iter().collect::<Vec<_>>();
    let lists = [list(&soname), list(&rpath), list(&runpath)];
    let borrowed = lists.each_ref().map(|l| l.iter().map(Vec::as_slice).collect::<Vec<_>>());
    tell(facts.interp(), &needed, &borrowed[0], [&borrowed[1], &borrowed[2]])
}

fn our_versions(facts: &Facts) -> Vec<String> {
    let text = |span| String::from_utf8_lossy(facts.str(span)).into_owned();
    let needs = facts.version_needs.iter().map(|v| format!("{}({})", text(v.file), text(v.name)));
    needs.chain(facts.version_defs.iter().map(|v| text(v.name))).collect()
}

#[test]
fn goblin_sees_the_same_facts() {
    let files = files();
    let mut compared = 0;
    for path in &files {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let read = elf::read(&&bytes[..]).expect("memory can be read");
        let Some(opinion) = Opinion::of(&bytes) else {
            assert!(
                matches!(read, Err(Unfit::Damaged { .. } | Unfit::TooShort { .. })),
                "{}",
                path.display()
            );
            continue;
        };
        let facts = read.unwrap_or_else(|unfit| panic!("{}: {unfit:?}", path.display()));
        assert_eq!(ours(&facts), opinion.told(), "{}", path.display());
        if let Some(versions) = opinion.sections().and_then(|sections| opinion.versions(&sections)) {
            assert_eq!(our_versions(&facts), versions, "{}", path.display());
        }
        compared += 1;
    }
    if compared == 0 {
        need::skip("there are no ELF files under /usr");
    }
}

#[test]
fn the_symbol_section_holds_the_same_symbols() {
    let mut compared = 0;
    for path in files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Some(opinion) = Opinion::of(&bytes) else { continue };
        let Some(theirs) = opinion.sections().and_then(|sections| opinion.symbols(&sections)) else {
            continue;
        };
        // A debuginfo file has the section's header and not the section.
        if opinion.dynamic.is_none() {
            continue;
        }
        let facts = elf::read(&&bytes[..]).expect("memory can be read").expect("goblin reads it");
        let symbols = elf::symbols(&&bytes[..], &facts).expect("memory can be read");
        assert!(!symbols.partial, "{}", path.display());
        let name = |s: &sym::Sym| opinion.strings.get_at(s.st_name).unwrap_or("?").as_bytes().to_vec();
        let expected: Vec<Vec<u8>> = theirs.iter().filter(|s| is_offered(s)).map(name).collect();
        let exports: Vec<Vec<u8>> = symbols.exports.iter().map(|e| symbols.str(e.name).to_vec()).collect();
        assert!(exports == expected, "{}: {} and {}", path.display(), exports.len(), expected.len());
        let wanted: Vec<Vec<u8>> = theirs.iter().filter(|s| s.st_shndx == 0).map(name).collect();
        check_imported(&path, &bytes, &facts, &symbols, &wanted);
        let mut rest = wanted.iter();
        for import in &symbols.imports {
            let ours = symbols.str(import.name);
            // What is copied is defined as well.
            let mut rest: Box<dyn Iterator<Item = &Vec<u8>>> =
                if import.copy { Box::new(expected.iter()) } else { Box::new(&mut rest) };
            assert!(rest.any(|name| name == ours), "{}: {}", path.display(), String::from_utf8_lossy(ours));
        }
        compared += 1;
        check_defines(&path, &bytes, &facts, &symbols);
    }
    if compared == 0 {
        need::skip("there are no ELF files under /usr");
    }
}

/// The short way sees what the long way sees. A name that no relocation refers to
/// is more.
fn check_imported(path: &Path, bytes: &[u8], facts: &Facts, symbols: &elf::Symbols, undefined: &[Vec<u8>]) {
    let imported = elf::imported(&bytes, facts).expect("memory can be read");
    let (imported, undefined): (BTreeSet<&[u8]>, BTreeSet<&[u8]>) =
        (imported.iter().collect(), undefined.iter().map(Vec::as_slice).collect());
    for import in symbols.imports.iter().filter(|import| !import.weak) {
        let name = symbols.str(import.name);
        assert!(imported.contains(name), "{}: {}", path.display(), name.escape_ascii());
    }
    let copied = symbols.imports.iter().filter(|import| import.copy).map(|import| symbols.str(import.name));
    let known: BTreeSet<&[u8]> = undefined.into_iter().chain(copied).collect();
    assert!(imported.is_subset(&known), "{}: what is no import", path.display());
}

fn is_offered(symbol: &sym::Sym) -> bool {
    let bound = matches!(symbol.st_bind(), sym::STB_GLOBAL | sym::STB_WEAK | sym::STB_GNU_UNIQUE);
    let typed = matches!(symbol.st_type(), 0..=2 | 5 | 6 | 10);
    let seen = matches!(symbol.st_visibility(), sym::STV_DEFAULT | sym::STV_PROTECTED);
    let placed = symbol.st_value != 0 || symbol.st_shndx == 0xfff1 || symbol.st_type() == sym::STT_TLS;
    symbol.st_shndx != 0 && bound && typed && seen && placed
}

/// The hash table finds what the symbol table holds, and not what it does not.
fn check_defines(path: &Path, bytes: &[u8], facts: &Facts, symbols: &elf::Symbols) {
    // A version's own symbol has no address; glibc finds it, musl does not.
    let version = |name| facts.version_defs.iter().any(|v| facts.str(v.name) == name);
    let plain = |e: &&elf::Export| {
        !e.hidden
            && matches!(e.kind, SymbolKind::Function | SymbolKind::Data)
            && !version(symbols.str(e.name))
    };
    let step = symbols.exports.len() / 50 + 1;
    for export in symbols.exports.iter().filter(plain).step_by(step) {
        let name = symbols.str(export.name);
        let found = elf::defines(&bytes, facts, name).expect("memory can be read");
        // musl does not know indirect functions, nor does this.
        let told = String::from_utf8_lossy(name);
        assert!(found || export.kind == SymbolKind::Function, "{}: {told}", path.display());
    }
    for import in symbols.imports.iter().filter(|import| !import.copy).take(50) {
        let name = symbols.str(import.name);
        let also = symbols.exports.iter().any(|e| symbols.str(e.name) == name);
        assert!(
            also || !elf::defines(&bytes, facts, name).expect("memory can be read"),
            "{}",
            path.display()
        );
    }
}
