//! The only place that guesses what a person meant to write: the nearest of a list of known names.

/// The known name nearest to `written`, if any is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Above 0.7 Jaro-Winkler a human sees the likeness ("occured_at" 0.98, "latency" for "lateness" 0.86); below it a hint misleads.
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// ` (nearest: "name")`, or the whole list where nothing is near; for the end of an error message.
pub(crate) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(written, known.clone()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("known: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slip_of_the_pen_finds_the_name_and_a_stranger_gets_the_list() {
        let known = ["lateness", "deduplication", "time_zone"];
        assert_eq!(nearest("latness", known), Some("lateness"));
        assert_eq!(hint("timezone", known), "did you mean \"time_zone\"?");
        assert_eq!(hint("xyz", known), "known: lateness, deduplication, time_zone");
    }
}
