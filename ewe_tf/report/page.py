"""One page for a person to read: what was measured, who was recognised, what it cost."""

import statistics

from ewe_tf.report import charts
from ewe_tf.report import pictures
from ewe_tf.report import records as records_lib
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
    several = row["count"] > 1
    span = f"{percent(row[field + '_min'], 0)}–{percent(row[field + '_max'], 0)}"
    below = f"<small>{span}</small>" if several else ""
    return f"<td>{percent(row[field])}{bar}{below}</td>"


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
    sign = "●" if row["evidence"] == row["verdicts"] else "◐"
    return f'<span class="yes">{sign} {count}</span>'


def _scheme_table(rows):
    attacked = any(row["attack"] for row in rows)
    keyed = any(row["rate_key"] is not None for row in rows)
    head = ['<th class="word">model</th>']
    head += ['<th class="word">attack</th>'] if attacked else []
    head += ["<th>models</th>", "<th>accuracy %</th>", "<th>held-out triggers %</th>"]
    head += ["<th>selected keys %</th>"] if keyed else []
    head += ["<th>largest p</th>", "<th>queries</th>", '<th class="word">evidence</th>']
    body = []
    for row in rows:
        honest = ' class="honest"' if row["role"] in _HONEST else ""
        queries = "–" if row["queries"] is None else f"{row['queries']:g}"
        cells = [f'<th scope="row">{escape(row["role"])}</th>']
        cells += [f'<td class="word">{escape(row["attack"] or "–")}</td>'] if attacked else []
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
    """Schemes side by side: a row for each role and attack, the mark's rate in the cells."""
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    lines = records_lib.group(rows, "role", "attack")
    head = "".join(f"<th>{escape(scheme)}</th>" for scheme in schemes)
    body = []
    for (role, attack), part in lines.items():
        by_scheme = {row["scheme"]: row for row in part}
        cells = []
        for scheme in schemes:
            row = by_scheme.get(scheme)
            if row is None or row["rate_held_out"] is None:
                cells.append("<td>–</td>")
                continue
            accuracy = "" if row["accuracy"] is None else f"acc. {percent(row['accuracy'])}"
            cells.append(
                f"<td>{percent(row['rate_held_out'])} {_verdict(row)}<small>{accuracy}</small></td>"
            )
        name = f"{role}, {attack}" if attack else role
        honest = ' class="honest"' if role in _HONEST else ""
        body.append(f'<tr{honest}><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
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
    for attack, markup in charts.attack_curves(records):
        words = "Mean over the models at each strength. "
        figures.append(_figure(f"Removal: {attack}", markup, words + source))
    for record in drawings:
        about = escape(record["caption"]) + " " if record.get("caption") else ""
        about += _source([record]) or source
        if record["figure"] == "evidence":
            markup = charts.evidence_over_queries(record["curves"], record.get("alpha"))
            title = record.get("title") or "Evidence over queries"
            about = "Lower is stronger. " + about
        else:
            markup = pictures.draw(record, arrays(record["file"]))
            default = {"triggers": "Triggers and their sources", "features": "Features"}
            title = record.get("title") or default[record["figure"]]
        figures.append(_figure(title, markup, about, full=record["figure"] == "triggers"))
    return f'<div class="figures">{"".join(figures)}</div>'


def _section(experiment, dataset, records, drawings, arrays):
    rows = records_lib.summarise(records)
    schemes = records_lib.group(rows, "scheme")
    names = [scheme for (scheme,) in schemes]
    best = next((name for name in names if name.casefold() == "ewe"), names[0])
    name = escape(_name(experiment, dataset))
    parts = [f'<h2 id="{escape(experiment)}-{escape(dataset)}">{name}</h2>']
    parts.append(_tiles([record for record in records if record["scheme"] == best]))
    key = (
        '<p class="soft">Means over the models; below a rate its smallest and largest, below '
        "an accuracy the standard deviation. ● recognised, ◐ some recognised, ○ no "
        f"evidence, ✗ innocent and accused. {_source(records)}</p>"
    )
    if len(schemes) == 1:
        parts += [_scheme_table(rows), key, _figures(records, drawings, arrays)]
        return "".join(parts)
    parts.append(f'<p class="soft">Above: {escape(best)}. Rates and accuracies in per cent.</p>')
    parts += ["<h3>Schemes side by side: held-out triggers</h3>", _matrix(rows), key]
    parts.append(_figures(records, drawings, arrays))
    for (scheme,), mine in schemes.items():
        parts.append(f"<h3>All figures of {escape(scheme)}</h3>{_scheme_table(mine)}")
    return "".join(parts)


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
