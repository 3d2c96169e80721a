"""report: what tests/bench/run prints and writes: which ratios there are, their goals, the table, the chart."""
import dataclasses
import html
import json
import math
import statistics

BULK = {"in": "client > stack, one stream", "out": "stack > client, one stream", "echo": "echo of bulk data, compared"}
DATAGRAMS = {"udp": "UDP datagrams of 16 bytes, in and back out", "udpgso": "UDP datagrams of 16 bytes, UDP_SEGMENT and UDP_GRO"}
PING = {"rr": "TCP ping-pong of 1 byte", "udprr": "UDP ping-pong of 1 byte"}
NAMES = {"kernel": "kernel over veth", "ceiling": "ceiling program", "lwip": "lwIP", "iperf3": "iperf3", "tapir": "tapir on a TAP",
         "xdp": "tapir through AF_XDP"}
QUANTITIES = {"in": ("gbps", "cpu"), "out": ("gbps", "cpu"), "echo": ("gbps", "cpu"), "rr": ("p50", "p99"),
              "udprr": ("p50", "p99"), "crr": ("rate",), "udp": ("rate", "cpu", "client"),
              "udpgso": ("rate", "cpu", "client"), "plain": ("rate",),
              "tso": ("rate",), "iperf3": ("gbps",), "iperf3 -R": ("gbps",),
              "flood": ("served", "syns")}


@dataclasses.dataclass
class Goal:
    title: str
    mine: tuple                 # (measurement, peer, quantity)
    other: tuple = None         # the same of who it is compared with; None: the number itself
    unit: str = ""
    op: str = ""                # ">=" or "<="; "": nothing is wanted, it is only good to know
    wanted: float = None


def goals():
    """In the order of the table."""
    bulk = {"in": {"kernel": 1.0, "ceiling": 0.9, "lwip": None}, "out": {"kernel": 1.2, "ceiling": None, "lwip": None},
            "echo": {"kernel": None, "ceiling": 0.95, "lwip": 2.0}}
    for what, others in bulk.items():
        for other, wanted in others.items():
            yield Goal(BULK[what], (what, "tapir", "gbps"), (what, other, "gbps"), "Gbit/s", ">=" if wanted else "", wanted)
    for what in ("in", "out", "echo"):
        wanted = 1.15 if what != "echo" else None
        yield Goal(f"CPU of the stack's process: {BULK[what]}", (what, "tapir", "cpu"), (what, "ceiling", "cpu"), "s/GB",
                   "<=" if wanted else "", wanted)
    for what, title in PING.items():
        for quantity in ("p50", "p99"):
            yield Goal(f"{title}, {quantity}", (what, "tapir", quantity), (what, "kernel", quantity), "us", "<=", 1.0)
        yield Goal(f"{title}, p50", (what, "tapir", "p50"), (what, "lwip", "p50"), "us")
        yield Goal(f"{title}, --busy-poll, p50", (what, "busy", "p50"), (what, "kernel", "p50"), "us", "<=", 0.45)
    for other, wanted in {"lwip": 1.2, "kernel": None, "ceiling": None}.items():
        yield Goal("connections (1 byte each way)", ("crr", "tapir", "rate"), ("crr", other, "rate"), "/s",
                   ">=" if wanted else "", wanted)
    yield Goal("connections, --busy-poll", ("crr", "busy", "rate"), ("crr", "lwip", "rate"), "/s")
    for what, title in DATAGRAMS.items():
        for other, wanted in {"lwip": 1.5, "kernel": None, "ceiling": None}.items():
            yield Goal(title, (what, "tapir", "rate"), (what, other, "rate"), "/s", ">=" if wanted else "", wanted)
        for other in (("lwip", "cpu"), ("tapir", "client")):
            yield Goal("  CPU of the stack's process for each", (what, "tapir", "cpu"), (what, *other), "us")
    yield Goal("UDP datagrams, --busy-poll", ("udp", "busy", "rate"), ("udp", "lwip", "rate"), "/s")
    for what, title in PING.items():
        yield Goal(f"{title}, AF_XDP over veth, p50", (what, "xdp", "p50"), (what, "tapir", "p50"), "us")
    yield Goal("connections, AF_XDP over veth", ("crr", "xdp", "rate"), ("crr", "tapir", "rate"), "/s")
    for what, how in {"udp": "", "udpgso": ", UDP_SEGMENT"}.items():
        for other in ("tapir", "lwip", "kernel"):
            yield Goal(f"UDP datagrams{how}, AF_XDP over veth", (what, "xdp", "rate"), (what, other, "rate"), "/s")
    for what, how in {"plain": "MTU 1500 without TSO", "tso": "with TSO"}.items():
        yield Goal(f"engine alone, segments, {how}", (what, "tapir", "rate"), ("plain", "lwip", "rate"), "/s", ">=", 3.0)
    yield Goal("bytes of an idle connection: memory lent", ("idle", "tapir", "lent"), None, "bytes", "<=", 512)
    yield Goal("bytes of an idle connection: resident", ("idle", "tapir", "resident"), None, "bytes", "<=", 512)
    yield Goal("bytes of a half-open connection: memory lent", ("idle", "tapir", "half_open"), None, "bytes", "<=", 128)
    yield Goal("bytes of one in TIME-WAIT: memory lent", ("idle", "tapir", "time_wait"), None, "bytes", "<=", 128)
    yield Goal("a segment beside idle connections, against 10 in all", ("idle", "tapir", "many_ns"), ("idle", "tapir", "few_ns"),
               "ns", "<=", 1.15)
    for peer, wanted in {"tapir": 0.9, "lwip": None, "kernel": None}.items():
        title = "clients served in a SYN flood" + ("" if peer == "tapir" else f": {NAMES[peer]}")
        yield Goal(title, ("flood", peer, "served"), None, "of them", ">=" if wanted else "", wanted)
        yield Goal("  SYNs sent meanwhile", ("flood", peer, "syns"), None, "/s")
    for what, title in {"iperf3": "iperf3 > stack", "iperf3 -R": "iperf3 -R, stack > client"}.items():
        yield Goal(title, (what, "tapir", "gbps"), (what, "kernel", "gbps"), "Gbit/s")
    yield Goal("this client over veth", ("in", "kernel", "gbps"), ("iperf3", "kernel", "gbps"), "Gbit/s")


