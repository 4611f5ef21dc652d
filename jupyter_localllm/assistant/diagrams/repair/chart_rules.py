"""Repairs of Mermaid's pie and Gantt charts, mind maps and timelines."""

from __future__ import annotations

import re
from datetime import date

from .flow_rules import as_id, quoted
from .repairs import Fault, Rule

_SLICE = re.compile(
    r"(?P<indent>\s*)(?:[-*•]\s+)?[\"'“”‘’]?(?P<label>[^\"“”\n]+?)[\"'“”‘’]?\s*(?:[:：=,]|\s-|\s(?=[\d$]))\s*"
    r"[\"'$€£~]?(?P<value>\d[\d,_ ]*(?:\.\d+)?|\.\d+)\s*(?P<unit>[\"']?\s*%?[^\d\"]{0,24}?)\s*"
)


# --- pie ------------------------------------------------------------------------------------


def _mend_slices(source: str, fault: Fault) -> str:
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if number == 0 or re.match(r"\s*(?:title|showData|%%|acc)", line):
            continue
        match = _SLICE.fullmatch(line)
        if match is None:
            continue
        value = re.sub(r"[,_ ]", "", match["value"])
        value = f"0{value}" if value.startswith(".") else value
        label = match["label"].strip().replace('"', "'")
        lines[number] = f'{match["indent"]}"{label}" : {value}'
    return "\n".join(lines)


def _mend_pie_title(source: str, fault: Fault) -> str:
    """``showData`` on a line of its own, ``title: X``."""
    lines = source.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if re.fullmatch(r"\s*showData\s*", line, re.IGNORECASE):
            del lines[number]
            lines[0] = re.sub(r"^(\s*pie)\b", r"\1 showData", lines[0])
            break
    return re.sub(r"(?m)^(\s*(?:pie\s+)?(?:showData\s+)?title)\s*[:=]\s*", r"\1 ", "\n".join(lines))


PIE_RULES: tuple[Rule, ...] = (
    Rule("pie title", "The title was written as Mermaid wants it.", _mend_pie_title),
    Rule("pie slices", "Slices were written as a quoted name and a number.", _mend_slices),
)


# --- gantt ----------------------------------------------------------------------------------

_SETTING = re.compile(
    r"\s*(?:gantt|title|dateFormat|axisFormat|tickInterval|todayMarker|section|excludes|includes"
    r"|inclusiveEndDates|topAxis|weekday|weekend|click|acc\w+|%%|$)"
)
_DAY = r"\d{4}-\d{1,2}-\d{1,2}"


def _mend_tasks(source: str, fault: Fault) -> str:
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if not _SETTING.match(line):
            lines[number] = _task(line)
    return "\n".join(lines)


def _task(line: str) -> str:
    text = re.sub(r"\s*[;,]\s*$", "", line)
    if ":" not in text:
        bracketed = re.fullmatch(r"(\s*.*?)\s*[\[(](.*\d.*)[\])]", text)
        start = re.search(
            rf"(?:[-–]\s*)?((?:\w+\s*,\s*)*(?:{_DAY}|after \w+|\d+\s*[dwhm]\b).*)$", text
        )
        if bracketed is not None:
            text = f"{bracketed[1]} :{bracketed[2]}"
        elif start is not None:
            text = f"{text[: start.start()].rstrip()} :{start[1]}"
    head, _colon, data = text.partition(":")
    if not data.strip():
        return f"{head.rstrip()} :1d"
    if ":" in data and not re.search(r"\d\d:\d\d", data):
        # The last colon is the one before the dates.
        name, _, data = data.rpartition(":")
        head = f"{head.rstrip()} - {name.strip()} "
    data = re.sub(rf"({_DAY})\s*(?:-|–|—|to|until|->|-->|→)\s*({_DAY})", r"\1, \2", data)
    data = re.sub(rf"(?:from|start:?|starts?)\s+({_DAY})", r"\1", data)
    data = re.sub(r"\b(\d+)\s*(?:days?|D)\b", r"\1d", data)
    data = re.sub(r"\b(\d+)\s*(?:weeks?|W)\b", r"\1w", data)
    data = re.sub(r"\b(\d+)\s*(?:hours?|hrs?)\b", r"\1h", data)
    data = re.sub(rf"({_DAY})\s+(?=\d+[dwhm]\b)", r"\1, ", data)
    data = re.sub(rf"^(\s*\w+)\s+({_DAY})", r"\1, \2", data)
    return f"{head}:{data}"


