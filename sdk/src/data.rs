//! Data files: rows of the tables that the person running the test gave with `--data NAME=FILE`.
//!
//! A file is CSV with the columns' names in its first line (`.csv`), a JSON array of objects (`.json`), or a JSON object per line
//! (`.jsonl`, `.ndjson`). The runtime reads it once and holds it for all virtual users; a row is copied into this instance when it is
//! asked for, so that a million rows cost a virtual user nothing.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct User { id: u32, name: String, premium: bool, discount: Option<f64> }
//!
//! #[flashcrowd::options]
//! fn options() -> Options {
//!     Options::new().data(DataTable::new("users").columns(["id", "name", "premium"]))
//! }
//!
//! #[flashcrowd::scenario]
//! fn buy() {
//!     let user: User = data::table("users").unique();
//!     http::post("/orders").json(&json!({"user": user.id})).send();
//! }
//! # fn main() {}
//! ```
//!
//! | | gives | when all rows were given |
//! |---|---|---|
//! | [`next`](Table::next) | the file's rows in turn, over all virtual users | begins again |
//! | [`unique`](Table::unique) | each row to one iteration of the whole test | ends the load |
//! | [`try_unique`](Table::try_unique) | the same | gives `None`, for the scenario to decide |
//! | [`random`](Table::random) | any row, from this virtual user's own stream | – |
//! | [`row`](Table::row) | the row of this number, from 0 | – |
//!
//! A row becomes any type that implements serde's `Deserialize`: a struct by the columns' names, a tuple by their order, a map. The
//! values of a CSV file become numbers, `bool`s (`true`, `false`) and texts as the type asks; an empty one becomes `None` where the type
//! is an `Option`.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use csv::StringRecord;
use serde::de::DeserializeOwned;

use crate::host::data::{self, Row};
use crate::random;

/// The table of this name.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let users = data::table("users");
/// let (id, name): (u32, String) = users.row(exec::vu() as usize % users.len());
/// ```
///
/// # Panics
/// If there is none. The message says how to give it. A table that the options declare is asked for before the load.
#[must_use]
#[track_caller]
pub fn table(name: &str) -> Table {
    std::thread_local! {
        static OPENED: RefCell<Vec<Rc<Opened>>> = const { RefCell::new(Vec::new()) };
    }
    let known = OPENED.with_borrow(|opened| opened.iter().find(|opened| opened.name == name).cloned());
    // Outside the runtime a test may make another table of this name.
    if cfg!(target_family = "wasm")
        && let Some(opened) = known
    {
        return Table(opened);
    }
    let number = match data::open(name) {
        Ok(number) => number,
        Err(problem) => panic!("{problem}"),
    };
    let opened = Rc::new(Opened {
        name: name.to_owned(),
        number,
        rows: usize::try_from(data::len(number)).unwrap_or(usize::MAX),
        columns: StringRecord::from(data::columns(number)),
    });
    if cfg!(target_family = "wasm") {
        OPENED.with_borrow_mut(|all| all.push(Rc::clone(&opened)));
    }
    Table(opened)
}

/// A data file's rows. [`table`] gives it.
#[derive(Clone)]
pub struct Table(Rc<Opened>);

/// What is asked of the runtime once per instance.
struct Opened {
    name: String,
    number: u32,
    rows: usize,
    columns: StringRecord,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.0.name).field("rows", &self.0.rows).finish_non_exhaustive()
    }
}

