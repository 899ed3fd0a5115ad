//! `gridwatch check`: the rules, what was found, and exit 1 where one does not hold.

use analytics::check::{self, Finding};
use serde_json::json;

use crate::cli::RowsOptions;
use crate::control;
use crate::failure::Failure;
use crate::{clock, log, output, pipeline};

/// Runs the command; on a folder where `up` runs, it is `up` that checks, because it holds the log.
pub(crate) async fn run(options: RowsOptions) -> Result<(), Failure> {
    let place = options.place;
    pipeline::existing(&place)?;
    let findings: Vec<Finding> = if control::is_running(&place.data_dir).await {
        let answer = control::ask(&place.data_dir, "/check", &json!({}), |_| ()).await?;
        serde_json::from_value(answer).map_err(|error| Failure::machine("could not read the answer", &error))?
    } else {
        let log = log::open(&place, &clock::system()).await?;
        check::run(&place.lake(), Some(log.as_ref())).await.map_err(|error| Failure::machine("could not check", &error))?
    };
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| vec![if finding.holds { "holds" } else { "FAILS" }.to_owned(), finding.rule.clone(), finding.detail.clone()])
        .collect();
    output::print(&[output::texts(&["result", "rule", "detail"], &rows)?], options.format)?;
    match findings.iter().filter(|finding| !finding.holds).count() {
        0 => Ok(()),
        broken => Err(Failure::refused(format!("{broken} of {} rules do not hold", findings.len()))),
    }
}
