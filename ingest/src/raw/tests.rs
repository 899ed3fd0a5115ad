//! Rows of every format, sound and broken: each keeps its number, its bytes and its neighbours.

use super::*;

/// An input that hands over one byte at a time, so that every row meets the window's end.
struct Trickle(std::io::Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}

fn batches(format: Format, encoding: Encoding, wanted: &[&str], input: Box<dyn Read + Send>, rows_max: usize) -> Vec<RawBatch> {
    let wanted: Arc<[String]> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let mut reader = RawReader::open(format, encoding, &wanted, "test", input).unwrap();
    std::iter::from_fn(|| reader.next_batch(rows_max).unwrap()).collect()
}

/// Rows as `a|b|NULL`, or the reason of a broken one, from the whole input and from one byte at a time.
fn read(format: Format, encoding: Encoding, wanted: &[&str], bytes: &[u8]) -> Vec<String> {
    let whole = shown(&batches(format, encoding, wanted, Box::new(std::io::Cursor::new(bytes.to_vec())), 3));
    let trickled = shown(&batches(format, encoding, wanted, Box::new(Trickle(std::io::Cursor::new(bytes.to_vec()))), BATCH_ROWS));
    assert_eq!(whole, trickled, "rows do not depend on how the bytes come nor on the batch");
    whole
}

fn shown(batches: &[RawBatch]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        let mut sound = 0..;
        for row in &batch.rows {
            rows.push(match &row.fault {
                Some(fault) => format!("{} {}", fault.reason.as_str(), fault.detail),
                None => shown_row(batch, sound.next().unwrap()),
            });
        }
    }
    rows
}

fn shown_row(batch: &RawBatch, row: usize) -> String {
    use arrow::array::{Array, AsArray};
    let value = |array: &ArrayRef| if array.is_null(row) { "NULL".to_owned() } else { array.as_string::<i32>().value(row).to_owned() };
    batch.values.iter().map(value).collect::<Vec<_>>().join("|")
}

fn csv(text: &str) -> Vec<String> {
    read(Format::Csv, Encoding::Utf8, &[], text.as_bytes())
}

#[test]
fn csv_with_quotes_commas_and_line_breaks_inside_is_read() {
    let rows = csv("\u{FEFF}id,place,text\r\n1,\"a, b\",\"line 1\r\nline \"\"2\"\"\"\r\n\r\n2,,\"\"\n3,臺北,x");
    assert_eq!(rows, ["1|a, b|line 1\r\nline \"2\"", "2|NULL|NULL", "3|臺北|x"]);
}

#[test]
fn csv_row_with_too_many_or_too_few_fields_is_broken_alone() {
    let rows = csv("a,b\n1,2\n1,2,3\n1\n4,5\n");
    assert_eq!(rows, ["1|2", "bad_format row has 3 fields, the header 2", "bad_format row has 1 fields, the header 2", "4|5"]);
}

#[test]
fn stray_quote_costs_its_line_and_not_the_lines_behind_it() {
    let stray = "bad_format a quote opens in this line and does not close within the row";
    assert_eq!(csv("a,b\n1,\"oops\n2,x\n3,y\n"), [stray, "2|x", "3|y"], "never closed");
    assert_eq!(csv("a,b\n1,\"oops\n2,x\n3,\"y\"\n4,z\n"), [stray, "2|x", "3|y", "4|z"], "closed by the next quote");
    assert_eq!(csv("a,b\n1,5\" pipe\n2,x\n"), ["1|5\" pipe", "2|x"], "a quote inside an unquoted field is a letter");
}

#[test]
fn stray_quote_before_more_than_a_row_may_hold_still_costs_one_line() {
    let mut text = "a,b\n1,\"oops\n".to_owned();
    let line = format!("2,{}\n", "x".repeat(1000));
    let lines = ROW_BYTES_MAX / line.len() + 10;
    text.extend(std::iter::repeat_n(line.as_str(), lines));
    let rows: usize = batches(Format::Csv, Encoding::Utf8, &[], Box::new(std::io::Cursor::new(text.into_bytes())), BATCH_ROWS)
        .iter()
        .map(|batch| batch.rows.iter().filter(|row| row.fault.is_none()).count())
        .sum();
    assert_eq!(rows, lines);
}

