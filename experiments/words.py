"""The grid's mini-language: `name`, `name:setting=value:…`, and chains of these with `+`.

    finetune
    finetune:learning_rate=3e-3:labels=200
    prune:sparsity=0.8+finetune

A hyphen may stand for a blank, so that shells need no quotes: `other-architecture`.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Word:
    """One name with the settings that were stated.

    Attributes:
        name: as the registry spells it.
        settings: dict from a setting to its value: integer, float, boolean or string.
    """

    name: str
    settings: dict

    def __str__(self):
        return " ".join([self.name, *(f"{k}={_text(v)}" for k, v in self.settings.items())])


def parse_chain(text, known, what):
    """The words of a chain, in order.

    Args:
        text: such as `"prune:sparsity=0.8+finetune"`.
        known: dict from each name to the settings it accepts (a container of strings).
        what: what the names are names of, for messages.

    Returns:
        Tuple of `Word`.

    Raises:
        ValueError: for a name or a setting that does not exist; the message lists those that do.
    """
    return tuple(parse(part, known, what) for part in text.split("+"))


def parse(text, known, what):
    """One word; arguments and errors as for `parse_chain`."""
    stated, *pairs = (part.strip() for part in text.split(":"))
    spelled = {_plain(name): name for name in known}
    if _plain(stated) not in spelled:
        raise ValueError(f"there is no {what} {stated!r}. There are: {', '.join(known)}")
    name = spelled[_plain(stated)]
    settings = {}
    for pair in pairs:
        setting, equals, value = pair.partition("=")
        if not equals or setting not in known[name]:
            raise ValueError(
                f"{what} {name!r} has no setting {pair!r}. It has: "
                + ", ".join(f"{setting}=" for setting in sorted(known[name]))
            )
        settings[setting] = _value(value)
    return Word(name, settings)


def _plain(name):
    return name.replace("-", " ").casefold()


def _value(text):
    if text.casefold() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.casefold()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
