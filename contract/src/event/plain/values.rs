//! What stands in plain JSON as bytes: where a string ends, and numbers and times as serde reads them.

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};

/// How many bytes come before the first quote, backslash or control character: what ends a plain string or is not in one.
#[inline]
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    // Eight at a time. In a word of bytes, those below n have their high bit set in (word − n…n) & !word, and no byte before the first
    // such one does; with n = 1 those that are zero.
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let stops = below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1);
        if stops != 0 {
            return index * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    let stop = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().position(stop).unwrap_or(rest.len())
}

/// A short decimal number such as `-121.503`: of up to fifteen digits, which a double holds exactly, so that one division rounds it as serde
/// does.
#[inline]
pub(super) fn decimal(bytes: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, bytes) = bytes.strip_prefix(b"-").map_or((false, bytes), |rest| (true, rest));
    let point = bytes.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = point.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let empty = whole.is_empty() || (point.is_some() && fraction.is_empty());
    let led_by_zero = whole.len() > 1 && whole[0] == b'0';
    if empty || led_by_zero || whole.len() + fraction.len() > 15 {
        return None;
    }
    let digit = |number: u64, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'));
    let digits = whole.iter().chain(fraction).try_fold(0, digit)?;
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are fewer than a double holds")]
    let number = digits as f64 / POWERS[fraction.len()];
    Some(if negative { -number } else { number })
}

/// `2026-01-02T03:04:05`, a fraction of up to nine digits or none, and `Z` or an offset such as `+08:00`.
#[inline]
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let (clock, mut rest) = bytes.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| clock[*at] != *mark) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(digits(&clock[..4])?.cast_signed(), digits(&clock[5..7])?, digits(&clock[8..10])?)?;
    let mut nanos = 0;
    if let [b'.', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        nanos = digits(&fraction[..length])? * 10_u32.pow(9 - u32::try_from(length).ok()?);
        rest = &fraction[length..];
    }
    let local = date.and_hms_nano_opt(digits(&clock[11..13])?, digits(&clock[14..16])?, digits(&clock[17..19])?, nanos)?;
    let (sign, hours, minutes) = match rest {
        b"Z" => return Some(local.and_utc()),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (*sign, digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = ((hours * 60 + minutes) * 60).cast_signed();
    let offset = FixedOffset::east_opt(if sign == b'-' { -east } else { east })?;
    Some(local.and_local_timezone(offset).single()?.to_utc())
}

/// Up to nine digits as a number.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_number_is_what_serde_reads(text in "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{0,9})?|[-+.e0-9]{0,6}") {
            let serde = serde_json::from_str::<f64>(&text).ok().map(f64::to_bits);
            prop_assert!(decimal(text.as_bytes()).is_none_or(|number| Some(number.to_bits()) == serde), "{text}");
        }

        #[test]
        fn a_time_is_what_the_standard_reads(
            text in "(000[0-9]|19[0-9]{2}|20[0-9]{2})-(0[0-9]|1[0-3])-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?(Z|z|[+-][0-2][0-9]:[0-6][0-9])"
        ) {
            let standard = DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc());
            prop_assert!(time(&text).is_none_or(|at| Some(at) == standard), "{text}");
        }
    }
}
