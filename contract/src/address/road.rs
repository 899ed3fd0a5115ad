//! The street part of a Chinese address: numerals, village, house number, crossings.

/// Longest name of a road without its unit (環河南路快速道 and the like).
const NAME_CHARS_MAX: usize = 8;
/// Longest run of numerals that is read as a number; house numbers have up to five digits.
const NUMERALS_MAX: usize = 6;

/// The end of a road name with its section at the start of `text`: two characters or more, 路, 街 or 大道, and `N段`.
pub(super) fn road(text: &[char]) -> Option<usize> {
    for (index, character) in text.iter().enumerate().take(NAME_CHARS_MAX + 1) {
        let next = text.get(index + 1).copied();
        let avenue = *character == '道' && text[index.saturating_sub(1)] == '大' && !next.is_some_and(|next| "路街".contains(next));
        if index >= 2 && ("路街".contains(*character) || avenue) {
            return Some(index + 1 + section(&text[index + 1..]));
        }
        // 立德2路 has a digit in its name; any other digit ends what could be one.
        let numbered = character.is_ascii_digit() && next.is_some_and(|next| next.is_ascii_digit() || "路街".contains(next));
        if (character.is_ascii() && !numbered) || !character.is_alphanumeric() || "里村鄰邻段巷弄號号路街與与".contains(*character)
        {
            return None;
        }
    }
    None
}

fn section(text: &[char]) -> usize {
    let digits = digits_at(text);
    if digits > 0 && text.get(digits) == Some(&'段') { digits + 1 } else { 0 }
}

fn digits_at(text: &[char]) -> usize {
    text.iter().take_while(|character| character.is_ascii_digit()).count()
}

/// Step 4, first half: numerals before a unit become digits without leading zeros, and 之 between digits a dash.
pub(super) fn numbered(text: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|character| digit(**character).is_some() || "十百".contains(**character)).count();
        if length == 0 {
            out.push(text[at]);
            at += 1;
            continue;
        }
        let run = &text[at..at + length];
        let next = text.get(at + length).copied();
        match value(run).filter(|_| counts(run, next, !out.is_empty())) {
            Some(number) => out.extend(number.chars()),
            None => out.extend(run),
        }
        at += length;
    }
    sub_numbers(&out)
}

/// Whether a run of numerals before `next` is a number and not part of a name.
fn counts(run: &[char], next: Option<char>, inside: bool) -> bool {
    match next {
        Some(unit) if "段巷弄號号鄰邻樓楼之".contains(unit) => true,
        // 立德二路, but neither 三民路 (not before the unit) nor 二二八公園.
        Some('路' | '街') => inside && run.len() <= 2 && run.iter().all(|character| !character.is_ascii()),
        _ => run.iter().all(char::is_ascii_digit),
    }
}

fn digit(character: char) -> Option<char> {
    match character {
        '0'..='9' => Some(character),
        '〇' | '零' | '○' => Some('0'),
        _ => "一二三四五六七八九".chars().zip('1'..='9').find(|(numeral, _)| *numeral == character).map(|(_, digit)| digit),
    }
}

/// The digits of a run: by place (一六一) or by value (一百六十一, 十六).
fn value(run: &[char]) -> Option<String> {
    if !run.iter().any(|character| "十百".contains(*character)) {
        let digits: String = run.iter().filter_map(|character| digit(*character)).collect();
        let trimmed = digits.trim_start_matches('0');
        return Some(if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() });
    }
    if run.len() > NUMERALS_MAX {
        return None;
    }
    let (mut sum, mut unit) = (0_u32, None::<u32>);
    for character in run {
        match character {
            '百' => sum += unit.take().unwrap_or(1) * 100,
            '十' => sum += unit.take().unwrap_or(1) * 10,
            _ => unit = Some(unit.unwrap_or(0) * 10 + digit(*character)?.to_digit(10)?),
        }
    }
    Some((sum + unit.unwrap_or(0)).to_string())
}

/// `18之1號` and `18號之1` become `18-1號`.
fn sub_numbers(text: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let after_digit = out.last().is_some_and(char::is_ascii_digit);
        let sub = |from: usize| digits_at(text.get(from..).unwrap_or_default());
        match text[at] {
            '之' if after_digit && sub(at + 1) > 0 => out.push('-'),
            house @ ('號' | '号') if after_digit && text.get(at + 1) == Some(&'之') && sub(at + 2) > 0 => {
                let end = at + 2 + sub(at + 2);
                out.push('-');
                out.extend(&text[at + 2..end]);
                out.push(house);
                at = end - 1;
                // 5號之1號 says its unit twice.
                if text.get(end) == Some(&house) {
                    at = end;
                }
            }
            character => out.push(character),
        }
        at += 1;
    }
    out
}

