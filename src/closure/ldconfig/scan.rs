//! Reading the directories on the list (`search_dir`).

use std::sync::PoisonError;

use super::library::{Known, LIBC5, facts, is_library_name, is_temporary};
use super::{Place, Provided, Run, Setup, resolve};
use crate::intern::Map;
use crate::loader::Version;
use crate::loader::cache::{
    Chars, ELF, Entry, Hwcap, LIBC6, LoaderAbi, is_legacy_subdir, legacy_field, libcmp,
};
use crate::loader::conf::{Dir, LibType};
use crate::parallel;
use crate::root::{DirId, Item, ItemKind, OpenFile, Opened};

/// So many files are worth a thread.
const MANY: usize = 200;

/// A name of a directory that stands for a key.
struct Slot {
    key: Vec<u8>,
    name: Vec<u8>,
    /// Its own name is the key, and it is a link.
    is_link: bool,
    flags: u32,
    isa_level: u32,
}

impl Run<'_> {
    pub(super) fn search_all(&mut self) -> Vec<Provided> {
        let mut found = Vec::new();
        // Legacy subdirectories are put behind all others while this runs.
        let mut n = 0;
        while n < self.places.len() {
            let place = self.places[n].clone();
            self.search(&place, &mut found);
            n += 1;
        }
        found
    }

    fn search(&mut self, place: &Place, found: &mut Vec<Provided>) {
        let chars = LoaderAbi::of(&self.setup.target, self.setup.version).chars;
        let mut slots = Slots { list: Vec::new(), by_key: Map::default(), chars };
        let mut items = self.list(place.id, &place.dir.path);
        let version = self.setup.version;
        items.retain(|item| self.is_wanted(place, item) && !is_temporary(&item.name, version));
        let files = self.files(place, &items);
        for item in items {
            if let Some(known) = self.candidate(place, &item, &files) {
                slots.add(slot(place, item, known));
            }
        }
        let hwcap = self.legacy_hwcap(place);
        // The real one keeps a list that grows at its front.
        found.extend(slots.list.into_iter().rev().map(|slot| provided(place, slot, &hwcap)));
    }

    /// By name and kind alone.
    fn is_wanted(&self, place: &Place, item: &Item) -> bool {
        let named = is_library_name(&item.name, self.setup.version);
        match item.kind {
            ItemKind::File => named,
            // Not asked of a link in a glibc-hwcaps directory.
            ItemKind::Link => named || place.level.is_some() || self.is_legacy(place, &item.name),
            ItemKind::Dir => self.is_legacy(place, &item.name),
            ItemKind::Special => false,
        }
    }

    /// Up to 2.36: a subdirectory to descend into.
    fn is_legacy(&self, place: &Place, name: &[u8]) -> bool {
        let Setup { version, target, .. } = self.setup;
        *version <= Version(2, 36) && place.level.is_none() && is_legacy_subdir(target, name)
    }

    /// The regular files among them, read.
    fn files(&self, place: &Place, items: &[Item]) -> Map<Vec<u8>, Option<Known>> {
        let names: Vec<&[u8]> =
            items.iter().filter(|item| item.kind == ItemKind::File).map(|item| &item.name[..]).collect();
        let known = parallel::map(&names, MANY, |_: &mut (), name| match self.root.open(place.id, name) {
            Ok(Opened::File(file)) => self.known(&file),
            Ok(Opened::Dir(_) | Opened::Link(_) | Opened::Special(_)) | Err(_) => None,
        });
        let mut files = Map::default();
        for (name, known) in names.into_iter().zip(known) {
            files.insert(name.to_vec(), known);
        }
        files
    }

    /// The library behind a name. A subdirectory is put on the list instead.
    fn candidate(
        &mut self,
        place: &Place,
        item: &Item,
        files: &Map<Vec<u8>, Option<Known>>,
    ) -> Option<Known> {
        // Nearly every link leads to a file beside it.
        let beside = match item.kind {
            ItemKind::File => files.get(&item.name),
            ItemKind::Link => self.target(place, item).and_then(|target| files.get(&target)),
            ItemKind::Dir | ItemKind::Special => None,
        };
        if let Some(known) = beside {
            return known.clone();
        }
        // A dangling link is passed over in silence, as by ldconfig.
        match resolve(self.root, place.id, &item.name).ok()?.opened {
            Opened::File(file) => self.known(&file),
            Opened::Dir(id) => {
                self.add_legacy(place, &item.name, id);
                None
            }
            Opened::Link(_) | Opened::Special(_) => None,
        }
    }

    fn target(&self, place: &Place, item: &Item) -> Option<Vec<u8>> {
        match self.root.open(place.id, &item.name) {
            Ok(Opened::Link(target)) => Some(target),
            Ok(Opened::File(_) | Opened::Dir(_) | Opened::Special(_)) | Err(_) => None,
        }
    }

    fn add_legacy(&mut self, place: &Place, name: &[u8], id: DirId) {
        if self.is_legacy(place, name) {
            let path = [place.dir.path.as_slice(), b"/", name].concat();
            self.add_place(Place { dir: Dir { path, kind: place.dir.kind }, id, level: None });
        }
    }

    fn known(&self, file: &OpenFile) -> Option<Known> {
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read().get(&file.stat.id).cloned();
        known.unwrap_or_else(|| {
            let known = facts(file).and_then(|facts| Known::of(&facts, self.setup));
            read().insert(file.stat.id, known.clone());
            known
        })
    }

    fn legacy_hwcap(&self, place: &Place) -> Hwcap {
        if self.setup.version >= Version(2, 37) {
            return Hwcap::Any;
        }
        match legacy_field(&self.setup.target, &place.dir.path) {
            0 => Hwcap::Any,
            bits => Hwcap::Legacy(bits),
        }
    }
}

