"""A page and a picture about the delivery of your messages, from the view sms_delivery.

    pip install altair duckdb pandas 'psycopg[binary]' vl-convert-python
    python delivery_py --database duckdb:///example.duckdb --output report

Writes delivery-report.html, which loads nothing, and delivery-png. Both hold numbers only,
no recipients and no texts.
"""

import json
import os
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import pandas as pd
import psycopg
import vl_convert

COLORS = {"DELIVERED": "#3a7ca5", "ACCEPTED": "#d3dbe3", "BUFFERED": "#a3b1bf"}
COLORS |= {"EXPIRED": "#f4b942", "UNDELIVERABLE": "#d1495b", "REJECTED": "#6d1a36"}
COLORS |= {"UNKNOWN": "#c9bfb0", "not read": "#ece5dc"}
FONT = "system-ui, sans-serif"
DAYS = """SELECT CAST(CAST(sent_at AS date) AS text) AS day, coalesce(status, 'not read') AS status,
    count(*) AS messages, is_final FROM recent GROUP BY 1, 2, 4 ORDER BY 1"""
TIMES = """SELECT CASE WHEN delivery_seconds <= 2 THEN 'up to 2 s'
    WHEN delivery_seconds <= 5 THEN 'up to 5 s' WHEN delivery_seconds <= 10 THEN 'up to 10 s'
    WHEN delivery_seconds <= 60 THEN 'up to 60 s' ELSE 'longer' END AS name, count(*) AS value
    FROM recent WHERE delivery_seconds IS NOT NULL GROUP BY 1 ORDER BY max(delivery_seconds)"""
REASONS = """SELECT coalesce(error_meaning, errorreason, 'no reason given')
        || coalesce(' (' || errorcode || ')', '') AS name, count(*) AS value
    FROM recent WHERE is_final AND status <> 'DELIVERED' GROUP BY 1 ORDER BY 2 DESC LIMIT 10"""
COSTS = """SELECT {0} AS name, currency, CAST(sum(price) AS double precision) AS value
    FROM recent WHERE currency IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC"""
NETWORKS = """SELECT {0} AS network, count(*) AS messages,
    100.0 * count(*) FILTER (WHERE status = 'DELIVERED')
        / NULLIF(count(*) FILTER (WHERE is_final), 0) AS "% delivered",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY delivery_seconds) AS "s median",
    percentile_cont(0.95) WITHIN GROUP (ORDER BY delivery_seconds) AS "s at 95 %"
    FROM recent GROUP BY 1 ORDER BY 2 DESC"""
DECIMALS = {"messages": 0, "% delivered": 1, "s median": 0, "s at 95 %": 0}
STYLE = f"""
body {{ max-width: 1200px; margin: 0 auto; padding: 12px; font: 16px/1.4 {FONT}; color: #1c2733;
  background: #f4f6f8; }}
h1 {{ font-size: 1.5rem; margin: 0; }} h2 {{ font-size: 1rem; margin: 0 0 8px; }}
main {{ display: grid; gap: 12px; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 480px), 1fr)); }}
section {{ background: white; border-radius: 8px; padding: 12px; min-width: 0; }}
section:first-child, section:last-child {{ grid-column: 1 / -1; }}
section div {{ width: 100%; }}
table {{ width: 100%; border-collapse: collapse; }}
th, td {{ padding: 4px 2px; text-align: right; border-top: 1px solid #e8ebee; }}
th:first-child, td:first-child {{ text-align: left; }}
@media (max-width: 560px) {{ table {{ font-size: 0.75rem; }} }}
"""


