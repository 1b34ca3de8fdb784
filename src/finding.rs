//! Something to tell the user about what was analysed. A finding is data; an
//! `Err` is for "could not look".

/// How bad it is. The order is the order of exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Note,
    Warning,
    Error,
    /// It could not be looked at: what is said of it is no answer.
    Trouble,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error | Severity::Trouble => "error",
        }
    }
}

/// One thing found. `subject` is the file it is about, `message` is the cause,
/// `hint` is the cure where one is known. All three are bytes, since all three
/// quote names from files; they are escaped when shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Stable and short, for scripts: `missing`, `dies`, `version`.
    pub code: &'static str,
    pub subject: Vec<u8>,
    pub message: Vec<u8>,
    pub hint: Option<Vec<u8>>,
}

/// What the process says at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Exit {
    /// Nothing wrong.
    #[default]
    Fine,
    /// A finding of severity error.
    Findings,
    /// Could not do it.
    Trouble,
}

impl Exit {
    pub fn of(findings: &[Finding]) -> Exit {
        match findings.iter().map(|f| f.severity).max() {
            Some(Severity::Trouble) => Exit::Trouble,
            Some(Severity::Error) => Exit::Findings,
            Some(Severity::Warning | Severity::Note) | None => Exit::Fine,
        }
    }

    /// Several files give the highest.
    pub fn and(self, other: Exit) -> Exit {
        self.max(other)
    }

    pub fn status(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Trouble => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_give_the_highest_status() {
        assert_eq!(Exit::Fine.and(Exit::Findings).and(Exit::Fine).status(), 1);
        assert_eq!(Exit::Trouble.and(Exit::Findings).status(), 2);
    }
}
