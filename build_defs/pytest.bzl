"""pytest files as Bazel tests."""

load("@rules_python//python:defs.bzl", "py_test")

_MAIN = "//build_defs:pytest_main.py"

def pytest_test(name, src, deps = [], data = [], args = [], **kwargs):
    """Runs one pytest file; without this, a file that has no `main` passes unread.

    Args:
        name: The target.
        src: The file, `*_test.py`.
        deps: Libraries that the test imports.
        data: Files that the test reads.
        args: More arguments for pytest.
        **kwargs: Passed on to `py_test` (`size`, `tags`, `shard_count`, ...).
    """
    py_test(
        name = name,
        srcs = [src, _MAIN],
        main = _MAIN,
        args = ["$(location %s)" % src] + args,
        deps = deps,
        data = data + [src, "//:project_files"],
        **kwargs
    )

def pytest_tests(srcs, **kwargs):
    """One `pytest_test` for each file, `losses/snnl_test.py` -> `losses/snnl_test`.

    Each is tagged with its folder (`--test_tag_filters=losses`).

    Args:
        srcs: The files.
        **kwargs: Passed on to every `pytest_test`.
    """
    for src in srcs:
        tags = [src.split("/")[0]] if "/" in src else []
        pytest_test(name = src[:-len(".py")], src = src, tags = tags, **kwargs)
