"""The reference must not forget a public name: those of a room that its module shadows, too."""

import importlib.util
import pathlib
import re

import pytest

import ewe_tf

PAGES = pathlib.Path(__file__).parents[2] / "docs" / "api"
# Rooms on a page with another one.
TOGETHER = {"losses": "triggers", "datasets": "models"}
ROOMS = ("datasets", "extraction", "keys", "losses", "models", "oracle", "removal", "report",
         "serving", "triggers", "verification", "watermarks")  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_on_its_page(room):
    module = importlib.import_module(f"ewe_tf.{room}")
    text = "".join(
        (PAGES / f"{page}.md").read_text() for page in (TOGETHER.get(room, room), "index")
    )
    named = re.findall(r"^::: (\S+)$", text, re.M)
    for name in module.__all__:
        # A function named like its file is hidden behind the file, and so is asked for by name.
        shadowed = importlib.util.find_spec(f"ewe_tf.{room}.{name}") is not None
        whole = f"ewe_tf.{room}" in named and not shadowed
        assert whole or any(entry.endswith(f".{name}") for entry in named), name


def test_the_first_page_names_all_that_the_package_offers():
    text = (PAGES / "index.md").read_text()
    assert {f"ewe_tf.{name}" for name in ewe_tf.__all__ if name != "__version__"} <= set(
        re.findall(r"`(ewe_tf\.\w+)`", text)
    )
