//! What the machine itself can do: a disk that must make bytes durable, a loop that only unpacks and splits.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Times a second the disk under `folder` makes `bytes` durable.
pub(crate) fn syncs_per_second(folder: &Path, bytes: usize) -> f64 {
    let mut file = File::create(folder.join("sync-limit")).unwrap();
    let block = vec![7_u8; bytes];
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(2) {
        file.rewind().unwrap();
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// Rows a second one thread unpacks and splits into fields, doing nothing with them.
pub(crate) fn rows_split_per_second(path: &Path) -> f64 {
    let began = Instant::now();
    let mut text = Vec::new();
    zstd::Decoder::new(File::open(path).unwrap()).unwrap().read_to_end(&mut text).unwrap();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
    let mut row = csv::ByteRecord::new();
    let mut rows = 0.0;
    while reader.read_byte_record(&mut row).unwrap() {
        rows += 1.0;
    }
    rows / began.elapsed().as_secs_f64()
}

/// Rows a second one thread writes as Parquet with the lake's compression, from rows already in memory.
pub(crate) fn rows_written_per_second(rows: &[arrow::array::RecordBatch]) -> f64 {
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    let count: usize = rows.iter().map(arrow::array::RecordBatch::num_rows).sum();
    let began = Instant::now();
    let compression = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows[0].schema(), Some(properties)).unwrap();
    for batch in rows {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
    count as f64 / began.elapsed().as_secs_f64()
}
