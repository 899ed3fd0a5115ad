//! Which grid an address names. Names of all grids stand in one trie over folded characters; reading an address walks it
//! from the start, once, without allocating.
//!
//! Folding makes writing styles equal: full-width letters and digits become ASCII, letters upper case, 臺 becomes 台, and
//! spaces go. Where two grids below one parent differ only by folding, the one spelled as written is meant.
//!
//! What may stand between two names and is passed over: postal codes, countries, Latin abbreviations (`TPE`), cities,
//! counties and districts that are no grids, punctuation. Anything else ends the reading: names further on (a landmark
//! named after a district) do not locate.

use std::collections::HashMap;
use std::sync::Arc;

use super::Grid;
use crate::address::{Token, fold, token};

/// Folded characters looked at: the longest prefix of the real feeds (doubled city and district, village) has 25.
const WINDOW_CHARS: usize = 96;
/// Most tokens read of one address; real prefixes have up to eight.
const STEPS_MAX: usize = 24;
/// Same-named grids scanned for one that lies further below; a name that common says nothing without its own parent.
const NAMESAKES_MAX: usize = 64;
/// Levels looked upwards; [`super::LEVELS_MAX`] bounds them.
const ANCESTORS_MAX: usize = super::LEVELS_MAX;

/// How the name in an address was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As in the grid file.
    AsWritten,
    /// Equal after folding (台 and 臺, full-width, spaces).
    Variant,
    /// By an alias.
    Alias,
}

/// The grid an address names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddressMatch<'a> {
    /// The finest grid named; its `level` tells how fine.
    pub grid: &'a Grid,
    /// How it was spelled.
    pub spelling: Spelling,
}

/// The names of all grids.
#[derive(Debug, Default)]
pub(super) struct Names {
    nodes: Vec<Node>,
    parents: Vec<Option<u32>>,
    is_parent: Vec<bool>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by character.
    next: Vec<(char, u32)>,
    /// Sorted by parent.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    parent: Option<u32>,
    place: u32,
    alias: bool,
    name: Box<str>,
}

/// The start of an address, folded, beside the characters as written.
struct Window {
    folded: [char; WINDOW_CHARS],
    written: [char; WINDOW_CHARS],
    length: usize,
}

/// A grid read so far.
#[derive(Debug, Clone, Copy)]
struct Found {
    place: u32,
    spelling: Spelling,
    /// Named below its parent, or itself a grid above others; not just by a name that happens to be unique.
    explicit: bool,
}

/// A name folded.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter_map(fold).collect()
}

impl Window {
    fn of(address: &str) -> Self {
        let mut window = Self { folded: ['\0'; WINDOW_CHARS], written: ['\0'; WINDOW_CHARS], length: 0 };
        for (written, folded) in address.chars().filter_map(|written| Some((written, fold(written)?))).take(WINDOW_CHARS) {
            window.folded[window.length] = folded;
            window.written[window.length] = written;
            window.length += 1;
        }
        window
    }

    fn at(&self, index: usize) -> Option<char> {
        (index < self.length).then(|| self.folded[index])
    }

    fn spells(&self, from: usize, to: usize, name: &str) -> bool {
        self.written[from..to].iter().copied().eq(name.chars())
    }
}

impl Names {
    /// Indexes the names and aliases of `grids`; `places` tells where an id stands among them.
    pub(super) fn build(grids: &[Arc<Grid>], places: &HashMap<String, u32>) -> Self {
        let parents: Vec<Option<u32>> = grids.iter().map(|grid| places.get(grid.parent.as_deref()?).copied()).collect();
        let mut is_parent = vec![false; grids.len()];
        parents.iter().flatten().for_each(|above| is_parent[*above as usize] = true);
        let mut names = Self { nodes: vec![Node::default()], parents, is_parent };
        for (place, grid) in (0..).zip(grids) {
            names.insert(place, &grid.name_zh, false);
            grid.aliases.iter().for_each(|alias| names.insert(place, alias, true));
        }
        for node in &mut names.nodes {
            node.entries.sort_by_key(|entry| (entry.parent, entry.place, entry.alias));
        }
        names
    }

    fn insert(&mut self, place: u32, name: &str, alias: bool) {
        let folded = folded(name);
        // A number or a single character at the start of an address is a house number or a typing slip, not a grid.
        if folded.chars().count() < 2 || folded.chars().all(|character| character.is_ascii_digit() || character.is_ascii_punctuation()) {
            return;
        }
        let mut node = 0;
        for character in folded.chars() {
            node = match self.nodes[node].next.binary_search_by_key(&character, |(known, _)| *known) {
                Ok(index) => self.nodes[node].next[index].1 as usize,
                Err(index) => {
                    self.nodes.push(Node::default());
                    let next = self.nodes.len() - 1;
                    self.nodes[node].next.insert(index, (character, u32::try_from(next).expect("names are bounded")));
                    next
                }
            };
        }
        let parent = self.parents[place as usize];
        self.nodes[node].entries.push(Entry { parent, place, alias, name: name.into() });
    }

