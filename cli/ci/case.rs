//! Comparisons as cases that pass, fail, or have no answer.

use forkpoint_compare::{Compared, EngineRow, ModuleAnswer, ModuleRow, Surveyed};
use forkpoint_replay::{Likeness, Report, Signature};

/// One comparison of engines on one module.
pub struct Case {
    /// The module, as it was named.
    pub module: String,
    /// The engines.
    pub engines: String,
    /// How it turned out.
    pub result: CaseResult,
}

/// How a comparison turned out.
pub enum CaseResult {
    /// The engines agree.
    Agree,
    /// They diverge.
    Diverge(Box<Finding>),
    /// There is no answer, and why.
    Unanswered(String),
}

/// A divergence.
pub struct Finding {
    /// The word for its verdict.
    pub verdict: String,
    /// The verdict in words.
    pub meaning: String,
    /// All of the report.
    pub text: String,
    /// What similar divergences share.
    pub fingerprint: String,
    /// The function it is in.
    pub function: Option<String>,
    /// The offset in the module.
    pub offset: Option<u32>,
    /// The source file and line, if debug information names one by a relative path.
    pub source: Option<(String, u32)>,
}

impl Finding {
    fn of(report: &Report, fingerprint: String) -> Finding {
        let site = report.site.as_ref();
        let source = site.and_then(|site| site.file.clone().zip(site.line));
        Finding {
            verdict: report.verdict.map_or("divergence", |verdict| verdict.word()).to_string(),
            meaning: report.meaning.unwrap_or("two runs differ").to_string(),
            text: report.to_string(),
            fingerprint,
            function: site.map(|site| site.name.clone()),
            offset: site.map(|site| site.offset.0),
            source: source.filter(|(file, _)| !file.starts_with('/')),
        }
    }
}

impl CaseResult {
    fn of(report: &Report) -> CaseResult {
        match report.agree {
            Some(true) => CaseResult::Agree,
            Some(false) => {
                let words = Likeness::of(report).unwrap_or_default().0;
                CaseResult::Diverge(Box::new(Finding::of(report, Signature::of_words(words).hash)))
            }
            None => CaseResult::Unanswered(report.reason.clone().unwrap_or_else(|| report.to_string())),
        }
    }
}

/// The one case of a comparison of two engines.
pub fn of_compared(module: &str, compared: &Compared) -> Vec<Case> {
    let report = &compared.report;
    let engines = format!("{} and {}", report.lhs.engine, report.rhs.engine);
    vec![Case { module: module.to_string(), engines, result: CaseResult::of(report) }]
}

/// A case for each engine other than the reference.
pub fn of_surveyed(module: &str, surveyed: &Surveyed) -> Vec<Case> {
    let reference = surveyed.reference.and_then(|row| surveyed.engines.get(row));
    let result = |row: &EngineRow| {
        if let Some(error) = &row.error {
            return CaseResult::Unanswered(error.clone());
        }
        let group = surveyed.groups.iter().find(|group| Some(&group.name) == row.group.as_ref());
        match group.and_then(|group| group.divergence.as_ref()).or(row.divergence.as_ref()) {
            Some(report) => CaseResult::of(report),
            None if reference.is_none() => CaseResult::Unanswered("no engine could be recorded".to_string()),
            None => CaseResult::Agree,
        }
    };
    let others = (0..).zip(&surveyed.engines).filter(|(number, _)| Some(*number) != surveyed.reference);
    let case = |(_, row): (usize, &EngineRow)| Case {
        module: module.to_string(),
        engines: match reference {
            Some(reference) => format!("{} and {}", reference.engine, row.engine),
            None => row.engine.clone(),
        },
        result: result(row),
    };
    others.map(case).collect()
}

/// The cases of one module of a sweep: one for each divergence, or one for the whole.
pub fn of_row(row: &ModuleRow) -> Vec<Case> {
    let reference = row.reference.as_deref().unwrap_or("no engine");
    let case = |engines: String, result: CaseResult| Case { module: row.module.clone(), engines, result };
    let mut cases: Vec<Case> = Vec::new();
    for found in &row.findings {
        let command = found.command.as_ref().map_or(String::new(), |command| format!("\n{command}"));
        let finding = Finding {
            verdict: found.verdict.clone(),
            meaning: found.context.clone(),
            text: format!("{}{command}\n", found.context),
            fingerprint: found.signature.clone(),
            function: found.site.as_ref().map(|site| site.name.clone()),
            offset: found.site.as_ref().map(|site| site.offset.0),
            source: None,
        };
        let engines = format!("{reference} and {}", found.engines.join(", "));
        cases.push(case(engines, CaseResult::Diverge(Box::new(finding))));
    }
    if cases.is_empty() {
        let engines = row.groups.concat().join(", ");
        cases.push(case(
            engines,
            match row.answer {
                ModuleAnswer::Agree => CaseResult::Agree,
                _ => CaseResult::Unanswered(row.reason.clone().unwrap_or_else(|| "no answer".to_string())),
            },
        ));
    }
    cases
}
