//! The prefix of a Chinese address, token by token: postal code, country, city, district. Shared by [`super::normalize`],
//! which drops it, and by the grids, which read names between it.

/// Most tokens of a prefix; doubled prefixes of the real feeds have up to eight.
const TOKENS_MAX: usize = 24;
/// Longest name of a division without its unit (恩施土家族苗族自治州 is the longest common one, at 9).
const NAME_CHARS_MAX: usize = 9;

/// Something that stands before the street of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// Three to six digits.
    Postal,
    /// A country's name.
    Country,
    /// Latin letters before Chinese text (`TPE`, `China`).
    Latin,
    /// An Open Location Code (`5GJP+C8`), as map services write it before an address without a street.
    PlusCode,
    /// A province, city or county.
    City,
    /// A district, township or banner.
    District,
    /// Punctuation.
    Mark,
}

/// The token at `at` of folded text, and where it ends; `None` where the street begins.
pub(crate) fn token(text: &[char], at: usize) -> Option<(Token, usize)> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    let run = |is: fn(&char) -> bool| rest.iter().take_while(|character| is(character)).count();
    if let Some(length) = plus_code(rest) {
        return Some((Token::PlusCode, at + length));
    }
    let before_chinese = |length: usize| rest.get(length).is_some_and(|next| !next.is_ascii());
    if first.is_ascii_digit() {
        let digits = run(char::is_ascii_digit);
        return ((3..=6).contains(&digits) && before_chinese(digits)).then_some((Token::Postal, at + digits));
    }
    if !first.is_alphanumeric() {
        return Some((Token::Mark, at + 1));
    }
    // One or two letters belong to a name (A市, A3区); three are an abbreviation of their own.
    let letters = run(|character| character.is_ascii_alphabetic() || matches!(character, '.' | ' '));
    if letters >= 3 && before_chinese(letters) {
        return Some((Token::Latin, at + letters));
    }
    country(rest).map(|length| (Token::Country, at + length)).or_else(|| division(rest).map(|(kind, length)| (kind, at + length)))
}

/// Four to eight characters of the code's alphabet (Open Location Code 1.0), a plus sign, two or three more.
fn plus_code(rest: &[char]) -> Option<usize> {
    let run = |from: usize| rest.iter().skip(from).take_while(|character| "23456789CFGHJMPQRVWX".contains(**character)).count();
    let area = run(0);
    let inside = run(area + 1);
    ((4..=8).contains(&area) && rest.get(area) == Some(&'+') && (2..=3).contains(&inside)).then_some(area + 1 + inside)
}

fn country(rest: &[char]) -> Option<usize> {
    const COUNTRIES: [&str; 7] = ["台灣", "台湾", "中華民國", "中华人民共和国", "中華人民共和國", "中国", "中國"];
    COUNTRIES.iter().find_map(|name| {
        let length = name.chars().count();
        (rest.len() >= length && name.chars().eq(rest[..length].iter().copied())).then_some(length)
    })
}

/// A division's name and unit. What ends in 區 or 市 but is none (社區, 夜市) is told by the character before.
fn division(rest: &[char]) -> Option<(Token, usize)> {
    for (index, character) in rest.iter().enumerate().take(NAME_CHARS_MAX + 1) {
        if index > 0 && is_city(*character) && !"夜超門门都早花魚鱼果黃股".contains(rest[index - 1]) {
            return Some((Token::City, index + 1));
        }
        if index > 0 && is_district(*character) && !"社園园業业小校廠厂市".contains(rest[index - 1]) {
            return Some((Token::District, index + 1));
        }
        let in_name = character.is_alphanumeric() && !"路街段巷弄號号里村鄰邻".contains(*character);
        if !in_name || (index == 0 && character.is_ascii_digit()) {
            return None;
        }
    }
    None
}

/// Units of districts and townships.
fn is_district(character: char) -> bool {
    "區区鄉乡鎮镇旗".contains(character)
}

/// Units of provinces, cities and counties.
fn is_city(character: char) -> bool {
    "市縣县省州盟".contains(character)
}

/// The division an address belongs to, and where its street begins: the last district of the prefix, or the last city if
/// there is no district.
pub(super) fn division_of(text: &[char]) -> (Vec<char>, usize) {
    let (mut place, mut in_district, mut street) = (0..0, false, 0);
    // What stands after a district is part of the prefix only if it leads to a district again, or to a road.
    let (mut bridge, mut city_after, mut at) = (false, false, 0);
    for _ in 0..TOKENS_MAX {
        let Some((kind, end)) = token(text, at) else { break };
        match kind {
            Token::City if !in_district => (place, street, bridge) = (at..end, end, true),
            Token::City | Token::Country => (bridge, city_after) = (true, true),
            Token::Postal | Token::Latin => bridge = true,
            Token::District if in_district && !bridge && text[at..end] != text[place.clone()] => break,
            Token::District => (place, in_district, street, bridge, city_after) = (at..end, true, end, false, false),
            Token::Mark => {}
            // The code is the place itself; it stays in the text.
            Token::PlusCode => break,
        }
        at = end;
    }
    if city_after && super::road::road(&text[at..]).is_some() {
        street = at;
    }
    (text[place].to_vec(), street)
}
