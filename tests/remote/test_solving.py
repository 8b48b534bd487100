"""Problems solved on servers that lack each ability in turn, and fail in each way."""

import json
import random
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from tests.command import vibe
from tests.remote.standin import Fault, StandIn
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.events import Control, Finished, Options, Solution, Wrote
from vibethinker_local.models.spec import registry
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.remote import pool
from vibethinker_local.remote import server as server_questions
from vibethinker_local.remote.served import Abilities, EngineServer
from vibethinker_local.solving.solver import Solver
from vibethinker_local.system import paths

PROBLEM = "What is 17 + 25?"
CHAT: dict[str, Any] = {"template": None, "completions": False}
VLLM: dict[str, Any] = {"owner": "vllm", "template": "/tokenize", "logprobs": "old"}
NOTHING: dict[str, Any] = CHAT | {"continues": None, "logprobs": None, "samples": False, "grammar": None}
SERVERS: dict[str, dict[str, Any]] = {
    "llama-server": {},
    "vLLM": VLLM | {"grammar": "structured_outputs"},
    "older vLLM": VLLM | {"grammar": "guided_grammar", "end": "\r\n"},
    "SGLang": CHAT | {"owner": "sglang", "grammar": "ebnf", "continues": "flags", "reasoning": "reasoning_content"},
    "Ollama": CHAT | {"owner": "library", "grammar": None, "samples": False, "reasoning": "reasoning"},
    "no completions, and streams by another name": {"completions": False, "event_type": "Text/Plain"},
    "a repeated beginning": CHAT | {"continues": "repeats"},
    "no continuation": CHAT | {"continues": None, "strips": True},
    "no log-probabilities": {"logprobs": None},
    "no samples": {"samples": False},
    "no grammar": {"grammar": None},
    "nothing at all": NOTHING | {"owner": "me", "strict": True, "context": None},
    "no streams": {"stream": False},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    monkeypatch.setattr(pool, "FIRST_WAIT", 0.01)


def solved(
    *servers: StandIn,
    problem: str = PROBLEM,
    seed: int = 4,
    plan: Plan | None = None,
    control: Control | None = None,
    **options: Any,
) -> Solution:
    address = ",".join(server.url for server in servers)
    with Solver(address, Options(seed, **options)) as solver:
        return solver.solve(problem, seed=seed, plan=plan, control=control)


def voted(*servers: StandIn, samples: int = 4, **other: Any) -> Solution:
    address = ",".join(server.url for server in servers)
    with Solver(address, Options(4)) as solver:
        plan = solver.plan("quick", mode="clr", samples=samples, verdicts="score", stopping=False)
        return solver.solve(PROBLEM, seed=4, plan=plan, **other)


@pytest.mark.parametrize("lacks", SERVERS.values(), ids=SERVERS)
class TestAbilities:
    def test_one_solution(self, lacks: dict[str, Any]) -> None:
        with StandIn(**lacks) as server:
            solution = solved(server)
        [trajectory] = solution.trajectories
        assert (solution.status, solution.answer) == ("answered", "42")
        assert solution.text == "The answer is \\boxed{42}."
        assert trajectory.reasoning == "I add 17 and 25."
        assert (trajectory.mean_logprob is None) == (lacks.get("logprobs", "new") is None)
        assert (solution.model.server, solution.model.served_as) == (server.url, "org/adder")
        body = server.replies()[-1]
        assert (body["seed"], body["temperature"], body["top_p"]) == (4, 1.0, 0.95)

    def test_reasoning_that_does_not_end_is_closed(self, lacks: dict[str, Any]) -> None:
        with StandIn(**lacks) as server:
            solution = solved(server, problem="Think forever: what is 17 + 25?", max_tokens=300)
        [trajectory] = solution.trajectories
        assert (solution.answer, trajectory.finish) == ("42", "forced")
        assert trajectory.tokens <= 300
        assert trajectory.reasoning.startswith("step 0, step 1, step 2,")

    def test_a_vote_with_claims_and_verdicts(self, lacks: dict[str, Any]) -> None:
        """The trajectory of seed 7 is wrong, and so are its claims."""
        with StandIn(**lacks) as server:
            solution = voted(server)
        assert (solution.status, solution.answer) == ("answered", "42")
        assert [trajectory.answer for trajectory in solution.trajectories] == ["42", "42", "42", "43"]
        claims = [trajectory.claims for trajectory in solution.trajectories]
        if lacks.get("grammar", "grammar") is None:
            assert all(len(each) <= 1 for each in claims)  # what cannot be read counts as none
            return
        assert [len(each) for each in claims] == [3] * 4
        rulings = [claim.verdict.ruling for each in claims for claim in each if claim.verdict]
        assert rulings == ["supported"] * 9 + ["refuted"] * 3


def test_samples_share_a_request_where_that_helps() -> None:
    with StandIn() as server:
        voted(server)
    solutions = [body for body in server.replies() if "17 + 25" in body["prompt"]]
    assert solutions[0]["n"] == 4
    with StandIn(samples=False) as server:
        solution = voted(server)
    assert all("n" not in body for body in server.replies())
    assert {body["seed"] for body in server.replies()} >= {4, 5, 6, 7}
    assert solution.seeds == (4, 5, 6, 7)


def test_no_more_requests_at_once_than_there_is_room_for() -> None:
    with StandIn(slots=2, samples=False, pause=0.001) as server:
        voted(server, samples=6)
    assert server.most <= 2


def test_several_servers_share_the_work() -> None:
    with StandIn(samples=False, pause=0.001) as one, StandIn(samples=False, pause=0.001) as other:
        solution = voted(one, other, samples=8)
    assert solution.answer == "42"
    shares = [len(server.replies()) for server in (one, other)]
    assert min(shares) >= sum(shares) // 4
    assert solution.model.server == f"{one.url}, {other.url}"


# What fails


FAULTS: dict[str, list[Fault]] = {
    "too many requests": [("status", (429, {"Retry-After": "0"})), ("status", (429, {"Retry-After": "soon"}))],
    "not ready": [("status", (503, {}))],
    "an error of its own": [("status", (500, {})), ("status", (502, {}))],
    "a connection that breaks": [("cut", 3), ("cut", 2)],
    "an error in the middle": [("error", 3)],
    "a reply that was given up": [("end", "abort"), ("end", "insufficient_system_resource")],
    "something else": [("page", {"please": "sign in"})],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("lacks", [{}, NOTHING], ids=["continues", "quotes"])
def test_what_fails_is_tried_again(faults: list[Fault], lacks: dict[str, Any]) -> None:
    with StandIn(**lacks, faults=deque(faults)) as server:
        solution = solved(server)
    assert (solution.status, solution.answer) == ("answered", "42")
    assert len(server.replies()) >= len(faults) + 1


def test_a_reply_goes_on_where_it_broke_off() -> None:
    with StandIn(faults=deque([("cut", 3)])) as server:
        solution = solved(server)
    [trajectory] = solution.trajectories
    assert trajectory.reasoning == "I add 17 and 25."
    assert trajectory.tokens == 12
    first, second = server.replies()
    assert second["prompt"] == first["prompt"] + "<think>\nI add"
    assert second["max_tokens"] == first["max_tokens"] - 3


def test_a_reply_that_ends_without_a_reason_is_whole() -> None:
    with StandIn(faults=deque([("end", None)])) as server:
        assert solved(server).answer == "42"
    assert len(server.replies()) == 1


def test_several_replies_that_break_off_go_on_each_by_itself() -> None:
    with StandIn(faults=deque([("cut", 9)])) as server:
        solution = voted(server)
    assert [trajectory.answer for trajectory in solution.trajectories] == ["42", "42", "42", "43"]
    assert {trajectory.reasoning for trajectory in solution.trajectories} == {"I add 17 and 25."}


def test_a_server_that_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ATTEMPTS", 1)
    with StandIn(faults=deque([("status", (429, {})), ("status", (503, {}))])) as server:
        assert solved(server).answer == "42", "one that is full has not failed"
    monkeypatch.setattr(pool, "ATTEMPTS", 3)
    with StandIn(faults=deque([("status", (500, {}))] * 3)) as server:
        solution = solved(server)
    assert solution.status == "failed"
    assert solution.error
    assert f"{server.url} gives no reply: 500, Come back later" in solution.error
    assert len(server.replies()) == 3
    with StandIn(faults=deque([("page", "Sign in")] * 3)) as server:
        assert 'it sends no reply: 200 OK, application/json; charset=utf-8, 9 bytes: “"Sign in"”' in (
            solved(server).error or ""
        )


def test_a_server_that_fails_is_left_alone_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_WAIT", 0.5)
    monkeypatch.setattr(random, "uniform", lambda least, most: most)
    load = pool._Load(EngineServer("http://a", "m", "server", Abilities()), 0, places=4)
    for began, failed, wait, until in (
        (0.0, 10.0, None, 10.5),
        (5.0, 10.2, None, 10.7),  # begun before the last failure: the same one
        (11.0, 12.0, None, 13.0),
        (14.0, 15.0, 100.0, 115.0),
        (90.0, 91.0, 1.0, 115.0),
        (116.0, 200.0, 1e6, 800.0),
        *((9e3 * n, 9e3 * n, None, 9e3 * n + min(30, 0.5 * 2 ** (n + 3))) for n in range(1, 9)),
    ):
        load.failed(began, failed, wait)
        assert load.until == until


def test_a_server_that_dies_leaves_its_work_to_the_others() -> None:
    with (
        StandIn(samples=False, pause=0.005) as one,
        StandIn(samples=False, pause=0.005) as other,
        Solver(f"{one.url},{other.url}", Options(4)) as solver,
    ):
        plan = solver.plan("quick", mode="majority", samples=8, stopping=False)
        events = solver.stream(PROBLEM, seed=4, plan=plan)
        next(event for event in events if one.running)
        one.stop()
        *_, last = events
    assert isinstance(last, Finished)
    answers = [trajectory.answer for trajectory in last.solution.trajectories]
    assert sorted(answers, key=str) == ["42"] * 6 + ["43"] * 2


@pytest.mark.parametrize(("status", "told"), [(400, {}), (402, {}), (429, {"code": "insufficient_quota"})])
def test_a_request_that_is_refused_is_not_repeated(status: int, told: dict[str, str]) -> None:
    with StandIn(faults=deque([("status", (status, told))])) as server:
        solution = solved(server)
    assert solution.status == "failed"
    assert solution.error == f"{server.url} refuses a request ({status}): Come back later."
    assert len(server.replies()) == 1


# What the user does


def test_stopping_calls_requests_off() -> None:
    control = Control()
    with StandIn(pause=0.01) as server, Solver(server.url, Options(4)) as solver:
        events = solver.stream("Think forever: what is 17 + 25?", seed=4, control=control)
        for _ in range(5):
            next(events)
        control.stop = True
        *_, last = events
        assert isinstance(last, Finished)
        assert last.solution.status == "stopped"
        _until(lambda: server.running == 0)


def test_an_answer_now() -> None:
    control = Control()
    with StandIn(pause=0.005) as server, Solver(server.url, Options(4)) as solver:
        events = solver.stream("Think forever: what is 17 + 25?", seed=4, control=control)
        for _ in range(5):
            next(events)
        control.answer_now = True
        *_, last = events
        assert isinstance(last, Finished)
        assert (last.solution.status, last.solution.answer) == ("answered", "42")
        _until(lambda: server.running == 0)
    assert server.replies()[-1]["prompt"].endswith("\n</think>\n\n")


def test_a_model_that_goes_round_in_circles_is_stopped() -> None:
    with StandIn() as server:
        solution = solved(server, problem="Go in circles: what is 17 + 25?")
    assert (solution.answer, solution.trajectories[0].finish) == ("42", "loop")


def test_tokens_of_which_only_the_number_is_known_are_no_circles() -> None:
    with StandIn(logprobs=None, stream=False) as server:
        [trajectory] = solved(server, problem="Think at length: what is 17 + 25?").trajectories
    assert (trajectory.answer, trajectory.finish) == ("42", "stop")
    assert trajectory.tokens > 800


def test_a_server_that_counts_more_tokens_than_were_wanted() -> None:
    with StandIn(logprobs=None, boasts=2**50) as server:
        solution = solved(server, max_tokens=500)
    assert (solution.status, solution.answer) == ("answered", "42")
    assert solution.trajectories[0].tokens <= 500


def test_a_problem_that_is_too_long() -> None:
    with StandIn(context=600) as server, pytest.raises(UsageError, match="too long"):
        solved(server, problem="What is 17 + 25? " * 300)


def test_a_context_that_nobody_knows_is_found_out() -> None:
    """The server has room for less than is assumed: what it refuses is asked for again, shorter."""
    with StandIn(owner="me", context=500) as server:
        assert solved(server).answer == "42"
        assert solved(server, problem="Think forever: what is 17 + 25?").answer in ("42", None)
        with Solver(server.url, Options(4)) as solver:
            assert any("does not say how long its context is" in notice for notice in solver.notices)
        with Solver(server.url, Options(4, context=400)) as solver:
            assert not solver.notices
            assert solver.context == 400


def test_a_run_whose_engine_is_closed_ends() -> None:
    with StandIn() as server, Solver(server.url) as solver:
        run = solver.stream("Think forever: what is 17 + 25?", seed=4)
        next(event for event in run if isinstance(event, Wrote))
        solver.close()
        *_, last = run
        assert isinstance(last, Finished)
        assert (last.solution.status, last.solution.error) == ("failed", "The engine was closed.")


# What the user is told


def test_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(key="right") as server:
        result = vibe("solve", "-m", server.url, "-t", PROBLEM)
        assert result.code == 4
        assert f"{server.url} wants a key: put it into VIBE_ENGINE_KEY" in result.err
        monkeypatch.setenv("VIBE_ENGINE_KEY", "wrong")
        result = vibe("solve", "-m", server.url, "-t", PROBLEM)
        assert (result.code, "refuses the key" in result.err) == (4, True)
        monkeypatch.setenv("VIBE_ENGINE_KEY", "right")
        result = vibe("--debug", "solve", "-m", server.url, "-t", PROBLEM, "--json", "--seed", "4")
    assert (result.code, result.receipt["answer"]) == (0, "42")
    assert result.receipt["model"] == {
        "name": "adder",
        "file": None,
        "quant": None,
        "sha256": None,
        "served_as": "org/adder",
        "server": server.url,
    }
    logged = "".join(path.read_text() for path in paths.logs().glob("*"))
    assert all("right" not in text for text in (result.out, result.err, logged))


def test_models_by_their_names() -> None:
    with StandIn(model="/models/Org/Adder-1b.gguf") as server:
        for name in ("/models/Org/Adder-1b.gguf", "adder-1b.gguf", "Adder-1B", "adder"):
            assert Solver(f"{server.url}#{name}").chosen.name == "Adder-1b"
        result = vibe("solve", "-m", f"{server.url}#other", "-t", PROBLEM)
    assert result.code == 4
    assert "has no model called 'other': it has /models/Org/Adder-1b.gguf." in result.err


@pytest.mark.parametrize("owner", ["llamacpp", "library"])
def test_a_server_without_a_model(owner: str) -> None:
    with StandIn(model="", owner=owner) as server, pytest.raises(ModelError, match="has no model yet: load one there"):
        Solver(server.url)


def test_a_name_that_fits_several_models() -> None:
    with StandIn(model="org/adder", others=("org/ladder", "org/snake")) as server:
        assert Solver(f"{server.url}#adder").chosen.name == "adder"
        with pytest.raises(ModelError, match=r"has several models with 'add' in their names: org/adder, org/ladder\."):
            Solver(f"{server.url}#add")
        with pytest.raises(ModelError, match="has several models: give one"):
            Solver(server.url)
    with StandIn(model="adder:latest", others=("adder:1b", "adder-2:latest")) as server:
        assert Solver(f"{server.url}#adder").chosen.servers[0].model == "adder:latest"  # type: ignore[union-attr]


def test_a_vote_of_our_own_server_is_no_further_model() -> None:
    with StandIn(model="mini", others=("mini:reliable",), bare=True) as server:
        assert Solver(server.url).chosen.name == Solver(f"{server.url}#min").chosen.name == "mini"
    with StandIn(model="mini:reliable") as server:
        assert Solver(server.url).chosen.servers[0].model == "mini:reliable"  # type: ignore[union-attr]


def test_a_gateway_that_lets_nobody_ask_for_the_template() -> None:
    with StandIn(gated=True) as server:
        assert solved(server).answer == "42"
    with StandIn(gated=True, key="right") as server, pytest.raises(ModelError, match="wants a key"):
        Solver(server.url)


@pytest.mark.parametrize(
    ("model", "entry"),
    [
        ("WeiboAI/VibeThinker-3B", "vibethinker-3b"),
        ("/models/VibeThinker-3B.Q8_0.gguf", "vibethinker-3b"),
        ("mini", "mini"),
        ("org/minister-8b", None),
    ],
)
def test_the_entry_of_a_known_model_is_used(model: str, entry: str | None) -> None:
    with StandIn(model=model) as server:
        spec = Solver(server.url).spec
    assert [name for name, known in registry().items() if known == spec] == ([entry] if entry else [])


def test_nobody_there() -> None:
    with StandIn() as server:
        url = server.url
    began = time.monotonic()
    result = vibe("solve", "-m", url, "-t", PROBLEM, "--json")
    assert result.code == 4
    assert f"{url} cannot be reached" in result.err
    assert result.receipt["status"] == "failed"
    assert time.monotonic() - began < 20


def test_another_kind_of_server(tmp_path: Path) -> None:
    with StandIn() as server, pytest.raises(ModelError, match="is not the list of a server that speaks the OpenAI"):
        Solver(f"{server.url}/elsewhere")
    with (
        StandIn(absences=deque([301])) as server,
        pytest.raises(ModelError, match=r"301 .*: check the address, which leads to /login\."),
    ):
        Solver(server.url)


@pytest.mark.parametrize("absences", [[0, 0], [503, 429, 522], [503, 0, 504]], ids=str)
def test_a_server_that_is_not_able_to_answer_yet_is_asked_again(
    absences: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_questions, "WAITS", (0.001,) * 3)
    with StandIn(absences=deque(absences)) as server:
        able = Solver(server.url).chosen.servers[0].abilities  # type: ignore[union-attr]
    assert not able.lacking()


def test_a_server_that_is_never_able_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_questions, "WAITS", (0.001,) * 3)
    for status, came in (
        (502, r"is not able to answer at present \(502 Bad Gateway"),
        (0, "cannot be reached: .*; check"),
    ):
        with StandIn(absences=deque([status] * 9)) as server, pytest.raises(ModelError, match=came):
            Solver(server.url)


def test_a_wrong_address_is_an_error_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_questions, "WAITS", (0.001, 0.001, 60.0))
    with StandIn(absences=deque([0] * 9)) as server, pytest.raises(ModelError, match="cannot be reached"):
        Solver(server.url)
    assert len(server.absences) == 6


