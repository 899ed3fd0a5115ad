//! Divides the lattice's blocks into districts and grids: every region is connected, keeps to its bank of the river, and all
//! blocks inside the city belong to exactly one grid of exactly one district.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::dice::{Dice, Purpose, below};
use super::lattice::{Direction, Lattice};

/// Pieces of land smaller than this are left out of the city: a grid of two blocks on its own is no district.
const PIECE_BLOCKS_MIN: usize = 24;
/// Rounds of moving each region's seed to its middle (Lloyd 1982); more changes little.
const SETTLING_ROUNDS: usize = 3;

/// Which district and which grid each block belongs to.
#[derive(Debug)]
pub(super) struct Partition {
    /// Blocks of each grid.
    pub(super) grids: Vec<Vec<usize>>,
    /// The district of each grid.
    pub(super) district_of: Vec<usize>,
}

/// Divides the city; removes stray pieces of land from the lattice.
pub(super) fn divide(dice: &Dice, lattice: &mut Lattice, districts: usize, grids: usize) -> Partition {
    let mut rng = dice.stream(Purpose::Partition, 0);
    let costs: Vec<u32> = (0..lattice.blocks()).map(|_| 8 + (rng.next_u64() % 7) as u32).collect();
    let land = pieces(lattice);
    let mut partition = Partition { grids: Vec::new(), district_of: Vec::new() };
    let areas = split_all(&mut rng, lattice, &costs, &land, districts);
    let shares = apportion(&areas.iter().map(Vec::len).collect::<Vec<_>>(), grids);
    for (district, (area, share)) in areas.iter().zip(shares).enumerate() {
        let parts = split(&mut rng, lattice, &costs, area, share);
        partition.district_of.extend(std::iter::repeat_n(district, parts.len()));
        partition.grids.extend(parts);
    }
    partition
}

fn split_all(rng: &mut ChaCha8Rng, lattice: &Lattice, costs: &[u32], land: &[Vec<usize>], count: usize) -> Vec<Vec<usize>> {
    let shares = apportion(&land.iter().map(Vec::len).collect::<Vec<_>>(), count);
    land.iter().zip(shares).flat_map(|(piece, share)| split(rng, lattice, costs, piece, share)).collect()
}

/// Connected pieces of the city (its two banks), without the strays.
fn pieces(lattice: &mut Lattice) -> Vec<Vec<usize>> {
    let mut seen = vec![false; lattice.blocks()];
    let mut kept = Vec::new();
    for start in 0..lattice.blocks() {
        if seen[start] || !lattice.is_inside(start) {
            continue;
        }
        seen[start] = true;
        let mut piece = vec![start];
        let mut next = 0;
        while let Some(block) = piece.get(next).copied() {
            next += 1;
            for beside in Direction::ALL.into_iter().filter_map(|direction| lattice.linked(block, direction)) {
                if !std::mem::replace(&mut seen[beside], true) {
                    piece.push(beside);
                }
            }
        }
        if piece.len() >= PIECE_BLOCKS_MIN {
            kept.push(piece);
        } else {
            piece.into_iter().for_each(|block| lattice.drop_block(block));
        }
    }
    kept
}

/// Shares of `count` in proportion to `sizes`, at least one each (Webster's method: the next one to the largest quotient).
fn apportion(sizes: &[usize], count: usize) -> Vec<usize> {
    let mut shares = vec![1; sizes.len()];
    for _ in sizes.len()..count {
        let most =
            (0..sizes.len()).max_by(|a, b| (sizes[*a] * (2 * shares[*b] + 1)).cmp(&(sizes[*b] * (2 * shares[*a] + 1))).then(b.cmp(a)));
        shares[most.expect("a city has at least one piece of land")] += 1;
    }
    shares
}