def _mend_dates(source: str, fault: Fault) -> str:
    """Make dates that do not exist the nearest ones; give a start an end; drop a third date."""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if _SETTING.match(line) or ":" not in line:
            continue
        head, _, data = line.partition(":")
        data = re.sub(r"\d{4}-\d{1,2}-\d{1,2}", _real_day, data)
        fields = [field.strip() for field in data.split(",")]
        days = [field for field in fields if re.fullmatch(_DAY, field)]
        spans = [field for field in fields if re.fullmatch(r"\d+(?:\.\d+)?[dwhmMy]", field)]
        if len(days) == 2 and spans:
            fields.remove(spans[0])
        tags = {"done", "active", "crit", "milestone", "vert"}
        plain = [field for field in fields if field not in tags]
        if len(plain) == 2 and days == plain[1:] and not re.match(r"after\b", plain[0]):
            fields.append("1d")
        elif len(plain) == 2 and not days and not spans and "after" not in data:
            fields = [*(f for f in fields if f in tags), plain[0], plain[1], "1d"]
        made = f"{head}:{', '.join(fields)}"
        lines[number] = (
            line if fields == [f.strip() for f in line.partition(":")[2].split(",")] else made
        )
    return "\n".join(lines)


def _real_day(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match[0].split("-"))
    if month > 12 and day <= 12:
        month, day = day, month
    month = min(max(month, 1), 12)
    for last in range(min(max(day, 1), 31), 27, -1):
        try:
            return date(max(year, 1), month, last).isoformat()
        except ValueError:
            continue
    return date(max(year, 1), month, max(1, min(day, 28))).isoformat()


def _mend_date_format(source: str, fault: Fault) -> str:
    """Set the format that the dates are really in."""
    found = None
    for pattern, name in (
        (r":[^\n]*\b\d{4}-\d\d-\d\d\b", "YYYY-MM-DD"),
        (r":[^\n]*\b\d{4}/\d\d/\d\d\b", "YYYY/MM/DD"),
        (r":[^\n]*\b\d\d\.\d\d\.\d{4}\b", "DD.MM.YYYY"),
        (r":[^\n]*\b(?:1[3-9]|2\d|3[01])/\d\d/\d{4}\b", "DD/MM/YYYY"),
        (r":[^\n]*\b\d\d/\d\d/\d{4}\b", "MM/DD/YYYY"),
    ):
        if re.search(pattern, source):
            found = name
            break
    if found is None:
        return source
    if re.search(r"(?m)^\s*dateFormat\b", source):
        return re.sub(r"(?m)^(\s*)dateFormat\b.*$", rf"\1dateFormat {found}", source)
    return re.sub(r"(?m)^(\s*gantt\b.*)$", rf"\1\n    dateFormat {found}", source, count=1)


def _mend_settings(source: str, fault: Fault) -> str:
    text = re.sub(r"(?mi)^(\s*)(?:date[ _]?format)\s*[:=]?\s*(?=\S)", r"\1dateFormat ", source)
    text = re.sub(r"(?mi)^(\s*)(?:axis[ _]?format)\s*[:=]?\s*(?=\S)", r"\1axisFormat ", text)
    return re.sub(r"(?mi)^(\s*)(title|section)\s*:\s*", r"\1\2 ", text)


GANTT_RULES: tuple[Rule, ...] = (
    Rule("gantt settings", "Settings were written as Mermaid spells them.", _mend_settings),
    Rule("gantt tasks", "Tasks were given a colon, commas and a length.", _mend_tasks),
    Rule("gantt dates", "Dates that do not exist or are missing were set.", _mend_dates),
    Rule("gantt date format", "The format of the dates was set.", _mend_date_format),
)


# --- mind maps ------------------------------------------------------------------------------

_NODE = re.compile(r"(?P<indent>[ \t]*)(?P<text>\S.*?)\s*")
_SHAPED = re.compile(r"[\w-]*(?:\(\(.*\)\)|\[.*\]|\(.*\)|\{\{.*\}\}|\)\).*\(\(|\).*\()")


def _mend_tree(source: str, fault: Fault) -> str:
    """Bullets and headings become indentation; tabs become blanks."""
    lines = source.expandtabs(4).split("\n")
    level = 0
    made: list[str] = lines[:1]
    for line in lines[1:]:
        heading = re.match(r"\s*(#+)\s+(.*)", line)
        bullet = re.match(r"(\s*)(?:[-*+•]|\d+[.)])\s+(.*)", line)
        if heading is not None:
            level = 2 * len(heading[1])
            made.append(" " * level + heading[2])
        elif bullet is not None:
            made.append(" " * (level + len(bullet[1]) + (2 if level else 0)) + bullet[2])
        else:
            made.append(line)
    return "\n".join(made)


