//! The city as it stands: districts, grids, people, roads, addresses and where they are. Drawn once from the seed; nothing
//! here knows of time.

use std::collections::{BTreeSet, HashMap};

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::CitySpec;
use super::categories::Land;
use super::dice::{Dice, Purpose, below, between, mix, unit};
use super::lattice::{Direction, Lattice, Point};
use super::names;
use super::outline::Outline;
use super::partition::{Partition, divide};

/// Blocks merged into one grid, on average: enough for irregular shapes, few enough to draw quickly.
const BLOCKS_PER_GRID: usize = 9;
/// People behind one address: a stairwell or a shop front.
const RESIDENTS_PER_ADDRESS: usize = 30;
/// Fewest addresses of a grid, so that the emptiest one still has places to report from.
const ADDRESSES_MIN: usize = 40;
/// Tries to put an address inside the bent border of its grid before the middle of the block is taken.
const PLACING_TRIES: usize = 8;

/// A district.
#[derive(Debug)]
pub(super) struct District {
    pub(super) id: String,
    pub(super) name: (&'static str, &'static str),
    pub(super) outline: Outline,
    pub(super) population: u32,
}

/// A grid.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) id: String,
    pub(super) name: (String, String),
    pub(super) district: usize,
    pub(super) outline: Outline,
    pub(super) population: u32,
    pub(super) land: Land,
    pub(super) riverside: bool,
    /// Grids that share a street with it.
    pub(super) beside: Vec<usize>,
    pub(super) addresses: Vec<Address>,
}

/// A place with a house number.
#[derive(Debug)]
pub(super) struct Address {
    /// District, grid, road and number.
    pub(super) text: String,
    /// The same without the grid: what normalizing leaves.
    pub(super) id: String,
    pub(super) point: Point,
}

/// Districts, grids and the river.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) districts: Vec<District>,
    pub(super) grids: Vec<Grid>,
    pub(super) river: Vec<Point>,
}

impl Plan {
    /// Draws the city of a checked spec.
    pub(super) fn draw(dice: &Dice, spec: &CitySpec) -> Self {
        let mut lattice = Lattice::new(dice, spec.grids * BLOCKS_PER_GRID);
        let partition = divide(dice, &mut lattice, spec.districts, spec.grids);
        let mut grids = bare_grids(dice, &lattice, &partition);
        settle(dice, &lattice, &partition, &mut grids, spec.residents);
        number_houses(dice, &lattice, &partition, &mut grids);
        let districts = districts(dice, &lattice, &partition, &grids);
        Self { districts, grids, river: lattice.river() }
    }
}

fn bare_grids(dice: &Dice, lattice: &Lattice, partition: &Partition) -> Vec<Grid> {
    let names = names::grids(dice, partition.grids.len());
    let beside = adjacency(lattice, partition);
    let grid = |(index, (name, beside)): (usize, ((String, String), BTreeSet<usize>))| {
        let blocks = &partition.grids[index];
        Grid {
            id: opaque_id('g', dice, index),
            name,
            district: partition.district_of[index],
            outline: Outline::of(lattice, blocks),
            population: 0,
            land: land(dice, index, mean_distance(lattice, blocks)),
            riverside: blocks.iter().any(|block| lattice.is_riverside(*block)),
            beside: beside.into_iter().collect(),
            addresses: Vec::new(),
        }
    };
    names.into_iter().zip(beside).enumerate().map(grid).collect()
}

/// Seven characters that tell nothing: ids are looked up, never taken apart.
fn opaque_id(level: char, dice: &Dice, index: usize) -> String {
    const LETTERS: &[u8; 32] = b"23456789abcdefghjkmnpqrstuvwxyz0";
    let word = dice.hash(Purpose::Plan, u64::from(u32::from(level)), index as u64);
    let letters: String = (0..4).map(|place| char::from(LETTERS[(word >> (5 * place)) as usize % 32])).collect();
    // The two last characters number the grids, so that ids cannot meet.
    format!("{level}{letters}{}{}", char::from(LETTERS[index / 32 % 32]), char::from(LETTERS[index % 32]))
}

