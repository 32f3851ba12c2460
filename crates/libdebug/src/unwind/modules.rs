//! Which image an address of a process belongs to.

use std::sync::{Arc, OnceLock};

use libdebug_image::{FileAddress, Image};
use libdebug_kernel::proc::Map;

use crate::error::Result;
use crate::lookup;
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;

const PAGE: u64 = 4096;

/// The images of a process, by address; each is opened when it is first needed.
pub(crate) struct Modules {
    maps: Arc<[Map]>,
    modules: Vec<Module>,
    /// The module of each map.
    owners: Vec<Option<usize>>,
}

/// One image as it is mapped once.
struct Module {
    /// Its maps, among all.
    maps: Vec<usize>,
    image: OnceLock<Option<Loaded>>,
}

/// An image, and where it was loaded.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) image: Arc<Image>,
    pub(crate) bias: u64,
}

impl Loaded {
    /// The readable name of the symbol that covers a virtual address in the file of that path, and the distance from
    /// its start.
    pub(crate) fn symbol_at(
        &self,
        address: u64,
        path: &str,
        sources: &SymbolSources,
    ) -> Option<(String, u64)> {
        lookup::at(&self.image, path, FileAddress::from_process(address, self.bias), sources)
    }
}

impl Modules {
    pub(crate) fn new(maps: Arc<[Map]>) -> Self {
        let mut modules: Vec<Module> = Vec::new();
        let mut owners = Vec::with_capacity(maps.len());
        for (place, map) in maps.iter().enumerate() {
            let named = map.has_file() || map.path == "[vdso]";
            let owner = named.then(|| {
                let known = modules.iter().rposition(|module| continues(&maps, &module.maps, map));
                let at = known.unwrap_or_else(|| {
                    modules.push(Module { maps: Vec::new(), image: OnceLock::new() });
                    modules.len() - 1
                });
                modules[at].maps.push(place);
                at
            });
            owners.push(owner);
        }
        Self { maps, modules, owners }
    }

    /// Whether it tells of these maps.
    pub(crate) fn are_of(&self, maps: &Arc<[Map]>) -> bool {
        Arc::ptr_eq(&self.maps, maps) || self.maps == *maps
    }

    /// The map that an address lies in.
    pub(crate) fn map_at(&self, address: u64) -> Option<&Map> {
        Some(&self.maps[self.place_of(address)?])
    }

    /// The image that an address lies in.
    pub(crate) fn image_at(&self, space: &dyn AddressSpace, address: u64) -> Option<&Loaded> {
        let module = &self.modules[self.owners[self.place_of(address)?]?];
        module.image.get_or_init(|| self.load(space, module)).as_ref()
    }

    fn place_of(&self, address: u64) -> Option<usize> {
        let place = self.maps.partition_point(|map| map.end <= address);
        self.maps.get(place).filter(|map| map.contains(address)).map(|_| place)
    }

    fn load(&self, space: &dyn AddressSpace, module: &Module) -> Option<Loaded> {
        let first = &self.maps[*module.maps.first()?];
        let from_file = || if first.has_file() { space.image(&first.path) } else { None };
        let image = from_file().or_else(|| self.copy(space, module))?;
        let bias = image.load_bias(first.start, first.offset, PAGE)?;
        Some(Loaded { image, bias })
    }

    /// An image without a file, such as the vDSO and what was deleted, out of memory. What its segments do not
    /// load, sections and their names among it, is missing.
    fn copy(&self, space: &dyn AddressSpace, module: &Module) -> Option<Arc<Image>> {
        const GREATEST: u64 = 1 << 26;
        let maps = || module.maps.iter().map(|&place| &self.maps[place]);
        let mut magic = [0; 4];
        let is_image = space.read(maps().next()?.start, &mut magic).is_ok() && magic == *b"\x7fELF";
        let size = maps().map(|map| map.offset.saturating_add(map.end - map.start)).max()?;
        if !is_image || size > GREATEST {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        for map in maps().filter(|map| map.permissions[0] == b'r') {
            let (start, length) = (map.offset as usize, (map.end - map.start) as usize);
            let _ = space.read(map.start, &mut bytes[start..start + length]);
        }
        Image::parse(Arc::new(bytes)).ok().map(Arc::new)
    }
}

/// Whether `map` is one more part of what `parts` are maps of. A file that is loaded twice begins anew.
fn continues(maps: &[Map], parts: &[usize], map: &Map) -> bool {
    let last = parts.last().map(|&place| &maps[place]);
    last.is_some_and(|last| (&last.path, last.inode) == (&map.path, map.inode) && last.offset <= map.offset)
}

/// What a space that lasts keeps between two looks at stacks.
#[derive(Default)]
pub(crate) struct ModulesSlot(std::sync::Mutex<Option<Arc<Modules>>>);

impl std::fmt::Debug for ModulesSlot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ModulesSlot")
    }
}

impl ModulesSlot {
    /// The modules of `maps`, the same as before where those have not changed.
    pub(crate) fn of(&self, maps: Arc<[Map]>) -> Result<Arc<Modules>> {
        let mut slot = crate::mailbox::lock(&self.0);
        if let Some(modules) = slot.as_ref().filter(|modules| modules.are_of(&maps)) {
            return Ok(Arc::clone(modules));
        }
        let modules = Arc::new(Modules::new(maps));
        *slot = Some(Arc::clone(&modules));
        Ok(modules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(start: u64, offset: u64, path: &str) -> Map {
        Map { start, end: start + 0x1000, permissions: *b"r-xp", offset, inode: 7, path: path.to_owned() }
    }

    #[test]
    fn a_file_that_is_loaded_twice_is_two_modules() {
        let maps = [
            map(0x1000, 0, "/lib/a"),
            map(0x2000, 0x1000, "/lib/a"),
            map(0x3000, 0, "[heap]"),
            map(0x5000, 0, "/lib/a"),
            map(0x6000, 0x1000, "/lib/a"),
            map(0x7000, 0x1000, "/lib/a"),
        ];
        let modules = Modules::new(Arc::from(maps));
        assert_eq!(modules.owners, [Some(0), Some(0), None, Some(1), Some(1), Some(1)]);
        assert_eq!(modules.place_of(0x1000), Some(0));
        assert_eq!(modules.place_of(0x2fff), Some(1));
        assert_eq!(
            (modules.place_of(0xfff), modules.place_of(0x4000), modules.place_of(0x8000)),
            (None, None, None)
        );
    }
}
