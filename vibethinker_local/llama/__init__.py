"""llama.cpp: the only folder that imports llama_cpp."""

import logging

# Else Python prints warnings where no log was started.
logging.getLogger("vibethinker_local.llama").addHandler(logging.NullHandler())
