//! Texts of any encoding, and names of grids: texts that are only ever compared and hashed.
//!
//! A map of eight neighbours a grid compares eight names a grid. Most names have at most [`HEAD`] bytes, so a name carries those and
//! its length as one number, read from the column in one piece: comparing and hashing it then takes no loop over bytes.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, GenericStringArray, LargeStringArray, OffsetSizeTrait, StringArray, StringViewArray};
use datafusion_common::{Result, internal_err};

/// A column of texts in any of Arrow's encodings, read without copying.
#[derive(Debug, Clone, Copy)]
pub enum Texts<'a> {
    /// 32-bit offsets.
    Small(&'a StringArray),
    /// 64-bit offsets.
    Large(&'a LargeStringArray),
    /// Views.
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    /// Reads a column of texts.
    pub fn new(column: &'a ArrayRef) -> Result<Self> {
        let any = column.as_any();
        if let Some(texts) = any.downcast_ref() {
            Ok(Self::Small(texts))
        } else if let Some(texts) = any.downcast_ref() {
            Ok(Self::Large(texts))
        } else if let Some(texts) = any.downcast_ref() {
            Ok(Self::View(texts))
        } else {
            internal_err!("a text column came as {}", column.data_type())
        }
    }

    /// The text of a row; none if NULL.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Small(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Large(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::View(texts) => texts.is_valid(row).then(|| texts.value(row)),
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Small(texts) => texts.len(),
            Self::Large(texts) => texts.len(),
            Self::View(texts) => texts.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes of a name that stand in its head; the sixteenth is for the length.
const HEAD: usize = 15;

/// The name of a grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    /// The first [`HEAD`] bytes, and above them the length, 255 at most. All there is to know of a name that has no more bytes.
    head: u128,
    text: &'a [u8],
}

impl<'a> Name<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut head = [0; 16];
        let first = text.len().min(HEAD);
        head[..first].copy_from_slice(&text[..first]);
        Self { head: with_length(u128::from_le_bytes(head), text.len()), text }
    }

    /// The bytes of a column from `start` to `end`. What follows them there is read along, which saves a loop, and masked.
    #[inline]
    fn within(bytes: &'a [u8], start: usize, end: usize) -> Self {
        let text = &bytes[start..end];
        match bytes[start..].first_chunk::<16>() {
            Some(sixteen) if text.len() <= HEAD => {
                let own = (1 << (8 * text.len())) - 1;
                Self { head: with_length(u128::from_le_bytes(*sixteen) & own, text.len()), text }
            }
            _ => Self::new(text),
        }
    }
}

fn with_length(head: u128, length: usize) -> u128 {
    head | (length.min(255) as u128) << (8 * HEAD)
}

impl PartialEq for Name<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && (self.text.len() <= HEAD || self.text == other.text)
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.head);
        if self.text.len() > HEAD {
            state.write(self.text);
        }
    }
}

/// A column that names can be read from: [`Texts`], with the encoding known to the compiler.
pub(crate) trait Names {
    /// The name in a row; none if NULL.
    fn name(&self, row: usize) -> Option<Name<'_>>;
}

impl<O: OffsetSizeTrait> Names for GenericStringArray<O> {
    #[inline]
    fn name(&self, row: usize) -> Option<Name<'_>> {
        let offsets = self.value_offsets();
        self.is_valid(row).then(|| Name::within(self.value_data(), offsets[row].as_usize(), offsets[row + 1].as_usize()))
    }
}

impl Names for StringViewArray {
    #[inline]
    fn name(&self, row: usize) -> Option<Name<'_>> {
        self.is_valid(row).then(|| Name::new(self.value(row).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::hash_utils::RandomState;
    use proptest::prelude::*;
    use std::hash::BuildHasher;

    use super::*;

    /// Names that differ in their first bytes, in their last, in length alone, and behind a NUL.
    fn text() -> impl Strategy<Value = String> {
        ("[ab\u{0}零]{0,3}", prop::sample::select(vec![0, 11, 12, 14, 15, 16, 300])).prop_map(|(end, more)| "x".repeat(more) + &end)
    }

    proptest! {
        #[test]
        fn names_are_equal_if_their_texts_are(texts in prop::collection::vec(prop::option::of(text()), 1..8)) {
            let small: StringArray = texts.iter().collect();
            let large: LargeStringArray = texts.iter().collect();
            let views: StringViewArray = texts.iter().collect();
            let hash = RandomState::default();
            for (i, a) in texts.iter().enumerate() {
                for (j, b) in texts.iter().enumerate() {
                    for other in [small.name(j), large.name(j), views.name(j)] {
                        prop_assert_eq!(small.name(i) == other, a == b);
                        prop_assert!(a != b || hash.hash_one(small.name(i)) == hash.hash_one(other));
                    }
                }
            }
        }
    }
}
