"""What a program written with psycopg 3 sees. Prints one JSON object: each scenario's name and what came of it."""
import datetime
import decimal
import json
import sys
import threading
import time
import uuid

import psycopg
from psycopg import ClientCursor, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

DSN, LIMIT = sys.argv[1], 30
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def connect(**more):
    return psycopg.connect(DSN, connect_timeout=LIMIT, **more)


def failure(run):
    try:
        return {"result": run()}
    except psycopg.Error as error:
        said = error.diag
        return {
            "class": type(error).__name__,
            "sqlstate": error.sqlstate,
            "message": said.message_primary,
            "detail": said.message_detail,
            "hint": said.message_hint,
        }


def status(connection):
    return connection.info.transaction_status.name


@scenario
def types_in_text_and_binary():
    values = [
        7, 2**40, 1.5, decimal.Decimal("12345.6789"), "Ünïcödé 😀", b"\x00\xff", True, None, [1, 2, 3], ["a", 'b "c"'],
        datetime.date(2026, 2, 3), datetime.datetime(2026, 2, 3, 4, 5, 6, 789, datetime.timezone.utc),
        datetime.timedelta(days=3, seconds=7), uuid.UUID("0b1e6a4e-5c1e-4a52-9a56-7a5cf3a2a8de"), Jsonb({"a": [1, None]}),
    ]
    casts = "int8 int8 float8 numeric text bytea bool text int[] text[] date timestamptz interval uuid jsonb".split()
    query = "SELECT " + ", ".join(f"%s::{cast}" for cast in casts)
    marked = query.replace("%s", "%b")
    with connect() as connection:
        plain = connection.execute(query, values).fetchone()
        binary = connection.execute(marked, values, binary=True).fetchone()
        orders = [connection.execute("SELECT * FROM orders ORDER BY id", binary=how).fetchall() for how in (False, True)]
        return {"plain": plain, "same": plain == binary, "orders": orders[0], "orders same": orders[0] == orders[1]}


@scenario
def masked_in_text_and_binary():
    query = "SELECT id, name, email, ssn FROM customers ORDER BY id"
    with connect(row_factory=dict_row) as connection:
        return [connection.execute(query, binary=how).fetchall() for how in (False, True)]


@scenario
def prepared_after_the_threshold():
    with connect(prepare_threshold=2) as connection:
        rows = [connection.execute("SELECT total FROM orders WHERE id = %s", [101 + n % 3]).fetchone() for n in range(9)]
        connection.prepared_max = 1
        for n in range(4):
            connection.execute(f"SELECT {n} + %s", [1], prepare=True)
        return {"rows": rows, "on": connection.execute("SELECT 1").fetchone()}


@scenario
def server_side_cursors():
    with connect() as connection:
        with connection.cursor(name="named") as cursor:
            cursor.itersize = 2
            cursor.execute("SELECT id, ssn FROM customers WHERE id > %s ORDER BY id", [0])
            described = [column.name for column in cursor.description]
            first = cursor.fetchone()
            rest = list(cursor)
        with connection.cursor(name="scrolled", scrollable=True, withhold=True) as cursor:
            cursor.execute("SELECT g FROM generate_series(1, 100) g")
            connection.commit()
            cursor.scroll(50)
            there = cursor.fetchmany(2)
            cursor.scroll(0, mode="absolute")
            back = cursor.fetchone()
        return {"described": described, "first": first, "rest": rest, "there": there, "back": back}


@scenario
def pipeline():
    with connect(autocommit=True) as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", [n]) for n in range(200)]
            fetched = sum(cursor.fetchone()[0] for cursor in cursors)

        def refused():
            with connection.pipeline() as pipe:
                connection.execute("INSERT INTO orders (id, customer_id, total) VALUES (%s, 1, 1)", [960])
                connection.execute("DELETE FROM orders")
                connection.execute("INSERT INTO orders (id, customer_id, total) VALUES (%s, 1, 1)", [961])
                pipe.sync()

        said = failure(refused)
        kept = connection.execute("SELECT count(*) FROM orders WHERE id >= 960").fetchone()
        with connection.pipeline() as pipe:
            first = connection.execute("SELECT 1")
            pipe.sync()
            broken = connection.execute("SELECT 1 / %s::int", [0])
            failed = failure(pipe.sync)
            after = connection.execute("SELECT 2")
            pipe.sync()
            answers = [first.fetchone(), after.fetchone()]
        return {"sum": fetched, "refused": said, "kept": kept, "failed": failed, "answers": answers}


