// SQLite: 2,000 rows and a query.

import initSqlJs from "sql.js";
const SQL = await initSqlJs();
const db = new SQL.Database();
db.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value REAL)");
const insert = db.prepare("INSERT INTO t (name, value) VALUES (?, ?)");
for (let i = 0; i < 2000; i++) insert.run([`name ${i % 97}`, i * 1.25]);
insert.free();
console.log(JSON.stringify(db.exec("SELECT name, count(*), sum(value) FROM t GROUP BY name ORDER BY 3 DESC LIMIT 5")));
console.log(db.export().length);
db.close();
