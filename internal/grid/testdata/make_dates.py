"""Writes dates.json: what pandas and zoneinfo say the dates of an axis are.

    python make_dates.py > dates.json      (pandas 3, Python 3.11)
"""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pandas as pd

cases = []


def case(step, start, end, tz, values):
    cases.append({"step": step, "from": start, "to": end, "tz": tz, "want": list(values)})


def days(index):
    return [t.strftime("%Y-%m-%d") for t in index]


for step, freq in [("1d", "D"), ("3d", "3D"), ("1w", "7D"), ("2w", "14D"), ("1bd", "B")]:
    for start, end in [("2024-02-25", "2024-03-20"), ("2026-12-28", "2027-01-12"), ("2023-02-27", "2023-03-02")]:
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

# Hours pass; both changes of daylight saving time, on either side of the world.
for tz in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]:
    for start, end in [("2026-03-28T20:00", "2026-03-29T06:00"), ("2026-10-24T20:00", "2026-10-25T06:00"), ("2026-11-01T00:00", "2026-11-01T05:00")]:
        for step, hours in [("1h", 1), ("6h", 6)]:
            zone = ZoneInfo(tz)
            first = dt.datetime.fromisoformat(start).replace(tzinfo=zone)
            last = dt.datetime.fromisoformat(end).replace(tzinfo=zone)
            index = pd.date_range(pd.Timestamp(first), pd.Timestamp(last), freq=f"{hours}h")
            case(step, start, end, tz, [t.isoformat() for t in index])
    # Days follow the calendar across the change.
    case("1d", "2026-03-27", "2026-03-31", tz, days(pd.date_range("2026-03-27", "2026-03-31", freq="D", tz=tz)))

print(json.dumps(cases, indent=0))
