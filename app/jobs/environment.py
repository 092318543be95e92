"""Selects the environment variables of child processes: what they need, and no secrets.

A child opens untrusted files and runs a large stack of libraries, so it must not see AWS_*, HF_TOKEN or DATABASE_URL.
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
    # Downloads of official weights.
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
# ULTRALYTICS_API_KEY matches a prefix of the allow-list.
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS(WORD|WD|$)|CREDENTIAL|COOKIE", re.IGNORECASE)


class PassedOn:
    """The allow-list, extended by CHILD_ENV: names, or prefixes as `NCCL_*`."""

    def __init__(self) -> None:
        self.more: tuple[str, ...] = ()

    def select(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of `environ` (default: this process's) that a child gets."""
        source = os.environ if environ is None else environ
        return {name: value for name, value in source.items() if self.allows(name)}

    def allows(self, name: str) -> bool:
        """Whether a child gets the variable of this name."""
        if any(name.startswith(more[:-1]) if more.endswith("*") else name == more for more in self.more):
            return True
        # Proxy variables are also written in lowercase.
        return (name.upper() in NAMES or name.startswith(PREFIXES)) and not SECRET.search(name)


PASSED_ON = PassedOn()
