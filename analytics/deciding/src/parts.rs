//! What records change in cells, in numbers.

use std::sync::Arc;

use contract::Kind;

use crate::names::{Name, Names};
use crate::state::Cell;

/// So many events more in a cell, or fewer.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The source.
    pub source: Name,
    /// The kind.
    pub kind: Kind,
    /// The cell.
    pub cell: Cell,
    /// How many.
    pub events: i64,
}

/// Parts to be added up, several of which may be of one cell, and the texts they name.
#[derive(Debug, Clone, Default)]
pub struct CellParts {
    texts: Vec<Arc<str>>,
    parts: Vec<Part>,
}

impl CellParts {
    /// Takes the texts along that the parts have among `names`, and no others.
    pub fn new(mut parts: Vec<Part>, names: &Names) -> Self {
        let (mut texts, mut anew) = (Vec::new(), vec![None; names.len()]);
        let mut number = |name: Name| {
            *anew[name.index()].get_or_insert_with(|| {
                texts.push(Arc::clone(names.text(name)));
                Name::at(texts.len() - 1)
            })
        };
        for Part { source, cell, .. } in &mut parts {
            *source = number(*source);
            (cell.grid, cell.category) = (cell.grid.map(&mut number), cell.category.map(&mut number));
        }
        Self { texts, parts }
    }

    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The texts, each in the place of its name.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_along_the_texts_they_name_and_no_others() {
        let mut names = Names::default();
        let [_, city, noise] = ["water", "city", "noise"].map(|text| names.name(text));
        let part = |category| Part { source: city, kind: Kind::HotlineCall, cell: Cell { grid: None, category, hour: 7 }, events: 1 };
        let parts = CellParts::new(vec![part(Some(noise)), part(None), part(Some(city))], &names);
        let told = |part: &Part| (&*parts.texts()[part.source.index()], part.cell.category.map(|name| &*parts.texts()[name.index()]));
        let told: Vec<_> = parts.parts().iter().map(told).collect();
        assert_eq!((told, parts.texts().len()), (vec![("city", Some("noise")), ("city", None), ("city", Some("city"))], 2));
    }
}