fn slot(place: &Place, item: Item, known: Known) -> Slot {
    let soname = known.soname.unwrap_or_else(|| item.name.clone());
    // `libfoo.so -> libfoo.so.1` and a link named by the SONAME keep their own
    // name; any other link is one more file of that SONAME.
    let is_dev_link = item.name.ends_with(b".so") && soname.starts_with(&item.name);
    let is_link = item.kind == ItemKind::Link && (item.name == soname || is_dev_link);
    Slot {
        key: if is_link { item.name.clone() } else { soname },
        name: item.name,
        is_link,
        flags: typed(known.flags, place.dir.kind),
        isa_level: known.isa_level,
    }
}

/// A directory's type decides where the file leaves it open.
fn typed(flags: u32, kind: LibType) -> u32 {
    match kind {
        LibType::Libc5 if flags == ELF => LIBC5,
        LibType::Libc6 if flags == ELF => LIBC6,
        LibType::Any | LibType::Libc4 | LibType::Libc5 | LibType::Libc6 => flags,
    }
}

fn provided(place: &Place, slot: Slot, legacy: &Hwcap) -> Provided {
    // A link by the name of the key is relied on, but not below glibc-hwcaps.
    let (last, hwcap) = match &place.level {
        None => (&slot.key, legacy.clone()),
        Some(name) => (&slot.name, Hwcap::Named { name: name.clone(), isa_level: slot.isa_level }),
    };
    let value = [place.dir.path.as_slice(), b"/", last].concat();
    let entry = Entry { key: slot.key, value, flags: slot.flags, hwcap };
    Provided { entry, dir: place.id, file: slot.name }
}

/// The libraries of one directory, one for each key.
struct Slots {
    list: Vec<Slot>,
    by_key: Map<Vec<u8>, usize>,
    chars: Chars,
}

impl Slots {
    /// A file is preferred to a link, then the higher number in the name.
    fn add(&mut self, slot: Slot) {
        let Some(&n) = self.by_key.get(&slot.key) else {
            self.by_key.insert(slot.key.clone(), self.list.len());
            self.list.push(slot);
            return;
        };
        let old = &mut self.list[n];
        let newer = libcmp(&old.name, &slot.name, self.chars) < 0;
        if !slot.is_link && old.is_link || slot.is_link == old.is_link && newer {
            let flags = merged(old.flags, slot.flags);
            *old = Slot { flags, ..slot };
        }
    }
}

/// Two files of one key and different type: the first one's counts, but among
/// the unmarked types.
pub(super) fn merged(old: u32, new: u32) -> u32 {
    let is_libc = |flags| flags == LIBC5 || flags == LIBC6;
    if old == ELF && is_libc(new) || is_libc(old) && new == ELF { new } else { old }
}
