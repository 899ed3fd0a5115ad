//! The only place that turns bytes of a declared encoding into text. A malformed sequence is a fault of its row, never of the input.

use std::borrow::Cow;

use encoding_rs::{BIG5, GB18030, UTF_8};

use crate::feeds::Encoding;

fn codec(encoding: Encoding) -> &'static encoding_rs::Encoding {
    match encoding {
        Encoding::Utf8 => UTF_8,
        Encoding::Big5 => BIG5,
        Encoding::Gb18030 => GB18030,
    }
}

impl Encoding {
    /// The name in messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Big5 => "big5",
            Self::Gb18030 => "gb18030",
        }
    }
}

/// The text of `bytes`, or what is wrong with them.
pub(super) fn strict(encoding: Encoding, bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    let text = match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        other => codec(other).decode_without_bom_handling_and_without_replacement(bytes),
    };
    match text {
        None => Err(format!("is not {}: the first bytes that do not fit stand where the payload shows \u{FFFD}", encoding.as_str())),
        Some(text) if text.contains('\0') => Err("holds a NUL character".to_owned()),
        Some(text) => Ok(text),
    }
}

/// The text of `bytes` with U+FFFD where they are malformed: for payloads of refused rows.
pub(super) fn lossy(encoding: Encoding, bytes: &[u8]) -> String {
    codec(encoding).decode_without_bom_handling(bytes).0.into_owned()
}
