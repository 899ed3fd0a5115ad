//! What people call about: the city's code table, and for each category when, where and how long it takes. Data; no dice.

use serde::Serialize;

/// A category of the demo city, as other parts may show it: the event carries `zh`, its attribute `category_code` the code.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CategoryName {
    /// `E` for an event (事件), `C` for a component (部件), two digits major, two digits minor.
    pub code: &'static str,
    /// The name events carry.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}

/// What a neighbourhood is like; decides what is complained about there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Land {
    Center,
    Old,
    Housing,
    Industry,
    Green,
}

/// A category with its habits.
#[derive(Debug)]
pub(super) struct Category {
    pub(super) name: CategoryName,
    /// Share of calls and of field reports, in thousandths.
    pub(super) share: [f64; 2],
    /// Weight of each hour of the local day.
    pub(super) hours: &'static [f64; 24],
    /// Factor on Saturdays, Sundays and holidays.
    pub(super) weekend: f64,
    /// Height of the yearly wave and the month (1..=12) of its top.
    pub(super) season: (f64, f64),
    /// Change of the logarithm of the rate for each 10 mm of rain and for each 10 °C above 20 °C.
    pub(super) weather: (f64, f64),
    /// The department in charge.
    pub(super) unit: &'static str,
    /// Hours until a case is due, on a clock that never stops.
    pub(super) deadline_hours: i64,
    /// Hours a department usually needs, on the working clock of `working_time`.
    pub(super) dispose_hours: f64,
    /// Factor by [`Land`], in its order.
    pub(super) land: [f64; 5],
}

// Shapes after the hourly shares of public hotlines: quiet at 03–05, tops at 09–11 and 14–17; noise in the evening.
const OFFICE: [f64; 24] = [1., 0.6, 0.4, 0.3, 0.3, 0.6, 1.5, 3., 6., 8., 8.2, 7.2, 5., 5.6, 7.4, 7.6, 7.2, 6., 4.6, 4., 3.6, 3., 2.2, 1.5];
const EVENING: [f64; 24] =
    [5., 3.4, 2., 1.1, 0.8, 1., 2., 2.6, 2.6, 2.6, 2.6, 2.8, 3.4, 3.2, 2.6, 2.6, 2.6, 3., 4., 6., 8.4, 10., 9.4, 7.4];
const MEALS: [f64; 24] = [1.2, 0.6, 0.3, 0.2, 0.3, 0.8, 2., 3., 2.6, 2.6, 4.4, 7.4, 7.6, 4.4, 2.6, 2.4, 3.6, 7., 9., 9.2, 8., 5.6, 3.4, 2.];
const COMMUTE: [f64; 24] = [0.4, 0.3, 0.2, 0.2, 0.3, 1., 4., 10., 10.4, 6., 4., 4., 4., 3.8, 4., 5., 7., 10.4, 9.6, 5.4, 3., 2., 1.4, 0.8];
const NIGHT: [f64; 24] = [3., 2., 1.4, 1., 1.2, 2.6, 3., 2., 2., 2.4, 2.4, 2.2, 2., 2., 2.2, 2.4, 2.6, 4., 8., 11., 11., 9., 7., 5.];
/// Field workers walk in the morning and the afternoon, whatever they find.
pub(super) const PATROL: [f64; 24] =
    [0.2, 0.2, 0.2, 0.2, 0.2, 0.4, 1., 3., 9., 11., 11., 7., 2., 5., 11., 11., 9., 6., 3., 2., 1.4, 0.8, 0.4, 0.2];

const fn name(code: &'static str, zh: &'static str, en: &'static str) -> CategoryName {
    CategoryName { code, zh, en }
}

/// Index of categories that episodes refer to.
pub(super) const NOISE: usize = 1;
pub(super) const PARKING: usize = 2;
pub(super) const SMOKE: usize = 3;
pub(super) const RUBBISH: usize = 4;
pub(super) const FLOODING: usize = 11;

/// How many categories there are.
pub(super) const COUNT: usize = 14;

