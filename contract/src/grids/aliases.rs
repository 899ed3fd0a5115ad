//! The aliases file: further names of grids, as people write them in addresses (`alias,grid_id`, UTF-8 CSV with header).

use super::GridError;

/// Most aliases of a level: ten for each of the most grids would be a dictionary of its own.
const ALIASES_MAX: usize = 100_000;

/// A further name of a grid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alias {
    pub(super) alias: String,
    pub(super) grid_id: String,
    pub(super) line: u64,
}

/// Reads an aliases file.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Alias>, GridError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let column = |name: &str| {
        let place = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        place.ok_or_else(|| GridError::Aliases {
            line: 1,
            what: format!("has no column \"{name}\" (columns: {})", header.iter().collect::<Vec<_>>().join(", ")),
        })
    };
    let (alias, grid_id) = (column("alias")?, column("grid_id")?);
    let mut aliases = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| broken(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |place: usize| row.get(place).unwrap_or_default().to_owned();
        let entry = Alias { alias: field(alias), grid_id: field(grid_id), line };
        if entry.alias.is_empty() || entry.grid_id.is_empty() {
            return Err(GridError::Aliases { line, what: "alias or grid_id is empty".to_owned() });
        }
        if aliases.len() == ALIASES_MAX {
            return Err(GridError::Aliases { line, what: format!("more than {ALIASES_MAX} aliases") });
        }
        aliases.push(entry);
    }
    Ok(aliases)
}

fn broken(error: &csv::Error) -> GridError {
    GridError::Aliases { line: error.position().map_or(1, csv::Position::line), what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_read_in_any_column_order() {
        let aliases = read("\u{feff}grid_id,alias\n7, 臺大 \n".as_bytes()).unwrap();
        assert_eq!(aliases, [Alias { alias: "臺大".into(), grid_id: "7".into(), line: 2 }]);
    }

    #[test]
    fn a_broken_aliases_file_names_the_line() {
        for (bytes, expected) in [
            ("name,grid_id\na,1\n", "aliases file, line 1: has no column \"alias\" (columns: name, grid_id)"),
            ("alias,grid_id\na,1\n,2\n", "aliases file, line 3: alias or grid_id is empty"),
            ("alias,grid_id\na\n", "aliases file, line 2"),
            ("", "aliases file, line 1: has no column \"alias\""),
        ] {
            let message = read(bytes.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
