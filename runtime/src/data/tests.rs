use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn table(text: &str, format: Format) -> Result<Table, String> {
    let place = Place::new(Path::new(match format {
        Format::Csv => "users.csv",
        Format::Json => "users.json",
        Format::JsonLines => "users.jsonl",
    }));
    let content = Content::index(text.into(), format, &place).map_err(|error| error.to_string())?;
    Ok(Table::new("users".to_owned(), Arc::new(content)))
}

fn values(table: &Table, row: u64) -> Vec<String> {
    match table.row(row) {
        Some(Row::Values(values)) => values,
        other => panic!("row {row} is {other:?}"),
    }
}

fn objects(table: &Table) -> Vec<Value> {
    let object = |row| match table.row(row) {
        Some(Row::Object(text)) => {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("row {row}: {error}: {text}"))
        }
        other => panic!("row {row} is {other:?}"),
    };
    (0..table.rows()).map(object).collect()
}

#[test]
fn rows_of_a_csv_file_are_found_by_number() {
    let text = "\u{feff}id,name,note\r\n1,ann,\"tea, \"\"green\"\"\"\r\n\r\n2,bob,\"two\nlines\"\n3,김철수,\n";
    let users = table(text, Format::Csv).unwrap();
    assert_eq!(users.columns(), ["id", "name", "note"]);
    assert_eq!(users.rows(), 3);
    assert_eq!(values(&users, 0), ["1", "ann", "tea, \"green\""]);
    assert_eq!(values(&users, 1), ["2", "bob", "two\nlines"]);
    assert_eq!(values(&users, 2), ["3", "김철수", ""]);
    assert_eq!(users.row(3), None);
    assert_eq!(users.bytes(), text.len() + 3 * 4, "the text, and four bytes a row");
}

#[test]
fn rows_of_a_json_file_are_objects() {
    let text = " [ {\"id\": 1, \"tags\": [{}, \"}\"]} ,\n\t{\"id\":2,\"tags\":[]}\n, {\"id\":3}] \n";
    let users = table(text, Format::Json).unwrap();
    assert_eq!(users.columns(), ["id", "tags"]);
    assert_eq!(objects(&users), [json!({"id": 1, "tags": [{}, "}"]}), json!({"id": 2, "tags": []}), json!({"id": 3})]);
    let lines = table("\u{feff}{\"id\":1}\r\n\n  {\"id\":2, \"x\":\"\\n\"}  \n{\"id\":3}", Format::JsonLines).unwrap();
    assert_eq!(lines.columns(), ["id"]);
    assert_eq!(objects(&lines), [json!({"id": 1}), json!({"id": 2, "x": "\n"}), json!({"id": 3})]);
}

#[test]
fn rows_are_given_out_in_turn_and_each_once() {
    let users = table("id\na\nb\nc\n", Format::Csv).unwrap();
    assert_eq!((0..7).map(|_| users.next()).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!((0..5).map(|_| users.next_unique()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2), None, None]);
}

