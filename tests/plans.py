"""Asks the database how it answers the queries of a page, to find those that read a whole table."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

Query = tuple[str, Any]
# SQLite: SCAN reads all of a table, or all of an index unless a LIMIT stops it. PostgreSQL says Seq Scan.
SCANS = re.compile(r"(?:\bSCAN|\bSeq Scan on) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
SORTS = re.compile(r"USE TEMP B-TREE FOR ORDER BY")
SORTED_ROWS = re.compile(r"Sort  \(cost=\S+ rows=(\d+)")  # PostgreSQL's estimate
MOST_SORTED = 500  # rows
INSTRUCTIONS = 50  # after so many instructions SQLite reports


@contextmanager
def queries() -> Iterator[list[Query]]:
    """Collect the SELECTs that run inside, with their parameters."""
    found: list[Query] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith("SELECT"):
            found.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def plan_of(query: Query) -> str:
    """Return how the database would answer a query (EXPLAIN)."""
    sql, params = query
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It reads a table of a few thousand rows as a whole, where it would not one of 100,000.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}", params)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def cost_of(query: Query) -> int:
    """How much the database does for a query: instructions of SQLite, rows that PostgreSQL reads."""
    sql, params = query
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            (plan,) = cursor.fetchone()
            return _rows_read(plan[0]["Plan"])
        steps = [0]

        def count() -> int:
            steps[0] += INSTRUCTIONS
            return 0

        connection.connection.set_progress_handler(count, INSTRUCTIONS)
        try:
            cursor.execute(sql, params)
            cursor.fetchall()
        finally:
            connection.connection.set_progress_handler(None, 0)
        return steps[0]


def _rows_read(node: dict[str, Any]) -> int:
    """The rows that the scans below a node of a plan have read, those that a filter dropped included."""
    below = sum(_rows_read(child) for child in node.get("Plans", []))
    if "Scan" not in node["Node Type"] or node["Node Type"] in {"Subquery Scan", "CTE Scan"}:
        return below
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + int((node["Actual Rows"] + dropped) * node["Actual Loops"])


def whole_reads(query: Query, tables: set[str], *, ordered_by: set[str]) -> list[str]:
    """Return which of `tables` a query reads as a whole, if its first table is one of them; and large sorts.

    ordered_by: indexes that a query with a LIMIT may read in order. An alias of a table counts as the table.
    Queries for the header of every page, such as doctor calls, begin with other tables.
    """
    sql = query[0]
    about = re.search(r'FROM "(\w+)"', sql)
    if about is None or about[1] not in tables:
        return []
    aliases = dict(re.findall(r'"(\w+)" (U\d+|T\d+|V\d+)\b', sql))
    table_of = {alias: table for table, alias in aliases.items()}
    found, plan = [], plan_of(query)
    for name, index in SCANS.findall(plan):
        follows_index = index in ordered_by and "LIMIT" in sql and not SORTS.search(plan)
        if table_of.get(name, name) in tables and not follows_index:
            found.append(f"{table_of.get(name, name)} in {sql}")
    found += [f"{rows} rows sorted in {sql}" for rows in SORTED_ROWS.findall(plan) if int(rows) > MOST_SORTED]
    return found


def analyze() -> None:
    """Have the database count its rows, as a server that runs for long does by itself."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
