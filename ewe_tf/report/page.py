"""One page for a person to read: what was measured, who was recognised, what it cost."""

import statistics

from ewe_tf.report import charts
from ewe_tf.report import curves
from ewe_tf.report import pictures
from ewe_tf.report import records as records_lib
from ewe_tf.report import removals
from ewe_tf.report.style import CSS
from ewe_tf.report.svg import escape
from ewe_tf.report.table import percent
from ewe_tf.report.table import small

_HONEST = records_lib.INNOCENT_ROLES


def _tile(figure, words):
    return f'<div class="tile"><b>{escape(figure)}</b><span>{escape(words)}</span></div>'


def _tiles(records):
    """The four or five numbers that matter most, for one data set and one scheme."""
    plain = [record for record in records if not record.get("attack")]
    tiles = []

    def known(field, *roles):
        return records_lib.values([r for r in plain if r["role"] in roles], field)

    victim = known("accuracy", "victim")
    twin = known("twin_accuracy", "victim") or known("accuracy", "twin")
    if victim and twin:
        victim, twin = statistics.fmean(victim), statistics.fmean(twin)
        prices = known("price", "victim") or [100 * (twin - victim)]
        words = f"price of the mark: accuracy {percent(victim)} %, clean twin {percent(twin)} %"
        tiles.append(_tile(f"{statistics.fmean(prices):.2f} points", words))
    for role in ("label-only", "soft", "other architecture"):
        rates = known("rate_held_out", role)
        if rates:
            worst = f", the worst {percent(min(rates), 0)} %" if len(rates) > 1 else ""
            words = f"{role} copies on held-out triggers{worst}"
            tiles.append(_tile(f"{percent(statistics.fmean(rates))} %", words))
    innocent = known("rate_held_out", *_HONEST)
    if innocent:
        words = f"the worst of {len(innocent)} innocent models on held-out triggers"
        tiles.append(_tile(f"{percent(max(innocent))} %", words))
    stolen = [r for r in plain if r["role"] not in (*_HONEST, "victim") and r.get("decision")]
    accused = [r for r in plain if r["role"] in _HONEST and r.get("decision")]
    if stolen:
        right = sum(record["decision"] == "evidence" for record in stolen)
        wrong = sum(record["decision"] == "evidence" for record in accused)
        words = "stolen copies recognised"
        words += f"; {wrong} of {len(accused)} innocent models accused" if accused else ""
        tiles.append(_tile(f"{right} of {len(stolen)}", words))
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def _share_cell(row, field):
    if row[field] is None:
        return "<td>–</td>"
    bar = f'<span class="bar"><i style="width:{100 * row[field]:.0f}%"></i></span>'
    known = field == "rate_held_out" and row["rate_low"] is not None
    below = f"<small>{_ends(row)}</small>" if known else ""
    return f"<td>{percent(row[field])}{bar}{below}</td>"


def _ends(row):
    return f"{percent(row['rate_low'], 0)}–{percent(row['rate_high'], 0)}"


def _accuracy_cell(row):
    if row["accuracy"] is None:
        return "<td>–</td>"
    sd = row["accuracy_sd"]
    below = "" if sd is None else f"<small>± {percent(sd, 2)}</small>"
    return f"<td>{percent(row['accuracy'], 2)}{below}</td>"


def _verdict(row):
    """Words and a sign, so that the verdict can be read without colours."""
    if not row["verdicts"]:
        return ""
    honest = row["role"] in _HONEST
    count = f"{row['evidence']} of {row['verdicts']}"
    if honest and row["evidence"]:
        return f'<span class="wrong">✗ {count} accused</span>'
    if honest or not row["evidence"]:
        return f'<span class="no">○ {count}</span>'
    return f'<span class="yes">{removals.verdict_sign(row)} {count}</span>'


