"""Writes dates.json: what pandas and zoneinfo say the dates of an axis are.

    python make_dates.py > dates.json      (pandas 3, Python 3.11)
"""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pandas as pd

cases = []


def case(step, start, end, tz, values, align=""):
    cases.append({"step": step, "from": start, "to": end, "tz": tz, "align": align, "want": list(values)})


def days(index):
    return [t.strftime("%Y-%m-%d") for t in index]


for step, freq in [("1d", "D"), ("3d", "3D"), ("1w", "7D"), ("2w", "14D"), ("1bd", "B"), ("2bd", "2B"), ("7bd", "7B")]:
    for start, end in [("2024-02-25", "2024-03-20"), ("2026-12-28", "2027-01-12"), ("2023-02-27", "2023-03-02"), ("2025-03-01", "2025-04-15")]:
        case(step, start, end, "UTC", days(pd.date_range(start, end, freq=freq)))

# Months from a day that some months lack: pandas' DateOffset counts from the
# first date, as a calendar does.
for step, months in [("1mo", 1), ("2mo", 2), ("1q", 3), ("1y", 12)]:
    for start, end in [("2024-01-31", "2025-03-31"), ("2023-11-30", "2024-12-31"), ("2024-02-29", "2028-03-01"), ("2026-01-15", "2026-12-15")]:
        first, values, n = pd.Timestamp(start), [], 0
        while (t := first + pd.DateOffset(months=n)) <= pd.Timestamp(end):
            values.append(t.strftime("%Y-%m-%d"))
            n += months
        case(step, start, end, "UTC", values)

# The first and last days of periods, between both ends.
for step, align, freq in [
    ("1mo", "start", "MS"), ("1mo", "end", "ME"), ("2mo", "start", "2MS"), ("2mo", "end", "2ME"),
    ("1q", "start", "QS"), ("1q", "end", "QE"), ("1y", "start", "YS"), ("1y", "end", "YE"),
    ("1w", "start", "W-MON"), ("1w", "end", "W-SUN"), ("3w", "end", "3W-SUN"),
]:
    for start, end in [("2023-11-01", "2025-02-28"), ("2024-01-15", "2026-03-30"), ("2024-02-29", "2025-12-31")]:
        case(step, start, end, "Europe/Berlin", days(pd.date_range(start, end, freq=freq)), align)

# Hours pass; both changes of daylight saving time, on either side of the world.
zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]
for tz in zones:
    for start, end in [("2026-03-28T20:00", "2026-03-29T06:00"), ("2026-10-24T20:00", "2026-10-25T06:00"), ("2026-11-01T00:00", "2026-11-01T05:00"), ("2026-04-04T20:00", "2026-04-05T06:00")]:
        for step, freq in [("1h", "1h"), ("6h", "6h"), ("30min", "30min")]:
            zone = ZoneInfo(tz)
            first = dt.datetime.fromisoformat(start).replace(tzinfo=zone)
            last = dt.datetime.fromisoformat(end).replace(tzinfo=zone)
            index = pd.date_range(pd.Timestamp(first), pd.Timestamp(last), freq=freq)
            case(step, start, end, tz, [t.isoformat() for t in index])
    # Days follow the calendar across the change.
    case("1d", "2026-03-27", "2026-03-31", tz, days(pd.date_range("2026-03-27", "2026-03-31", freq="D", tz=tz)))

# Days on which midnight did not happen are days, too: Brazil changed its
# clocks at midnight, and Samoa left out a whole day, which the calendar of a
# report does not. (pandas without a zone: the calendar alone.)
for tz, start, end in [("America/Sao_Paulo", "2018-11-02", "2018-11-06"), ("Asia/Beirut", "2022-03-25", "2022-03-29"), ("Africa/Cairo", "2024-04-24", "2024-04-28"), ("America/Sao_Paulo", "2018-02-15", "2018-02-20")]:
    case("1d", start, end, tz, days(pd.date_range(start, end, freq="D")))

# A time of day stays what clocks show.
for tz, start, end in [("Europe/Berlin", "2026-03-27T06:30", "2026-03-31T06:30"), ("America/New_York", "2026-10-30T23:15", "2026-11-03T23:15"), ("Europe/Berlin", "2026-10-24T02:30", "2026-10-26T02:30"), ("Europe/Berlin", "2026-03-28T02:30", "2026-03-30T02:30")]:
    zone = ZoneInfo(tz)
    t, last, values = dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end), []
    while t <= last:
        # Through UTC and back: a time that clocks skip is as much later as they skip.
        values.append(t.replace(tzinfo=zone).astimezone(dt.timezone.utc).astimezone(zone).isoformat())
        t += dt.timedelta(days=1)
    case("1d", start, end, tz, values)

print(json.dumps(cases, indent=0))