def test_one_that_can_do_everything_is_asked_little() -> None:
    with StandIn(**SERVERS["vLLM"]) as server:
        able = Solver(server.url).chosen.servers[0].abilities  # type: ignore[union-attr]
    assert able.samples
    assert not able.lacking()
    written = [body for path, body in server.asked if path == "/v1/completions"]
    assert len(written) == 4, written  # everything, the tokens counted, and two names of a grammar


@pytest.mark.parametrize(
    ("known", "sent", "says"),
    [
        ({"seed", "stream_options"}, {"seed": 4}, False),
        ({"random_seed", "n"}, {"random_seed": 4}, False),
        (set(), {}, True),
    ],
    ids=["seed", "random_seed", "none"],
)
def test_what_a_server_does_not_know_is_not_sent(known: set[str], sent: dict[str, int], says: bool) -> None:
    with StandIn(**CHAT, strict=True, known=frozenset(known)) as server:
        assert solved(server).answer == "42"
        notices = Solver(server.url).chosen.notices()  # type: ignore[union-attr]
    [body] = server.replies()
    assert {name: body[name] for name in ("seed", "random_seed") if name in body} == sent
    assert ("stream_options" in body) == ("stream_options" in known)
    assert any("takes no seed: it draws its own" in notice for notice in notices) == says


def test_what_is_lacking_is_said() -> None:
    with StandIn(**NOTHING, strict=True) as server:
        result = vibe("solve", "-m", server.url, "-t", PROBLEM)
    assert result.code == 0
    assert "it cannot continue a reply: a new request quotes what was written" in result.err
    assert "it gives no log-probabilities: a verdict is the word that the model says" in result.err
    with StandIn() as server:
        assert "cannot" not in vibe("solve", "-m", server.url, "-t", PROBLEM).err


def test_an_engine_by_its_name() -> None:
    with StandIn() as server:
        path = paths.config() / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = f'[engines.lab]\nurl = ["{server.url}/v1"]\nmodel = "adder"\nconcurrency = 3\n'
        path.write_text(f'model = "lab"\n\n{engine}')
        result = vibe("solve", "-r", "--mode", "majority", "-t", PROBLEM, "--json", "--seed", "4")
        [check] = [each for each in json.loads(vibe("doctor", "--json").out)["checks"] if each["name"] == "engine lab"]
    assert result.receipt["model"]["name"] == "lab"
    assert (result.receipt["answer"], server.most) == ("42", 1)
    assert check["state"] == "ok"
    assert "own prompts, continues replies, log-probabilities, n samples, grammar" in check["value"]


def _until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