def _scheme_table(rows):
    keyed = any(row["rate_key"] is not None for row in rows)
    head = ['<th class="word">model</th>']
    head += ["<th>models</th>", "<th>accuracy %</th>", "<th>held-out triggers %</th>"]
    head += ["<th>selected keys %</th>"] if keyed else []
    head += ["<th>largest p</th>", "<th>queries</th>", '<th class="word">evidence</th>']
    body = []
    for row in rows:
        honest = ' class="honest"' if row["role"] in _HONEST else ""
        queries = "–" if row["queries"] is None else f"{row['queries']:g}"
        cells = [f'<th scope="row">{escape(row["role"])}</th>']
        cells += [f"<td>{row['count']}</td>", _accuracy_cell(row)]
        cells += [_share_cell(row, "rate_held_out")]
        cells += [_share_cell(row, "rate_key")] if keyed else []
        p_value = "–" if row["p_value"] is None else escape(small(row["p_value"]))
        cells += [f"<td>{p_value}</td>", f"<td>{queries}</td>"]
        cells += [f'<td class="word">{_verdict(row)}</td>']
        body.append(f"<tr{honest}>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table class="data"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _matrix(rows):
    """Schemes side by side: a row for each role, the mark's rate in the cells."""
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    lines = records_lib.group(rows, "role")
    head = "".join(f"<th>{escape(scheme)}</th>" for scheme in schemes)
    body = []
    for (role,), part in lines.items():
        by_scheme = {row["scheme"]: row for row in part}
        cells = []
        for scheme in schemes:
            row = by_scheme.get(scheme)
            if row is None:
                cells.append("<td>–</td>")
                continue
            rate = "" if row["rate_held_out"] is None else percent(row["rate_held_out"])
            below = [] if row["rate_low"] is None else [_ends(row)]
            below += [] if row["accuracy"] is None else [f"acc. {percent(row['accuracy'])}"]
            cells.append(f"<td>{rate} {_verdict(row)}<small>{', '.join(below)}</small></td>")
        honest = ' class="honest"' if role in _HONEST else ""
        body.append(f'<tr{honest}><th scope="row">{escape(role)}</th>{"".join(cells)}</tr>')
    return (
        '<div class="wide"><table class="data"><thead><tr><th class="word">model</th>'
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _figure(title, markup, caption, full=False):
    wide = ' class="full"' if full else ""
    return (
        f"<figure{wide}><h3>{escape(title)}</h3>{markup}<figcaption>{caption}</figcaption></figure>"
    )


def _failed(records):
    if not records:
        return ""
    items = "".join(
        f"<li>{escape(r['scheme'])}, seed {r['seed']}: {escape(r.get('error', ''))}</li>"
        for r in records
    )
    return f'<h2>Not measured</h2><ul class="wrong">{items}</ul>'


def _source(records):
    """Seeds and command of some records, for the captions."""
    seeds = sorted({record["seed"] for record in records if "seed" in record})
    commands = list(dict.fromkeys(records_lib.values(records, "command")))
    parts = []
    if seeds:
        word = "Seed" if len(seeds) == 1 else "Seeds"
        parts.append(f"{word} {', '.join(map(str, seeds))}.")
    parts += [f"<code>{escape(command)}</code>" for command in commands]
    return " ".join(parts)


def _figures(records, drawings, arrays):
    source = _source(records)
    figures = []
    scatter = charts.accuracy_against_mark(records)
    if scatter:
        words = "Each point is one model: what it can do, and how clearly it shows the mark. "
        figures.append(_figure("What the mark and the thief pay", scatter, words + source))
    schemes = records_lib.group(records, "scheme")
    for (scheme,), part in schemes.items():
        null = charts.null_against_copies(part)
        if null:
            title = "Innocent models against stolen copies"
            title += f": {scheme}" if len(schemes) > 1 else ""
            words = "Squares are models trained without the mark. "
            figures.append(_figure(title, null, words + _source(part)))
    words = "Means over the models. "
    if markup := curves.query_curve(records):
        figures.append(_figure("What more queries give the thief", markup, words + source))
    for title, markup in curves.removal_curves(records):
        figures.append(_figure(title, markup, words + source))
    for record in drawings:
        about = escape(record["caption"]) + " " if record.get("caption") else ""
        about += _source([record]) or source
        if record["figure"] == "evidence":
            markup = charts.evidence_over_queries(record["curves"], record.get("alpha"))
            title = record.get("title") or "Evidence over queries"
            about = "Lower is stronger. " + about
        else:
            markup = pictures.draw(record, arrays(record["file"]))
            default = {"triggers": "Triggers and their controls", "features": "Features"}
            title = record.get("title") or default[record["figure"]]
        figures.append(_figure(title, markup, about, full=record["figure"] == "triggers"))
    return f'<div class="figures">{"".join(figures)}</div>'


def _section(experiment, dataset, records, drawings, arrays):
    rows = records_lib.summarise(records)
    plain = [row for row in rows if not row["attack"]]
    schemes = records_lib.group(plain, "scheme")
    names = [scheme for (scheme,) in schemes]
    name = escape(_name(experiment, dataset))
    parts = [f'<h2 id="{escape(experiment)}-{escape(dataset)}">{name}</h2>']
    key = (
        '<p class="soft">Means over the models. Below a rate its 95 % Clopper-Pearson interval '
        "(of several models the lowest and the highest end), below an accuracy the standard "
        "deviation. ● recognised, ◐ some recognised, ○ no evidence, ✗ innocent and accused. "
        f"{_source(records)}</p>"
    )
    if names:
        best = next((name for name in names if name.casefold() == "ewe"), names[0])
        parts.append(_tiles([record for record in records if record["scheme"] == best]))
    if len(names) > 1:
        parts.append(
            f'<p class="soft">Above: {escape(best)}. Rates and accuracies in per cent.</p>'
            f"<h3>Schemes side by side: held-out triggers</h3>{_matrix(plain)}{key}"
        )
    elif names:
        parts += [_scheme_table(plain), key]
    parts += [_removals([row for row in rows if row["attack"]], records)]
    parts.append(_figures(records, drawings, arrays))
    if len(names) > 1:
        for (scheme,), mine in schemes.items():
            parts.append(f"<h3>All figures of {escape(scheme)}</h3>{_scheme_table(mine)}")
    return "".join(parts)


def _removals(rows, records):
    if not rows:
        return ""
    tiles = []
    for scheme, (succeeded, tried) in removals.counts(rows).items():
        if tried:
            words = f"removals succeed against {scheme}, of those on copies with evidence"
            tiles.append(_tile(f"{succeeded} of {tried}", words))
    tiles = f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""
    attacked = [record for record in records if record.get("attack")]
    words = f'<p class="soft">{removals.WORDS} {_source(attacked)}</p>'
    return f"<h3>Attacks on the mark</h3>{tiles}{removals.table(rows)}{words}"


def _name(experiment, dataset):
    return dataset if experiment == dataset else f"{dataset}: {experiment}"


def render(records, arrays, *, title="Watermarks under extraction", subtitle=""):
    """The page as one string: no file, no font and no script from anywhere else.

    Args:
        records: Records of models and of figures, see `ewe_tf.report.records`.
        arrays: Function from a figure's `file` to its arrays by name.
        title, subtitle: What the page is called, and a sentence below.

    Raises:
        ValueError: If there is no record of a model.
    """
    measured = records_lib.models(records)
    if not measured:
        raise ValueError("`records` must hold at least one model's record.")
    figures = [record for record in records if "figure" in record]
    places = records_lib.group(measured, "experiment", "dataset")
    first = next(iter(places))
    sections, links = [], []
    for place, mine in places.items():
        drawings = [
            record
            for record in figures
            if (record.get("experiment", first[0]), record.get("dataset", first[1])) == place
        ]
        sections.append(_section(*place, mine, drawings, arrays))
        links.append(f'<a href="#{escape("-".join(place))}">{escape(_name(*place))}</a>')
    nav = f"<nav>{''.join(links)}</nav>" if len(links) > 1 else ""
    below = f'<p class="soft">{escape(subtitle)}</p>' if subtitle else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{below}{nav}{''.join(sections)}"
        f"{_failed(records_lib.failures(records))}</main></body></html>\n"
    )
