"""Selects the environment variables that child processes get: those that they need, and no secrets.

A child opens other people's files and runs a large stack of libraries; AWS_*, HF_TOKEN or DATABASE_URL are none of its
business.
"""

import os
import re
from collections.abc import Mapping

NAMES = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    # Downloads of official weights
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
}
PREFIXES = (
    "LC_",
    "XDG_",
    "PYTHON",
    "YOLO_",
    "ULTRALYTICS_",
    "MPL",
    "OPENCV_",
    "MALLOC_",
    "CUDA_",
    "CUDNN_",
    "CUBLAS_",
    "NVIDIA_",
    "NCCL_",
    "GLOO_",
    "HIP_",
    "HSA_",
    "ROCM_",
    "ROCR_",
    "GPU_",
    "OMP_",
    "KMP_",
    "GOMP_",
    "MKL_",
    "OPENBLAS_",
    "NUMEXPR_",
    "BLIS_",
    "DNNL_",
    "ONEDNN_",
    "ATEN_",
    "TORCH",
    "PYTORCH_",
    "TRITON_",
)
# ULTRALYTICS_API_KEY begins as its settings do.
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS(WORD|WD|$)|CREDENTIAL|COOKIE", re.IGNORECASE)


class PassedOn:
    """The allow-list, and what CHILD_ENV adds to it: names, or `NCCL_*` for all that begin so."""

    def __init__(self) -> None:
        self.more: tuple[str, ...] = ()

    def select(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables that a child gets, of `environ` (default: our own)."""
        source = os.environ if environ is None else environ
        return {name: value for name, value in source.items() if self.allows(name)}

    def allows(self, name: str) -> bool:
        """Whether a child gets the variable of this name."""
        if any(name.startswith(more[:-1]) if more.endswith("*") else name == more for more in self.more):
            return True
        # Proxies are known by their small letters, too.
        return (name.upper() in NAMES or name.startswith(PREFIXES)) and not SECRET.search(name)


PASSED_ON = PassedOn()
