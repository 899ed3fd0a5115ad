//! The only place that turns a person's identity into a pseudonym (D14): HMAC-SHA-256 under a key of the operator, 128 bit, prefixed with
//! the key's id, so that a change of key shows and old and new pseudonyms are never taken for one person.

use std::io::{Read, Write};
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key of at least this many bytes cannot be guessed.
const SECRET_BYTES_MIN: usize = 16;
/// Secrets we make ourselves: as long as the hash.
const SECRET_BYTES: usize = 32;

/// The key pseudonyms are made with. Its secret is never printed.
#[derive(Clone)]
pub struct PseudonymKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PseudonymKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a key cannot be used. A person has to mend it: the remedy is always Fix.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read, made or written.
    #[error("could not {action} pseudonym key \"{path}\"")]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The text is no key.
    #[error("pseudonym key {problem}; a key is `id:hex` with an id of at most 16 of a-z and 0-9 and at least 32 hex digits")]
    Malformed {
        /// What is wrong; never the key itself.
        problem: &'static str,
    },
}

impl PseudonymKey {
    /// A key from its id and secret.
    ///
    /// # Errors
    /// When the id is not short and plain or the secret could be guessed.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, KeyError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if id.is_empty() || id.len() > 16 || !id.bytes().all(plain) {
            return Err(KeyError::Malformed { problem: "has an id that is not short and plain" });
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::Malformed { problem: "is too short" });
        }
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes secrets of any length");
        Ok(Self { id: id.to_owned(), mac })
    }

    /// A key written as `id:hex`.
    ///
    /// # Errors
    /// When the text is not that.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (id, hex) = text.trim().split_once(':').ok_or(KeyError::Malformed { problem: "has no id" })?;
        let digits: Option<Vec<u8>> = hex.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or(KeyError::Malformed { problem: "is not hexadecimal" })?;
        let secret: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        Self::new(id, &secret)
    }

    /// The key in the file at `path`, made at the first call: readable by its owner only. Losing it parts all later pseudonyms from earlier ones.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |action| move |source| KeyError::File { action, path: path.display().to_string(), source };
        match std::fs::read_to_string(path) {
            Ok(text) => return Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read")(error)),
        }
        let mut secret = [0; SECRET_BYTES];
        std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut secret)).map_err(failed("find randomness for"))?;
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        match create(path, &format!("k1:{hex}\n")) {
            // Another process made it in between: its key is the key.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::parse(&std::fs::read_to_string(path).map_err(failed("read"))?)
            }
            Err(error) => Err(failed("write")(error)),
            Ok(()) => Self::new("k1", &secret),
        }
    }

    /// The pseudonym of `text`; `None` for blank text. Telephone numbers are compared without blanks, hyphens and brackets.
    pub fn pseudonym(&self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let mark = |letter: char| matches!(letter, ' ' | '-' | '(' | ')');
        let is_number = text.chars().all(|letter| letter.is_ascii_digit() || letter == '+' || mark(letter));
        let mut mac = self.mac.clone();
        if is_number {
            mac.update(text.replace(mark, "").as_bytes());
        } else {
            mac.update(text.as_bytes());
        }
        let mut pseudonym = format!("{}.", self.id);
        for byte in mac.finalize().into_bytes().iter().take(16) {
            pseudonym.push(hex_digit(byte >> 4));
            pseudonym.push(hex_digit(byte & 15));
        }
        Some(pseudonym)
    }
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).expect("four bits are one hex digit")
}

/// Writes the whole file under another name first, so that a crash leaves no half key.
fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonym_is_the_keys_and_the_texts_and_shows_neither() {
        let key = PseudonymKey::new("k1", &[7; 32]).unwrap();
        let one = key.pseudonym("0912-345 678").unwrap();
        assert!(one.starts_with("k1.") && one.len() == 3 + 32, "{one}");
        assert_eq!(key.pseudonym(" 0912345678").unwrap(), one);
        assert_ne!(key.pseudonym("0912345679").unwrap(), one);
        assert_ne!(PseudonymKey::new("k1", &[8; 32]).unwrap().pseudonym("0912345678").unwrap(), one);
        assert_eq!(key.pseudonym("  "), None);
        assert!(!format!("{key:?}").contains("07"));
    }

    #[test]
    fn pseudonym_agrees_with_an_independent_hmac() {
        // RFC 4231, test case 2: key "Jefe", data "what do ya want for nothing?", lengthened to our minimum is another key, so case 1: 20 bytes 0x0b, "Hi There".
        let key = PseudonymKey::new("t", &[0x0b; 20]).unwrap();
        assert_eq!(key.pseudonym("Hi There").unwrap(), "t.b0344c61d8db38535ca8afceaf0bf12b");
    }

    #[test]
    fn key_file_is_made_once_for_its_owner_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pseudonym.key");
        let made = PseudonymKey::load_or_create(&path).unwrap().pseudonym("x").unwrap();
        assert_eq!(PseudonymKey::load_or_create(&path).unwrap().pseudonym("x").unwrap(), made);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn malformed_key_is_refused_without_being_shown() {
        for text in ["", "k1", "K1:00112233445566778899aabbccddeeff", "k1:zz", "k1:0011"] {
            let error = PseudonymKey::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("pseudonym key ") && !error.contains("0011"), "{error}");
        }
    }
}
