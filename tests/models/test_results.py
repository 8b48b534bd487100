"""How fast a machine runs a model file, as it is stored."""

from pathlib import Path

import pytest

from vibethinker_local.models import results


@pytest.mark.parametrize("name", ["m.gguf", "数学 ½.gguf", "m\udcff\udce9.gguf"])
def test_figures_are_found_again_whatever_the_file_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    rate = {"tokens_per_second": 7.0, "low": 7.0, "high": 7.0}
    figures = results.Figures(
        measured="now",
        model=results.File(name=name.removesuffix(".gguf"), file=name, bytes=0, quant="Q8_0", parameters=7),
        machine=results.here(1),
        prefill=(results.Prefill(tokens=512, **rate),),
        decode=(results.Decode(sequences=1, depth=0, sampling_ms_per_token=0, **rate),),
    )
    results.keep(figures)
    assert results.of(Path("folder") / name) == figures