impl Table {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many rows it has; one at least, as a file without rows is refused before the load.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.rows
    }

    /// Whether it has no row: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.rows == 0
    }

    /// The names in a CSV file's first line, or in the first object of a JSON file.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.columns.iter()
    }

    /// The row of this number, from 0.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// # flashcrowd::testing::csv_table("users", "id,name\n1,ann\n2,bob\n");
    /// let users = data::table("users");
    /// let user: (u32, String) = users.row(1);
    /// assert_eq!(user, (2, "bob".to_owned()));
    /// ```
    ///
    /// # Panics
    /// If there is no such row, or it does not fit the type. The message names the table, the row and the column.
    #[must_use]
    #[track_caller]
    pub fn row<T: DeserializeOwned>(&self, number: usize) -> T {
        match self.read(number as u64) {
            Ok(row) => row,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// The next row in the file's order. There is one order for all virtual users, which begins again after the last row.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// # flashcrowd::testing::csv_table("sizes", "size\nS\nM\n");
    /// let sizes = data::table("sizes");
    /// let three: [String; 3] = [sizes.next(), sizes.next(), sizes.next()];
    /// assert_eq!(three, ["S", "M", "S"]);
    /// ```
    ///
    /// # Panics
    /// If the row does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn next<T: DeserializeOwned>(&self) -> T {
        match self.read(data::next(self.0.number)) {
            Ok(row) => row,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// A row that no other call of `unique` or [`try_unique`](Self::try_unique) gets, on no virtual user of the whole test. When all
    /// are used, it ends the load as if its time were over: iterations under way may finish, this one ends here and counts as
    /// interrupted, and the summary says why. In `setup` and `vu_init` there is no load to end, and they fail.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Login { name: String, password: String }
    ///
    /// let login: Login = data::table("users").unique();
    /// http::post("/login").json(&login).send();
    /// ```
    ///
    /// # Panics
    /// If the row does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn unique<T: DeserializeOwned>(&self) -> T {
        match self.try_unique() {
            Some(row) => row,
            None => {
                data::run_out(self.0.number);
                unreachable!("the runtime ends the iteration")
            }
        }
    }

    /// A row that no other call of [`unique`](Self::unique) or `try_unique` gets, and `None` when all are used: for a scenario that
    /// then does something else, or fails.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// # flashcrowd::testing::csv_table("coupons", "code\nA\nB\n");
    /// let coupons = data::table("coupons");
    /// assert_eq!(coupons.try_unique::<String>().as_deref(), Some("A"));
    /// assert_eq!(coupons.try_unique::<String>().as_deref(), Some("B"));
    /// assert_eq!(coupons.try_unique::<String>(), None);
    /// ```
    ///
    /// # Panics
    /// If the row does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn try_unique<T: DeserializeOwned>(&self) -> Option<T> {
        match data::next_unique(self.0.number).map(|row| self.read(row)) {
            Some(Err(problem)) => panic!("{problem}"),
            Some(Ok(row)) => Some(row),
            None => None,
        }
    }

    /// Any row, each as likely as any other. It is drawn from this virtual user's own stream of random numbers: the same `--seed`
    /// gives the same rows.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// # flashcrowd::testing::table("products", [json!({"id": 7, "price": 2.5})]);
    /// #[derive(Deserialize)]
    /// struct Product { id: u32, price: f64 }
    ///
    /// let product: Product = data::table("products").random();
    /// assert_eq!((product.id, product.price), (7, 2.5));
    /// ```
    ///
    /// # Panics
    /// If the row does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn random<T: DeserializeOwned>(&self) -> T {
        self.row(random::range(0..self.0.rows))
    }

    fn read<T: DeserializeOwned>(&self, number: u64) -> Result<T, String> {
        let Opened { name, number: table, rows, columns } = &*self.0;
        let misfit = |problem: String| format!("row {number} of the table `{name}` does not fit: {problem}");
        match data::get(*table, number) {
            Some(Row::Values(values)) => {
                let values = StringRecord::from(values);
                values.deserialize(Some(columns)).map_err(|error| misfit(explain(&error, columns, &values)))
            }
            Some(Row::Object(text)) => serde_json::from_str(&text).map_err(|error| misfit(error.to_string())),
            None => Err(format!("the table `{name}` has no row {number}: it has {rows}, counted from 0")),
        }
    }
}