/// Splits connected blocks into `count` connected regions of about the same size.
fn split(rng: &mut ChaCha8Rng, lattice: &Lattice, costs: &[u32], area: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut member = vec![false; lattice.blocks()];
    area.iter().for_each(|block| member[*block] = true);
    let ground = Ground { lattice, costs, member };
    let mut seeds = vec![area[below(rng.next_u64(), area.len())]];
    while seeds.len() < count {
        let distance = ground.grow(&seeds).distance;
        let farthest = area.iter().copied().max_by_key(|block| (distance[*block], Reverse(*block)));
        seeds.push(farthest.expect("an area has blocks"));
    }
    for _ in 0..SETTLING_ROUNDS {
        let regions = ground.regions(area, &seeds);
        seeds = regions.iter().map(|region| middle(lattice, region)).collect();
    }
    ground.regions(area, &seeds)
}

/// The block of a region nearest to the mean of its blocks.
fn middle(lattice: &Lattice, region: &[usize]) -> usize {
    let count = region.len() as i64;
    let (columns, rows) = region
        .iter()
        .map(|block| lattice.column_row(*block))
        .fold((0_i64, 0_i64), |sum, (column, row)| (sum.0 + column as i64, sum.1 + row as i64));
    let off = |block: usize| {
        let (column, row) = lattice.column_row(block);
        let (dx, dy) = (column as i64 * count - columns, row as i64 * count - rows);
        dx * dx + dy * dy
    };
    region.iter().copied().min_by_key(|block| (off(*block), *block)).expect("a region holds its seed")
}

struct Ground<'a> {
    lattice: &'a Lattice,
    costs: &'a [u32],
    member: Vec<bool>,
}

struct Growth {
    distance: Vec<u32>,
    region: Vec<usize>,
}

impl Ground<'_> {
    /// Grows all seeds at once over the cheapest blocks (Dijkstra 1959): a block joins the region that reaches it first,
    /// through a block of that region, so regions are connected.
    fn grow(&self, seeds: &[usize]) -> Growth {
        let mut growth = Growth { distance: vec![0; self.member.len()], region: vec![usize::MAX; self.member.len()] };
        let mut queue: BinaryHeap<Reverse<(u32, usize, usize)>> =
            seeds.iter().enumerate().map(|(region, block)| Reverse((0, *block, region))).collect();
        while let Some(Reverse((distance, block, region))) = queue.pop() {
            if growth.region[block] != usize::MAX {
                continue;
            }
            growth.region[block] = region;
            growth.distance[block] = distance;
            for beside in Direction::ALL.into_iter().filter_map(|direction| self.lattice.linked(block, direction)) {
                if self.member[beside] && growth.region[beside] == usize::MAX {
                    queue.push(Reverse((distance + self.costs[beside], beside, region)));
                }
            }
        }
        growth
    }

    fn regions(&self, area: &[usize], seeds: &[usize]) -> Vec<Vec<usize>> {
        let growth = self.grow(seeds);
        let mut regions = vec![Vec::new(); seeds.len()];
        area.iter().for_each(|block| regions[growth.region[*block]].push(*block));
        regions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_sizes_and_nobody_gets_none() {
        assert_eq!(apportion(&[90, 10], 10), [9, 1]);
        assert_eq!(apportion(&[1000, 1], 3), [2, 1]);
        assert_eq!(apportion(&[50, 50], 4), [2, 2]);
    }

    #[test]
    fn every_inside_block_belongs_to_exactly_one_grid() {
        for seed in 0..20 {
            let dice = Dice::new(seed);
            let mut lattice = Lattice::new(&dice, 120 * 9);
            let partition = divide(&dice, &mut lattice, 7, 120);
            assert_eq!(partition.grids.len(), 120);
            let mut blocks: Vec<usize> = partition.grids.concat();
            let total = blocks.len();
            blocks.sort_unstable();
            blocks.dedup();
            assert_eq!(blocks.len(), total, "no block twice");
            assert_eq!(total, (0..lattice.blocks()).filter(|block| lattice.is_inside(*block)).count(), "no block left out");
        }
    }
}
