//! Loading grids: every flaw of a file is named, versions are kept apart, and what is stored comes back the same.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::Write;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int32Type};
use contract::grids::{Grid, GridError, GridSet, LevelSpec, Problem};
use serde_json::{Value, json};

/// A square of `size` degrees at (x, y).
fn square(x: f64, y: f64, size: f64) -> Value {
    json!({"type": "Polygon", "coordinates": [[[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]]})
}

fn feature(properties: Value, geometry: Value) -> Value {
    json!({"type": "Feature", "properties": properties, "geometry": geometry})
}

fn collection(features: &[Value]) -> Vec<u8> {
    json!({"type": "FeatureCollection", "features": features}).to_string().into_bytes()
}

fn spec(level: &str) -> LevelSpec {
    LevelSpec { level: level.into(), id_field: "id".into(), name_field: "name".into(), ..LevelSpec::default() }
}

fn with_parent(level: &str) -> LevelSpec {
    LevelSpec { parent_field: Some("above".into()), ..spec(level) }
}

/// Two districts side by side, each with two villages; 安平里 stands in both.
fn city() -> GridSet {
    let districts = collection(&[
        feature(json!({"id": "D1", "name": "東區"}), square(120.0, 23.0, 0.02)),
        feature(json!({"id": "D2", "name": "西區"}), square(120.02, 23.0, 0.02)),
    ]);
    let villages = collection(&[
        feature(json!({"id": "V1", "name": "安平里", "above": "D1", "people": 1200}), square(120.0, 23.0, 0.01)),
        feature(json!({"id": "V2", "name": "富台里", "above": "東區", "people": "2,345"}), square(120.01, 23.01, 0.01)),
        feature(json!({"id": "V3", "name": "安平里", "above": "D2", "people": -1}), square(120.02, 23.0, 0.01)),
        feature(json!({"id": "V4", "name": "臺大里", "above": "D2"}), square(120.03, 23.01, 0.01)),
    ]);
    let (set, problems) = GridSet::empty().load_level(&districts, &spec("district")).unwrap();
    assert_eq!(problems, []);
    let spec = LevelSpec { population_field: Some("people".into()), ..with_parent("village") };
    let (set, problems) = set.load_level(&villages, &spec).unwrap();
    assert_eq!(
        sentences(&problems),
        ["grid \"V3\" (feature 2) has the population \"-1\", which is no count; it stays empty: mend the population field"]
    );
    set
}

fn sentences(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn load(features: &[Value]) -> Result<(GridSet, Vec<Problem>), GridError> {
    GridSet::empty().load_level(&collection(features), &spec("ward"))
}

/// The problems of a file whose first feature is sound.
fn problems_of(suspects: &[Value]) -> Vec<Problem> {
    let sound = feature(json!({"id": "ok", "name": "Sound"}), square(0.0, 0.0, 0.5));
    let all: Vec<Value> = std::iter::once(sound).chain(suspects.iter().cloned()).collect();
    let (set, problems) = load(&all).unwrap();
    assert!(set.get("ok").is_some());
    let left_out = problems.iter().filter(|problem| problem.left_out).count();
    assert_eq!(set.len() + left_out, all.len(), "a grid is in the set or its problem says that it is left out");
    problems
}

fn check_problem(suspect: Value, left_out: bool, expected: &str) {
    let problems = problems_of(&[suspect]);
    assert!(
        problems.iter().any(|problem| problem.left_out == left_out && problem.to_string().contains(expected)),
        "{expected}: {problems:#?}"
    );
}

#[test]
fn each_flaw_of_a_polygon_is_named_with_its_grid_and_what_to_do() {
    let named = |geometry: Value| feature(json!({"id": "x", "name": "X"}), geometry);
    let ring = |points: Value| named(json!({"type": "Polygon", "coordinates": [points]}));
    let bow_tie = ring(json!([[1.0, 0.0], [2.0, 1.0], [2.0, 0.0], [1.0, 1.2], [1.0, 0.0]]));
    check_problem(bow_tie, false, "grid \"x\" (feature 1) is self-intersecting near (1.5");
    let even_bow_tie = ring(json!([[1.0, 0.0], [2.0, 1.0], [2.0, 0.0], [1.0, 1.0], [1.0, 0.0]]));
    check_problem(even_bow_tie, true, "self-intersecting");
    let spike = ring(json!([[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [2.0, 3.0], [2.0, 1.0], [1.0, 1.0], [1.0, 0.0]]));
    check_problem(spike, false, "self-intersecting near (2");
    check_problem(named(json!({"type": "Polygon", "coordinates": []})), true, "is empty");
    check_problem(named(json!({"type": "MultiPolygon", "coordinates": []})), true, "is empty");
    check_problem(named(Value::Null), true, "has no geometry");
    check_problem(named(json!({"type": "Point", "coordinates": [1.0, 1.0]})), true, "is a Point");
    check_problem(ring(json!([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]])), true, "is empty");
    check_problem(ring(json!([[1.0], [2.0, 2.0], [3.0, 1.0], [1.0]])), true, "has a position without longitude and latitude");
    check_problem(ring(json!([["a", 1], [2.0, 2.0]])), true, "is not a GeoJSON feature");
    check_problem(ring(json!([[1.0, 0.0], [2.0, 0.0], [2.0, 1.0]])), false, "has an open ring");
    check_problem(
        ring(json!([[306_802.1, 2_789_176.1], [306_902.1, 2_789_176.1], [306_902.1, 2_789_276.1], [306_802.1, 2_789_176.1]])),
        true,
        "convert the file to longitude and latitude",
    );
    let outside = json!({"type": "Polygon", "coordinates": [[[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0], [1.0, 0.0]], [[4.0, 4.0], [4.1, 4.0], [4.1, 4.1], [4.0, 4.0]]]});
    check_problem(named(outside), false, "has a hole outside");
}

#[test]
fn each_flaw_of_the_properties_is_named() {
    check_problem(
        feature(json!({"id": "ok", "name": "Twice"}), square(2.0, 0.0, 1.0)),
        true,
        "grid \"ok\" (feature 1) has the duplicate id of feature 0; it is left out",
    );
    check_problem(feature(json!({"name": "No id"}), square(2.0, 0.0, 1.0)), true, "feature 1 has no value in the id field \"id\"");
    check_problem(feature(json!({"id": "x".repeat(300), "name": "Long"}), square(2.0, 0.0, 1.0)), true, "has an id of 300 bytes");
    check_problem(
        feature(json!({"id": "x"}), square(2.0, 0.0, 1.0)),
        false,
        "has no value in the name field \"name\", so its id is its name",
    );
}

#[test]
fn overlapping_grids_of_one_level_are_named_and_a_seam_is_not() {
    let overlap = problems_of(&[feature(json!({"id": "a", "name": "A"}), square(0.4, 0.0, 0.5))]);
    assert_eq!(overlap.len(), 1);
    assert!(sentences(&overlap)[0].starts_with("grid \"ok\" (feature 0) overlaps grid \"a\" (feature 1) by"), "{overlap:?}");
    assert!(overlap[0].what.contains("20.0 % of the smaller"), "{overlap:?}");
    // Half a metre over the border.
    assert_eq!(problems_of(&[feature(json!({"id": "a", "name": "A"}), square(0.499_995, 0.0, 0.5))]), []);
    // One inside the other, and twice the same.
    assert_eq!(problems_of(&[feature(json!({"id": "a", "name": "A"}), square(0.1, 0.1, 0.1))]).len(), 1);
    assert_eq!(problems_of(&[feature(json!({"id": "a", "name": "A"}), square(0.0, 0.0, 0.5))]).len(), 1);
}

#[test]
fn a_field_no_feature_has_is_an_error_that_names_the_nearest() {
    let features = [feature(json!({"CPTVID": "1", "VNAME": "A", "TNAME": "B"}), square(0.0, 0.0, 1.0))];
    let spec = LevelSpec { id_field: "CPTID".into(), name_field: "VNAME".into(), ..spec("village") };
    let error = GridSet::empty().load_level(&collection(&features), &spec).unwrap_err();
    let expected = "no feature has the field \"CPTID\" (option --id); did you mean \"CPTVID\"?; the features have: CPTVID, TNAME, VNAME";
    assert_eq!(error.to_string(), expected);
    let spec = LevelSpec { id_field: "CPTVID".into(), parent_field: Some("county".into()), ..spec };
    let error = GridSet::empty().load_level(&collection(&features), &spec).unwrap_err();
    assert_eq!(error.to_string(), "no feature has the field \"county\" (option --parent); the features have: CPTVID, TNAME, VNAME");
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let check = |bytes: &[u8], expected: &str| {
        let message = GridSet::empty().load_level(bytes, &spec("ward")).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(b"", "is not a GeoJSON FeatureCollection");
    check(b"id,name\n1,A\n", "is not a GeoJSON FeatureCollection");
    check(br#"{"type": "Topology", "objects": {}}"#, "its type is \"Topology\"");
    check(b"{\"type\": \"\xb4\xfa\"}", "byte 10 is not UTF-8");
    check(&collection(&[]), "the file has no features");
    check(&[0x1f, 0x8b, 8, 0, 1, 2], "could not decompress the grid file as gzip");
    check(&[0x28, 0xb5, 0x2f, 0xfd, 1, 2], "could not decompress the grid file as zstd");
    let crs =
        json!({"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3826"}}, "features": []});
    check(crs.to_string().as_bytes(), "declares the coordinate system \"urn:ogc:def:crs:EPSG::3826\"");
    let empty = collection(&[feature(json!({"id": "x", "name": "X"}), Value::Null)]);
    check(
        &empty,
        "no feature of level \"ward\" can be used (1 problems); the first: grid \"x\" (feature 0) has no geometry; it is left out",
    );
    let points: Vec<[f64; 2]> = (0..100_001).map(|_| [1.0, 1.0]).collect();
    let many: Vec<Value> = points.iter().map(|_| json!({"type": "Feature", "properties": {}, "geometry": null})).collect();
    check(&collection(&many), "grid file has 100001 features, at most 100000");
    let unnamed = GridSet::empty().load_level(&collection(&[]), &LevelSpec::default()).unwrap_err();
    assert_eq!(unnamed.to_string(), "could not load grids: option --level is empty");
}

#[test]
fn plain_gzip_and_zstd_load_the_same() {
    let bytes = collection(&[feature(json!({"id": 7.0, "name": "A"}), square(0.0, 0.0, 1.0))]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let marked = [b"\xef\xbb\xbf".as_slice(), &bytes].concat();
    for bytes in [bytes.clone(), gzip.finish().unwrap(), zstd::encode_all(bytes.as_slice(), 1).unwrap(), marked] {
        let (set, problems) = GridSet::empty().load_level(&bytes, &spec("ward")).unwrap();
        assert_eq!((set.len(), problems.len(), set.get("7").is_some()), (1, 0, true));
    }
}

#[test]
fn loading_again_is_a_new_version_and_leaves_the_old_set_alone() {
    let first = city();
    let before: Vec<Grid> = first.grids().cloned().collect();
    let smaller = collection(&[feature(json!({"id": "D1", "name": "東區"}), square(120.0, 23.0, 0.02))]);
    let (second, problems) = first.load_level(&smaller, &spec("district")).unwrap();
    assert_eq!((first.version(), second.version()), (2, 3));
    assert_eq!(first.grids().cloned().collect::<Vec<_>>(), before);
    assert_eq!((first.len(), second.len()), (6, 5));
    let expected = "loses its parent \"D2\", which the new level \"district\" does not have";
    assert_eq!(problems.iter().filter(|problem| problem.what.contains(expected)).count(), 2, "{problems:?}");
    assert_eq!(second.get("V3").unwrap().parent, None);
    assert_eq!(second.get("V1").unwrap().parent.as_deref(), Some("D1"));
}

#[test]
fn parents_are_found_by_id_or_name_and_an_unknown_one_is_named() {
    let set = city();
    assert_eq!(set.get("V1").unwrap().parent.as_deref(), Some("D1"));
    assert_eq!(set.get("V2").unwrap().parent.as_deref(), Some("D1"));
    let blocks = collection(&[
        feature(json!({"id": "B1", "name": "1", "above": "安平里"}), square(120.0, 23.0, 0.005)),
        feature(json!({"id": "B2", "name": "2", "above": "V9"}), square(120.005, 23.0, 0.005)),
        feature(json!({"id": "V1", "name": "3", "above": "V1"}), square(120.005, 23.005, 0.005)),
    ]);
    let (set, problems) = set.load_level(&blocks, &with_parent("block")).unwrap();
    assert_eq!(
        sentences(&problems),
        [
            "grid \"B1\" (feature 0) has the parent \"安平里\", a name of 2 grids (V1, V3): use a parent field with the id of the grid above",
            "grid \"B2\" (feature 1) has the unknown parent \"V9\": load the level above first, or mend the parent field",
            "grid \"V1\" (feature 2) has the duplicate id of a grid of level \"village\"; it is left out: choose an id field whose values are unique over all levels",
        ]
    );
    assert_eq!(set.get("B1").unwrap().parent, None);
}

#[test]
fn the_finest_level_is_told_by_parents_then_by_area() {
    let set = city();
    assert_eq!(set.levels().collect::<Vec<_>>(), [("district", 2), ("village", 4)]);
    let beats = collection(&[feature(json!({"id": "b", "name": "B"}), square(120.0, 23.0, 0.001))]);
    let (set, _) = set.load_level(&beats, &spec("beat")).unwrap();
    assert_eq!(set.levels().map(|(name, _)| name).collect::<Vec<_>>(), ["district", "beat", "village"]);
    assert_eq!(set.finest_level(), Some("village"));
    assert_eq!(GridSet::empty().finest_level(), None);
}

#[test]
fn levels_that_name_each_other_as_parents_are_refused() {
    let child = |id: &str, above: &str| collection(&[feature(json!({"id": id, "name": id, "above": above}), square(0.0, 0.0, 1.0))]);
    let (set, _) = GridSet::empty().load_level(&child("a", "-"), &spec("upper")).unwrap();
    let (set, _) = set.load_level(&child("b", "a"), &with_parent("lower")).unwrap();
    let error = set.load_level(&child("a", "b"), &with_parent("upper")).unwrap_err();
    assert!(error.to_string().contains("name each other as parents"), "{error}");
}

#[test]
fn neighbours_touch_at_an_edge_a_corner_or_across_half_a_metre() {
    // 0.000004 degrees are 0.44 m, 0.00001 are 1.1 m.
    let squares = [("a", 0.0, 0.0), ("b", 0.01, 0.0), ("c", 0.01, 0.01), ("d", 0.020_004, 0.0), ("e", 0.0, 0.020_01)];
    let features: Vec<Value> = squares.iter().map(|(id, x, y)| feature(json!({"id": id, "name": id}), square(*x, *y, 0.01))).collect();
    let (set, _) = load(&features).unwrap();
    let beside = |id: &str| set.get(id).unwrap().neighbours.join(" ");
    assert_eq!(["a", "b", "c", "d", "e"].map(beside), ["b c", "a c d", "a b d", "b c", ""]);
}

#[test]
fn a_point_lies_in_the_finest_grid_that_holds_it() {
    let set = city();
    for (lon, lat, expected) in [
        (120.005, 23.005, Some("V1")),
        (120.005, 23.015, Some("D1")),
        (120.025, 23.005, Some("V3")),
        (121.0, 23.0, None),
        (f64::NAN, 23.0, None),
    ] {
        assert_eq!(set.grid_at(lon, lat), expected, "({lon}, {lat})");
    }
}

#[test]
fn an_address_names_the_finest_grid_below_its_own_district() {
    let set = city();
    for (address, expected) in [
        ("東區安平里5鄰中正路1號", Some("V1")),
        ("西區安平里5鄰中正路1號", Some("V3")),
        ("安平里5鄰中正路1號", None),
        ("東區臺大里1號", Some("D1")),
        ("西區台大里1號", Some("V4")),
        ("東區富臺里", Some("V2")),
        ("東區某市東區富台里", Some("V2")),
        ("701台灣某市東區富台里", Some("V2")),
        ("東區5GJP+C8 台灣某市東區富台里", Some("V2")),
        ("富台里某市東區中正路", Some("V2")),
        ("富台里某市西區中正路", Some("D2")),
        ("北區富台里", None),
        ("西區某市東區富台里", Some("D2")),
        ("西區安平里某市東區富台里", Some("V3")),
        ("東區東 區　富台里", Some("V2")),
        ("東區某國小(西區)", Some("D1")),
        ("中正路東區", None),
        ("", None),
    ] {
        assert_eq!(set.address_grid(address), expected, "{address}");
    }
}

#[test]
fn of_two_siblings_that_differ_by_a_variant_the_one_as_written_is_meant() {
    let districts = collection(&[feature(json!({"id": "D", "name": "東區"}), square(0.0, 0.0, 2.0))]);
    let villages = collection(&[
        feature(json!({"id": "1", "name": "富台里", "above": "D"}), square(0.0, 0.0, 1.0)),
        feature(json!({"id": "2", "name": "富臺里", "above": "D"}), square(1.0, 0.0, 1.0)),
    ]);
    let (set, _) = GridSet::empty().load_level(&districts, &spec("district")).unwrap();
    let (set, _) = set.load_level(&villages, &with_parent("village")).unwrap();
    assert_eq!(set.address_grid("東區富台里"), Some("1"));
    assert_eq!(set.address_grid("東區富臺里"), Some("2"));
}

#[test]
fn names_without_a_unit_do_not_stand_in_a_road_and_numbers_name_no_grid() {
    let grids = collection(&[
        feature(json!({"id": "1", "name": "大安"}), square(0.0, 0.0, 1.0)),
        feature(json!({"id": "2", "name": "Lake View"}), square(1.0, 0.0, 1.0)),
        feature(json!({"id": "3", "name": "1100"}), square(2.0, 0.0, 1.0)),
    ]);
    let (set, _) = GridSet::empty().load_level(&grids, &spec("ward")).unwrap();
    let cases = [
        ("大安路1號", None),
        ("大安,和平路1號", Some("1")),
        ("lake view, 12 Oak St", Some("2")),
        ("Lake Viewpoint 3", None),
        ("1100 Main St", None),
    ];
    for (address, expected) in cases {
        assert_eq!(set.address_grid(address), expected, "{address}");
    }
}

#[test]
fn aliases_name_grids_and_a_wrong_one_is_named() {
    let villages = collection(&[feature(json!({"id": "V1", "name": "安平里"}), square(0.0, 0.0, 1.0))]);
    let spec = LevelSpec { aliases: Some("alias,grid_id\n老安平,V1\n新安平,V8\n".into()), ..spec("village") };
    let (set, problems) = GridSet::empty().load_level(&villages, &spec).unwrap();
    assert_eq!(set.address_grid("老安平12號"), Some("V1"));
    assert_eq!(
        sentences(&problems),
        ["grid \"V8\" of the alias \"新安平\" (aliases file, line 3) is not in this level: mend the grid_id in the aliases file"]
    );
    let broken = LevelSpec { aliases: Some(b"a;b\n".to_vec()), ..spec };
    let error = GridSet::empty().load_level(&villages, &broken).unwrap_err().to_string();
    assert!(error.starts_with("aliases file, line 1: has no column \"alias\""), "{error}");
}

#[test]
fn a_stored_set_comes_back_the_same() {
    let set = city();
    let bytes = set.to_bytes();
    let back = GridSet::from_bytes(&bytes).unwrap();
    assert_eq!(back.version(), set.version());
    assert_eq!(back.grids().collect::<Vec<_>>(), set.grids().collect::<Vec<_>>());
    assert_eq!(back.levels().collect::<Vec<_>>(), set.levels().collect::<Vec<_>>());
    assert_eq!(back.to_bytes(), bytes);
    assert_eq!(GridSet::from_bytes(&GridSet::empty().to_bytes()).unwrap().len(), 0);
}

#[test]
fn damaged_stored_bytes_are_an_error_never_a_panic() {
    let bytes = city().to_bytes();
    for length in (0..bytes.len() - 3).step_by(97) {
        assert!(GridSet::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let text = String::from_utf8(bytes).unwrap();
    for (from, to, expected) in [
        ("\"form\":1", "\"form\":2", "its form is 2, this program reads 1"),
        ("\"grid_id\":\"V2\"", "\"grid_id\":\"V1\"", "two grids have the id \"V1\""),
        ("\"neighbours\":[", "\"neighbours\":[1,", "neighbours that are not text"),
        ("\"lon\":", "\"lom\":", "has no lon"),
    ] {
        let message = GridSet::from_bytes(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_map_gets_rounded_polygons_with_names() {
    let map: Value = serde_json::from_str(&city().to_geojson("village")).unwrap();
    assert_eq!(map["features"].as_array().unwrap().len(), 4);
    assert_eq!(map["features"][0]["properties"], json!({"grid_id": "V1", "name_zh": "安平里", "name_en": null, "parent": "D1"}));
    assert_eq!(map["features"][0]["geometry"]["coordinates"][0][0][0], json!([120.0, 23.0]));
    let none: Value = serde_json::from_str(&city().to_geojson("nation")).unwrap();
    assert_eq!(none["features"], json!([]));
}

#[test]
fn the_table_has_a_row_a_grid_and_a_comment_a_column() {
    let batch = city().to_batch();
    assert_eq!((batch.num_rows(), batch.num_columns()), (6, 11));
    for field in batch.schema().fields() {
        assert!(field.metadata().get("comment").is_some_and(|comment| comment.contains(" / ")), "{field}");
    }
    assert_eq!(batch.schema(), contract::grids::schema());
    let populations = batch.column_by_name("population").unwrap().as_primitive::<Float64Type>();
    assert_eq!(populations.iter().collect::<Vec<_>>(), [None, None, Some(1200.0), Some(2345.0), None, None]);
    let neighbours = batch.column_by_name("neighbours").unwrap().as_list::<i32>();
    assert_eq!(neighbours.value(2).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("V2")]);
    assert_eq!(batch.column_by_name("version").unwrap().as_primitive::<Int32Type>().value(5), 2);
    assert_eq!(GridSet::empty().to_batch().num_rows(), 0);
}