def _mend_roots(source: str, fault: Fault) -> str:
    """Put everything below the first node: a mind map has one root."""
    lines = source.split("\n")
    nodes = [
        n
        for n, line in enumerate(lines)
        if n and line.strip() and not line.strip().startswith("%%")
    ]
    if len(nodes) < 2:
        return source
    indents = {n: len(lines[n]) - len(lines[n].lstrip()) for n in nodes}
    root = indents[nodes[0]]
    least = min(indents[n] for n in nodes[1:])
    if least > root:
        return source
    for n in nodes[1:]:
        lines[n] = " " * (root - least + 2) + lines[n]
    return "\n".join(lines)


def _quote_nodes(source: str, fault: Fault) -> str:
    """Texts with brackets in them get quotes; they would be read as shapes."""
    lines = source.split("\n")
    for number, line in enumerate(lines[1:], 1):
        match = _NODE.fullmatch(line)
        if match is None or match["text"].startswith(("%%", "::")):
            continue
        text = match["text"].rstrip(";")
        shape = re.fullmatch(r"([\w-]*)(\(\(|\{\{|\[|\()(.*?)(\)\)|\}\}|\]|\))", text)
        pairs = {"((": "))", "{{": "}}", "[": "]", "(": ")"}
        is_shape = shape is not None and pairs[shape[2]] == shape[4]
        if shape is not None and is_shape and not re.search(r"[()\[\]{}\"]", shape[3]):
            continue
        if shape is not None and is_shape:
            if re.fullmatch(r'"[^"]*"', shape[3]):
                continue
            body = quoted(shape[3]).replace("#quot;", "'")
            lines[number] = f"{match['indent']}{shape[1]}{shape[2]}{body}{shape[4]}"
        elif re.search(r"[()\[\]{}]", text):
            opening = re.match(r"([\w-]*)(\(\(|\{\{|\[|\()([^()\[\]{}]+)[)\]}]*$", text)
            if opening is not None:
                made = f"{opening[1]}{opening[2]}{opening[3].strip()}{pairs[opening[2]]}"
            else:
                made = f"{as_id(text)}[{quoted(text).replace('#quot;', chr(39))}]"
            lines[number] = f"{match['indent']}{made}"
    return "\n".join(lines)


MINDMAP_RULES: tuple[Rule, ...] = (
    Rule("mindmap tree", "Bullets, headings and tabs became indentation.", _mend_tree),
    Rule("mindmap quotes", "Texts with brackets were quoted.", _quote_nodes),
    Rule("mindmap root", "All branches were put below the first line.", _mend_roots),
)


# --- timelines ------------------------------------------------------------------------------


def _mend_periods(source: str, fault: Fault) -> str:
    text = re.sub(r"(?m)^(\s*section\s+[^:\n]*?)\s*:\s*(\S.*)$", r"\1 - \2", source)
    text = re.sub(r"(?m)^(\s*section\s+[^:\n]*?)\s*:\s*$", r"\1", text)
    text = re.sub(r"(?m)^(\s*title)\s*:\s*", r"\1 ", text)
    text = re.sub(r"(?m)(\b\d{1,2}):(?=\d\d\b)", r"\1#colon;", text)
    return re.sub(r"(?m)(?<=\S)\s*[:：](?!:)(?=[^\s:])", " : ", text)


def _mend_events(source: str, fault: Fault) -> str:
    """Bullets below a period are its events; an event before any period becomes one."""
    lines = source.split("\n")
    has_period = False
    for number, line in enumerate(lines):
        if number == 0 or re.match(r"\s*(?:title|section|%%|#|acc|$)", line):
            continue
        bullet = re.fullmatch(r"(\s+)[-*•]\s+([^:]*)", line)
        if bullet is not None and has_period:
            lines[number] = f"{bullet[1]}: {bullet[2]}"
        elif not has_period and re.match(r"\s*:", line):
            lines[number] = re.sub(r"^(\s*):\s*", r"\1", line)
        has_period = True
    return "\n".join(lines)


TIMELINE_RULES: tuple[Rule, ...] = (
    Rule("timeline periods", "Colons were written as Mermaid reads them.", _mend_periods),
    Rule("timeline events", "Events were put behind their period.", _mend_events),
)