#[test]
fn what_is_no_table_says_where_and_what_to_do() {
    let csv = [
        "",
        "id,name\n",
        "id,name\n1,ann\n2\n",
        "id,name\n\n1,ann,x\n",
        "id,id\n1,2\n",
        "id;name\n1;ann\n",
        "id,name\n1,ann\n2,\"bob\n3,cleo\n",
        "id,name\n\"1,ann\n2,bob\n",
    ];
    let json = [
        "",
        "{}",
        "[]",
        "7",
        "[{}, 7]",
        "[\n{\"id\":1},\n  {\"id\":}\n]",
        "[{},]",
        "[{} {}]",
        "[{}",
        "[{}] x",
        "[{\"a\":1",
    ];
    let lines = ["", "\n\n", "{\"id\":1}\n[2]", "{\"id\":1}\n\n{\"id\":1,}", "{} {}"];
    let errors = |format, texts: &[&str]| -> Vec<String> {
        texts
            .iter()
            .map(|text| table(text, format).map_or_else(|error| error, |_| format!("{text:?} is a table")))
            .collect()
    };
    let all = [errors(Format::Csv, &csv), errors(Format::Json, &json), errors(Format::JsonLines, &lines)].concat();
    insta::assert_snapshot!(all.join("\n"), @r#"
    --data: users.csv: is empty; give it a line with the columns' names, and rows below
    --data: users.csv: has a line of names and no row; give it one row at least
    --data: users.csv, line 3: has 1 value, and the first line names 2 columns; give every row as many values as there are columns
    --data: users.csv, line 3: has 3 values, and the first line names 2 columns; give every row as many values as there are columns
    --data: users.csv, line 1: names the column `id` twice; give each its own name
    --data: users.csv, line 1: names one column, with a semicolon or a tab in it; separate values by commas
    --data: users.csv, line 3: has a quote that is never closed; close it, and write a quote within quotes twice
    --data: users.csv, line 2: has 1 value, and the first line names 2 columns; give every row as many values as there are columns, and close the quote that is opened here
    --data: users.json: is empty; give an array of objects
    --data: users.json, line 1: is an object, not an array of objects; put it into brackets, or name a file with an object per line .jsonl
    --data: users.json: has no row; give the array one object at least
    --data: users.json, line 1: is no array; give an array of objects
    --data: users.json, line 1: row 1 is no object; give an array of objects
    --data: users.json, line 3: is no JSON (expected value, column 9); mend it
    --data: users.json, line 1: row 1 is no object; give an array of objects
    --data: users.json, line 1: has something else where `,` or `]` should be; mend the JSON
    --data: users.json, line 1: ends within the array; close it with `]`
    --data: users.json, line 1: goes on after the array's end; give one array
    --data: users.json, line 1: is no JSON (EOF while parsing an object, column 7); mend it
    --data: users.jsonl: has no row; give it one line with an object at least
    --data: users.jsonl: has no row; give it one line with an object at least
    --data: users.jsonl, line 2: is no object; give an object per line, or name a file with an array of objects .json
    --data: users.jsonl, line 3: is no JSON (key must be a string, column 9); mend it
    --data: users.jsonl, line 1: is no JSON (trailing characters, column 4); mend it
    "#);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile();
    let load = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = Tables::load(&[TableFile { name: "users".to_owned(), path }]).unwrap_err().to_string();
        error.replace(&folder.display().to_string(), "DIR")
    };
    let missing = load("missing.csv", None);
    assert_eq!(
        missing,
        "--data: DIR/missing.csv: cannot be read (No such file or directory (os error 2)); give a file that is there and readable"
    );
    let latin = load("latin.csv", Some(b"id,name\n1,ann\n2,Ren\xe9\n"));
    assert_eq!(latin, "--data: DIR/latin.csv, line 3: is not UTF-8; save the file as UTF-8");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_under_two_names_is_held_once() {
    let folder = tempfile();
    let path = folder.join("users.csv");
    std::fs::write(&path, "id\n1\n2\n").unwrap();
    let file = |name: &str| TableFile { name: name.to_owned(), path: path.clone() };
    let tables = Tables::load(&[file("buyers"), file("sellers")]).unwrap();
    let (buyers, sellers) = (tables.get(0).unwrap(), tables.get(1).unwrap());
    assert!(Arc::ptr_eq(&buyers.content, &sellers.content));
    assert_eq!((buyers.next_unique(), buyers.next_unique(), sellers.next_unique()), (Some(0), Some(1), Some(0)));
    assert_eq!(tables.find("sellers"), Ok(1));
    assert_eq!(
        tables.find("sellrs").unwrap_err(),
        "the table `sellrs` was not given (did you mean `sellers`?); give its file with --data sellrs=FILE (.csv, .json or .jsonl)"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

fn tempfile() -> std::path::PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let folder = std::env::temp_dir().join(format!("flashcrowd-data-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Values that need quoting, and values that do not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 ]{0,6}",
        proptest::collection::vec(
            prop_oneof![Just(","), Just("\""), Just("\n"), Just("\r\n"), Just("é"), Just("x")],
            0..6
        )
        .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    /// Whatever the `csv` crate writes, in any style, comes back by the row's number.
    #[test]
    fn csv_goes_round(
        rows in proptest::collection::vec(proptest::collection::vec(value(), 3), 1..20),
        windows in any::<bool>(),
        always in any::<bool>(),
    ) {
        let mut writer = ::csv::WriterBuilder::new()
            .terminator(if windows { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') })
            .quote_style(if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary })
            .from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let table = table(&text, Format::Csv).unwrap();
        let read: Vec<Vec<String>> = (0..table.rows()).map(|row| values(&table, row)).collect();
        prop_assert_eq!(read, rows);
    }

    /// Whatever text the `csv` crate reads, it reads the same rows here.
    #[test]
    fn any_csv_is_read_as_the_crate_reads_it(
        parts in proptest::collection::vec(prop_oneof![Just(","), Just("\""), Just("\n"), Just("\r"), Just("a"), Just("é")], 0..40),
    ) {
        let text = format!("a,b\n{}", parts.concat());
        if let Ok(table) = table(&text, Format::Csv) {
            let mut reader = ::csv::Reader::from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect()).collect();
            let read: Vec<Vec<String>> = (0..table.rows()).map(|row| values(&table, row)).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn json_goes_round(
        rows in proptest::collection::vec(proptest::collection::btree_map("[a-z]{1,3}", "\\PC{0,8}", 0..4), 1..12),
        pretty in any::<bool>(),
    ) {
        let rows: Vec<Value> = rows.into_iter().map(|row| json!(row)).collect();
        let array = if pretty { format!("{:#}", json!(rows)) } else { json!(rows).to_string() };
        prop_assert_eq!(objects(&table(&array, Format::Json).unwrap()), rows.clone());
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        prop_assert_eq!(objects(&table(&lines, Format::JsonLines).unwrap()), rows);
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}\",:\\n\\r a1é]{0,40}") {
        for format in [Format::Csv, Format::Json, Format::JsonLines] {
            if let Ok(table) = table(&text, format) {
                for row in 0..=table.rows() {
                    let _ = table.row(row);
                }
            }
        }
    }
}