/// The code table.
pub(super) static CATEGORIES: [Category; COUNT] = [
    Category {
        name: name("E0501", "占道经营", "street vending"),
        share: [95., 190.],
        hours: &MEALS,
        weekend: 1.15,
        season: (0.25, 7.),
        weather: (-0.25, 0.05),
        unit: "urban-management",
        deadline_hours: 24,
        dispose_hours: 3.,
        land: [1.8, 1.6, 0.9, 0.5, 0.4],
    },
    Category {
        name: name("E0101", "噪音扰民", "noise"),
        share: [165., 40.],
        hours: &EVENING,
        weekend: 1.25,
        season: (0.30, 7.),
        weather: (-0.15, 0.12),
        unit: "environment",
        deadline_hours: 72,
        dispose_hours: 8.,
        land: [1.5, 1.4, 1.1, 0.8, 0.3],
    },
    Category {
        name: name("E0502", "乱停乱放", "illegal parking"),
        share: [140., 170.],
        hours: &COMMUTE,
        weekend: 0.95,
        season: (0.05, 10.),
        weather: (0.05, 0.),
        unit: "traffic-police",
        deadline_hours: 24,
        dispose_hours: 2.5,
        land: [1.6, 1.5, 1.1, 0.6, 0.4],
    },
    Category {
        name: name("E0102", "餐饮油烟", "cooking smoke"),
        share: [75., 25.],
        hours: &MEALS,
        weekend: 1.1,
        season: (0.25, 7.),
        weather: (-0.05, 0.10),
        unit: "environment",
        deadline_hours: 120,
        dispose_hours: 16.,
        land: [1.7, 1.5, 0.9, 0.3, 0.3],
    },
    Category {
        name: name("E0103", "垃圾倾倒", "rubbish dumping"),
        share: [110., 175.],
        hours: &OFFICE,
        weekend: 0.95,
        season: (0.20, 7.),
        weather: (-0.05, 0.08),
        unit: "sanitation",
        deadline_hours: 24,
        dispose_hours: 4.,
        land: [0.9, 1.5, 1.0, 1.2, 0.8],
    },
    Category {
        name: name("E0503", "交通拥堵", "traffic congestion"),
        share: [60., 20.],
        hours: &COMMUTE,
        weekend: 0.55,
        season: (0.05, 12.),
        weather: (0.30, 0.),
        unit: "traffic-police",
        deadline_hours: 24,
        dispose_hours: 2.,
        land: [2.0, 1.2, 0.9, 0.8, 0.4],
    },
    Category {
        name: name("C0108", "线路蜘蛛网", "tangled cables"),
        share: [35., 60.],
        hours: &OFFICE,
        weekend: 0.7,
        season: (0.10, 8.),
        weather: (0.10, 0.),
        unit: "telecom",
        deadline_hours: 240,
        dispose_hours: 30.,
        land: [0.8, 2.2, 0.6, 0.6, 0.4],
    },
    Category {
        name: name("C0201", "道路破损", "road damage"),
        share: [60., 95.],
        hours: &OFFICE,
        weekend: 0.8,
        season: (0.15, 7.),
        weather: (0.15, 0.),
        unit: "roads",
        deadline_hours: 120,
        dispose_hours: 20.,
        land: [0.9, 1.2, 0.9, 1.6, 0.8],
    },
    Category {
        name: name("C0105", "路灯故障", "street light"),
        share: [55., 45.],
        hours: &NIGHT,
        weekend: 0.9,
        season: (0.25, 12.),
        weather: (0.10, 0.),
        unit: "lighting",
        deadline_hours: 72,
        dispose_hours: 9.,
        land: [0.8, 1.1, 1.1, 1.2, 1.2],
    },
    Category {
        name: name("C0101", "井盖缺损", "manhole cover"),
        share: [25., 50.],
        hours: &OFFICE,
        weekend: 0.85,
        season: (0.15, 7.),
        weather: (0.20, 0.),
        unit: "water",
        deadline_hours: 24,
        dispose_hours: 3.,
        land: [0.9, 1.3, 0.9, 1.3, 0.6],
    },
    Category {
        name: name("E0601", "违法搭建", "illegal building"),
        share: [55., 45.],
        hours: &OFFICE,
        weekend: 0.8,
        season: (0.10, 5.),
        weather: (-0.10, 0.),
        unit: "urban-management",
        deadline_hours: 360,
        dispose_hours: 45.,
        land: [0.7, 1.7, 1.1, 0.8, 0.7],
    },
    Category {
        name: name("E0401", "道路积水", "water on the road"),
        share: [25., 20.],
        hours: &OFFICE,
        weekend: 1.,
        season: (0.50, 7.),
        weather: (0.55, 0.),
        unit: "water",
        deadline_hours: 12,
        dispose_hours: 2.,
        land: [0.9, 1.4, 0.9, 1.1, 0.9],
    },
    Category {
        name: name("C0103", "供水供热", "water and heating"),
        share: [65., 15.],
        hours: &OFFICE,
        weekend: 1.05,
        season: (0.70, 1.),
        weather: (0., -0.15),
        unit: "utilities",
        deadline_hours: 48,
        dispose_hours: 5.,
        land: [0.8, 1.4, 1.3, 0.5, 0.4],
    },
    Category {
        name: name("C0401", "绿化养护", "greenery"),
        share: [35., 50.],
        hours: &OFFICE,
        weekend: 0.8,
        season: (0.40, 6.),
        weather: (0.15, 0.05),
        unit: "parks",
        deadline_hours: 120,
        dispose_hours: 14.,
        land: [0.7, 0.8, 1.3, 0.7, 2.4],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_calls_and_reports_add_up_to_a_thousand() {
        for origin in 0..2 {
            assert_eq!(CATEGORIES.iter().map(|category| category.share[origin]).sum::<f64>(), 1000.0, "origin {origin}");
        }
    }

    #[test]
    fn named_categories_stand_where_episodes_look_for_them() {
        let names = [(NOISE, "噪音扰民"), (PARKING, "乱停乱放"), (SMOKE, "餐饮油烟"), (RUBBISH, "垃圾倾倒"), (FLOODING, "道路积水")];
        assert!(names.iter().all(|(index, name)| CATEGORIES[*index].name.zh == *name));
    }
}
