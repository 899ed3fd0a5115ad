//! One text for one place: [`normalize`] makes the writing styles of an address equal. The result is `address_id`, the key
//! of recurrence, so two rules hold: the same place written differently should meet, and different places should not.
//!
//! It knows how Chinese addresses are built (Taiwan's and the mainland's) but no city: divisions are recognized by their
//! units (市, 區, 鄉, …), not by a list, because a feed is mapped before any grids are loaded. An address of another
//! language keeps its words; only case, width, spaces and punctuation are made equal. Which grid an address lies in is
//! decided from the text as written, in [`crate::grids`].
//!
//! The steps, in order; they are repeated until nothing changes, so normalizing twice is normalizing once:
//!
//! 1. *Characters.* Full-width letters, digits and marks become ASCII, letters upper case, 臺 becomes 台, every dash `-`,
//!    every wave `~`. Spaces go, except between two Latin words or numbers. Text in round brackets is a remark and goes.
//! 2. *Prefix.* Postal code, country, Latin abbreviation, province and city go, and of repeated districts the last stays:
//!    `大安區106台灣台北市大安區…` and `臺北市臺北市大安區…` become `大安區…`. Without a district the city stays.
//! 3. *Label.* A short heading before a colon goes (`大樓名稱:`, `交叉路口:`).
//! 4. *Numbers.* Chinese numerals before 段, 巷, 弄, 號, 鄰, 樓, 路 and 街 become digits (四段 = 4段, 一六一巷 = 161巷,
//!    立德二路 = 立德2路); leading zeros go. `18之1號`, `18號之1` and `18-1號` become `18-1號`; 號 is added where it was left out.
//! 5. *Village.* Village (里, 村) and neighbourhood (鄰) go where a road with a number follows, because that already says
//!    where; without one the village stays.
//! 6. *House.* What follows a complete house number goes (floor, shop, 前, 旁), except another number or a word that leads
//!    away from it (對面, 後, 至, 與, …).
//! 7. *Crossing.* Two roads and nothing else are put in one order: `A路與B路口` and `B路-A路` are one place.
//! 8. *Punctuation* goes, except `-` and `~` inside.

mod prefix;
mod road;

pub(crate) use prefix::{Token, token};

/// Repetitions of the steps. Each one but the first removes something another left behind; two suffice for the real feeds.
const PASSES_MAX: usize = 8;

/// One text for one place; empty if nothing but punctuation is left. See the steps above.
pub fn normalize(text: &str) -> String {
    let mut known = text.to_owned();
    for _ in 0..PASSES_MAX {
        let next = pass(&known);
        if next == known {
            break;
        }
        known = next;
    }
    known
}

fn pass(text: &str) -> String {
    let characters = without_remarks(&characters(text));
    let (division, from) = prefix::division_of(&characters);
    let rest = road::numbered(without_label(&characters[from..]));
    let rest = road::without_village(rest, division.last().copied());
    let rest = road::house(rest, division.last().copied());
    let rest = road::crossing(&rest).unwrap_or(rest);
    let place: Vec<char> = division.iter().chain(&rest).copied().collect();
    without_punctuation(&place)
}

/// Makes the variants of a character equal; `None` for spaces and control characters.
pub(crate) fn fold(character: char) -> Option<char> {
    match character {
        '臺' => Some('台'),
        // U+5DFF (a kerchief) is typed for the city, U+3127 (a phonetic sign) for the number one.
        '巿' => Some('市'),
        'ㄧ' => Some('一'),
        '\u{2010}'..='\u{2015}' | '─' | '﹣' | '\u{ff0d}' | '−' => Some('-'),
        '〜' | '∼' | '\u{ff5e}' => Some('~'),
        '\u{ff01}'..='\u{ff5d}' => char::from_u32(u32::from(character) - 0xfee0).map(|ascii| ascii.to_ascii_uppercase()),
        _ if character.is_whitespace() || character.is_control() || character == '\u{feff}' => None,
        _ => Some(character.to_ascii_uppercase()),
    }
}

