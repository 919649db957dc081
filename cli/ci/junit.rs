//! JUnit's XML: a test case for each comparison.

use super::case::{Case, CaseResult};
use crate::output::harmless;
use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The document.
pub fn suite(cases: &[Case]) -> Result<String> {
    let mut suite = TestSuite::new("forkpoint");
    for Case { module, engines, result } in cases {
        let failed = |kind, message: String, ty: &str, text: &str| {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(harmless(&message)).set_type(ty).set_description(harmless(text));
            status
        };
        let status = match result {
            CaseResult::Agree => TestCaseStatus::success(),
            CaseResult::Diverge(found) => {
                let message = format!("{}: {}", found.verdict, found.meaning);
                failed(NonSuccessKind::Failure, message, &found.verdict, &found.text)
            }
            CaseResult::Unanswered(why) => failed(NonSuccessKind::Error, "no answer".to_string(), "unanswered", why),
        };
        let mut case = TestCase::new(harmless(engines), status);
        case.set_classname(harmless(module));
        suite.add_test_case(case);
    }
    let mut report = Report::new("forkpoint");
    report.add_test_suite(suite);
    Ok(report.to_string().context("writing XML")? + "\n")
}
