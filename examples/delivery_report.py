"""A page and a picture about the delivery of your messages, from the view `sms_delivery`.

    python delivery_report.py --database duckdb:///example.duckdb --output report

Writes delivery-report.html, which needs no network and holds numbers only, no recipients and no texts, and
delivery-report.png. It needs `pip install altair vl-convert-python pandas sqlalchemy` and the driver of the database.
"""

import argparse
import html
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import sqlalchemy as sa
import vl_convert

STATES = {  # and their colors, which differ in lightness too
    "DELIVERED": "#3a7ca5",
    "ACCEPTED": "#d3dbe3",
    "BUFFERED": "#a3b1bf",
    "EXPIRED": "#f4b942",
    "UNDELIVERABLE": "#d1495b",
    "REJECTED": "#6d1a36",
    "no status": "#ece5dc",
}
FINAL = ("DELIVERED", "EXPIRED", "REJECTED", "UNDELIVERABLE")
TIMES = {"up to 2 s": 2, "up to 5 s": 5, "up to 10 s": 10, "up to 30 s": 30, "up to 1 min": 60, "up to 10 min": 600}
LONGER = "longer"
MOST_BARS = 10


class Report(NamedTuple):
    """What the page and the picture show: figures with their captions, charts with their titles, and a table."""

    period: str
    figures: dict[str, str]
    charts: dict[str, alt.Chart | alt.LayerChart]
    networks: pd.DataFrame