#[test]
fn csv_payload_can_be_sent_again_and_has_the_bytes_as_they_came() {
    let batches = batches(Format::Csv, Encoding::Utf8, &[], Box::new(&b"a,b\r\n1,\"x\"\"y\"\r\n1,2,3\r\n"[..]), 10);
    assert_eq!(batches[0].payload(0), "a,b\n1,\"x\"\"y\"");
    assert_eq!(batches[0].payload(1), "a,b\n1,2,3");
    assert_eq!(batches[0].origin(1), "test:2");
}

#[test]
fn broken_utf8_costs_the_row_and_is_shown_replaced() {
    let bytes = b"a,b\n1,ok\n2,\xE6\x97\n3,ok\n4,\xE6,\x97\n";
    let rows = read(Format::Csv, Encoding::Utf8, &[], bytes);
    assert_eq!((rows.len(), rows[0].as_str(), rows[2].as_str()), (4, "1|ok", "3|ok"));
    assert!(rows[1].starts_with("bad_text field 2 is not utf-8"), "{}", rows[1]);
    let batch = &batches(Format::Csv, Encoding::Utf8, &[], Box::new(&bytes[..]), 10)[0];
    assert_eq!(batch.payload(1), "a,b\n2,\u{FFFD}");
}

#[test]
fn character_cut_in_two_by_a_comma_is_broken_though_the_bytes_together_are_not() {
    let rows = read(Format::Csv, Encoding::Utf8, &[], b"a,b\n\xE6,\x97\xA5\n");
    assert!(rows[0].starts_with("bad_text field 1 is not utf-8"), "{rows:?}");
}

#[test]
fn nul_in_a_field_is_refused() {
    assert_eq!(csv("a\nx\0y\nz\n"), ["bad_text field 1 holds a NUL character", "z"]);
}

#[test]
fn big5_and_gb18030_are_read_as_declared() {
    let encoded = |encoding: &'static encoding_rs::Encoding, text| encoding.encode(text).0.into_owned();
    // 許 and 功 end in the byte of a backslash in Big5, 誠 in that of a letter.
    let rows = read(Format::Csv, Encoding::Big5, &[], &encoded(encoding_rs::BIG5, "地點,備註\n許功蓋路1號,誠\n臺北市,\n"));
    assert_eq!(rows, ["許功蓋路1號|誠", "臺北市|NULL"]);
    // 㐀 is four bytes in GB 18030, two of them digits.
    let rows = read(Format::Ndjson, Encoding::Gb18030, &["地点"], &encoded(encoding_rs::GB18030, "{\"地点\":\"㐀路\"}\n"));
    assert_eq!(rows, ["㐀路"]);
    let rows = read(Format::Json, Encoding::Big5, &["地點"], &encoded(encoding_rs::BIG5, "[{\"地點\":\"許功蓋\"},{\"地點\":\"誠\"}]"));
    assert_eq!(rows, ["許功蓋", "誠"]);
    let broken = [b"a\n".as_slice(), b"\xA4\x41\x20\xFF\n", b"ok\n"].concat();
    let rows = read(Format::Csv, Encoding::Big5, &[], &broken);
    assert!(rows[0].starts_with("bad_text field 1 is not big5") && rows[1] == "ok", "{rows:?}");
}

#[test]
fn header_that_does_not_hold_is_an_error_of_the_input() {
    let open = |bytes: &'static [u8]| {
        RawReader::open(Format::Csv, Encoding::Utf8, &Arc::from([]), "calls.csv", Box::new(bytes)).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(open(b""), "header of \"calls.csv\" is missing: the input is empty");
    assert_eq!(open(b"a,b,a\n"), "header of \"calls.csv\" names column \"a\" twice");
    assert!(open(b"\xA4\xA4\n1\n").contains("declare the right encoding"));
}