@dataclasses.dataclass
class Row:
    goal: Goal
    value: float
    ratios: list                # of all turns of all rounds; or the values, where there is nobody to compare with

    @property
    def median(self):
        return statistics.median(self.ratios)

    @property
    def reached(self):
        """None: nothing was wanted."""
        if not self.goal.op:
            return None
        shown = round(self.median, 2)
        return shown >= self.goal.wanted if self.goal.op == ">=" else shown <= self.goal.wanted

    @property
    def times_goal(self):
        """1: just reached; more is better."""
        m = max(self.median, 1e-9)
        return m / self.goal.wanted if self.goal.op == ">=" else self.goal.wanted / m

    @property
    def against(self):
        if not self.goal.other:
            return ""
        what, peer, quantity = self.goal.other
        if quantity == "client":
            return "the client's CPU"
        return "iperf3" if self.goal.mine[0] == "in" and what == "iperf3" else "few connections" if what == "idle" else NAMES[peer]


def median_known(samples):
    known = [s for s in samples if s is not None]
    return [statistics.median(known)] if known else []


def compared(mine, others):
    """What was measured side by side: in the same turn of the same round, or, of what comes more often in a round than what it
    is compared with, the median of the round."""
    for number in sorted(mine.keys() & others.keys()):
        m, o = mine[number], others[number]
        if len(m) != len(o):
            m, o = median_known(m), median_known(o)
        yield from ((a, b) for a, b in zip(m, o) if a is not None and b is not None)


def rows_of(values):
    """The goals of which something was measured."""
    for goal in goals():
        mine = values.get(goal.mine, {})
        others = values.get(goal.other, {}) if goal.other else mine
        both = list(compared(mine, others))
        if not both:
            continue
        ratios = [m / o if o else 0 for m, o in both] if goal.other else [m for m, _ in both]
        yield Row(goal, statistics.median(m for m, _ in both), ratios)


