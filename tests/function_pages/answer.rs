//! Rows of an example as text, as a person reads them.

use analytics::session::World;
use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The answer to a statement.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    /// None is NULL.
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Answer {
    /// Asks a world.
    pub(crate) async fn of(world: &World, statement: &str) -> Result<Self, String> {
        let batches = world.query(statement).await.map_err(|error| error.to_string())?;
        let columns = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { columns, rows: batches.iter().flat_map(rows).collect() })
    }

    /// Place of a column.
    pub(crate) fn place(&self, column: &str) -> usize {
        self.columns.iter().position(|name| name == column).unwrap_or_else(|| panic!("there is no column {column} in {:?}", self.columns))
    }

    /// The texts of a column.
    pub(crate) fn texts(&self, column: &str) -> Vec<Option<&str>> {
        let place = self.place(column);
        self.rows.iter().map(|row| row[place].as_deref()).collect()
    }

    /// The numbers of a column.
    pub(crate) fn numbers(&self, column: &str) -> Vec<Option<f64>> {
        self.texts(column).into_iter().map(|text| text.map(|text| text.parse().unwrap_or_else(|_| panic!("{column} is {text}")))).collect()
    }

    /// With the rows in ascending order of the first column, if they stand in descending order.
    pub(crate) fn ascending(&self) -> Self {
        let key = |row: &Vec<Option<String>>| row[0].as_ref().map(|text| (text.parse::<f64>().unwrap_or(0.0), text.clone()));
        let mut rows = self.rows.clone();
        if key(&rows[0]) > key(&rows[rows.len() - 1]) {
            rows.reverse();
        }
        Self { columns: self.columns.clone(), rows }
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch.columns().iter().map(|column| (column, ArrayFormatter::try_new(column, &options).unwrap())).collect();
    let cell = |row: usize| columns.iter().map(move |(column, text)| column.is_valid(row).then(|| text.value(row).to_string())).collect();
    (0..batch.num_rows()).map(cell).collect()
}