#[test]
fn ndjson_members_become_text_and_what_is_no_object_is_broken() {
    let text = concat!(
        "\u{FEFF}{\"a\":\"x\\u0041\",\"b\":1.50,\"c\":true,\"d\":{\"e\":[1,2]}}\r\n\n",
        "{\"a\":null,\"d.e\":\"flat\",\"z\":0}\n",
        "[1]\n{\"a\":1\n\"x\"\n{\"a\":\"\\ud800\"}\n{\"a\":\"\\u0000\"}\n{\"a\":\"last\"}"
    );
    let rows = read(Format::Ndjson, Encoding::Utf8, &["a", "b", "c", "d", "d.e"], text.as_bytes());
    assert_eq!(rows[0], "xA|1.50|true|{\"e\":[1,2]}|[1,2]");
    assert_eq!(rows[1], "NULL|NULL|NULL|NULL|flat");
    for broken in &rows[2..5] {
        assert!(broken.starts_with("bad_json row is not a JSON object"), "{broken}");
    }
    assert!(rows[5].starts_with("bad_text is not text") && rows[6] == "bad_text holds a NUL character", "{rows:?}");
    assert_eq!(rows[7], "last|NULL|NULL|NULL|NULL");
}

#[test]
fn json_array_and_objects_in_a_row_give_the_same_rows() {
    let expected = ["1", "}],[{", "3"];
    for text in [
        "[{\"a\":1},\n {\"a\":\"}],[{\"} , {\"a\":3}]",
        "{\"a\":1}{\"a\":\"}],[{\"}\n{\"a\":3}",
        "\u{FEFF}[\n{\"a\":1},{\"a\":\"}],[{\"},{\"a\":3}\n]\n",
    ] {
        assert_eq!(read(Format::Json, Encoding::Utf8, &["a"], text.as_bytes()), expected, "{text}");
    }
    assert!(read(Format::Json, Encoding::Utf8, &["a"], b"").is_empty());
    assert!(read(Format::Json, Encoding::Utf8, &["a"], b" [ ] ").is_empty());
}

#[test]
fn json_element_that_is_no_object_is_broken_alone() {
    let rows = read(Format::Json, Encoding::Utf8, &["a"], b"[{\"a\":1}, 7, \"x\", {\"a\":}, {\"a\":2}]");
    assert_eq!((rows[0].as_str(), rows[4].as_str(), rows.len()), ("1", "2", 5));
    assert!(rows[1..4].iter().all(|row| row.starts_with("bad_json")), "{rows:?}");
}

#[test]
fn row_longer_than_the_log_takes_is_broken_and_the_next_one_is_read() {
    let long = "x".repeat(ROW_BYTES_MAX + 5000);
    let check = |format, wanted: &[&str], text: String| {
        let batches = batches(format, Encoding::Utf8, wanted, Box::new(std::io::Cursor::new(text.into_bytes())), 10);
        let rows = shown(&batches);
        assert!(rows[0].starts_with("too_long row is longer than"), "{}", &rows[0][..60.min(rows[0].len())]);
        assert_eq!(rows.last().unwrap(), "2");
    };
    check(Format::Ndjson, &["a"], format!("{{\"a\":\"{long}\"}}\n{{\"a\":2}}\n"));
    check(Format::Json, &["a"], format!("[{{\"a\":\"{long}\"}},{{\"a\":2}}]"));
    check(Format::Csv, &[], format!("a\n{long}\n2\n"));
}

#[test]
fn gzip_and_zstd_are_known_by_their_first_bytes_and_a_cut_file_says_where() {
    use std::io::Write;
    let plain = b"a\n1\n2\n".to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let packed = [gzip.finish().unwrap(), zstd::encode_all(&plain[..], 3).unwrap(), plain.clone()];
    for bytes in packed.clone() {
        let input = compression::detect(Box::new(std::io::Cursor::new(bytes))).unwrap();
        assert_eq!(shown(&batches(Format::Csv, Encoding::Utf8, &[], input, 10)), ["1", "2"]);
    }
    let cut = zstd::encode_all(format!("a\n{}", "row\n".repeat(100_000)).as_bytes(), 1).unwrap();
    let input = compression::detect(Box::new(std::io::Cursor::new(cut[..cut.len() / 2].to_vec()))).unwrap();
    let error = match RawReader::open(Format::Csv, Encoding::Utf8, &Arc::from([]), "calls.csv.zst", input) {
        Err(error) => error,
        Ok(mut reader) => loop {
            match reader.next_batch(BATCH_ROWS) {
                Ok(batch) => assert!(batch.is_some(), "a cut file does not end quietly"),
                Err(error) => break error,
            }
        },
    };
    assert!(error.to_string().starts_with("could not read \"calls.csv.zst\" after row"), "{error}");
}
