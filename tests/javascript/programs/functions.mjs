// SQLite with functions of the program's own, which it calls through its table.

import initSqlJs from "sql.js";
const SQL = await initSqlJs();
const db = new SQL.Database();
db.run("CREATE TABLE t (a INTEGER, b TEXT)");
for (let i = 0; i < 20; i++) db.run("INSERT INTO t VALUES (?, ?)", [i, `row ${i}`]);
db.create_function("twice", (value) => value * 2);
db.create_function("shout", (text) => text.toUpperCase() + "!");
db.create_aggregate("all_of", { init: () => [], step: (state, value) => [...state, value], finalize: (state) => state.join("+") });
console.log(JSON.stringify(db.exec("SELECT sum(twice(a)), shout(b), all_of(a) FROM t")[0].values));
db.close();