def main() -> None:
    """Read the view, and write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    url = os.environ.get("DATABASE_URL")
    parser.add_argument("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    parser.add_argument("--days", type=int, default=30, help="how far to look back (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path(), help="the folder for both files (default: this one)")
    options = parser.parse_args()
    if not options.database:
        sys.exit("Name the database: --database URL, or the environment variable DATABASE_URL.")
    try:
        messages = read(options.database, options.days)
    except sa.exc.DBAPIError as error:
        sys.exit(f"The database says: {' '.join(str(error.orig).split())}")
    except sa.exc.SQLAlchemyError as error:
        sys.exit(f"The database URL can't be used: {error}")
    except ImportError as error:
        sys.exit(f"A package is missing: {error}")
    if messages.empty:
        sys.exit(f"sms_delivery holds no message of the last {options.days} days.")
    report = evaluate(messages)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "delivery-report.html").write_text(page(report), encoding="utf-8")
    (options.output / "delivery-report.png").write_bytes(picture(report))
    print(f"The report is {(options.output / 'delivery-report.html').resolve()}")


def read(url: str, days: int) -> pd.DataFrame:
    """One row for each message of the last days, with the columns of the view that the report needs."""
    columns = ("request_id", "sent_at", "status", "delivery_seconds", "errorcode", "errorreason", "mccmnc", "parts")
    view = sa.table("sms_delivery", *(sa.column(name) for name in columns))
    query = sa.select(view).where(view.c.sent_at >= sa.func.now() - sa.text(f"INTERVAL '{days} days'"))
    with sa.create_engine(url).connect() as connection:
        connection.execute(sa.text("SET TimeZone = 'UTC'"))
        messages = pd.read_sql(query, connection).drop_duplicates("request_id")
    messages["sent_at"] = pd.to_datetime(messages["sent_at"], utc=True)
    messages["status"] = messages["status"].where(messages["status"].isin(list(STATES)), "no status")
    return messages


def evaluate(messages: pd.DataFrame) -> Report:
    """The figures and charts of a report."""
    delivered = messages[messages["status"] == "DELIVERED"]
    seconds = delivered["delivery_seconds"].dropna()
    final = messages["status"].isin(FINAL)
    costs = prices(messages)
    totals = costs.groupby("currency")["price"].sum()
    first, last = messages["sent_at"].min(), messages["sent_at"].max()
    return Report(
        period=f"{first:%d %B %Y} to {last:%d %B %Y}, UTC",
        figures={
            "messages": f"{len(messages):,}",
            "delivery rate (of final statuses)": percent(len(delivered), final.sum()),
            "time to delivery, median": duration(seconds.median()),
            "time to delivery, 95th percentile": duration(float(seconds.quantile(0.95))),
            "still under way": f"{messages['status'].isin(['ACCEPTED', 'BUFFERED']).sum():,}",
            **{f"{currency} in total": f"{total:,.2f}" for currency, total in totals.items()},
        },
        charts={
            "Messages per day": per_day(messages),
            "Delivery rate per day": rate_per_day(messages[final], days_of(messages)),
            "Time to delivery": times(seconds),
            **{
                f"Cost per network, in {currency}": bars(group.groupby("mccmnc")["price"].sum(), ",.2f")
                for currency, group in costs.groupby("currency")
            },
            "Reasons why messages were not delivered": reasons(messages[final & (messages["status"] != "DELIVERED")]),
        },
        networks=networks(messages, costs),
    )


def prices(messages: pd.DataFrame) -> pd.DataFrame:
    """The price of each part: mccmnc, currency, price. The message has a price too, but no currency."""
    rows = [
        (mccmnc, part["currency"], float(part["price"]))
        for mccmnc, parts in zip(messages["mccmnc"].fillna("unknown"), messages["parts"], strict=True)
        # PostgreSQL answers with a list, DuckDB with JSON.
        for part in (json.loads(parts) if isinstance(parts, str) else parts or [])
        if part.get("currency") and part.get("price")
    ]
    return pd.DataFrame(rows, columns=["mccmnc", "currency", "price"])


def percent(part: int, whole: int) -> str:
    """A share, with one decimal."""
    return f"{part / whole:.1%}" if whole else "none"


def duration(seconds: float) -> str:
    """In the unit that suits."""
    if math.isnan(seconds):
        return "none"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


DATE = "utcFormat(toDate(datum.value), '%-d %b')"


def days_of(messages: pd.DataFrame) -> alt.X:
    """An axis of all days from the first to the last, those without a message too."""
    first, last = (moment.strftime("%Y-%m-%d") for moment in (messages["sent_at"].min(), messages["sent_at"].max()))
    every = [f"{day:%Y-%m-%d}" for day in pd.date_range(first, last)]
    axis = alt.Axis(labelExpr=DATE, labelAngle=0, labelOverlap="parity", labelSeparation=8, labelPadding=6, ticks=False)
    return alt.X("day:O", title=None, scale=alt.Scale(domain=every), axis=axis)


def per_day(messages: pd.DataFrame) -> alt.Chart:
    """Bars of messages, stacked by status."""
    days = messages.groupby([messages["sent_at"].dt.strftime("%Y-%m-%d"), "status"]).size().reset_index(name="messages")
    days = days.rename(columns={"sent_at": "day"})
    shown = [state for state in STATES if state in set(days["status"])]
    days["order"] = days["status"].map(list(STATES).index)
    chart: alt.Chart = (
        alt.Chart(days, width=1000)
        .mark_bar()
        .encode(
            x=days_of(messages),
            y=alt.Y("sum(messages):Q", title=None),
            color=alt.Color(
                "status:N",
                scale=alt.Scale(domain=shown, range=[STATES[state] for state in shown]),
                legend=alt.Legend(title=None, orient="top", columns=3, columnPadding=6, symbolSize=80),
            ),
            order="order:O",
            tooltip=["day", "status", "messages"],
        )
    )
    return chart


def rate_per_day(final: pd.DataFrame, axis: alt.X) -> alt.Chart:
    """A line of the share of messages that were delivered, of those with a final status."""
    days = (final["status"] == "DELIVERED").groupby(final["sent_at"].dt.strftime("%Y-%m-%d")).mean()
    chart: alt.Chart = (
        alt.Chart(days.rename_axis("day").reset_index(name="rate"), width=440)
        .mark_line(point=True, color=STATES["DELIVERED"])
        .encode(
            x=axis,
            y=alt.Y(
                "rate:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(format=".0%", tickCount=5)
            ),
            tooltip=["day", alt.Tooltip("rate:Q", title="delivered", format=".1%")],
        )
    )
    return chart


def times(seconds: pd.Series) -> alt.LayerChart:
    """Bars of messages by the time they took."""
    limits = [float("-inf"), *TIMES.values(), float("inf")]
    taken = pd.cut(seconds, limits, labels=[*TIMES, LONGER]).value_counts().reindex([*TIMES, LONGER])
    return bars(taken, ",", width=405, ordered=True)


def reasons(failed: pd.DataFrame) -> alt.LayerChart:
    """Bars of messages by reason, with the GSM error code."""
    reason = failed["errorreason"].fillna("no reason given").str.slice(0, 40)
    code = failed["errorcode"].map(lambda code: f" ({code})", na_action="ignore").fillna("")
    return bars((reason + code).value_counts(), ",", width=310, color=STATES["UNDELIVERABLE"])


def bars(
    values: pd.Series, number: str, *, width: int = 440, color: str = STATES["DELIVERED"], ordered: bool = False
) -> alt.LayerChart:
    """Horizontal bars with their values behind them; the longest ones, or all of them in the order they come in."""
    if not ordered:
        values = values.sort_values(ascending=False).head(MOST_BARS)
    rows = pd.DataFrame({"name": values.index.astype(str), "value": values.to_numpy()})
    y = alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=210, labelPadding=6, ticks=False, domain=False))
    most = float(rows["value"].max() or 1) if len(rows) else 1.0
    # Room for the number behind the longest bar.
    x = alt.X(
        "value:Q",
        axis=None,
        scale=alt.Scale(domain=[min(0.0, float(rows["value"].min() or 0)), most * 1.3], nice=False),
    )
    base = alt.Chart(rows).encode(y=y, x=x, tooltip=["name", alt.Tooltip("value:Q", format=number)])
    numbers = base.mark_text(align="left", dx=4).encode(text=alt.Text("value:Q", format=number))
    chart: alt.LayerChart = (base.mark_bar(color=color) + numbers).properties(width=width)
    return chart


def networks(messages: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """A table with a row for each network."""
    rows = []
    for network in messages["mccmnc"].fillna("unknown").value_counts().index:
        group = messages[messages["mccmnc"].fillna("unknown") == network]
        delivered = group[group["status"] == "DELIVERED"]
        seconds = delivered["delivery_seconds"].dropna()
        totals = costs[costs["mccmnc"] == network].groupby("currency")["price"].sum()
        rows.append(
            {
                "network": network,
                "messages": f"{len(group):,}",
                "delivered": percent(len(delivered), group["status"].isin(FINAL).sum()),
                "median": duration(seconds.median()),
                "95th pct.": duration(float(seconds.quantile(0.95))),
                "cost": " + ".join(f"{total:,.2f} {currency}" for currency, total in totals.items()) or "",
            }
        )
    return pd.DataFrame(rows)


def styled(chart: alt.TopLevelMixin, **size: Any) -> dict[str, Any]:
    """A chart as Vega-Lite, in the style of the report."""
    specification: dict[str, Any] = (
        chart.properties(**size, background="white")
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, gridColor="#e8ebee", domainColor="#c4cbd2", tickColor="#c4cbd2")
        .configure_legend(labelFontSize=11)
        .configure_text(fontSize=12)
        .configure_title(anchor="start", fontSize=15, subtitleFontSize=13)
        .to_dict()
    )
    return specification


STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: #1c2733; font: 16px/1.4 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.5rem; margin: 8px 0 0; }
h2 { font-size: 1rem; margin: 0 0 8px; }
p { margin: 4px 0 16px; color: #55636f; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 12px; }
.charts { margin: 12px 0; }
.figures div, section { background: white; border-radius: 8px; padding: 14px; min-width: 0; }
.figures b { display: block; font-size: 1.6rem; line-height: 1.2; }
.figures span { color: #55636f; font-size: 0.85rem; }
.wide { grid-column: 1 / -1; overflow-x: auto; }
.chart { width: 100%; }
table { width: 100%; border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 4px; text-align: right; white-space: nowrap; border-top: 1px solid #e8ebee; }
th { border: 0; font-weight: 600; color: #55636f; }
@media (max-width: 560px) { table { font-size: 0.8rem; } th, td { padding: 6px 2px; } }
@media (max-width: 480px) { th { white-space: normal; vertical-align: bottom; } }
@media (max-width: 560px) { th:last-child, td:last-child { display: none; } }
th:first-child, td:first-child { text-align: left; }
"""


