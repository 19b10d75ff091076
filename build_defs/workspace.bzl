"""The external repositories that the WORKSPACE mode needs, all made on the spot, offline."""

_RULES_PYTHON = {
    "python/defs.bzl": """
py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
""",
}

# Bazel 4 looks for the next three even when there is only Python to build, and would
# download them. No target here uses what they define.
_RULES_CC = {
    "cc/defs.bzl": """
cc_binary = native.cc_binary
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
""",
}

_RULES_JAVA = {
    "java/defs.bzl": """
java_import = native.java_import
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
""",
}

_COVERAGE_TOOLS = {
    "BUILD": """
package(default_visibility = ["//visibility:public"])

filegroup(name = "coverage_report_generator")

filegroup(name = "lcov_merger")
""",
}

def _written_repository_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % repository_ctx.name)
    files = repository_ctx.attr.files
    for path in files:
        repository_ctx.file(path, files[path])
        folder = path.rpartition("/")[0]
        if folder:
            repository_ctx.file(folder + "/BUILD", "")

_written_repository = repository_rule(
    implementation = _written_repository_impl,
    attrs = {"files": attr.string_dict(doc = "Path in the repository -> its text.")},
    doc = "A repository whose files are written out of the text given here.",
)

def ewe_tf_workspace():
    """Declares every external repository of this workspace."""
    _written_repository(name = "rules_python", files = _RULES_PYTHON)

    # Debian's build of 4.2.3 does not know its own version.
    if native.bazel_version == "" or native.bazel_version.startswith("4."):
        _written_repository(name = "rules_cc", files = _RULES_CC)
        _written_repository(name = "rules_java", files = _RULES_JAVA)
        _written_repository(name = "remote_coverage_tools", files = _COVERAGE_TOOLS)
