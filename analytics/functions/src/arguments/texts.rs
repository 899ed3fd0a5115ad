//! Columns of texts, whatever their encoding.

use arrow::array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
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
