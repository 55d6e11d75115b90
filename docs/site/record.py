"""Records a command in a terminal as an animated SVG: python docs/site/record.py OUT.svg COMMAND

tmux is the terminal. What it shows is looked at four times a second, and each different
line is drawn once. The picture needs no script, and stands still at its end for people who
ask for less motion.
"""

import html
import subprocess
import sys
import time
from pathlib import Path

from rich.style import Style
from rich.terminal_theme import MONOKAI as theme
from rich.text import Text

COLUMNS, ROWS = 100, 30
TICK, LIMIT, HOLD = 0.25, 40.0, 5.0  # seconds: between looks, of recording, of the last frame
WIDTH, HEIGHT, PAD = 8.4, 18, 14  # pixels: of a character, of a line, around


def frames(command: str) -> list[tuple[float, list[str]]]:
    """What the terminal showed from when on, in seconds: its lines, with ANSI colours."""
    tmux = ["tmux", "-L", f"record-{time.time_ns()}", "-f", "/dev/null"]
    shell = "PS1='$ ' exec bash --norc --noprofile"
    subprocess.run([*tmux, "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), shell], check=True)
    try:
        subprocess.run([*tmux, "set", "-g", "status", "off"], check=True)
        time.sleep(0.5)
        subprocess.run([*tmux, "send-keys", "-l", command], check=True)
        begin, seen = time.monotonic(), []
        subprocess.run([*tmux, "send-keys", "Enter"], check=True)
        while (now := time.monotonic() - begin) < LIMIT:
            lines = subprocess.run([*tmux, "capture-pane", "-p", "-e"], check=True, capture_output=True, text=True).stdout.split("\n")
            if not seen or seen[-1][1] != lines:
                seen.append((now, lines))
            if now > 1 and [line for line in lines if line.strip()][-1].strip() == "$":
                break
            time.sleep(TICK)
        return seen
    finally:
        subprocess.run([*tmux, "kill-server"])


def colour(style: Style, dim: bool) -> str:
    if style.color is None or style.color.is_default:
        return "#8a8f98" if dim else "#d8dee9"
    return style.color.get_truecolor(theme).hex


def drawn(line: str) -> str:
    """One line as text of SVG, each run of one style by itself, where its column is."""
    text, out = Text.from_ansi(line), ""
    spans = text.divide(sorted({0, len(text), *(s.start for s in text.spans), *(s.end for s in text.spans)}))
    column = 0
    for part in spans:
        style = Style.combine([s.style for s in part.spans if isinstance(s.style, Style)]) if part.spans else Style()
        if part.plain.strip():
            weight = ' font-weight="bold"' if style.bold else ""
            out += f'<tspan x="{column * WIDTH:.1f}" fill="{colour(style, bool(style.dim))}"{weight}>{html.escape(part.plain)}</tspan>'
        column += part.cell_len
    return out


def svg(seen: list[tuple[float, list[str]]]) -> str:
    total = seen[-1][0] + HOLD
    ids: dict[str, int] = {}
    body = style = ""
    for i, (begin, lines) in enumerate(seen):
        end = seen[i + 1][0] if i + 1 < len(seen) else total
        uses = "".join(f'<use href="#l{ids.setdefault(line, len(ids))}" y="{row * HEIGHT}"/>' for row, line in enumerate(lines) if line.strip())
        last = i + 1 == len(seen)
        body += f'<g class="f{" last" if last else ""}" id="f{i}">{uses}</g>\n'
        style += f"@keyframes k{i}{{0%,{begin / total:.2%}{{visibility:{'visible' if i == 0 else 'hidden'}}}"
        style += f"{begin / total + 1e-4:.2%},{end / total:.2%}{{visibility:visible}}"
        style += "" if last else f"{end / total + 1e-4:.2%},100%{{visibility:hidden}}"
        style += f"}}#f{i}{{animation:k{i} {total:.2f}s infinite step-end}}\n"
    defs = "".join(f'<text id="l{n}">{drawn(line)}</text>\n' for line, n in ids.items())
    used = max(row + 1 for _, lines in seen for row, line in enumerate(lines) if line.strip())
    w, h = round(COLUMNS * WIDTH + 2 * PAD), used * HEIGHT + 2 * PAD
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img">
<title>A terminal in which fanout runs a sweep</title>
<style>
text{{font:14px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;white-space:pre}}
.f{{visibility:hidden}}
{style}@media (prefers-reduced-motion:reduce){{.f{{animation:none!important}}.last{{visibility:visible}}}}
</style>
<defs>
{defs}</defs>
<rect width="100%" height="100%" rx="8" fill="#1e222a"/>
<g transform="translate({PAD} {PAD + 14})">
{body}</g>
</svg>
"""


if __name__ == "__main__":
    out, command = sys.argv[1:]
    Path(out).write_text(svg(frames(command)))
