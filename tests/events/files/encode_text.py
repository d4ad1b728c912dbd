"""Writes text as the Event-Camera Dataset does: seconds with six digits, x, y, and 0 or 1."""

SIZELESS = True


def write(path, events):
    lines = ["# t x y p\n"]  # so that a file without events is not an empty one
    for x, y, t, p in zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True):
        lines.append(f"{t // 10**6}.{t % 10**6:06d} {x} {y} {p}\n")
    path.write_text("".join(lines))