    /// The finest grid named by an address.
    pub(super) fn find(&self, address: &str) -> Option<(u32, Spelling)> {
        if self.parents.is_empty() {
            return None;
        }
        let window = Window::of(address);
        let (mut best, mut current, mut foreign, mut at) = (None::<Found>, None::<u32>, false, 0);
        for _ in 0..STEPS_MAX {
            if let Some((found, end)) = self.read(&window, at, current, foreign) {
                best = match best {
                    Some(best) if self.contradicts(best, found) => break,
                    Some(best) if !self.refines(best, found) => Some(best),
                    _ => Some(found),
                };
                (current, foreign, at) = (Some(found.place), false, end);
            } else if let Some((token, end)) = token(&window.folded[..window.length], at) {
                foreign |= token == Token::District && current.is_none();
                at = end;
            } else {
                break;
            }
        }
        best.map(|found| (found.place, found.spelling))
    }

    /// Whether an address that named `best` and goes on to name `now` speaks of two places. The first stands: it is the district
    /// the source filed the case under.
    fn contradicts(&self, best: Found, now: Found) -> bool {
        best.explicit && best.place != now.place && !self.is_above(best.place, now.place) && !self.is_above(now.place, best.place)
    }

    /// Whether `now` says more than `best`: it lies below it, or `best` was a guess by a name that happens to be unique and `now`
    /// is not the grid above it.
    fn refines(&self, best: Found, now: Found) -> bool {
        best.place != now.place && !self.is_above(now.place, best.place)
    }

    fn is_above(&self, above: u32, below: u32) -> bool {
        self.ancestors(below).any(|ancestor| ancestor == above)
    }

    /// The longest name at `at` that counts after `current`, and where it ends.
    fn read(&self, window: &Window, at: usize, current: Option<u32>, foreign: bool) -> Option<(Found, usize)> {
        let (mut node, mut end, mut found) = (self.nodes.first()?, at, None);
        while let Some(character) = window.at(end) {
            let Ok(index) = node.next.binary_search_by_key(&character, |(known, _)| *known) else { break };
            node = &self.nodes[node.next[index].1 as usize];
            end += 1;
            if !node.entries.is_empty() && ends_name(character, window.at(end)) {
                let here = self.choose(node, window, (at, end), current, foreign);
                found = here.map(|here| (here, end)).or(found);
            }
        }
        found
    }

    /// The grid meant by a name that several may bear.
    fn choose(&self, node: &Node, window: &Window, (from, to): (usize, usize), current: Option<u32>, foreign: bool) -> Option<Found> {
        let pick = |candidates: &mut dyn Iterator<Item = &Entry>, explicit: bool| {
            only(candidates, |entry| window.spells(from, to, &entry.name)).map(|entry| {
                let spelling = match (entry.alias, window.spells(from, to, &entry.name)) {
                    (true, _) => Spelling::Alias,
                    (false, true) => Spelling::AsWritten,
                    (false, false) => Spelling::Variant,
                };
                Found { place: entry.place, spelling, explicit }
            })
        };
        // Below what was named before, directly or further down.
        if let Some(current) = current {
            if let Some(found) = pick(&mut node.children_of(Some(current)).iter(), true) {
                return Some(found);
            }
            let below = |entry: &&Entry| self.is_above(current, entry.place);
            if let Some(found) = pick(&mut node.entries.iter().take(NAMESAKES_MAX).filter(below), true) {
                return Some(found);
            }
        }
        // A top grid, or one beside what was named before: the address repeats or corrects itself.
        if let Some(found) = pick(&mut node.children_of(None).iter(), true) {
            return Some(found);
        }
        if let Some(current) = current {
            return self.ancestors(current).find_map(|above| pick(&mut node.children_of(Some(above)).iter(), true));
        }
        // Nothing named before: a name that only one grid bears, unless the address speaks of another place.
        let found = if foreign { None } else { pick(&mut node.entries.iter(), false) };
        found.map(|found| Found { explicit: self.is_parent[found.place as usize], ..found })
    }

    fn ancestors(&self, place: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(self.parents[place as usize], |above| self.parents[*above as usize]).take(ANCESTORS_MAX)
    }
}

impl Node {
    fn children_of(&self, parent: Option<u32>) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.parent < parent);
        let to = self.entries.partition_point(|entry| entry.parent <= parent);
        &self.entries[from..to]
    }
}

/// The only grid among the entries; among several, the only one spelled exactly.
fn only<'a>(entries: &mut dyn Iterator<Item = &'a Entry>, exact: impl Fn(&Entry) -> bool) -> Option<&'a Entry> {
    let (mut first, mut several, mut spelled, mut several_spelled) = (None::<&Entry>, false, None::<&Entry>, false);
    for entry in entries {
        several |= first.is_some_and(|first| first.place != entry.place);
        first = first.or(Some(entry));
        if exact(entry) {
            several_spelled |= spelled.is_some_and(|spelled| spelled.place != entry.place);
            spelled = spelled.or(Some(entry));
        }
    }
    match (spelled, several_spelled, several) {
        (Some(spelled), false, _) => Some(spelled),
        (None, _, false) => first,
        _ => None,
    }
}

/// Whether a name may end between these two characters: 大安 does not stand in 大安路, nor Lake in Lakeside.
fn ends_name(last: char, next: Option<char>) -> bool {
    let Some(next) = next else { return true };
    if last.is_ascii_alphanumeric() {
        return !next.is_ascii_alphanumeric();
    }
    is_unit(last) || !"路街道巷弄段".contains(next)
}

/// Characters that end the name of a division.
fn is_unit(character: char) -> bool {
    "區区鄉乡鎮镇旗市縣县省州盟里村社道坊屯".contains(character)
}
