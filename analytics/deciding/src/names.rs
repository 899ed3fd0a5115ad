//! Names as numbers: sources, categories and grids come again with every event, and are kept once for a partition.

use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;

/// A name of one partition; the numbers of another mean other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(NonZeroU32);

impl Name {
    /// The name at a place.
    ///
    /// # Panics
    /// Beyond four billion.
    pub fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("there are fewer names than four billion"))
    }

    /// Its place among the names it is of.
    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The names of a partition.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The name, known from now on.
    ///
    /// # Panics
    /// After four billion of them.
    pub fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.known.get(text) {
            return *name;
        }
        let (name, text) = (Name::at(self.texts.len()), Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.known.insert(text, name);
        name
    }

    pub(crate) fn text(&self, name: Name) -> &Arc<str> {
        &self.texts[name.index()]
    }

    pub(crate) const fn len(&self) -> usize {
        self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_and_a_number_one_name() {
        let mut names = Names::default();
        let (noise, water) = (names.name("noise"), names.name("water"));
        assert_eq!((names.name("noise"), names.name("water"), names.len()), (noise, water, 2));
        assert_eq!((&**names.text(noise), &**names.text(water)), ("noise", "water"));
        assert_eq!(size_of::<Option<Name>>(), 4);
    }
}
