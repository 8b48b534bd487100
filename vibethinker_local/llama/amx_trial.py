"""The bundled model's answer to a few tokens, by AMX: a process that lives to its end shows that AMX works."""

import os
import sys

from vibethinker_local.llama.library import library
from vibethinker_local.system import paths

TOKENS = 64  # several of AMX's tiles; a single token would be computed without


def main() -> int:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected: nobody wants its memory on disk
    native = library()
    loading = native.llama_model_default_params()
    loading.n_gpu_layers = 0
    model = native.llama_model_load_from_file(os.fsencode(paths.MINI), loading)
    running = native.llama_context_default_params()
    running.n_ctx = TOKENS
    running.n_threads = running.n_threads_batch = 2  # each configures the tiles for itself
    context = native.llama_init_from_model(model, running) if model else None
    if not context:
        return 1
    tokens = (native.llama_token * TOKENS)(*range(TOKENS))
    return int(native.llama_decode(context, native.llama_batch_get_one(tokens, TOKENS)))


if __name__ == "__main__":
    sys.exit(main())
