//! Every function against a naive oracle and against itself: in another order of rows, in other batches and partitions, on other
//! threads, with every number a double can be, and over a million rows. A thousand random cases each.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot compute")]

mod call;
mod invariance;
mod maps;

mod counts;
mod ears;
mod emerging_hotspot;
mod farrington;
mod fdr;
mod gi_star;
mod gi_star_permutation;
mod hostile;
mod incremental;
mod kaplan_meier;
mod knox;
mod local_moran;
mod mann_kendall;
mod million;
mod rates;
mod repeats;
mod space_time_scan;
