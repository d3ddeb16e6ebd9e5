"""Jupyter kernels that need not import PyTorch again: a process imports it once, and each kernel is a fork of it.

`quick_starts()` makes the kernels of this process such forks; a notebook is up in a tenth of a second instead of three seconds.
On systems that do not fork well (Windows, macOS) it changes nothing.
"""

import multiprocessing
import os
import signal
import sys
import time

from jupyter_client.provisioning import local_provisioner

# What most notebooks import; nothing here starts a thread.
PRELOADED = [
    "ipykernel.kernelapp",
    "torch",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "sympy",
    "nbdev.showdoc",
]


def kernel(command: list[str], folder: str | None, env: dict[str, str]) -> None:
    "Become the kernel that `command` (python -m ipykernel_launcher -f FILE …) would have started."
    os.setsid()
    if folder:
        os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = env.get("PYTHONPATH", "").split(os.pathsep)
    import matplotlib
    from ipykernel.kernelapp import launch_new_instance

    matplotlib.rcParams["backend"] = env.get(
        "MPLBACKEND", "agg"
    )  # matplotlib looked for it when it was imported
    launch_new_instance(argv=command[command.index("-f") :])


class Forked:
    "What Jupyter expects of a `subprocess.Popen`, for a process of `multiprocessing`."

    stdin = stdout = stderr = None

    def __init__(self, process):
        process.start()
        self.process, self.pid = process, process.pid
        while os.getpgid(self.pid) != self.pid:  # it leads a group of its own by the time that anybody asks
            time.sleep(0.001)

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


def quick_starts() -> None:
    "From now on the kernels that this process starts are forks of one that has imported PyTorch."
    if sys.platform != "linux":
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    def launch_kernel(command, cwd=None, env=None, **_):
        return Forked(context.Process(target=kernel, args=(command, cwd and str(cwd), dict(env))))

    local_provisioner.launch_kernel = launch_kernel
