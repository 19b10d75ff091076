"""Python programs that behave under `bazel run` as they do under `python -m`."""

load("@rules_python//python:defs.bzl", "py_binary")

_TEXT = '''import os
import runpy

# Bazel starts a program in its own tree of links; paths are meant from the user's folder.
os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
'''

def _module_main_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".py")
    ctx.actions.write(out, _TEXT.format(module = ctx.attr.module))
    return [DefaultInfo(files = depset([out]))]

_module_main = rule(
    implementation = _module_main_impl,
    attrs = {"module": attr.string(mandatory = True)},
    doc = "A file that runs a module in the folder where the user stands.",
)

def programs(package, srcs, deps):
    """One `py_binary` for each file: `bazel run //experiments:mnist` is `experiments.mnist`.

    Args:
        package: The Python package that the files are in.
        srcs: The files, in this folder.
        deps: Libraries, the one that holds the files themselves among them.
    """
    for src in srcs:
        name = src[:-len(".py")]
        main = "_%s_main" % name
        _module_main(name = main, module = "%s.%s" % (package, name))
        py_binary(
            name = name,
            srcs = [main],
            main = main + ".py",
            deps = deps,
        )
