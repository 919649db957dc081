//! What became of each candidate, in order: with it a reduction that was ended takes the same way again without running anything,
//! and goes on where it was.

use super::candidate::Candidate;

/// Hexadecimal digits by which a candidate is known.
const DIGITS: usize = 32;

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It does not diverge in the same way.
    Refused,
    /// It does, and is the smallest.
    Taken {
        /// The position at which its runs part.
        parting: u64,
        /// Whether their ends show it.
        shows: bool,
    },
    /// Its plain runs end as they should, and it was not compared.
    Presumed,
    /// A comparison shows that those before should not have been taken.
    Astray,
    /// It was the smallest after a round, and whether it diverges in processes of its own.
    Confirmed(bool),
}

/// Decisions, and how many of them were taken again.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    entries: Vec<(String, Decision)>,
    again: usize,
}

impl Log {
    /// The log that a state has; `None` if it is damaged.
    pub fn read(lines: &[String]) -> Option<Log> {
        let entries = lines.iter().map(|line| {
            let (key, decision) = line.split_once(' ')?;
            (key.len() == DIGITS).then_some((key.to_string(), Decision::read(decision)?))
        });
        Some(Log { entries: entries.collect::<Option<Vec<_>>>()?, again: 0 })
    }

    /// The log for a state.
    pub fn lines(&self) -> Vec<String> {
        self.entries.iter().map(|(key, decision)| format!("{key} {}", decision.in_a_word())).collect()
    }

    /// Whether there are decisions that were not taken again yet.
    pub fn goes_on(&self) -> bool {
        self.again < self.entries.len()
    }

    /// The decision on this candidate, if it is the next one. If another one is, the way is another one from here on.
    pub fn next(&mut self, candidate: &Candidate) -> Option<Decision> {
        let (key, decision) = self.entries.get(self.again)?;
        if *key == key_of(candidate) {
            self.again += 1;
            return Some(*decision);
        }
        self.entries.truncate(self.again);
        None
    }

    /// Notes a decision.
    pub fn note(&mut self, candidate: &Candidate, decision: Decision) {
        self.entries.truncate(self.again);
        self.entries.push((key_of(candidate), decision));
        self.again = self.entries.len();
    }
}

fn key_of(candidate: &Candidate) -> String {
    let mut key = blake3::hash(&candidate.module).to_hex().to_string();
    key.truncate(DIGITS);
    key
}

impl Decision {
    fn in_a_word(self) -> String {
        match self {
            Decision::Refused => "refused".to_string(),
            Decision::Taken { parting, shows: true } => format!("taken-{parting}"),
            Decision::Taken { parting, shows: false } => format!("unseen-{parting}"),
            Decision::Presumed => "presumed".to_string(),
            Decision::Astray => "astray".to_string(),
            Decision::Confirmed(true) => "confirmed".to_string(),
            Decision::Confirmed(false) => "unconfirmed".to_string(),
        }
    }

    fn read(word: &str) -> Option<Decision> {
        Some(match word.split_once('-') {
            Some((how @ ("taken" | "unseen"), parting)) => {
                Decision::Taken { parting: parting.parse().ok()?, shows: how == "taken" }
            }
            Some(_) => return None,
            None => match word {
                "refused" => Decision::Refused,
                "presumed" => Decision::Presumed,
                "astray" => Decision::Astray,
                "confirmed" => Decision::Confirmed(true),
                "unconfirmed" => Decision::Confirmed(false),
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_as_they_were_written_and_taken_again_in_order() {
        let candidate = |byte| Candidate { module: vec![byte], calls: Vec::new(), in_javascript: false };
        let decisions = [
            Decision::Refused,
            Decision::Taken { parting: 7, shows: true },
            Decision::Taken { parting: u64::MAX, shows: false },
            Decision::Presumed,
            Decision::Astray,
            Decision::Confirmed(true),
            Decision::Confirmed(false),
        ];
        let mut log = Log::default();
        for (byte, decision) in (0..).zip(decisions) {
            log.note(&candidate(byte), decision);
        }
        let mut again = Log::read(&log.lines()).expect("a log");
        assert_eq!(again.next(&candidate(0)), Some(decisions[0]));
        assert_eq!(again.next(&candidate(1)), Some(decisions[1]));
        assert!(again.goes_on());
        // Another candidate than the next one: what follows is of another way.
        assert_eq!(again.next(&candidate(9)), None);
        assert!(!again.goes_on() && again.lines().len() == 2);
        for damaged in [
            "",
            "x",
            "0123 refused",
            "00000000000000000000000000000000 taken-",
            "00000000000000000000000000000000 other",
        ] {
            assert!(Log::read(&[damaged.to_string()]).is_none(), "{damaged}");
        }
    }
}
