//! From bytes to facts.

use std::ffi::CStr;
use std::io;

use object::elf::FileHeader64;
use object::endian::Endianness;

use super::dynamic::{self, Section, Tags};
use super::layout::{self, Place, Segment, SegmentKind, Start};
use super::window::{Read, Stop, Windows, damaged, split};
use super::{Ask, Facts, Load, Span, Unfit, mapping, notes, versions};
use crate::bytes::ReadAt;

/// Of one window. Four of them hold what is asked of nearly every file.
const WINDOW: usize = 2048;
/// As long as a path may be. The kernel takes no longer interpreter.
const MAX_INTERP: u64 = 4096;
/// No loader opens a longer name, but a list of directories may be of any length.
const MAX_STRING: u64 = 1 << 20;
/// Of all strings of one file: many names may be one string many times.
const MAX_TEXT: usize = 4 << 20;

pub(super) fn facts(file: &impl ReadAt) -> io::Result<Result<Facts, Unfit>> {
    let mut buf = [0; 4 * WINDOW];
    facts_through(&mut Windows::new(file, &mut buf, WINDOW))
}

pub(super) fn loads(file: &impl ReadAt) -> io::Result<Vec<Load>> {
    let mut buf = [0; WINDOW];
    let windows = &mut Windows::new(file, &mut buf, WINDOW);
    let head = windows.from(0, size_of::<FileHeader64<Endianness>>())?;
    let Ok(start) = layout::start(head) else { return Ok(Vec::new()) };
    let segments = split(layout::segments(windows, &start))?.unwrap_or_default();
    let loads = segments.iter().filter(|s| s.kind == SegmentKind::Load);
    Ok(loads.map(|s| Load { offset: s.offset, len: s.filesz, executable: s.executable }).collect())
}

pub(super) fn facts_through<R: ReadAt>(windows: &mut Windows<'_, R>) -> io::Result<Result<Facts, Unfit>> {
    let head = windows.from(0, size_of::<FileHeader64<Endianness>>())?;
    let start = match layout::start(head) {
        Ok(start) => start,
        Err(unfit) => return Ok(Err(unfit)),
    };
    let read = Reader::open(windows, &start).and_then(|mut reader| reader.facts(&start));
    Ok(split(read)?.map_err(|what| Unfit::Damaged { header: start.header, what }))
}

/// What all parts of the reading share.
pub(super) struct Reader<'w, 'a, R> {
    pub(super) windows: &'w mut Windows<'a, R>,
    pub(super) segments: Vec<Segment>,
    pub(super) order: Endianness,
    pub(super) text: Vec<u8>,
}

impl<'w, 'a, R: ReadAt> Reader<'w, 'a, R> {
    fn open(windows: &'w mut Windows<'a, R>, start: &Start) -> Read<Self> {
        let segments = layout::segments(windows, start)?;
        Ok(Reader { windows, segments, order: start.order.endianness(), text: Vec::new() })
    }

    fn facts(&mut self, start: &Start) -> Read<Facts> {
        let mut facts = Facts::nothing(start);
        facts.has_load = self.segments.iter().any(|s| s.kind == SegmentKind::Load);
        facts.mapping = mapping::of(&self.segments, start.class);
        self.interp(&mut facts)?;
        notes::read(self, &mut facts)?;
        if let Some(place) = dynamic::find(&self.segments) {
            facts.has_dynamic = true;
            self.dynamic(&mut facts, Section { place, class: start.class, order: self.order })?;
        }
        facts.text = std::mem::take(&mut self.text);
        Ok(facts)
    }

    /// After the kernel's `load_elf_binary`: the first one counts, and it has to
    /// be a string. A library is none the worse for a bad one.
    fn interp(&mut self, facts: &mut Facts) -> Read<()> {
        let Some(segment) = self.segments.iter().find(|s| s.kind == SegmentKind::Interp).copied() else {
            return Ok(());
        };
        let size = segment.filesz;
        facts.bad_interp = !(2..=MAX_INTERP).contains(&size);
        if facts.bad_interp {
            return Ok(());
        }
        let place = Place { offset: segment.offset, left: size };
        let last = segment.offset.saturating_add(size - 1);
        // From its start, so that one window holds both ends.
        self.windows.from(segment.offset, 1)?;
        let ends = self.windows.from(last, 1)?.first() == Some(&0);
        facts.interp = split(self.string(place))?.ok().filter(|_| ends);
        facts.bad_interp = facts.interp.is_none();
        Ok(())
    }

    fn dynamic(&mut self, facts: &mut Facts, section: Section) -> Read<()> {
        let tags = section.tags(self.windows, facts.header.machine)?;
        facts.flags = tags.flags | if tags.bind_now { super::FLAG_BIND_NOW } else { 0 };
        facts.flags_1 = tags.flags_1;
        facts.has_debug_tag = tags.debug;
        facts.has_verdef = tags.verdef.is_some();
        facts.has_relr = tags.relr.is_some();
        facts.dynamic = tags.info(&self.segments);
        facts.odd = tags.odd(facts.class, facts.header.machine);
        self.names(facts, &tags)?;
        versions::read(self, facts, &tags)
    }

