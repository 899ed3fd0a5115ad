//! Rates of bulletins, and the quantiles of the conventions.

use functions::quantile;
use functions::wilson::wilson;

use super::ledger::Ledger;

pub(crate) fn goldens(ledger: &mut Ledger) {
    let quantiles = [(quantile(0.999), 3.090232306), (quantile(0.975), 1.959963985)];
    ledger.absolute("conventions: normal quantiles", "quantile", 5e-10, &quantiles);
    let percent = |successes: f64, trials: f64| 100.0 * wilson(successes, trials, 0.95).unwrap().0;
    let tianmen = [(911.0, 972.0, 93.72), (737.0, 972.0, 75.82), (902.0, 956.0, 94.35), (9.0, 16.0, 56.25)];
    let rates = tianmen.map(|(successes, trials, printed)| (percent(successes, trials), printed));
    ledger.absolute("golden I: Tianmen, December 2016", "wilson rate, per cent", 5e-3, &rates);
    ledger.absolute("golden I: Ningguo, April 2022", "wilson rate, per cent", 5e-3, &[(percent(597.0, 601.0), 99.33)]);
    ledger.absolute("4.10: repeats of Daying, 2016", "wilson rate, per cent", 6e-3, &[(percent(99.0, 506.0), 19.57)]);
}
