"""The recipe report: what is measured, that it goes on where it stopped, and what recommend makes of it."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from quantize.chart import draw
from quantize.errors import RequestError
from quantize.recipes import Order, make_report, read_report, recipe_name, recipes
from quantize.text import Cut, read_text
from tests.quantize.checkpoint import Shape, write_checkpoint
from tests.quantize.helpers import invoke, output, run
from tests.quantize.reference import write_imatrix


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "i.gguf"
    rng = np.random.default_rng(5)
    write_imatrix(path, {f"blk.{i}.ffn_down.weight": rng.exponential(1, 256).astype(np.float32) for i in range(8)})
    return path


def order(folder: Path, prose: Path, imatrix: Path | None, *types: str) -> Order:
    return Order(str(folder), None, imatrix, types, read_text(prose), Cut(128, limit=2))


@pytest.fixture(scope="module")
def figures(small: Path, prose: Path, matrix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("figures") / "recipes.json"
    run(make_report(order(small, prose, matrix, "Q8_0", "Q4_K_M"), out, threads=1))
    return out


def test_every_type_with_both_embeddings_with_and_without_a_matrix(small: Path, prose: Path, matrix: Path) -> None:
    found = [recipe for recipe, _ in recipes(order(small, prose, matrix))]
    assert len(found) == len(set(found))
    four = [(r.embedding, r.importance) for r in found if r.file_type == "Q4_K_M"]
    assert four == [("Q6_K", False), ("Q8_0", False), ("Q6_K", True), ("Q8_0", True)]
    eight = [(r.embedding, r.importance) for r in found if r.file_type == "Q8_0"]
    assert eight == [("Q6_K", False), ("Q8_0", False)]  # a matrix changes nothing in Q8_0, and has no embedding
    assert not any(recipe.importance for recipe, _ in recipes(order(small, prose, None)))


def test_recipes_carry_the_types_that_are_really_there(prose: Path, tmp_path: Path) -> None:
    """Rows of 128 allow no K-quant: nothing is called by its name, and what comes out the same is measured once."""
    shape = Shape(num_hidden_layers=2, hidden_size=128, intermediate_size=128)
    folder = write_checkpoint(tmp_path / "narrow", shape)
    found = [recipe for recipe, _ in recipes(order(folder, prose, None))]
    assert not any("_K" in recipe.label for recipe in found)
    assert {recipe.embedding for recipe in found} == {"Q8_0"}
    assert [recipe_name(r) for r in found if r.file_type == "Q4_0"] == ["Q4_0+Q8_0 (--type Q4_0), embedding Q8_0"]
    sixes = [recipe.file_type for recipe in found if recipe.label == "Q8_0"]
    assert sixes == ["Q8_0"]  # Q6_K would become the same file


def test_the_report(figures: Path) -> None:
    report = read_report(figures)
    assert [m.recipe.file_type for m in report.measured] == ["Q8_0"] * 2 + ["Q4_K_M"] * 4
    assert (report.conditions.chunks, report.conditions.chunk_size) == (2, 128)
    quality = {(m.recipe.file_type, m.recipe.embedding, m.recipe.importance): m.quality for m in report.measured}
    best, worst = quality["Q8_0", "Q8_0", False].mean_divergence, quality["Q4_K_M", "Q6_K", False].mean_divergence
    assert 0 < best.high < worst.low
    assert quality["Q4_K_M", "Q6_K", False] != quality["Q4_K_M", "Q6_K", True]
    assert len({m.size for m in report.measured if m.recipe.file_type == "Q4_K_M"}) > 1


@pytest.mark.slow
def test_a_report_goes_on_where_it_stopped(
    figures: Path, small: Path, prose: Path, matrix: Path, tmp_path: Path
) -> None:
    whole = json.loads(figures.read_bytes())
    part = whole | {"measured": whole["measured"][:4]}
    part["measured"][0]["size"] = 12345  # to see that it is not measured again
    out = tmp_path / "recipes.json"
    out.write_text(json.dumps(part))
    report = run(make_report(order(small, prose, matrix, "Q8_0", "Q4_K_M"), out, threads=1))
    assert report.measured[0].size == 12345
    assert report.measured[1:] == read_report(figures).measured[1:]
    assert read_report(out) == report
    with pytest.raises(RequestError, match="figures of another model, matrix or text"):
        run(make_report(order(small, prose, None, "Q8_0"), out, threads=1))


def test_recommend_uses_the_figures(figures: Path, small: Path, tmp_path: Path) -> None:
    given = output("recommend", small, "--context", "1k", "--memory", "4G", "--figures", figures)
    assert given["recommended"] == "Q8_0, embedding Q8_0"
    divergences = [option["divergence"]["value"] for option in given["options"]]
    assert divergences == sorted(divergences)
    assert given["options"][0]["build"] == "--type Q8_0 --embedding-type Q8_0"
    assert "--imatrix F" in given["options"][-1]["build"] + given["options"][-2]["build"]
    folder = tmp_path / "small"
    shutil.copytree(small, folder)
    assert output("recommend", folder, "--memory", "4G")["options"][0]["divergence"] is None
    shutil.copy(figures, folder / "recipes.json")
    beside = output("recommend", folder, "--context", "1k", "--memory", "4G")
    assert beside["options"] == given["options"]
    assert "KL divergence" in invoke("recommend", folder, "--memory", "4G").stdout


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("quality",), [1]),
        (("quality", "mean_divergence", "value"), None),
        (("size",), float("inf")),
        (("recipe", "file_type"), "Q9"),
        (("recipe", "embedding"), 5),
        (("recipe", "label"), 5),
        (("recipe", "importance"), "perhaps"),
    ],
)
def test_figures_that_are_none(where: tuple[str, ...], value: object, figures: Path, tmp_path: Path) -> None:
    whole = json.loads(figures.read_bytes())
    place = whole["measured"][0]
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = value
    (tmp_path / "f.json").write_text(json.dumps(whole))
    with pytest.raises(RequestError, match="does not hold figures"):
        read_report(tmp_path / "f.json")


def test_the_picture(figures: Path) -> None:
    report = read_report(figures)
    picture = ElementTree.fromstring(draw(report))
    space = "{http://www.w3.org/2000/svg}"
    circles, squares = picture.findall(space + "circle"), picture.findall(space + "rect")[1:]
    kinds = {(m.recipe.importance, m.recipe.embedding) for m in report.measured}
    assert len(circles) + len(squares) == len(report.measured) + len(kinds)  # the legend's too
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < 760
        assert 0 < float(circle.attrib["cy"]) < 480
    texts = [text.text for text in picture.iter(space + "text")]
    assert texts.count("Q4_K_M") == texts.count("Q8_0") == 1


def test_commands(small: Path, prose: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "r.json", tmp_path / "r.svg"
    arguments = ["--text", prose, "--chunks", "2", "--chunk-size", "64", "--type", "Q8_0", "--plot", plot]
    arguments += ["--threads", "1"]
    result = invoke("recipes", small, "-o", out, *arguments)
    assert result.exit_code == 0, result.output
    table = result.stdout.splitlines()
    assert table[1].startswith("Q8_0, embedding Q8_0")
    assert table[2].startswith("Q8_0, embedding Q6_K") or "Q6_K" in table[2]
    assert plot.read_text().startswith("<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.svg"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"schema": 2}', b'{"schema": 1, "conditions": {}, "measured": []}']
)
def test_what_is_no_report(content: bytes, small: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    result = invoke("recommend", small, "--figures", tmp_path / "bad.json")
    assert result.exit_code == 2
    assert "does not hold figures of `quantize recipes`" in result.stderr


def test_figures_of_another_model(figures: Path) -> None:
    result = invoke("recommend", "--figures", figures)
    assert result.exit_code == 2
    assert "a model of another shape" in result.stderr