def number(x):
    return f"{x:.0f}" if abs(x) >= 1000 else f"{x:.3g}" if abs(x) < 10 else f"{x:.1f}"


def text_of(head, rows, missing, failures):
    lines = [head, "", f"{'':52}{'tapir':>16}  {'against':18}{'ratio':>8}  {'(least  greatest)':19}{'wanted':>8}"]
    last = None
    for r in rows:
        g = r.goal
        title, value = (g.title, f"{number(r.value)} {g.unit}") if (g.title, g.mine) != last else ("", "")
        last = (g.title, g.mine)
        ratio = number(r.median) if g.other else ""
        spread = f"({number(min(r.ratios))}  {number(max(r.ratios))})"
        wanted = f"{g.op} {g.wanted:g}" if g.op else ""
        verdict = {True: "", False: "  NOT REACHED", None: ""}[r.reached]
        lines.append(f"{title:52}{value:>16}  {r.against:18}{ratio:>8}  {spread:19}{wanted:>8}{verdict}".rstrip())
    lines.append("")
    lines += [f"missing: {NAMES.get(p, p)}: {why}" for p, why in missing.items()]
    lines += [f"failed: {f}" for f in failures]
    wanted = [r for r in rows if r.reached is not None]
    lines.append(f"{sum(r.reached for r in wanted)} of {len(wanted)} goals reached")
    return "\n".join(lines) + "\n"


# ---- the chart ------------------------------------------------------------------------------------------------------

LABEL, WIDTH, BAR, LEFT = 430, 960, 20, 440
DECADES = (1 / 8, 8)            # the ends of the axis, in times the goal


def at(times):
    """Where on the axis, whose steps are factors of two."""
    low, high = (math.log2(d) for d in DECADES)
    x = min(max(math.log2(times), low), high)
    return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - 60)


def svg_of(head, rows):
    rows = [r for r in rows if r.goal.op]
    height = 70 + BAR * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="10" y="20" font-size="13">tapir, in times each goal: {html.escape(head)}</text>']
    for times in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8):
        x, colour = at(times), "black" if times == 1 else "#ddd"
        out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="45" y2="{height - 10}" stroke="{colour}"/>')
        out.append(f'<text x="{x:.0f}" y="40" text-anchor="middle">{times:g}</text>')
    for i, r in enumerate(rows):
        y = 50 + BAR * i
        ends = sorted(Row(r.goal, 0, [v]).times_goal for v in (min(r.ratios), max(r.ratios)))
        left, right = sorted((at(1), at(r.times_goal)))
        label = r.goal.title + (f" / {r.against}" if r.against else "")
        out.append(f'<text x="{LABEL}" y="{y + 13}" text-anchor="end">{html.escape(label[:72])}</text>')
        out.append(f'<rect x="{left:.1f}" y="{y + 3}" width="{max(right - left, 1):.1f}" height="{BAR - 6}" '
                   f'fill="{"#4a8" if r.reached else "#d64"}"/>')
        out.append(f'<line x1="{at(ends[0]):.1f}" x2="{at(ends[1]):.1f}" y1="{y + 10}" y2="{y + 10}" stroke="black"/>')
        out.append(f'<text x="{WIDTH - 50}" y="{y + 13}">{number(r.median)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def write(folder, head, rows, text, bench):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.txt").write_text(text, encoding="utf-8")
    (folder / "bench.svg").write_text(svg_of(head, rows), encoding="utf-8")
    raw = {"head": head, "missing": bench.missing, "failed": bench.failures,
           "rows": [{"what": r.goal.title, "against": r.against, "value": r.value, "unit": r.goal.unit, "median": r.median,
                     "ratios": r.ratios, "wanted": f"{r.goal.op} {r.goal.wanted}" if r.goal.op else None, "reached": r.reached}
                    for r in rows],
           "values": [{"what": w, "peer": p, "quantity": q, "rounds": list(v.values())} for (w, p, q), v in bench.values.items()]}
    (folder / "bench.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