def page(report: Report) -> str:
    """The report as one HTML page that loads nothing."""
    figures = "".join(
        f"<div><b>{html.escape(value)}</b><span>{html.escape(caption)}</span></div>"
        for caption, value in report.figures.items()
    )
    wide = {"Messages per day"}
    sections = "".join(
        f"<section{' class=wide' if title in wide else ''}><h2>{html.escape(title)}</h2>"
        f'<div class="chart" id="chart{number}"></div></section>'
        for number, title in enumerate(report.charts)
    )
    specs = [
        styled(chart, width="container", height=260 if title in wide else 220) for title, chart in report.charts.items()
    ]
    # Neither the charts nor the library may end the script element.
    data = json.dumps(specs).replace("<", "\\u003c")
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SMS delivery</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
<main>
<h1>SMS delivery</h1>
<p>{html.escape(report.period)}</p>
<div class="figures">{figures}</div>
<div class="charts">{sections}
<section class="wide"><h2>Networks</h2>{report.networks.to_html(index=False, border=0)}</section>
</div>
</main>
<script>{library}</script>
<script>
{data}.forEach((spec, number) => vegaEmbed("#chart" + number, spec, {{actions: false, renderer: "svg"}}));
</script>
</html>
"""


def picture(report: Report) -> bytes:
    """The report as PNG, in two columns."""
    figures = pd.DataFrame(report.figures.items(), columns=["caption", "value"])
    base = alt.Chart(figures, width=1000, height=50).encode(x=alt.X("caption:N", sort=None, axis=None))
    head = base.mark_text(fontSize=26, fontWeight="bold", dy=-10).encode(text="value") + base.mark_text(dy=18).encode(
        text="caption"
    )
    first, *others = (chart.properties(height=200, title=title) for title, chart in report.charts.items())
    rows = [alt.hconcat(*others[start : start + 2], spacing=40) for start in range(0, len(others), 2)]
    whole = alt.ConcatChart(concat=[head, first, *rows], columns=1, align="none", spacing=28).resolve_scale(
        color="independent", x="independent"
    )
    whole = whole.properties(title=alt.TitleParams("SMS delivery", subtitle=report.period, fontSize=22, offset=16))
    png: bytes = vl_convert.vegalite_to_png(styled(whole, padding=24), scale=1.3)
    return png


if __name__ == "__main__":
    main()
