"""python -m bench.critic, from the repository; see the package."""

from __future__ import annotations

import os
import sys


def main() -> int:
    # before numpy, torch and onnxruntime are loaded, because everything is timed on one core
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    from bench.critic.run import main as measured

    return measured()


if __name__ == "__main__":
    sys.exit(main())
