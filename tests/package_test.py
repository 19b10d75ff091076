"""The package as installed: it imports, cheaply, and its papers agree with each other."""

import configparser
import pathlib
import re
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

import ewe_tf

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser()
    assert parser.read(ROOT / "setup.cfg")
    return parser


def _requirements(text):
    return [Requirement(line) for line in text.split("\n") if line and line[0] != "#"]


def test_versions_agree(setup_cfg):
    version = setup_cfg["metadata"]["version"]
    assert ewe_tf.__version__ == version
    module = (ROOT / "MODULE.bazel").read_text()
    assert re.search(r'^    version = "(.*)",$', module, re.MULTILINE)[1] == version


def test_every_requirement_is_bounded_on_both_sides(setup_cfg):
    texts = [setup_cfg["options"]["install_requires"]]
    texts += setup_cfg["options.extras_require"].values()
    for requirement in (r for text in texts for r in _requirements(text)):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators in ({"=="}, {">=", "<"}), requirement


def test_this_environment_fits_the_requirements(setup_cfg):
    for requirement in _requirements(setup_cfg["options"]["install_requires"]):
        assert requirement.specifier.contains(metadata.version(requirement.name)), requirement


def test_import_leaves_the_optional_packages_alone():
    heavy = ["matplotlib", "sklearn", "ray", "tf_keras", "tensorflow_datasets"]
    heavy += ["tensorflow_model_optimization"]
    code = f"import sys, ewe_tf; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip() == "[]"


def test_no_test_hides_behind_another_name():
    files = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")}
    assert not [path for path in files if path.name.startswith("test_")]


def test_everything_in_the_package_is_installed(setup_cfg):
    patterns = setup_cfg["options.package_data"]["*"].split() + ["*.py", "BUILD"]
    package = ROOT / "ewe_tf"
    files = [p for p in package.rglob("*") if p.is_file() and p.parent.name != "__pycache__"]
    folders = {path.parent for path in files}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
    assert not [path for path in files if not any(path.match(each) for each in patterns)]
