//! Why a statistic is undefined: the closed list. NULL always comes with one of these, never 0 and never NaN.

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $en:literal, $zh:literal;)+) => {
        /// Why a statistic has no value. Closed: pages and rules count by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in SQL.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, in English.
            pub const fn sentence_en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What it means, in Chinese.
            pub const fn sentence_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }
        }
    };
}

reasons! {
    /// All values are equal, so nothing can be above or below the rest.
    ZeroVariance = "zero_variance", "All values are equal: no place or time stands out.", "所有数值相同：没有地点或时间突出。";
    /// The row's own value is NULL. Missing is not zero: other rows are computed without it.
    MissingValue = "missing_value", "The value is missing, and missing is not zero.", "数值缺失，缺失不等于零。";
    /// The value is NaN or infinite; treated as missing.
    NotFinite = "not_finite", "The value is not a finite number; it is treated as missing.", "数值不是有限数，按缺失处理。";
    /// The row names no grid.
    MissingGrid = "missing_grid", "The row has no grid.", "该行没有网格编号。";
    /// More than one row of the partition names this grid; all of them are treated as missing.
    DuplicateGrid = "duplicate_grid", "The grid stands in the partition more than once: add PARTITION BY or aggregate first.", "同一分区中网格重复：请增加 PARTITION BY 或先聚合。";
    /// The neighbourhood is the whole partition, so there is no rest to compare with.
    AllGrids = "all_grids", "The neighbourhood holds every grid: there is no rest to compare with.", "邻域包含全部网格：没有可比较的其余部分。";
    /// The grid has no observed neighbour.
    NoNeighbours = "no_neighbours", "The grid has no neighbour with a value.", "该网格没有带数值的邻居。";
    /// The grid's own value is the mean of the map, so it is on no side.
    AtMean = "at_mean", "The grid's own value is the mean of the map: it is neither high nor low.", "该网格数值等于全图均值，既不偏高也不偏低。";
    /// Fewer steps or bins than the method needs.
    ShortHistory = "short_history", "There are fewer steps than the method needs.", "历史步数少于方法所需。";
    /// Fewer cases than the method needs.
    TooFewCases = "too_few_cases", "There are fewer cases than the method needs.", "案件数少于方法所需。";
    /// The bin is not complete yet.
    IncompleteBin = "incomplete_bin", "The bin is not complete yet.", "该时间段尚未完整。";
    /// The value lies outside what the method is defined for (a negative count, more successes than trials).
    OutOfRange = "out_of_range", "The value lies outside what the method is defined for.", "数值超出方法的定义范围。";
    /// The fit did not converge within its bound of iterations.
    NotConverged = "not_converged", "The model could not be fitted.", "模型未能收敛。";
}
