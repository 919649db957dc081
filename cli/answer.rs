//! How a command turned out: what its exit code says.

/// How a command that ran to its end turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done, or the runs agree.
    Yes,
    /// The runs diverge.
    Diverge,
    /// There is no answer: poisoned or incomplete runs.
    None,
}

impl Answer {
    /// The answer for a comparison's `agree`.
    pub fn of(agree: Option<bool>) -> Answer {
        match agree {
            Some(true) => Answer::Yes,
            Some(false) => Answer::Diverge,
            None => Answer::None,
        }
    }
}
