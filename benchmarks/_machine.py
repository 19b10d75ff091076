"""What a timing depends on beside the code: hardware, threads, versions."""

import os
import platform

import tensorflow as tf

from ewe_tf.versions import versions

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def machine():
    """Dict with the processor, cores, limits on threads, load, and the versions in use."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ.get(name) for name in _THREADS},
        "accelerators": [
            device.name
            for device in tf.config.list_physical_devices()
            if device.device_type != "CPU"
        ],
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "versions": versions(),
    }


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
