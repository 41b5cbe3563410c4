"""transformers without its own bars and notices, which would run across ours."""

from __future__ import annotations

import os
from typing import Any

from luodi.errors import require


def transformers() -> Any:
    """The transformers module, quiet."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    module = require("transformers", extra="train")
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    return module