/// What is wrong with a row's value, and in which column.
fn explain(error: &csv::Error, columns: &StringRecord, values: &StringRecord) -> String {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else { return error.to_string() };
    let field = err.field().and_then(|field| usize::try_from(field).ok());
    match field.and_then(|field| Some((columns.get(field)?, values.get(field)?))) {
        Some((column, value)) => format!("column `{column}` is {value:?}: {}", err.kind()),
        None => err.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::panic::catch_unwind;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    #[derive(Debug, Deserialize, PartialEq)]
    struct User {
        id: u32,
        name: String,
        premium: bool,
        discount: Option<f64>,
        #[serde(default)]
        level: Level,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        #[default]
        Basic,
        Gold,
    }

    fn user(id: u32, name: &str, premium: bool, discount: Option<f64>, level: Level) -> User {
        User { id, name: name.to_owned(), premium, discount, level }
    }

    #[test]
    fn values_become_what_the_type_asks_for() {
        testing::csv_table(
            "users",
            "name,discount,id,premium,level\n\"ann, the first\",0.25,1,true,gold\nbob,,2,false,basic\n",
        );
        let users = table("users");
        assert_eq!(users.columns().collect::<Vec<_>>(), ["name", "discount", "id", "premium", "level"]);
        assert_eq!((users.len(), users.is_empty(), users.name()), (2, false, "users"));
        assert_eq!(users.next::<User>(), user(1, "ann, the first", true, Some(0.25), Level::Gold));
        assert_eq!(users.next::<User>(), user(2, "bob", false, None, Level::Basic));
        let map: HashMap<String, Value> = users.row(0);
        assert_eq!((&map["id"], &map["premium"]), (&json!(1), &json!(true)));
        let tuple: (String, Option<f32>, u8, bool, String) = users.row(1);
        assert_eq!(tuple, ("bob".to_owned(), None, 2, false, "basic".to_owned()));
    }

    #[test]
    fn objects_become_what_the_type_asks_for() {
        testing::table("users", [json!({"id": 1, "name": "ann", "premium": true}), json!({"id": 2})]);
        let users = table("users");
        assert_eq!(users.columns().collect::<Vec<_>>(), ["id", "name", "premium"]);
        assert_eq!(users.unique::<User>(), user(1, "ann", true, None, Level::Basic));
        assert_eq!(users.unique::<Value>(), json!({"id": 2}));
    }

    #[track_caller]
    fn message(call: fn()) -> String {
        let panic = catch_unwind(call).expect_err("it panics");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[test]
    fn what_does_not_fit_is_named() {
        testing::csv_table("users", "id,name,premium\n1,ann,yes\n");
        assert_eq!(
            message(|| drop(table("users").next::<User>())),
            "row 0 of the table `users` does not fit: column `premium` is \"yes\": provided string was not `true` or `false`"
        );
        assert_eq!(
            message(|| drop(table("users").row::<User>(1))),
            "the table `users` has no row 1: it has 1, counted from 0"
        );
        testing::csv_table("orders", "number\n7\n");
        assert_eq!(
            message(|| drop(table("orders").row::<User>(0))),
            "row 0 of the table `orders` does not fit: missing field `id`"
        );
        testing::table("products", [json!({"id": "x"})]);
        assert_eq!(
            message(|| drop(table("products").row::<User>(0))),
            "row 0 of the table `products` does not fit: invalid type: string \"x\", expected u32 at line 1 column 9"
        );
        assert_eq!(
            message(|| drop(table("nobody"))),
            "the table `nobody` was not given; a run gives it with --data nobody=FILE, a test with flashcrowd::testing::table"
        );
    }

    #[test]
    #[should_panic(expected = "all 1 rows of the table `users` are used")]
    fn unique_rows_run_out() {
        testing::csv_table("users", "id\n1\n");
        let users = table("users");
        let _: (u32, u32) = (users.unique(), users.unique());
    }
}
