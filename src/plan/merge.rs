//! A file written by us meets one that is already there.

pub mod by_name;

use super::{Conflict, ContentId, Node, Plan};
use crate::bytes::ReadAt;
use crate::needs::Merge;
use crate::path::ImagePath;
use crate::root::{DirId, OpenFile, Opened, Root, resolve};

/// No file that is merged is longer: users, groups, services.
const LONGEST: u64 = 1 << 24;

impl Plan {
    /// Generated files take in what DIST and the base, nearest first, have at
    /// their places. Caches are merged when they are made.
    pub fn meet(&mut self, below: &[&dyn Root]) -> Result<(), Conflict> {
        let made: Vec<(ImagePath, ContentId, Merge)> = self.mergeable().collect();
        for (at, id, merge) in made {
            for theirs in below.iter().filter_map(|root| there(*root, &at)) {
                let ours = self.content(id).source.made().unwrap_or_default().to_vec();
                let merged = match merge {
                    Merge::ByName => by_name::by_name(&theirs, &ours).map_err(|clash| Conflict {
                        at: at.clone(),
                        have: clash.to_string().into_bytes(),
                        want: b"these lines".to_vec(),
                    })?,
                    Merge::KeepTheirs => theirs,
                    Merge::Never | Merge::LdCache | Merge::MuslPath => continue,
                };
                self.remake(id, merged);
            }
        }
        Ok(())
    }

    /// What an earlier run made, and this one makes again, is as new as the newer
    /// of both: in whatever order they come.
    pub fn keep_times(&mut self, dist: &dyn Root) {
        let made: Vec<(ImagePath, ContentId)> = self.made_files().collect();
        for (at, id) in made {
            let content = &mut self.contents[id.0 as usize];
            let Some(open) = open_there(dist, &at) else { continue };
            let bytes = content.source.made().unwrap_or_default();
            let is_same = || whole(&open).is_some_and(|theirs| theirs == bytes);
            if content.merge != Merge::Never || is_same() {
                content.mtime = content.mtime.max(Some((open.stat.times[0], open.stat.times[1])));
            }
        }
    }

    fn made_files(&self) -> impl Iterator<Item = (ImagePath, ContentId)> {
        self.entries().filter_map(|(at, entry)| match entry.node {
            Node::File(id) => self.content(id).source.made().map(|_| (at.clone(), id)),
            Node::Dir(_) | Node::Link(_) => None,
        })
    }

    /// Of the other files what is there is not read: they are the large ones.
    fn mergeable(&self) -> impl Iterator<Item = (ImagePath, ContentId, Merge)> {
        let all = self.entries().filter_map(|(at, entry)| match entry.node {
            Node::File(id) => Some((at.clone(), id, self.content(id).merge)),
            Node::Dir(_) | Node::Link(_) => None,
        });
        all.filter(|(_, _, merge)| matches!(merge, Merge::ByName | Merge::KeepTheirs))
    }
}

/// The bytes of a file that is there.
fn there(root: &dyn Root, at: &ImagePath) -> Option<Vec<u8>> {
    whole(&open_there(root, at)?)
}

fn open_there(root: &dyn Root, at: &ImagePath) -> Option<OpenFile> {
    match resolve(root, DirId::TOP, at.as_bytes()).ok()?.opened {
        Opened::File(open) => Some(open),
        Opened::Dir(_) | Opened::Link(_) | Opened::Special(_) => None,
    }
}

fn whole(open: &OpenFile) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(open.stat.len.min(LONGEST)).ok()?];
    let len = open.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(len);
    Some(bytes)
}
