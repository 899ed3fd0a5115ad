//! What a command that could not be done says and exits with.

use std::error::Error;
use std::process::ExitCode;

use analytics::metrics::chain;

/// A sentence for a person, and the exit code of SURFACE: 1 a check failed, 2 usage, 69 a server is away, 74 disk or lake, 78
/// configuration.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    sentence: String,
    hint: Option<String>,
}

impl Failure {
    fn new(code: u8, sentence: String) -> Self {
        Self { code, sentence, hint: None }
    }

    /// A check failed, or rows were refused under --strict.
    pub(crate) fn refused(sentence: impl Into<String>) -> Self {
        Self::new(1, sentence.into())
    }

    /// The command line asks for what there is not.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::new(2, sentence.into())
    }

    /// A needed server is away.
    pub(crate) fn away(doing: &str, error: &dyn Error) -> Self {
        Self::new(69, format!("{doing}: {}", chain(error)))
    }

    /// The disk, the log or the lake failed.
    pub(crate) fn machine(doing: &str, error: &dyn Error) -> Self {
        let failure = Self::new(74, format!("{doing}: {}", chain(error)));
        let full = failure.sentence.contains("No space left on device");
        if full { failure.hint("make room on that disk and start again; what was acknowledged is kept") } else { failure }
    }

    /// A person must change the configuration.
    pub(crate) fn configuration(sentence: impl Into<String>) -> Self {
        Self::new(78, sentence.into())
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says it on standard error.
    #[expect(clippy::print_stderr, reason = "this is where a command says why it failed")]
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("gridwatch: {}", self.sentence);
        if let Some(hint) = self.hint {
            eprintln!("  hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}