/// Step 1: folded characters; a space stays between two Latin words or numbers.
fn characters(text: &str) -> Vec<char> {
    let mut characters: Vec<char> = Vec::with_capacity(text.len() / 2);
    let mut spaced = false;
    for character in text.chars() {
        let Some(folded) = fold(character) else {
            spaced = true;
            continue;
        };
        if spaced && folded.is_ascii_alphanumeric() && characters.last().is_some_and(char::is_ascii_alphanumeric) {
            characters.push(' ');
        }
        characters.push(folded);
        spaced = false;
    }
    characters
}

/// Drops what stands in round brackets, unless nothing else is there.
fn without_remarks(characters: &[char]) -> Vec<char> {
    let mut kept = Vec::with_capacity(characters.len());
    let mut at = 0;
    while at < characters.len() {
        let close = (characters[at] == '(').then(|| characters[at..].iter().position(|character| *character == ')')).flatten();
        match close {
            Some(length) => at += length,
            None => kept.push(characters[at]),
        }
        at += 1;
    }
    if kept.iter().any(|character| character.is_alphanumeric()) { kept } else { characters.to_vec() }
}

/// Longest heading before a colon: 交叉路口, 大樓名稱, 參考地址.
const LABEL_CHARS_MAX: usize = 6;

/// Step 3: drops a heading of Chinese characters before a colon.
fn without_label(rest: &[char]) -> &[char] {
    let Some(colon) = rest.iter().take(LABEL_CHARS_MAX + 1).position(|character| *character == ':') else { return rest };
    let heading = rest[..colon].iter().all(|character| !character.is_ascii() && character.is_alphabetic());
    if heading && colon + 1 < rest.len() { &rest[colon + 1..] } else { rest }
}