fn mean_distance(lattice: &Lattice, blocks: &[usize]) -> f64 {
    blocks.iter().map(|block| lattice.distance(*block)).sum::<f64>() / blocks.len() as f64
}

fn land(dice: &Dice, index: usize, distance: f64) -> Land {
    let chance = dice.unit(Purpose::Plan, 0x1a2d, index as u64);
    let steps: [(f64, Land); 4] = match distance {
        near if near < 0.2 => [(0.75, Land::Center), (1.0, Land::Old), (1.0, Land::Old), (1.0, Land::Old)],
        middle if middle < 0.55 => [(0.12, Land::Center), (0.52, Land::Old), (0.92, Land::Housing), (1.0, Land::Green)],
        _ => [(0.15, Land::Old), (0.60, Land::Housing), (0.82, Land::Industry), (1.0, Land::Green)],
    };
    steps.into_iter().find(|(limit, _)| chance < *limit).map_or(Land::Housing, |(_, land)| land)
}

fn adjacency(lattice: &Lattice, partition: &Partition) -> Vec<BTreeSet<usize>> {
    let mut owner = vec![None; lattice.blocks()];
    for (grid, blocks) in partition.grids.iter().enumerate() {
        blocks.iter().for_each(|block| owner[*block] = Some(grid));
    }
    let facing = |blocks: &Vec<usize>| -> BTreeSet<usize> {
        let sides = blocks.iter().flat_map(|block| Direction::ALL.map(|direction| (*block, direction)));
        sides.filter_map(|(block, direction)| owner[lattice.linked(block, direction)?]).collect()
    };
    partition.grids.iter().enumerate().map(|(grid, blocks)| facing(blocks).into_iter().filter(|other| *other != grid).collect()).collect()
}

/// Spreads the residents: dense in the center and in old quarters, thin between factories and parks.
fn settle(dice: &Dice, lattice: &Lattice, partition: &Partition, grids: &mut [Grid], residents: u32) {
    let density = |index: usize, grid: &Grid| {
        let by_land = [0.9, 1.6, 1.2, 0.3, 0.2][grid.land as usize];
        let own = libm::exp(0.25 * dice.normal(Purpose::Plan, 0x9e0, index as u64));
        grid.outline.area() * by_land * own * libm::exp(-2.2 * mean_distance(lattice, &partition.grids[index]))
    };
    let weights: Vec<f64> = grids.iter().enumerate().map(|(index, grid)| density(index, grid)).collect();
    let total: f64 = weights.iter().sum();
    for (grid, weight) in grids.iter_mut().zip(weights) {
        grid.population = (f64::from(residents) * weight / total).round() as u32;
    }
}

fn number_houses(dice: &Dice, lattice: &Lattice, partition: &Partition, grids: &mut [Grid]) {
    let side = libm::sqrt(lattice.blocks() as f64) as usize;
    let roads = [names::roads(dice, side / 2 + 1, "路"), names::roads(dice, side / 2 + 1, "街")];
    let mut last_number: HashMap<(usize, usize, usize), u32> = HashMap::new();
    for (index, grid) in grids.iter_mut().enumerate() {
        let mut rng = dice.stream(Purpose::Address, index as u64);
        let count = (grid.population as usize / RESIDENTS_PER_ADDRESS).max(ADDRESSES_MIN);
        let district = names::DISTRICTS[grid.district].0;
        for _ in 0..count {
            let (block, point) = place(&mut rng, lattice, &partition.grids[index], &grid.outline);
            let (column, row) = lattice.column_row(block);
            let axis = below(rng.next_u64(), 2);
            let line = [row, column][axis] / 2;
            let number = last_number.entry((grid.district, axis, line)).or_insert(0);
            *number += 1 + (rng.next_u64() % 3) as u32;
            let road = &roads[axis][line];
            let (text, id) = (format!("{district}{}{road}{number}号", grid.name.0), format!("{district}{road}{number}号"));
            grid.addresses.push(Address { text, id, point });
        }
    }
}