/// Step 5: drops village and neighbourhood where a road with a number follows; else only a neighbourhood that something follows.
pub(super) fn without_village(text: Vec<char>, district_unit: Option<char>) -> Vec<char> {
    // 里 and 村 are villages in Taiwan; elsewhere they are part of a name (三里屯, 中关村) unless a neighbourhood follows.
    let traditional = district_unit.is_some_and(|unit| "區鄉鎮".contains(unit));
    let named = text
        .iter()
        .take(5)
        .position(|character| "里村".contains(*character))
        .filter(|index| *index > 0 && text[..*index].iter().all(|character| !character.is_ascii() && character.is_alphabetic()));
    let village = named.map_or(0, |index| index + 1);
    let digits = digits_at(&text[village..]);
    let hood = if digits > 0 && text.get(village + digits).is_some_and(|unit| "鄰邻".contains(*unit)) { digits + 1 } else { 0 };
    let rest = &text[village + hood..];
    let sure = hood > 0 || (village > 0 && traditional);
    if sure && road(rest).is_some_and(|end| rest.get(end).is_some_and(char::is_ascii_digit)) {
        return rest.to_vec();
    }
    if village > 0 && hood > 0 && digits_at(rest) > 0 {
        return text[..village].iter().chain(rest).copied().collect();
    }
    text
}

/// Step 6 and the second half of step 4: cuts what follows a house number, and adds the unit where it was left out.
pub(super) fn house(mut text: Vec<char>, district_unit: Option<char>) -> Vec<char> {
    if let Some(end) = house_end(&text) {
        if !leads_away(&text[end..]) {
            text.truncate(end);
        }
        return text;
    }
    let number = text.iter().rev().take_while(|character| character.is_ascii_digit() || **character == '-').count();
    let before = text.len().checked_sub(number + 1).map(|index| text[index]);
    if text.last().is_some_and(char::is_ascii_digit) && before.is_some_and(|before| "路街道段巷弄".contains(before)) {
        text.extend(match district_unit {
            Some('區' | '鄉' | '鎮') => Some('號'),
            Some('区' | '乡' | '镇') => Some('号'),
            _ => None,
        });
    }
    text
}

/// Whether what follows a house number is another place: a second number (but not a floor), or a word that points elsewhere.
fn leads_away(rest: &[char]) -> bool {
    let digits = digits_at(rest);
    let floor = rest.get(digits).is_some_and(|unit| "樓楼F".contains(*unit));
    (digits > 0 && !floor) || rest.first().is_some_and(|first| "對对斜後后至到~-、與与和及或跟".contains(*first))
}

/// Where the first complete house number ends: digits with 號 right after a road, lane or village.
fn house_end(text: &[char]) -> Option<usize> {
    text.iter().enumerate().filter(|(_, character)| "號号".contains(**character)).find_map(|(index, _)| {
        let number = text[..index].iter().rev().take_while(|character| character.is_ascii_digit() || **character == '-').count();
        let before = index.checked_sub(number + 1).map(|before| text[before])?;
        (number > 0 && text[index - 1].is_ascii_digit() && "路街道段巷弄里村".contains(before)).then_some(index + 1)
    })
}

/// Step 7: two roads and nothing else, in one order.
pub(super) fn crossing(text: &[char]) -> Option<Vec<char>> {
    const ENDINGS: [&str; 9] = ["", "口", "路口", "交叉口", "交叉路口", "交口", "交界", "交叉", "十字路口"];
    let first = road(text)?;
    let between = text[first..].iter().take_while(|character| !character.is_alphanumeric() || "與与及跟".contains(**character)).count();
    let from = first + between;
    let second = from + road(&text[from..])?;
    let (one, other) = (&text[..first], &text[from..second]);
    let ends = |ending: &&str| ending.chars().eq(text[second..].iter().copied());
    if one == other || !ENDINGS.iter().any(ends) {
        return None;
    }
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    Some(low.iter().chain(&['-']).chain(high).copied().collect())
}
