"""transformers without its own bars and notices, which would run across ours."""

from __future__ import annotations

import os
import warnings
from typing import Any

from luodi.errors import require


def transformers() -> Any:
    """The transformers module, quiet."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    module = require("transformers", extra="train")
    # peft asks transformers for a name that is on its way out; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    return module