def main() -> None:
    """Write the page and the picture."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    add, url = parser.add_argument, os.environ.get("DATABASE_URL", "")
    add("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    add("--view", default="sms_delivery", help="view or schema.view (default: %(default)s)")
    add("--days", type=int, default=30, help="how far to look back (default: %(default)s)")
    add("--output", type=Path, default=Path(), help="the folder for both files (default: this one)")
    options = parser.parse_args()
    db: Any
    try:
        if options.database.startswith("duckdb:///"):
            db = duckdb.connect(options.database.removeprefix("duckdb:///"), read_only=True)
        else:
            db = psycopg.connect(options.database)
        lines, charts, networks = evaluate(db, options.view, options.days)
    except (duckdb.Error, psycopg.Error) as error:
        sys.exit(" ".join(str(error).split()))
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "delivery-report.html"
    path.write_text(page(lines, charts, networks), encoding="utf-8")
    path.with_suffix(".png").write_bytes(picture(lines, charts))
    print(f"The report is {path.resolve()}")


def evaluate(db: Any, view: str, days: int) -> tuple[list[str], dict[str, Any], pd.DataFrame]:
    """The lines below the title, the charts by title, and the table of networks."""

    def query(select: str) -> pd.DataFrame:
        recent = f"SELECT * FROM {view} WHERE sent_at >= now() - INTERVAL '{days} days'"
        cursor = db.execute(f"WITH recent AS ({recent}) {select}")
        return pd.DataFrame(cursor.fetchall(), columns=[each[0] for each in cursor.description])

    def networks(name: str) -> pd.DataFrame:
        costs = query(COSTS.format(name)).pivot_table("value", "name", "currency")
        rows = query(NETWORKS.format(name)).set_index("network").join(costs)
        for column in rows:
            number = f"{{:,.{DECIMALS.get(column, 2)}f}}"
            rows[column] = rows[column].map(number.format, na_action="ignore").fillna("none")
        return rows

    db.execute("SET TimeZone = 'UTC'")
    by_day, network = query(DAYS), "coalesce(mccmnc, 'unknown')"
    if by_day.empty:
        sys.exit(f"{view} has no message of the last {days} days.")
    charts = {
        "Messages per day": per_day(by_day),
        "Delivered per day, % of final statuses": rate_per_day(by_day[by_day["is_final"]]),
        "Time to delivery": bars(query(TIMES), ","),
        "Reasons why messages were not delivered": bars(query(REASONS), ",", "UNDELIVERABLE"),
    }
    for currency, costs in query(COSTS.format(network)).groupby("currency"):
        charts[f"Cost per network, {currency}"] = bars(costs.head(10), ",.2f")
    first, last = (f"{datetime.fromisoformat(day):%d %B %Y}" for day in by_day["day"].iloc[[0, -1]])
    lines = [
        f"{view} from {first} to {last}, as of {datetime.now(timezone.utc):%d %B %Y %H:%M} UTC",
        " · ".join(f"{value} {name}" for name, value in networks("'all'").iloc[0].items()),
    ]
    shown = {title: chart for title, chart in charts.items() if not chart.data.empty}
    return lines, shown, networks(network).rename_axis("network").reset_index()


DAY = alt.X("utcyearmonthdate(day):T", title=None, axis=alt.Axis(format="%-d %b"))


def per_day(rows: pd.DataFrame) -> Any:
    """Bars of messages, stacked by status."""
    shown = [status for status in COLORS if status in set(rows["status"])]
    scale = alt.Scale(domain=shown, range=[COLORS[status] for status in shown])
    legend = alt.Legend(title=None, orient="top", columns=3)
    chart = alt.Chart(rows.assign(order=rows["status"].map(list(COLORS).index))).mark_bar()
    color = alt.Color("status:N", scale=scale, legend=legend)
    y, tooltip = alt.Y("messages:Q", title=None), ["day:N", "status:N", "messages:Q"]
    return chart.encode(x=DAY, y=y, color=color, order="order:O", tooltip=tooltip)


def rate_per_day(final: pd.DataFrame) -> Any:
    """A line of the share of delivered messages."""
    delivered = final["messages"].where(final["status"] == "DELIVERED", 0)
    sums = final.assign(delivered=delivered).groupby("day")[["delivered", "messages"]].sum()
    rates = (100 * sums["delivered"] / sums["messages"]).rename("rate").reset_index()
    y = alt.Y("rate:Q", title=None, scale=alt.Scale(zero=False))
    chart = alt.Chart(rates).mark_line(point=True, color=COLORS["DELIVERED"])
    return chart.encode(x=DAY, y=y, tooltip=["day:N", alt.Tooltip("rate:Q", format=".1f")])


def bars(rows: pd.DataFrame, number: str, color: str = "DELIVERED") -> Any:
    """Horizontal bars of `value` by `name`, with their values, in the order of the rows."""
    domain = [min(0, rows["value"].min()), 1.25 * rows["value"].max()]
    x = alt.X("value:Q", axis=None, scale=alt.Scale(domain=domain, nice=False))
    y = alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=220, ticks=False))
    base = alt.Chart(rows).encode(x=x, y=y)
    text = base.mark_text(align="left", dx=4).encode(text=alt.Text("value:Q", format=number))
    return alt.layer(base.mark_bar(color=COLORS[color]), text, data=rows)


def styled(chart: Any) -> Any:
    """A chart as Vega-Lite."""
    chart = chart.configure(font=FONT, background="white").configure_view(stroke=None)
    return chart.configure_axis(labelFontSize=12).configure_title(anchor="start").to_dict()


def page(lines: list[str], charts: dict[str, Any], networks: pd.DataFrame) -> str:
    """The report as one HTML page that loads nothing."""
    shown = [chart.properties(width="container", height=220) for chart in charts.values()]
    data = json.dumps([styled(chart) for chart in shown]).replace("<", r"\u003c")
    sections = "".join(
        f"<section><h2>{escape(title)}</h2><div id=chart{number}></div></section>"
        for number, title in enumerate(charts)
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SMS delivery</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{STYLE}</style>
<h1>SMS delivery</h1><p>{"<br>".join(map(escape, lines))}</p>
<main>{sections}<section>{networks.to_html(index=False, border=0)}</section></main>
<script>{vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")}</script>
<script>{data}.forEach((spec, number) =>
vegaEmbed("#chart" + number, spec, {{actions: false, renderer: "svg"}}));</script>
</html>
"""


def picture(lines: list[str], charts: dict[str, Any]) -> bytes:
    """The report as PNG: the first chart above two columns of charts."""
    first, *others = (
        chart.properties(title=title, width=440, height=200) for title, chart in charts.items()
    )
    title = alt.TitleParams("SMS delivery", subtitle=lines, fontSize=22, offset=16)
    rows = [alt.hconcat(*others[n : n + 2], spacing=40) for n in range(0, len(others), 2)]
    whole = alt.vconcat(first.properties(width=1000), *rows, spacing=28, title=title, padding=24)
    whole = whole.resolve_scale(color="independent")
    return bytes(vl_convert.vegalite_to_png(styled(whole), scale=1.3))


if __name__ == "__main__":
    main()