fn place(rng: &mut ChaCha8Rng, lattice: &Lattice, blocks: &[usize], outline: &Outline) -> (usize, Point) {
    let block = blocks[below(rng.next_u64(), blocks.len())];
    let spots = std::iter::repeat_with(|| lattice.within(block, between(rng, 0.1, 0.9), between(rng, 0.1, 0.9)));
    let inside = spots.take(PLACING_TRIES).find(|point| outline.contains(*point));
    (block, inside.unwrap_or_else(|| lattice.within(block, 0.5, 0.5)))
}

fn districts(dice: &Dice, lattice: &Lattice, partition: &Partition, grids: &[Grid]) -> Vec<District> {
    let count = partition.district_of.iter().max().map_or(0, |last| last + 1);
    let district = |index: usize| {
        let of_district = || grids.iter().enumerate().filter(move |(_, grid)| grid.district == index);
        let blocks: Vec<usize> = of_district().flat_map(|(grid, _)| partition.grids[grid].iter().copied()).collect();
        District {
            id: opaque_id('d', dice, index),
            name: names::DISTRICTS[index],
            outline: Outline::of(lattice, &blocks),
            population: of_district().map(|(_, grid)| grid.population).sum(),
        }
    };
    (0..count).map(district).collect()
}

/// Pseudonym-like token of a resident: what a keyed hash of a number looks like, though there never was a number.
pub(super) fn caller_token(dice: &Dice, grid: usize, resident: u64) -> String {
    format!("p-{:016x}", mix(dice.hash(Purpose::Caller, grid as u64, resident)))
}

/// How noisy the mixture of grids is for one category: a grid's own factor, between about 0.5 and 2.
pub(super) fn taste(dice: &Dice, grid: usize, category: usize) -> f64 {
    libm::exp(0.7 * (2.0 * unit(dice.hash(Purpose::Plan, 0x7a57e + category as u64, grid as u64)) - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        let spec = CitySpec { seed, ..CitySpec::default() };
        Plan::draw(&Dice::new(seed), &spec)
    }

    #[test]
    fn every_address_lies_in_its_grid_and_in_no_other() {
        let plan = plan(3);
        for (index, grid) in plan.grids.iter().enumerate() {
            assert!(grid.addresses.len() >= ADDRESSES_MIN);
            for address in grid.addresses.iter().step_by(17) {
                let holders: Vec<usize> =
                    (0..plan.grids.len()).filter(|other| plan.grids[*other].outline.contains(address.point)).collect();
                assert_eq!(holders, [index], "{}", address.text);
            }
        }
    }

    #[test]
    fn ids_names_and_addresses_are_unique() {
        let plan = plan(4);
        let ids: BTreeSet<&str> = plan.grids.iter().map(|grid| grid.id.as_str()).collect();
        assert_eq!(ids.len(), plan.grids.len());
        let addresses: Vec<&Address> = plan.grids.iter().flat_map(|grid| &grid.addresses).collect();
        assert_eq!(addresses.iter().map(|address| address.id.as_str()).collect::<BTreeSet<_>>().len(), addresses.len());
    }

    #[test]
    fn residents_add_up_and_every_grid_has_a_neighbour() {
        let plan = plan(5);
        let people: u32 = plan.grids.iter().map(|grid| grid.population).sum();
        assert!(people.abs_diff(CitySpec::default().residents) <= plan.grids.len() as u32);
        assert_eq!(plan.districts.iter().map(|district| district.population).sum::<u32>(), people);
        for (index, grid) in plan.grids.iter().enumerate() {
            assert!(!grid.beside.is_empty() && grid.beside.iter().all(|other| plan.grids[*other].beside.contains(&index)));
        }
    }
}