/// Step 8: drops what is no letter, digit, inner dash or inner wave; Latin words and numbers stay apart.
fn without_punctuation(place: &[char]) -> String {
    let mut text = String::with_capacity(place.len() * 3);
    let mut pending = None;
    for character in place.iter().copied() {
        if !character.is_alphanumeric() {
            // A dash says more than a space or a comma beside it.
            let joins = matches!(character, '-' | '~');
            pending = if joins { pending.filter(|known| *known != ' ').or(Some(character)) } else { pending.or(Some(' ')) };
            continue;
        }
        let latin = character.is_ascii_alphanumeric() && text.ends_with(|last: char| last.is_ascii_alphanumeric());
        match pending.take() {
            Some(' ') if latin => text.push(' '),
            Some(join @ ('-' | '~')) if !text.is_empty() => text.push(join),
            _ => {}
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(same: &[&str], expected: &str) {
        for text in same {
            assert_eq!(normalize(text), expected, "{text}");
        }
    }

    #[test]
    fn one_house_has_one_text_in_every_style_of_the_city() {
        check(
            &[
                "大安區青雲街258號",
                "大安區臺北市大安區綠水里16鄰青雲街258號",
                "大安區臺北市大安區綠水里016鄰青雲街２５８號",
                "大安區臺北市臺北市大安區綠水里青雲街258號",
                "106台灣台北市大安區青雲街258號",
                "大安區106台灣台北市大安區青雲街 258 號",
                "大安區10659台灣台北市大安區青雲街二五八號",
                "大安區TPE臺北市大安區綠水里青雲街258號",
                "China台北市大安區青雲街258號",
                "大安區台北市青雲街258號",
                "台北巿大安區青雲街258號",
                "大安區青雲街258",
                "大安區青雲街258號3樓之2",
                "大安區青雲街258號前(雙向)",
                "大安區青雲街258號(老王麵館)",
            ],
            "大安區青雲街258號",
        );
        check(&["北投區臺北市臺北市北投區松林里Holly St211號", "北投區松林里ＨＯＬＬＹ　St211號"], "北投區松林里HOLLY ST211號");
    }

    #[test]
    fn sections_lanes_and_sub_numbers_have_one_form() {
        check(
            &["信義區忠孝東路五段18之1號", "信義區忠孝東路5段18號之1", "信義區忠孝東路五段１８－１號", "信義區忠孝東路五段十八之一號"],
            "信義區忠孝東路5段18-1號",
        );
        check(&["大同區永和路一六一巷", "大同區永和路161巷", "大同區永和路一百六十一巷"], "大同區永和路161巷");
        check(&["北投區立德二路95巷31號", "北投區立德2路９５巷３１號"], "北投區立德2路95巷31號");
        check(&["中山區10491台灣台北市中山區清泉路一號", "中山區清泉路1號"], "中山區清泉路1號");
    }

    #[test]
    fn names_with_numerals_stay() {
        for text in [
            "信義區三合里",
            "松山區八德路4段",
            "三重區三民路",
            "士林區百齡高中",
            "大安區市民大道4段68號",
            "朝阳区三里屯路19号",
            "東區大道路",
        ] {
            check(&[text], text);
        }
    }

    #[test]
    fn a_crossing_has_one_text_in_either_order() {
        let same = [
            "信義區仁愛路四段-光復南路",
            "信義區光復南路－仁愛路四段",
            "信義區仁愛路四段與光復南路口",
            "信義區交叉路口:  光復南路   仁愛路四段",
            "信義區仁愛路四段、光復南路交叉口",
            "信義區仁愛路四段/光復南路",
        ];
        check(&same, "信義區仁愛路4段-光復南路");
    }

    #[test]
    fn different_places_stay_apart() {
        let places = [
            "大安區青雲街258號",
            "大安區青雲街25-8號",
            "大安區青雲街258巷",
            "大安區青雲街258號對面",
            "大安區青雲街258號與260號",
            "大安區青雲街25號8號",
            "大安區青雲街25~8號",
            "大安區2G2P+C8 台灣台北市大安區綠水里",
            "大安區2G2P+C9 台灣台北市大安區綠水里",
            "信義區青雲街258號",
            "大安區綠水里",
            "大安區綠水里16鄰",
            "大安區",
            "大安區青雲街",
            "大安區綠水里青雲街",
            "大安區夜市",
            "大安區工業區",
        ];
        let mut texts: Vec<String> = places.iter().map(|place| normalize(place)).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), places.len(), "{texts:?}");
    }

    #[test]
    fn a_village_without_road_and_number_stays() {
        check(&["信義區臺北市信義區三合里022鄰"], "信義區三合里22鄰");
        check(&["信義區安仁里長春路一段", "信義區TPE臺北市信義區安仁里長春路一段"], "信義區安仁里長春路1段");
        check(&["大樹區龍目里5鄰12號", "大樹區龍目里12號"], "大樹區龍目里12號");
    }

    #[test]
    fn other_cities_and_languages_are_made_equal_too() {
        check(&["北京市海淀区中关村南路5号", "中国北京市海淀区中关村南路5号", "海淀区中关村南路５号"], "海淀区中关村南路5号");
        check(&["A市A3区桃園路8号", "A3区桃園路8号"], "A3区桃園路8号");
        check(&["中和區新北市中和區景安路二段", "新北市中和區景安路2段"], "中和區景安路2段");
        check(&["新竹縣竹北市光明一路5號", "竹北市光明1路5號"], "竹北市光明1路5號");
        check(&["1234 N. Main St.", "1234 n main  st", "1234 N Main St,"], "1234 N MAIN ST");
        check(&["", "   ", "???", "-"], "");
    }

    proptest! {
        #[test]
        fn normalizing_twice_is_normalizing_once(text in ".{0,60}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }

        #[test]
        fn normalizing_addresses_twice_is_normalizing_once(parts in prop::collection::vec(prop::sample::select(vec![
            "大安區", "臺北市", "台灣", "106", "10659", "綠水里", "016鄰", "青雲街", "仁愛路", "四段", "一", "十", "２５", "8", "之", "號", "巷", "弄", "-", "~", "、",
            "與", "(", ")", ":", " ", "口", "前", "樓", "大道", "路", "街", "區", "市", "里", "A", "TPE", "3", "夜市", "社區", "0",
        ]), 0..14)) {
            let once = normalize(&parts.concat());
            prop_assert_eq!(normalize(&once), once);
        }
    }
}
