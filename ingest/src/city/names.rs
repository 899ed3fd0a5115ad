//! Invented names in Chinese and English: of the city, its districts, grids and roads. No real place is meant.

use std::collections::HashSet;

use super::dice::{Dice, Purpose, shuffle};

/// The city.
pub(super) const CITY: (&str, &str) = ("安澜市", "Anlan");

/// Districts; their number bounds how many a city can have.
pub(super) const DISTRICTS: [(&str, &str); 8] = [
    ("望潮区", "Wangchao District"),
    ("栖云区", "Qiyun District"),
    ("听松区", "Tingsong District"),
    ("临渚区", "Linzhu District"),
    ("锦帆区", "Jinfan District"),
    ("牧星区", "Muxing District"),
    ("青穗区", "Qingsui District"),
    ("渡鹤区", "Duhe District"),
];

const FIRST: [(&str, &str); 32] = [
    ("槐", "huai"),
    ("柳", "liu"),
    ("梧", "wu"),
    ("桂", "gui"),
    ("枫", "feng"),
    ("竹", "zhu"),
    ("兰", "lan"),
    ("荷", "he"),
    ("莲", "lian"),
    ("梅", "mei"),
    ("杏", "xing"),
    ("棠", "tang"),
    ("榆", "yu"),
    ("松", "song"),
    ("柏", "bai"),
    ("芦", "lu"),
    ("鹭", "lu"),
    ("鸥", "ou"),
    ("雁", "yan"),
    ("霞", "xia"),
    ("虹", "hong"),
    ("月", "yue"),
    ("晴", "qing"),
    ("雪", "xue"),
    ("岚", "lan"),
    ("溪", "xi"),
    ("泉", "quan"),
    ("潭", "tan"),
    ("石", "shi"),
    ("云", "yun"),
    ("星", "xing"),
    ("锦", "jin"),
];

const SECOND: [(&str, &str); 20] = [
    ("荫", "yin"),
    ("塘", "tang"),
    ("桥", "qiao"),
    ("井", "jing"),
    ("巷", "xiang"),
    ("里", "li"),
    ("园", "yuan"),
    ("坊", "fang"),
    ("亭", "ting"),
    ("台", "tai"),
    ("湾", "wan"),
    ("渡", "du"),
    ("墩", "dun"),
    ("岭", "ling"),
    ("坡", "po"),
    ("浦", "pu"),
    ("堤", "di"),
    ("庭", "ting"),
    ("苑", "yuan"),
    ("门", "men"),
];

const ROAD_SECOND: [&str; 12] = ["安", "平", "康", "和", "新", "华", "明", "远", "宁", "丰", "泰", "光"];

/// Names of `count` grids, no two alike in either language.
pub(super) fn grids(dice: &Dice, count: usize) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (first, second))).collect();
    shuffle(&mut dice.stream(Purpose::Names, 0), &mut pairs);
    let mut taken = HashSet::new();
    let names = pairs
        .into_iter()
        .map(|(first, second)| (format!("{}{}社区", first.0, second.0), format!("{} Community", capital(first.1, second.1))));
    names.filter(|(_, english)| taken.insert(english.clone())).take(count).collect()
}

/// Names of `count` roads ending in `suffix` (路 runs along the river, 街 across it), no two alike for the same suffix.
pub(super) fn roads(dice: &Dice, count: usize, suffix: &str) -> Vec<String> {
    let mut pairs: Vec<_> = FIRST.iter().flat_map(|first| ROAD_SECOND.iter().map(move |second| (first, second))).collect();
    shuffle(&mut dice.stream(Purpose::Names, 1 + u64::from(suffix == "街")), &mut pairs);
    pairs.into_iter().take(count).map(|(first, second)| format!("{}{second}{suffix}", first.0)).collect()
}

/// Two syllables as one name, with the apostrophe Pinyin wants before a vowel.
fn capital(first: &str, second: &str) -> String {
    let mark = if second.starts_with(['a', 'e', 'o']) { "'" } else { "" };
    let mut letters = first.chars();
    let initial: String = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().collect();
    format!("{initial}{}{mark}{second}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_names_for_the_largest_city() {
        for seed in 0..10 {
            let names = grids(&Dice::new(seed), super::super::GRIDS_MAX);
            assert_eq!(names.len(), super::super::GRIDS_MAX);
            let (chinese, english): (HashSet<_>, HashSet<_>) = names.iter().cloned().unzip();
            assert_eq!((chinese.len(), english.len()), (names.len(), names.len()));
        }
        assert_eq!(roads(&Dice::new(1), 80, "路").len(), 80);
    }
}