@scenario
def copies():
    with connect() as connection, connection.cursor() as cursor:
        with cursor.copy("COPY order_items (order_id, line, item, quantity) FROM STDIN") as copy:
            for n in range(2000):
                copy.write_row((103, n + 100, "copied", n))
        with cursor.copy("COPY order_items FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "int2", "text", "int4"])
            for n in range(10):
                copy.write_row((103, n + 5000, "copied", n))
        count = cursor.execute("SELECT count(*), sum(quantity) FROM order_items WHERE item = 'copied'").fetchone()
        with cursor.copy("COPY (SELECT line, quantity FROM order_items WHERE item = %s ORDER BY line) TO STDOUT", ["copied"]) as copy:
            rows = sum(1 for row in copy.rows())
        with cursor.copy("COPY orders (id, total) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "numeric"])
            binary = list(copy.rows())

        def given_up():
            with cursor.copy("COPY order_items FROM STDIN") as copy:
                copy.write_row((103, 9999, "copied", 1))
                raise ValueError("given up")

        connection.rollback()
        try:
            given_up()
        except (ValueError, psycopg.errors.QueryCanceled):
            pass
        aborted = status(connection)
        connection.rollback()

        def masked():
            with cursor.copy("COPY customers TO STDOUT") as copy:
                return list(copy)

        said = failure(masked)
        connection.rollback()
        left = cursor.execute("SELECT count(*) FROM order_items WHERE item = 'copied'").fetchone()
        return {"count": count, "rows": rows, "binary": binary, "aborted": aborted, "masked": said, "left": left}


@scenario
def transactions():
    with connect() as connection:
        add = lambda id: connection.execute("INSERT INTO orders (id, customer_id, total) VALUES (%s, 1, 1)", [id])
        add(970)
        said = failure(lambda: connection.execute("DROP TABLE orders"))
        states = [status(connection)]
        aborted = failure(lambda: connection.execute("SELECT 1"))
        connection.rollback()
        states.append(status(connection))
        with connection.transaction():
            add(971)
            inner = failure(lambda: nested(connection))
            add(973)
        rows = connection.execute("SELECT id FROM orders WHERE id >= 970 ORDER BY id").fetchall()
        connection.rollback()
        connection.autocommit = True
        refused = failure(lambda: connection.execute("UPDATE orders SET total = total"))
        states.append(status(connection))
        connection.execute("DELETE FROM orders WHERE id >= %s", [970])
        return {"said": said, "states": states, "aborted": aborted, "inner": inner, "rows": rows, "refused": refused}


def nested(connection):
    with connection.transaction():
        connection.execute("INSERT INTO orders (id, customer_id, total) VALUES (972, 1, 1)")
        connection.execute("UPDATE customers SET city = 'x' WHERE id = 1")


@scenario
def cancelled():
    with connect(autocommit=True) as connection:
        text = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 40000) b"
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        said = failure(lambda: connection.execute(text))
        timer.join()
        return {"said": said, "on": connection.execute("SELECT 1").fetchone()}


@scenario
def many_statements_and_results():
    with connect(autocommit=True) as connection:
        cursor = connection.execute("SELECT 1; SELECT 2, 3; SELECT 4 WHERE false")
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        cursor.executemany("SELECT %s::int", [(1,), (2,), (3,)], returning=True)
        many = [cursor.fetchall()]
        while cursor.nextset():
            many.append(cursor.fetchall())
        client = ClientCursor(connection).execute("SELECT %s, %s", [1, "it's"]).fetchone()
        composed = connection.execute(sql.SQL("SELECT {} FROM {}").format(sql.Identifier("id"), sql.Identifier("orders"))).fetchall()
        streamed = list(connection.cursor().stream("SELECT g FROM generate_series(1, 5) g"))
        return {"results": results, "many": many, "client": client, "composed": composed, "streamed": streamed}


@scenario
def errors():
    with connect(autocommit=True) as connection:
        return [
            failure(lambda: connection.execute(text, values))
            for text, values in [
                ("SELECT 1 / %s::int", [0]),
                ("SELECT nope FROM orders", None),
                ("SELECT %s::int", ["x"]),
                ("DELETE FROM orders", None),
                ("SELECT * FROM customers WHERE email = %s", ["x"]),
                ("NOTIFY x", None),
                ("SET search_path = reporting", None),
                ("SELECT set_config('search_path', %s, false)", ["reporting"]),
            ]
        ]


@scenario
def the_connection_itself():
    with connect(autocommit=True, application_name="an application", options="-c statement_timeout=5000") as connection:
        info = connection.info
        shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("application_name", "statement_timeout")]
        same = connection.execute("SELECT pg_backend_pid()").fetchone()[0] == info.backend_pid
        return {"encoding": info.encoding, "zone": str(info.timezone), "pid": same, "shown": shown, "version": info.server_version}


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


found = {}
for name, run in SCENARIOS.items():
    begun = time.monotonic()
    try:
        found[name] = run()
    except Exception as error:
        found[name] = {"broke": f"{type(error).__name__}: {error}"}
    if time.monotonic() - begun > LIMIT:
        found[name] = {"broke": "it took too long"}
print(json.dumps(found, default=plain))