    fn names(&mut self, facts: &mut Facts, tags: &Tags) -> Read<()> {
        let strings = tags.strtab.and_then(|addr| layout::place(&self.segments, addr));
        self.text.reserve(512);
        facts.asks = self.asks(tags, strings)?;
        facts.soname = tags.soname.map(|at| self.name(strings, at)).transpose()?;
        facts.rpath = tags.rpath.map(|at| self.name(strings, at)).transpose()?;
        facts.runpath = tags.runpath.map(|at| self.name(strings, at)).transpose()?;
        // Nobody looks at these but glibc, and only in a program.
        facts.audit = self.name_if_good(strings, tags.audit)?;
        facts.depaudit = self.name_if_good(strings, tags.depaudit)?;
        Ok(())
    }

    fn asks(&mut self, tags: &Tags, strings: Option<Place>) -> Read<Vec<Ask>> {
        let mut asks = Vec::with_capacity(tags.asks.len());
        for &(kind, at) in &tags.asks {
            asks.push(Ask { kind, name: self.name(strings, at)? });
        }
        Ok(asks)
    }

    /// A string of the table. The loaders do not look at `DT_STRSZ`: what is
    /// mapped beyond it serves as well.
    pub(super) fn name(&mut self, strings: Option<Place>, at: u64) -> Read<Span> {
        let strings = strings.ok_or(damaged!("the string table"))?;
        let place = strings.skip(at, 1).ok_or(damaged!("a string of the dynamic section"))?;
        self.string(place)
    }

    fn name_if_good(&mut self, strings: Option<Place>, at: Option<u64>) -> Read<Option<Span>> {
        let Some(at) = at else { return Ok(None) };
        Ok(split(self.name(strings, at))?.ok())
    }

    fn string(&mut self, place: Place) -> Read<Span> {
        string_into(&mut self.text, self.windows, place)
    }

    /// `len` bytes at `place`, as they are.
    pub(super) fn blob(&mut self, place: Place, len: u64) -> Read<Span> {
        let start = self.text.len();
        let mut left =
            usize::try_from(len).ok().filter(|n| *n <= MAX_TEXT - start).ok_or(Stop::Bad("a note"))?;
        let mut offset = place.offset;
        while left > 0 {
            let bytes = self.windows.from(offset, 1)?;
            let bytes = &bytes[..bytes.len().min(left)];
            if bytes.is_empty() {
                self.text.truncate(start);
                return Err(Stop::Bad("a note"));
            }
            self.text.extend_from_slice(bytes);
            offset += bytes.len() as u64;
            left -= bytes.len();
        }
        Ok(span(start, self.text.len()))
    }
}

/// Appends the string at `place`, which ends at a NUL within it.
fn string_into<R: ReadAt>(text: &mut Vec<u8>, windows: &mut Windows<'_, R>, place: Place) -> Read<Span> {
    let start = text.len();
    // One more, for the NUL.
    let mut left = place.left.min(MAX_STRING + 1).min((MAX_TEXT - start) as u64) as usize;
    let mut offset = place.offset;
    while left > 0 {
        let bytes = windows.from(offset, 1)?;
        let bytes = &bytes[..bytes.len().min(left)];
        if let Ok(found) = CStr::from_bytes_until_nul(bytes) {
            text.extend_from_slice(found.to_bytes());
            return Ok(span(start, text.len()));
        }
        if bytes.is_empty() {
            break;
        }
        text.extend_from_slice(bytes);
        offset += bytes.len() as u64;
        left -= bytes.len();
    }
    text.truncate(start);
    Err(damaged!("a string of the dynamic section"))
}

fn span(start: usize, end: usize) -> Span {
    let short = |n: usize| u32::try_from(n).expect("the text is shorter than 4 MiB");
    Span { start: short(start), len: short(end - start) }
}

impl Facts {
    /// The facts of a file of which nothing but the header was read.
    fn nothing(start: &Start) -> Facts {
        Facts {
            header: start.header,
            class: start.class,
            order: start.order,
            interp: None,
            bad_interp: false,
            has_load: false,
            has_dynamic: false,
            mapping: Default::default(),
            odd: None,
            soname: None,
            rpath: None,
            runpath: None,
            asks: Vec::new(),
            audit: None,
            depaudit: None,
            flags: 0,
            flags_1: 0,
            has_debug_tag: false,
            has_verdef: false,
            has_relr: false,
            version_needs: Vec::new(),
            version_defs: Vec::new(),
            version_fault: None,
            has_bad_needs: false,
            abi_tag: None,
            isa_needed: None,
            build_id: None,
            dlopen_notes: Vec::new(),
            package_note: None,
            dynamic: Default::default(),
            text: Vec::new(),
        }
    }
}
